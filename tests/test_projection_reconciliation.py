"""From schedule to grades: what is due and short is found, what is not due is not missing, what nobody counted is
unknown, and a range adds up."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from projections.links import LINK_GRADE, Link, LinkStatus
from projections.reconciliation import DateReconciliation, Reconciliation, reconcile, reconcile_date
from statemachine.state import has_no_games
from tests.driving import Driver, Moment, moment, nba
from tests.projection_dates import good_date
from tests.projection_histories import histories

SIX_HOURS = "2026-01-17T11:00Z"
"""Six hours after 16 January ended in New York: the first band."""

LATER = "2026-02-01T00:00Z"

instants = st.sampled_from(["2026-01-15T00:00Z", "2026-01-16T17:00Z", SIX_HOURS, "2026-01-17T20:00Z", LATER])


def of(driver: Driver, now: Moment = LATER) -> DateReconciliation:
    return reconcile_date(driver.events, driver.state, driver.definition, now=moment(now))


def link(driver: Driver, target: str, now: Moment = LATER) -> Link:
    return next(item for item in of(driver, now).links if item.target == target)


def date_with(games: int, **measured: float | str) -> Driver:
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", *["2026-01-17T00:00Z"] * games)
    if measured:
        driver.measure("raw_to_analytics", "2026-01-17T06:00Z", **measured)
    return driver


@settings(max_examples=60)
@given(histories(), instants)
def test_the_figures_of_a_link_agree_with_each_other(driver: Driver, now: str):
    for item in of(driver, now).links:
        counts = (item.source_count, item.target_count)
        if None not in counts:
            assert item.missing_count is not None
            assert item.surplus_count is not None
            assert item.source_count - item.missing_count + item.surplus_count == item.target_count  # type: ignore[operator]
            assert 0 in (item.missing_count, item.surplus_count)
            assert item.status != "unknown"
        else:
            assert (item.missing_count, item.surplus_count) == (None, None)
        if item.status == "not_due":
            assert item.due_at is None or moment(now) < item.due_at
        if item.status in ("warning", "error", "unknown"):
            assert item.reason


@settings(max_examples=60)
@given(histories(), instants)
def test_a_date_is_as_bad_as_its_worst_link_and_as_the_records_that_disagree(driver: Driver, now: str):
    found = of(driver, now)

    records: list[LinkStatus] = ["warning" for item in found.records if item.is_due(moment(now))]
    assert found.status == max([*(item.status for item in found.links), *records], key=LINK_GRADE.index)
    if has_no_games(driver.state):
        assert found.status == "empty_ok"


@settings(max_examples=30)
@given(st.lists(histories(), min_size=1, max_size=4), instants)
def test_a_range_adds_up_and_is_as_bad_as_its_worst_date(drivers: list[Driver], now: str):
    result = over(drivers, now)

    assert result.status == max((item.status for item in result.dates), key=LINK_GRADE.index)
    for total in result.totals:
        links = [item for found in result.dates for item in found.links if item.target == total.target]
        known = [item for item in links if item.missing_count is not None]
        assert sum(total.dates.values()) == len(drivers)
        assert total.source_count == sum(item.source_count or 0 for item in known)
        assert total.target_count == sum(item.target_count or 0 for item in known)
        assert total.missing_count == sum(item.missing_count or 0 for item in known)
        assert (total.coverage is None) == (total.source_count == 0)


def over(drivers: list[Driver], now: Moment) -> Reconciliation:
    """A range of as many dates, one week apart."""
    days = []
    for week, driver in enumerate(drivers):
        day = (date(2026, 1, 16) + timedelta(days=7 * week)).isoformat()
        days.append((driver.events, replace(driver.state, stream=f"nba/{day}"), driver.definition))
    return reconcile(days, now=moment(now))


@given(st.integers(1, 15), st.integers(0, 15), st.integers(0, 15))
def test_fewer_box_scores_are_never_better(games: int, some: int, others: int):
    fewer, more = sorted((min(some, games), min(others, games)))

    worse = link(date_with(games, games_with_box_score=fewer), "box_scores").status
    better = link(date_with(games, games_with_box_score=more), "box_scores").status

    assert LINK_GRADE.index(worse) >= LINK_GRADE.index(better)


@pytest.mark.parametrize(
    ("present", "expected", "status"),
    [(20, 20, "ok"), (19, 20, "ok"), (18, 20, "warning"), (16, 20, "warning"), (15, 20, "error"), (21, 20, "warning")],
)
def test_box_scores_are_judged_by_their_share(present: int, expected: int, status: str):
    assert link(date_with(expected, games_with_box_score=present), "box_scores").status == status


def test_what_is_not_due_is_not_missing_until_the_instant_at_which_it_is():
    driver = date_with(7, games_with_box_score=5)

    assert link(driver, "box_scores", "2026-01-17T10:59Z").status == "not_due"
    assert link(driver, "box_scores", SIX_HOURS).status == "error"
    assert link(date_with(7), "grades", "2026-01-17T19:59Z").status == "not_due"


def test_a_phase_that_was_not_done_by_its_due_instant_is_missing_though_nobody_counted():
    found = link(date_with(7), "grades", "2026-01-17T20:00Z")

    assert (found.status, found.reason, found.target_count) == ("error", "grading is not done", None)


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        ({}, "games_with_box_score unknown"),
        ({"games_with_box_score": "timeout"}, "games_with_box_score unknown; timeout"),
    ],
)
def test_what_nobody_could_count_is_unknown_and_never_zero(measured: dict[str, str], reason: str):
    driver = date_with(7, **measured)
    driver.complete("raw", "BdlBoxscoresProcessor", "2026-01-17T06:10Z")

    found = link(driver, "box_scores")

    assert (found.status, found.reason) == ("unknown", reason)
    assert (found.source_count, found.target_count, found.missing_count, found.coverage) == (7, None, None, None)


def test_games_that_came_from_another_source_are_more_than_the_box_scores_know():
    driver = date_with(9, games_with_box_score=1)
    driver.measure("analytics_to_precompute", "2026-01-17T12:00Z", games_in_analytics=9)

    found = link(driver, "analytics")

    assert (found.status, found.surplus_count, found.missing_count) == ("warning", 8, 0)


def test_a_game_that_was_moved_is_not_expected_and_not_missing():
    driver = date_with(7, games_with_box_score=6)
    assert link(driver, "box_scores").missing_count == 1
    moved = replace(driver.state.games["game_3"], status="postponed")
    driver.schedule("2026-01-17T07:00Z", moved, partial=True)

    found = link(driver, "box_scores")

    assert (found.status, found.source_count, found.missing_count) == ("ok", 6, 0)


def test_completions_that_list_their_games_say_which_are_missing():
    driver = date_with(4, games_with_box_score=2)
    driver.complete("raw", "BdlBoxscoresProcessor", "2026-01-17T06:00Z", games=("game_4", "game_2"))

    missing = of(driver).missing_games

    assert (missing.games, missing.basis) == (("game_1", "game_3"), "named")


def test_the_bottleneck_is_the_link_that_lets_the_least_through():
    driver = good_date()
    driver.measure("raw_to_analytics", "2026-01-17T07:00Z", games_with_box_score=1)
    assert of(driver).bottleneck == "box_scores"

    driver.measure("precompute_to_predictions", "2026-01-17T07:01Z", players_with_clean_features=8)

    assert of(driver).bottleneck == "features"


def test_without_names_the_games_that_tipped_off_last_are_the_guess():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T03:00Z", "2026-01-17T00:00Z", "2026-01-17T02:00Z")
    driver.measure("raw_to_analytics", "2026-01-17T06:00Z", games_with_box_score=1)

    missing = of(driver).missing_games

    assert (missing.games, missing.basis) == (("game_3", "game_1"), "last_to_tip")


def test_records_that_were_brought_together_are_listed_and_worry_nobody():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")
    driver.until("2026-01-15T22:30Z")
    driver.measure("analytics_to_precompute", "2026-01-15T22:30Z", **{"table_rows.upcoming_player_game_context": 171.0})
    before = of(driver, "2026-01-15T22:45Z")
    driver.until("2026-01-15T22:45Z")
    after = of(driver, "2026-01-15T22:45Z")

    assert [(item.kind, item.settled_at) for item in before.records] == [("rows_without_completion", None)]
    assert [item.settled_at for item in after.records] == [moment("2026-01-15T22:45Z")]
    assert (before.status, after.status) == ("warning", "not_due")


def test_a_date_on_which_all_went_well_is_whole():
    driver = good_date()

    found = of(driver)

    assert {item.target: item.status for item in found.links} == {
        "box_scores": "ok",
        "analytics": "ok",
        "features": "ok",
        "predictions": "ok",
        "grades": "ok",
    }
    assert (found.status, found.bottleneck, found.records, found.missing_games.games) == ("ok", None, (), ())
    assert reconcile([(driver.events, driver.state, driver.definition)], now=moment(LATER)).exit_code == 0
