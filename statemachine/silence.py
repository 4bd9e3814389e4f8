"""Silence of the controller: from when on its saying nothing is a fault (design 8.7), and when nobody waits for it.

A controller decides every hour while there is anything to play; on a day without games, before the season and behind it
nobody misses its decisions. Only what is known excuses it: a day that no date has told of is one without games only
where the days around it are none of games either, and where no date ever told anything, every day counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from statemachine.calendar import league_date, wall_instant

Dates = Mapping[str, bool]
"""The dates whose schedule is known, and whether they expect games."""

REMEMBERED_DAYS = 7
"""How long a date that has passed is remembered; only the day before is ever asked about."""


def silent_at(since: datetime, minutes: int, dates: Dates | None, zone: str) -> datetime | None:
    """When silence that began at `since` has lasted `minutes` on a day on which somebody waits; one that goes on over
    idle days begins anew with the next other one. None where no such day is known."""
    due = since + timedelta(minutes=minutes)
    day = league_date(due, zone)
    if dates is None or is_awaited(day, dates):
        return due
    with_games = [game_date for game_date, expects in dates.items() if expects]
    days = {*with_games, *(_shifted(game_date, -1) for game_date in with_games)}
    ahead = min((other for other in days if other > day and is_awaited(other, dates)), default=None)
    return None if ahead is None else wall_instant(ahead, 0, "00:00", zone) + timedelta(minutes=minutes)


def is_awaited(day: str, dates: Dates) -> bool:
    """True on a day with games, and on one that nobody told of beside one with games."""
    known = dates.get(day)
    return known if known is not None else any(dates.get(_shifted(day, by), False) for by in (-1, 1))


def still_known(dates: Dates, at: datetime) -> dict[str, bool]:
    """`dates` without those that are long past."""
    first = (at - timedelta(days=REMEMBERED_DAYS)).date().isoformat()
    return {game_date: expects for game_date, expects in dates.items() if game_date >= first}


def _shifted(day: str, by: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=by)).isoformat()
