"""What processors did, as the state of a date remembers it: the part of the fold that is about work (`evolve.py`).

Completions, starts and progress as they were said; and what was concluded where a table says otherwise: the records of
both are kept apart, and only the events that say so bring them together (`statemachine/reconciling.py`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from events.catalogue import (
    CommandRequested,
    CompletionRecorded,
    DeadlineElapsed,
    Event,
    LateCompletionNoted,
    MeasuresObserved,
    ProgressReported,
    RunStarted,
)
from events.records import CompletionReopened, DisagreementNoted
from statemachine.state import (
    RECENT_RUNS_MAX,
    SEEN_MAX,
    UNMAPPED_MAX,
    CycleState,
    DateState,
    Disagreement,
    Work,
    has_no_games,
    is_quiet,
    work_key,
)

COUNTING = frozenset({"success", "partial"})
"""Statuses that can complete a processor; `no_data` is a claim, not a completion (orchestration 7, S396)."""

NUMBERS = (
    "completed_predictions",
    "completion_pct",
    "expected_predictions",
    "graded_count",
    "predictions_found",
    "total_predictions",
)
"""What a completion's `extra` may say that a gate can measure."""

_NUMBERS = frozenset(NUMBERS)

REOPENED = "reopened"
"""The status of work whose completion was taken back, until somebody says more."""

PROBE = "probe:"
"""What the topics begin with on which the edge is asked to measure a boundary."""

RECONCILE, LOOK = "reconcile:", "look:"
"""What the names of deadlines begin with at which a disagreement is due, and a waiting phase is looked at again."""


def counts(state: DateState, data: CompletionRecorded) -> bool:
    """True where a completion completes its processor: a counting status of a registered processor, and rows, where
    the date has games and the message counted them (incident I5: success with zero rows is `empty`, not complete)."""
    if data.processor is None or data.status not in COUNTING:
        return False
    return data.record_count is None or data.record_count > 0 or has_no_games(state)


def completion(state: DateState, event: Event, data: CompletionRecorded) -> DateState:
    """A run ended and said so, or its rows did."""
    if data.processor is None or data.cycle is None:
        return _unmapped(state, data.published_name) if data.processor is None else state
    key = work_key(data.cycle, data.phase, data.processor)
    before = state.work.get(key) or Work()
    at = event.recorded_at
    ours = event.causation is not None  # made by the core from rows: no run, and nobody's correlation
    done = counts(state, data)
    keep = before.done_at is not None and not done
    work = state.work.copy()
    work[key] = Work(
        status=data.status,
        at=at,
        first_done_at=before.first_done_at or (at if done else None),
        done_at=at if done else before.done_at,
        rows=before.rows if keep else data.record_count,
        run=data.run,
        games=len(data.games) if data.games is not None else before.games,
        error=data.error_message,
        failures=before.failures + (data.status == "failed"),
        numbers=before.numbers if keep else _numbers(data.extra),
        seen=_remember(before.seen, f"{data.run}:{data.status}") if data.run else before.seen,
        run_seconds=before.run_seconds if ours else _run_seconds(before, data.run, at),
    )
    return replace(
        state,
        work=work,
        cycles=_alive(state, data.cycle, data.phase, at),
        correlation=state.correlation if ours else event.correlation,
        disagreements=_without(state, data.processor) if done or data.status == "failed" else state.disagreements,
    )


def started(state: DateState, event: Event, data: RunStarted) -> DateState:
    """A run began."""
    if data.processor is None or data.cycle is None:
        return _unmapped(state, data.published_name) if data.processor is None else state
    key = work_key(data.cycle, data.phase, data.processor)
    before = state.work.get(key) or Work()
    at = event.recorded_at
    work = state.work.copy()
    work[key] = replace(
        before,
        status=before.status if before.done_at is not None else "started",
        run=data.run,
        seen=_remember(before.seen, f"{data.run}:started") if data.run else before.seen,
        run_seconds=_run_seconds(before, data.run, at),
    )
    return replace(state, work=work, cycles=_alive(state, data.cycle, data.phase, at))


def _unmapped(state: DateState, name: str) -> DateState:
    """A name that is in no registry is remembered, so that the sport is told once; not by a date that is quiet."""
    if name in state.unmapped or is_quiet(state):
        return state
    return replace(state, unmapped=(*state.unmapped[1 - UNMAPPED_MAX :], name))


def _run_seconds(before: Work, run: str | None, at: datetime) -> tuple[int, ...]:
    if run is not None and f"{run}:started" in before.seen:
        return before.run_seconds
    return (*before.run_seconds[1 - RECENT_RUNS_MAX :], int(at.timestamp()))


def _remember(seen: tuple[str, ...], key: str) -> tuple[str, ...]:
    return (*seen[1 - SEEN_MAX :], key)


def _numbers(said: dict[str, Any]) -> dict[str, float]:
    """What of `NUMBERS` a message says, which most do not."""
    if _NUMBERS.isdisjoint(said):
        return {}
    return {name: float(said[name]) for name in NUMBERS if _is_number(said.get(name))}


def _is_number(value: object) -> bool:
    return type(value) is float or type(value) is int


