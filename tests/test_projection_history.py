"""History is a fold: what is shown of then is what was known then, and a step says exactly what an event changed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from projections.difference import Change, apply, difference, plain
from projections.history import BOOKKEEPING, NoSuchVersion, as_of, steps
from statemachine.evolve import evolve, initial
from statemachine.state import DateState
from tests.driving import ControlDriver, Driver, PulseDriver, nba
from tests.projection_histories import histories, instants

STREAM = "nba/2026-01-16"

trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.lists(st.integers()),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=12,
)
states = st.dictionaries(st.text(max_size=2), trees, max_size=4)


@settings(max_examples=40)
@given(histories(), st.data())
def test_going_on_from_any_version_gives_the_state_of_the_whole_fold(driver: Driver, data: st.DataObject):
    version = data.draw(st.integers(0, driver.state.version))

    then = as_of(STREAM, driver.events, version)

    assert then.state.version == version
    assert isinstance(then.state, DateState)
    state = then.state
    for event in driver.events[version:]:
        state = evolve(state, event)
    assert state == as_of(STREAM, driver.events).state == driver.state


@settings(max_examples=40)
@given(histories(), st.data())
def test_an_instant_knows_what_was_recorded_until_then_and_nothing_later(driver: Driver, data: st.DataObject):
    at = data.draw(st.sampled_from([event.recorded_at for event in driver.events]) | instants)

    then = as_of(STREAM, driver.events, at)

    known = [event for event in driver.events if event.recorded_at <= at]
    assert then.state.version == len(known)
    assert then.last == (known[-1] if known else None)


@given(states, states)
@example({"a": 1}, {"a": True})
@example({"a": []}, {"a": None})
def test_the_difference_applied_to_the_one_gives_the_other(before: dict[str, Any], after: dict[str, Any]):
    assert canonical(apply(before, difference(before, after))) == canonical(after)


def canonical(tree: dict[str, Any]) -> bytes:
    """As bytes, for Python takes 1, 1.0 and True to be equal."""
    return msgspec.json.encode(tree, order="sorted")


@given(states)
def test_nothing_differs_from_itself(state: dict[str, Any]):
    assert list(difference(state, state)) == []


@settings(max_examples=30)
@given(histories())
def test_each_step_leads_to_the_next_state(driver: Driver):
    before = plain(initial(STREAM))
    state: Any = initial(STREAM)
    for event, step in zip(driver.events, steps(driver.events), strict=True):
        state = evolve(state, event)
        after = plain(state)
        kept = {key: value for key, value in after.items() if key not in BOOKKEEPING}
        assert apply({k: v for k, v in before.items() if k not in BOOKKEEPING}, step.changes) == kept
        before = after


def test_a_version_that_the_stream_has_not_reached_is_refused_with_its_latest():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")

    with pytest.raises(NoSuchVersion) as refused:
        as_of(STREAM, driver.events, driver.state.version + 1)

    assert refused.value.latest == driver.state.version
    assert f"0 to {driver.state.version}" in str(refused.value)


def test_every_kind_of_stream_has_a_history():
    pulse, control = PulseDriver(nba()), ControlDriver(nba())
    pulse.beat("raw", "BdlBoxscoresProcessor", "2026-01-17T06:00Z")
    control.rejected("not_json", "2026-01-17T06:00Z")

    assert as_of(pulse.stream, pulse.events).state == pulse.state
    assert as_of(control.stream, control.events).state == control.state
    assert [step.type for step in steps(control.events)][-2:] == ["alert_raised", "command_requested"]


def test_a_step_says_in_plain_words_what_a_status_became():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")
    driver.operator("halt", "2026-01-11T12:00Z")

    last = list(steps(driver.events))[-1]

    assert [str(change) for change in last.changes] == ["status: halted"]


def test_a_list_is_told_by_what_joined_and_what_left_it():
    change = Change(path=("cycles", "overnight", "missing"), kind="changed", before=["a", "b"], after=["b", "c"])

    assert str(change) == "cycles.overnight.missing: + c; − a"
