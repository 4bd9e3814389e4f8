"""What was repaired: who asked, why, what, and whether it worked; and the patterns that say that repairing is no
answer. They are those that the core tells of as `heal_pattern` (`statemachine/heal_patterns.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from events.catalogue import Event, HealRequested, HealResolved, OperatorActed
from events.values import HealOutcome, Severity
from statemachine import heal_patterns
from statemachine.alert_rules import HealPatterns
from statemachine.alerts import RANK
from statemachine.heal_patterns import Try, family

Rules = Mapping[str, HealPatterns]
"""What counts as a pattern, by sport; where nothing is said, the defaults hold."""


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
    """Something that many repairs of one component say together, over all dates of the sport."""

    sport: str
    component: str
    name: str
    severity: Severity
    detail: str
    count: int


class HealHistory(Struct, frozen=True, kw_only=True):
    """Every attempt, the latest first, and the patterns at `at`, the gravest first."""

    at: datetime
    entries: tuple[HealEntry, ...]
    patterns: tuple[Pattern, ...]


def heal_history(events: Iterable[Event], *, now: datetime, rules: Rules | None = None) -> HealHistory:
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
    return HealHistory(at=now, entries=latest, patterns=tuple(patterns(latest, now=now, rules=rules)))


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


def patterns(entries: Sequence[HealEntry], *, now: datetime, rules: Rules | None = None) -> list[Pattern]:
    """The patterns in `entries` at `now`, the gravest first."""
    tries: dict[tuple[str, str], list[Try]] = {}
    for entry in entries:
        tries.setdefault((entry.sport, family(entry.component)), []).append(_try(entry))
    found = []
    for (sport, component), made in tries.items():
        held = (rules or {}).get(sport) or HealPatterns()
        for item in heal_patterns.patterns(made, held, now):
            detail = f"{component}: {item.detail}"
            one = Pattern(
                sport=sport,
                component=component,
                name=item.name,
                severity=item.severity,
                detail=detail,
                count=item.count,
            )
            found.append(one)
    return sorted(found, key=lambda item: (-RANK[item.severity], item.sport, item.component, item.name))


def _try(entry: HealEntry) -> Try:
    return Try(
        game_date=entry.game_date,
        component=entry.component,
        attempt=entry.attempt,
        at=entry.requested_at,
        outcome=entry.outcome,
    )
