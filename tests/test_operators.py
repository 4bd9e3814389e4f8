"""What a person may ask of a date, what it then does, and when it is refused (interface: commands; design 5)."""

from __future__ import annotations

import pytest

from events.catalogue import Event, OperatorActed
from statemachine.operators import CommandNotAllowed
from tests.driving import Driver, nba
from tests.scenes import (
    HOUR,
    LOADED,
    MEASURED,
    MINUTE,
    OPENED,
    PUBLISHED,
    RAW,
    at_raw_gate,
    commanded,
    cycle,
    episode,
    evaluations,
    in_analytics,
    in_precompute,
    moves,
    opened,
    raw_blocked,
    scheduled,
)

LATER = MEASURED + 5 * MINUTE


def refused(day: Driver, command: str, at=LATER, *, target: str | None = None) -> CommandNotAllowed:
    """The refusal of a command, which records nothing."""
    events, state = list(day.events), day.state
    with pytest.raises(CommandNotAllowed) as refusal:
        day.operator(command, at, target=target)
    assert (day.events, day.state) == (events, state)
    assert refusal.value.command == command
    assert refusal.value.reason
    assert refusal.value.next_step
    return refusal.value


def acted(events: list[Event]) -> OperatorActed:
    """The command as it was recorded, with its actor and its reason."""
    assert events[0].actor == "ann"
    assert isinstance(events[0].data, OperatorActed)
    return events[0].data


# --- recheck ----------------------------------------------------------------------------------------------------------


def test_a_recheck_measures_anew_even_where_the_measures_are_young_and_evaluates_what_comes():
    day = raw_blocked()

    acted(day.operator("recheck", LATER, reason="I saw them", actor="ann"))
    assert cycle(day).state == "raw_gate"
    assert day.commands[-1].topic == "probe:raw_to_analytics"
    assert moves(day)[-1].reason == "asked by ann: I saw them"

    day.measure("raw_to_analytics", LATER + MINUTE, games_with_box_score=2, games_without_active_players=0)
    assert cycle(day).state == "analytics_waiting"


def test_a_recheck_that_nobody_answers_is_judged_on_what_is_known_after_ten_minutes():
    day = raw_blocked()
    day.operator("recheck", LATER)
    day.until(LATER + 10 * MINUTE)

    assert len(evaluations(day, "raw_to_analytics")) == 2
    assert cycle(day).state == "raw_blocked"


@pytest.mark.parametrize("scene", [scheduled, opened, in_analytics])
def test_a_recheck_is_refused_where_nothing_is_blocked(scene):
    assert "blocked" in refused(scene(), "recheck").reason


def test_a_recheck_of_another_gate_is_refused_by_name():
    assert "grading" in refused(raw_blocked(), "recheck", target="grading").reason


@pytest.mark.parametrize("target", [None, "overnight", "raw_to_analytics"])
def test_a_blocked_gate_is_found_by_its_name_by_its_cycle_or_alone(target: str | None):
    day = raw_blocked()
    day.operator("recheck", LATER, target=target)

    assert cycle(day).state == "raw_gate"


# --- override ---------------------------------------------------------------------------------------------------------


def test_an_override_goes_on_degraded_commands_the_next_phase_once_and_closes_the_alert():
    day = raw_blocked()

    acted(day.operator("override", LATER, reason="good enough", actor="ann"))

    assert cycle(day).state == "analytics_waiting"
    assert "raw_to_analytics overridden by ann" in cycle(day).degraded
    assert moves(day)[-1].reason == "overridden by ann: good enough"
    assert len(commanded(day, "analytics")) == 1
    blocked = episode(day.state, "gate_blocked", "raw_to_analytics")
    assert blocked is not None
    assert blocked.resolved_at == LATER


def test_a_gate_that_is_still_being_measured_can_be_overridden():
    day = at_raw_gate()
    day.operator("override", LATER)

    assert cycle(day).state == "analytics_waiting"


def test_measures_that_come_after_an_override_are_kept_and_move_nothing_back():
    day = at_raw_gate()
    day.operator("override", LATER)
    before = cycle(day)

    day.measure("raw_to_analytics", LATER + MINUTE, games_with_box_score=0)

    assert cycle(day) == before
    assert evaluations(day, "raw_to_analytics") == []


@pytest.mark.parametrize("scene", [scheduled, opened, in_analytics])
def test_an_override_is_refused_where_no_gate_holds(scene):
    refused(scene(), "override")


# --- waive ------------------------------------------------------------------------------------------------------------


def test_a_waived_game_is_not_expected_and_the_gate_is_looked_at_at_once_on_young_measures():
    day = raw_blocked()

    acted(day.operator("waive", LATER, target="game_2", reason="never played", actor="ann"))

    assert day.state.waived == ("game_2",)
    assert evaluations(day, "raw_to_analytics")[-1].outcome == "pass"
    assert cycle(day).state == "analytics_waiting"


