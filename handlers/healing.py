"""Repairs: plans, asking for what is planned, and what became of it. For the command line and for HTTP alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from events.catalogue import OperatorActed
from events.store import Store
from handlers.answers import operator_fact
from handlers.recorded import Recorded
from handlers.recorder import Recorder
from projections.heal_history import HealHistory, heal_history
from projections.heal_plan import HealPlan, Repair, heal_plan
from statemachine.operators import CommandNotAllowed
from statemachine.state import is_quiet

ABOUT_HEALS = (b'"heal_requested"', b'"heal_resolved"', b'"operator_acted"')
"""Stored events that tell of repairs hold one of these; the others need not be decoded."""


class Applied(Struct, frozen=True, kw_only=True):
    """What became of asking for one repair: the id of its command, or why it was not asked for."""

    component: str
    command_id: str | None
    refused: str | None = None


def plan(recorded: Recorded, sport: str, game_date: str, now: datetime) -> HealPlan:
    """What to repair on a date. Raises NothingRecorded."""
    known = recorded.day(sport, game_date)
    return heal_plan(known.state, known.definition, now=now)


def plans(recorded: Recorded, now: datetime, *, sport: str | None = None) -> list[HealPlan]:
    """The plans of all dates on which there is something to repair, the oldest first."""
    return list(_plans(recorded, now, sport))


def _plans(recorded: Recorded, now: datetime, sport: str | None) -> Iterator[HealPlan]:
    for state, definition in recorded.days():
        if sport in (None, state.sport) and state.cycles and not is_quiet(state):
            found = heal_plan(state, definition, now=now)
            if found.repairs or found.by_hand:
                yield found


def apply(
    recorder: Recorder, found: HealPlan, repairs: Sequence[Repair], *, actor: str, reason: str, now: datetime
) -> list[Applied]:
    """Ask for `repairs` of a plan as `actor`, in their order. The core has the last word on each."""
    stream = f"{found.sport}/{found.game_date}"
    answers = []
    for repair in repairs:
        version = recorder.state(stream).version
        data = OperatorActed(command="heal", reason=reason, target=repair.component)
        try:
            recorder.record([(operator_fact(stream, version, data, actor, now), now)])
        except CommandNotAllowed as error:
            answers.append(Applied(component=repair.component, command_id=None, refused=error.reason))
        else:
            command_id = recorder.state(stream).heals[repair.component].command_id
            answers.append(Applied(component=repair.component, command_id=command_id))
    return answers


def history(store: Store, now: datetime) -> HealHistory:
    """Every repair that `store` knows of, and the patterns at `now`."""
    about = (stored for stored in store.read_all() if any(mark in stored.body for mark in ABOUT_HEALS))
    return heal_history((stored.event() for stored in about), now=now)
