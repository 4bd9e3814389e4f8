"""`evolve`: one stored event applied to the state of a game date. Total, pure, and without the machine: it writes down
recorded outcomes, so history folds the same under any definition and any later code (design 3).

One small function per event type gives the state with what it changes; `evolve` adds what every event changes
(`statemachine/folded.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
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
from events.records import CompletionReopened, DisagreementNoted
from events.reports import AlertReminded
from events.values import Game
from statemachine import reminders, work
from statemachine.folded import stamped
from statemachine.reminders import REMIND
from statemachine.state import (
    OFF_DATE,
    Alert,
    CycleState,
    DateState,
    GateRecord,
    HealState,
    Seen,
    Sent,
    alert_key,
)
from statemachine.validator import VALIDATE


def initial(stream: str) -> DateState:
    """The state before the first event."""
    return DateState(stream=stream)


def evolve(state: DateState, event: Event) -> DateState:
    """The state after `event`. Raises nothing on what `decide` emitted."""
    return stamped(changed(state, event), (event,))


def changed(state: DateState, event: Event) -> DateState:
    """The state with what `event` changes by itself."""
    apply = _APPLY.get(type(event.data))
    return state if apply is None else apply(state, event, event.data)


def _definition(state: DateState, _event: Event, data: DefinitionAdopted) -> DateState:
    return replace(state, definition=data.definition)


def _schedule(state: DateState, _event: Event, data: SchedulePublished) -> DateState:
    if data.disregarded is not None:
        return state
    known = dict(state.games) if data.partial else {}
    if not data.partial:
        named = {game.game_id for game in data.games}
        for game in state.games.values():
            if game.game_id not in named:
                known[game.game_id] = game if game.status in OFF_DATE else replace(game, status="cancelled")
    known |= {game.game_id: _merged(state.games.get(game.game_id), game) for game in data.games}
    return replace(state, games=known, scheduled=True, schedule_as_of=data.as_of or state.schedule_as_of)


def _merged(before: Game | None, game: Game) -> Game:
    if before is None:
        return game
    return replace(
        game,
        away=game.away or before.away,
        home=game.home or before.home,
        start_utc=game.start_utc or before.start_utc,
    )


def _measures(state: DateState, event: Event, data: MeasuresObserved) -> DateState:
    before = state.measures.get(data.boundary)
    at = event.recorded_at
    merged = Seen(
        at=at,
        measures={**(before.measures if before is not None else {}), **data.measures},
        observed_at={**(before.observed_at if before is not None else {}), **dict.fromkeys(data.measures, at)},
    )
    after = replace(state, measures={**state.measures, data.boundary: merged})
    return work.settled(after, data) if state.disagreements else after


def _operator(state: DateState, event: Event, data: OperatorActed) -> DateState:
    if data.command == "halt":
        return replace(state, halted=True)
    if data.command == "resume" and state.halted:
        return replace(state, halted=False)
    if data.command == "waive" and data.target is not None:
        return replace(state, waived=(*state.waived, data.target))
    if data.command == "acknowledge" and data.target is not None:
        acknowledged = {
            key: replace(alert, acknowledged_at=event.recorded_at, acknowledged_by=event.actor)
            for key, alert in state.alerts.items()
            if data.target in (key, alert.cause) and alert.acknowledged_at is None
        }
        return replace(state, alerts={**state.alerts, **acknowledged})
    return state


def _moved(state: DateState, event: Event, data: PhaseMoved) -> DateState:
    before = state.cycles.get(data.cycle) or CycleState()
    at = event.recorded_at
    after = replace(
        _carried(before, data, at),
        state=data.dest,
        since=at,
        missing=data.missing,
        degraded=tuple(dict.fromkeys((*before.degraded, *data.degraded))),
    )
    elapsed = _still_ahead(state.elapsed, before, data)
    moved = replace(state, cycles={**state.cycles, data.cycle: after}, elapsed=elapsed)
    return work.of_others(moved, data.cycle) if state.disagreements and data.dest == "done" else moved


def _carried(before: CycleState, data: PhaseMoved, at: datetime) -> CycleState:
    """What a cycle takes along: all that is of its phase, and nothing of that into another one. A retry begins the
    phase anew, and a person who lets it go on starts its clock again."""
    trigger = data.trigger
    if before.phase != data.phase:
        opened_at, resumed_at = before.opened_at or at, at if trigger == "resume" else before.resumed_at
        return CycleState(phase=data.phase, opened_at=opened_at, progress_at=at, resumed_at=resumed_at)
    if trigger == "retry":
        fresh = CycleState(phase=data.phase, opened_at=before.opened_at, progress_at=at, resumed_at=before.resumed_at)
        return replace(fresh, rechecks=before.rechecks, retries=before.retries + 1, counted_from=at)
    if trigger == "recheck":
        return replace(before, rechecks=before.rechecks + 1)
    if trigger in ("resume", "reopen"):
        return replace(before, progress_at=at, resumed_at=at if trigger == "resume" else before.resumed_at)
    return before


def _still_ahead(elapsed: tuple[str, ...], before: CycleState, data: PhaseMoved) -> tuple[str, ...]:
    """The deadlines acted on, without those that cannot come again: of a state that was left, those named after the
    instant it began; of a phase that was left, all. So the state does not grow with a long history."""
    left = before.phase != data.phase or data.dest in ("done", "parked")
    gone = _of_state(data.cycle) + (_of_phase(data.cycle, before.phase) if left else ())
    return tuple([name for name in elapsed if not name.startswith(gone)])


@lru_cache(maxsize=256)
def _of_state(cycle: str) -> tuple[str, ...]:
    """What the names of deadlines begin with that belong to a state of `cycle`: their kind, then the cycle."""
    return tuple([f"{kind}:{cycle}:" for kind in ("recheck", "measure")])


@lru_cache(maxsize=1024)
def _of_phase(cycle: str, phase: str | None) -> tuple[str, ...]:
    """What the names of deadlines begin with that belong to `phase` of `cycle`."""
    return tuple([f"{kind}:{cycle}:{phase}:" for kind in ("stall", "ready", "handoff", "look")])


def _evaluated(state: DateState, event: Event, data: GateEvaluated) -> DateState:
    record = GateRecord(at=event.recorded_at, evaluation=data)
    return replace(state, gates={**state.gates, f"{data.gate}@{data.cycle}": record})


def _requested(state: DateState, event: Event, data: CommandRequested) -> DateState:
    subject = data.payload.get("alert_key") if data.kind == "alert" else None
    sent = Sent(
        kind=data.kind,
        requested_at=event.recorded_at,
        cycle=data.cycle,
        phase=data.phase,
        subject=subject,
        reminder=data.payload.get("reminder", 0) if subject is not None else 0,
    )
    validations = state.validations
    if data.topic.startswith(VALIDATE):
        validations = {**validations, data.topic.removeprefix(VALIDATE): event.recorded_at}
    state = replace(state, sent={**state.sent, data.command_id: sent}, validations=validations)
    if data.attempt > 1 and subject in state.alerts:
        again = replace(state.alerts[subject], attempt=data.attempt, undeliverable=None)
        state = replace(state, alerts={**state.alerts, subject: again})
    if data.kind == "measure":
        return work.looked(state, event, data)
    if data.kind == "trigger" and data.cycle is not None:
        cycle = state.cycles[data.cycle]
        commands = tuple(dict.fromkeys((*cycle.commands, data.command_id)))
        sends = max(cycle.sends, data.attempt)
        return replace(state, cycles={**state.cycles, data.cycle: replace(cycle, commands=commands, sends=sends)})
    return state


def _published(state: DateState, event: Event, data: CommandPublished) -> DateState:
    sent = state.sent.get(data.command_id)
    if sent is None:
        return state
    state = replace(state, sent={key: value for key, value in state.sent.items() if key != data.command_id})
    if sent.kind == "alert" and sent.subject in state.alerts:
        alert, at = state.alerts[sent.subject], event.recorded_at
        if sent.reminder == 0:
            alert = replace(alert, delivered_at=at)
        elif _is_last_reminder(state, sent.subject, data.command_id):
            alert = reminders.told(alert, at)
        state = replace(state, alerts={**state.alerts, sent.subject: alert})
    if sent.kind == "trigger" and sent.cycle is not None:
        cycle = state.cycles[sent.cycle]
        if data.command_id in cycle.commands:
            confirmed = replace(cycle, commanded_at=event.recorded_at)
            return replace(state, cycles={**state.cycles, sent.cycle: confirmed})
    return state


def _failed(state: DateState, event: Event, data: CommandFailed) -> DateState:
    if not data.permanent:
        return state
    sent = state.sent.get(data.command_id)
    state = replace(state, sent={key: value for key, value in state.sent.items() if key != data.command_id})
    for component, heal in state.heals.items():
        if heal.command_id == data.command_id and heal.outcome is None:  # a judged attempt was not sent: no refusal
            state = replace(state, heals={**state.heals, component: replace(heal, permanent=True)})
    if sent is not None and sent.subject in state.alerts:
        alert = state.alerts[sent.subject]
        if sent.reminder == 0:
            alert = replace(alert, undeliverable=data.error)
        elif _is_last_reminder(state, sent.subject, data.command_id):
            alert = reminders.refused(alert, event.recorded_at, data.error)
        state = replace(state, alerts={**state.alerts, sent.subject: alert})
    return state


def _is_last_reminder(state: DateState, key: str, command_id: str) -> bool:
    """False for the reminder of an episode that has risen, or opened again, since."""
    return reminders.reminder_id(state.stream, key, state.alerts[key]) == command_id


def _elapsed(state: DateState, event: Event, data: DeadlineElapsed) -> DateState:
    if data.name.startswith((VALIDATE, REMIND)):  # it cannot come again: the state knows what was done at it
        return state
    if data.name.startswith(work.RECONCILE):  # nor can this one
        return work.asked_about(state, event, data)
    return replace(state, elapsed=(*work.without_looks(state.elapsed, data.name), data.name))


def _raised(state: DateState, event: Event, data: AlertRaised) -> DateState:
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
        opened_at=_opened_at(before, at),
    )
    if before is not None and data.severity in before.rises:  # paged for already: it stays the same page
        alert = replace(alert, attempt=before.attempt, undeliverable=before.undeliverable)
    return replace(state, alerts={**state.alerts, key: alert})


def _opened_at(before: Alert | None, at: datetime) -> datetime | None:
    if before is None:
        return None
    return at if before.resolved_at is not None else before.opened_at


def _reminded(state: DateState, _event: Event, data: AlertReminded) -> DateState:
    key = alert_key(data.cause, data.subject)
    return replace(state, alerts={**state.alerts, key: reminders.counted(state.alerts[key], data)})


def _resolved(state: DateState, event: Event, data: AlertResolved) -> DateState:
    key = alert_key(data.cause, data.subject)
    resolved = replace(state.alerts[key], resolved_at=event.recorded_at)
    return replace(state, alerts={**state.alerts, key: resolved})


def _heal_requested(state: DateState, event: Event, data: HealRequested) -> DateState:
    heal = HealState(
        attempt=data.attempt, requested_at=event.recorded_at, command_id=data.command_id, targets=data.targets
    )
    return replace(state, heals={**state.heals, data.component: heal})


def _heal_suppressed(state: DateState, _event: Event, data: HealSuppressed) -> DateState:
    heal = replace(state.heals.get(data.component) or HealState(), suppressed=data.reason)
    return replace(state, heals={**state.heals, data.component: heal})


def _heal_resolved(state: DateState, _event: Event, data: HealResolved) -> DateState:
    heal = replace(state.heals[data.component], outcome=data.outcome)
    return replace(state, heals={**state.heals, data.component: heal})


def _status(state: DateState, _event: Event, data: StatusChanged) -> DateState:
    return replace(state, status=intern(data.dest))  # a default is left out by identity: equal states, equal bytes


_APPLY: dict[type, Callable[[DateState, Event, Any], DateState]] = {
    DefinitionAdopted: _definition,
    SchedulePublished: _schedule,
    CompletionRecorded: work.completion,
    RunStarted: work.started,
    ProgressReported: work.progress,
    MeasuresObserved: _measures,
    OperatorActed: _operator,
    PhaseMoved: _moved,
    GateEvaluated: _evaluated,
    CommandRequested: _requested,
    CommandPublished: _published,
    CommandFailed: _failed,
    DeadlineElapsed: _elapsed,
    AlertRaised: _raised,
    AlertReminded: _reminded,
    AlertResolved: _resolved,
    HealRequested: _heal_requested,
    HealSuppressed: _heal_suppressed,
    HealResolved: _heal_resolved,
    LateCompletionNoted: work.late,
    DisagreementNoted: work.noted,
    CompletionReopened: work.reopened,
    StatusChanged: _status,
}
