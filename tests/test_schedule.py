"""Schedules are events: what is expected moves, and a date follows (incidents 0.8, I8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.catalogue import SchedulePublished
from events.values import Game
from statemachine.state import expected_count
from tests.driving import Driver, games, moment, nba

TIPS = ("2026-01-17T00:00Z", "2026-01-17T02:00Z", "2026-01-17T03:00Z")
BEFORE = "2026-01-15T12:00Z"


def opened() -> Driver:
    day = Driver(nba())
    day.schedule(BEFORE, *TIPS)
    return day


def last_changes(day: Driver) -> tuple[str, ...]:
    return [event.data for event in day.events if isinstance(event.data, SchedulePublished)][-1].changes


def test_the_same_schedule_again_appends_nothing():
    day = opened()
    assert day.schedule("2026-01-15T13:00Z", *TIPS) == []


@given(st.permutations(games(*TIPS)))
def test_the_order_of_games_in_a_publication_means_nothing(listed):
    day = opened()
    assert day.give(SchedulePublished(games=tuple(listed)), "2026-01-15T13:00Z") == []


@pytest.mark.parametrize("status", ["postponed", "cancelled", "moved"])
def test_a_game_that_is_off_lowers_the_expectation_and_says_so(status):
    day = opened()
    gone = Game(game_id="game_2", status=status, moved_to="2026-01-20" if status == "moved" else None)
    day.give(SchedulePublished(games=(gone,), partial=True), "2026-01-16T20:00Z")
    where = " to 2026-01-20" if status == "moved" else ""
    assert last_changes(day) == (f"{status} game_2{where}",)
    assert expected_count(day.state) == 2
    assert day.state.games["game_2"].home == "H2"


def test_a_game_that_a_full_schedule_no_longer_names_is_off_the_date():
    day = opened()
    day.schedule("2026-01-16T12:00Z", *games(*TIPS)[:2])
    assert last_changes(day) == ("removed game_3",)
    assert expected_count(day.state) == 2


def test_added_and_retimed_games_are_named_and_expected():
    day = opened()
    first, *rest = games(*TIPS)
    later = replace(first, start_utc=moment("2026-01-17T00:30Z"))
    day.schedule("2026-01-16T12:00Z", later, *rest, Game(game_id="extra"))
    assert last_changes(day) == ("retimed game_1 to 2026-01-17T00:30:00+00:00", "added extra")
    assert expected_count(day.state) == 4


def test_an_older_publication_is_kept_and_not_believed():
    day = Driver(nba())
    day.schedule(BEFORE, *TIPS, as_of=moment("2026-01-15T12:00Z"))
    day.schedule("2026-01-15T13:00Z", TIPS[0], as_of=moment("2026-01-14T12:00Z"))
    said = day.events[-1].data
    assert isinstance(said, SchedulePublished)
    assert said.disregarded is not None
    assert "older" in said.disregarded
    assert expected_count(day.state) == 3


def test_a_publication_that_names_a_game_twice_is_kept_and_not_believed():
    day = opened()
    twice = (*games(*TIPS), games(*TIPS)[0])
    day.give(SchedulePublished(games=twice), "2026-01-15T13:00Z")
    said = day.events[-1].data
    assert isinstance(said, SchedulePublished)
    assert said.disregarded == "names a game twice: game_1"
    assert expected_count(day.state) == 3


def test_a_date_whose_last_game_goes_ends_as_no_games_and_wakes_when_one_comes_back():
    day = Driver(nba())
    day.schedule(BEFORE, TIPS[0])
    day.give(SchedulePublished(games=(Game(game_id="game_1", status="postponed"),), partial=True), "2026-01-16T20:00Z")
    assert day.state.status == "no_games"
    assert day.until("2026-01-25T00:00Z") == []
    day.give(SchedulePublished(games=games(TIPS[0])), "2026-01-25T00:00Z")
    assert day.state.status != "no_games"


def test_a_blocked_gate_is_judged_anew_when_the_missing_game_is_postponed():
    day = opened()
    day.until("2026-01-17T05:15Z")
    raw = ["BdlBoxscoresProcessor", "NbacGamebookProcessor", "NbacPlayerBoxscoreProcessor", "OddsApiGameLinesProcessor"]
    day.complete_all("scrape", ["bdl_box_scores", "nbac_player_boxscore", "nbac_gamebook_pdf"], "2026-01-17T06:06Z")
    day.complete_all("raw", raw, "2026-01-17T06:10Z")
    day.measure("raw_to_analytics", "2026-01-17T06:11Z", games_with_box_score=2, games_without_active_players=0)
    assert day.state.cycles["overnight"].state == "raw_blocked"

    gone = Game(game_id="game_3", status="postponed")
    day.give(SchedulePublished(games=(gone,), partial=True), "2026-01-17T06:20Z")

    assert day.state.cycles["overnight"].state == "analytics_waiting"
    assert day.state.gates["raw_to_analytics@overnight"].evaluation.outcome == "pass"
