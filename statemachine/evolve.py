"""`evolve`: one stored event applied to the state of a game date. Total, pure, and without the machine: it writes down
recorded outcomes, so history folds the same under any definition and any later code (design 3).

One small function per event type says what changes; `evolve` adds what every event changes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from sys import intern
from typing import Any

from msgspec.structs import replace

from events.catalogue import (
    AlertRaised,
    AlertResolved,
    CommandFailed,
    CommandPublished,
    CommandRequested,
    CompletionRecorded,
    DeadlineElapsed,
    DefinitionAdopted,
    Event,
    GateEvaluated,
    HealRequested,
    HealResolved,
    HealSuppressed,
    LateCompletionNoted,
    MeasuresObserved,
    OperatorActed,
    PhaseMoved,
    ProgressReported,
    RunStarted,
    SchedulePublished,
    StatusChanged,
)
from events.values import Game
from statemachine.state import (
    OFF_DATE,
    RECENT_INPUTS_MAX,
    RECENT_RUNS_MAX,
    Alert,
    CycleState,
    DateState,
    GateRecord,
    HealState,
    Seen,
    Sent,
    Work,
    alert_key,
    has_no_games,
)

Changes = dict[str, Any]

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


def initial(stream: str) -> DateState:
    """The state before the first event."""
    return DateState(stream=stream)


def evolve(state: DateState, event: Event) -> DateState:
    """The state after `event`. Raises nothing on what `decide` emitted."""
    apply = _APPLY.get(type(event.data))
    changes = apply(state, event, event.data) if apply is not None else {}
    changes["version"] = event.version
    changes["recorded_at"] = event.recorded_at
    if event.causation is None:
        changes["recent"] = (*state.recent[1 - RECENT_INPUTS_MAX :], event.id)
    return replace(state, **changes)


def counts(state: DateState, data: CompletionRecorded) -> bool:
    """True where a completion completes its processor: a counting status of a registered processor, and rows, where
    the date has games and the message counted them (incident I5: success with zero rows is `empty`, not complete)."""
    if data.processor is None or data.status not in COUNTING:
        return False
    return data.record_count is None or data.record_count > 0 or has_no_games(state)


def _definition(_state: DateState, _event: Event, data: DefinitionAdopted) -> Changes:
    return {"definition": data.definition}


def _schedule(state: DateState, _event: Event, data: SchedulePublished) -> Changes:
    if data.disregarded is not None:
        return {}
    known = dict(state.games) if data.partial else {}
    if not data.partial:
        named = {game.game_id for game in data.games}
        for game in state.games.values():
            if game.game_id not in named:
                known[game.game_id] = game if game.status in OFF_DATE else replace(game, status="cancelled")
    known |= {game.game_id: _merged(state.games.get(game.game_id), game) for game in data.games}
    return {"games": known, "scheduled": True, "schedule_as_of": data.as_of or state.schedule_as_of}


def _merged(before: Game | None, game: Game) -> Game:
    if before is None:
        return game
    return replace(
        game,
        away=game.away or before.away,
        home=game.home or before.home,
        start_utc=game.start_utc or before.start_utc,
    )


def _completion(state: DateState, event: Event, data: CompletionRecorded) -> Changes:
    if data.processor is None or data.cycle is None:
        return {}
    key = f"{data.cycle}/{data.phase}/{data.processor}"
    before = state.work.get(key) or Work()
    at = event.recorded_at
    done = counts(state, data)
    keep = before.done_at is not None and not done
    work = Work(
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
        run_seconds=_run_seconds(before, data.run, at),
    )
    return {
        "work": {**state.work, key: work},
        "correlation": event.correlation,
        **_alive(state, data.cycle, data.phase, at),
    }


def _started(state: DateState, event: Event, data: RunStarted) -> Changes:
    if data.processor is None or data.cycle is None:
        return {}
    key = f"{data.cycle}/{data.phase}/{data.processor}"
    before = state.work.get(key) or Work()
    at = event.recorded_at
    work = replace(
        before,
        status=before.status if before.done_at is not None else "started",
        run=data.run,
        seen=_remember(before.seen, f"{data.run}:started") if data.run else before.seen,
        run_seconds=_run_seconds(before, data.run, at),
    )
    return {"work": {**state.work, key: work}, **_alive(state, data.cycle, data.phase, at)}


def _run_seconds(before: Work, run: str | None, at: datetime) -> tuple[int, ...]:
    if run is not None and f"{run}:started" in before.seen:
        return before.run_seconds
    return (*before.run_seconds[1 - RECENT_RUNS_MAX :], int(at.timestamp()))


def _remember(seen: tuple[str, ...], key: str) -> tuple[str, ...]:
    return (*seen[1 - RECENT_RUNS_MAX :], key)


def _numbers(said: dict[str, Any]) -> dict[str, float]:
    """What of `NUMBERS` a message says, which most do not."""
    if _NUMBERS.isdisjoint(said):
        return {}
    return {name: float(said[name]) for name in NUMBERS if _is_number(said.get(name))}


def _is_number(value: object) -> bool:
    return type(value) is float or type(value) is int


def _progress(state: DateState, event: Event, data: ProgressReported) -> Changes:
    return _alive(state, data.cycle, data.phase, event.recorded_at) if data.cycle is not None else {}


def _alive(state: DateState, cycle: str, phase: str, at: datetime) -> Changes:
    known = state.cycles.get(cycle)
    if known is None or known.phase != phase:
        return {}
    return {"cycles": {**state.cycles, cycle: replace(known, progress_at=at)}}


def _measures(state: DateState, event: Event, data: MeasuresObserved) -> Changes:
    before = state.measures.get(data.boundary)
    at = event.recorded_at
    merged = Seen(
        at=at,
        measures={**(before.measures if before is not None else {}), **data.measures},
        observed_at={**(before.observed_at if before is not None else {}), **dict.fromkeys(data.measures, at)},
    )
    return {"measures": {**state.measures, data.boundary: merged}}


def _operator(state: DateState, event: Event, data: OperatorActed) -> Changes:
    if data.command == "halt":
        return {"halted": True}
    if data.command == "resume" and state.halted:
        return {"halted": False}
    if data.command == "waive" and data.target is not None:
        return {"waived": (*state.waived, data.target)}
    if data.command == "acknowledge" and data.target is not None:
        acknowledged = {
            key: replace(alert, acknowledged_at=event.recorded_at, acknowledged_by=event.actor)
            for key, alert in state.alerts.items()
            if data.target in (key, alert.cause) and alert.acknowledged_at is None
        }
        return {"alerts": {**state.alerts, **acknowledged}}
    return {}


def _moved(state: DateState, event: Event, data: PhaseMoved) -> Changes:
    before = state.cycles.get(data.cycle) or CycleState()
    at = event.recorded_at
    same_phase = before.phase == data.phase
    same_run = same_phase and data.trigger != "retry"
    after = CycleState(
        state=data.dest,
        phase=data.phase,
        since=at,
        opened_at=before.opened_at or at,
        progress_at=before.progress_at if same_run and data.trigger != "resume" else at,
        commanded_at=before.commanded_at if same_run else None,
        commands=before.commands if same_run else (),
        sends=before.sends if same_run else 0,
        rechecks=before.rechecks + (data.trigger == "recheck") if same_phase else 0,
        retries=before.retries + (data.trigger == "retry") if same_phase else 0,
        counted_from=at if data.trigger == "retry" else (before.counted_from if same_phase else None),
        resumed_at=at if data.trigger == "resume" else before.resumed_at,
        missing=data.missing,
        degraded=tuple(dict.fromkeys((*before.degraded, *data.degraded))),
    )
    return {"cycles": {**state.cycles, data.cycle: after}, "elapsed": _still_ahead(state.elapsed, before, data)}


def _still_ahead(elapsed: tuple[str, ...], before: CycleState, data: PhaseMoved) -> tuple[str, ...]:
    """The deadlines acted on, without those that cannot come again: of a state that was left, those named after the
    instant it began; of a phase that was left, all. So the state does not grow with a long history."""
    left = before.phase != data.phase or data.dest in ("done", "parked")

    def gone(name: str) -> bool:
        kind, _, rest = name.partition(":")
        if kind in _OF_STATE:
            return rest.startswith(f"{data.cycle}:")
        return left and kind in _OF_PHASE and rest.startswith(f"{data.cycle}:{before.phase}:")

    return tuple(name for name in elapsed if not gone(name))


_OF_STATE = frozenset({"recheck", "measure"})
_OF_PHASE = frozenset({"stall", "ready", "handoff"})
"""Kinds of deadlines, the first part of their names, by what they belong to; the second part is the cycle."""


def _evaluated(state: DateState, event: Event, data: GateEvaluated) -> Changes:
    record = GateRecord(at=event.recorded_at, evaluation=data)
    return {"gates": {**state.gates, f"{data.gate}@{data.cycle}": record}}


def _requested(state: DateState, event: Event, data: CommandRequested) -> Changes:
    subject = data.payload.get("alert_key") if data.kind == "alert" else None
    sent = Sent(kind=data.kind, requested_at=event.recorded_at, cycle=data.cycle, phase=data.phase, subject=subject)
    changes: Changes = {"sent": {**state.sent, data.command_id: sent}}
    if data.attempt > 1 and subject in state.alerts:
        again = replace(state.alerts[subject], attempt=data.attempt, undeliverable=None)
        changes["alerts"] = {**state.alerts, subject: again}
    if data.kind == "trigger" and data.cycle is not None:
        cycle = state.cycles[data.cycle]
        commands = tuple(dict.fromkeys((*cycle.commands, data.command_id)))
        sends = max(cycle.sends, data.attempt)
        changes["cycles"] = {**state.cycles, data.cycle: replace(cycle, commands=commands, sends=sends)}
    return changes


def _published(state: DateState, event: Event, data: CommandPublished) -> Changes:
    sent = state.sent.get(data.command_id)
    if sent is None:
        return {}
    changes: Changes = {"sent": {key: value for key, value in state.sent.items() if key != data.command_id}}
    if sent.kind == "alert" and sent.subject in state.alerts:
        alert = replace(state.alerts[sent.subject], delivered_at=event.recorded_at)
        changes["alerts"] = {**state.alerts, sent.subject: alert}
    if sent.kind == "trigger" and sent.cycle is not None:
        cycle = state.cycles[sent.cycle]
        if data.command_id in cycle.commands:
            confirmed = replace(cycle, commanded_at=event.recorded_at)
            changes["cycles"] = {**state.cycles, sent.cycle: confirmed}
    return changes


def _failed(state: DateState, _event: Event, data: CommandFailed) -> Changes:
    if not data.permanent:
        return {}
    changes: Changes = {"sent": {key: value for key, value in state.sent.items() if key != data.command_id}}
    for component, heal in state.heals.items():
        if heal.command_id == data.command_id and heal.outcome is None:  # a judged attempt was not sent: no refusal
            changes["heals"] = {**state.heals, component: replace(heal, permanent=True)}
    sent = state.sent.get(data.command_id)
    if sent is not None and sent.subject in state.alerts:
        dead = replace(state.alerts[sent.subject], undeliverable=data.error)
        changes["alerts"] = {**state.alerts, sent.subject: dead}
    return changes


def _elapsed(state: DateState, _event: Event, data: DeadlineElapsed) -> Changes:
    return {"elapsed": (*state.elapsed, data.name)}


def _raised(state: DateState, event: Event, data: AlertRaised) -> Changes:
    key = alert_key(data.cause, data.subject)
    before = state.alerts.get(key)
    at = event.recorded_at
    alert = Alert(
        cause=data.cause,
        subject=data.subject,
        severity=data.severity,
        raised_at=before.raised_at if before is not None else at,
        detail=data.detail,
        rises={data.severity: at, **(before.rises if before is not None else {})},
        numbers=data.numbers,
        delivered_at=before.delivered_at if before is not None else None,
    )
    if before is not None and data.severity in before.rises:  # paged for already: it stays the same page
        alert = replace(alert, attempt=before.attempt, undeliverable=before.undeliverable)
    return {"alerts": {**state.alerts, key: alert}}


def _resolved(state: DateState, event: Event, data: AlertResolved) -> Changes:
    key = alert_key(data.cause, data.subject)
    return {"alerts": {**state.alerts, key: replace(state.alerts[key], resolved_at=event.recorded_at)}}


def _heal_requested(state: DateState, event: Event, data: HealRequested) -> Changes:
    heal = HealState(
        attempt=data.attempt, requested_at=event.recorded_at, command_id=data.command_id, targets=data.targets
    )
    return {"heals": {**state.heals, data.component: heal}}


def _heal_suppressed(state: DateState, _event: Event, data: HealSuppressed) -> Changes:
    heal = replace(state.heals.get(data.component) or HealState(), suppressed=data.reason)
    return {"heals": {**state.heals, data.component: heal}}


def _heal_resolved(state: DateState, _event: Event, data: HealResolved) -> Changes:
    heal = replace(state.heals[data.component], outcome=data.outcome)
    return {"heals": {**state.heals, data.component: heal}}


def _late(state: DateState, _event: Event, data: LateCompletionNoted) -> Changes:
    cycle = state.cycles[data.cycle]
    degraded = tuple(reason for reason in cycle.degraded if reason != f"{data.phase} without {data.processor}")
    return {"cycles": {**state.cycles, data.cycle: replace(cycle, degraded=degraded)}}


def _status(_state: DateState, _event: Event, data: StatusChanged) -> Changes:
    return {"status": intern(data.dest)}  # msgspec leaves out a default by identity: equal states, equal bytes


_APPLY: dict[type, Callable[[DateState, Event, Any], Changes]] = {
    DefinitionAdopted: _definition,
    SchedulePublished: _schedule,
    CompletionRecorded: _completion,
    RunStarted: _started,
    ProgressReported: _progress,
    MeasuresObserved: _measures,
    OperatorActed: _operator,
    PhaseMoved: _moved,
    GateEvaluated: _evaluated,
    CommandRequested: _requested,
    CommandPublished: _published,
    CommandFailed: _failed,
    DeadlineElapsed: _elapsed,
    AlertRaised: _raised,
    AlertResolved: _resolved,
    HealRequested: _heal_requested,
    HealSuppressed: _heal_suppressed,
    HealResolved: _heal_resolved,
    LateCompletionNoted: _late,
    StatusChanged: _status,
}
