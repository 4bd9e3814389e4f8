"""When a cycle opens, from the games and the calendar."""

from __future__ import annotations

from datetime import datetime

from statemachine.calendar import span, wall_from_midnight
from statemachine.definition import Cycle, Definition
from statemachine.state import DateState, expected


def opens_at(state: DateState, definition: Definition, cycle: Cycle) -> datetime:
    """The instant at which `cycle` opens. A cycle anchored to tip-off falls back to the midnight that ends the date
    while no tip-off is known."""
    if cycle.opens == "midnight":
        return wall_from_midnight(state.game_date, cycle.opens_minutes, definition.timezone)
    tips = expected(state).tips
    if not tips:
        return wall_from_midnight(state.game_date, 0, definition.timezone)
    return tips[0 if cycle.opens == "first_tip" else -1] + span(cycle.opens_minutes)


def parks_at(state: DateState, definition: Definition, cycle: Cycle, opens: datetime | None = None) -> datetime:
    """The instant at which an unfinished cycle is given to a person; counted anew where one gave it back. `opens` is
    `opens_at`, where the caller has it."""
    at = state.cycles.get(cycle.name)
    resumed = at.resumed_at if at is not None else None
    return (resumed or opens or opens_at(state, definition, cycle)) + span(60 * cycle.park_hours)
