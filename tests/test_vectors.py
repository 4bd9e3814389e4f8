"""The boundary vectors of orchestration 12, each as design 5 and 6 decide it where the sources disagree.

A vector states the figure and the side of the threshold that holds. Checks whose thresholds are the vectors' own are
built here; everything else is the shipped NBA definition.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from events.catalogue import AlertRaised, GateEvaluated, HealRequested, HealSuppressed
from events.values import Measure, Verdict
from statemachine.definition import CheckSpec, Definition, Gate
from statemachine.gates import CHECKS, View, evaluate
from statemachine.readiness import Standing, standing, waits_met
from statemachine.state import Alert, CycleState, DateState, Seen
from tests.driving import ControlDriver, Driver, PulseDriver, measures, nba
from tests.scenes import RAW, SCRAPERS, episode, in_raw, moves

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


def severity_of(alert: Alert | None) -> str | None:
    return alert.severity if alert is not None else None


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


def test_five_unknown_names_complete_nothing_and_each_is_told_once():
    day = in_raw()
    for number in range(5):
        day.complete("raw", f"Mystery{number}Processor", MORNING)
        day.complete("raw", f"Mystery{number}Processor", MORNING + minutes(1))

    assert day.state.cycles["overnight"].state == "raw_waiting"
    assert day.state.work.keys() == {f"overnight/scrape/{name}" for name in SCRAPERS}
    raised = [event.data for event in day.events if isinstance(event.data, AlertRaised)]
    unmapped = [alert.subject for alert in raised if alert.cause == "unmapped_processor"]
    assert unmapped == [f"Mystery{number}Processor" for number in range(5)]


# --- checks with the vectors' own thresholds -------------------------------------------------------------------------


def verdict(spec: CheckSpec, **values: float | str | None) -> Verdict:
    nobody = Standing(completed=(), missing=(), missing_critical=(), missing_optional=(), failed=(), done={})
    view = View(step=NBA.cycles[0].steps[0], stands=nobody, measures=measures(**values), tables={})
    return CHECKS[spec.kind](spec, view).verdict


@pytest.mark.parametrize(
    ("expected", "actual", "says"),
    [
        (10, 8, "pass"),
        (10, 7, "warn"),
        (10, 5, "warn"),
        (10, 4, "block"),
        (0, 0, "pass"),
        (0, 3, "pass"),
        (7, 0, "block"),
        (7, 8, "warn"),
        (1000, 799, "warn"),
        (1000, 800, "pass"),
        (1000, 499, "block"),
        (1000, 500, "warn"),
    ],
)
def test_the_game_count_warns_below_eighty_percent_and_blocks_below_half(expected: int, actual: int, says: Verdict):
    spec = CheckSpec(
        name="game_count", kind="ratio", measure="games", of="games_expected", warn_below=0.8, block_below=0.5
    )

    assert verdict(spec, games=actual, games_expected=expected) == says


QUALITY = CheckSpec(name="quality", kind="value", measure="quality", warn_below=0.7, block_below=0.5)


@pytest.mark.parametrize(
    ("quality", "says"),
    [(0.70, "pass"), (0.699, "warn"), (0.50, "warn"), (0.499, "block"), (None, "skipped"), ("no rows", "error")],
)
def test_quality_warns_below_seventy_percent_blocks_below_half_and_is_never_guessed(
    quality: float | str | None, says: Verdict
):
    assert verdict(QUALITY, quality=quality) == says


def test_a_measure_that_nobody_gave_is_an_error_and_not_zero():
    assert verdict(QUALITY) == "error"


@pytest.mark.parametrize(("policy", "outcome"), [("warn", "warn"), ("block", "error"), ("pass", "pass")])
def test_what_an_error_means_is_the_policy_of_the_check(policy: str, outcome: Verdict):
    gate = Gate(name="raw_to_analytics", mode="blocking", checks=(_with_policy(policy),))
    definition = _with_gate(gate)
    day = Driver(definition)
    day.measure("raw_to_analytics", MORNING, quality="query failed")

    evaluation = evaluate(day.state, definition, "overnight", definition.cycle_of["overnight"].step_of["raw"])

    assert evaluation.checks[0].verdict == "error"
    assert evaluation.checks[0].error == "quality: query failed"
    assert evaluation.outcome == outcome


def _with_policy(policy: str) -> CheckSpec:
    return replace(QUALITY, on_error=policy)


def _with_gate(gate: Gate) -> Definition:
    return replace(NBA, gates=tuple(gate if item.name == gate.name else item for item in NBA.gates))


# --- the gates of the NBA definition ---------------------------------------------------------------------------------


def judged(gate: str, cycle: str, phase: str, **values: float | str | None) -> GateEvaluated:
    """The gate evaluated on these measures, with everybody completed."""
    day = Driver(NBA)
    step = NBA.cycle_of[cycle].step_of[phase]
    for name in step.expected:
        day.complete(phase, name, MORNING)
    day.measure(gate, MORNING, **values)
    return evaluate(day.state, NBA, cycle, step)


def check(evaluation: GateEvaluated, name: str) -> Verdict:
    return next(item.verdict for item in evaluation.checks if item.check == name)


@pytest.mark.parametrize(
    ("present", "says", "severity"),
    [
        (10000, "pass", None),
        (8000, "warn", None),
        (7999, "block", "warning"),
        (5000, "block", "warning"),
        (4999, "block", "critical"),
    ],
)
def test_box_score_coverage_blocks_below_eighty_percent_and_gravely_below_half(
    present: int, says: Verdict, severity: str | None
):
    day = in_raw()
    day.complete_all("raw", RAW, MORNING)
    share = 2 * present / 10000
    day.measure("raw_to_analytics", MORNING + minutes(1), games_with_box_score=share, games_without_active_players=0)

    evaluation = next(
        e.data for e in day.events if isinstance(e.data, GateEvaluated) and e.data.gate == "raw_to_analytics"
    )
    assert check(evaluation, "box_score_coverage") == says
    assert severity_of(episode(day.state, "gate_blocked", "raw_to_analytics")) == severity


@pytest.mark.parametrize(
    ("covered", "scheduled", "says"),
    [(80.0, 100, "pass"), (79.99, 100, "block"), (0, 0, "pass"), ("query failed", 100, "error")],
)
def test_game_coverage_in_analytics_blocks_below_eighty_percent(covered: float | str, scheduled: int, says: Verdict):
    evaluation = judged(
        "analytics_to_precompute", "overnight", "analytics", games_in_analytics=covered, games_expected=scheduled
    )

    assert check(evaluation, "game_coverage") == says


@pytest.mark.parametrize(
    ("share", "says"), [(90.0, "pass"), (89.99, "warn"), (80.0, "warn"), (79.99, "block"), ("query failed", "error")]
)
def test_minutes_warn_below_ninety_percent_and_block_below_eighty(share: float | str, says: Verdict):
    evaluation = judged("analytics_to_precompute", "overnight", "analytics", players_with_minutes=share, players=100)

    assert check(evaluation, "minutes_coverage") == says


@pytest.mark.parametrize(("rate", "says"), [(5.0, "pass"), (5.01, "warn"), (50.0, "warn"), (50.01, "block")])
def test_the_null_rate_warns_above_five_percent_and_blocks_above_fifty(rate: float, says: Verdict):
    evaluation = judged("analytics_to_precompute", "overnight", "analytics", null_rate_pct=rate)

    assert check(evaluation, "null_rate") == says


ALL = "PDC MLFS PCF PSZA TDZA"


@pytest.mark.parametrize(
    ("filled", "says"),
    [
        (ALL, "pass"),
        ("PDC MLFS PCF", "warn"),
        ("PDC MLFS", "block"),
        ("MLFS PCF PSZA TDZA", "block"),
        ("PDC PCF PSZA TDZA", "block"),
    ],
)
def test_the_breaker_needs_three_of_five_tables_and_both_criticals(filled: str, says: Verdict):
    assert check(_precomputed(filled), "breaker") == says


def _precomputed(filled: str, empty: float | str = 0) -> GateEvaluated:
    rows: dict[str, float | str | None] = {}
    for short, name in PRECOMPUTE.items():
        table = (NBA.processor_of[name].table or "").rpartition(".")[2]
        rows[f"table_rows.{table}"] = 100 if short in filled.split() else empty
    return judged("precompute_to_predictions", "same_day", "precompute", **rows)


def test_a_count_below_zero_is_a_table_without_rows():
    assert check(_precomputed("PCF PSZA TDZA", empty=-1), "breaker") == "block"


def test_a_table_that_could_not_be_read_is_an_error_where_it_could_have_tipped_the_breaker():
    assert check(_precomputed("PDC MLFS", empty="403"), "breaker") == "error"
    assert check(_precomputed("PDC MLFS PCF", empty="403"), "breaker") == "warn"
    assert check(_precomputed("PCF PSZA TDZA", empty="403"), "breaker") == "error"


@pytest.mark.parametrize(
    ("clean", "expected", "says"), [(60.0, 100, "pass"), (59.9, 100, "block"), (0, 0, "pass"), (7, 0, "pass")]
)
def test_clean_features_block_below_sixty_percent_of_the_players(clean: float, expected: int, says: Verdict):
    evaluation = judged(
        "precompute_to_predictions",
        "same_day",
        "precompute",
        players_with_clean_features=clean,
        players_expected=expected,
    )

    assert check(evaluation, "clean_features") == says


@pytest.mark.parametrize(
    ("quality", "says"),
    [(70.0, "pass"), (69.99, "warn"), (69.07, "warn"), (65.0, "warn"), (64.99, "block"), (64.43, "block")],
)
def test_feature_quality_warns_below_seventy_and_blocks_below_sixty_five(quality: float, says: Verdict):
    evaluation = judged("precompute_to_predictions", "same_day", "precompute", feature_quality_avg=quality)

    assert check(evaluation, "feature_quality") == says


def predicted(status: str = "success", **numbers: float) -> GateEvaluated:
    """The predictions gate after the coordinator's message with these numbers."""
    day = Driver(NBA)
    noon = MIDNIGHT - timedelta(hours=12)
    day.complete("predictions", "PredictionCoordinator", noon, status=status, extra=numbers)  # type: ignore[arg-type]
    return evaluate(day.state, NBA, "same_day", NBA.cycle_of["same_day"].step_of["predictions"])


