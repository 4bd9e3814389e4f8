"""The daily report: as good as the worst phase, never GOLD because nobody looked, and a command that works for each
cause, those that hold up the most first."""

from __future__ import annotations

import shlex
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.catalogue import Fact, OperatorActed
from projections.causes import RootCause
from projections.quality import JUDGED, PhaseQuality, Tier, date_tier, tier
from projections.report import DailyReport, daily_report
from statemachine.decide import decide
from statemachine.state import is_quiet
from tests.driving import Driver, Moment, moment, nba
from tests.projection_dates import ANALYTICS, LOADERS, SCRAPERS, blocked_date, good_date
from tests.projection_histories import histories

LATER = "2026-02-01T00:00Z"

TIERS: tuple[Tier, ...] = ("GOLD", "SILVER", "BRONZE")


def report(driver: Driver, now: Moment = LATER) -> DailyReport:
    return daily_report(driver.events, driver.state, driver.definition, now=moment(now))


def causes(driver: Driver, now: Moment = LATER) -> dict[str, RootCause]:
    return {cause.category: cause for cause in report(driver, now).root_causes}


# --- tiers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [(1.0, "GOLD"), (0.999, "SILVER"), (0.75, "SILVER"), (0.7499, "BRONZE"), (0.0, "BRONZE"), (None, None)],
)
def test_gold_is_everything_and_silver_three_quarters(coverage: float | None, expected: Tier | None):
    assert tier(coverage) == expected


@settings(max_examples=60)
@given(histories(), st.integers(-3000, 3000))
def test_a_date_is_as_good_as_its_worst_phase_and_never_gold_unseen(driver: Driver, later: int):
    assert driver.state.recorded_at is not None
    found = report(driver, driver.state.recorded_at + timedelta(minutes=later))

    tiers = [phase.tier for phase in found.phases]
    if found.tier in ("GOLD", "SILVER"):
        assert None not in tiers
        assert found.tier == max((t for t in tiers if t is not None), key=TIERS.index)
    if "BRONZE" in tiers:
        assert found.tier == "BRONZE"
    for phase in found.phases:
        assert (phase.tier is None) == (phase.coverage is None)
        if phase.tier == "GOLD":
            assert (phase.missing, phase.processors_done) == ((), phase.processors_expected)
    assert [phase.phase for phase in found.phases] == ([] if found.expected_games == 0 else list(JUDGED))


def phase(coverage: float | None, *, due: bool = True) -> PhaseQuality:
    return PhaseQuality(
        phase="raw",
        tier=tier(coverage),
        coverage=coverage,
        due=due,
        processors_done=0,
        processors_expected=0,
        missing=(),
        failed=(),
        data_coverage=coverage,
        due_at=None,
    )


def test_what_is_unknown_leaves_the_tier_open_unless_something_is_bad_already():
    assert date_tier([phase(1.0), phase(None)]) == (None, None)
    assert date_tier([phase(0.5), phase(None)]) == ("BRONZE", 0.5)
    assert date_tier([phase(1.0), phase(0.8)]) == ("SILVER", 0.8)
    assert date_tier([]) == (None, None)


def test_a_date_on_which_all_went_well_is_gold_and_lacks_nothing():
    found = report(good_date())

    assert (found.tier, found.coverage, found.root_causes) == ("GOLD", 1, ())
    assert {phase.tier for phase in found.phases} == {"GOLD"}


def test_a_date_without_games_has_no_tier_and_owes_nothing():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z")

    found = report(driver)

    assert (found.tier, found.contract, found.phases, found.root_causes) == (None, "empty_ok", (), ())


def test_rows_count_where_the_completion_was_lost():
    driver = good_date()
    state = driver.state
    work = {key: item for key, item in state.work.items() if not key.endswith("/player_daily_cache")}
    driver.state = type(state)(**{n: getattr(state, n) for n in state.__struct_fields__} | {"work": work})

    assert report(driver).tier == "GOLD"


# --- root causes --------------------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(histories())
def test_every_command_of_a_report_is_one_that_the_date_allows(driver: Driver):
    state, definition = driver.state, driver.definition
    assert state.recorded_at is not None
    for cause in report(driver, state.recorded_at).root_causes:
        words = shlex.split(cause.command) if cause.command is not None else []
        if words[2:4] != ["day", "act"]:
            continue
        asked = OperatorActed(command=words[5], reason="asked for", target=words[words.index("--target") + 1])  # type: ignore[arg-type]
        fact = Fact(stream=state.stream, id="asked", occurred_at=state.recorded_at, correlation="c", data=asked)
        assert decide(state, fact, state.recorded_at, definition)


