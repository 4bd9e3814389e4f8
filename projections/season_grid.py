"""The season as a calendar: one cell a date, one row a week, and the worst of its dates as the word for each week.

The roll-up hides nothing: a week is exactly as bad as its worst date, and a date of which nothing is recorded has no
cell rather than a good one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Literal, Protocol

from msgspec import Struct

from projections.findings import GRADE, HealthStatus

Contract = Literal["expected", "running", "complete", "empty_ok", "degraded", "unknown", "failed"]
"""What a date owes: nothing yet, at work, delivered, nothing at all, less than everything, nobody knows, given up."""

CONTRACTS: tuple[Contract, ...] = ("empty_ok", "complete", "expected", "running", "degraded", "unknown", "failed")
"""From good to bad; in a roll-up the last that occurs decides. What nobody knows is worse than a known nuisance."""

DAYS = 7


class Dated(Protocol):
    """A date as it is rolled up."""

    @property
    def sport(self) -> str:
        """The sport."""

    @property
    def game_date(self) -> str:
        """The game date."""

    @property
    def status(self) -> HealthStatus:
        """Its health."""

    @property
    def contract(self) -> Contract:
        """What it owes."""


class Week(Struct, frozen=True, kw_only=True):
    """An ISO week (`2026-W03`) from `monday` on. `days` are the contracts from Monday to Sunday, null where nothing is
    recorded of a date; `contract` and `status` are the worst of them."""

    sport: str
    week: str
    monday: str
    days: tuple[Contract | None, ...]
    contract: Contract
    status: HealthStatus


def weeks(dates: Iterable[Dated]) -> tuple[Week, ...]:
    """The weeks of `dates`, by sport and then by time; weeks without a date are left out."""
    found: dict[tuple[str, date], list[Dated]] = {}
    for item in dates:
        found.setdefault((item.sport, monday_of(item.game_date)), []).append(item)
    return tuple(_week(sport, monday, found[sport, monday]) for sport, monday in sorted(found))


def _week(sport: str, monday: date, dates: Sequence[Dated]) -> Week:
    contract_of = {item.game_date: item.contract for item in dates}
    days = [(monday + timedelta(days=day)).isoformat() for day in range(DAYS)]
    return Week(
        sport=sport,
        week=week_name(monday),
        monday=monday.isoformat(),
        days=tuple(contract_of.get(day) for day in days),
        contract=worst_contract(contract_of.values()),
        status=max((item.status for item in dates), key=GRADE.index),
    )


def worst_contract(contracts: Iterable[Contract]) -> Contract:
    """The worst of `contracts`. Raises ValueError for none: nothing is neither good nor bad."""
    return max(contracts, key=CONTRACTS.index)


def unrecorded(dates: Iterable[str]) -> int:
    """How many days between the first and the last of `dates` are not among them: they were never opened."""
    days = {date.fromisoformat(day) for day in dates}
    return (max(days) - min(days)).days + 1 - len(days) if days else 0


def monday_of(game_date: str) -> date:
    """The Monday of the ISO week of a date."""
    day = date.fromisoformat(game_date)
    return day - timedelta(days=day.weekday())


def week_name(day: date) -> str:
    """The ISO week of a day, such as `2026-W03`; its year is that of its Thursday."""
    year, week, _day = day.isocalendar()
    return f"{year}-W{week:02d}"