def test_a_game_waived_when_the_measures_are_old_has_them_measured_first():
    day = raw_blocked()
    late = MEASURED + 31 * MINUTE
    day.tick(MEASURED + 29 * MINUTE)

    day.operator("waive", late, target="game_2")
    assert cycle(day).state == "raw_gate"
    assert day.commands[-1].topic == "probe:raw_to_analytics"

    day.measure("raw_to_analytics", late + MINUTE, games_with_box_score=1, games_without_active_players=0)
    assert cycle(day).state == "analytics_waiting"


@pytest.mark.parametrize("target", ["game_9", None])
def test_a_game_that_is_not_of_the_date_cannot_be_waived_and_the_known_ones_are_named(target: str | None):
    assert "game_1, game_2" in refused(scheduled(), "waive", target=target).next_step


def test_a_game_is_waived_once():
    day = scheduled()
    day.operator("waive", LATER, target="game_1")

    assert "already" in refused(day, "waive", target="game_1").reason


def test_a_date_whose_last_game_is_waived_has_no_games():
    day = scheduled()
    day.operator("waive", PUBLISHED, target="game_1")
    day.operator("waive", PUBLISHED, target="game_2")

    assert day.state.status == "no_games"
    assert day.until("2026-01-30T00:00Z") == []


# --- halt and resume --------------------------------------------------------------------------------------------------


def test_a_halted_date_records_what_it_hears_and_does_nothing_about_it():
    day = raw_blocked()
    acted(day.operator("halt", LATER, actor="ann"))
    before = (moves(day), len(day.commands), dict(day.state.alerts))

    day.complete("raw", RAW[0], LATER + MINUTE)
    day.complete("raw", "NobodyProcessor", LATER + MINUTE)
    day.measure("raw_to_analytics", LATER + 2 * MINUTE, games_with_box_score=2, games_without_active_players=0)
    day.operator("waive", LATER + 3 * MINUTE, target="game_2")
    assert day.until(LATER + 90 * HOUR) == []

    assert (moves(day), len(day.commands), dict(day.state.alerts)) == before
    assert day.state.status == "halted"
    assert day.state.measures["raw_to_analytics"].measures["games_with_box_score"].value == 2


def test_a_date_that_is_resumed_goes_on_with_all_it_heard_meanwhile():
    day = raw_blocked()
    day.operator("halt", LATER)
    day.measure("raw_to_analytics", LATER + MINUTE, games_with_box_score=2, games_without_active_players=0)

    day.operator("resume", LATER + 2 * MINUTE)
    assert day.state.status == "blocked"
    day.until(LATER + 30 * MINUTE)

    assert cycle(day).state == "analytics_waiting"


def test_a_date_resumed_while_its_gate_was_being_measured_is_judged_on_what_came():
    day = at_raw_gate()
    day.operator("halt", LOADED + MINUTE)
    day.measure("raw_to_analytics", MEASURED + MINUTE, games_with_box_score=2, games_without_active_players=0)
    assert evaluations(day, "raw_to_analytics") == []

    day.operator("resume", LATER)
    day.until(LATER + 10 * MINUTE)

    assert evaluations(day, "raw_to_analytics")[-1].outcome == "pass"


def test_a_phase_that_became_ready_while_the_date_was_halted_goes_on_when_it_is_resumed():
    day = opened()
    day.operator("halt", OPENED + MINUTE)
    day.complete_all("scrape", ("bdl_box_scores", "nbac_player_boxscore", "nbac_gamebook_pdf"), OPENED + 2 * MINUTE)
    assert cycle(day).state == "scrape_waiting"

    day.operator("resume", OPENED + 3 * MINUTE)

    assert cycle(day).state == "raw_waiting"


@pytest.mark.parametrize("command", ["recheck", "override", "heal"])
def test_a_halted_date_is_not_set_going_by_anything_but_resume(command: str):
    day = raw_blocked()
    day.operator("halt", LATER)

    refusal = refused(day, command, LATER + MINUTE, target="rerun_analytics" if command == "heal" else None)
    assert "halted" in refusal.reason
    assert "resume" in refusal.next_step


def test_a_date_is_halted_once_and_resumed_once():
    day = scheduled()
    refused(day, "resume")
    day.operator("halt", LATER)
    assert "already" in refused(day, "halt", LATER + MINUTE).reason
    day.operator("resume", LATER + MINUTE)
    refused(day, "resume", LATER + 2 * MINUTE)


def test_a_date_without_games_cannot_be_set_going():
    day = Driver(nba())
    day.schedule(PUBLISHED)
    day.schedule(PUBLISHED, partial=True)

    for command in ("recheck", "override", "resume"):
        assert "no game" in refused(day, command).reason


# --- parked -----------------------------------------------------------------------------------------------------------


