"""Measures are asked for at a boundary, age one by one, and are never guessed (design 5, decision 7)."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest
from msgspec.structs import replace

from events.catalogue import CommandRequested, MeasuresObserved
from events.codec import encode
from events.values import Measure
from statemachine.gates import evaluate, known_measures
from tests.driving import Driver, nba
from tests.scenes import (
    COMPUTED,
    GOOD_RAW,
    HOUR,
    LOADED,
    MEASURED,
    MINUTE,
    OPENED,
    PRECOMPUTE,
    RAW,
    at_raw_gate,
    cycle,
    evaluations,
    in_analytics,
    in_grading,
    in_precompute,
    in_raw,
    moves,
    opened,
    raw_blocked,
)

RAW_STEP = nba().cycle_of["overnight"].step_of["raw"]


def asked(day: Driver) -> list[CommandRequested]:
    return [command for command in day.commands if command.kind == "measure" and command.cycle == "overnight"]


def test_at_a_boundary_what_its_checks_read_is_asked_for_once():
    day = at_raw_gate()

    (command,) = [command for command in asked(day) if command.phase == "raw"]
    assert command.topic == "probe:raw_to_analytics"
    assert command.payload["measures"] == ["games_expected", "games_with_box_score", "games_without_active_players"]


def test_tables_are_asked_for_by_name_in_the_order_of_the_alphabet():
    day = in_analytics()
    day.complete_all("analytics", nba().cycle_of["overnight"].step_of["analytics"].expected, MEASURED + MINUTE)

    names = asked(day)[-1].payload["measures"]
    assert [name for name in names if name.startswith("table_rows.")] == sorted(
        f"table_rows.{name}" for name in nba().cycle_of["overnight"].step_of["analytics"].expected
    )


def test_young_measures_are_taken_as_they_are_without_asking():
    day = in_raw()
    day.measure("raw_to_analytics", LOADED - 30 * MINUTE + MINUTE, **GOOD_RAW)
    day.complete_all("raw", RAW, LOADED)

    assert cycle(day).state == "analytics_waiting"
    assert [command for command in asked(day) if command.phase == "raw"] == []


def test_measures_of_half_an_hour_ago_are_asked_for_again():
    day = in_raw()
    day.measure("raw_to_analytics", LOADED, **GOOD_RAW)
    day.complete_all("raw", RAW, LOADED + 30 * MINUTE + timedelta(seconds=1))

    assert cycle(day).state == "raw_gate"
    assert len(asked(day)) == 1


def test_an_old_measure_does_not_grow_young_because_another_one_came():
    day = raw_blocked()
    late = MEASURED + 3 * HOUR

    day.measure("raw_to_analytics", late, games_with_box_score=2)

    assert cycle(day).state == "raw_gate", "whether somebody was active is three hours old"
    assert asked(day)[-1].payload["measures"][-1] == "games_without_active_players"
    day.measure("raw_to_analytics", late + MINUTE, games_with_box_score=2, games_without_active_players=1)
    assert evaluations(day, "raw_to_analytics")[-1].outcome == "block"


def test_an_answer_that_leaves_something_out_is_judged_and_not_asked_for_for_ever():
    day = at_raw_gate()

    day.measure("raw_to_analytics", MEASURED, games_with_box_score=2)

    evaluation = evaluations(day, "raw_to_analytics")[-1]
    assert cycle(day).state == "raw_blocked"
    assert evaluation.outcome == "error"
    active = next(check for check in evaluation.checks if check.check == "active_players")
    assert (active.verdict, active.measured, active.error) == (
        "error",
        None,
        "games_without_active_players: not measured",
    )


@pytest.mark.parametrize(("minutes", "state"), [(9, "raw_gate"), (10, "raw_blocked")])
def test_without_an_answer_the_gate_is_judged_after_ten_minutes_on_nothing_which_is_an_error(minutes: int, state: str):
    day = at_raw_gate()
    day.until(LOADED + minutes * MINUTE)

    assert cycle(day).state == state
    if minutes == 10:
        assert evaluations(day, "raw_to_analytics")[-1].outcome == "error"


def test_a_probe_that_fails_overwrites_what_was_known_with_its_error():
    day = raw_blocked()
    day.measure("raw_to_analytics", MEASURED + MINUTE, games_with_box_score="403", games_without_active_players=0)

    evaluation = evaluations(day, "raw_to_analytics")[-1]
    assert evaluation.checks[1].error == "games_with_box_score: 403"
    assert evaluation.outcome == "error"


def test_the_expected_games_are_those_of_the_schedule_whatever_a_probe_counted():
    day = at_raw_gate()
    day.measure("raw_to_analytics", MEASURED, games_expected=9, **GOOD_RAW)

    known = known_measures(day.state, (), nba().gate_of["raw_to_analytics"])
    assert known["games_expected"].value == 2


def test_a_number_of_a_message_that_came_after_the_probe_is_the_newer_one():
    day = in_grading()
    day.measure("grading", COMPUTED + MINUTE, gradable=100, graded=10)
    day.complete("grading", "Phase5BGrading", COMPUTED + HOUR, extra={"predictions_found": 100, "graded_count": 99})

    assert cycle(day).state == "done"
    assert evaluations(day, "grading")[-1].checks[0].measured == 0.99


def test_a_probe_that_came_after_the_message_is_the_newer_one():
    day = Driver(nba())
    noon = COMPUTED - 14 * HOUR
    day.complete(
        "predictions", "PredictionCoordinator", noon, extra={"completion_pct": 30, "completed_predictions": 99}
    )
    day.measure("predictions_to_publishing", noon + MINUTE, completion_pct=95)

    step = nba().cycle_of["same_day"].step_of["predictions"]
    assert evaluate(day.state, nba(), "same_day", step).outcome == "pass"


def test_a_count_given_as_an_integer_makes_the_same_bytes_as_the_number_it_is():
    said = MeasuresObserved(boundary="grading", measures={"graded": Measure(value=2)})

    assert encode(said) == encode(msgspec.json.decode(encode(said), type=MeasuresObserved))
    assert encode(Measure(value=2)) == encode(Measure(value=2.0))


# --- the box-score bands ---------------------------------------------------------------------------------------------


def test_five_minutes_before_a_band_the_box_scores_are_counted_again():
    day = in_precompute()
    day.until("2026-01-17T10:54Z")
    before = len(day.commands)
    day.tick("2026-01-17T10:55Z")

    (command,) = day.commands[before:]
    assert (command.topic, command.payload["measures"]) == ("probe:raw_to_analytics", ["games_with_box_score"])
    assert (command.cycle, command.phase) == (None, None)


def test_a_clock_that_missed_several_bands_asks_once():
    day = in_precompute()
    before = len(day.commands)

    day.tick(OPENED + 40 * HOUR)

    probes = [command for command in day.commands[before:] if command.cycle is None and command.kind == "measure"]
    assert len(probes) == 1
    sent = [(command.command_id, command.attempt) for command in day.commands]
    assert len(set(sent)) == len(sent)


# --- modes -----------------------------------------------------------------------------------------------------------


def with_mode(mode: str):
    gates = tuple(replace(gate, mode=mode) if gate.name == "raw_to_analytics" else gate for gate in nba().gates)
    return replace(nba(), gates=gates)


def test_a_disabled_gate_asks_nothing_checks_nothing_and_records_that_it_was_skipped():
    day = at_raw_gate(with_mode("disabled"))

    (evaluation,) = evaluations(day, "raw_to_analytics")
    assert (evaluation.outcome, evaluation.mode, evaluation.checks) == ("skipped", "disabled", ())
    assert cycle(day).state == "analytics_waiting"
    assert [command for command in asked(day) if command.phase == "raw"] == []


def test_a_warning_gate_goes_on_and_says_what_it_would_have_done():
    day = raw_blocked(with_mode("warning"))

    (evaluation,) = evaluations(day, "raw_to_analytics")
    assert (evaluation.outcome, evaluation.blocking_outcome) == ("warn", "block")
    assert cycle(day).state == "analytics_waiting"
    assert "raw_to_analytics: box_score_coverage block" in cycle(day).degraded


def test_a_blocking_gate_in_error_holds_and_one_that_warns_goes_on_degraded():
    held, warned = at_raw_gate(), at_raw_gate()
    held.measure("raw_to_analytics", MEASURED, games_with_box_score="timeout", games_without_active_players=0)
    warned.schedule(MEASURED, *["2026-01-17T00:00Z"] * 5)
    warned.measure("raw_to_analytics", MEASURED, games_with_box_score=4, games_without_active_players=0)

    assert cycle(held).state == "raw_blocked"
    assert moves(warned)[-1].degraded == ("raw_to_analytics: box_score_coverage warn",)


def test_a_gate_that_looks_only_at_messages_is_judged_when_the_phase_is_ready():
    day = in_grading()
    day.complete("grading", "Phase5BGrading", COMPUTED + HOUR, extra={"predictions_found": 100, "graded_count": 99})

    assert [command for command in asked(day) if command.phase == "grading"] == []
    assert len(evaluations(day, "grading")) == 1


def test_a_table_that_is_full_without_a_completion_is_said_and_blocks_nothing():
    day = in_precompute()
    day.complete_all("precompute", PRECOMPUTE[:4], COMPUTED)
    day.tick(COMPUTED + HOUR + timedelta(seconds=1))
    rows = {f"table_rows.{name}": 10.0 for name in (*PRECOMPUTE[:1], "ml_feature_store_v2", *PRECOMPUTE[2:])}
    day.measure("precompute_to_predictions", COMPUTED + 2 * HOUR, **rows)

    agree = next(c for c in evaluations(day, "precompute_to_predictions")[-1].checks if c.check == "records_agree")
    assert agree.verdict == "warn"
    assert agree.basis == "tables 5/5, completions 4/5; rows without a completion: team_defense_zone_analysis"


def test_the_rechecks_of_a_block_grow_apart_until_a_person_is_asked():
    day = opened()
    day.complete_all("scrape", ("bdl_box_scores", "nbac_player_boxscore", "nbac_gamebook_pdf"), LOADED)
    day.complete_all("raw", RAW, LOADED)
    day.until(OPENED + 24 * HOUR)

    held = [event.recorded_at for event in day.events if getattr(event.data, "dest", "") == "raw_blocked"]
    gaps = [later - earlier - 10 * MINUTE for earlier, later in pairwise(held)]
    assert [gap / MINUTE for gap in gaps[:5]] == [30, 60, 120, 240, 240]
