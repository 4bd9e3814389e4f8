"""Alert episodes: raised once per cause, louder when they must be, delivered once per severity, ended when the cause is
gone (interface: alert causes; design 8.10, 8.11)."""

from __future__ import annotations

import pytest

from events.catalogue import AlertRaised, AlertResolved, CommandRequested
from statemachine.readiness import standing
from statemachine.state import Alert
from tests.driving import Driver, moment, nba
from tests.scenes import (
    COMPUTED,
    HOUR,
    LOADED,
    MEASURED,
    MINUTE,
    OPENED,
    PRECOMPUTE,
    PUBLISHED,
    RAW,
    cycle,
    episode,
    in_precompute,
    in_raw,
    raised,
    raw_blocked,
    scheduled,
    severity_of,
)

NOON = moment("2026-01-17T17:00Z")
SIX, TWELVE, TWENTY_FOUR = (moment("2026-01-17T05:00Z") + hours * HOUR for hours in (6, 12, 24))


def must(alert: Alert | None) -> Alert:
    assert alert is not None
    return alert


def pages(day: Driver, cause: str) -> list[str]:
    """The severities that were sent to a channel."""
    found = [event.data for event in day.events if isinstance(event.data, CommandRequested)]
    return [c.payload["severity"] for c in found if c.kind == "alert" and c.payload["cause"] == cause]


def resolved(day: Driver, cause: str) -> list[str]:
    """Why the episodes of a cause ended."""
    data = [event.data for event in day.events]
    return [item.reason for item in data if isinstance(item, AlertResolved) and item.cause == cause]


# --- an episode ------------------------------------------------------------------------------------------------------


def test_an_episode_rises_from_information_to_critical_and_pages_from_warning_on():
    day = scheduled()
    day.measure("raw_to_analytics", LOADED, games_with_box_score=0)
    day.until(TWENTY_FOUR)

    alert = must(episode(day.state, "box_scores_incomplete"))
    assert alert.rises == {"info": SIX, "warning": TWELVE, "critical": TWENTY_FOUR}
    assert (alert.raised_at, alert.severity) == (SIX, "critical")
    assert pages(day, "box_scores_incomplete") == ["warning", "critical"]


def test_a_cause_that_repeats_is_one_episode():
    day = raw_blocked()
    for minute in range(1, 9):
        day.measure("raw_to_analytics", MEASURED + minute * MINUTE, games_with_box_score=1)

    assert len(raised(day, "gate_blocked")) == 1
    assert pages(day, "gate_blocked") == ["warning"]


def test_a_cause_that_gets_worse_is_told_again_and_one_that_gets_better_is_not():
    day = raw_blocked()
    day.measure("raw_to_analytics", MEASURED + MINUTE, games_with_box_score=0)
    day.measure("raw_to_analytics", MEASURED + 2 * MINUTE, games_with_box_score=1)

    assert [alert.severity for alert in raised(day, "gate_blocked")] == ["warning", "critical"]
    assert pages(day, "gate_blocked") == ["warning", "critical"]


def test_an_episode_ends_when_its_gate_passes():
    day = raw_blocked()
    day.measure("raw_to_analytics", MEASURED + MINUTE, games_with_box_score=2, games_without_active_players=0)

    assert must(episode(day.state, "gate_blocked", "raw_to_analytics")).resolved_at == MEASURED + MINUTE
    assert resolved(day, "gate_blocked") == ["raw_to_analytics pass"]


def test_a_warning_that_ended_and_comes_back_as_a_warning_is_recorded_and_not_sent():
    day = Driver(nba())
    day.schedule(PUBLISHED, *["2026-01-17T00:00Z"] * 10)
    day.measure("raw_to_analytics", LOADED, games_with_box_score=8)
    day.until(TWELVE)
    assert pages(day, "box_scores_incomplete") == ["warning"]
    day.measure("raw_to_analytics", TWELVE + HOUR, games_with_box_score=10)
    assert must(episode(day.state, "box_scores_incomplete")).resolved_at == TWELVE + HOUR

    day.measure("raw_to_analytics", TWELVE + 2 * HOUR, games_with_box_score=4)
    day.until(TWENTY_FOUR)

    alert = must(episode(day.state, "box_scores_incomplete"))
    assert (alert.severity, alert.resolved_at, alert.raised_at) == ("critical", None, SIX)
    assert pages(day, "box_scores_incomplete") == ["warning", "critical"]


