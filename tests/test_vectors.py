"""The boundary vectors of orchestration 12, each as design 5 and 6 decide it where the sources disagree.

A vector states the figure and the side of the threshold that holds. The definition is the shipped one of the NBA; the
vectors of its gates are in test_vectors_gates.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from events.catalogue import HealRequested, HealSuppressed
from statemachine.readiness import standing, waits_met
from statemachine.state import CycleState
from tests.driving import ControlDriver, Driver, PulseDriver, nba
from tests.scenes import COMPUTED, RAW, SCRAPERS, commanded, episode, in_grading, in_raw, moves, severity_of

NBA = nba()
MIDNIGHT = datetime(2026, 1, 17, 5, tzinfo=UTC)
"""The midnight, league time, that ends the game date of the drivers."""

MORNING = MIDNIGHT + timedelta(hours=3)
ANALYTICS = {
    "pgs": "player_game_summary",
    "upc": "upcoming_player_game_context",
    "tdef": "team_defense_game_summary",
    "toff": "team_offense_game_summary",
    "uptm": "upcoming_team_game_context",
}
PRECOMPUTE = {
    "PDC": "player_daily_cache",
    "MLFS": "ml_feature_store",
    "PCF": "player_composite_factors",
    "PSZA": "player_shot_zone_analysis",
    "TDZA": "team_defense_zone_analysis",
}


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


# --- readiness -----------------------------------------------------------------------------------------------------


def ready(cycle: str, phase: str, done: dict[str, datetime], now: datetime) -> str | None:
    """Why the step is ready at `now` with these completions, None where it waits."""
    day = Driver(NBA)
    for name, at in done.items():
        day.complete(phase, name, at)
    step = NBA.cycle_of[cycle].step_of[phase]
    running = CycleState(state=f"{phase}_running", phase=phase, opened_at=min(done.values(), default=now))
    met = [wait for wait in waits_met(step, standing(day.state, NBA, cycle, step), running) if wait.at <= now]
    return met[0].reason if met else None


@pytest.mark.parametrize(
    ("completed", "after", "reason"),
    [
        ("pgs upc", minutes(240), None),
        ("pgs upc tdef", minutes(10) - seconds(1), None),
        ("pgs upc tdef", minutes(10), "critical_plus_majority"),
        ("tdef toff uptm pgs", minutes(240), None),
        ("tdef toff uptm upc", minutes(240), None),
        ("pgs upc tdef toff uptm", seconds(0), "all_complete"),
    ],
)
def test_overnight_analytics_waits_for_its_criticals_and_sixty_percent_after_ten_quiet_minutes(
    completed: str, after: timedelta, reason: str | None
):
    done = {ANALYTICS[name]: MORNING for name in completed.split()}

    assert ready("overnight", "analytics", done, MORNING + after) == reason


def test_the_ten_quiet_minutes_count_from_the_last_completion():
    done = {ANALYTICS["pgs"]: MORNING, ANALYTICS["upc"]: MORNING, ANALYTICS["tdef"]: MORNING + minutes(7)}

    assert ready("overnight", "analytics", done, MORNING + minutes(16)) is None
    assert ready("overnight", "analytics", done, MORNING + minutes(17)) == "critical_plus_majority"


@pytest.mark.parametrize(("completed", "reason"), [("uptm", None), ("upc", "all_complete")])
def test_same_day_analytics_waits_for_its_critical_and_for_nobody_else(completed: str, reason: str | None):
    noon = MIDNIGHT - timedelta(hours=12)

    assert ready("same_day", "analytics", {ANALYTICS[completed]: noon}, noon + minutes(240)) == reason


@pytest.mark.parametrize(
    ("count", "after", "reason"),
    [
        (5, 0, "all_complete"),
        (4, 3600, None),
        (4, 3601, "tier2_timeout"),
        (3, 7200, None),
        (3, 7201, "tier3_timeout"),
        (2, 14400, None),
        (2, 14401, "max_timeout"),
        (0, 999_999, None),
    ],
)
def test_precompute_waits_longer_the_less_there_is(count: int, after: int, reason: str | None):
    done = dict.fromkeys(list(PRECOMPUTE.values())[:count], MORNING)

    assert ready("overnight", "precompute", done, MORNING + seconds(after)) == reason


def test_a_phase_that_nobody_reports_on_has_a_deadline_of_its_own():
    day = Driver(NBA)
    day.schedule("2026-01-16T12:00Z", "2026-01-17T00:00Z")
    day.until("2026-01-17T02:15Z")
    opened = day.state.cycles["overnight"]

    day.until("2026-01-17T04:15Z")

    assert (opened.state, day.state.work) == ("scrape_waiting", {})
    assert severity_of(episode(day.state, "phase_stalled", "scrape")) == "warning"


@pytest.mark.parametrize(
    ("completed", "after", "reason"),
    [
        (RAW, seconds(0), "all_required"),
        (RAW[:3], minutes(30) - seconds(1), None),
        (RAW[:3], minutes(30), "deadline_exceeded"),
        (("BigDataBallPbpProcessor",), minutes(600), None),
    ],
)
def test_raw_goes_on_without_what_is_missing_thirty_minutes_after_its_first_completion(
    completed: tuple[str, ...], after: timedelta, reason: str | None
):
    assert ready("overnight", "raw", dict.fromkeys(completed, MORNING), MORNING + after) == reason


def test_raw_names_a_missing_optional_and_does_not_wait_for_it():
    day = in_raw()

    day.complete_all("raw", RAW, MORNING)

    entered = moves(day)[-1]
    assert (entered.dest, entered.reason) == ("raw_gate", "all_required")
    assert entered.missing == ("p2_bigdataball_pbp", "p2_odds_player_props", "p2_nbacom_schedule")


def test_raw_that_lacks_a_required_processor_goes_on_degraded_and_says_whom_it_lacks():
    day = in_raw()
    day.complete_all("raw", RAW[1:], MORNING)
    day.until(MORNING + minutes(30))
    day.measure("raw_to_analytics", MORNING + minutes(31), games_with_box_score=2, games_without_active_players=0)

    at = day.state.cycles["overnight"]
    assert at.state == "analytics_waiting"
    assert "raw without p2_odds_game_lines" in at.degraded


def test_five_unknown_names_complete_nothing_and_each_is_remembered_once():
    day = in_raw()
    for number in range(5):
        day.complete("raw", f"Mystery{number}Processor", MORNING)
        day.complete("raw", f"Mystery{number}Processor", MORNING + minutes(1))

    assert day.state.cycles["overnight"].state == "raw_waiting"
    assert day.state.work.keys() == {f"overnight/scrape/{name}" for name in SCRAPERS}
    assert day.state.unmapped == tuple(f"Mystery{number}Processor" for number in range(5))


# --- alerts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "hours", "severity"),
    [
        (99, 6, "info"),
        (100, 6, None),
        (89, 12, "warning"),
        (90, 12, "info"),
        (50, 24, "warning"),
        (49, 24, "critical"),
        (100, 24, None),
        ("unreadable", 24, "critical"),
        (None, 24, "critical"),
    ],
)
def test_box_score_alerts_grow_with_the_hours_since_the_date_ended(
    present: int | str | None, hours: int, severity: str | None
):
    day = Driver(NBA)
    day.schedule("2026-01-10T12:00Z", *["2026-01-17T00:00Z"] * 100)
    day.measure("raw_to_analytics", MORNING, games_with_box_score=present)
    day.until(MIDNIGHT + timedelta(hours=hours) - seconds(60))
    before = severity_of(episode(day.state, "box_scores_incomplete"))

    day.until(MIDNIGHT + timedelta(hours=hours))

    after = episode(day.state, "box_scores_incomplete")
    assert severity_of(after) == severity
    if after is not None and after.severity != before:
        assert after.rises[after.severity] == MIDNIGHT + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("silence", "condition"), [(299, "running"), (300, "stale"), (899, "stale"), (900, "dead"), (5000, "dead")]
)
def test_a_run_is_stale_after_five_minutes_without_a_beat_and_dead_after_fifteen(silence: int, condition: str):
    pulse = PulseDriver(NBA)
    pulse.beat("raw", "BdlBoxscoresProcessor", MORNING)

    pulse.tick(MORNING + seconds(silence))

    assert [beat.condition for beat in pulse.state.runs.values()] == [condition]


@pytest.mark.parametrize(
    ("silence", "severity"), [(59, None), (60, "warning"), (119, "warning"), (120, "critical"), (360, "critical")]
)
def test_no_decision_warns_after_an_hour_and_is_critical_after_two(silence: int, severity: str | None):
    control = ControlDriver(NBA)
    control.decided("morning_operations", MORNING)

    control.tick(MORNING + minutes(silence))

    assert severity_of(episode(control.state, "workflow_silent")) == severity


# --- regrading and repairs -----------------------------------------------------------------------------------------


def graded(*counts: int) -> Driver:
    """A date that was graded as often as there are `counts` of a hundred."""
    day = in_grading()
    for attempt, count in enumerate(counts, 1):
        numbers = {"predictions_found": 100, "graded_count": count}
        day.complete("grading", "Phase5BGrading", COMPUTED + minutes(10 * attempt), extra=numbers)
    return day


@pytest.mark.parametrize(
    ("counts", "state", "retries"),
    [
        ((70,), "done", 0),
        ((69,), "grading_waiting", 1),
        ((69, 70), "done", 1),
        ((69, 69), "grading_waiting", 2),
        ((69, 69, 69), "done", 2),
    ],
)
def test_below_seventy_percent_graded_the_date_is_graded_again_at_most_twice(
    counts: tuple[int, ...], state: str, retries: int
):
    day = graded(*counts)

    at = day.state.cycles["overnight"]
    assert (at.state, at.retries if at.phase == "grading" else None) == (state, retries)
    assert len(set(commanded(day, "grading"))) == 1 + retries


def test_a_heal_is_asked_for_every_four_hours_and_three_times_at_most():
    day = _blocked_on_coverage()
    day.until(MORNING + timedelta(hours=40))

    asked = [event for event in day.events if isinstance(event.data, HealRequested)]
    suppressed = [event.data for event in day.events if isinstance(event.data, HealSuppressed)]
    first, second, third = [event.recorded_at for event in asked]
    assert second - first >= timedelta(hours=4)
    assert third - second >= timedelta(hours=4)
    assert [heal.data.attempt for heal in asked] == [1, 2, 3]  # type: ignore[union-attr]
    assert suppressed[-1].reason == "cap"
    assert severity_of(episode(day.state, "heal_exhausted", "rescrape_bdl_box_scores")) == "critical"


def _blocked_on_coverage() -> Driver:
    day = in_raw()
    day.complete_all("raw", RAW, MORNING)
    day.measure("raw_to_analytics", MORNING + minutes(1), games_with_box_score=0, games_without_active_players=0)
    assert day.state.cycles["overnight"].state == "raw_blocked"
    return day


@pytest.mark.parametrize(("before", "asked"), [(seconds(1), 1), (seconds(0), 2)])
def test_the_cool_down_of_a_heal_ends_after_exactly_four_hours(before: timedelta, asked: int):
    day = _blocked_on_coverage()
    first = next(event.recorded_at for event in day.events if isinstance(event.data, HealRequested))
    day.tick(first + timedelta(hours=2))

    day.measure("raw_to_analytics", first + timedelta(hours=4) - before, games_with_box_score=0)

    assert [command.kind for command in day.commands].count("heal") == asked
