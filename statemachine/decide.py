"""`decide`: an input, on a state, at an instant, under a definition, becomes events. Pure; the heart of Tipoff.

The input itself is the first event, whatever it says; what follows are its consequences. An input the state already
knows emits nothing (law b). One small reaction per input type, in a table; the machine is asked only where its guards
could have changed, for it is the slow part of the path.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from events.catalogue import (
    CommandFailed,
    CommandPublished,
    CompletionRecorded,
    DefinitionAdopted,
    Event,
    Fact,
    MeasuresObserved,
    ObservationRecorded,
    OperatorActed,
    PhaseMoved,
    ProgressReported,
    PulseChanged,
    RunStarted,
    SchedulePublished,
    StatusChanged,
    Ticked,
)
from statemachine import heals, reconciling, validation
from statemachine.alerts import raise_alert, resolve, resolve_what_is_gone, runs_within
from statemachine.completing import cycle_of, progressed
from statemachine.deadlines import due_now, elapse
from statemachine.definition import Definition
from statemachine.machine import CycleModel, has_place, settle_cycle
from statemachine.naming import canonical
from statemachine.operators import act
from statemachine.schedule import compare
from statemachine.state import DateState, has_no_games, work_key
from statemachine.turn import Turn

SILENT_TOGETHER_MIN = 2
"""Runs that have to fall silent together before it is said of their service: one alone may well have died."""

DEADLINES_PER_TICK_MAX = 500
"""A bound on what one tick may act on; the rest comes with the next tick."""


def decide(state: DateState, fact: Fact, now: datetime, definition: Definition) -> list[Event]:
    """The events that `fact` causes on `state` at `now`. Raises CommandNotAllowed for an operator's command that the
    state does not allow, KeyError for a fact that belongs to another kind of stream."""
    return [] if fact.id in state.recent else decide_and_fold(state, fact, now, definition)[0]


def decide_and_fold(
    state: DateState, fact: Fact, now: datetime, definition: Definition, last: Event | None = None
) -> tuple[list[Event], DateState]:
    """What `decide` gives for an input that the caller knows to be new, and the state with what these events change,
    which deciding had to fold anyway; what every event changes it lacks, and may lack before up to the event `last`."""
    turn = Turn(state, fact, now, definition, last)
    _REACTION[type(fact.data)](turn, fact.data)
    if len(turn.events) > 1 or type(fact.data) in _MAY_RESOLVE:
        _conclude(turn, state)
    elif turn.progressed:
        _resolve(turn)  # it moved no cycle, so the date's status is what it was
    return turn.events, turn.state


def is_terminal(state: DateState) -> bool:
    """True where nothing more is waited for."""
    return state.status in ("complete", "no_games")


def _conclude(turn: Turn, before: DateState) -> None:
    if not turn.events:
        return
    _resolve(turn)
    if turn.state.cycles is before.cycles and type(turn.fact.data) not in _MAY_RESOLVE:
        return  # no cycle was touched, and nothing else was said that the date's status follows from
    status, reason = status_of(turn.state, turn.definition)
    if status != turn.state.status:
        turn.emit(StatusChanged(source=turn.state.status, dest=status, reason=reason))


def _resolve(turn: Turn) -> None:
    if turn.state.heals:
        heals.judge_open(turn)
    if turn.state.alerts:
        resolve_what_is_gone(turn)


def status_of(state: DateState, definition: Definition) -> tuple[str, str]:
    """The status of the date as a whole and why: that of the latest cycle that has opened."""
    if state.halted:
        return "halted", "an operator halted the date"
    if has_no_games(state):
        return "no_games", "no game is expected"
    name, latest = "", None
    for cycle in definition.cycles:
        at = state.cycles.get(cycle.name)
        if at is not None and at.opened_at is not None and (latest is None or at.opened_at >= latest):
            name, latest = cycle.name, at.opened_at
    if latest is None:
        return "scheduled", "no cycle has opened"
    where = state.cycles[name].state
    if where == "done":
        last = definition.cycles[-1].name
        return ("complete" if name == last else "active"), f"{name} is done"
    if where == "parked":
        return "parked", f"{name} needs a person"
    kind = where.rpartition("_")[2]
    looked_at_again = kind == "gate" and state.cycles[name].rechecks > 0
    return ("blocked" if kind == "blocked" or looked_at_again else "active"), f"{name} is {where}"


# --- reactions ----------------------------------------------------------------------------------------------------


def _record(turn: Turn, data: Any) -> None:
    turn.emit(data)


def _completion(turn: Turn, data: CompletionRecorded) -> None:
    processor = canonical(turn.definition, data.phase, data.published_name, data.output_table)
    runs = _runs_before(turn, processor, data.run, data.status)
    if runs is None:
        return
    known = turn.state.work
    cycle = cycle_of(turn.state, turn.definition, data.phase, turn.now)
    turn.emit(replace(data, processor=processor, cycle=cycle))
    if processor is None or cycle is None:
        return
    _storm(turn, processor, runs)
    key = work_key(cycle, data.phase, processor)
    before, after = known.get(key), turn.state.work[key]
    if before is None or before.done_at != after.done_at:
        progressed(turn, cycle, data.phase, processor, first=before is None or before.done_at is None)


def _runs_before(turn: Turn, processor: str | None, run: str | None, status: str) -> int | None:
    """How many runs of this processor are remembered; None where this one has said this before, in whatever cycle it
    was heard: the business key (design 4)."""
    runs = 0
    key_of_run = f"{run}:{status}" if run is not None else None
    for key in turn.definition.work_keys.get(processor or "", ()):
        work = turn.state.work.get(key)
        if work is not None:
            if key_of_run in work.seen:
                return None
            runs += len(work.run_seconds)
    return runs


def _started(turn: Turn, data: RunStarted) -> None:
    processor = canonical(turn.definition, data.phase, data.published_name, None)
    runs = _runs_before(turn, processor, data.run, "started")
    if runs is None:
        return
    cycle = cycle_of(turn.state, turn.definition, data.phase, turn.now)
    turn.emit(replace(data, processor=processor, cycle=cycle))
    if processor is None or cycle is None:
        return
    _storm(turn, processor, runs)
    at = turn.state.cycles.get(cycle)
    if at is not None and at.state == f"{data.phase}_waiting":
        settle_cycle(turn, turn.definition.cycle_of[cycle])


def _progress(turn: Turn, data: ProgressReported) -> None:
    cycle = cycle_of(turn.state, turn.definition, data.phase, turn.now)
    turn.emit(replace(data, cycle=cycle))
    at = turn.state.cycles.get(cycle or "")
    if cycle is not None and at is not None and at.state == f"{data.phase}_waiting":
        settle_cycle(turn, turn.definition.cycle_of[cycle])


def _settle_opened(turn: Turn, cycle: str) -> None:
    at = turn.state.cycles.get(cycle)
    if at is not None and at.state not in ("idle", "done", "parked"):
        settle_cycle(turn, turn.definition.cycle_of[cycle])


def _storm(turn: Turn, processor: str, before: int) -> None:
    """Too many runs; `before` is how many were remembered without this one."""
    rules = turn.definition.alerts
    if before < rules.run_storm_runs:
        return
    runs = runs_within(turn, processor, timedelta(minutes=rules.run_storm_minutes))
    if runs > rules.run_storm_runs:
        detail = f"{processor}: more than {rules.run_storm_runs} runs in {rules.run_storm_minutes} min"
        raise_alert(turn, "run_storm", "critical", detail, subject=processor, numbers={"runs": float(runs)})


def _measures(turn: Turn, data: MeasuresObserved) -> None:
    found = reconciling.compare(turn, data)
    turn.emit(data)
    reconciling.conclude(turn, found)
    moved = {event.data.cycle for event in turn.events if isinstance(event.data, PhaseMoved)}
    validation.on_measures(turn, data.boundary)
    for cycle in turn.definition.cycles:
        at = turn.state.cycles.get(cycle.name)
        step = cycle.step_of.get(at.phase or "") if at is not None else None
        if step is None or step.gate != data.boundary or cycle.name in moved:  # what moved has been settled
            continue
        model = CycleModel(turn, cycle)
        if model.state == f"{step.phase}_blocked":
            model.fire("recheck", "measured again")
        elif model.state == f"{step.phase}_gate":
            model.on_measures()
        else:
            continue
        model.settle()


def _schedule(turn: Turn, data: SchedulePublished) -> None:
    changes, disregarded = compare(turn.state, data)
    if not changes and disregarded is None and turn.state.scheduled:
        return
    turn.emit(replace(data, changes=changes, disregarded=disregarded))
    if disregarded is None:
        for cycle in turn.definition.cycles:
            at = turn.state.cycles.get(cycle.name)
            if at is not None and at.phase is not None and at.state == f"{at.phase}_blocked":
                CycleModel(turn, cycle).fire("recheck", "the schedule changed")
            _settle_opened(turn, cycle.name)


def _adopted(turn: Turn, data: DefinitionAdopted) -> None:
    turn.emit(data)
    for cycle in turn.definition.cycles:
        at = turn.state.cycles.get(cycle.name)
        if at is not None and not has_place(cycle, at):
            reason = f"{data.definition} has no {at.state} of {at.phase}: nobody else can say how to go on"
            first = cycle.phases[0]
            turn.emit(
                PhaseMoved(
                    cycle=cycle.name, source=at.state, trigger="displace", dest="parked", phase=first, reason=reason
                )
            )


def _operator(turn: Turn, data: OperatorActed) -> None:
    act(turn, data)


def _ticked(turn: Turn, data: Ticked) -> None:
    acted_on = 0
    while acted_on < DEADLINES_PER_TICK_MAX:
        for deadline in due_now(turn):
            if acted_on == 0:
                turn.emit(data)
            others_changed = elapse(turn, deadline)
            acted_on += 1
            if others_changed:
                break
        else:
            return


def _command_failed(turn: Turn, data: CommandFailed) -> None:
    turn.emit(data)


def _pulse(turn: Turn, data: PulseChanged) -> None:
    processor = data.processor or data.published_name
    finished = any(
        key.endswith(f"/{processor}") and _finished(work.seen, work.at, data) for key, work in turn.state.work.items()
    )
    turn.emit(data)
    if data.condition == "back":
        resolve(turn, "processor_dead", f"{processor} beats again", processor)
        resolve(turn, "processor_stale", f"{processor} beats again", processor)
        resolve(turn, "processor_hung", f"{processor} goes on", processor)
        known = turn.definition.processor_of.get(processor)
        if known is not None:
            resolve(turn, "heartbeats_silent", f"{processor} beats again", known.phase)
    elif not finished and data.condition == "hung":
        still = data.still_since.isoformat() if data.still_since is not None else "an unknown instant"
        detail = f"{processor}: run {data.run} beats, and its progress has stood still since {still}"
        raise_alert(turn, "processor_hung", "warning", detail, subject=processor)
    elif not finished and _all_are_silent(turn, data, processor):
        phase = turn.definition.processor_of[processor].phase
        detail = f"{phase}: {data.together} runs stopped beating at {data.last_beat_at.isoformat()}, and runs complete"
        raise_alert(turn, "heartbeats_silent", "warning", detail, subject=phase)
    elif not finished:
        dead = data.condition == "dead"
        cause = "processor_dead" if dead else "processor_stale"
        detail = f"{processor}: last beat of run {data.run} at {data.last_beat_at.isoformat()}"
        raise_alert(turn, cause, "critical" if dead else "warning", detail, subject=processor)


def _all_are_silent(turn: Turn, data: PulseChanged, processor: str) -> bool:
    """True where all of a phase fell silent together while its completions go on: what is broken is not the run
    (incident I10)."""
    known = turn.definition.processor_of.get(processor)
    if data.together < SILENT_TOGETHER_MIN or known is None:
        return False
    return any(
        key.split("/")[1] == known.phase and work.at is not None and work.at > data.last_beat_at
        for key, work in turn.state.work.items()
    )


def _finished(seen: tuple[str, ...], at: datetime | None, data: PulseChanged) -> bool:
    if data.run is not None and any(f"{data.run}:{status}" in seen for status in ("success", "partial", "failed")):
        return True
    return at is not None and at >= data.last_beat_at


_REACTION: dict[type, Callable[[Turn, Any], None]] = {
    DefinitionAdopted: _adopted,
    SchedulePublished: _schedule,
    CompletionRecorded: _completion,
    RunStarted: _started,
    ProgressReported: _progress,
    MeasuresObserved: _measures,
    ObservationRecorded: _record,
    OperatorActed: _operator,
    Ticked: _ticked,
    CommandPublished: _record,
    CommandFailed: _command_failed,
    PulseChanged: _pulse,
}

_MAY_RESOLVE = frozenset({MeasuresObserved, SchedulePublished, OperatorActed, CommandFailed, DefinitionAdopted})
"""Inputs after which alerts, heals and the date's status are looked at even where nothing else followed."""
