"""Hand-off: a phase is commanded once, counts as started when somebody reports, and silence is told (design 5)."""

from __future__ import annotations

import pytest

from events.catalogue import ProgressReported
from events.values import Status
from tests.driving import Driver, nba
from tests.scenes import (
    ANALYTICS,
    COMPUTED,
    HOUR,
    MEASURED,
    MINUTE,
    OPENED,
    SCRAPED,
    SCRAPERS,
    commanded,
    cycle,
    episode,
    in_analytics,
    in_grading,
    in_precompute,
    in_raw,
    moves,
    opened,
    raised,
)


def test_a_phase_is_commanded_in_the_turn_in_which_its_gate_passes_and_counts_as_commanded_when_confirmed():
    day = in_analytics()
    (command_id,) = commanded(day, "analytics")
    assert cycle(day).commands == (command_id,)
    assert cycle(day).commanded_at is None

    day.confirm(MEASURED + 3 * MINUTE)

    assert cycle(day).commanded_at == MEASURED + 3 * MINUTE


def test_precompute_is_commanded_once_for_each_analytics_table():
    day = in_precompute()

    payloads = [
        c.payload for c in day.commands if c.kind == "trigger" and c.cycle == "overnight" and c.phase == "precompute"
    ]
    assert {payload["source_table"] for payload in payloads} == set(ANALYTICS)
    assert {payload["mode"] for payload in payloads} == {"overnight"}
    assert len(commanded(day, "precompute")) == len(set(commanded(day, "precompute"))) == 5


@pytest.mark.parametrize("confirmed", [True, False])
def test_ten_minutes_after_the_command_without_a_report_it_is_sent_again_under_its_id_and_told(confirmed: bool):
    day = in_analytics()
    if confirmed:
        day.confirm(MEASURED)
    day.until(MEASURED + 10 * MINUTE - MINUTE)
    assert len(commanded(day, "analytics")) == 1

    day.until(MEASURED + 10 * MINUTE)

    ids = commanded(day, "analytics")
    assert len(ids) == 2
    assert len(set(ids)) == 1
    (alert,) = [a for a in raised(day, "handoff_missed") if a.detail.startswith("analytics (overnight)")]
    assert ("not confirmed" in alert.detail) is not confirmed


def test_a_command_is_sent_again_once_and_not_for_ever():
    day = in_analytics()
    day.until(MEASURED + 20 * HOUR)

    assert len(commanded(day, "analytics")) == 2


@pytest.mark.parametrize("how", ["start", "progress", "success", "failed", "no_data"])
def test_whoever_reports_takes_the_command_for_received(how: str):
    day = in_analytics()
    at = MEASURED + 5 * MINUTE
    if how == "start":
        day.start("analytics", "PlayerGameSummaryProcessor", at)
    elif how == "progress":
        day.give(ProgressReported(phase="analytics", published_name="worker", subject="somebody"), at)
    else:
        status: Status = how  # type: ignore[assignment]
        day.complete("analytics", "PlayerGameSummaryProcessor", at, status=status)

    assert cycle(day).state == "analytics_running"
    day.until(MEASURED + 11 * MINUTE)
    assert len(commanded(day, "analytics")) == 1


def test_a_report_ends_the_alert_of_a_missed_hand_off():
    day = in_grading()
    day.until(COMPUTED + 10 * MINUTE)
    day.start("grading", "Phase5BGrading", COMPUTED + 12 * MINUTE)

    alert = episode(day.state, "handoff_missed", "grading")
    assert alert is not None
    assert alert.resolved_at == COMPUTED + 12 * MINUTE


def test_an_unknown_name_is_no_report():
    day = in_analytics()
    day.start("analytics", "NobodyKnowsProcessor", MEASURED + 5 * MINUTE)
    day.until(MEASURED + 10 * MINUTE)

    assert cycle(day).state == "analytics_waiting"
    assert len(commanded(day, "analytics")) == 2


def test_the_first_phase_is_started_by_the_schedule_and_not_by_us():
    day = opened()
    day.until(OPENED + 90 * MINUTE)

    assert commanded(day, "scrape") == []
    assert [alert for alert in raised(day, "handoff_missed") if alert.subject == "scrape"] == []


