"""League time: game dates begin and end at midnight in New York, on days of 23, 24 and 25 hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachine.calendar import (
    RECEIVED,
    has_come,
    iso,
    league_date,
    midnight_ending,
    next_date,
    wall_from_midnight,
    wall_instant,
)
from statemachine.opening import opens_at, parks_at
from tests.driving import Driver, moment, nba

EASTERN = "America/New_York"
dates = st.dates(date(2025, 10, 1), date(2026, 6, 30)).map(date.isoformat)
instants = st.integers(0, 270 * 1440).map(
    lambda minutes: datetime(2025, 10, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])))
def test_an_instant_is_written_as_the_standard_library_writes_it(at):
    assert iso(at) == at.isoformat()


@given(instants)
def test_an_instant_belongs_to_exactly_one_league_date(now):
    today = league_date(now, EASTERN)
    assert has_come("on", today, now, EASTERN)
    assert not has_come("after", today, now, EASTERN)
    assert not has_come("on", next_date(today), now, EASTERN)
    yesterday = (date.fromisoformat(today) - timedelta(days=1)).isoformat()
    assert has_come("after", yesterday, now, EASTERN)


@given(dates)
def test_a_date_begins_where_the_one_before_ends(game_date):
    assert midnight_ending(game_date, EASTERN) == wall_instant(next_date(game_date), 0, "00:00", EASTERN)


@given(dates, st.integers(-2880, 2880))
def test_minutes_from_midnight_are_read_off_the_wall(game_date, minutes):
    wall = wall_from_midnight(game_date, minutes, EASTERN).astimezone(ZoneInfo(EASTERN)).replace(tzinfo=None)
    expected = datetime.fromisoformat(next_date(game_date)) + timedelta(minutes=minutes)
    assert wall - expected in (timedelta(), timedelta(hours=1)), "an hour that is skipped in spring is read as the next"


@pytest.mark.parametrize(
    ("game_date", "hours"),
    [("2025-11-01", 24), ("2025-11-02", 25), ("2026-03-08", 23), ("2026-03-09", 24)],
)
def test_the_days_of_the_clock_changes_have_their_real_length(game_date, hours):
    length = midnight_ending(game_date, EASTERN) - wall_instant(game_date, 0, "00:00", EASTERN)
    assert length == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("game_date", "tomorrow", "same_day"),
    [
        ("2025-11-02", "2025-11-01T21:00Z", "2025-11-02T15:30Z"),
        ("2025-11-03", "2025-11-02T22:00Z", "2025-11-03T15:30Z"),
        ("2026-03-08", "2026-03-07T22:00Z", "2026-03-08T14:30Z"),
        ("2026-03-09", "2026-03-08T21:00Z", "2026-03-09T14:30Z"),
    ],
)
def test_the_cycles_before_the_games_open_at_17_00_and_10_30_on_the_wall_around_both_clock_changes(
    game_date, tomorrow, same_day
):
    state = Driver(nba(), f"nba/{game_date}").state
    opened = {cycle.name: opens_at(state, nba(), cycle) for cycle in nba().cycles}
    assert opened["tomorrow"] == moment(tomorrow)
    assert opened["same_day"] == moment(same_day)


def test_a_game_that_begins_after_midnight_is_its_schedule_dates_and_opens_the_night_after_it():
    day = Driver(nba(), "nba/2026-01-16")
    day.schedule("2026-01-15T12:00Z", "2026-01-17T00:00Z", "2026-01-17T05:30Z")
    overnight = nba().cycle_of["overnight"]
    assert league_date(moment("2026-01-17T05:30Z"), EASTERN) == "2026-01-17"
    assert opens_at(day.state, nba(), overnight) == moment("2026-01-17T07:45Z")
    assert parks_at(day.state, nba(), overnight) == moment("2026-01-24T07:45Z")


@pytest.mark.parametrize(
    ("now", "when"),
    [
        ("2026-01-16T04:59:59Z", "before"),
        ("2026-01-16T05:00:00Z", "on"),
        ("2026-01-17T04:59:59Z", "on"),
        ("2026-01-17T05:00:00Z", "after"),
    ],
)
def test_midnight_in_new_york_is_the_edge_and_belongs_to_the_new_date(now, when):
    assert [time for time in RECEIVED if has_come(time, "2026-01-16", moment(now), EASTERN)][-1] == when
