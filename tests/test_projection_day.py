"""A date as it is shown: the public JSON shape, and four answers that are never confused: not due, missing, empty and
fine, unknown."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from projections.day import PhaseShow, day_row, day_show
from tests.driving import Driver, nba
from tests.projection_dates import RAW, blocked_date
from tests.projection_histories import histories

KEYS = {
    "": "sport game_date status expected_games cycles gates alerts heals next_deadline version hash",
    "cycle": "state phase degraded phases",
    "phase": "status completed missing failed",
    "gate": "gate cycle outcome mode evaluated_at definition checks",
    "check": "check measured warn block verdict error",
    "alert": "cause severity raised_at delivered_at acknowledged_at resolved_at",
    "heal": "component attempt requested_at outcome",
    "next_deadline": "name at",
}
"""The stable names of interface.md; more may stand beside them."""


def shown(driver: Driver) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(day_show(driver.state, driver.definition, head_hash="f" * 64))
    )
    return document


def phase(driver: Driver, cycle: str, name: str) -> PhaseShow:
    return day_show(driver.state, driver.definition, head_hash="").cycles[cycle].phases[name]


def has(keys: str, document: dict[str, Any]) -> bool:
    return set(KEYS[keys].split()) <= document.keys()


@settings(max_examples=30)
@given(histories())
def test_every_date_is_shown_with_every_stable_key_whatever_happened_to_it(driver: Driver):
    document = shown(driver)

    assert has("", document)
    assert list(document["cycles"]) == ["tomorrow", "same_day", "overnight"]
    assert all(has("cycle", cycle) for cycle in document["cycles"].values())
    assert all(has("phase", p) for cycle in document["cycles"].values() for p in cycle["phases"].values())
    assert all(has("gate", gate) for gate in document["gates"])
    assert all(has("check", check) for gate in document["gates"] for check in gate["checks"])
    assert all(has("alert", alert) for alert in document["alerts"])
    assert all(has("heal", heal) for heal in document["heals"])
    assert document["next_deadline"] is None or has("next_deadline", document["next_deadline"])


@settings(max_examples=30)
@given(histories())
def test_one_phase_of_a_cycle_is_present_those_before_it_done_and_those_after_it_ahead(driver: Driver):
    for cycle in day_show(driver.state, driver.definition, head_hash="").cycles.values():
        words = [item.status for item in cycle.phases.values()]
        present = [place for place, word in enumerate(words) if word not in ("done", "not_due", "ran_ahead")]
        if present:
            assert len(present) == 1
            assert set(words[: present[0]]) <= {"done"}
            assert set(words[present[0] + 1 :]) <= {"not_due", "ran_ahead"}
        else:
            assert set(words) == {"done"} or "done" not in words


def test_the_numbers_of_a_block_are_shown():
    document = shown(blocked_date())

    gate = next(gate for gate in document["gates"] if gate["gate"] == "raw_to_analytics")
    check = next(check for check in gate["checks"] if check["check"] == "box_score_coverage")
    assert (document["status"], document["expected_games"]) == ("blocked", 7)
    assert (gate["outcome"], gate["cycle"], gate["evaluated_at"]) == ("block", "overnight", "2026-01-17T11:16:00Z")
    assert (check["measured"], check["block"], check["verdict"], check["error"]) == (5 / 7, 0.8, "block", None)
    assert document["heals"][0]["component"] == "rescrape_bdl_box_scores"
    assert document["heals"][0]["outcome"] is None


def test_a_phase_that_is_not_due_misses_nobody():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")

    assert phase(driver, "overnight", "raw") == PhaseShow(status="not_due", completed=(), missing=(), failed=())


def test_a_phase_that_is_waited_for_names_who_is_missing_and_who_failed():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")
    driver.until("2026-01-17T06:00Z")
    driver.complete("scrape", "bdl_box_scores", "2026-01-17T06:01Z")
    driver.complete("scrape", "nbac_gamebook_pdf", "2026-01-17T06:02Z", status="failed")

    assert phase(driver, "overnight", "scrape") == PhaseShow(
        status="running",
        completed=("bdl_box_scores",),
        missing=("nbac_player_boxscore", "nbac_gamebook_pdf"),
        failed=("nbac_gamebook_pdf",),
    )


def test_completions_ahead_of_the_machine_are_shown_as_such():
    driver = blocked_date()
    driver.complete("precompute", "ml_feature_store", "2026-01-17T11:20Z")

    ahead = phase(driver, "overnight", "precompute")
    assert (ahead.status, ahead.completed) == ("ran_ahead", ("ml_feature_store",))
    assert "player_daily_cache" in ahead.missing
    assert phase(driver, "overnight", "analytics").status == "not_due"


def test_an_optional_processor_that_completed_is_shown_and_never_missing():
    driver = blocked_date()
    driver.complete("raw", "p2_bigdataball_pbp", "2026-01-17T11:20Z")

    raw = phase(driver, "overnight", "raw")
    assert raw.completed == (*RAW, "p2_bigdataball_pbp")
    assert raw.missing == ()


def test_no_schedule_is_unknown_and_no_games_is_zero():
    unknown, empty = Driver(nba()), Driver(nba())
    unknown.complete("raw", "BdlBoxscoresProcessor", "2026-01-17T06:00Z")
    empty.schedule("2026-01-10T12:00Z")

    assert shown(unknown)["expected_games"] is None
    assert (shown(empty)["expected_games"], shown(empty)["status"]) == (0, "no_games")
    assert shown(empty)["next_deadline"] is None


def test_the_row_of_a_blocked_date_names_the_gate_the_coverage_and_what_comes_next():
    driver = blocked_date()

    row = day_row(driver.state, driver.definition)

    assert (row.status, row.cycle, row.state) == ("blocked", "overnight", "raw_blocked")
    assert row.blocked_by == ("raw_to_analytics",)
    assert row.coverage == pytest.approx(5 / 7)
    assert row.alerts["critical"] == sum(
        alert.severity == "critical" and alert.resolved_at is None for alert in driver.state.alerts.values()
    )
    assert row.next_deadline is not None


def test_the_row_of_a_date_whose_time_has_not_come_has_no_cycle():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")

    row = day_row(driver.state, driver.definition)

    assert (row.cycle, row.state, row.coverage, row.blocked_by) == (None, None, None, ())
    assert row.alerts == {"info": 0, "warning": 0, "critical": 0}
    assert row.next_deadline is not None
    assert row.next_deadline.name == "open:tomorrow"


def test_open_alerts_stand_before_resolved_ones_and_grave_ones_first():
    driver = blocked_date()
    driver.measure("raw_to_analytics", "2026-01-17T11:20Z", games_with_box_score=7)

    alerts = day_show(driver.state, driver.definition, head_hash="").alerts

    assert [(alert.resolved_at is None, alert.severity, alert.cause) for alert in alerts] == [
        (True, "critical", "predictions_late"),
        (True, "warning", "phase_stalled"),
        (False, "warning", "gate_blocked"),
    ]
