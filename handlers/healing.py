"""Repairs: plans, asking for what is planned, and what became of it. For the command line and for HTTP alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from events.catalogue import OperatorActed
from handlers.answers import operator_fact
from handlers.recorded import Recorded, judged_at
from handlers.recorder import Recorder
from projections.heal_history import HealHistory, heal_history
from projections.heal_plan import HealPlan, Repair, heal_plan
from statemachine.alert_rules import HealPatterns
from statemachine.definition import Definition
from statemachine.operators import CommandNotAllowed
from statemachine.state import DateState, is_quiet

ABOUT_HEALS = (b'"heal_requested"', b'"heal_resolved"', b'"operator_acted"')
"""Stored events that tell of repairs hold one of these; the others need not be decoded."""


class Applied(Struct, frozen=True, kw_only=True):
    """What became of asking for one repair: the id of its command, or why it was not asked for."""

    component: str
    command_id: str | None
    refused: str | None = None


def plan(
    recorded: Recorded, sport: str, game_date: str, now: datetime, *, at: int | datetime | None = None
) -> HealPlan:
    """What to repair on a date; with `at` what would have been repaired then. Raises NothingRecorded, NoSuchVersion."""
    known = recorded.day(sport, game_date, at)
    return heal_plan(known.state, known.definition, now=judged_at(known.state, now, at))


def plans(recorded: Recorded, now: datetime, *, sport: str | None = None, at: datetime | None = None) -> list[HealPlan]:
    """The plans of all dates on which there is something to repair, the oldest first. Raises TooMuchAsked."""
    return list(_plans(recorded.days(at), at or now, sport))


def _plans(days: Iterable[tuple[DateState, Definition]], now: datetime, sport: str | None) -> Iterator[HealPlan]:
    for state, definition in days:
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


def history(recorded: Recorded, now: datetime, *, at: datetime | None = None) -> HealHistory:
    """Every repair that was asked for, and the patterns at `now`. Raises TooMuchAsked."""
    known = [(state, definition) for state, definition in recorded.days() if state.heals]
    healed = [state for state, _definition in known]
    rules = {state.sport: definition.alerts.heal_patterns or HealPatterns() for state, definition in known}
    recorded.allow(sum(state.version for state in healed))
    events = (event for state in healed for event in recorded.events(state.stream, about=ABOUT_HEALS))
    return heal_history(events, now=at or now, rules=rules)
