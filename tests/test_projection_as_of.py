"""As of then: a query of the past equals truncating the history there, whatever was asked and kept before; and what the
heads hold is what folding everything from nothing gives."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.health import questions
from events.catalogue import DefinitionAdopted
from events.memory import MemoryStore
from handlers.recorded import Recorded, is_control, is_date
from handlers.recorder import Recorder
from handlers.remembered import Remembered, rebuilt
from handlers.reviews import Span, reconciliation, report, season_health, service_levels
from projections.health import health
from projections.history import NoSuchVersion, as_of
from projections.metrics import levels
from projections.reconciliation import reconcile
from projections.report import daily_report
from statemachine.evolve import evolve, initial
from statemachine.streams import DATE, encode_state, fold
from tests.driving import Driver, nba
from tests.projection_dates import blocked_date
from tests.projection_histories import histories

STREAM = "nba/2026-01-16"


def stored(driver: Driver) -> MemoryStore:
    """A store in which the same happened as to `driver`."""
    store = MemoryStore()
    recorder = Recorder(store, {"nba": nba()})
    for fact, now in driver.facts:
        if not isinstance(fact.data, DefinitionAdopted):
            recorder.record([(fact, now)])
    return store


@settings(max_examples=40)
@given(histories(), st.lists(st.floats(0, 1), min_size=1, max_size=6), st.integers(1, 9))
def test_the_past_is_the_truncated_history_in_whatever_order_it_is_asked_for(
    driver: Driver, places: list[float], mark_events: int
):
    store = stored(driver)
    remembered = Remembered(store, mark_events=mark_events)
    events = [item.event() for item in store.read(STREAM)]

    for place in places:
        version = round(place * len(events))
        assert remembered.as_of(STREAM, version) == as_of(STREAM, events[:version]).state
        instant = events[min(version, len(events) - 1)].recorded_at
        for at in (instant, instant - timedelta(microseconds=1)):
            known = [event for event in events if event.recorded_at <= at]
            assert remembered.as_of(STREAM, at) == as_of(STREAM, known).state


@settings(max_examples=30)
@given(histories())
def test_folding_everything_from_nothing_gives_what_the_heads_hold(driver: Driver):
    store = stored(driver)

    assert list(rebuilt(store, wanted=is_date).values()) == [
        DATE.decode(h.state) for s, h in store.heads() if is_date(s)
    ]
    assert list(rebuilt(store).values()) == list(Remembered(store).states())


@settings(max_examples=30)
@given(histories(), st.floats(0, 1))
def test_folding_many_events_at_once_gives_the_bytes_of_folding_them_one_by_one(driver: Driver, place: float):
    cut = int(place * len(driver.events))
    one_by_one = initial(STREAM)
    for event in driver.events[:cut]:
        one_by_one = evolve(one_by_one, event)
    first = fold(STREAM, initial(STREAM), driver.events[:cut])
    whole = fold(STREAM, first, driver.events[cut:])

    assert encode_state(first) == encode_state(one_by_one)
    assert encode_state(whole) == encode_state(driver.state)


@settings(max_examples=25)
@given(histories(), st.floats(0, 1))
def test_every_projection_of_the_past_is_the_projection_of_the_truncated_history(driver: Driver, place: float):
    store = stored(driver)
    recorded = Recorded(store, {"nba": nba()})
    at = driver.events[int(place * (len(driver.events) - 1))].recorded_at
    later = at + timedelta(days=30)
    events = [item.event() for item in store.read(STREAM)]
    known = [event for event in events if event.recorded_at <= at]
    state = Remembered(store).as_of(STREAM, at)
    day = (known, state, nba())

    controls = list(rebuilt(store, wanted=is_control, at=at).values())
    assert season_health(recorded, later, at=at) == health([(state, nba())], controls, now=at)  # type: ignore[list-item, arg-type]
    assert reconciliation(recorded, later, at=at) == reconcile([day], now=at)  # type: ignore[list-item]
    assert report(recorded, "nba", "2026-01-16", later, at=at) == daily_report(*day, now=at)  # type: ignore[arg-type]
    said = service_levels(recorded, later, at=at)
    control = [item.event() for item in store.read("nba/control")]
    assert said == levels([day], [("nba", [e for e in control if e.recorded_at <= at])], now=at)  # type: ignore[list-item]


def test_a_state_that_moved_on_is_not_answered_from_memory():
    driver = blocked_date()
    store = stored(driver)
    remembered = Remembered(store)
    before = list(remembered.states(is_date))
    recorder = Recorder(store, {"nba": nba()})

    driver.measure("raw_to_analytics", "2026-01-17T11:20Z", games_with_box_score=7)
    recorder.record([driver.facts[-1]])

    after = list(remembered.states(is_date))
    assert after != before
    assert [state.version for state in after] == [driver.state.version]


@pytest.mark.parametrize("stream", [STREAM, "nba/2026-01-17"])
def test_a_version_that_is_yet_to_come_is_refused(stream: str):
    remembered = Remembered(stored(blocked_date()))

    with pytest.raises(NoSuchVersion):
        remembered.as_of(stream, 10_000)


def test_a_date_of_which_nothing_was_known_then_is_left_out():
    recorded = Recorded(stored(blocked_date()), {"nba": nba()})
    early = blocked_date().events[0].recorded_at - timedelta(seconds=1)

    assert list(recorded.days(early)) == []
    assert season_health(recorded, early, Span(sport="nba"), at=early).status == "unknown"


def test_the_benchmark_of_questions_runs_and_its_answers_agree(tmp_path: Path):
    season, past = questions(nba(), tmp_path, dates=2, events=600, rounds=1)

    assert [result.unit for result in (season, past)] == ["question", "question"]
    assert {ratio.target for ratio in (*season.ratios, *past.ratios)} == {50, 2000, None}
