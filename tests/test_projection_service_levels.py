"""Service levels: kept, missed, not due, unknown and nothing promised are five answers, computed from events alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.service_levels import Promise, ServiceLevels, service_levels
from tests.driving import Driver, Moment, moment, nba
from tests.projection_dates import good_date
from tests.projection_histories import histories

LATER = "2026-02-01T00:00Z"
TABLES = {
    name: f"table_rows.{table.rpartition('.')[2]}"
    for name, table in ((p.name, p.table) for p in nba().processors if p.phase == "precompute")
    if table is not None
}


def levels(*drivers: Driver, now: Moment = LATER) -> ServiceLevels:
    return service_levels([(d.events, d.state, d.definition) for d in drivers], now=moment(now))


def promise(driver: Driver, level: str, now: Moment = LATER) -> Promise:
    return next(item for item in levels(driver, now=now).promises if item.level == level)


def date_with(games: int = 7, stream: str = "nba/2026-01-16") -> Driver:
    driver = Driver(nba(), stream)
    driver.schedule("2026-01-10T12:00Z", *["2026-01-17T03:00Z"] * games)
    return driver


@settings(max_examples=40)
@given(histories(), st.sampled_from(["2026-01-15T00:00Z", "2026-01-17T12:00Z", "2026-01-18T05:00Z", LATER]))
def test_a_promise_is_met_exactly_where_it_was_achieved_by_its_due_instant(driver: Driver, now: str):
    for item in levels(driver, now=now).promises:
        in_time = item.achieved_at is not None and item.achieved_at <= item.due_at
        assert (item.outcome == "met") == (in_time and driver.state.status != "no_games")
        assert (item.margin_hours is None) == (item.achieved_at is None)
        if item.outcome in ("missed", "unknown"):
            assert moment(now) >= item.due_at


@settings(max_examples=30)
@given(st.lists(histories(), min_size=1, max_size=4))
def test_the_shares_count_every_promise_that_is_due_once(drivers: list[Driver]):
    found = levels(*drivers)

    for level in found.levels:
        outcomes = [item.outcome for item in found.promises if item.level == level.level]
        assert len(outcomes) == len(drivers)
        assert level.met + level.missed + level.unknown == len(outcomes) - outcomes.count("empty_ok")
        assert (level.share is None) == (outcomes.count("empty_ok") == len(outcomes))


def test_a_date_on_which_all_went_well_keeps_every_promise():
    found = levels(good_date())

    assert {item.level: item.outcome for item in found.promises} == dict.fromkeys(
        ("grading", "predictions", "precompute", "box_score_coverage"), "met"
    )
    assert all(level.share == 1 and level.kept for level in found.levels)


def test_grading_says_when_how_late_and_how_much_was_graded():
    driver = date_with()
    graded = {"graded_count": 919, "predictions_found": 1000}
    driver.complete("grading", "phase5b_grading", "2026-01-17T21:33Z", extra=graded)

    found = promise(driver, "grading")

    assert (found.outcome, found.due_at) == ("missed", moment("2026-01-17T20:00Z"))
    assert found.achieved_at == moment("2026-01-17T21:33Z")
    assert found.margin_hours == pytest.approx(-93 / 60)
    assert found.numbers["graded_share"] == pytest.approx(0.919)
    assert (found.numbers["graded"], found.numbers["gradable"]) == (919, 1000)
    assert found.measured_at == moment("2026-01-17T21:33Z")


def test_a_phase_is_done_by_its_first_completion_that_counts_in_whatever_cycle():
    driver = date_with()
    driver.complete("predictions", "prediction_coordinator", "2026-01-15T23:00Z", status="failed")
    driver.complete("predictions", "prediction_coordinator", "2026-01-15T23:10Z", record_count=0)
    driver.complete("predictions", "prediction_coordinator", "2026-01-15T23:20Z")
    driver.complete("predictions", "prediction_coordinator", "2026-01-16T16:00Z")

    assert promise(driver, "predictions").achieved_at == moment("2026-01-15T23:20Z")


def test_what_is_not_due_is_not_missed():
    driver = date_with()

    assert promise(driver, "grading", now="2026-01-17T19:59Z").outcome == "not_due"
    assert promise(driver, "grading", now="2026-01-17T20:00Z").outcome == "missed"


def test_what_was_achieved_before_it_was_due_is_met_at_once():
    driver = date_with()
    driver.complete("predictions", "prediction_coordinator", "2026-01-16T10:00Z")

    assert promise(driver, "predictions", now="2026-01-16T10:00Z").outcome == "met"


def test_a_date_without_games_promises_nothing():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z")

    assert {item.outcome for item in levels(driver).promises} == {"empty_ok"}
    assert all(level.share is None and level.kept is None for level in levels(driver).levels)


def test_a_date_without_a_schedule_cannot_be_judged():
    driver = Driver(nba())
    driver.complete("raw", "BdlBoxscoresProcessor", "2026-01-17T06:00Z")

    assert {item.outcome for item in levels(driver).promises} == {"unknown"}


@pytest.mark.parametrize(
    ("measured", "outcome"),
    [
        ([("2026-01-18T04:59Z", 7)], "met"),
        ([("2026-01-17T12:00Z", 5)], "missed"),
        ([("2026-01-17T12:00Z", 5), ("2026-01-18T05:01Z", 7)], "missed"),
        ([("2026-01-18T06:00Z", 5)], "missed"),
        ([("2026-01-18T06:00Z", 7)], "unknown"),
        ([("2026-01-17T12:00Z", "timeout")], "unknown"),
        ([], "unknown"),
    ],
)
def test_coverage_counts_what_was_measured_within_its_hours(measured: list[tuple[str, float | str]], outcome: str):
    driver = date_with()
    for at, games in measured:
        driver.measure("raw_to_analytics", at, games_with_box_score=games)

    assert promise(driver, "box_score_coverage").outcome == outcome


def test_coverage_reports_the_last_number_within_its_hours_and_when_the_share_was_reached_at_last():
    driver = date_with()
    driver.measure("raw_to_analytics", "2026-01-17T12:00Z", games_with_box_score=5)
    driver.measure("raw_to_analytics", "2026-01-18T08:00Z", games_with_box_score=7)

    found = promise(driver, "box_score_coverage")

    assert found.numbers == {"coverage": 5 / 7, "games_present": 5, "games_expected": 7}
    assert (found.achieved_at, found.margin_hours) == (moment("2026-01-18T08:00Z"), -3)
    assert found.measured_at == moment("2026-01-17T12:00Z")


def test_a_coverage_measured_again_was_reached_when_it_was_first_seen():
    driver = date_with()
    driver.measure("raw_to_analytics", "2026-01-17T12:00Z", games_with_box_score=7)
    driver.measure("raw_to_analytics", "2026-01-17T14:00Z", games_with_box_score=7)

    assert promise(driver, "box_score_coverage").achieved_at == moment("2026-01-17T12:00Z")


def test_a_game_added_later_takes_back_a_coverage_that_had_been_reached():
    driver = date_with(games=1)
    driver.measure("raw_to_analytics", "2026-01-17T12:00Z", games_with_box_score=1)
    driver.schedule("2026-01-17T13:00Z", *["2026-01-17T03:00Z"] * 2)

    assert promise(driver, "box_score_coverage").outcome == "missed"


def test_a_waived_game_is_not_held_against_the_coverage():
    driver = date_with(games=2)
    driver.measure("raw_to_analytics", "2026-01-17T12:00Z", games_with_box_score=1)
    driver.operator("waive", "2026-01-17T13:00Z", target="game_2")

    found = promise(driver, "box_score_coverage")
    assert (found.outcome, found.achieved_at) == ("met", moment("2026-01-17T13:00Z"))


def test_precompute_needs_three_processors_by_completions_or_by_rows():
    driver = date_with()
    driver.complete("precompute", "ml_feature_store", "2026-01-17T10:00Z")
    driver.complete("precompute", "player_daily_cache", "2026-01-17T11:00Z")
    assert promise(driver, "precompute").outcome == "missed"

    rows = {TABLES["team_defense_zone_analysis"]: 30.0, TABLES["player_composite_factors"]: 0.0}
    driver.measure("precompute_to_predictions", "2026-01-17T11:30Z", **rows)

    found = promise(driver, "precompute")
    assert (found.outcome, found.achieved_at) == ("met", moment("2026-01-17T11:30Z"))
    assert (found.numbers["processors_done"], found.numbers["processors_expected"]) == (3, 5)


def test_the_share_over_a_season_says_whether_the_target_is_kept():
    kept, late = good_date(), date_with(stream="nba/2026-01-15")

    grading = next(level for level in levels(kept, late).levels if level.level == "grading")

    assert (grading.met, grading.missed, grading.share, grading.target_share) == (1, 1, 0.5, 0.95)
    assert grading.kept is False
