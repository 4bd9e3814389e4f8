"""When a phase is ready for its gate: who completed, who is missing, and which of the step's waits is met.

The waits are data (`Step.waits`). Each is met at an instant that follows from the completions alone, so the same
function answers "is it ready?" and "when will it be, if nobody says more?", the second being a deadline (design 6).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from statemachine.definition import Definition, Step, Wait, in_force
from statemachine.state import CycleState, DateState, Work, work_of

STRICTLY_AFTER = timedelta(microseconds=1)
"""The smallest step of time: a strict wait is met that much after its minutes."""


class Standing(Struct, frozen=True):
    """Who of a step has completed. All tuples in the order of the definition; `optional` are the missing optionals."""

    completed: tuple[str, ...]
    missing: tuple[str, ...]
    missing_critical: tuple[str, ...]
    missing_optional: tuple[str, ...]
    failed: tuple[str, ...]
    done: dict[str, Work]

    @property
    def expected(self) -> int:
        """How many processors the step expects on this date."""
        return len(self.completed) + len(self.missing)


class Ready(Struct, frozen=True):
    """A wait that is met, from `at` on."""

    reason: str
    at: datetime


def standing(state: DateState, definition: Definition, cycle: str, step: Step) -> Standing:
    """Who of `step` has completed in `cycle`. Processors whose source is off on the date are not expected."""
    work = work_of(state, cycle, step.phase)
    game_date, processor_of = state.game_date, definition.processor_of
    since = counted_from(state, cycle, step)
    done = {
        name: item
        for name, item in work.items()
        if item.done_at is not None and (since is None or item.done_at > since)
    }
    on_date = [p for p in step.expected if in_force(processor_of[p], game_date)]
    optional = [p for p in step.optional if in_force(processor_of[p], game_date)]
    return Standing(
        completed=tuple([p for p in on_date if p in done]),
        missing=tuple([p for p in on_date if p not in done]),
        missing_critical=tuple([p for p in step.critical if p in on_date and p not in done]),
        missing_optional=tuple([p for p in optional if p not in done]),
        failed=tuple([name for name, item in work.items() if item.status == "failed" and item.done_at is None]),
        done=done,
    )


def counted_from(state: DateState, cycle: str, step: Step) -> datetime | None:
    """The instant after which completions of `step` count; None where all do."""
    at = state.cycles.get(cycle)
    return at.counted_from if at is not None and at.phase == step.phase else None


def waits_met(step: Step, stands: Standing, cycle: CycleState) -> list[Ready]:
    """The waits whose counts hold already, each with the instant from which its time holds too; the earliest first."""
    if not stands.done:
        return []
    met = [Ready(wait.reason, _met_at(wait, stands, cycle)) for wait in step.waits if _counts_hold(wait, stands, step)]
    return sorted(met, key=lambda ready: ready.at)


def _counts_hold(wait: Wait, stands: Standing, step: Step) -> bool:
    number = len(stands.completed)
    if wait.criticals and stands.missing_critical:
        return False
    if wait.share is not None and number < wait.share * stands.expected:
        return False
    return number >= min(wait.at_least, stands.expected) if step.expected else True


def _met_at(wait: Wait, stands: Standing, cycle: CycleState) -> datetime:
    instants = [_first(work, cycle) for work in stands.done.values()]
    anchor = min(instants) if wait.since == "first" or wait.minutes == 0 else max(instants)
    if cycle.opened_at is not None and anchor < cycle.opened_at:
        anchor = cycle.opened_at
    return anchor + timedelta(minutes=wait.minutes) + (STRICTLY_AFTER if wait.strict else timedelta())


def _first(work: Work, cycle: CycleState) -> datetime:
    first = work.first_done_at if cycle.counted_from is None else work.done_at
    assert first is not None, "only completed work is asked"
    return first
