"""Metrics: counted from events alone, a season is the sum of its weeks, and nothing divided by nothing is not known."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.catalogue import Event, PulseChanged
from projections.incidents import Incident, incidents
from projections.metrics import Levels, Metric, Period, levels, metric_targets
from tests.driving import ControlDriver, Driver, Moment, moment, nba
from tests.projection_dates import good_date
from tests.projection_histories import histories

LATER = "2026-02-01T00:00Z"


def of(*drivers: Driver, now: Moment = LATER, control: ControlDriver | None = None) -> Levels:
    days = [(driver.events, driver.state, driver.definition) for driver in drivers]
    return levels(days, [("nba", control.events)] if control is not None else [], now=moment(now))


def metrics(*drivers: Driver, now: Moment = LATER, control: ControlDriver | None = None) -> dict[str, Metric]:
    season = next(period for period in of(*drivers, now=now, control=control).periods if period.kind == "season")
    return {metric.name: metric for metric in season.metrics}


def date_with(stream: str = "nba/2026-01-16", games: int = 2) -> Driver:
    driver = Driver(nba(), stream)
    driver.schedule("2026-01-10T12:00Z", *["2026-01-17T00:00Z"] * games)
    return driver


def seen(driver: Driver) -> list[Incident]:
    return list(incidents(driver.events, driver.definition, driver.state))


def moved(driver: Driver, days: int) -> tuple[list[Event], Any, Any]:
    """The same history on another date."""
    day = (date(2026, 1, 16) + timedelta(days=days)).isoformat()
    return driver.events, msgspec.structs.replace(driver.state, stream=f"nba/{day}"), driver.definition


# --- properties ---------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(st.tuples(histories(), st.integers(0, 3)), min_size=1, max_size=4, unique_by=lambda item: item[1]))
def test_a_season_is_the_sum_of_its_weeks(dates: list[tuple[Driver, int]]):
    found = levels([moved(driver, 4 * place) for driver, place in dates], now=moment(LATER))

    season, *weeks = found.periods
    assert season.dates == sum(week.dates for week in weeks) == len(dates)
    for place, metric in enumerate(season.metrics):
        parts = [week.metrics[place] for week in weeks]
        assert metric.numerator == pytest.approx(sum(part.numerator for part in parts))
        assert metric.denominator == sum(part.denominator for part in parts)
        assert metric.uncertain == sum(part.uncertain for part in parts)


@settings(max_examples=40)
@given(histories(), st.integers(-3000, 6000))
def test_nothing_divided_by_nothing_is_unknown_and_no_share_leaves_its_bounds(driver: Driver, later: int):
    assert driver.state.recorded_at is not None
    for metric in metrics(driver, now=driver.state.recorded_at + timedelta(minutes=later)).values():
        assert (metric.value is None) == (metric.denominator == 0) == (metric.kept is None)
        assert metric.numerator >= 0
        if metric.unit == "share" and metric.value is not None:
            assert 0 <= metric.value <= 1


@settings(max_examples=40)
@given(histories())
def test_every_page_belongs_to_one_incident_and_they_do_not_overlap(driver: Driver):
    found = seen(driver)

    for first in found:
        assert first.severity in ("warning", "critical")
        assert first.began_at is None or first.began_at <= first.alerted_at
        assert first.resolved_at is None or first.alerted_at <= first.resolved_at
    for first, second in pairwise(found):
        if first.phase == second.phase:
            assert first.resolved_at is not None
            assert first.resolved_at < second.alerted_at


@settings(max_examples=30)
@given(histories())
def test_the_promises_of_the_service_levels_are_the_ones_that_are_counted(driver: Driver):
    found = of(driver)

    season = found.periods[0]
    for metric in season.metrics[: len(nba().service_levels)]:
        outcomes = [item.outcome for item in found.promises if item.level == metric.name]
        assert metric.numerator == outcomes.count("met")
        assert metric.denominator == sum(outcomes.count(word) for word in ("met", "missed", "unknown"))
        assert metric.uncertain == outcomes.count("unknown")


# --- examples -----------------------------------------------------------------------------------------------------


def test_a_date_on_which_all_went_well_is_perfect():
    driver = good_date()
    driver.until("2026-01-18T06:00Z")

    found = metrics(driver)

    assert {name: metric.value for name, metric in found.items()} == dict.fromkeys(
        ("grading", "predictions", "precompute", "box_score_coverage", "zero_touch_days", "perfect_days"), 1
    ) | {
        "alerts_per_day": 0,
        "time_to_detect": None,
        "time_to_resolve": None,
        "false_positive_rate": None,
        "automatic_recovery_rate": None,
    }


def test_a_date_that_nobody_touched_and_that_never_got_done_is_not_hands_free():
    driver = date_with()
    driver.until("2026-01-30T00:00Z")

    assert metrics(driver)["zero_touch_days"].value == 0


def test_a_date_is_counted_once_its_last_promise_is_due():
    driver = good_date()

    assert metrics(driver, now="2026-01-18T04:59Z")["zero_touch_days"].value is None
    assert metrics(driver, now="2026-01-18T05:00Z")["zero_touch_days"].value == 1


@pytest.mark.parametrize("command", ["waive", "halt"])
def test_what_a_person_does_is_a_touch_and_an_acknowledgement_is_none(command: str):
    driver = good_date()
    driver.operator(command, "2026-01-17T07:00Z", target="game_1")
    if command == "halt":
        driver.operator("resume", "2026-01-17T07:01Z")

    assert metrics(driver)["zero_touch_days"].value == 0


def test_a_run_that_somebody_started_by_hand_is_a_touch():
    driver = good_date()
    driver.complete("grading", "phase5b_grading", "2026-01-17T07:00Z", extra={"trigger_source": "manual"})

    assert metrics(driver)["zero_touch_days"].value == 0


def test_a_hand_off_that_is_missed_is_seen_after_its_ten_minutes_and_mended_when_somebody_reports():
    driver = date_with()
    driver.until("2026-01-15T22:00Z")
    driver.complete("analytics", "upcoming_player_game_context", "2026-01-15T22:01Z")
    rows = {"table_rows.upcoming_player_game_context": 9.0, "null_rate_pct": 0.0}
    driver.measure("analytics_to_precompute", "2026-01-15T22:02Z", **rows)
    driver.confirm("2026-01-15T22:02Z")
    driver.until("2026-01-15T22:12Z")
    driver.complete("precompute", "player_daily_cache", "2026-01-15T22:20Z")

    (incident,) = seen(driver)

    assert (incident.phase, incident.causes) == ("precompute", ("handoff_missed",))
    assert incident.began_at == moment("2026-01-15T22:02Z")
    assert incident.alerted_at == moment("2026-01-15T22:12Z")
    assert incident.resolved_at == moment("2026-01-15T22:20Z")
    found = metrics(driver, now="2026-01-15T22:21Z")
    assert (found["time_to_detect"].value, found["time_to_resolve"].value) == (10, 8)
    assert (found["automatic_recovery_rate"].value, found["false_positive_rate"].value) == (1, 0)
    assert (found["alerts_per_day"].numerator, found["alerts_per_day"].value) == (1, None)  # the date is yet to come


def test_an_incident_that_is_open_counts_with_its_age_and_has_not_recovered():
    driver = date_with()
    driver.until("2026-01-17T20:00Z")

    grading = next(item for item in seen(driver) if item.phase == "grading")
    found = metrics(driver, now="2026-01-17T21:00Z")

    assert (grading.began_at, grading.alerted_at) == (moment("2026-01-17T20:00Z"), moment("2026-01-17T20:00Z"))
    assert grading.resolved_at is None
    open_ = [item for item in seen(driver) if item.resolved_at is None]
    assert found["time_to_resolve"].uncertain == found["automatic_recovery_rate"].uncertain == len(open_)
    assert found["automatic_recovery_rate"].numerator == len(seen(driver)) - len(open_)


def test_alerts_about_one_phase_that_overlap_are_one_incident():
    driver = date_with(games=7)
    driver.until("2026-01-17T06:00Z")
    driver.complete_all("scrape", ("bdl_box_scores", "nbac_player_boxscore", "nbac_gamebook_pdf"), "2026-01-17T06:00Z")
    loaders = ("BdlBoxscoresProcessor", "NbacGamebookProcessor", "NbacPlayerBoxscoreProcessor")
    driver.complete_all("raw", (*loaders, "OddsApiGameLinesProcessor"), "2026-01-17T06:10Z")
    driver.measure("raw_to_analytics", "2026-01-17T06:11Z", games_with_box_score=5, games_without_active_players=0)
    driver.until("2026-01-17T17:00Z")

    raw = [item for item in seen(driver) if item.phase == "raw" and item.alerted_at >= moment("2026-01-17T06:11Z")]

    (incident,) = raw
    assert {"gate_blocked", "box_scores_incomplete"} <= set(incident.causes)
    assert incident.began_at == moment("2026-01-17T02:15Z")  # the games were over: box scores were owed


def test_a_game_that_was_not_to_be_played_makes_its_alert_a_false_one():
    driver = date_with()
    driver.until("2026-01-17T20:00Z")
    driver.schedule("2026-01-17T20:30Z")

    assert {item.false_alarm for item in seen(driver) if item.resolved_at == moment("2026-01-17T20:30Z")} == {True}


def test_a_run_that_was_thought_dead_and_speaks_again_was_a_false_alarm():
    driver = date_with()
    name, last = "player_daily_cache", moment("2026-01-15T22:00Z")
    dead = PulseChanged(condition="dead", published_name=name, processor=name, last_beat_at=last, run="r1")
    driver.give(dead, "2026-01-15T22:15Z")
    driver.complete("precompute", "player_daily_cache", "2026-01-15T22:30Z", run="r1")

    incident = next(item for item in seen(driver) if "processor_dead" in item.causes)

    assert (incident.phase, incident.began_at) == ("precompute", moment("2026-01-15T22:00Z"))
    assert (incident.false_alarm, incident.resolved_at) == (True, moment("2026-01-15T22:30Z"))


def test_a_person_says_that_an_alarm_was_false():
    driver = date_with()
    driver.until("2026-01-17T20:00Z")
    driver.operator("acknowledge", "2026-01-17T20:10Z", target="grading_late", reason="False alarm: graded elsewhere")

    graded = next(item for item in seen(driver) if item.phase == "grading")
    assert graded.false_alarm


def test_what_concerns_no_date_counts_on_the_day_it_was_said():
    control = ControlDriver(nba())
    control.rejected("not_json", "2026-01-17T03:00Z")  # still 16 January in New York
    drivers = date_with("nba/2026-01-16"), date_with("nba/2026-01-19")

    weeks = {period.name: period for period in of(*drivers, now="2026-01-20T12:00Z", control=control).periods}

    def pages(period: Period) -> float:
        return next(metric.numerator for metric in period.metrics if metric.name == "alerts_per_day")

    assert pages(weeks["2026-W03"]) == 1
    assert pages(weeks["2026-W04"]) == 0


def test_a_target_is_held_from_its_own_side():
    targets = metric_targets(nba())

    assert targets["grading"].kept(0.95)
    assert not targets["grading"].kept(0.9499)
    assert targets["time_to_detect"].kept(29.9)
    assert not targets["time_to_detect"].kept(30)


def test_no_date_at_all_has_no_periods():
    assert of().periods == ()