# --- stalls ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "alerts"), [(119, 0), (120, 1)])
def test_a_phase_without_progress_for_its_time_has_stalled_and_says_who_is_missing(minutes: int, alerts: int):
    day = opened()
    day.complete_all("scrape", SCRAPERS, SCRAPED)
    day.complete("raw", "NbacGamebookProcessor", SCRAPED + HOUR, status="failed")
    day.until(SCRAPED + HOUR + minutes * MINUTE)

    found = [alert for alert in raised(day, "phase_stalled") if alert.subject == "raw"]
    assert len(found) == alerts
    assert all("missing p2_odds_game_lines" in alert.detail for alert in found)


def test_every_sign_of_life_puts_the_stall_off():
    day = in_analytics()
    for number in range(1, 5):
        at = MEASURED + number * 50 * MINUTE
        day.until(at - MINUTE)
        day.give(ProgressReported(phase="analytics", published_name="worker"), at)

    assert [alert for alert in raised(day, "phase_stalled") if "(overnight)" in alert.detail] == []


def test_a_stalled_phase_that_moves_on_is_not_stalled_any_more():
    day = in_raw()
    day.until(SCRAPED + 120 * MINUTE)
    day.complete("raw", "NbacGamebookProcessor", SCRAPED + 121 * MINUTE)

    alert = episode(day.state, "phase_stalled", "raw")
    assert alert is not None
    assert alert.resolved_at == SCRAPED + 121 * MINUTE


def test_a_phase_in_which_two_cycles_stalled_is_stalled_until_neither_is():
    day = in_analytics()
    day.until(MEASURED + 61 * MINUTE)
    day.complete("analytics", "PlayerGameSummaryProcessor", MEASURED + 62 * MINUTE)

    assert cycle(day, "same_day").state == "analytics_waiting"
    alert = episode(day.state, "phase_stalled", "analytics")
    assert alert is not None
    assert alert.resolved_at is None


# --- a retry is a hand-off of its own --------------------------------------------------------------------------------


def regrading() -> Driver:
    """Grading found too little and was commanded again."""
    day = in_grading()
    day.complete("grading", "Phase5BGrading", COMPUTED + HOUR, extra={"predictions_found": 100, "graded_count": 10})
    assert cycle(day).state == "grading_waiting"
    return day


def test_a_retry_commands_under_an_id_of_its_own_and_forgets_the_completions_before_it():
    day = regrading()

    assert len(set(commanded(day, "grading"))) == 2
    assert moves(day)[-1].trigger == "retry"
    day.until(COMPUTED + 2 * HOUR)
    assert len(set(commanded(day, "grading"))) == 2
    assert cycle(day).state == "grading_waiting"


def test_a_run_that_starts_after_the_retry_has_reported():
    day = regrading()
    day.start("grading", "Phase5BGrading", COMPUTED + HOUR + MINUTE)

    assert cycle(day).state == "grading_running"
    assert [alert for alert in raised(day, "handoff_missed") if alert.subject == "grading"] == []


def test_the_run_that_was_too_little_said_again_is_known_and_does_not_count_for_the_retry():
    day = in_grading()
    numbers = {"predictions_found": 100, "graded_count": 10}
    day.complete("grading", "Phase5BGrading", COMPUTED + HOUR, run="one", extra=numbers)

    assert day.complete("grading", "Phase5BGrading", COMPUTED + 2 * HOUR, run="one", extra=numbers) == []
    assert cycle(day).state == "grading_waiting"


def test_a_command_that_can_never_be_sent_is_told_by_the_missed_hand_off():
    day = in_analytics()
    day.refuse(commanded(day, "analytics")[0], MEASURED + MINUTE, permanent=True)
    day.until(MEASURED + 10 * MINUTE)

    alert = episode(day.state, "handoff_missed", "analytics")
    assert alert is not None
    assert "not confirmed as published" in alert.detail


def test_what_is_late_for_its_time_of_day_is_told_then_and_ends_when_it_is_done():
    day = in_grading()
    day.until("2026-01-17T19:59Z")
    assert raised(day, "grading_late") == []
    day.until("2026-01-17T20:00Z")
    assert [alert.severity for alert in raised(day, "grading_late")] == ["critical"]

    done = {"predictions_found": 100, "graded_count": 99}
    day.complete("grading", "Phase5BGrading", "2026-01-17T21:33Z", extra=done)

    alert = episode(day.state, "grading_late")
    assert alert is not None
    assert alert.resolved_at is not None
    assert day.state.status == "complete"
    assert nba().alerts.grading_due is not None
