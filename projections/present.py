"""Where a date stands now: the cycle that speaks for it, the gates that hold it, the deadline that comes next."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from statemachine.deadlines import deadlines
from statemachine.definition import Definition
from statemachine.state import CycleState, DateState


class NextDeadline(Struct, frozen=True, kw_only=True):
    """The next instant at which the absence of something becomes a fact."""

    name: str
    at: datetime


def present_cycle(state: DateState, definition: Definition) -> str | None:
    """The latest cycle that has opened, the one whose state is the date's; None before the first."""
    opened = [(at.opened_at, place) for place, at in enumerate(_cycles(state, definition)) if at.opened_at is not None]
    return definition.cycles[max(opened)[1]].name if opened else None


def _cycles(state: DateState, definition: Definition) -> list[CycleState]:
    return [state.cycles.get(cycle.name) or CycleState() for cycle in definition.cycles]


def held(state: DateState, definition: Definition) -> list[tuple[str, str]]:
    """(cycle, gate) for every gate that holds its cycle."""
    found = []
    for cycle in definition.cycles:
        at = state.cycles.get(cycle.name)
        if at is not None and at.phase is not None and at.state == f"{at.phase}_blocked":
            found.append((cycle.name, cycle.step_of[at.phase].gate or at.phase))
    return found


def next_deadline(state: DateState, definition: Definition) -> NextDeadline | None:
    """The earliest deadline ahead or overdue; None where nothing is waited for."""
    ahead = deadlines(state, definition)
    return NextDeadline(name=ahead[0][1], at=ahead[0][0]) if ahead else None
