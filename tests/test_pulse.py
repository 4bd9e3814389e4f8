"""Heartbeats: stale and dead at the threshold, once, and never for a run that has ended (design 8.8, incident I10)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import BeatRecorded, PulseChanged
from statemachine.streams import follow_ups
from tests.driving import Driver, PulseDriver, moment, nba

START = moment("2026-01-17T11:35Z")
PGS = "PlayerGameSummaryProcessor"
RULES = nba().alerts


def after(seconds: float):
    return START + timedelta(seconds=seconds)


def conditions(pulse: PulseDriver) -> list[str]:
    return [event.data.condition for event in pulse.events if isinstance(event.data, PulseChanged)]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(299, []), (300, ["stale"]), (899, ["stale"]), (900, ["stale", "dead"]), (5000, ["stale", "dead"])],
)
def test_a_run_is_stale_after_300_seconds_and_dead_after_900(seconds, said):
    pulse = PulseDriver(nba())
    pulse.beat("analytics", PGS, START)
    for at in {min(seconds, 300), min(seconds, 900), seconds}:
        pulse.tick(after(at))
    assert conditions(pulse) == said


@given(st.lists(st.integers(1, RULES.beat_stale_seconds - 1), min_size=1, max_size=30))
def test_a_run_that_beats_in_time_is_never_said_to_be_stale(gaps):
    pulse = PulseDriver(nba())
    at = START
    for gap in gaps:
        pulse.beat("analytics", PGS, at)
        pulse.tick(at + timedelta(seconds=gap))
        at += timedelta(seconds=gap)
    assert conditions(pulse) == []


@given(st.integers(RULES.beat_stale_seconds, 20_000), st.integers(0, 10_000))
def test_what_is_said_after_a_silence_does_not_depend_on_how_often_somebody_looked(silence, step):
    once, often = PulseDriver(nba()), PulseDriver(nba())
    for pulse in (once, often):
        pulse.beat("analytics", PGS, START)
    once.tick(after(silence))
    for at in range(0, silence, max(step, 60)):
        often.tick(after(at))
    often.tick(after(silence))
    assert conditions(often) == conditions(once)


def test_a_late_beat_brings_a_run_back_and_the_next_silence_is_said_again():
    pulse = PulseDriver(nba())
    pulse.beat("analytics", PGS, START)
    pulse.tick(after(301))
    pulse.beat("analytics", PGS, after(400))
    pulse.tick(after(700))
    assert conditions(pulse) == ["stale", "back", "stale"]


@given(st.lists(st.sampled_from(["late beat", "duplicate", "tick"]), max_size=8))
def test_nothing_that_comes_after_its_last_beat_changes_a_finished_run(after_the_end):
    pulse = PulseDriver(nba())
    pulse.beat("analytics", PGS, START, progress=40, total=121)
    pulse.beat("analytics", PGS, after(60), progress=121, total=121, ended="success")
    for number, what in enumerate(after_the_end):
        at = after(1000 * (number + 1))
        if what == "tick":
            pulse.tick(at)
        else:
            pulse.beat("analytics", PGS, at, progress=40)
    assert conditions(pulse) == []
    (row,) = pulse.state.runs.values()
    assert (row.condition, row.progress) == ("ended", 121)


def test_two_dates_and_two_runs_of_one_processor_do_not_overwrite_each_other():
    pulse, other = PulseDriver(nba()), PulseDriver(nba(), "nba/2026-01-17/pulse")
    pulse.beat("analytics", PGS, START, run="a")
    pulse.beat("analytics", f"Async{PGS}", after(200), run="b")
    other.beat("analytics", PGS, after(400), run="a")
    pulse.tick(after(400))
    other.tick(after(400))
    assert [row.condition for row in pulse.state.runs.values()] == ["stale", "running"]
    assert [row.condition for row in other.state.runs.values()] == ["running"]


def test_a_sender_with_a_clock_of_its_own_neither_kills_nor_keeps_its_run():
    pulse = PulseDriver(nba())
    pulse.beat("analytics", PGS, START)
    ahead = BeatRecorded(phase="analytics", published_name=PGS, run="run-1", beat_at=after(86_400))
    pulse.give(ahead, after(10))
    pulse.tick(after(311))
    assert conditions(pulse) == ["stale"]


def test_what_the_pulse_concludes_reaches_the_date_and_pages_once_per_severity():
    pulse, day = PulseDriver(nba()), Driver(nba())
    day.schedule("2026-01-16T12:00Z", "2026-01-17T00:00Z")
    pulse.beat("analytics", PGS, START)
    for event in [*pulse.tick(after(300)), *pulse.tick(after(900))]:
        for told in follow_ups(event):
            day.give(told.data, event.recorded_at, id=told.id)
    causes = [(alert.cause, alert.severity) for alert in day.state.alerts.values()]
    assert causes == [("processor_stale", "warning"), ("processor_dead", "critical")]


def test_a_completion_after_the_last_beat_means_that_the_run_is_not_stuck():
    pulse, day = PulseDriver(nba()), Driver(nba())
    day.schedule("2026-01-16T12:00Z", "2026-01-17T00:00Z")
    pulse.beat("analytics", PGS, START, run="r1")
    day.complete("analytics", PGS, after(100), run="r1")
    for event in pulse.tick(after(901)):
        for told in follow_ups(event):
            day.give(told.data, event.recorded_at, id=told.id)
    assert day.state.alerts == {}
