"""Heartbeats: one row a run, silence that becomes a fact, and late beats that change nothing (design 4, 8.8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import BeatRecorded, CompletionRecorded, Event, PulseChanged, SchedulePublished
from events.codec import derive_id
from statemachine.pulse import RUNS_MAX, deadlines
from statemachine.streams import follow_ups
from tests.driving import PulseDriver, games, moment, nba
from tests.scenes import (
    DATE,
    LOADED,
    MINUTE,
    PUBLISHED,
    RAW,
    TIPS,
    House,
    episode,
)

BEATING = "NbacGamebookProcessor"
NAME = "p2_nbacom_gamebook_pdf"
SECOND = timedelta(seconds=1)


def conditions(events: list[Event]) -> list[str]:
    return [event.data.condition for event in events if isinstance(event.data, PulseChanged)]


def test_a_beat_is_of_the_registered_processor_whatever_name_it_goes_by():
    pulse = PulseDriver(nba())
    pulse.beat("raw", BEATING, LOADED)
    pulse.beat("raw", "UnheardOfProcessor", LOADED)

    assert [beat.processor for beat in pulse.state.runs.values()] == [NAME, "unheard_of"]


def test_each_run_has_one_row_that_its_latest_beat_writes():
    pulse = PulseDriver(nba())
    for number in range(50):
        pulse.beat("raw", BEATING, LOADED + number * MINUTE, run="a", progress=number, total=50)
    pulse.beat("raw", BEATING, LOADED, run="b")

    assert [(beat.run, beat.progress) for beat in pulse.state.runs.values()] == [("a", 49), ("b", None)]


def test_a_run_goes_stale_dies_and_is_back_with_its_next_beat():
    pulse = PulseDriver(nba())
    pulse.beat("raw", BEATING, LOADED)
    assert conditions(pulse.tick(LOADED + 299 * SECOND)) == []
    assert conditions(pulse.tick(LOADED + 300 * SECOND)) == ["stale"]
    assert conditions(pulse.tick(LOADED + 600 * SECOND)) == []
    assert conditions(pulse.tick(LOADED + 900 * SECOND)) == ["dead"]
    assert conditions(pulse.tick(LOADED + 9000 * SECOND)) == []

    assert conditions(pulse.beat("raw", BEATING, LOADED + 9001 * SECOND)) == ["back"]
    assert conditions(pulse.tick(LOADED + 9301 * SECOND)) == ["stale"]


def test_the_silence_is_counted_from_when_a_beat_came_for_clocks_of_senders_differ():
    pulse = PulseDriver(nba())
    said = BeatRecorded(phase="raw", published_name=BEATING, beat_at=LOADED - timedelta(hours=5), run="r")
    pulse.give(said, LOADED)

    assert conditions(pulse.tick(LOADED + 299 * SECOND)) == []
    assert deadlines(pulse.state, nba())[0][0] == LOADED + 300 * SECOND


def test_a_run_that_ended_is_watched_no_longer_and_a_late_beat_revives_nothing():
    pulse = PulseDriver(nba())
    pulse.beat("raw", BEATING, LOADED)
    pulse.beat("raw", BEATING, LOADED + MINUTE, ended="success")
    before = pulse.state.runs

    late = pulse.beat("raw", BEATING, LOADED + 2 * MINUTE)

    assert (len(late), pulse.state.runs) == (1, before)
    assert deadlines(pulse.state, nba()) == []
    assert pulse.tick(LOADED + timedelta(days=1)) == []


def test_a_dead_run_that_says_it_ended_is_not_back():
    pulse = PulseDriver(nba())
    pulse.beat("raw", BEATING, LOADED)
    pulse.tick(LOADED + 900 * SECOND)

    assert conditions(pulse.beat("raw", BEATING, LOADED + 901 * SECOND, ended="failed")) == []


@given(st.lists(st.integers(1, nba().alerts.beat_stale_seconds - 1), min_size=1, max_size=30))
def test_a_run_that_beats_in_time_is_never_said_to_be_stale(gaps: list[int]):
    pulse, now = PulseDriver(nba()), LOADED
    for gap in gaps:
        pulse.beat("raw", BEATING, now)
        now += gap * SECOND
        assert conditions(pulse.tick(now)) == []


@given(st.integers(300, 20_000), st.integers(60, 10_000))
def test_what_is_said_of_a_silence_does_not_depend_on_how_often_somebody_looked(silence: int, step: int):
    once, often = PulseDriver(nba()), PulseDriver(nba())
    for pulse in (once, often):
        pulse.beat("raw", BEATING, LOADED)
    once.tick(LOADED + silence * SECOND)
    for seconds in (*range(step, silence, step), silence):
        often.tick(LOADED + seconds * SECOND)

    assert conditions(often.events) == conditions(once.events)


def test_two_runs_and_two_dates_of_one_processor_do_not_overwrite_each_other():
    pulse, other = PulseDriver(nba()), PulseDriver(nba(), "nba/2026-01-17/pulse")
    pulse.beat("raw", BEATING, LOADED, run="a")
    pulse.beat("raw", BEATING, LOADED + 200 * SECOND, run="b")
    other.beat("raw", BEATING, LOADED + 400 * SECOND, run="a")
    for one in (pulse, other):
        one.tick(LOADED + 400 * SECOND)

    assert [row.condition for row in pulse.state.runs.values()] == ["stale", "running"]
    assert [row.condition for row in other.state.runs.values()] == ["running"]


def test_the_state_forgets_ended_runs_first_and_never_grows_beyond_its_bound():
    pulse = PulseDriver(nba())
    pulse.beat("raw", BEATING, LOADED, run="running")
    pulse.beat("raw", BEATING, LOADED, run="ended", ended="success")
    for number in range(RUNS_MAX):
        pulse.beat("raw", BEATING, LOADED + number * SECOND, run=f"r{number}")

    runs = {beat.run for beat in pulse.state.runs.values()}
    assert len(runs) == RUNS_MAX
    assert "ended" not in runs
    assert f"r{RUNS_MAX - 1}" in runs


@given(st.lists(st.tuples(st.integers(1, 700), st.booleans()), max_size=12))
def test_what_is_said_of_a_run_alternates_and_always_matches_its_silence(steps: list[tuple[int, bool]]):
    pulse, now = PulseDriver(nba()), LOADED
    pulse.beat("raw", BEATING, now)
    last, told = now, []
    for seconds, beats in steps:
        now += seconds * SECOND
        told += conditions(pulse.tick(now))
        if beats:
            told += conditions(pulse.beat("raw", BEATING, now))
            last = now
        silence = (now - last).total_seconds()
        condition = next(iter(pulse.state.runs.values())).condition
        assert condition == ("dead" if silence >= 900 else "stale" if silence >= 300 else "running")

    assert all((one, other) in _FOLLOWS for one, other in zip(["back", *told], told, strict=False))


_FOLLOWS = {("back", "stale"), ("stale", "dead"), ("stale", "back"), ("dead", "back")}


# --- what the date makes of it ---------------------------------------------------------------------------------------


@pytest.fixture
def house() -> House:
    made = House()
    made.give(SchedulePublished(games=games(*TIPS)), PUBLISHED)
    made.until(LOADED)
    made.give(_beat(), LOADED, stream=f"{DATE}/pulse")
    return made


def _beat(**fields: Any) -> BeatRecorded:
    return BeatRecorded(phase="raw", published_name=BEATING, beat_at=LOADED, run="r1", **fields)


def test_a_silent_run_is_told_to_its_date_once_for_each_condition(house: House):
    for seconds in (300, 360, 900, 1200):
        house.recorder.tick(LOADED + seconds * SECOND)

    told = [event.data for event in house.events() if isinstance(event.data, PulseChanged)]
    assert [data.condition for data in told] == ["stale", "dead"]
    stale, dead = episode(house.state, "processor_stale", NAME), episode(house.state, "processor_dead", NAME)
    assert stale is not None
    assert dead is not None
    assert (stale.severity, dead.severity) == ("warning", "critical")


def test_the_alerts_of_a_silent_run_end_when_it_beats_again(house: House):
    house.recorder.tick(LOADED + 900 * SECOND)
    house.give(_beat(), LOADED + 1000 * SECOND, stream=f"{DATE}/pulse")

    alerts = [episode(house.state, cause, NAME) for cause in ("processor_stale", "processor_dead")]
    assert [alert.resolved_at for alert in alerts if alert is not None] == [LOADED + 1000 * SECOND] * 2


def test_a_completion_after_the_last_beat_means_that_the_silent_run_is_not_stuck(house: House):
    said = CompletionRecorded(phase="raw", published_name=RAW[1], status="success", run="other", record_count=3)
    house.give(said, LOADED + MINUTE)
    house.recorder.tick(LOADED + 900 * SECOND)

    assert episode(house.state, "processor_dead", NAME) is None
    assert episode(house.state, "processor_stale", NAME) is None


def test_a_completion_ends_the_alert_of_its_processor(house: House):
    house.recorder.tick(LOADED + 300 * SECOND)
    said = CompletionRecorded(phase="raw", published_name=RAW[1], status="success", run="r1", record_count=3)
    house.give(said, LOADED + 400 * SECOND)

    alert = episode(house.state, "processor_stale", NAME)
    assert alert is not None
    assert alert.resolved_at == LOADED + 400 * SECOND


def test_beats_touch_the_stream_of_their_date_only_by_their_consequences(house: House):
    version = house.state.version
    for number in range(1, 20):
        house.give(_beat(progress=number), LOADED + number * MINUTE, stream=f"{DATE}/pulse")

    assert house.state.version == version


def test_the_consequence_has_the_same_id_on_every_machine():
    data = PulseChanged(published_name=BEATING, condition="stale", last_beat_at=LOADED, run="r1", processor=NAME)
    event = Event(
        stream=f"{DATE}/pulse", version=7, id="e7", occurred_at=LOADED, recorded_at=LOADED, correlation="c", data=data
    )

    told = follow_ups(event)

    assert [(fact.stream, fact.id, fact.data) for fact in told] == [(DATE, derive_id("e7", "follow-up"), data)]
    assert moment(PUBLISHED) < told[0].occurred_at
