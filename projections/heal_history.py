"""What was repaired: who asked, why, what, and whether it worked; and the patterns that say that repairing is no
answer.

Many repairs in a short time are a fault that comes back, and repairs that do not work are a fault of another kind
(robustness 3.2; there the rule of a day was never evaluated, for it was only ever asked about an hour).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from events.catalogue import Event, HealRequested, HealResolved, OperatorActed
from events.values import HealOutcome, Severity
from projections.wording import counted

HOUR_MAX = 2
DAY_MAX = 9
"""Repairs in an hour and in a day that are no pattern yet: three and ten are."""

FAILING_MAX = 0.2
JUDGED_MIN = 5
"""More than that share of a day's judged repairs without effect is a pattern; of fewer a share says nothing."""


class HealEntry(Struct, frozen=True, kw_only=True):
    """One attempt at a repair. `by` is the person who asked, None where the core did by itself; `outcome` is None while
    it is not judged."""

    sport: str
    game_date: str
    component: str
    attempt: int
    requested_at: datetime
    by: str | None
    cause: str
    targets: tuple[str, ...]
    command_id: str
    outcome: HealOutcome | None = None
    resolved_at: datetime | None = None
    detail: str | None = None


class Pattern(Struct, frozen=True, kw_only=True):
    """Something that many repairs say together."""

    name: str
    severity: Severity
    detail: str
    count: int


class HealHistory(Struct, frozen=True, kw_only=True):
    """Every attempt, the latest first, and the patterns at `at`, the gravest first."""

    at: datetime
    entries: tuple[HealEntry, ...]
    patterns: tuple[Pattern, ...]


def heal_history(events: Iterable[Event], *, now: datetime) -> HealHistory:
    """The history in `events`: those of any streams, each stream's in order. What came after `now` is not counted."""
    people: dict[str, str] = {}
    entries: dict[tuple[str, str, int], HealEntry] = {}
    for event in events:
        data = event.data
        if event.recorded_at > now:
            continue
        if isinstance(data, OperatorActed):
            people[event.id] = event.actor
        elif isinstance(data, HealRequested):
            entries[event.stream, data.component, data.attempt] = _entry(event, data, people)
        elif isinstance(data, HealResolved):
            key = (event.stream, data.component, data.attempt)
            if key in entries:
                entries[key] = _judged(entries[key], event, data)
    latest = tuple(sorted(entries.values(), key=lambda entry: (entry.requested_at, entry.command_id), reverse=True))
    return HealHistory(at=now, entries=latest, patterns=tuple(patterns(latest, now=now)))


def _entry(event: Event, data: HealRequested, people: dict[str, str]) -> HealEntry:
    sport, _, game_date = event.stream.partition("/")
    return HealEntry(
        sport=sport,
        game_date=game_date,
        component=data.component,
        attempt=data.attempt,
        requested_at=event.recorded_at,
        by=people.get(event.causation or ""),
        cause=data.cause,
        targets=data.targets,
        command_id=data.command_id,
    )


def _judged(entry: HealEntry, event: Event, data: HealResolved) -> HealEntry:
    return HealEntry(
        sport=entry.sport,
        game_date=entry.game_date,
        component=entry.component,
        attempt=entry.attempt,
        requested_at=entry.requested_at,
        by=entry.by,
        cause=entry.cause,
        targets=entry.targets,
        command_id=entry.command_id,
        outcome=data.outcome,
        resolved_at=event.recorded_at,
        detail=data.detail,
    )


def patterns(entries: Sequence[HealEntry], *, now: datetime) -> list[Pattern]:
    """The patterns in `entries` at `now`, the gravest first."""
    day = [entry for entry in entries if now - timedelta(days=1) < entry.requested_at <= now]
    hour = [entry for entry in day if now - timedelta(hours=1) < entry.requested_at]
    judged = [entry for entry in day if entry.outcome is not None]
    failed = [entry for entry in judged if entry.outcome != "healed"]
    found = []
    if len(judged) >= JUDGED_MIN and len(failed) > FAILING_MAX * len(judged):
        share = f"{len(failed)} of {len(judged)} repairs of a day had no effect, more than {FAILING_MAX:.0%}"
        found.append(Pattern(name="failing", severity="critical", detail=share, count=len(failed)))
    if len(day) > DAY_MAX:
        detail = f"{counted(len(day), 'repair')} in a day: what is repaired comes back"
        found.append(Pattern(name="many_in_a_day", severity="critical", detail=detail, count=len(day)))
    if len(hour) > HOUR_MAX:
        detail = f"{counted(len(hour), 'repair')} in an hour: look for one cause behind them"
        found.append(Pattern(name="many_in_an_hour", severity="warning", detail=detail, count=len(hour)))
    return found
