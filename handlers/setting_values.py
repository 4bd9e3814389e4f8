"""What the text of a setting may be, by kind. Each gives the value, or raises ValueError or KeyError; which setting it
was and what it takes, `handlers/settings.py` says."""

from __future__ import annotations

import math
from pathlib import Path

from handlers.warehouse.opening import warehouse_name

TOKEN_CHARS_MIN = 16
"""Characters of a token that nobody guesses."""

PORT_MAX = 65_535
LEASE_SECONDS_MIN, LEASE_SECONDS_MAX = 10, 600


def text(text: str) -> str:
    """A text that is not empty."""
    if not text.strip():
        raise ValueError
    return text.strip()


def names(text: str) -> tuple[str, ...]:
    """At least one name."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise ValueError
    return names


def accounts(text: str) -> tuple[str, ...]:
    """E-mail addresses and @DOMAINs, in small letters."""
    accounts = tuple(account.strip().lower() for account in text.split(",") if account.strip())
    if not all("@" in account[:-1] for account in accounts):
        raise ValueError
    return accounts


def tokens(text: str) -> tuple[tuple[str, str], ...]:
    """Names with their tokens, which are long enough."""
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    if not all(name and len(token) >= TOKEN_CHARS_MIN for name, _equals, token in pairs):
        raise ValueError
    return tuple((name, token) for name, _equals, token in pairs)


def url(text: str) -> str:
    """An address of HTTP."""
    if not text.startswith(("https://", "http://")):
        raise ValueError
    return text


def services(text: str) -> tuple[tuple[str, str], ...]:
    """Names with their addresses."""
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    if not all(name for name, _equals, _address in pairs):
        raise ValueError
    return tuple((name.strip(), url(address.strip())) for name, _equals, address in pairs)


def url_or_none(text: str) -> str:
    """An address of HTTP, or nothing."""
    return url(text) if text else ""


def port(text: str) -> int:
    """A port, 0 for any."""
    port = int(text)
    if not 0 <= port <= PORT_MAX:
        raise ValueError
    return port


def lease(text: str) -> int:
    """Seconds for which Pub/Sub lets a message be leased."""
    seconds = int(text)
    if not LEASE_SECONDS_MIN <= seconds <= LEASE_SECONDS_MAX:
        raise ValueError
    return seconds


def warehouse(text: str) -> str:
    """The name of a warehouse, or nothing."""
    if text:
        warehouse_name(text)
    return text


def path(text: str) -> Path | None:
    """A path, None for none."""
    return Path(text).expanduser() if text else None


def seconds(text: str) -> float:
    """A number of seconds from 0 on."""
    value = float(text)
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError
    return value


def above_zero(text: str) -> float:
    """A number above 0."""
    value = seconds(text)
    if not value:
        raise ValueError
    return value


def level(text: str) -> str:
    """`off` or `info`."""
    if text not in ("off", "info"):
        raise ValueError
    return text


def switch(text: str) -> bool:
    """1 or 0."""
    return {"1": True, "true": True, "0": False, "false": False}[text.lower()]
