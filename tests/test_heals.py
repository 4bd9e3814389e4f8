"""Repairs: asked for under a key, with a cool-down and a cap, judged by data, never before the games (design 8.9)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from events.catalogue import AlertRaised, CommandRequested, HealRequested, HealResolved, HealSuppressed
from events.values import Game
from statemachine.definition import CommandSpec, Definition, Heal, in_force
from statemachine.heals import may_start
from statemachine.state import HealState
from tests.driving import Driver, games, moment, nba
from tests.scenes import (
    ANALYTICS,
    HOUR,
    LOADED,
    MEASURED,
    MINUTE,
    OPENED,
    PUBLISHED,
    RAW,
    SCRAPED,
    SCRAPERS,
    TIPS,
    cycle,
    episode,
    in_analytics,
    in_grading,
    raw_blocked,
    scheduled,
)

RESCRAPE = "rescrape_bdl_box_scores"
PUBLISHED_AGAIN = "2026-01-13T12:00Z"


def found(day: Driver, kind: type) -> list[Any]:
    return [event.data for event in day.events if isinstance(event.data, kind)]


def with_heals(*heals: Heal, **phases: Any) -> Definition:
    return replace(nba(), heals=heals, **phases)


ANALYTICS_EACH = Heal(
    name="rerun_each",
    mode="automatic",
    phase="analytics",
    command=CommandSpec(topic="http:rerun", payload={"processor": "{target}", "n": "{attempt}"}, per="target"),
)


def test_a_check_that_did_not_pass_asks_for_its_heal_and_names_the_games_that_tipped_off_last():
    day = raw_blocked()

    requested = found(day, HealRequested)
    assert [(heal.component, heal.attempt, heal.targets) for heal in requested] == [(RESCRAPE, 1, ("game_2",))]
    command = next(command for command in day.commands if command.kind == "heal")
    assert command.command_id == requested[0].command_id
    assert command.payload["date"] == "2026-01-16"
    assert (command.payload["retry_count"], command.payload["missing_count"]) == (1, 1)


def test_a_heal_is_healed_when_the_data_came_and_only_then():
    day = raw_blocked()
    day.confirm(MEASURED + MINUTE)
    assert day.state.heals[RESCRAPE].outcome is None

    day.measure("raw_to_analytics", MEASURED + 20 * MINUTE, games_with_box_score=2, games_without_active_players=0)

    assert [(heal.attempt, heal.outcome) for heal in found(day, HealResolved)] == [(1, "healed")]


def test_a_heal_after_which_no_data_came_within_the_hour_had_no_effect():
    day = raw_blocked()
    day.until(MEASURED + HOUR - MINUTE)
    assert found(day, HealResolved) == []

    day.until(MEASURED + HOUR)

    assert [(heal.attempt, heal.outcome) for heal in found(day, HealResolved)] == [(1, "no_effect")]


def warned() -> Driver:
    """Five of six box scores: the gate lets the date go on with a warning, and a heal is asked for."""
    day = scheduled()
    day.schedule(PUBLISHED_AGAIN, *games(*[TIPS[0]] * 5, TIPS[1]))
    day.until(OPENED)
    day.complete_all("scrape", SCRAPERS, SCRAPED)
    day.complete_all("raw", RAW, LOADED)
    day.measure("raw_to_analytics", MEASURED, games_with_box_score=5, games_without_active_players=0)
    assert cycle(day).phase == "analytics"
    assert day.state.heals[RESCRAPE].outcome is None
    return day


def looks(day: Driver) -> list[tuple[Any, list[str]]]:
    """When the core asked to measure the box scores, and what, after the gate had passed."""
    return [
        (event.recorded_at, event.data.payload["measures"])
        for event in day.events
        if isinstance(event.data, CommandRequested)
        and event.data.topic == "probe:raw_to_analytics"
        and event.recorded_at > MEASURED
    ]


@pytest.mark.parametrize("scene", [raw_blocked, warned])
def test_before_an_attempt_is_judged_the_data_is_measured_again(scene: Any):
    day = scene()
    day.until(MEASURED + HOUR - MINUTE)

    assert (MEASURED + HOUR - 5 * MINUTE, ["games_with_box_score"]) in looks(day)


def test_an_attempt_is_judged_by_what_was_measured_after_it_although_no_gate_looks_any_more():
    day = warned()
    day.until(MEASURED + HOUR - 5 * MINUTE)
    day.measure("raw_to_analytics", MEASURED + HOUR - 4 * MINUTE, games_with_box_score=6)
    day.until(MEASURED + HOUR)

    [judged] = found(day, HealResolved)
    assert (judged.outcome, judged.detail) == ("healed", "box_score_coverage: 6 of 6")
    assert cycle(day).phase == "analytics", "the gate that has passed is not opened again"


@pytest.mark.parametrize("later", [5, "the warehouse is away", None])
def test_what_was_measured_and_is_not_enough_or_not_known_heals_nothing(later: Any):
    day = warned()
    day.measure("raw_to_analytics", MEASURED + HOUR - 4 * MINUTE, games_with_box_score=later)
    day.until(MEASURED + HOUR)

    assert [judged.outcome for judged in found(day, HealResolved)] == ["no_effect"]


def test_while_an_attempt_is_not_judged_there_is_no_second_one():
    day = raw_blocked()
    day.measure("raw_to_analytics", MEASURED + 10 * MINUTE, games_with_box_score=0, games_without_active_players=0)

    assert len(found(day, HealRequested)) == 1
    assert found(day, HealSuppressed) == []


def test_a_heal_that_is_refused_says_why_once_and_not_at_every_look():
    day = raw_blocked()
    day.until(MEASURED + 3 * HOUR)
    for minute in range(5):
        day.measure("raw_to_analytics", MEASURED + 3 * HOUR + minute * MINUTE, games_with_box_score=0)

    assert [heal.reason for heal in found(day, HealSuppressed)] == ["cool_down"]


def test_the_ids_of_attempts_differ_and_do_not_depend_on_what_asked_for_them():
    one, other = raw_blocked(), raw_blocked()
    one.until(MEASURED + 30 * HOUR)
    other.until(MEASURED + 5 * HOUR)
    other.measure("raw_to_analytics", MEASURED + 5 * HOUR, games_with_box_score=0, games_without_active_players=1)
    other.until(MEASURED + 30 * HOUR)

    ids = [heal.command_id for heal in found(one, HealRequested)]
    assert len(set(ids)) == 3
    assert ids == [heal.command_id for heal in found(other, HealRequested)]


def test_after_its_cap_a_component_is_exhausted_until_the_data_comes_after_all():
    day = raw_blocked()
    day.until(MEASURED + 40 * HOUR)
    exhausted = episode(day.state, "heal_exhausted", RESCRAPE)
    assert exhausted is not None
    assert (exhausted.severity, exhausted.resolved_at) == ("critical", None)

    late = MEASURED + 41 * HOUR
    day.measure("raw_to_analytics", late, games_with_box_score=2, games_without_active_players=0)
    if cycle(day).state == "raw_gate":
        day.measure("raw_to_analytics", late, games_with_box_score=2, games_without_active_players=0)

    after = episode(day.state, "heal_exhausted", RESCRAPE)
    assert after is not None
    assert after.resolved_at == late
    assert len(found(day, HealRequested)) == 3


def test_a_heal_that_cannot_be_sent_has_failed_is_never_retried_and_is_told():
    day = raw_blocked()
    command = next(command for command in day.commands if command.kind == "heal")

    day.refuse(command.command_id, MEASURED + MINUTE, permanent=True)
    assert [heal.outcome for heal in found(day, HealResolved)] == ["failed"]
    day.until(MEASURED + 30 * HOUR)

    assert len(found(day, HealRequested)) == 1
    assert [heal.reason for heal in found(day, HealSuppressed)] == ["permanent"]
    assert [a.subject for a in found(day, AlertRaised) if a.cause == "heal_exhausted"] == [RESCRAPE]


def test_a_heal_that_could_not_be_sent_for_now_stays_asked_for():
    day = raw_blocked()
    command = next(command for command in day.commands if command.kind == "heal")

    day.refuse(command.command_id, MEASURED + MINUTE, permanent=False)

    assert found(day, HealResolved) == []
    assert command.command_id in day.state.sent


# --- repairs of missing processors -----------------------------------------------------------------------------------


def test_a_stalled_phase_asks_to_run_again_whom_it_misses_and_judges_by_their_completions():
    day = in_analytics()
    day.complete_all("analytics", ANALYTICS[1:], MEASURED + MINUTE)
    day.until(MEASURED + MINUTE + HOUR)
    heal = day.state.heals["rerun_analytics"]
    assert heal.targets == ("player_game_summary",)
    command = next(command for command in day.commands if command.kind == "heal")
    assert command.payload["processors"] == ["PlayerGameSummaryProcessor"]

    day.complete("analytics", "PlayerGameSummaryProcessor", MEASURED + 2 * HOUR)

    assert day.state.heals["rerun_analytics"].outcome == "healed"


def test_a_component_that_stays_missing_is_asked_for_again_after_the_cool_down_without_any_message():
    day = in_analytics()
    day.until(MEASURED + 20 * HOUR)

    asked = [event for event in day.events if isinstance(event.data, HealRequested)]
    assert [event.data.attempt for event in asked if isinstance(event.data, HealRequested)] == [1, 2, 3]
    assert asked[1].recorded_at - asked[0].recorded_at == 4 * HOUR
    assert episode(day.state, "heal_exhausted", "rerun_analytics") is not None


def test_with_one_command_a_target_each_target_has_its_own_cool_down_and_cap():
    day = in_analytics(with_heals(ANALYTICS_EACH))
    day.complete_all("analytics", ANALYTICS[:3], MEASURED + MINUTE)
    day.until(MEASURED + MINUTE + HOUR)
    assert set(day.state.heals) == {"rerun_each/team_offense_game_summary", "rerun_each/upcoming_team_game_context"}

    day.complete("analytics", "TeamOffenseGameSummaryProcessor", MEASURED + 90 * MINUTE)

    outcomes = {component: heal.outcome for component, heal in day.state.heals.items()}
    assert outcomes == {
        "rerun_each/team_offense_game_summary": "healed",
        "rerun_each/upcoming_team_game_context": None,
    }
    payloads = [command.payload for command in day.commands if command.kind == "heal"]
    assert [payload["n"] for payload in payloads] == [1, 1]


def test_what_waits_for_approval_is_suppressed_and_says_so():
    heal = replace(ANALYTICS_EACH, mode="approval")
    day = in_analytics(with_heals(heal))
    day.until(MEASURED + 2 * HOUR)

    assert {event.reason for event in found(day, HealSuppressed)} == {"approval"}
    assert found(day, HealRequested) == []
    assert day.state.heals["rerun_each/player_game_summary"] == HealState(suppressed="approval")


def test_a_heal_that_is_switched_off_is_never_wanted():
    day = in_analytics(with_heals(replace(ANALYTICS_EACH, mode="off")))
    day.until(MEASURED + 9 * HOUR)

    assert day.state.heals == {}


@pytest.mark.parametrize(("game_date", "component"), [("2026-01-27", 0), ("2026-01-28", 1)])
def test_the_source_that_is_scraped_again_is_the_one_that_is_on(game_date: str, component: int):
    names = [heal.name for heal in nba().heals if heal.check == "box_score_coverage" and in_force(heal, game_date)]

    assert names == [["rescrape_bdl_box_scores", "rescrape_nbac_box_scores"][component]]


# --- never before the games ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "may"), [(134, False), (135, True)])
def test_what_needs_played_games_waits_for_the_first_final(minutes: int, may: bool):
    day = scheduled()
    heal = next(heal for heal in nba().heals if heal.name == "rerun_analytics")

    assert may_start(day.state, nba(), heal, moment(TIPS[0]) + minutes * MINUTE) is may


@pytest.mark.parametrize(("at", "may"), [("2026-01-17T04:59Z", False), ("2026-01-17T05:00Z", True)])
def test_where_no_tip_off_is_known_the_games_have_been_played_when_the_date_is_over(at: str, may: bool):
    day = Driver(nba())
    heal = next(heal for heal in nba().heals if heal.name == "rerun_analytics")

    assert may_start(day.state, nba(), heal, moment(at)) is may
    day.schedule(PUBLISHED, Game(game_id="tba"))
    assert may_start(day.state, nba(), heal, moment(at)) is may


def test_a_storm_of_runs_for_games_that_were_not_played_is_recorded_told_once_and_never_answered_with_repairs():
    day = scheduled()
    morning = moment("2026-01-16T14:00Z")
    for number in range(120):
        at = morning + number * MINUTE / 4
        day.complete("analytics", "PlayerGameSummaryProcessor", at, status="failed", run=f"run-{number}")

    storms = [alert for alert in found(day, AlertRaised) if alert.cause == "run_storm"]
    assert [(alert.subject, alert.severity) for alert in storms] == [("player_game_summary", "critical")]
    assert [command for command in day.commands if command.kind in ("trigger", "heal")] == []
    assert day.state.work["same_day/analytics/player_game_summary"].failures == 120


@pytest.mark.parametrize(("runs", "alerts"), [(50, 0), (51, 1)])
def test_more_than_fifty_runs_in_an_hour_are_a_storm(runs: int, alerts: int):
    day = scheduled()
    for number in range(runs):
        day.complete("raw", "NbacGamebookProcessor", OPENED + number * MINUTE, run=f"run-{number}")

    assert len([alert for alert in found(day, AlertRaised) if alert.cause == "run_storm"]) == alerts


def test_fifty_one_runs_in_more_than_an_hour_are_none():
    day = scheduled()
    for number in range(200):
        day.complete("raw", "NbacGamebookProcessor", OPENED + number * MINUTE * 1.25, run=f"run-{number}")

    assert [alert for alert in found(day, AlertRaised) if alert.cause == "run_storm"] == []


def test_grading_is_run_again_when_nobody_grades():
    day = in_grading()
    day.until(OPENED + 9 * HOUR)

    assert day.state.heals["rerun_grading"].attempt >= 1
