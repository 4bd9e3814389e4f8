"""The heal plan: what the core would do if a person asked, to the letter, and why it does not do it now."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from events.catalogue import CommandRequested, Fact, HealRequested, OperatorActed
from events.codec import encode
from projections.heal_plan import NEVER, PATIENCE, HealPlan, Repair, heal_plan
from statemachine.decide import decide
from statemachine.definition import CommandSpec, Definition, Heal
from statemachine.operators import CommandNotAllowed
from tests.driving import Driver, moment, nba
from tests.projection_histories import histories
from tests.scenes import (
    ANALYTICS,
    HOUR,
    MEASURED,
    MINUTE,
    OPENED,
    RAW,
    SCRAPERS,
    in_analytics,
    in_precompute,
    in_raw,
    opened,
    raw_blocked,
    scheduled,
)

NOT_SAID_ALIKE = ("now", "event", "reason", "correlation")
"""Placeholders whose value depends on who asks, and when."""


def planned(day: Driver, at: Any = None) -> HealPlan:
    now = at or day.state.recorded_at
    assert now is not None
    return heal_plan(day.state, day.definition, now=now)


def components(plan: HealPlan) -> list[str]:
    return [repair.component for repair in plan.repairs]


def repair_of(plan: HealPlan, component: str) -> Repair:
    return next(repair for repair in plan.repairs if repair.component == component)


def whys(repair: Repair) -> list[str]:
    return [obstacle.why for obstacle in repair.obstacles]


def asked(day: Driver, component: str, now: Any) -> list[CommandRequested]:
    """What the core sends when a person asks for the component. Raises CommandNotAllowed."""
    data = OperatorActed(command="heal", reason="plan", target=component)
    fact = Fact(stream=day.stream, id="by-hand", occurred_at=now, correlation="c", data=data, actor="ana")
    events = [event.data for event in decide(day.state, fact, now, day.definition)]
    assert [data.component for data in events if isinstance(data, HealRequested)] == [component]
    return [data for data in events if isinstance(data, CommandRequested) and data.kind == "heal"]


def fixed(command: CommandRequested, heal: Heal) -> dict[str, Any]:
    """A payload without what depends on the asker."""
    loose = {
        key
        for key, value in heal.command.payload.items()
        if isinstance(value, str) and any(f"{{{name}}}" in value for name in NOT_SAID_ALIKE)
    }
    return {key: value for key, value in command.payload.items() if key not in loose}


# --- the plan is the core's -------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(histories())
def test_what_the_plan_says_may_be_asked_for_is_what_the_core_does_and_nothing_else(day: Driver):
    now = day.state.recorded_at
    assert now is not None
    specs = {heal.name: heal for heal in day.definition.heals}
    for repair in planned(day).repairs:
        if not repair.askable:
            with pytest.raises(CommandNotAllowed):
                asked(day, repair.component, now)
            continue
        [command] = asked(day, repair.component, now)
        heal = specs[repair.component.partition("/")[0]]
        assert (command.command_id, command.topic) == (repair.command.command_id, repair.command.topic)
        assert fixed(command, heal) == fixed(repair.command, heal)


@settings(max_examples=40)
@given(histories())
def test_a_plan_changes_nothing_and_is_in_the_order_of_the_chain(day: Driver):
    before = encode(day.state)
    plan = planned(day)

    order = [phase.name for phase in day.definition.phases]
    places = [order.index(repair.phase) for repair in plan.repairs]
    assert encode(day.state) == before
    assert places == sorted(places)
    assert [repair.place for repair in plan.repairs] == list(range(1, len(plan.repairs) + 1))
    assert all(repair.ready or repair.obstacles for repair in plan.repairs)


def test_of_two_plans_of_the_same_moment_every_byte_is_equal():
    assert encode(planned(raw_blocked())) == encode(planned(raw_blocked()))


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_before_anything_is_due_there_is_nothing_to_repair():
    assert planned(scheduled()).repairs == ()
    assert planned(scheduled()).by_hand == ()


@pytest.mark.parametrize("scene", [opened, in_raw])
def test_in_the_night_the_day_s_missing_predictions_are_to_repair_and_nothing_of_the_night_yet(scene: Any):
    assert components(planned(scene())) == ["rerun_predictions"]


def test_missing_box_scores_are_scraped_again_by_the_message_that_scrapers_read():
    repair = planned(raw_blocked()).repairs[0]

    assert (repair.component, repair.phase, repair.targets) == ("rescrape_bdl_box_scores", "raw", ("game_2",))
    assert repair.call == "publish to nba-scraper-trigger"
    assert repair.command.payload == {
        "scraper_name": "bdl_box_scores",
        "date": "2026-01-16",
        "retry_count": 2,
        "reason": "incomplete_boxscore_coverage_detected",
        "missing_count": 1,
    }
    assert repair.cause == "raw_to_analytics: box_score_coverage blocks, 1 of 2"
    assert repair.effect == "healed when box_score_coverage of raw_to_analytics passes; judged by the data after 60 min"
    assert (repair.cost.minutes, repair.cost.rows) == (2, 210)
    assert whys(repair) == ["pending"], "the core has asked for it itself"


def test_missing_processors_are_run_again_by_the_call_that_their_service_answers():
    day = in_analytics()
    day.complete_all("analytics", ANALYTICS[1:], MEASURED + MINUTE)
    day.complete("analytics", "player_game_summary", MEASURED + 2 * MINUTE, status="failed", error_message="no disk")
    repair = planned(day).repairs[0]

    assert repair.call == "POST phase3 /process-date-range"
    assert repair.command.payload == {
        "start_date": "2026-01-16",
        "end_date": "2026-01-16",
        "processors": ["PlayerGameSummaryProcessor"],
        "backfill_mode": False,
    }
    assert repair.cause == "analytics (overnight): player_game_summary failed (no disk)"
    assert repair.effect.startswith("healed when player_game_summary completes again")


def test_a_phase_at_work_is_in_the_plan_with_the_advice_to_wait_until_it_would_be_stalled():
    repair = planned(in_analytics()).repairs[0]

    [obstacle] = repair.obstacles
    assert (obstacle.why, obstacle.until) == ("running", MEASURED + HOUR)
    assert not repair.ready
    assert repair.askable


def test_what_is_missing_further_down_comes_after_what_it_reads():
    day = in_precompute()
    day.until("2026-01-18T06:00Z")
    plan = planned(day)

    assert components(plan)[0] == "rerun_precompute"
    assert whys(repair_of(plan, "rerun_grading"))[-1] == "upstream"


def test_a_phase_that_is_held_back_and_overdue_is_in_the_plan_with_what_holds_it():
    day = raw_blocked()
    day.until("2026-01-17T17:00Z")
    plan = planned(day)

    assert components(plan)[:3] == ["rescrape_bdl_box_scores", "rerun_analytics", "rerun_precompute"]
    held = repair_of(plan, "rerun_precompute").obstacles[-1]
    assert held.why == "upstream"
    assert held.detail.startswith("overnight is raw_blocked")


def test_what_is_missing_and_has_no_repair_is_said_to_be_work_by_hand():
    day = in_raw()
    day.complete("raw", "NbacGamebookProcessor", "2026-01-17T06:10Z")
    plan = planned(day)

    [item] = [item for item in plan.by_hand if item.phase == "raw"]
    assert "p2_nbacom_boxscores" in item.processors
    assert "never reported" in item.cause


@pytest.mark.parametrize(("game_date", "name"), [("2026-01-27", "bdl"), ("2026-01-28", "nbac")])
def test_a_source_that_is_switched_off_is_in_no_plan(game_date: str, name: str):
    day = Driver(nba(), f"nba/{game_date}")
    day.schedule("2026-01-20T12:00Z", f"{game_date}T23:30Z", f"{game_date}T23:45Z")
    night = moment(f"{game_date}T23:45Z") + 6 * HOUR
    day.until(night)
    day.complete_all("scrape", SCRAPERS, night)
    day.complete_all("raw", RAW, night)
    day.measure("raw_to_analytics", night, games_with_box_score=1, games_without_active_players=0)

    scraped = [component for component in components(planned(day)) if component.startswith("rescrape")]
    assert scraped == [f"rescrape_{name}_box_scores"]


# --- why not now ------------------------------------------------------------------------------------------------------


def each(mode: str = "automatic", **fields: Any) -> Definition:
    heal = Heal(
        name="rerun_each",
        mode=mode,  # type: ignore[arg-type]
        phase="analytics",
        command=CommandSpec(topic="http:phase3/run", payload={"who": "{target}", "n": "{attempt}"}, per="target"),
        **fields,
    )
    return replace(nba(), heals=(heal,))


def test_a_repair_waits_out_its_cool_down_and_says_until_when():
    day = raw_blocked()
    day.until(MEASURED + 2 * HOUR)
    repair = planned(day).repairs[0]

    [obstacle] = repair.obstacles
    assert (obstacle.why, obstacle.until) == ("cool_down", MEASURED + 4 * HOUR)
    assert (repair.attempts, repair.cap, repair.last_outcome) == (1, 3, "no_effect")


@pytest.mark.parametrize(("permanent", "why"), [(True, "permanent"), (False, "cap")])
def test_what_can_never_be_asked_for_again_says_so(permanent: bool, why: str):
    day = raw_blocked()
    if permanent:
        command = next(command for command in day.commands if command.kind == "heal")
        day.refuse(command.command_id, MEASURED + MINUTE, permanent=True)
    day.until(MEASURED + 40 * HOUR if not permanent else MEASURED + HOUR)
    repair = planned(day).repairs[0]

    assert why in whys(repair)
    assert why in NEVER
    assert not repair.askable


def test_what_waits_for_approval_is_asked_for_by_a_person_only():
    day = in_analytics(each("approval"))
    day.until(MEASURED + 2 * HOUR)
    plan = planned(day)

    assert {why for repair in plan.repairs for why in whys(repair)} == {"approval"}
    assert "approval" in PATIENCE
    assert len(plan.repairs) == len(ANALYTICS)
    assert all(repair.askable for repair in plan.repairs)


def test_what_is_switched_off_is_shown_and_cannot_be_asked_for():
    day = in_analytics(each("off"))
    day.until(MEASURED + 2 * HOUR)

    assert {why for repair in planned(day).repairs for why in whys(repair)} == {"off"}


def test_of_a_component_for_each_target_one_can_be_asked_for_without_the_others():
    day = in_analytics(each("approval"))
    day.until(MEASURED + 2 * HOUR)
    day.operator("heal", MEASURED + 2 * HOUR, target="rerun_each/player_game_summary")
    plan = planned(day)

    pending = [repair.component for repair in plan.repairs if "pending" in whys(repair)]
    assert pending == ["rerun_each/player_game_summary"]
    assert [c.payload for c in day.commands if c.kind == "heal"] == [{"who": "player_game_summary", "n": 1}]


def test_a_date_whose_games_have_not_been_played_is_not_repaired():
    day = in_analytics(each())
    state = replace(day.state, games={k: replace(g, start_utc=MEASURED) for k, g in day.state.games.items()})
    [first, *_] = heal_plan(state, day.definition, now=MEASURED + MINUTE).repairs

    obstacle = next(obstacle for obstacle in first.obstacles if obstacle.why == "games_not_played")
    assert obstacle.until == MEASURED + nba().game_minutes * MINUTE


def test_nothing_is_asked_for_on_a_halted_date():
    day = raw_blocked()
    day.operator("halt", OPENED + 3 * HOUR)

    assert "halted" in whys(planned(day).repairs[0])
