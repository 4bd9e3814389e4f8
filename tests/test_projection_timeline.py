"""The timeline has a plain sentence for everything that can be stored, and names the cause of every consequence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.catalogue import (
    AlertRaised,
    CommandRequested,
    CompletionRecorded,
    DeadlineElapsed,
    GateEvaluated,
    MessageRejected,
    PhaseMoved,
    SchedulePublished,
)
from events.values import Check
from projections.ahead import deadline_words
from projections.sentences import SENTENCES, check_words, sentence
from projections.timeline import timeline
from projections.wording import instant, listed, number
from tests.driving import ControlDriver, Driver, games, moment, nba
from tests.projection_histories import EVERY_TYPE, data_of, histories


def test_every_type_of_the_catalogue_has_a_sentence():
    assert SENTENCES.keys() == set(EVERY_TYPE)


@pytest.mark.parametrize("kind", EVERY_TYPE, ids=lambda kind: kind.__name__)
def test_any_data_of_a_type_can_be_said_in_one_line(kind):
    @settings(max_examples=20)
    @given(data_of(kind))
    def said(data):
        assert len(sentence(data).splitlines()) == 1

    said()


@settings(max_examples=30)
@given(histories())
def test_every_event_is_one_entry_and_every_consequence_names_an_earlier_input(driver: Driver):
    entries = timeline(driver.events)

    assert [entry.version for entry in entries] == [event.version for event in driver.events]
    by_version = {event.version: event for event in driver.events}
    for event, entry in zip(driver.events, entries, strict=True):
        if event.causation is None:
            assert entry.caused_by is None
        else:
            assert entry.caused_by is not None
            assert entry.caused_by < entry.version
            assert by_version[entry.caused_by].id == event.causation


@given(st.text())
def test_a_deadline_of_any_name_can_be_said(name: str):
    assert isinstance(deadline_words(name), str)


@settings(max_examples=20)
@given(histories())
def test_the_deadlines_that_the_core_names_are_said_in_words(driver: Driver):
    for event in driver.events:
        if isinstance(event.data, DeadlineElapsed):
            words = deadline_words(event.data.name)
            assert words != event.data.name
            assert "{" not in words


def test_the_deadlines_of_the_control_stream_are_said_in_words():
    control = ControlDriver(nba())
    control.decided("betting_lines", "2026-01-17T06:00Z")
    control.until("2026-01-17T09:00Z")

    said = [e.summary for e in timeline(control.events) if e.type == "deadline_elapsed"]

    assert said == [
        "deadline of 2026-01-17 07:00 UTC: the controller's silence becomes warning",
        "deadline of 2026-01-17 08:00 UTC: the controller's silence becomes critical",
    ]


def test_a_completion_that_counts_for_nothing_says_so():
    driver = Driver(nba())
    driver.complete("raw", "NobodyKnowsProcessor", "2026-01-17T06:00Z", run="r7")

    assert "in no registry, so it counts for nothing" in timeline(driver.events)[1].summary


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            CompletionRecorded(
                phase="raw", published_name="X", processor="x", status="failed", error_message="no\ndisk"
            ),
            "x (raw) failed: no disk",
        ),
        (
            SchedulePublished(games=games("2026-01-17T00:00Z"), disregarded="older than the one in force"),
            "schedule of 1 game disregarded: older than the one in force",
        ),
        (
            PhaseMoved(
                cycle="overnight",
                source="raw_running",
                trigger="ready",
                dest="raw_gate",
                phase="raw",
                reason="deadline_exceeded",
                missing=("p2_bdl_box_scores",),
            ),
            "overnight: raw_running → raw_gate (ready: deadline_exceeded); missing p2_bdl_box_scores",
        ),
        (
            AlertRaised(cause="gate_blocked", severity="critical", detail="5 of 7", subject="raw_to_analytics"),
            "alert critical: gate_blocked (raw_to_analytics): 5 of 7",
        ),
        (
            MessageRejected(code="not_json", reason="cut short", topic="t", message_id="m1", size=1, data="ew=="),
            "message m1 on t rejected (not_json): cut short; 1 byte",
        ),
        (
            CommandRequested(
                command_id="c", kind="trigger", topic="t", payload={}, ordering_key="o", phase="analytics", attempt=2
            ),
            "trigger analytics commanded on t, attempt 2",
        ),
    ],
)
def test_a_sentence_says_the_facts_of_its_event(data, said):
    assert sentence(data) == said


def test_a_gate_in_warning_mode_says_what_blocking_would_have_done():
    check = Check(check="completion", measured=60.0, warn=None, block=80.0, verdict="block", basis="x")
    data = GateEvaluated(
        gate="g", cycle="c", mode="warning", outcome="warn", blocking_outcome="block", checks=(check,), definition="d"
    )

    assert sentence(data) == "gate g (c) warn in mode warning (blocking would block): completion is 60 (x), below 80"


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (
            Check(check="a", measured=5 / 7, warn=1.0, block=0.8, verdict="block", basis="5 of 7"),
            "0.714 (5 of 7), below 0.8",
        ),
        (Check(check="a", measured=0.79999, warn=1.0, block=0.8, verdict="block", basis="b"), "0.79999 (b), below 0.8"),
        (Check(check="a", measured=50.01, warn=5.0, block=50.0, verdict="block", basis="b"), "50.01 (b), above 50"),
        (Check(check="a", measured=69.07, warn=70.0, block=65.0, verdict="warn", basis="b"), "69.07 (b), below 70"),
        (Check(check="a", measured=2.0, warn=None, block=None, verdict="block", basis="2 of 5"), "2 (2 of 5): block"),
    ],
)
def test_a_check_names_its_number_and_the_threshold_on_the_right_side(check: Check, said: str):
    assert check_words(check) == f"a is {said}"


def test_a_check_that_could_not_be_measured_has_no_number():
    check = Check(check="a", measured=None, warn=1.0, block=0.8, verdict="error", basis="b", error="timeout")

    assert check_words(check) == "a could not be measured: timeout"


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_number_is_never_written_like_the_threshold_that_it_missed(value: float, threshold: float):
    written, beside = number(value, threshold), number(threshold, value)

    assert (written == beside) == (value == threshold)


def test_an_unknown_number_is_unknown_and_not_zero():
    assert number(None) == "unknown"


def test_an_instant_is_said_in_utc_with_league_time_in_brackets():
    assert instant(moment("2026-01-17T11:16Z"), "America/New_York") == "2026-01-17 11:16 UTC (06:16 EST)"
    assert (
        instant(moment("2026-01-17T03:00:09Z"), "America/New_York")
        == "2026-01-17 03:00:09 UTC (2026-01-16 22:00:09 EST)"
    )


def test_a_long_list_is_counted_at_its_end():
    assert listed(str(n) for n in range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … and 2 more"
