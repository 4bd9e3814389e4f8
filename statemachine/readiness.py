"""When a phase is ready for its gate: who completed, who is missing, and which of the step's waits is met.

The waits are data (`Step.waits`). Each is met at an instant that follows from the completions alone, so the same
function answers "is it ready?" and "when will it be, if nobody says more?", the second being a deadline (design 6).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from operator import attrgetter

from msgspec import Struct

from statemachine.calendar import span
from statemachine.definition import Definition, Step, Wait
from statemachine.on_date import on_date
from statemachine.state import CycleState, DateState, Work

STRICTLY_AFTER = timedelta(microseconds=1)
"""The smallest step of time: a strict wait is met that much after its minutes."""


class Standing(Struct, frozen=True):
    """Who of a step has completed. All in the order of the definition; `missing_optional` are optional. `reported` is
    the work of all who have said anything, expected or not, and `done` that of those who have completed."""

    completed: tuple[str, ...]
    missing: tuple[str, ...]
    missing_critical: tuple[str, ...]
    missing_optional: tuple[str, ...]
    reported: dict[str, Work] = {}
    done: dict[str, Work] = {}

    @property
    def expected(self) -> int:
        """How many processors the step expects on this date."""
        return len(self.completed) + len(self.missing)

    @property
    def failed(self) -> tuple[str, ...]:
        """Who has failed and never completed, expected or not."""
        reported = self.reported.items()
        return tuple([name for name, work in reported if work.status == "failed" and work.done_at is None])


class Ready(Struct, frozen=True):
    """A wait that is met, from `at` on."""

    reason: str
    at: datetime


def standing(state: DateState, definition: Definition, cycle: str, step: Step) -> Standing:
    """Who of `step` has completed in `cycle`. Processors whose source is off on the date are not expected."""
    work, since = state.work, counted_from(state, cycle, step)
    names = on_date(definition, cycle, step, state.game_date)
    reported: dict[str, Work] = {}
    done: dict[str, Work] = {}
    for name, key in names.keys.items():
        item = work.get(key)
        if item is not None:
            reported[name] = item
            if item.done_at is not None and (since is None or item.done_at > since):
                done[name] = item
    completed: list[str] = []
    missing: list[str] = []
    for name in names.expected:
        (completed if name in done else missing).append(name)
    return Standing(
        completed=tuple(completed),
        missing=tuple(missing),
        missing_critical=tuple([name for name in names.critical if name not in done]),
        missing_optional=tuple([name for name in names.optional if name not in done]),
        reported=reported,
        done=done,
    )


def has_reported(state: DateState, definition: Definition, cycle: str, step: Step) -> bool:
    """True where anybody of `step` has said anything in `cycle`, expected or not."""
    return not state.work.keys().isdisjoint(on_date(definition, cycle, step, state.game_date).keys.values())


def counted_from(state: DateState, cycle: str, step: Step) -> datetime | None:
    """The instant after which completions of `step` count; None where all do."""
    at = state.cycles.get(cycle)
    return at.counted_from if at is not None and at.phase == step.phase else None


def waits_met(step: Step, stands: Standing, cycle: CycleState) -> list[Ready]:
    """The waits whose counts hold already, each with the instant from which its time holds too; the earliest first."""
    holding = [wait for wait in step.waits if _counts_hold(wait, stands, step)] if stands.done else []
    if not holding:
        return []
    instants = list(map(_FIRST if cycle.counted_from is None else _LATEST, stands.done.values()))
    first, last = min(instants), max(instants)
    return sorted([Ready(wait.reason, _met_at(wait, first, last, cycle)) for wait in holding], key=attrgetter("at"))


def _counts_hold(wait: Wait, stands: Standing, step: Step) -> bool:
    if wait.criticals and stands.missing_critical:
        return False
    number, expected = len(stands.completed), stands.expected
    if wait.share is not None and number < wait.share * expected:
        return False
    return number >= wait.at_least or number >= expected or not step.expected


def _met_at(wait: Wait, first: datetime, last: datetime, cycle: CycleState) -> datetime:
    anchor = first if wait.since == "first" or wait.minutes == 0 else last
    if cycle.opened_at is not None and anchor < cycle.opened_at:
        anchor = cycle.opened_at
    met = anchor + span(wait.minutes)
    return met + STRICTLY_AFTER if wait.strict else met


_FIRST, _LATEST = attrgetter("first_done_at"), attrgetter("done_at")
"""When completed work came: at first; and where only what came after an instant counts, the completion that does."""
