"""What a completion sets going, whoever said it: a run, or the rows of its table (`statemachine/reconciling.py`)."""

from __future__ import annotations

from datetime import datetime

from events.catalogue import LateCompletionNoted
from statemachine.calendar import has_come
from statemachine.definition import Definition
from statemachine.machine import CycleModel
from statemachine.state import DateState
from statemachine.turn import Turn


def cycle_of(state: DateState, definition: Definition, phase: str, now: datetime) -> str | None:
    """The cycle a message of `phase` belongs to: that of its receive time, unless a later one with that phase has
    opened already. On two game dates of five the overnight cycle opens before midnight."""
    cycles = definition.cycles_for.get(phase)
    if cycles is None:
        return None
    later, first = cycles
    for name, since in later:
        if name in state.cycles or has_come(since, state.game_date, now, definition.timezone):
            return name
    return first


def progressed(turn: Turn, cycle_name: str, phase: str, processor: str, *, first: bool) -> None:
    """A completion counted. A re-run of what was complete moves no machine, unless the gate holds or the phase was
    asked for again: the machine is the slow part of the path, and re-runs are most of a stormy day."""
    state = turn.state
    turn.progressed = True
    at = state.cycles.get(cycle_name)
    if at is None or at.state == "idle":
        return
    if first and f"{phase} without {processor}" in at.degraded:
        turn.emit(LateCompletionNoted(cycle=cycle_name, phase=phase, processor=processor))
    if at.state in ("done", "parked"):
        return
    blocked, waiting = at.state == f"{phase}_blocked", at.state == f"{phase}_waiting"
    if not (first or blocked or waiting or at.counted_from is not None):
        return
    model = CycleModel(turn, turn.definition.cycle_of[cycle_name])
    if blocked:
        model.fire("recheck", f"{processor} completed")
    model.settle()
