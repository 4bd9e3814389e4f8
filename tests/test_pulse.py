"""Heartbeats: one row a run, silence that becomes a fact, and late beats that change nothing (design 4, 8.8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.catalogue import BeatRecorded, CompletionRecorded, Event, PulseChanged, SchedulePublished
from events.codec import derive_id
from statemachine.pulse import RUNS_MAX, PulseState, deadlines
from statemachine.streams import PULSE
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


# --- progress --------------------------------------------------------------------------------------------------------


def working(pulse: PulseDriver, minutes: range, progress: int | None, **said: Any) -> None:
    """A beat a minute that says how far the run is."""
    for minute in minutes:
        pulse.beat("raw", BEATING, LOADED + minute * MINUTE, progress=progress, **said)


def test_a_run_that_beats_and_does_not_move_hangs_at_its_limit_and_is_back_when_it_moves():
    pulse = PulseDriver(nba())
    working(pulse, range(30), 40)
    assert conditions(pulse.tick(LOADED + 1799 * SECOND)) == []
    told = pulse.tick(LOADED + 1800 * SECOND)
    working(pulse, range(31, 40), 40)
    assert conditions(pulse.tick(LOADED + 40 * MINUTE)) == []

    assert [e.data.still_since for e in told if isinstance(e.data, PulseChanged)] == [LOADED]
    assert conditions(pulse.beat("raw", BEATING, LOADED + 41 * MINUTE, progress=41)) == ["back"]
    working(pulse, range(42, 71), 41)
    assert conditions(pulse.tick(LOADED + 71 * MINUTE)) == ["hung"]


def test_a_run_that_hangs_and_then_falls_silent_is_stale_and_dead_as_any_other():
    pulse = PulseDriver(nba())
    working(pulse, range(31), 40)
    found = [c for minutes in (30, 35, 45) for c in conditions(pulse.tick(LOADED + minutes * MINUTE))]

    assert found == ["hung", "stale", "dead"]


def test_a_run_that_says_nothing_of_its_progress_is_never_said_to_hang():
    pulse = PulseDriver(nba())
    working(pulse, range(600), None)

    assert conditions(pulse.tick(LOADED + 600 * MINUTE)) == []
    assert {name.partition(":")[0] for _at, name in deadlines(pulse.state, nba())} == {"stale", "dead"}


def test_a_run_that_is_silent_is_not_said_to_hang_however_late_somebody_looks():
    pulse = PulseDriver(nba())
    pulse.beat("raw", BEATING, LOADED, progress=1)

    assert conditions(pulse.tick(LOADED + 9000 * SECOND)) == ["stale", "dead"]


def test_a_definition_that_sets_no_limit_says_of_no_run_that_it_hangs():
    pulse = PulseDriver(replace(nba(), alerts=replace(nba().alerts, beat_hung_seconds=None)))
    working(pulse, range(100), 40)

    assert conditions(pulse.tick(LOADED + 100 * MINUTE)) == []


@pytest.mark.parametrize(
    ("said", "hangs"),
    [
        ([(29, 40)], True),
        ([(29, 41)], False),
        ([(29, 3)], False),
        ([(-5, 3)], True),
        ([(29, 41), (-5, 3)], False),
    ],
    ids=["a duplicate", "more", "it began again", "an old beat comes late", "an old beat after one that moved"],
)
def test_only_what_the_run_says_anew_is_progress(said: list[tuple[int, int]], hangs: bool):
    pulse = PulseDriver(nba())
    working(pulse, range(29), 40)
    for minute, progress in said:
        beat = BeatRecorded(
            phase="raw", published_name=BEATING, beat_at=LOADED + minute * MINUTE, run="run-1", progress=progress
        )
        pulse.give(beat, LOADED + 29 * MINUTE)

    assert conditions(pulse.tick(LOADED + 30 * MINUTE)) == (["hung"] if hangs else [])


# --- no false alarm, and none that is late ---------------------------------------------------------------------------


SENT = st.lists(st.tuples(st.integers(1, 90), st.integers(0, 3), st.integers(0, 150)), min_size=1, max_size=40)
"""Beats: so many seconds after the one before, so much progress, so many seconds on its way."""

TICK = 60


def arrivals(sent: list[tuple[int, int, int]], skew: int) -> list[tuple[int, int, int]]:
    """When each beat comes (seconds), when its sender says it beat, and how far it says it is; late ones overtaken."""
    found, clock, progress = [], 0, 0
    for gap, step, delay in sent:
        clock, progress = clock + gap, progress + step
        found.append((clock + delay, clock + skew, progress))
    return sorted(found)


@given(SENT, st.integers(-90_000, 90_000), st.booleans(), st.integers(0, 59))
def test_a_run_is_called_silent_or_hung_only_when_it_is_and_within_one_tick(
    sent: list[tuple[int, int, int]], skew: int, doubled: bool, phase: int
):
    """Whatever the delays, the order of arrival, doubles and the sender's clock: what is said of a run is what its
    beats, as they came, say at the last tick; and no tick later."""
    rules = nba().alerts
    assert rules.beat_hung_seconds is not None
    coming = arrivals(sent, skew)
    coming = sorted([*coming, *coming]) if doubled else coming
    pulse = PulseDriver(nba())
    beaten, moved, most, told = 0, 0, -1, "running"
    last = coming[-1][0] + rules.beat_hung_seconds + 2 * TICK
    for now in range(phase, last, TICK):
        while coming and coming[0][0] <= now:
            at, said_at, progress = coming.pop(0)
            pulse.give(
                BeatRecorded(
                    phase="raw",
                    published_name=BEATING,
                    beat_at=LOADED + said_at * SECOND,
                    run="r",
                    progress=progress,
                    total=99,
                ),
                LOADED + at * SECOND,
            )
            beaten = at
            moved, most = (at, progress) if progress > most else (moved, most)
        pulse.tick(LOADED + now * SECOND)
        if not pulse.state.runs:
            continue
        [row] = pulse.state.runs.values()
        told = row.condition
        silence, still = now - beaten, now - moved
        if silence >= rules.beat_dead_seconds:
            assert told == "dead"
        elif silence >= rules.beat_stale_seconds:
            assert told == "stale"
        elif still >= rules.beat_hung_seconds:
            assert told == "hung"
        else:
            assert told == "running"
    assert told == "dead"


@given(SENT, st.integers(-9000, 9000), st.integers(0, 1500))
def test_beats_that_come_after_a_run_has_ended_change_nothing_whatever_they_say(
    sent: list[tuple[int, int, int]], skew: int, later: int
):
    pulse = PulseDriver(nba())
    pulse.beat("raw", BEATING, LOADED, run="r", progress=5)
    pulse.beat("raw", BEATING, LOADED + SECOND, run="r", ended="success")
    before = pulse.state.runs
    for at, said_at, progress in arrivals(sent, skew):
        beat = BeatRecorded(
            phase="raw", published_name=BEATING, beat_at=LOADED + said_at * SECOND, run="r", progress=progress
        )
        pulse.give(beat, LOADED + (1 + at) * SECOND)
        pulse.tick(LOADED + (1 + at + later) * SECOND)

    assert pulse.state.runs == before
    assert conditions(pulse.events) == []


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


def test_a_run_that_hangs_is_told_to_its_date_and_the_alert_ends_when_it_moves(house: House):
    for minute in range(1, 31):
        house.give(_beat(progress=7, total=9), LOADED + minute * MINUTE, stream=f"{DATE}/pulse")
    house.recorder.tick(LOADED + 31 * MINUTE)
    told = episode(house.state, "processor_hung", NAME)
    said = replace(_beat(progress=8, total=9), beat_at=LOADED + 32 * MINUTE)
    house.give(said, LOADED + 32 * MINUTE, stream=f"{DATE}/pulse")
    ended = episode(house.state, "processor_hung", NAME)

    assert told is not None
    assert (told.severity, told.raised_at) == ("warning", LOADED + 31 * MINUTE)
    assert "stood still" in told.detail
    assert ended is not None
    assert ended.resolved_at == LOADED + 32 * MINUTE


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

    pulse = PulseState(stream=f"{DATE}/pulse")
    told = PULSE.follow_ups(pulse, [event], pulse)

    assert [(fact.stream, fact.id, fact.data) for fact in told] == [(DATE, derive_id("e7", "follow-up"), data)]
    assert moment(PUBLISHED) < told[0].occurred_at