def test_an_alert_is_delivered_when_its_channel_took_it_and_not_before():
    day = raw_blocked()
    assert must(episode(day.state, "gate_blocked", "raw_to_analytics")).delivered_at is None

    day.confirm(MEASURED + 3 * MINUTE)

    assert must(episode(day.state, "gate_blocked", "raw_to_analytics")).delivered_at == MEASURED + 3 * MINUTE


def test_an_alert_that_could_not_be_sent_is_not_called_delivered():
    day = raw_blocked()
    page = next(
        command for command in day.commands if command.kind == "alert" and command.payload["cause"] == "gate_blocked"
    )
    day.refuse(page.command_id, MEASURED + MINUTE, permanent=True)

    alert = must(episode(day.state, "gate_blocked", "raw_to_analytics"))
    assert (alert.delivered_at, alert.resolved_at) == (None, None)


def test_a_page_says_what_the_numbers_were():
    day = raw_blocked()

    page = next(
        command for command in day.commands if command.kind == "alert" and command.payload["cause"] == "gate_blocked"
    )
    assert page.payload["numbers"] == {"box_score_coverage": 0.5}
    assert "box_score_coverage block: 1 of 2" in page.payload["detail"]
    assert (page.payload["sport"], page.payload["game_date"]) == ("nba", "2026-01-16")


# --- box scores ------------------------------------------------------------------------------------------------------


def test_box_scores_that_are_all_there_end_the_alert_and_nothing_less_does():
    day = scheduled()
    day.measure("raw_to_analytics", LOADED, games_with_box_score=0)
    day.until(SIX)
    day.measure("raw_to_analytics", SIX + HOUR, games_with_box_score=1)
    assert must(episode(day.state, "box_scores_incomplete")).resolved_at is None

    day.measure("raw_to_analytics", SIX + 2 * HOUR, games_with_box_score=2)

    assert must(episode(day.state, "box_scores_incomplete")).resolved_at == SIX + 2 * HOUR


def test_box_scores_that_nobody_could_count_are_unknown_which_is_not_complete():
    day = scheduled()
    day.measure("raw_to_analytics", LOADED, games_with_box_score="timeout")
    day.until(SIX)

    alert = must(episode(day.state, "box_scores_incomplete"))
    assert "never measured" in alert.detail
    assert alert.numbers == {"coverage": None, "expected": 2.0}


# --- what is due at noon ---------------------------------------------------------------------------------------------


def precompute(day: Driver, *names: str) -> AlertRaised | None:
    """The alert of noon, with these processors in."""
    day.complete_all("precompute", names, COMPUTED)
    day.until(NOON - MINUTE)
    assert raised(day, "precompute_incomplete") == []
    day.until(NOON)
    return next(iter(raised(day, "precompute_incomplete")), None)


@pytest.mark.parametrize(
    ("missing", "severity"),
    [
        ((), None),
        (("team_defense_zone_analysis",), "warning"),
        (("team_defense_zone_analysis", "player_shot_zone_analysis"), "warning"),
        (("player_daily_cache",), "critical"),
        (("ml_feature_store",), "critical"),
        (("team_defense_zone_analysis", "player_shot_zone_analysis", "player_composite_factors"), "critical"),
    ],
)
def test_at_noon_fewer_than_three_or_a_missing_critical_is_critical_and_any_other_gap_a_warning(
    missing: tuple[str, ...], severity: str | None
):
    alert = precompute(in_precompute(), *(name for name in PRECOMPUTE if name not in missing))

    assert (alert.severity if alert is not None else None) == severity
    assert alert is None or all(name in alert.detail for name in missing)
    assert alert is None or alert.numbers == {"done": 5.0 - len(missing), "expected": 5.0}


def test_work_that_was_done_in_another_cycle_was_done():
    day = scheduled()
    for at, names in (("2026-01-16T16:00Z", PRECOMPUTE[:2]), ("2026-01-15T23:00Z", PRECOMPUTE[2:])):
        day.complete_all("precompute", names, at)
    day.until(NOON)

    assert raised(day, "precompute_incomplete") == []


def test_rows_in_a_table_show_that_its_work_was_done_though_its_completion_was_lost():
    day = in_precompute()
    day.measure("precompute_to_predictions", COMPUTED, **{"table_rows.team_defense_zone_analysis": 30})

    assert precompute(day, *PRECOMPUTE[:4]) is None


@pytest.mark.parametrize("rows", [0, -1, None, "403"])
def test_a_table_without_rows_or_that_could_not_be_read_shows_nothing(rows: float | str | None):
    day = in_precompute()
    day.measure("precompute_to_predictions", COMPUTED, **{"table_rows.team_defense_zone_analysis": rows})

    assert precompute(day, *PRECOMPUTE[:4]) is not None


