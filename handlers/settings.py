"""Settings: every environment name that the program reads, what it means, and what holds without it.

`read` gives all of them or raises with everything that is wrong; a value that does not parse never falls back silently
(interface: settings). The overrides of a definition are read where definitions are (`handlers/overrides.py`); here they
are only listed beside ours, so that `settings` shows the whole environment in one table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from events.sqlite import BUSY_SECONDS
from handlers.overrides import OVERRIDES

PREFIX = "TIPOFF_"
MASK = "********"

Source = Literal["default", "environment"]


class Setting(Struct, frozen=True, kw_only=True):
    """An environment name of ours. `field` is where its value stands in `Settings`, `takes` what it may be."""

    name: str
    field: str
    default: str
    meaning: str
    takes: str
    parse: Callable[[str], Any]


class Settings(Struct, frozen=True, kw_only=True):
    """What the environment says, parsed. `commands` is None where the file beside the store is meant."""

    store: str
    definitions: tuple[str, ...]
    commands: Path | None
    store_busy_seconds: float
    log: Literal["off", "info"]
    debug: bool


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


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text.strip()


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise ValueError
    return names


def _path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _seconds(text: str) -> float:
    value = float(text)
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError
    return value


def _level(text: str) -> str:
    if text not in ("off", "info"):
        raise ValueError
    return text


def _switch(text: str) -> bool:
    return {"1": True, "true": True, "0": False, "false": False}[text.lower()]


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="TIPOFF_STORE",
        field="store",
        default="sqlite:tipoff.db",
        meaning="the store, where --store does not name one",
        takes="sqlite:PATH, firestore:PROJECT[/DATABASE] or memory:",
        parse=_text,
    ),
    Setting(
        name="TIPOFF_DEFINITIONS",
        field="definitions",
        default="nba,mlb",
        meaning="the definitions, where --definition does not name any",
        takes="names of shipped definitions or paths of TOML files, with commas between",
        parse=_names,
    ),
    Setting(
        name="TIPOFF_COMMANDS",
        field="commands",
        default="",
        meaning="the file that commands are written to; empty means beside the store",
        takes="a path",
        parse=_path,
    ),
    Setting(
        name="TIPOFF_STORE_BUSY_SECONDS",
        field="store_busy_seconds",
        default=f"{BUSY_SECONDS:g}",
        meaning="how long a write waits for another writer of the same store, seconds",
        takes="a number from 0 on",
        parse=_seconds,
    ),
    Setting(
        name="TIPOFF_LOG",
        field="log",
        default="off",
        meaning="info writes one JSON line per decision to standard error, as --verbose does",
        takes="off or info",
        parse=_level,
    ),
    Setting(
        name="TIPOFF_DEBUG",
        field="debug",
        default="0",
        meaning="1 shows the traceback of an internal error",
        takes="1 or 0",
        parse=_switch,
    ),
)

SECRETS: Mapping[str, str] = {
    "SLACK_WEBHOOK_URL": "where information goes; read by the Slack channel, which this build does not have",
    "SLACK_WEBHOOK_URL_WARNING": "where warnings go; likewise",
    "SLACK_WEBHOOK_URL_ERROR": "where critical alerts go; likewise",
}
"""Names whose values are never shown."""


def read(environ: Mapping[str, str]) -> Settings:
    """The settings in `environ`. Raises SettingsInvalid."""
    values: dict[str, Any] = {}
    wrong: list[tuple[str, str]] = []
    for setting in SETTINGS:
        text = environ.get(setting.name, setting.default)
        try:
            values[setting.field] = setting.parse(text)
        except (ValueError, KeyError):
            wrong.append((setting.name, f'takes {setting.takes}, not "{text}"; unset it for "{setting.default}"'))
    if wrong:
        raise SettingsInvalid(wrong)
    return Settings(**values)


def shown(environ: Mapping[str, str]) -> list[Shown]:
    """Every setting with its value, where that comes from and what it means; names that begin like ours and are not
    ours are listed too, for a misspelt name changes nothing and says nothing."""
    return [*_ours(environ), *_overrides(environ), *_secrets(environ), *_unknown(environ)]


def _ours(environ: Mapping[str, str]) -> Iterator[Shown]:
    for setting in SETTINGS:
        yield _shown(environ, setting.name, setting.default, setting.meaning)


def _overrides(environ: Mapping[str, str]) -> Iterator[Shown]:
    for override in OVERRIDES:
        meaning = f"overrides the definition: {override.meaning}"
        yield _shown(environ, override.name, override.default, meaning)


def _secrets(environ: Mapping[str, str]) -> Iterator[Shown]:
    for name, meaning in SECRETS.items():
        source: Source = "environment" if environ.get(name) else "default"
        yield Shown(name=name, value=MASK if environ.get(name) else None, source=source, meaning=meaning)


def _unknown(environ: Mapping[str, str]) -> Iterator[Shown]:
    known = {setting.name for setting in SETTINGS}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            meaning = "unknown to this version: it does nothing"
            yield Shown(name=name, value=MASK, source="environment", meaning=meaning, known=False)


def _shown(environ: Mapping[str, str], name: str, default: str, meaning: str) -> Shown:
    source: Source = "environment" if name in environ else "default"
    return Shown(name=name, value=environ.get(name, default), source=source, meaning=meaning)
