"""The gate vectors of orchestration 12, each as design 5 decides it where the sources disagree.

Checks whose thresholds are the vectors' own are built here; the others are those of the shipped NBA definition.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from events.catalogue import GateEvaluated
from events.values import Verdict
from statemachine.definition import CheckSpec, Definition, Gate
from statemachine.gates import CHECKS, View, evaluate
from statemachine.readiness import Standing
from tests.driving import Driver, measures, nba
from tests.scenes import PRECOMPUTE as PRECOMPUTE_NAMES
from tests.scenes import RAW, episode, in_raw, severity_of

NBA = nba()
MIDNIGHT = datetime(2026, 1, 17, 5, tzinfo=UTC)
"""The midnight, league time, that ends the game date of the drivers."""

MORNING = MIDNIGHT + timedelta(hours=3)
PRECOMPUTE = dict(zip(("PDC", "MLFS", "PCF", "PSZA", "TDZA"), PRECOMPUTE_NAMES, strict=True))


# --- checks with the vectors' own thresholds -------------------------------------------------------------------------


def verdict(spec: CheckSpec, **values: float | str | None) -> Verdict:
    nobody = Standing(completed=(), missing=(), missing_critical=(), missing_optional=())
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
    day.measure(
        "raw_to_analytics", MORNING + timedelta(minutes=1), games_with_box_score=share, games_without_active_players=0
    )

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
