"""The twenty cases that the field never tested (orchestration 6.6), each under its number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from events.catalogue import (
    AlertRaised,
    CommandRequested,
    CompletionRecorded,
    GateEvaluated,
    HealRequested,
    HealSuppressed,
    LateCompletionNoted,
    MeasuresObserved,
    MessageRejected,
    SchedulePublished,
    is_input,
)
from events.codec import encode
from events.memory import MemoryStore
from events.store import Commit, StoreUnavailable
from events.values import Game, Measure
from handlers.dispatch import PermanentFailure, TransientFailure
from handlers.recorder import Recorder
from statemachine.calendar import league_date
from statemachine.state import expected_count
from statemachine.streams import decider_for, encode_state
from tests.driving import ControlDriver, Driver, PulseDriver, games, moment, nba
from tests.scenes import (
    ANALYSED,
    ANALYTICS,
    COMPUTED,
    DATE,
    HOUR,
    LOADED,
    MEASURED,
    MINUTE,
    OPENED,
    PRECOMPUTE,
    PUBLISHED,
    RAW,
    SCRAPED,
    SCRAPERS,
    TIPS,
    House,
    at_raw_gate,
    commanded,
    cycle,
    episode,
    evaluations,
    in_analytics,
    in_precompute,
    in_raw,
    moves,
    raised,
    raw_blocked,
    scheduled,
)


def test_case_01_a_gate_that_blocks_holds_the_phase_commands_nothing_and_passes_when_the_data_has_come():
    day = raw_blocked()
    assert cycle(day).state == "raw_blocked"
    assert commanded(day, "analytics") == []

    day.complete("raw", "NbacPlayerBoxscoreProcessor", MEASURED + 20 * MINUTE)
    assert [e.outcome for e in evaluations(day, "raw_to_analytics")] == ["block", "block"]
    day.measure("raw_to_analytics", MEASURED + 21 * MINUTE, games_with_box_score=2, games_without_active_players=0)

    assert evaluations(day, "raw_to_analytics")[-1].outcome == "pass"
    assert cycle(day).state == "analytics_waiting"
    assert len(commanded(day, "analytics")) == 1


def test_case_01_a_block_consumes_nothing_the_same_completions_pass_once_the_measures_do():
    day = raw_blocked()
    before = dict(day.state.work)

    day.operator("recheck", MEASURED + 5 * MINUTE)
    day.measure("raw_to_analytics", MEASURED + 6 * MINUTE, games_with_box_score=2, games_without_active_players=0)

    assert day.state.work == before
    assert cycle(day).state == "analytics_waiting"


def test_case_02_a_redelivered_last_message_after_a_failed_publish_yields_the_trigger_exactly_once():
    house = House()
    last = _to_the_raw_gate(house)
    house.broken = TransientFailure("the broker is down")
    house.give(_measured(2), MEASURED)
    house.flush(MEASURED)

    again = house.recorder.record([(last, MEASURED + MINUTE)])
    house.broken = None
    house.flush(MEASURED + 2 * MINUTE)

    assert again.duplicate == 1
    triggers = [p.command for p in house.sent if p.command.kind == "trigger" and p.command.phase == "analytics"]
    assert [command.cycle for command in triggers] == ["overnight"]
    assert house.store.pending() == []


def _to_the_raw_gate(house: House) -> Any:
    house.give(SchedulePublished(games=games(*TIPS)), PUBLISHED)
    house.until(OPENED)
    for number, name in enumerate(SCRAPERS):
        house.give(_completion("scrape", name, f"s{number}"), SCRAPED)
    facts = [house.fact(_completion("raw", name, f"r{number}"), LOADED) for number, name in enumerate(RAW)]
    for fact in facts:
        house.recorder.record([(fact, LOADED)])
    house.flush(LOADED)
    return facts[-1]


def _completion(phase: str, name: str, run: str, **fields: Any) -> CompletionRecorded:
    return CompletionRecorded(
        **{"phase": phase, "published_name": name, "status": "success", "run": run, "record_count": 10, **fields}
    )


def _measured(present: int) -> MeasuresObserved:
    found = {"games_with_box_score": Measure(value=float(present)), "games_without_active_players": Measure(value=0.0)}
    return MeasuresObserved(boundary="raw_to_analytics", measures=found)


def test_case_03_four_of_five_and_silence_go_on_one_second_after_the_hour_and_not_at_the_hour():
    day = in_precompute()
    day.complete_all("precompute", PRECOMPUTE[:4], COMPUTED)

    day.tick(COMPUTED + HOUR)
    assert cycle(day).state == "precompute_running"
    day.tick(COMPUTED + HOUR + timedelta(seconds=1))

    entered = moves(day)[-1]
    assert (entered.dest, entered.reason) == ("precompute_gate", "tier2_timeout")
    assert entered.missing == ("team_defense_zone_analysis",)


def test_case_04_a_failure_and_then_a_success_of_one_processor_is_a_success_with_both_in_history():
    day = in_raw()
    day.complete("raw", RAW[0], LOADED, status="failed", run="first", error_message="boom")
    day.complete("raw", RAW[0], LOADED + MINUTE, run="second")

    work = day.state.work["overnight/raw/p2_odds_game_lines"]
    assert (work.status, work.failures, work.done_at) == ("success", 1, LOADED + MINUTE)
    said = [e.data.status for e in day.events if isinstance(e.data, CompletionRecorded) and e.data.phase == "raw"]
    assert said == ["failed", "success"]


def test_case_04_a_failure_after_a_success_does_not_undo_it_for_the_rows_are_there():
    day = in_raw()
    day.complete("raw", RAW[0], LOADED, run="first", record_count=77)
    day.complete("raw", RAW[0], LOADED + MINUTE, status="failed", run="second", record_count=0)

    work = day.state.work["overnight/raw/p2_odds_game_lines"]
    assert (work.done_at, work.rows, work.failures) == (LOADED, 77, 1)


def test_case_04_a_completion_that_names_no_run_is_a_fact_each_time_for_nothing_says_that_it_is_the_same():
    house = House()
    for number in range(3):
        said = CompletionRecorded(phase="raw", published_name=RAW[0], status="success", record_count=number + 1)
        assert house.give(said, LOADED + number * MINUTE).accepted == 1

    assert house.state.work["overnight/raw/p2_odds_game_lines"].rows == 3


def test_case_05_a_late_success_after_a_partial_trigger_is_noted_and_takes_the_degradation_away():
    day = in_raw()
    day.complete_all("raw", RAW[:3], LOADED)
    day.until(LOADED + 30 * MINUTE)
    day.measure("raw_to_analytics", LOADED + 31 * MINUTE, games_with_box_score=2, games_without_active_players=0)
    assert "raw without p2_bdl_box_scores" in cycle(day).degraded

    events = day.complete("raw", "BdlBoxscoresProcessor", LOADED + 50 * MINUTE)

    assert LateCompletionNoted(cycle="overnight", phase="raw", processor="p2_bdl_box_scores") in [
        event.data for event in events
    ]
    assert cycle(day).state == "analytics_waiting"
    assert "raw without p2_bdl_box_scores" not in cycle(day).degraded


def test_case_06_an_unknown_processor_never_satisfies_a_gate():
    day = in_raw()
    for number in range(30):
        day.complete("raw", f"Unheard{number}Processor", LOADED + number * MINUTE)
    day.until(LOADED + 5 * HOUR)

    assert cycle(day).state == "raw_waiting"
    assert evaluations(day, "raw_to_analytics") == []


@pytest.mark.parametrize("said", ["2026-13-45", "someday", "", 20260116, None, ["2026-01-16"]])
def test_case_07_a_date_that_is_none_is_quarantined_with_a_reason_and_crashes_nothing(said: Any):
    house = House()
    body = {"processor_name": "NbacGamebookProcessor", "status": "success", "record_count": 3, "execution_id": "e"}

    tally = house.deliver("nba-phase2-raw-complete", body | {"game_date": said, "phase": "phase_2_raw"}, LOADED)

    assert (tally.accepted, tally.rejected) == (0, 1)
    rejection = next(e.data for e in house.events("nba/control") if isinstance(e.data, MessageRejected))
    assert rejection.reason
    assert house.store.streams("nba/2") == []


def test_case_08_a_completion_for_the_next_phase_counts_when_its_phase_is_reached_and_moves_nothing_before():
    day = at_raw_gate()
    day.complete_all("analytics", ANALYTICS, LOADED + MINUTE / 2)
    assert cycle(day).state == "raw_gate"

    day.measure("raw_to_analytics", MEASURED, games_with_box_score=2, games_without_active_players=0)

    reached = [(move.trigger, move.dest) for move in moves(day)[-3:]]
    assert reached == [
        ("proceed", "analytics_waiting"),
        ("report", "analytics_running"),
        ("ready", "analytics_gate"),
    ]
    assert len(commanded(day, "analytics")) == 1


def test_case_09_the_same_completion_in_two_formats_is_one_fact():
    house = House()
    house.give(SchedulePublished(games=games(*TIPS)), PUBLISHED)
    unified = {
        "processor_name": "PlayerGameSummaryProcessor",
        "phase": "phase_3_analytics",
        "execution_id": "run-1",
        "game_date": "2026-01-16",
        "output_table": "player_game_summary",
        "output_dataset": "nba_analytics",
        "status": "success",
        "record_count": 212,
        "timestamp": "2026-01-17T06:30:00Z",
    }
    older = {
        "processor_name": "player_game_summary",
        "phase": "phase_3_analytics",
        "execution_id": "run-1",
        "source_table": "player_game_summary",
        "analysis_date": "2026-01-16",
        "success": True,
        "record_count": 212,
    }

    first = house.deliver("nba-phase3-analytics-complete", unified, ANALYSED)
    second = house.deliver("nba-phase3-analytics-complete", older, ANALYSED + MINUTE)

    assert (first.accepted, second.accepted, second.duplicate, second.rejected) == (1, 0, 1, 0)
    stored = [e for e in house.events() if isinstance(e.data, CompletionRecorded)]
    assert len(stored) == 1


def test_case_09_the_same_run_said_on_both_sides_of_midnight_is_one_fact():
    day = scheduled()
    before, after = moment("2026-01-17T04:59Z"), moment("2026-01-17T05:01Z")
    day.complete("analytics", "PlayerGameSummaryProcessor", before, run="one")

    assert day.complete("analytics", "player_game_summary", after, run="one") == []


def test_case_10_an_off_day_ends_without_games_and_without_alerts():
    house = House()
    house.give(SchedulePublished(games=()), PUBLISHED)
    house.give(_completion("raw", "NbacGamebookProcessor", "r1"), LOADED)
    house.give(_completion("raw", "NobodyProcessor", "r2"), LOADED)
    house.until(OPENED + timedelta(days=9))

    assert house.state.status == "no_games"
    assert house.state.alerts == {}
    assert house.state.cycles == {}
    assert [p for p in house.sent if p.stream == DATE] == []


def test_case_11_a_game_postponed_during_the_day_lowers_what_the_gate_expects():
    day = raw_blocked()
    late = day.state.games["game_2"]

    day.schedule(MEASURED + 5 * MINUTE, Game(game_id=late.game_id, status="postponed"), partial=True)

    passed = evaluations(day, "raw_to_analytics")[-1]
    coverage = next(check for check in passed.checks if check.check == "box_score_coverage")
    assert expected_count(day.state) == 1
    assert (coverage.basis, coverage.verdict, passed.outcome) == ("1 of 1", "pass", "pass")
    assert cycle(day).state == "analytics_waiting"


def test_case_11_a_game_that_moves_in_raises_what_the_gate_expects():
    day = at_raw_gate()
    day.schedule(LOADED + MINUTE / 2, Game(game_id="moved_in", start_utc=moment(TIPS[0])), partial=True)

    day.measure("raw_to_analytics", MEASURED, games_with_box_score=2, games_without_active_players=0)

    assert evaluations(day, "raw_to_analytics")[-1].outcome == "block"


def test_case_12_two_dates_interleaved_are_two_histories():
    def play(house: House, dates: Sequence[str]) -> None:
        for step in range(len(SCRAPERS) + 1):
            for date in dates:
                stream, tip = f"nba/{date}", f"{date}T23:00Z"
                if step == 0:
                    house.give(SchedulePublished(games=games(tip)), PUBLISHED, stream=stream, id=f"{date}-schedule")
                else:
                    said = _completion("scrape", SCRAPERS[step - 1], f"{date}-{step}")
                    house.give(said, f"{date}T23:5{step}Z", stream=stream, id=f"{date}-{step}")

    together, one, other = House(), House(), House()
    play(together, ["2026-01-16", "2026-01-17"])
    play(one, ["2026-01-16"])
    play(other, ["2026-01-17"])

    for alone, stream in ((one, "nba/2026-01-16"), (other, "nba/2026-01-17")):
        assert [encode(e) for e in together.events(stream)] == [encode(e) for e in alone.events(stream)]


def test_case_13_replaying_the_log_gives_the_same_bytes():
    house = House()
    _to_the_raw_gate(house)
    house.give(_measured(1), MEASURED)
    house.until(MEASURED + 9 * HOUR)

    for stream, head in house.store.heads():
        decider: Any = decider_for(stream)
        state = decider.initial(stream)
        for event in house.events(stream):
            state = decider.evolve(state, event)
        assert encode_state(state) == head.state


def test_case_14_of_two_writers_one_wins_each_version_and_the_other_decides_again():
    store = MemoryStore()
    one, other = House(store), House(store)
    one.give(SchedulePublished(games=games(*TIPS)), PUBLISHED, id="schedule")
    assert other.state.version == one.state.version

    for number, name in enumerate(RAW):
        writer = (one, other)[number % 2]
        writer.give(_completion("raw", name, f"r{number}"), LOADED, id=f"fact-{number}")

    versions = [event.version for event in one.events()]
    assert versions == list(range(1, len(versions) + 1))
    assert {work.run for work in Recorder(store, {"nba": nba()}).state(DATE).work.values()} == {"r0", "r1", "r2", "r3"}


def test_case_15_a_game_at_half_past_ten_on_the_other_coast_belongs_to_the_league_date():
    tip = moment("2026-01-17T06:30Z")
    day = Driver(nba())
    day.schedule(PUBLISHED, tip)
    day.until("2026-01-17T08:44Z")
    assert "overnight" not in day.state.cycles

    day.until("2026-01-17T08:45Z")

    assert league_date(tip, nba().timezone) == "2026-01-17"
    assert cycle(day).opened_at == tip + timedelta(minutes=135)


@pytest.mark.parametrize(
    ("game_date", "last_tip", "noon_after"),
    [
        ("2025-11-01", "2025-11-02T03:00Z", "2025-11-02T17:00Z"),
        ("2025-11-02", "2025-11-03T03:00Z", "2025-11-03T17:00Z"),
        ("2026-03-07", "2026-03-08T03:00Z", "2026-03-08T16:00Z"),
        ("2026-03-08", "2026-03-09T02:00Z", "2026-03-09T16:00Z"),
    ],
)
def test_case_15_what_is_due_at_noon_is_due_at_noon_on_the_wall_whatever_the_clocks_did_that_night(
    game_date: str, last_tip: str, noon_after: str
):
    day = Driver(nba(), f"nba/{game_date}")
    day.schedule(moment(last_tip) - timedelta(days=3), last_tip)
    day.until(moment(noon_after) - MINUTE)
    assert raised(day, "precompute_incomplete") == []

    day.until(noon_after)

    assert [alert.severity for alert in raised(day, "precompute_incomplete")] == ["critical"]


class UnreachableStore(MemoryStore):
    """A store that cannot be written for a while."""

    reachable = True

    def append(self, commits: Sequence[Commit]) -> None:
        if not self.reachable:
            raise StoreUnavailable(store="memory:", reason="403: missing permission")
        super().append(commits)


def test_case_16_an_unreachable_store_is_said_to_be_that_and_nothing_is_taken_for_done():
    store = UnreachableStore()
    house = House(store)
    house.give(SchedulePublished(games=games(*TIPS)), PUBLISHED)
    before = house.events()
    store.reachable = False

    with pytest.raises(StoreUnavailable, match="403"):
        house.give(_completion("raw", RAW[0], "r1"), LOADED, id="again")
    with pytest.raises(StoreUnavailable):
        house.recorder.tick(LOADED)

    assert house.events() == before
    store.reachable = True
    assert house.give(_completion("raw", RAW[0], "r1"), LOADED, id="again").accepted == 1


def test_case_17_heals_keep_their_cool_down_and_their_cap():
    day = raw_blocked()
    day.until(MEASURED + 40 * HOUR)

    asked = [event for event in day.events if isinstance(event.data, HealRequested)]
    by_component = Counter(event.data.component for event in asked if isinstance(event.data, HealRequested))
    assert by_component == {"rescrape_bdl_box_scores": 3}
    gaps = [later.recorded_at - earlier.recorded_at for earlier, later in pairwise(asked)]
    assert all(gap >= 4 * HOUR for gap in gaps)
    assert "cap" in [event.data.reason for event in day.events if isinstance(event.data, HealSuppressed)]


def test_case_17_a_permanent_error_is_never_retried_and_parks_with_an_alert():
    house = House()
    _to_the_raw_gate(house)
    house.give(_measured(1), MEASURED)
    house.broken = PermanentFailure("404: no such topic")
    house.flush(MEASURED)
    house.broken = None

    house.until(MEASURED + 30 * HOUR)

    heals = [p.command for p in house.sent if p.command.kind == "heal"]
    assert heals == []
    assert house.state.heals["rescrape_bdl_box_scores"].outcome == "failed"
    assert episode(house.state, "heal_exhausted", "rescrape_bdl_box_scores") is not None


@pytest.mark.parametrize(
    ("minutes", "severities"), [(59, []), (60, ["warning"]), (119, ["warning"]), (120, ["warning", "critical"])]
)
def test_case_18_a_gap_between_decisions_warns_at_sixty_minutes_and_is_critical_at_a_hundred_and_twenty(
    minutes: int, severities: list[str]
):
    control = ControlDriver(nba())
    control.decided("morning_operations", LOADED)
    for minute in range(1, minutes + 1):
        control.tick(LOADED + minute * MINUTE)

    found = [e.data for e in control.events if isinstance(e.data, AlertRaised) and e.data.cause == "workflow_silent"]
    assert [alert.severity for alert in found] == severities


@pytest.mark.parametrize(
    ("seconds", "conditions"), [(299, []), (300, ["stale"]), (899, ["stale"]), (900, ["stale", "dead"])]
)
def test_case_19_a_heartbeat_is_stale_at_three_hundred_seconds_and_dead_at_nine_hundred(
    seconds: int, conditions: list[str]
):
    pulse = PulseDriver(nba())
    pulse.beat("raw", "NbacGamebookProcessor", LOADED)
    for second in range(100, seconds + 1):
        pulse.tick(LOADED + timedelta(seconds=second))

    told = [event.data.condition for event in pulse.events if hasattr(event.data, "condition")]
    assert told == conditions


def test_case_20_the_exact_thresholds_hold_on_the_way_from_message_to_gate():
    """Coverage 0.8 and 0.7999…, end to end; every other threshold is a vector in test_vectors.py."""
    outcomes = {}
    for present in (7, 8):
        day = Driver(nba())
        day.schedule(PUBLISHED, *["2026-01-17T00:00Z"] * 10)
        day.until("2026-01-17T02:15Z")
        day.complete_all("scrape", SCRAPERS, SCRAPED)
        day.complete_all("raw", RAW, LOADED)
        day.measure("raw_to_analytics", MEASURED, games_with_box_score=present, games_without_active_players=0)
        outcomes[present] = (evaluations(day, "raw_to_analytics")[-1].outcome, cycle(day).state)

    assert outcomes == {7: ("block", "raw_blocked"), 8: ("warn", "analytics_waiting")}


def test_every_evaluation_keeps_its_numbers_its_thresholds_its_mode_and_its_definition():
    day = in_analytics()
    evaluation = evaluations(day, "raw_to_analytics")[-1]

    assert isinstance(evaluation, GateEvaluated)
    assert (evaluation.mode, evaluation.definition) == ("blocking", nba().version)
    coverage = next(check for check in evaluation.checks if check.check == "box_score_coverage")
    assert (coverage.measured, coverage.warn, coverage.block, coverage.verdict) == (1.0, 1.0, 0.8, "pass")


def test_every_decision_names_the_input_that_caused_it():
    day = in_precompute()
    inputs = {event.id for event in day.events if is_input(event)}

    assert all(event.causation in inputs for event in day.events if not is_input(event))
    assert any(isinstance(event.data, CommandRequested) for event in day.events)
