"""Which cycle a message belongs to, what counts before it opens, and what the date as a whole is (decision 4)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.catalogue import CompletionRecorded
from statemachine.decide import status_of
from statemachine.state import CycleState
from tests.driving import Driver, moment, nba
from tests.scenes import (
    ANALYTICS,
    GOOD_RAW,
    HOUR,
    LOADED,
    MINUTE,
    OPENED,
    PUBLISHED,
    RAW,
    SCRAPERS,
    cycle,
    in_analytics,
    moves,
    raw_blocked,
    scheduled,
)


def belongs(day: Driver, phase: str, name: str, at: str) -> str | None:
    """The cycle under which a completion was recorded."""
    events = day.complete(phase, name, at)
    return next(event.data.cycle for event in events if isinstance(event.data, CompletionRecorded))


@pytest.mark.parametrize(
    ("phase", "at", "found"),
    [
        ("analytics", "2026-01-16T04:59Z", "tomorrow"),
        ("analytics", "2026-01-16T05:00Z", "same_day"),
        ("analytics", "2026-01-17T04:59Z", "same_day"),
        ("analytics", "2026-01-17T05:00Z", "overnight"),
        ("raw", "2026-01-15T12:00Z", "overnight"),
        ("raw", "2026-01-16T23:00Z", "overnight"),
        ("grading", "2026-01-16T12:00Z", "overnight"),
        ("predictions", "2026-01-15T12:00Z", "tomorrow"),
        ("predictions", "2026-01-17T12:00Z", "same_day"),
    ],
)
def test_a_message_belongs_to_the_cycle_of_its_receive_time_that_has_its_phase(phase: str, at: str, found: str):
    name = next(processor.name for processor in nba().processors if processor.phase == phase)

    assert belongs(Driver(nba()), phase, name, at) == found


def test_games_that_end_early_open_the_overnight_cycle_before_midnight_and_it_takes_what_comes_then():
    day = Driver(nba())
    day.schedule(PUBLISHED, "2026-01-16T18:00Z")
    opened = moment("2026-01-16T20:15Z")
    day.until(opened)
    assert cycle(day).state == "scrape_waiting"

    assert belongs(day, "analytics", "player_game_summary", "2026-01-16T21:00Z") == "overnight"
    assert belongs(day, "predictions", "PredictionCoordinator", "2026-01-16T21:01Z") == "same_day"
    day.complete_all("scrape", SCRAPERS, opened + HOUR)
    day.complete_all("raw", RAW, opened + HOUR)
    day.measure("raw_to_analytics", opened + HOUR, games_with_box_score=1, games_without_active_players=0)
    day.complete_all("analytics", ANALYTICS, opened + 2 * HOUR)

    assert cycle(day).state == "analytics_gate"


def test_before_the_overnight_cycle_opens_the_same_message_is_the_same_days():
    day = Driver(nba())
    day.schedule(PUBLISHED, "2026-01-16T18:00Z")
    day.until("2026-01-16T20:14Z")

    assert belongs(day, "analytics", "player_game_summary", "2026-01-16T20:14Z") == "same_day"


def test_what_a_cycle_hears_before_it_opens_moves_nothing_and_counts_when_it_does():
    day = scheduled()
    early = OPENED - 2 * HOUR
    day.complete_all("scrape", SCRAPERS, early)
    day.complete_all("raw", RAW, early)
    assert "overnight" not in day.state.cycles

    day.until(OPENED)

    assert [move.dest for move in moves(day)] == [
        *("scrape_waiting", "scrape_running", "scrape_gate"),
        *("raw_waiting", "raw_running", "raw_gate"),
    ]


def test_the_time_of_a_wait_does_not_run_before_its_cycle_opens():
    day = scheduled()
    day.complete("scrape", SCRAPERS[0], OPENED - 5 * HOUR)
    day.until(OPENED + 29 * MINUTE)
    assert cycle(day).state == "scrape_running"

    day.until(OPENED + 30 * MINUTE)

    assert cycle(day).state == "raw_waiting"


# --- the date as a whole ---------------------------------------------------------------------------------------------


def test_a_clock_that_comes_days_late_opens_every_cycle_and_the_date_is_what_its_last_cycle_is():
    day = scheduled()
    day.tick(OPENED + HOUR)

    opened = {at.opened_at for at in day.state.cycles.values()}
    assert len(day.state.cycles) == 3
    assert opened == {OPENED + HOUR}
    assert day.state.status == "active"
    parked = replace(day.state.cycles["tomorrow"], state="parked")
    assert status_of(replace(day.state, cycles={**day.state.cycles, "tomorrow": parked}), nba())[0] == "active"


@pytest.mark.parametrize(
    ("overnight", "status"),
    [
        (("scrape_waiting", "scrape"), "active"),
        (("raw_blocked", "raw"), "blocked"),
        (("parked", "raw"), "parked"),
        (("done", "grading"), "complete"),
    ],
)
def test_the_status_of_a_date_is_that_of_the_latest_cycle_that_opened(overnight: tuple[str, str], status: str):
    state, phase = overnight
    day = scheduled()
    early = CycleState(state="parked", phase="analytics", opened_at=LOADED - 40 * HOUR)
    late = CycleState(state=state, phase=phase, opened_at=LOADED)

    assert status_of(replace(day.state, cycles={"overnight": late, "tomorrow": early}), nba())[0] == status


def test_a_date_whose_first_cycles_are_done_is_not_complete():
    done = CycleState(state="done", phase="publishing", opened_at=LOADED)

    assert status_of(replace(scheduled().state, cycles={"same_day": done}), nba())[0] == "active"


# --- what a state remembers ------------------------------------------------------------------------------------------


def test_a_date_that_is_blocked_for_a_week_remembers_no_more_than_one_that_is_blocked_for_a_day():
    day, week = raw_blocked(), raw_blocked()
    day.until(OPENED + 24 * HOUR)
    week.until(OPENED + 167 * HOUR)

    assert len(week.events) > len(day.events) + 100
    assert len(week.state.elapsed) <= len(day.state.elapsed) + 4


def test_what_was_due_in_a_phase_is_forgotten_with_the_phase_and_never_due_again():
    day = in_analytics()

    mine = [name for name in day.state.elapsed if ":overnight:" in name]
    assert mine == []
    assert "open:overnight" in day.state.elapsed
    assert not [name for name in day.state.elapsed if ":scrape:" in name or ":raw:" in name]


def test_the_measures_that_a_cycle_waits_for_may_come_before_it_does():
    day = scheduled()
    day.measure("raw_to_analytics", OPENED - 5 * MINUTE, **GOOD_RAW)
    day.complete_all("scrape", SCRAPERS, OPENED - MINUTE)
    day.complete_all("raw", RAW, OPENED - MINUTE)

    day.until(OPENED)

    assert cycle(day).state == "analytics_waiting"
