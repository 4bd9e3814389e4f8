"""When a cycle opens, from the games and the calendar."""

from __future__ import annotations

from datetime import datetime, timedelta

from statemachine.calendar import midnight_ending
from statemachine.definition import Cycle, Definition
from statemachine.state import DateState, expected_games


def opens_at(state: DateState, definition: Definition, cycle: Cycle) -> datetime:
    """The instant at which `cycle` opens. A cycle anchored to tip-off falls back to the midnight that ends the date
    while no tip-off is known."""
    tips = [game.start_utc for game in expected_games(state) if game.start_utc is not None]
    if cycle.opens == "midnight" or not tips:
        minutes = cycle.opens_minutes if cycle.opens == "midnight" else 0
        return midnight_ending(state.game_date, definition.timezone) + timedelta(minutes=minutes)
    anchor = min(tips) if cycle.opens == "first_tip" else max(tips)
    return anchor + timedelta(minutes=cycle.opens_minutes)


def parks_at(state: DateState, definition: Definition, cycle: Cycle) -> datetime:
    """The instant at which an unfinished cycle is given to a person."""
    return opens_at(state, definition, cycle) + timedelta(hours=cycle.park_hours)