def test_the_alert_of_noon_ends_when_the_last_one_is_in():
    day = in_precompute()
    precompute(day, *PRECOMPUTE[:4])
    day.complete("precompute", PRECOMPUTE[4], NOON + HOUR)

    assert must(episode(day.state, "precompute_incomplete")).resolved_at == NOON + HOUR


@pytest.mark.parametrize(
    ("done_at", "alerts"), [("2026-01-16T16:59Z", 0), ("2026-01-15T23:00Z", 0), ("2026-01-16T17:01Z", 1), (None, 1)]
)
def test_predictions_are_late_at_noon_of_the_day_unless_some_cycle_made_them(done_at: str | None, alerts: int):
    day = scheduled()
    if done_at is not None and done_at < "2026-01-16T17":
        day.complete("predictions", "PredictionCoordinator", done_at)
    day.until("2026-01-16T17:00Z")
    if done_at is not None and done_at > "2026-01-16T17":
        day.complete("predictions", "PredictionCoordinator", done_at)

    assert len(raised(day, "predictions_late")) == alerts
    ended = must(episode(day.state, "predictions_late")).resolved_at if alerts else None
    assert ended == (moment(done_at) if done_at is not None and alerts else None)


def test_failed_predictions_are_not_done():
    day = scheduled()
    day.complete("predictions", "PredictionCoordinator", "2026-01-16T16:00Z", status="failed")
    day.until("2026-01-16T17:00Z")

    assert severity_of(episode(day.state, "predictions_late")) == "critical"


# --- names, storms, failures -----------------------------------------------------------------------------------------


def test_a_storm_is_told_once_and_ends_when_it_has_passed():
    day = in_raw()
    for number in range(120):
        day.complete("raw", RAW[1], LOADED + number * MINUTE / 2, run=f"run-{number}")
    assert len(raised(day, "run_storm")) == 1
    assert must(episode(day.state, "run_storm", "p2_nbacom_gamebook_pdf")).resolved_at is None

    day.complete("raw", RAW[0], LOADED + 5 * HOUR)

    assert must(episode(day.state, "run_storm", "p2_nbacom_gamebook_pdf")).resolved_at == LOADED + 5 * HOUR


def test_those_whose_last_word_was_a_failure_are_named():
    day = in_raw()
    day.complete("raw", RAW[0], LOADED, status="failed")
    day.complete("raw", RAW[1], LOADED, status="no_data", record_count=0)
    day.complete("raw", RAW[2], LOADED)
    day.complete("raw", RAW[3], LOADED, status="failed")
    day.complete("raw", RAW[3], LOADED + MINUTE)

    stands = standing(day.state, nba(), "overnight", nba().cycle_of["overnight"].step_of["raw"])
    assert stands.failed == ("p2_odds_game_lines",)
    assert set(stands.completed) == {"p2_nbacom_boxscores", "p2_bdl_box_scores"}


@pytest.mark.parametrize(
    ("status", "rows", "counts"),
    [
        ("success", 10, True),
        ("partial", 10, True),
        ("success", None, True),
        ("success", 0, False),
        ("success", -1, False),
        ("no_data", 0, False),
        ("no_data", 10, False),
        ("skipped", 10, False),
        ("failed", 10, False),
    ],
)
def test_a_completion_counts_with_rows_and_a_status_that_says_so(status, rows: int | None, counts: bool):
    day = in_raw()
    day.complete("raw", RAW[0], LOADED, status=status, record_count=rows)

    assert (day.state.work["overnight/raw/p2_odds_game_lines"].done_at is not None) is counts


def test_success_with_zero_rows_is_superseded_by_the_real_load_that_comes_later():
    day = in_raw()
    day.complete("raw", RAW[0], LOADED, record_count=0, run="empty")
    day.complete("raw", RAW[0], LOADED + 21 * HOUR, record_count=204, run="real")

    work = day.state.work["overnight/raw/p2_odds_game_lines"]
    assert (work.done_at, work.rows) == (LOADED + 21 * HOUR, 204)


def test_the_status_of_the_date_follows_its_block():
    day = raw_blocked()
    assert day.state.status == "blocked"
    day.operator("override", MEASURED + MINUTE)

    assert day.state.status == "active"
    assert cycle(day).state == "analytics_waiting"
    assert OPENED < MEASURED
