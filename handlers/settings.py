"""Settings: every environment name that the program reads, what it means, and what holds without it.

`read` gives all of them or raises with everything that is wrong; a value that does not parse never falls back silently
(interface: settings). The overrides of a definition are read where definitions are (`handlers/overrides.py`); here they
are only listed beside ours, so that `settings` shows the whole environment in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from events.sqlite import BUSY_SECONDS
from handlers import setting_values
from handlers.overrides import OVERRIDES
from handlers.setting_values import TOKEN_CHARS_MIN
from handlers.warehouse.opening import TAKES as WAREHOUSES

PREFIX = "TIPOFF_"
MASK = "********"

Source = Literal["default", "environment"]


class Setting(Struct, frozen=True, kw_only=True):
    """An environment name of ours. `field` is where its value stands in `Settings`, `takes` what it may be. The value
    of a secret is never shown."""

    name: str
    field: str
    default: str
    meaning: str
    takes: str
    parse: Callable[[str], Any]
    secret: bool = False


class Settings(Struct, frozen=True, kw_only=True):
    """What the environment says, parsed. `commands` is None where the file beside the store is meant."""

    store: str
    definitions: tuple[str, ...]
    commands: Path | None
    warehouse: str
    store_busy_seconds: float
    log: Literal["off", "info"]
    debug: bool
    http_host: str
    http_port: int
    http_proxies: str
    http_rate: float
    tick_seconds: float
    pubsub_project: str
    pubsub_push_endpoint: str
    pubsub_lease_seconds: int
    push_audience: str
    push_accounts: tuple[str, ...]
    operator_audience: str
    operator_accounts: tuple[str, ...]
    operator_tokens: tuple[tuple[str, str], ...]
    certificates_url: str
    slack_webhook: str
    slack_webhook_warning: str
    slack_webhook_critical: str
    alert_webhook: str
    runbook: str
    services: tuple[tuple[str, str], ...]


class SettingsInvalid(Exception):
    """Environment values that do not parse: all of them, as (name, message)."""

    code = "setting_invalid"

    def __init__(self, wrong: list[tuple[str, str]]) -> None:
        self.wrong = wrong
        super().__init__(wrong)

    def __str__(self) -> str:
        return "\n".join(f"{name}: {message}" for name, message in self.wrong)


class Shown(Struct, frozen=True, kw_only=True):
    """One line of `settings`. `source` says where `value` comes from; a secret's value is masked, null where it is not
    set. `known` is False for a name that begins like ours and is none."""

    name: str
    value: str | None
    source: Source
    meaning: str
    known: bool = True


def _address(name: str, field: str, meaning: str) -> Setting:
    """An address that is a secret, and may be missing."""
    return Setting(
        name=name,
        field=field,
        default="",
        meaning=meaning,
        takes="a URL",
        parse=lambda t: t and setting_values.url(t),
        secret=True,
    )


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="TIPOFF_STORE",
        field="store",
        default="sqlite:tipoff.db",
        meaning="the store, where --store does not name one",
        takes="sqlite:PATH, firestore:PROJECT[/DATABASE] or memory:",
        parse=setting_values.text,
    ),
    Setting(
        name="TIPOFF_DEFINITIONS",
        field="definitions",
        default="nba,mlb",
        meaning="the definitions, where --definition does not name any",
        takes="names of shipped definitions or paths of TOML files, with commas between",
        parse=setting_values.names,
    ),
    Setting(
        name="TIPOFF_COMMANDS",
        field="commands",
        default="",
        meaning="the file that commands are written to; empty means beside the store",
        takes="a path",
        parse=setting_values.path,
    ),
    Setting(
        name="TIPOFF_WAREHOUSE",
        field="warehouse",
        default="",
        meaning="where measures are taken and events are exported to; empty means nowhere",
        takes=WAREHOUSES,
        parse=setting_values.warehouse,
    ),
    Setting(
        name="TIPOFF_STORE_BUSY_SECONDS",
        field="store_busy_seconds",
        default=f"{BUSY_SECONDS:g}",
        meaning="how long a write waits for another writer of the same store, seconds",
        takes="a number from 0 on",
        parse=setting_values.seconds,
    ),
    Setting(
        name="TIPOFF_LOG",
        field="log",
        default="off",
        meaning="info writes one JSON line per decision to standard error, as --verbose does; `serve` does unless off",
        takes="off or info",
        parse=setting_values.level,
    ),
    Setting(
        name="TIPOFF_DEBUG",
        field="debug",
        default="0",
        meaning="1 shows the traceback of an internal error",
        takes="1 or 0",
        parse=setting_values.switch,
    ),
    Setting(
        name="TIPOFF_HTTP_HOST",
        field="http_host",
        default="127.0.0.1",
        meaning="the address that `serve` listens on, where --host does not name one",
        takes="an address or a host name",
        parse=setting_values.text,
    ),
    Setting(
        name="TIPOFF_HTTP_PORT",
        field="http_port",
        default="8080",
        meaning="the port that `serve` listens on, where --port does not name one; 0 takes a free one",
        takes="a number from 0 to 65535",
        parse=setting_values.port,
    ),
    Setting(
        name="TIPOFF_HTTP_PROXIES",
        field="http_proxies",
        default="127.0.0.1",
        meaning="proxies whose X-Forwarded-For says who the client is",
        takes="addresses and networks, with commas between",
        parse=setting_values.text,
    ),
    Setting(
        name="TIPOFF_HTTP_RATE",
        field="http_rate",
        default="500",
        meaning="requests that one client may send a second; more are answered 429",
        takes="a number above 0",
        parse=setting_values.above_zero,
    ),
    Setting(
        name="TIPOFF_TICK_SECONDS",
        field="tick_seconds",
        default="15",
        meaning="between two ticks of `serve`",
        takes="a number above 0",
        parse=setting_values.above_zero,
    ),
    Setting(
        name="TIPOFF_PUSH_AUDIENCE",
        field="push_audience",
        default="",
        meaning="the audience of the OIDC tokens that pushes carry; empty leaves pushes unverified",
        takes="any text",
        parse=str,
    ),
    Setting(
        name="TIPOFF_PUSH_ACCOUNTS",
        field="push_accounts",
        default="",
        meaning="the service accounts that may push and tick",
        takes="e-mail addresses, with commas between",
        parse=setting_values.accounts,
    ),
    Setting(
        name="TIPOFF_PUBSUB_PROJECT",
        field="pubsub_project",
        default="",
        meaning="the Google Cloud project whose Pub/Sub is used; empty means none",
        takes="the id of a project",
        parse=str.strip,
    ),
    Setting(
        name="TIPOFF_PUBSUB_PUSH_ENDPOINT",
        field="pubsub_push_endpoint",
        default="",
        meaning="where Pub/Sub pushes messages, as the first of TIPOFF_PUSH_ACCOUNTS; empty means that they are pulled",
        takes="the URL of POST /v1/pubsub/push, or nothing",
        parse=setting_values.url_or_none,
    ),
    Setting(
        name="TIPOFF_PUBSUB_LEASE_SECONDS",
        field="pubsub_lease_seconds",
        default="60",
        meaning="how long a pulled message stays with an instance that died; the living extend it",
        takes="a whole number from 10 to 600",
        parse=setting_values.lease,
    ),
    Setting(
        name="TIPOFF_OPERATOR_AUDIENCE",
        field="operator_audience",
        default="",
        meaning="the audience of the OIDC tokens that operators carry",
        takes="any text",
        parse=str,
    ),
    Setting(
        name="TIPOFF_OPERATOR_ACCOUNTS",
        field="operator_accounts",
        default="",
        meaning="who may command and tick: accounts, and @DOMAIN for everybody of a Google Workspace",
        takes="e-mail addresses and @DOMAINs, with commas between",
        parse=setting_values.accounts,
    ),
    Setting(
        name="TIPOFF_OPERATOR_TOKENS",
        field="operator_tokens",
        default="",
        meaning="who may command and tick with a token of their own",
        takes=f"NAME=TOKEN, with commas between; a token has at least {TOKEN_CHARS_MIN} characters",
        parse=setting_values.tokens,
        secret=True,
    ),
    Setting(
        name="TIPOFF_CERTIFICATES_URL",
        field="certificates_url",
        default="https://www.googleapis.com/oauth2/v1/certs",
        meaning="where the certificates are that OIDC tokens are verified with",
        takes="a URL",
        parse=setting_values.url,
    ),
    _address(
        "SLACK_WEBHOOK_URL", "slack_webhook", "the Slack webhook of digests, and of alerts that have none of their own"
    ),
    _address("SLACK_WEBHOOK_URL_WARNING", "slack_webhook_warning", "the Slack webhook of warnings"),
    _address("SLACK_WEBHOOK_URL_ERROR", "slack_webhook_critical", "the Slack webhook of critical alerts"),
    _address("TIPOFF_ALERT_WEBHOOK_URL", "alert_webhook", "where every alert and digest is posted as JSON, too"),
    Setting(
        name="TIPOFF_RUNBOOK_URL",
        field="runbook",
        default="docs/runbook.md",
        meaning="the runbook that alerts link to; the cause is appended as #cause",
        takes="a URL or a path",
        parse=setting_values.text,
    ),
    Setting(
        name="TIPOFF_SERVICES",
        field="services",
        default="",
        meaning="where the services are that http: commands call",
        takes="NAME=URL, with commas between, such as phase3=https://analytics.example.com",
        parse=setting_values.services,
    ),
)


def read(environ: Mapping[str, str]) -> Settings:
    """The settings in `environ`. Raises SettingsInvalid."""
    values: dict[str, Any] = {}
    wrong: list[tuple[str, str]] = []
    for setting in SETTINGS:
        text = environ.get(setting.name, setting.default)
        try:
            values[setting.field] = setting.parse(text)
        except (ValueError, KeyError):
            given = MASK if setting.secret else text
            wrong.append((setting.name, f'takes {setting.takes}, not "{given}"; unset it for "{setting.default}"'))
    if wrong:
        raise SettingsInvalid(wrong)
    return Settings(**values)


def shown(environ: Mapping[str, str]) -> list[Shown]:
    """Every setting with its value, where that comes from and what it means; names that begin like ours and are not
    ours are listed too, for a misspelt name changes nothing and says nothing."""
    return [*_ours(environ), *_overrides(environ), *_unknown(environ)]


def _ours(environ: Mapping[str, str]) -> Iterator[Shown]:
    for setting in SETTINGS:
        shown = _shown(environ, setting.name, setting.default, setting.meaning)
        yield replace(shown, value=MASK if shown.value else None) if setting.secret else shown


def _overrides(environ: Mapping[str, str]) -> Iterator[Shown]:
    for override in OVERRIDES:
        meaning = f"overrides the definition: {override.meaning}"
        yield _shown(environ, override.name, override.default, meaning)


def _unknown(environ: Mapping[str, str]) -> Iterator[Shown]:
    known = {setting.name for setting in SETTINGS}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            meaning = "unknown to this version: it does nothing"
            yield Shown(name=name, value=MASK, source="environment", meaning=meaning, known=False)


def _shown(environ: Mapping[str, str], name: str, default: str, meaning: str) -> Shown:
    source: Source = "environment" if name in environ else "default"
    return Shown(name=name, value=environ.get(name, default), source=source, meaning=meaning)