@pytest.mark.parametrize(
    ("status", "pct", "outcome"),
    [("partial", 80.0, "pass"), ("partial", 79.9, "block"), ("success", 80.0, "pass"), ("success", 30.0, "block")],
)
def test_predictions_are_published_from_eighty_percent_on_whatever_the_status_says(
    status: str, pct: float, outcome: Verdict
):
    assert predicted(status, completion_pct=pct, completed_predictions=100).outcome == outcome


@pytest.mark.parametrize(("number", "outcome"), [(10, "pass"), (9, "block"), (0, "block")])
def test_fewer_than_ten_predictions_are_not_published(number: int, outcome: Verdict):
    assert predicted(completion_pct=100, completed_predictions=number).outcome == outcome


def test_a_coordinator_message_without_its_numbers_is_an_error_and_not_zero():
    evaluation = predicted()

    assert [item.verdict for item in evaluation.checks] == ["error", "error"]
    assert [item.measured for item in evaluation.checks] == [None, None]
    assert evaluation.outcome == "error"


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
    """A date whose overnight cycle stands before grading, graded as often as there are `counts` of a hundred."""
    day = in_raw()
    day.state = _standing_at_grading(day.state)
    for attempt, count in enumerate(counts):
        at = MORNING + minutes(10 * attempt + 10)
        day.complete("grading", "Phase5BGrading", at, extra={"predictions_found": 100, "graded_count": count})
    return day


def _standing_at_grading(state: DateState) -> DateState:
    at = CycleState(state="grading_waiting", phase="grading", since=MORNING, opened_at=MORNING, progress_at=MORNING)
    return replace(state, cycles={**state.cycles, "overnight": at})


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
    asked = [c for c in day.commands if c.kind == "trigger" and c.phase == "grading"]
    assert (at.state, len(asked)) == (state, retries)
    assert len({command.command_id for command in asked}) == retries


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


def test_seen_measures_are_what_the_vectors_say_they_are():
    day = Driver(NBA)
    day.measure("grading", MORNING, graded=1, gradable="timeout")

    assert day.state.measures["grading"] == Seen(
        at=MORNING,
        measures={"graded": Measure(value=1.0), "gradable": Measure(error="timeout")},
        observed_at={"graded": MORNING, "gradable": MORNING},
    )