def progress(state: DateState, event: Event, data: ProgressReported) -> DateState:
    """A part of a phase's work was done."""
    if data.cycle is None:
        return state
    return replace(state, cycles=_alive(state, data.cycle, data.phase, event.recorded_at))


def _alive(state: DateState, cycle: str, phase: str, at: datetime) -> dict[str, CycleState]:
    """The cycles of the date after a sign of life of `phase`, which moves the one that stands there."""
    known = state.cycles.get(cycle)
    if known is None or known.phase != phase:
        return state.cycles
    cycles = state.cycles.copy()
    cycles[cycle] = replace(known, progress_at=at)
    return cycles


def late(state: DateState, _event: Event, data: LateCompletionNoted) -> DateState:
    """Its phase had gone on without it, and has it after all."""
    cycle = state.cycles[data.cycle]
    degraded = tuple(reason for reason in cycle.degraded if reason != f"{data.phase} without {data.processor}")
    return replace(state, cycles={**state.cycles, data.cycle: replace(cycle, degraded=degraded)})


# --- two records of one truth ---------------------------------------------------------------------------------------


def noted(state: DateState, event: Event, data: DisagreementNoted) -> DateState:
    """What was said and what the table holds differ, from now on. Whoever counted looked at a phase that waits."""
    found = Disagreement(
        kind=data.kind,
        cycle=data.cycle,
        phase=data.phase,
        measure=data.measure,
        rows=data.rows,
        since=event.recorded_at,
        seen=event.causation or event.id,
    )
    state = replace(state, disagreements={**state.disagreements, data.processor: found})
    at = state.cycles.get(data.cycle)
    if at is None or at.state not in (f"{data.phase}_waiting", f"{data.phase}_running"):
        return state
    return replace(state, cycles={**state.cycles, data.cycle: _look(at, event.recorded_at)})


def reopened(state: DateState, _event: Event, data: CompletionReopened) -> DateState:
    """A completion is taken back. The runs that it said stay known: the same claim again is the same claim."""
    key = work_key(data.cycle, data.phase, data.processor)
    work = replace(state.work[key], status=REOPENED, first_done_at=None, done_at=None, rows=None, numbers={})
    state = replace(state, work={**state.work, key: work}, disagreements=_without(state, data.processor))
    if not data.passed:
        return state
    at = state.cycles[data.cycle]
    reasons = tuple(dict.fromkeys((*at.degraded, f"{data.phase} without {data.processor}")))
    return replace(state, cycles={**state.cycles, data.cycle: replace(at, degraded=reasons)})


def settled(state: DateState, data: MeasuresObserved) -> DateState:
    """What measures settle by themselves: rows that were missed are there, or rows that nobody claimed are gone. Errors
    settle nothing."""
    kept = {name: item for name, item in state.disagreements.items() if not _settles(data, item)}
    return replace(state, disagreements=kept) if len(kept) < len(state.disagreements) else state


def _settles(data: MeasuresObserved, item: Disagreement) -> bool:
    measure = data.measures.get(item.measure)
    if measure is None or measure.value is None:
        return False
    return (measure.value > 0) == (item.kind == "completion_without_rows")


def asked_about(state: DateState, event: Event, data: DeadlineElapsed) -> DateState:
    """A disagreement came due: it comes again a step later, and its deadline is never the same."""
    name = data.name.split(":")[1]
    item = state.disagreements.get(name)
    if item is None:
        return state
    asked = replace(item, asked=item.asked + 1, asked_at=event.recorded_at)
    return replace(state, disagreements={**state.disagreements, name: asked})


def of_others(state: DateState, cycle: str) -> DateState:
    """A cycle is done: what disagreed in it is over."""
    kept = {name: item for name, item in state.disagreements.items() if item.cycle != cycle}
    return replace(state, disagreements=kept)


def looked(state: DateState, event: Event, data: CommandRequested) -> DateState:
    """Measures of a phase were asked for. Before it comes to its gate that is a look at what it waits for; the first of
    a new series, where it has moved since the last."""
    at = state.cycles.get(data.cycle or "")
    if (
        at is None
        or not data.topic.startswith(PROBE)
        or at.state not in (f"{data.phase}_waiting", f"{data.phase}_running")
    ):
        return state
    return replace(state, cycles={**state.cycles, data.cycle or "": _look(at, event.recorded_at)})


def _look(at: CycleState, now: datetime) -> CycleState:
    moved = at.looked_at is None or (at.progress_at is not None and at.progress_at > at.looked_at)
    return replace(at, looks=1 if moved else at.looks + 1, looked_at=now)


def without_looks(elapsed: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The deadlines acted on; where `name` is a look, without the ones before it at the same phase."""
    if not name.startswith(LOOK):
        return elapsed
    same = ":".join(name.split(":", 3)[:3]) + ":"
    return tuple([item for item in elapsed if not item.startswith(same)])


def _without(state: DateState, processor: str) -> dict[str, Disagreement]:
    """The disagreements of the date but that of `processor`."""
    if processor not in state.disagreements:
        return state.disagreements
    return {name: item for name, item in state.disagreements.items() if name != processor}
