"""How projections put instants, numbers and lists into words, so that every sentence says them the same way."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from statemachine.calendar import zone

LISTED_MAX = 10
"""Items that a sentence names before it only counts the rest."""

DIGITS_MAX = 17
"""Decimals after which two different floats are told apart in any case."""


def instant(at: datetime, zone_name: str | None = None) -> str:
    """`2026-01-17 11:16 UTC (06:16 EST)`: UTC, with league time in brackets where a zone is given and its date where
    that is another one. Seconds are said where there are any."""
    utc = at.astimezone(UTC)
    text = f"{utc.date().isoformat()} {_clock(utc)} UTC"
    if zone_name is None:
        return text
    local = at.astimezone(zone(zone_name))
    date = f"{local.date().isoformat()} " if local.date() != utc.date() else ""
    return f"{text} ({date}{_clock(local)} {local.tzname()})"


def _clock(at: datetime) -> str:
    return at.time().isoformat("seconds" if at.second else "minutes")


def number(value: float | None, beside: float | None = None) -> str:
    """`value` with at most three decimals, or with as many more as tell it from the threshold `beside` it: 0.7999
    under 0.8 is not written 0.8. None is `unknown`."""
    if value is None:
        return "unknown"
    for digits in range(3, DIGITS_MAX):
        text = _trimmed(value, digits)
        if beside is None or value == beside or text != _trimmed(beside, digits):
            return text
    return repr(value)


def _trimmed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def listed(items: Iterable[str]) -> str:
    """The items with commas between them; after `LISTED_MAX` the rest is counted."""
    names = list(items)
    if len(names) > LISTED_MAX:
        names = [*names[:LISTED_MAX], f"… and {len(names) - LISTED_MAX} more"]
    return ", ".join(names)


def counted(count: int, thing: str) -> str:
    """`1 game`, `7 games`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