@settings(max_examples=60)
@given(histories(), st.integers(0, 3000))
def test_causes_come_by_what_they_hold_up_and_each_says_what_helps(driver: Driver, later: int):
    assert driver.state.recorded_at is not None
    found = report(driver, driver.state.recorded_at + timedelta(minutes=later)).root_causes

    ranks = [(len(cause.holds), cause.impact_pct or 0) for cause in found]
    assert ranks == sorted(ranks, reverse=True)
    for cause in found:
        assert cause.description
        assert cause.effect
        assert cause.impact_pct is None or 0 <= cause.impact_pct <= 100
    assert not (is_quiet(driver.state) and found)


def test_missing_box_scores_hold_what_is_behind_their_gate_and_ask_for_the_scrape():
    driver = blocked_date()
    driver.until("2026-01-17T12:20Z")  # the first repair was judged: it had no effect
    driver.until("2026-01-17T15:16Z")  # and its cool-down is over

    cause = causes(driver, "2026-01-17T15:16Z")["missing_box_scores"]

    assert cause.description == "no box score of game_6, game_7 (the last to tip off)"
    assert (cause.impact_count, cause.impact_total, cause.unit) == (2, 7, "games")
    assert cause.impact_pct == pytest.approx(200 / 7)
    assert cause.holds == ("analytics", "precompute", "grading")


def test_a_repair_that_may_not_be_asked_for_yet_is_said_and_the_gate_is_offered_instead():
    cause = causes(blocked_date(), "2026-01-17T11:20Z")["missing_box_scores"]

    assert cause.effect.startswith("rescrape_bdl_box_scores may not be asked for: the last attempt is not judged yet")
    assert cause.command is not None
    assert "recheck --target raw_to_analytics" in cause.command


def test_a_repair_that_was_never_asked_for_is_offered():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")
    driver.until("2026-01-17T02:20Z")

    cause = causes(driver, "2026-01-17T20:00Z")["not_graded"]

    assert cause.command is not None
    assert "day act 2026-01-16 heal --target rerun_grading --sport nba" in cause.command


def test_where_no_command_of_the_date_helps_the_plan_shows_the_exact_call():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")
    driver.until("2026-01-15T23:01Z")  # the evening's analytics stalled, but their repair waits for the games

    cause = causes(driver, "2026-01-15T23:01Z")["processor_missing"]

    assert cause.command == "python main.py heal plan 2026-01-16 --sport nba"
    assert cause.effect.startswith("rerun_analytics waits until a game can be over")


def test_processors_that_failed_stand_apart_from_those_that_did_not_report():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")
    driver.until("2026-01-17T02:20Z")
    driver.complete_all("scrape", SCRAPERS, "2026-01-17T02:20Z")
    driver.complete_all("raw", LOADERS, "2026-01-17T02:30Z")
    driver.measure("raw_to_analytics", "2026-01-17T02:31Z", games_with_box_score=1, games_without_active_players=0)
    why = "no such column: minutes"
    driver.complete("analytics", "player_game_summary", "2026-01-17T02:40Z", status="failed", error_message=why)
    driver.complete_all("analytics", ANALYTICS[1:3], "2026-01-17T02:41Z")

    found = causes(driver, "2026-01-17T03:00Z")

    assert found["processor_failed"].subject == "player_game_summary"
    assert found["processor_failed"].description.endswith("failed: no such column: minutes")
    assert found["processor_missing"].subject == "upcoming_player_game_context, upcoming_team_game_context"
    assert found["processor_missing"].holds == ("precompute", "grading")
    assert (found["processor_missing"].impact_count, found["processor_missing"].impact_total) == (2, 5)


def test_a_gate_that_could_not_measure_is_measured_again():
    driver = blocked_date()
    driver.measure("raw_to_analytics", "2026-01-17T11:20Z", games_without_active_players="403 forbidden")
    driver.operator("recheck", "2026-01-17T11:21Z", target="raw_to_analytics")
    driver.measure("raw_to_analytics", "2026-01-17T11:22Z", games_without_active_players="403 forbidden")

    cause = causes(driver, "2026-01-17T11:23Z")["gate_unmeasured"]

    assert "active_players could not be measured: games_without_active_players: 403 forbidden" in cause.description
    assert cause.effect == "measures again and judges raw_to_analytics (overnight) anew"


def test_a_lost_completion_costs_no_data_and_says_whom_it_keeps_waiting():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")
    driver.until("2026-01-15T22:00Z")
    driver.measure("analytics_to_precompute", "2026-01-15T22:30Z", **{"table_rows.upcoming_player_game_context": 171.0})

    assert "lost_completion" not in causes(driver, "2026-01-15T22:44Z")
    cause = causes(driver, "2026-01-15T22:45Z")["lost_completion"]

    assert (cause.impact_pct, cause.holds) == (None, ("precompute", "predictions", "publishing"))


def test_an_unknown_schedule_and_an_unknown_name_are_causes_of_their_own():
    driver = Driver(nba())
    driver.complete("raw", "NobodyKnowsProcessor", "2026-01-17T06:00Z")

    found = causes(driver)

    assert found["no_schedule"].command == "python main.py season open FILE --sport nba"
    assert found["unmapped_processor"].subject == "NobodyKnowsProcessor"