def test_a_cycle_that_stays_open_too_long_is_parked_and_a_person_brings_it_back_to_where_it_was():
    day = raw_blocked()
    day.until(OPENED + 168 * HOUR)
    assert cycle(day).state == "parked"
    assert day.state.status == "parked"
    late = OPENED + 169 * HOUR
    assert episode(day.state, "gate_blocked", "raw_to_analytics").resolved_at is None  # type: ignore[union-attr]

    acted(day.operator("resume", late, target="overnight", actor="ann"))
    assert cycle(day).state == "raw_gate"
    day.measure("raw_to_analytics", late + MINUTE, games_with_box_score=2, games_without_active_players=0)

    assert cycle(day).state == "analytics_waiting"
    assert moves(day)[-1].trigger == "proceed"


def test_a_cycle_that_was_resumed_is_watched_and_parked_like_any_other():
    day = in_precompute()
    day.until(OPENED + 168 * HOUR)
    assert cycle(day).state == "parked"
    late = OPENED + 200 * HOUR
    day.operator("resume", late, target="overnight")
    assert cycle(day).state == "precompute_running"

    events = day.until(late + HOUR)
    stalled = [event for event in events if getattr(event.data, "name", "").startswith("stall:overnight")]
    assert [event.recorded_at for event in stalled] == [late + HOUR]

    day.until(late + 168 * HOUR)
    assert cycle(day).state == "parked"


def test_to_give_up_is_not_to_move_on_so_what_stalled_is_still_an_open_alert():
    day = in_analytics()
    day.until(OPENED + 168 * HOUR)

    assert cycle(day).state == "parked"
    for cause in ("phase_stalled", "handoff_missed"):
        alert = episode(day.state, cause, "analytics")
        assert alert is not None
        assert alert.resolved_at is None


def test_only_the_cycle_that_is_named_is_resumed():
    day = raw_blocked()
    day.until(OPENED + 168 * HOUR)
    assert {name: at.state for name, at in day.state.cycles.items()} == dict.fromkeys(day.state.cycles, "parked")

    day.operator("resume", OPENED + 169 * HOUR, target="same_day")

    assert cycle(day).state == "parked"
    assert cycle(day, "same_day").state == "analytics_running"


# --- acknowledge and heal ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["gate_blocked", "gate_blocked:raw_to_analytics"])
def test_an_acknowledged_alert_says_who_and_when_and_is_acknowledged_once(target: str):
    day = raw_blocked()

    acted(day.operator("acknowledge", LATER, target=target, actor="ann"))

    alert = episode(day.state, "gate_blocked", "raw_to_analytics")
    assert alert is not None
    assert (alert.acknowledged_at, alert.acknowledged_by, alert.resolved_at) == (LATER, "ann", None)
    refused(day, "acknowledge", LATER + MINUTE, target=target)


def test_an_alert_that_was_never_raised_cannot_be_acknowledged():
    assert "box_scores_incomplete" in refused(raw_blocked(), "acknowledge", target="box_scores_incomplete").reason


def test_a_component_that_is_unknown_cannot_be_healed_and_the_known_ones_are_named():
    assert "rerun_grading" in refused(raw_blocked(), "heal", target="magic").next_step


def test_a_heal_that_may_not_be_asked_for_is_refused_with_the_instant_from_which_it_may():
    day = raw_blocked()
    day.until(MEASURED + 2 * HOUR)

    refusal = refused(day, "heal", MEASURED + 2 * HOUR, target="rescrape_bdl_box_scores")

    assert (MEASURED + 4 * HOUR).isoformat() in refusal.reason


def test_a_heal_for_games_that_have_not_been_played_is_refused():
    assert "not been played" in refused(scheduled(), "heal", "2026-01-16T20:00Z", target="rerun_grading").reason


def test_a_source_that_was_switched_off_cannot_be_scraped_again():
    assert "switched off" in refused(raw_blocked(), "heal", target="rescrape_nbac_box_scores").reason


def test_a_heal_that_waits_for_approval_is_asked_for_when_a_person_says_so():
    day = in_precompute()
    day.operator("heal", LATER + HOUR, target="rerun_predictions", reason="publish again", actor="ann")

    heal = day.commands[-1]
    assert (heal.kind, heal.topic) == ("heal", "http:phase5/start")
    assert day.state.heals["rerun_predictions"].targets == ("prediction_coordinator",)


def test_a_person_heals_whom_the_open_cycle_misses_and_all_where_it_misses_nobody():
    day = in_analytics()
    day.complete("analytics", "player_game_summary", LATER)
    day.operator("heal", LATER + MINUTE, target="rerun_analytics")
    assert "player_game_summary" not in day.state.heals["rerun_analytics"].targets
    assert len(day.state.heals["rerun_analytics"].targets) == 4

    done = in_precompute()
    done.operator("heal", LATER + HOUR, target="rerun_analytics")
    assert len(done.state.heals["rerun_analytics"].targets) == 5
