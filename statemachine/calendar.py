"""League time: where a game date begins and ends, and the instants that rules are anchored to (design 6).

A game date is a calendar date in the league's zone. Arithmetic is done on wall-clock dates there and only then turned
into UTC instants, so a day with 23 or 25 hours (8 March 2026, 2 November 2025) is right by itself.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import to_builtins

Received = Literal["before", "on", "after"]

RECEIVED: tuple[Received, ...] = ("before", "on", "after")
"""When a message comes, seen from its game date: the order of the cycles."""


@lru_cache(maxsize=16)
def zone(name: str) -> ZoneInfo:
    """The zone called `name`. Raises ZoneInfoNotFoundError."""
    return ZoneInfo(name)


@lru_cache(maxsize=1024)
def span(minutes: int) -> timedelta:
    """So many minutes: definitions count in them, and to look one up costs a twentieth of making it."""
    return timedelta(minutes=minutes)


def iso(at: datetime) -> str:
    """An instant as its `isoformat` writes it, which costs five times as much; a test holds the two equal."""
    text: str = to_builtins(at)
    return text.replace("Z", "+00:00")


@lru_cache(maxsize=4096)
def wall_instant(game_date: str, days: int, at: str, zone_name: str) -> datetime:
    """The UTC instant of the wall-clock time `at` (HH:MM), `days` after `game_date`, in the zone."""
    hour, minute = at.split(":")
    day = date.fromisoformat(game_date) + timedelta(days=days)
    return datetime.combine(day, time(int(hour), int(minute)), zone(zone_name)).astimezone(UTC)


@lru_cache(maxsize=4096)
def wall_from_midnight(game_date: str, minutes: int, zone_name: str) -> datetime:
    """The UTC instant of the wall-clock time that stands `minutes` after (before, if negative) the midnight ending
    `game_date`: 17:00 the day before is -1860 also on a day with 23 or 25 hours."""
    midnight = datetime.combine(date.fromisoformat(game_date) + timedelta(days=1), time())
    return (midnight + timedelta(minutes=minutes)).replace(tzinfo=zone(zone_name)).astimezone(UTC)


def midnight_ending(game_date: str, zone_name: str) -> datetime:
    """The UTC instant of the midnight that ends `game_date`."""
    return wall_instant(game_date, 1, "00:00", zone_name)


def league_date(now: datetime, zone_name: str) -> str:
    """The calendar date of `now` in the zone, as `YYYY-MM-DD`."""
    return now.astimezone(zone(zone_name)).date().isoformat()


def has_come(received: Received, game_date: str, now: datetime, zone_name: str) -> bool:
    """True once a message that comes `now` is one that comes `before`, `on` or `after` `game_date` in the league's
    zone, or later than that (orchestration 1.6)."""
    if received == "before":
        return True
    return now >= wall_instant(game_date, 0 if received == "on" else 1, "00:00", zone_name)


@lru_cache(maxsize=4096)
def next_date(game_date: str) -> str:
    """The calendar date after `game_date`."""
    return (date.fromisoformat(game_date) + timedelta(days=1)).isoformat()
