"""Service levels: which promises were kept, by how much, and with what numbers. Computed from events alone.

A promise that is not due yet, one that was missed and one that nobody can judge are three answers; a date without games
(`empty_ok`) promises nothing. The promises are in the definition (orchestration 1.8).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from events.catalogue import Event
from projections.achieved import Covered, Trace, phase_done_at, phase_numbers, trace
from statemachine.calendar import midnight_ending
from statemachine.deadlines import due_instant
from statemachine.definition import Definition, ServiceLevel
from statemachine.state import DateState, expected_count

Outcome = Literal["met", "missed", "not_due", "unknown", "empty_ok"]


class Promise(Struct, frozen=True, kw_only=True):
    """A service level on one date. `margin_hours` is how long before the due instant it was achieved, negative for how
    late, null where it was not; `numbers` are the figures behind it, each null where unknown, as of `measured_at`."""

    sport: str
    game_date: str
    level: str
    outcome: Outcome
    due_at: datetime
    achieved_at: datetime | None
    margin_hours: float | None
    numbers: dict[str, float | None]
    measured_at: datetime | None


class LevelShare(Struct, frozen=True, kw_only=True):
    """A service level over all dates. `share` is met ÷ (met + missed + unknown), null while none is due: what cannot be
    judged is not counted as kept. `kept` says whether the share reaches the target."""

    sport: str
    level: str
    target_share: float
    met: int
    missed: int
    unknown: int
    share: float | None
    kept: bool | None


class ServiceLevels(Struct, frozen=True, kw_only=True):
    """Every promise, by date and then in the order of the definition, and the shares."""

    promises: tuple[Promise, ...]
    levels: tuple[LevelShare, ...]


Day = tuple[Sequence[Event], DateState, Definition]


def service_levels(days: Iterable[Day], *, now: datetime) -> ServiceLevels:
    """The service levels of all `days`, each with all its events and its folded state, as they stand at `now`."""
    promises: list[Promise] = []
    levels: dict[tuple[str, str], ServiceLevel] = {}
    for events, state, definition in sorted(days, key=lambda day: day[1].stream):
        seen = trace(events, definition)
        for level in definition.service_levels:
            levels[state.sport, level.name] = level
            promises.append(_promise(level, state, definition, seen, now))
    return ServiceLevels(
        promises=tuple(promises),
        levels=tuple(_share(sport, level, promises) for (sport, _name), level in levels.items()),
    )


def promised_at(level: ServiceLevel, state: DateState, definition: Definition) -> datetime:
    """The instant by which a promise about the date is due."""
    if level.due is not None:
        return due_instant(state.game_date, definition, level.due)
    assert level.hours is not None, "a level has a due instant or its hours"
    return midnight_ending(state.game_date, definition.timezone) + timedelta(hours=level.hours)


class _Evidence(Struct, frozen=True, kw_only=True):
    """What there is to judge a promise by; `otherwise` is the answer where it is due and was not achieved in time."""

    due_at: datetime
    achieved_at: datetime | None
    numbers: dict[str, float | None]
    measured_at: datetime | None
    otherwise: Literal["missed", "unknown"]


def _promise(level: ServiceLevel, state: DateState, definition: Definition, seen: Trace, now: datetime) -> Promise:
    evidence = (_of_phase if level.phase is not None else _of_coverage)(level, state, definition, seen)
    due_at, achieved_at = evidence.due_at, evidence.achieved_at
    return Promise(
        sport=state.sport,
        game_date=state.game_date,
        level=level.name,
        outcome=_outcome(state, evidence, now),
        due_at=due_at,
        achieved_at=achieved_at,
        margin_hours=None if achieved_at is None else (due_at - achieved_at) / timedelta(hours=1),
        numbers=evidence.numbers,
        measured_at=evidence.measured_at,
    )


def _outcome(state: DateState, evidence: _Evidence, now: datetime) -> Outcome:
    if state.status == "no_games":
        return "empty_ok"
    if evidence.achieved_at is not None and evidence.achieved_at <= evidence.due_at:
        return "met"
    return "not_due" if now < evidence.due_at else evidence.otherwise


def _of_phase(level: ServiceLevel, state: DateState, definition: Definition, seen: Trace) -> _Evidence:
    assert level.phase is not None, "a level is about a phase or about coverage"
    numbers, measured_at = phase_numbers(state, definition, level.phase)
    return _Evidence(
        due_at=promised_at(level, state, definition),
        achieved_at=phase_done_at(state, definition, seen, level.phase, level.at_least_processors),
        numbers=numbers,
        measured_at=measured_at,
        otherwise="unknown" if expected_count(state) is None else "missed",
    )


def _of_coverage(level: ServiceLevel, state: DateState, definition: Definition, seen: Trace) -> _Evidence:
    assert level.coverage is not None, "a level is about a phase or about coverage"
    due_at = promised_at(level, state, definition)
    before = [item for item in seen.coverage if item.at <= due_at]
    after = [item for item in seen.coverage if item.at > due_at]
    last = before[-1] if before else None
    # Box scores do not vanish: what was short after the due instant was short at it, measured then or not.
    short = last is not None or any(item.ratio < level.coverage for item in after)
    return _Evidence(
        due_at=due_at,
        achieved_at=_covered_since(before, level.coverage) or _covered_since(after, level.coverage),
        numbers={
            "coverage": last.ratio if last is not None else None,
            "games_present": last.present if last is not None else None,
            "games_expected": last.expected if last is not None else _float(expected_count(state)),
        },
        measured_at=last.at if last is not None else None,
        otherwise="missed" if short else "unknown",
    )


def _covered_since(seen: Iterable[Covered], share: float) -> datetime | None:
    """Since when coverage has been at least `share` without a break, to the end of `seen`."""
    since = None
    for item in seen:
        since = None if item.ratio < share else since or item.at
    return since


def _share(sport: str, level: ServiceLevel, promises: Iterable[Promise]) -> LevelShare:
    outcomes = [item.outcome for item in promises if item.sport == sport and item.level == level.name]
    met, missed, unknown = (outcomes.count(word) for word in ("met", "missed", "unknown"))
    due = met + missed + unknown
    share = met / due if due else None
    return LevelShare(
        sport=sport,
        level=level.name,
        target_share=level.target_share,
        met=met,
        missed=missed,
        unknown=unknown,
        share=share,
        kept=share >= level.target_share if share is not None else None,
    )


def _float(count: int | None) -> float | None:
    return None if count is None else float(count)
