"""Schedules: what a publication changes, which are not believed, and what follows (design 4; incident I8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import SchedulePublished
from events.values import Game
from statemachine.opening import opens_at, parks_at
from statemachine.schedule import compare
from statemachine.state import OFF_DATE, expected_count, expected_games, open_alerts
from tests.driving import Driver, games, moment, nba
from tests.scenes import (
    HOUR,
    MEASURED,
    MINUTE,
    OPENED,
    PUBLISHED,
    TIPS,
    at_raw_gate,
    cycle,
    episode,
    evaluations,
    opened,
    raw_blocked,
    scheduled,
)

LATER = moment(PUBLISHED) + HOUR
OVERNIGHT = nba().cycle_of["overnight"]


def said(day: Driver) -> list[SchedulePublished]:
    return [event.data for event in day.events if isinstance(event.data, SchedulePublished)]


def test_a_date_of_which_no_schedule_is_known_expects_an_unknown_number_of_games_and_not_none():
    day = Driver(nba())

    assert expected_count(day.state) is None
    assert day.state.status == "scheduled"
    day.schedule(LATER)
    assert expected_count(day.state) == 0
    assert day.state.status == "no_games"


def test_the_first_publication_names_every_game_as_added():
    assert said(scheduled())[0].changes == ("added game_1", "added game_2")


def test_a_publication_that_changes_nothing_is_no_event():
    day = scheduled()

    assert day.schedule(LATER, *TIPS) == []


@given(st.permutations(games(*TIPS, TIPS[0])))
def test_the_order_of_games_in_a_publication_means_nothing(listed: list[Game]):
    day = Driver(nba())
    day.schedule(PUBLISHED, *TIPS, TIPS[0])

    assert day.schedule(LATER, *listed) == []


@pytest.mark.parametrize(
    ("game", "change"),
    [
        (Game(game_id="game_1", status="postponed"), "postponed game_1"),
        (Game(game_id="game_1", status="moved", moved_to="2026-01-29"), "moved game_1 to 2026-01-29"),
        (Game(game_id="game_1", status="cancelled"), "cancelled game_1"),
        (Game(game_id="game_1", status="final"), "final game_1"),
        (Game(game_id="game_3", start_utc=moment(TIPS[0])), "added game_3"),
        (
            Game(game_id="game_1", start_utc=moment(TIPS[0]) + HOUR),
            "retimed game_1 to 2026-01-17T01:00:00+00:00",
        ),
    ],
)
def test_a_change_is_said_in_words(game: Game, change: str):
    day = scheduled()
    day.schedule(LATER, game, partial=True)

    assert said(day)[-1].changes == (change,)


def test_a_known_game_that_a_whole_schedule_leaves_out_is_off_the_date_and_a_partial_one_leaves_it_alone():
    whole, partial = scheduled(), scheduled()
    only = games(TIPS[0])[0]

    whole.schedule(LATER, only)
    partial.schedule(LATER, only, partial=True)

    assert said(whole)[-1].changes == ("removed game_2",)
    assert expected_count(whole.state) == 1
    assert expected_count(partial.state) == 2


def test_a_game_that_was_taken_off_comes_back_when_it_is_published_again():
    day = scheduled()
    day.schedule(LATER, games(TIPS[0])[0])
    day.schedule(LATER + HOUR, *TIPS)

    assert said(day)[-1].changes == ("scheduled game_2",)
    assert expected_count(day.state) == 2


def test_what_a_publication_leaves_out_of_a_game_stays_known():
    day = scheduled()
    day.schedule(LATER, Game(game_id="game_1", status="live"), partial=True)

    game = day.state.games["game_1"]
    assert (game.away, game.home, game.start_utc, game.status) == ("A1", "H1", moment(TIPS[0]), "live")


def test_an_older_publication_does_not_undo_a_newer_one_and_is_kept_with_the_reason():
    day = Driver(nba())
    day.schedule(PUBLISHED, *TIPS, as_of=moment(PUBLISHED))

    day.schedule(LATER, TIPS[0], as_of=moment(PUBLISHED) - MINUTE)

    assert expected_count(day.state) == 2
    assert said(day)[-1].changes == ()
    assert "older than the schedule in force" in (said(day)[-1].disregarded or "")


def test_a_publication_that_names_a_game_twice_contradicts_itself_and_is_disregarded():
    day = scheduled()
    twice = Game(game_id="game_1", status="postponed")

    day.schedule(LATER, twice, games(TIPS[0])[0])

    assert "game_1" in (said(day)[-1].disregarded or "")
    assert expected_count(day.state) == 2


# --- what follows ----------------------------------------------------------------------------------------------------


def test_the_overnight_cycle_opens_with_the_last_tip_off_that_is_still_expected():
    day = scheduled()
    assert opens_at(day.state, nba(), OVERNIGHT) == moment(TIPS[1]) + timedelta(minutes=135)

    day.schedule(LATER, Game(game_id="game_2", status="postponed"), partial=True)

    assert opens_at(day.state, nba(), OVERNIGHT) == moment(TIPS[0]) + timedelta(minutes=135)
    assert parks_at(day.state, nba(), OVERNIGHT) == moment(TIPS[0]) + timedelta(minutes=135, hours=168)


def test_where_no_tip_off_is_known_the_overnight_cycle_opens_at_midnight():
    day = Driver(nba())
    day.schedule(PUBLISHED, Game(game_id="tba"))

    assert opens_at(day.state, nba(), OVERNIGHT) == moment("2026-01-17T05:00Z")


def test_a_delayed_game_delays_the_opening_of_a_cycle_that_is_not_open_yet():
    day = scheduled()
    day.until(moment(TIPS[1]))

    day.schedule(moment(TIPS[1]), Game(game_id="game_2", start_utc=moment(TIPS[1]) + HOUR), partial=True)
    day.until(OPENED + HOUR - MINUTE)
    assert "overnight" not in day.state.cycles
    day.until(OPENED + HOUR)

    assert cycle(day).state == "scrape_waiting"


def test_a_delay_published_after_the_opening_closes_nothing():
    day = opened()
    before = cycle(day)
    day.schedule(OPENED + MINUTE, Game(game_id="game_2", start_utc=moment(TIPS[1]) + 9 * HOUR), partial=True)

    assert cycle(day) == before


def test_a_blocked_gate_is_looked_at_again_when_its_expectation_changes():
    day = raw_blocked()

    day.schedule(MEASURED + MINUTE, Game(game_id="game_2", status="postponed"), partial=True)

    assert [e.outcome for e in evaluations(day, "raw_to_analytics")] == ["block", "pass"]
    blocked = episode(day.state, "gate_blocked", "raw_to_analytics")
    assert blocked is not None
    assert blocked.resolved_at == MEASURED + MINUTE


def test_a_gate_that_waits_for_its_measures_judges_them_by_the_schedule_of_the_moment_they_come():
    day = at_raw_gate()
    day.schedule(MEASURED - MINUTE / 2, Game(game_id="game_2", status="postponed"), partial=True)
    day.measure("raw_to_analytics", MEASURED, games_with_box_score=1, games_without_active_players=0)

    assert evaluations(day, "raw_to_analytics")[-1].outcome == "pass"


def test_more_box_scores_than_games_are_an_anomaly_that_warns():
    day = at_raw_gate()
    day.measure("raw_to_analytics", MEASURED, games_with_box_score=3, games_without_active_players=0)

    evaluation = evaluations(day, "raw_to_analytics")[-1]
    coverage = next(check for check in evaluation.checks if check.check == "box_score_coverage")
    assert (coverage.verdict, coverage.measured, evaluation.outcome) == ("warn", 1.5, "warn")
    assert "more than expected" in coverage.basis


def test_when_the_last_game_goes_out_the_date_ends_without_games_whatever_was_going_on():
    day = raw_blocked()
    before = len(day.commands)

    day.schedule(MEASURED + MINUTE)

    assert day.state.status == "no_games"
    assert day.until(MEASURED + 900 * HOUR) == []
    assert len(day.commands) == before
    blocked = episode(day.state, "gate_blocked", "raw_to_analytics")
    assert blocked is not None
    assert blocked.resolved_at == MEASURED + MINUTE
    assert open_alerts(day.state) == []


def test_a_date_to_which_a_game_moves_in_wakes_up_again():
    day = Driver(nba())
    day.schedule(PUBLISHED)
    assert day.state.status == "no_games"

    day.schedule(LATER, Game(game_id="moved_in", start_utc=moment(TIPS[0])), partial=True)
    assert day.state.status == "scheduled"
    day.until(OPENED)

    assert cycle(day).state == "scrape_waiting"


STATUSES: Any = st.sampled_from(["scheduled", "live", "final", "postponed", "moved", "cancelled"])
LISTED = st.lists(
    st.builds(Game, game_id=st.sampled_from("abcd"), status=STATUSES, start_utc=st.none() | st.just(moment(TIPS[0]))),
    max_size=4,
    unique_by=lambda game: game.game_id,
).map(tuple)


@given(st.lists(st.tuples(LISTED, st.booleans()), min_size=1, max_size=6))
def test_after_any_publications_the_expected_games_are_those_that_the_last_word_on_each_leaves_on_the_date(
    published: list[tuple[tuple[Game, ...], bool]],
):
    day = Driver(nba())
    on_date: dict[str, bool] = {}
    for number, (listed, partial) in enumerate(published):
        day.schedule(moment(PUBLISHED) + number * MINUTE, *listed, partial=partial)
        if not partial:
            on_date = dict.fromkeys(on_date, False)
        on_date |= {game.game_id: game.status not in OFF_DATE for game in listed}

    assert {game.game_id for game in expected_games(day.state)} == {name for name, on in on_date.items() if on}


@given(LISTED, st.booleans())
def test_a_publication_repeated_at_once_changes_nothing(listed: tuple[Game, ...], partial: bool):
    day = Driver(nba())
    data = SchedulePublished(games=listed, partial=partial)
    day.give(data, PUBLISHED)

    assert compare(day.state, data) == ((), None)
    assert day.give(data, LATER) == []
