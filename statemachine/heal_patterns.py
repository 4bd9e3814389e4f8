"""Patterns: what many repairs of one component say together, over all dates of a sport.

Three in an hour are one fault behind several dates, ten in a day are a fault that comes back, and repairs that do not
work are a fault of another kind (robustness 3.2; there the rule of a day was only ever asked about an hour).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from events.reports import HealNoted
from events.values import HealOutcome, Severity
from statemachine.alert_rules import HealPatterns

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

TRIES_MAX = 64
"""How many repairs of a component are remembered; a definition cannot call more of them a pattern."""


class Try(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A repair that a date asked for at `at`; `outcome` is None while it is not judged."""

    game_date: str
    component: str
    attempt: int
    at: datetime
    outcome: HealOutcome | None = None


class Pattern(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that many repairs say together."""

    name: Literal["failing", "many_in_a_day", "many_in_an_hour"]
    severity: Severity
    detail: str
    count: int


def family(component: str) -> str:
    """The heal of the definition behind a component, which may be one of its targets."""
    return component.partition("/")[0]


def remembered(tries: tuple[Try, ...], data: HealNoted, at: datetime) -> tuple[Try, ...]:
    """`tries` with what a date says of one more, or of one of them; of one that was forgotten, nothing."""
    if data.outcome is None:
        asked = Try(game_date=data.game_date, component=data.component, attempt=data.attempt, at=at)
        return (*tries[1 - TRIES_MAX :], asked)
    about = (data.game_date, data.component, data.attempt)
    return tuple(
        replace(item, outcome=data.outcome) if (item.game_date, item.component, item.attempt) == about else item
        for item in tries
    )


def patterns(tries: Sequence[Try], rules: HealPatterns, now: datetime) -> list[Pattern]:
    """The patterns in `tries`, repairs of one component, at `now`, the gravest first. A repair that was asked for
    exactly an hour, or a day, ago counts no longer."""
    day = [item for item in tries if now - DAY < item.at <= now]
    return [*_failing(day, rules), *_many(day, rules, now)]


def _failing(day: Sequence[Try], rules: HealPatterns) -> Iterator[Pattern]:
    judged = [item for item in day if item.outcome is not None]
    failed = [item for item in judged if item.outcome != "healed"]
    if len(judged) >= rules.judged_min and len(failed) > rules.failing_above * len(judged):
        detail = f"{len(failed)} of {len(judged)} repairs of a day had no effect, more than {rules.failing_above:.0%}"
        yield Pattern(name="failing", severity="critical", detail=detail, count=len(failed))


def _many(day: Sequence[Try], rules: HealPatterns, now: datetime) -> Iterator[Pattern]:
    if len(day) >= rules.in_a_day:
        detail = f"{len(day)} repairs in a day: what is repaired comes back"
        yield Pattern(name="many_in_a_day", severity="critical", detail=detail, count=len(day))
    hour = [item for item in day if now - HOUR < item.at]
    if len(hour) >= rules.in_an_hour:
        detail = f"{len(hour)} repairs in an hour: look for one cause behind them"
        yield Pattern(name="many_in_an_hour", severity="warning", detail=detail, count=len(hour))


def over_at(tries: Sequence[Try], rules: HealPatterns, now: datetime) -> datetime:
    """When no pattern is left in `tries`, at `now` or behind it, if nothing more happens."""
    ahead = sorted({now, *(at for item in tries for at in (item.at + HOUR, item.at + DAY) if at > now)})
    return next(at for at in ahead if not patterns(tries, rules, at))
