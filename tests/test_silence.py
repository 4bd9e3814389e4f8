"""The silence of the controller: told at its minute, also where nothing arrives at all (design 8.7), and not where
nobody waits for it, or where we did not listen.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import AlertRaised, Event, SchedulePublished, WorkflowDecided
from events.reports import DateNoted
from events.values import Severity
from statemachine.calendar import league_date, wall_instant
from statemachine.silence import REMEMBERED_DAYS, is_awaited, silent_at, still_known
from tests.driving import ControlDriver, games, moment, nba
from tests.scenes import HOUR, MINUTE, House, episode

ZONE = "America/New_York"
NOON = moment("2026-01-16T17:00Z")


def rises(events: list[Event]) -> dict[Severity, datetime]:
    """When the silence of the controller was told, by severity."""
    return {
        event.data.severity: event.recorded_at
        for event in events
        if isinstance(event.data, AlertRaised) and event.data.cause == "workflow_silent"
    }


def control(**dates: bool) -> ControlDriver:
    """A sport whose dates in January, named `d16`, have said whether they expect games; its last decision is at noon
    on the 16th."""
    driver = ControlDriver(nba())
    for name, expects in dates.items():
        driver.give(DateNoted(game_date=f"2026-01-{name[1:]}", expects=expects), NOON - HOUR)
    driver.decided("morning_operations", NOON)
    return driver


# --- it is told -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dates", [{}, {"d16": True}, {"d15": True}, {"d17": True}])
def test_on_a_day_of_games_or_one_nobody_told_of_beside_it_silence_is_told_at_its_minute(dates: dict[str, bool]):
    driver = control(**dates)
    driver.until(NOON + 5 * HOUR)

    assert rises(driver.events) == {"warning": NOON + HOUR, "critical": NOON + 2 * HOUR}


def test_it_is_told_though_no_message_arrives_at_all_and_ticks_are_all_that_happens():
    house = House()
    house.give(SchedulePublished(games=games("2026-01-17T00:00Z")), "2026-01-12T12:00Z")
    house.give(WorkflowDecided(workflow="betting_lines", action="SKIP"), NOON, stream="nba/control")
    for minute in range(1, 131):
        house.tick(NOON + minute * MINUTE)

    assert rises(house.events("nba/control")) == {"warning": NOON + HOUR, "critical": NOON + 2 * HOUR}


# --- it is not -------------------------------------------------------------------------------------------------------


def test_a_day_without_games_excuses_silence_and_the_next_day_of_games_begins_it_anew():
    driver = control(d16=False, d17=False, d18=True)
    driver.until("2026-01-19T12:00Z")

    begins = wall_instant("2026-01-18", 0, "00:00", ZONE)
    assert rises(driver.events) == {"warning": begins + HOUR, "critical": begins + 2 * HOUR}


@pytest.mark.parametrize("dates", [{"d16": False}, {"d16": False, "d17": False}, {"d20": True}, {"d12": True}])
def test_before_the_season_behind_it_and_where_no_game_is_left_nobody_waits(dates: dict[str, bool]):
    driver = control(**dates)
    driver.until(NOON + 20 * HOUR)

    assert rises(driver.events) == {}


def test_games_that_are_called_off_excuse_silence_from_then_on_and_games_that_are_added_end_the_excuse():
    driver = control(d16=True)
    driver.give(DateNoted(game_date="2026-01-16", expects=False), NOON + 30 * MINUTE)
    driver.until(NOON + 3 * HOUR)
    assert rises(driver.events) == {}

    driver.give(DateNoted(game_date="2026-01-16", expects=True), NOON + 3 * HOUR)
    driver.until(NOON + 3 * HOUR + MINUTE)
    assert set(rises(driver.events)) == {"warning", "critical"}


def test_the_dates_tell_their_sport_what_their_schedules_say():
    house = House()
    for at, status in (("2026-01-12T12:00Z", "scheduled"), ("2026-01-13T12:00Z", "postponed")):
        house.give(SchedulePublished(games=games("2026-01-17T00:00Z", status=status)), at)  # type: ignore[arg-type]
    house.give(SchedulePublished(games=()), "2026-01-13T13:00Z", stream="nba/2026-01-17")
    house.give(SchedulePublished(games=games("2026-01-17T00:00Z", status="postponed")), "2026-01-14T12:00Z")

    assert house.recorder.state("nba/control").dates == {"2026-01-16": False, "2026-01-17": False}
    noted = [e.data for e in house.events("nba/control") if isinstance(e.data, DateNoted)]
    assert [(data.game_date[-2:], data.expects) for data in noted] == [("16", True), ("16", False), ("17", False)]


@pytest.mark.parametrize("away", [21, 90, 5000])
def test_after_a_gap_between_our_own_ticks_the_hour_begins_when_they_come_again(away: int):
    driver = control()
    driver.tick(NOON + MINUTE)
    back = NOON + (1 + away) * MINUTE
    events = driver.tick(back)

    assert rises(events) == {}
    assert [e.data.cause for e in events if isinstance(e.data, AlertRaised)] == ["ticks_missed"]
    driver.until(back + 3 * HOUR)
    assert rises(driver.events) == {"warning": back + HOUR, "critical": back + 2 * HOUR}


def test_a_decision_that_was_on_its_way_meanwhile_makes_the_restart_nobodys_alarm():
    driver = control()
    driver.tick(NOON + MINUTE)
    back = NOON + 3 * HOUR
    driver.tick(back)
    for hour in range(10):
        driver.until(back + hour * HOUR)
        driver.decided("betting_lines", back + hour * HOUR + MINUTE)

    assert rises(driver.events) == {}


def test_a_second_gap_that_follows_the_first_at_once_is_a_gap_too():
    driver = control()
    driver.tick(NOON + MINUTE)
    driver.tick(NOON + 3 * HOUR)
    driver.tick(NOON + 6 * HOUR)
    driver.until(NOON + 6 * HOUR + 59 * MINUTE)

    assert rises(driver.events) == {}
    assert driver.state.listening_at == NOON + 6 * HOUR


def test_what_was_told_stays_open_over_idle_days_until_somebody_decides():
    driver = control(d16=True, d17=False, d18=False)
    driver.until("2026-01-18T20:00Z")
    alert = episode(driver.state, "workflow_silent")
    assert alert is not None
    assert alert.resolved_at is None

    driver.decided("betting_lines", "2026-01-18T21:00Z")
    ended = episode(driver.state, "workflow_silent")
    assert ended is not None
    assert ended.resolved_at == moment("2026-01-18T21:00Z")


# --- the rule itself -------------------------------------------------------------------------------------------------

DATES = st.none() | st.dictionaries(
    st.integers(0, 20).map(lambda day: f"2026-03-{day + 1:02}"), st.booleans(), max_size=12
)
"""March, with its change of the clocks on the 8th."""


@given(DATES, st.integers(0, 25 * 1440), st.integers(1, 200))
def test_silence_counts_on_awaited_days_only_never_before_its_time_and_never_on_an_idle_one(
    dates: dict[str, bool] | None, start: int, minutes: int
):
    since = moment("2026-03-01T05:00Z") + start * MINUTE
    due = silent_at(since, minutes, dates, ZONE)

    if due is None:
        assert dates is not None
        behind = [day for day, expects in dates.items() if expects and day > league_date(since, ZONE)]
        assert all(not is_awaited(day, dates) for day in (league_date(since + minutes * MINUTE, ZONE), *behind))
    else:
        assert due >= since + minutes * MINUTE
        assert dates is None or is_awaited(league_date(due, ZONE), dates)
        begins = wall_instant(league_date(due, ZONE), 0, "00:00", ZONE)
        assert due in (since + minutes * MINUTE, begins + minutes * MINUTE)


def test_dates_that_are_long_past_are_forgotten_and_the_season_ahead_is_not():
    now = moment("2026-01-16T12:00Z")
    days = [(now + timedelta(days=by)).date().isoformat() for by in range(-20, 200)]

    kept = still_known(dict.fromkeys(days, True), now)

    assert list(kept) == days[20 - REMEMBERED_DAYS :]
