"""Who of a step has reported and completed: registered processors of its phase, and nobody else (design 8.5)."""

from __future__ import annotations

from datetime import UTC, datetime

from statemachine.readiness import has_reported, standing
from statemachine.state import DateState, Work, work_key
from tests.driving import nba

STEP = nba().cycle_of["overnight"].step_of["analytics"]
DONE_AT = datetime(2026, 1, 17, 12, tzinfo=UTC)
DONE = Work(status="success", first_done_at=DONE_AT, done_at=DONE_AT)


def date_with(*places: tuple[str, str, str]) -> DateState:
    """A date on which `cycle, phase, processor` have completed."""
    return DateState(stream="nba/2026-01-16", work={work_key(*place): DONE for place in places})


def test_a_processor_that_the_definition_no_longer_has_counts_for_no_wait():
    state = date_with(("overnight", "analytics", "dropped_since"))
    stands = standing(state, nba(), "overnight", STEP)
    assert (stands.reported, stands.done, stands.failed) == ({}, {}, ())
    assert not has_reported(state, nba(), "overnight", STEP)


def test_what_was_done_in_another_cycle_or_phase_is_nothing_to_a_step():
    name = STEP.expected[0]
    state = date_with(("tomorrow", "analytics", name), ("overnight", "precompute", name))
    assert standing(state, nba(), "overnight", STEP).reported == {}
    assert not has_reported(state, nba(), "overnight", STEP)


def test_who_has_completed_is_told_in_the_order_of_the_definition():
    first, second, *others = STEP.expected
    state = date_with(("overnight", "analytics", second), ("overnight", "analytics", first))
    stands = standing(state, nba(), "overnight", STEP)
    assert stands.completed == (first, second)
    assert stands.missing == tuple(others)
    assert has_reported(state, nba(), "overnight", STEP)
