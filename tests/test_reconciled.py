"""Completions against tables, both ways: rows that nobody claims become a completion, a completion without rows is
taken back; neither at once, neither on an error, and neither where nothing is missed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from events.catalogue import CommandRequested, CompletionRecorded, DeadlineElapsed, Event, MeasuresObserved
from events.records import RECONCILED, CompletionReopened, DisagreementNoted
from handlers import definitions
from projections.explain import explain
from projections.records import disagreements
from projections.sentences import sentence
from statemachine.definition import Definition
from tests.conftest import ROOT
from tests.driving import Driver, Moment, moment, nba
from tests.histories import histories, play
from tests.scenes import (
    ANALYSED,
    ANALYTICS,
    COMPUTED,
    DATE,
    GOOD_ANALYTICS,
    HOUR,
    MINUTE,
    PRECOMPUTE,
    cycle,
    episode,
    in_analytics,
    in_grading,
    in_precompute,
    moves,
    raised,
    scheduled,
    severity_of,
)

PAGE = (ROOT / "docs" / "reconciliation.md").read_text(encoding="utf-8")
PLAYERS, TEAMS = "player_game_summary", "team_offense_game_summary"
BOUNDARY = "analytics_to_precompute"
WAIT = timedelta(minutes=15)

assert settings.default is not None
LAW = settings(max_examples=max(10, settings.default.max_examples // 4))


def rows_of(name: str) -> str:
    """The measure that counts the table of a processor."""
    return f"table_rows.{(nba().processor_of[name].table or '').rpartition('.')[2]}"


def seen(day: Driver, at: Moment, name: str = PLAYERS, rows: float | str | None = 212) -> list[Event]:
    """The table of a processor is counted."""
    return day.measure(BOUNDARY, at, **{rows_of(name): rows})


def made(events: list[Event]) -> list[tuple[str | None, datetime]]:
    """The completions that the core made from rows, and when."""
    said = [(event.data, event.recorded_at) for event in events if isinstance(event.data, CompletionRecorded)]
    return [(data.processor, at) for data, at in said if data.wire_format == RECONCILED]


def reopened(day: Driver) -> list[CompletionReopened]:
    """The completions that were taken back."""
    return [event.data for event in day.events if isinstance(event.data, CompletionReopened)]


def noted(day: Driver) -> list[DisagreementNoted]:
    """What was noted to differ."""
    return [event.data for event in day.events if isinstance(event.data, DisagreementNoted)]


def asked(day: Driver) -> list[CommandRequested]:
    """The questions about the boundary of the overnight cycle."""
    return [
        c for c in day.commands if (c.kind, c.cycle, c.payload.get("boundary")) == ("measure", "overnight", BOUNDARY)
    ]


def others_done(*silent: str) -> Driver:
    """Analytics at work: all have completed but `silent`."""
    day = in_analytics()
    day.complete_all("analytics", [name for name in ANALYTICS if name not in silent], ANALYSED)
    return day


# --- rows without a completion --------------------------------------------------------------------------------------


@given(
    lost=st.sets(st.sampled_from(ANALYTICS), min_size=1),
    rows=st.integers(1, 500),
    apart=st.integers(1, 11),
    again=st.lists(st.sampled_from(["same", "error", "absent"]), max_size=3),
)
def test_a_lost_completion_with_data_is_made_once_at_the_first_tick_a_quarter_of_an_hour_later(
    lost: set[str], rows: int, apart: int, again: list[str]
):
    day = others_done(*lost)
    since = ANALYSED + MINUTE
    for name in sorted(lost):
        seen(day, since, name, rows)
    for number, what in enumerate(again, 1):
        values: dict[str, float | str | None] = {"same": rows, "error": "timeout", "absent": None}
        for name in sorted(lost):
            seen(day, since + number * MINUTE, name, values[what])
    at = since + 3 * MINUTE
    while at < since + HOUR:
        at += apart * MINUTE
        day.tick(at)

    due = since + WAIT
    first = next(at for at in _ticks(since + 3 * MINUTE, apart) if at >= due)
    assert sorted(made(day.events)) == [(name, first) for name in sorted(lost)]
    assert set(day.state.work) >= {f"overnight/analytics/{name}" for name in lost}
    assert moves(day)[-1].source != "analytics_running"


def _ticks(start: datetime, apart: int) -> list[datetime]:
    return [start + number * apart * MINUTE for number in range(1, 70)]


@given(st.lists(st.sampled_from(["timeout", None, 0.0]), max_size=8))
def test_what_was_not_measured_and_what_is_empty_completes_nobody(measured: list[float | str | None]):
    day = others_done(PLAYERS)
    for number, what in enumerate(measured, 1):
        seen(day, ANALYSED + number * MINUTE, rows=what)
    day.until(ANALYSED + 8 * HOUR)

    assert noted(day) == []
    assert made(day.events) == []
    assert day.state.disagreements == {}


def test_a_made_completion_says_what_it_rests_on_and_does_all_that_a_completion_does():
    day = others_done(PLAYERS)
    (shown, *_) = seen(day, ANALYSED + MINUTE)
    day.until(ANALYSED + MINUTE + WAIT)

    said = next(e for e in day.events if isinstance(e.data, CompletionRecorded) and e.data.wire_format == RECONCILED)
    assert isinstance(said.data, CompletionRecorded)
    assert said.causation is not None
    assert (said.data.status, said.data.record_count, said.data.run) == ("success", 212, None)
    assert said.data.output_table == "nba_analytics.player_game_summary"
    assert said.data.extra["measured_by"] == shown.id
    assert (said.data.extra["rows"], said.data.extra["since"]) == (212.0, (ANALYSED + MINUTE).isoformat())
    assert moves(day)[-1].trigger == "ready"
    assert day.state.work[f"overnight/analytics/{PLAYERS}"].run_seconds == ()
    assert day.state.correlation == "driven"
    assert sentence(said.data) == (
        "player_game_summary (analytics, overnight) taken as complete: nba_analytics.player_game_summary has 212 rows "
        "since 2026-01-17T06:31:00+00:00, and nobody said so"
    )


def test_it_is_told_as_information_and_is_over_in_the_same_minute():
    day = others_done(PLAYERS)
    seen(day, ANALYSED + MINUTE)
    day.until(ANALYSED + MINUTE + WAIT)

    alert = episode(day.state, "records_disagree", PLAYERS)
    assert severity_of(alert) == "info"
    assert alert is not None
    assert alert.resolved_at == alert.raised_at == ANALYSED + MINUTE + WAIT
    assert [c for c in day.commands if c.kind == "alert" and c.payload["cause"] == "records_disagree"] == []


def test_the_completion_that_comes_late_moves_nothing_and_said_again_is_nothing():
    day = others_done(PLAYERS, TEAMS)
    seen(day, ANALYSED + MINUTE)
    day.until(ANALYSED + MINUTE + WAIT)
    assert made(day.events)

    late = day.complete("analytics", PLAYERS, ANALYSED + 17 * MINUTE, run="the-lost-one", record_count=212)

    assert [type(event.data) for event in late] == [CompletionRecorded]
    assert day.complete("analytics", PLAYERS, ANALYSED + 18 * MINUTE, run="the-lost-one", record_count=212) == []
    day.until(ANALYSED + 3 * HOUR)
    assert len(made(day.events)) == 1


def test_a_completion_that_comes_in_time_is_the_completion():
    day = others_done(PLAYERS)
    seen(day, ANALYSED + MINUTE)
    day.complete("analytics", PLAYERS, ANALYSED + 15 * MINUTE, record_count=212)
    day.until(ANALYSED + 3 * HOUR)

    assert made(day.events) == []
    assert day.state.disagreements == {}


def test_rows_that_still_change_are_not_all_of_them():
    day = others_done(PLAYERS)
    seen(day, ANALYSED + MINUTE, rows=100)
    seen(day, ANALYSED + 10 * MINUTE, rows=212)
    day.until(ANALYSED + 2 * HOUR)

    assert made(day.events) == [(PLAYERS, ANALYSED + 10 * MINUTE + WAIT)]


def test_rows_that_are_gone_again_are_no_completion():
    day = others_done(PLAYERS)
    seen(day, ANALYSED + MINUTE)
    seen(day, ANALYSED + 5 * MINUTE, rows=0)
    day.until(ANALYSED + 2 * HOUR)

    assert made(day.events) == []


def test_a_run_that_is_at_work_may_still_be_writing_so_its_rows_are_counted_twice():
    day = others_done(PLAYERS)
    day.start("analytics", PLAYERS, ANALYSED + MINUTE)
    seen(day, ANALYSED + 2 * MINUTE)
    questions = len(asked(day))
    day.until(ANALYSED + 2 * MINUTE + WAIT)

    assert made(day.events) == []
    assert len(asked(day)) == questions + 1
    assert rows_of(PLAYERS) in asked(day)[-1].payload["measures"]

    seen(day, ANALYSED + 18 * MINUTE)
    assert made(day.events) == [(PLAYERS, ANALYSED + 18 * MINUTE)]


def test_a_run_that_failed_has_not_lost_its_completion():
    day = others_done(PLAYERS)
    day.complete("analytics", PLAYERS, ANALYSED + MINUTE, status="failed", record_count=None)
    seen(day, ANALYSED + 2 * MINUTE, rows=100)
    seen(day, ANALYSED + 40 * MINUTE, rows=100)
    day.until(ANALYSED + 2 * HOUR)

    assert made(day.events) == []


def test_rows_that_were_there_before_the_cycle_are_not_its_work():
    day = scheduled()
    day.until("2026-01-15T22:30Z")
    day.complete("analytics", "upcoming_player_game_context", "2026-01-15T22:30Z", record_count=150)
    seen(day, "2026-01-15T22:31Z", "upcoming_player_game_context", 150)
    day.until("2026-01-16T16:00Z")
    seen(day, "2026-01-16T16:01Z", "upcoming_player_game_context", 150)
    day.until("2026-01-16T17:00Z")
    assert made(day.events) == []

    seen(day, "2026-01-16T17:01Z", "upcoming_player_game_context", 171)
    day.until("2026-01-16T18:00Z")
    assert made(day.events) == [("upcoming_player_game_context", moment("2026-01-16T17:16Z"))]


@pytest.mark.parametrize("at_work", [False, True])
def test_rows_that_another_cycle_has_claimed_are_this_ones_only_where_its_phase_is_at_work(at_work: bool):
    name = "upcoming_team_game_context"
    day = scheduled()
    day.until("2026-01-15T22:30Z")
    day.complete("analytics", name, "2026-01-15T22:30Z", record_count=4)
    night = in_analytics()
    night.state = replace(night.state, work={**day.state.work, **night.state.work})
    if at_work:
        night.complete("analytics", TEAMS, ANALYSED)
    seen(night, ANALYSED + MINUTE, name, 4)
    night.until(ANALYSED + 30 * MINUTE)

    assert made(night.events) == ([(name, ANALYSED + MINUTE + WAIT)] if at_work else [])


def test_what_the_cycle_has_not_come_to_is_not_missed():
    day = in_analytics()
    day.measure("precompute_to_predictions", ANALYSED, **{rows_of("player_daily_cache"): 150.0})
    day.until(ANALYSED + 2 * HOUR)

    assert noted(day) == []


def test_a_phase_that_went_on_without_it_has_it_after_all():
    day = others_done(TEAMS)
    day.until(ANALYSED + 10 * MINUTE)  # all but one, ten minutes ago
    day.measure(BOUNDARY, ANALYSED + 11 * MINUTE, **{**GOOD_ANALYTICS, rows_of(TEAMS): 4.0})
    assert cycle(day).state == "precompute_waiting"
    assert f"analytics without {TEAMS}" in cycle(day).degraded

    day.until(ANALYSED + 11 * MINUTE + WAIT)

    assert made(day.events) == [(TEAMS, ANALYSED + 11 * MINUTE + WAIT)]
    assert cycle(day).degraded == ()
    assert cycle(day).state == "precompute_waiting"


def test_a_date_that_is_halted_takes_nothing_as_complete_until_it_goes_on():
    day = others_done(PLAYERS)
    seen(day, ANALYSED + MINUTE)
    day.operator("halt", ANALYSED + 2 * MINUTE)
    day.until(ANALYSED + 2 * HOUR)
    assert made(day.events) == []

    day.operator("resume", ANALYSED + 3 * HOUR)
    day.until(ANALYSED + 3 * HOUR + MINUTE)
    assert [name for name, _at in made(day.events)] == [PLAYERS]


def test_a_date_without_games_and_one_that_is_done_miss_nobody():
    empty = Driver(nba())
    empty.schedule("2026-01-10T12:00Z")
    seen(empty, "2026-01-17T06:00Z")
    empty.until("2026-01-18T06:00Z")
    done = in_grading()
    done.complete("grading", "phase5b_grading", COMPUTED, extra={"graded_count": 20, "predictions_found": 20})
    assert cycle(done).state == "done"
    seen(done, COMPUTED + MINUTE, TEAMS, 0)
    seen(done, COMPUTED + HOUR, TEAMS, 0)

    assert noted(empty) == noted(done) == []


def test_a_processor_that_is_not_expected_on_the_date_is_missed_by_nobody():
    """The source was switched off before the date."""
    day = Driver(nba(), "nba/2026-01-30")
    day.schedule("2026-01-26T12:00Z", "2026-01-31T00:00Z")
    day.until("2026-01-31T02:15Z")
    day.complete_all("scrape", ("nbac_player_boxscore", "nbac_gamebook_pdf"), "2026-01-31T03:00Z")
    day.measure("raw_to_analytics", "2026-01-31T03:01Z", **{rows_of("p2_bdl_box_scores"): 35.0})
    day.until("2026-01-31T05:00Z")

    assert noted(day) == []


# --- a completion without rows --------------------------------------------------------------------------------------

READY = ANALYSED + 2 * MINUTE


def hollow(name: str = PLAYERS) -> Driver:
    """All analytics have completed; at the gate the table of `name` is empty."""
    day = in_analytics()
    day.complete_all("analytics", ANALYTICS, ANALYSED)
    day.measure(BOUNDARY, READY, **{**GOOD_ANALYTICS, rows_of(name): 0.0})
    assert cycle(day).state == "analytics_blocked"
    return day


def test_a_table_that_is_empty_twice_a_quarter_of_an_hour_apart_takes_its_completion_back():
    day = hollow()
    assert [(item.kind, item.rows) for item in noted(day)] == [("completion_without_rows", 0)]
    questions = len(asked(day))
    day.until(READY + WAIT)
    assert len(asked(day)) == questions + 1
    assert reopened(day) == []

    seen(day, READY + WAIT + MINUTE, rows=0)

    assert [(item.processor, item.since, item.passed) for item in reopened(day)] == [(PLAYERS, READY, False)]
    assert (moves(day)[-1].trigger, moves(day)[-1].dest) == ("reopen", "analytics_running")
    assert PLAYERS in moves(day)[-1].missing
    work = day.state.work[f"overnight/analytics/{PLAYERS}"]
    assert (work.status, work.done_at, work.first_done_at) == ("reopened", None, None)


def test_what_was_taken_back_is_told_and_its_repair_asked_for():
    day = hollow()
    seen(day, READY + WAIT, rows=0)

    assert severity_of(episode(day.state, "records_disagree", PLAYERS)) == "warning"
    heal = day.state.heals["rerun_analytics"]
    assert (heal.targets, heal.attempt) == ((PLAYERS,), 1)
    said = explain(day.events, day.definition).text
    assert "player_game_summary completed without rows" in said
    assert "missing: player_game_summary" in said


def test_the_same_claim_again_is_no_completion_and_a_new_run_is():
    day = in_analytics()
    for name in ANALYTICS:
        day.complete("analytics", name, ANALYSED, run=f"first-{name}")
    day.measure(BOUNDARY, READY, **{**GOOD_ANALYTICS, rows_of(PLAYERS): 0.0})
    seen(day, READY + WAIT, rows=0)

    assert day.complete("analytics", PLAYERS, READY + 16 * MINUTE, run=f"first-{PLAYERS}") == []
    day.complete("analytics", PLAYERS, READY + 17 * MINUTE, run="second")
    day.measure(BOUNDARY, READY + 18 * MINUTE, **GOOD_ANALYTICS)

    assert cycle(day).state == "precompute_waiting"
    alert = episode(day.state, "records_disagree", PLAYERS)
    assert alert is not None
    assert alert.resolved_at is not None
    assert day.state.heals["rerun_analytics"].outcome == "healed"


@given(st.lists(st.sampled_from(["timeout", None, 7.0]), min_size=1, max_size=6))
def test_no_completion_is_taken_back_by_errors_or_by_rows(measured: list[float | str | None]):
    day = hollow()
    for number, what in enumerate(measured):
        seen(day, READY + WAIT + number * MINUTE, rows=what)
    day.until(READY + 4 * HOUR)

    assert reopened(day) == []


def test_a_table_that_was_empty_once_and_is_never_counted_again_is_asked_for_and_takes_nothing_back():
    day = hollow()
    day.until(READY + 30 * HOUR)

    assert reopened(day) == []
    due = [e.data for e in day.events if isinstance(e.data, DeadlineElapsed) and e.data.name.startswith("reconcile:")]
    assert len(due) == 1 + len(nba().gate_of[BOUNDARY].recheck_minutes)
    assert not any(name.startswith("reconcile") for _at, name in day.decider.deadlines(day.state, day.definition))


def test_a_table_that_was_empty_before_the_completion_says_nothing_about_it():
    day = in_analytics()
    seen(day, ANALYSED, rows=0)
    day.complete_all("analytics", ANALYTICS, ANALYSED + MINUTE)
    day.until(ANALYSED + 12 * MINUTE)

    assert noted(day) == []


def test_a_claim_of_no_data_agrees_with_an_empty_table():
    day = others_done(PLAYERS)
    day.complete("analytics", PLAYERS, ANALYSED, status="no_data", record_count=0)
    seen(day, ANALYSED + MINUTE, rows=0)
    seen(day, ANALYSED + HOUR, rows=0)

    assert (noted(day), reopened(day)) == ([], [])


def test_where_the_phase_has_gone_on_nothing_is_rewound_but_it_is_degraded_and_told():
    day = in_precompute()
    before = moves(day)
    seen(day, ANALYSED + MINUTE, rows=0)
    seen(day, ANALYSED + MINUTE + WAIT, rows=0)

    assert [item.passed for item in reopened(day)] == [True]
    assert moves(day) == before
    assert f"analytics without {PLAYERS}" in cycle(day).degraded
    assert [(alert.severity, alert.subject) for alert in raised(day, "records_disagree")] == [("warning", PLAYERS)]
    assert day.state.heals == {}

    day.complete("analytics", PLAYERS, ANALYSED + HOUR, record_count=50)
    assert cycle(day).degraded == ()
    alert = episode(day.state, "records_disagree", PLAYERS)
    assert alert is not None
    assert alert.resolved_at == ANALYSED + HOUR


# --- asking ---------------------------------------------------------------------------------------------------------


def test_a_phase_that_waits_without_an_end_is_looked_at_less_and_less_often():
    day = others_done(PLAYERS)
    day.until(ANALYSED + 24 * HOUR)

    looks = [e.recorded_at for e in day.events if isinstance(e.data, CommandRequested) and e.data in asked(day)]
    stalled = ANALYSED + HOUR
    apart = [0, 30, 60, 120, 240, 240, 240]
    wanted = [stalled + timedelta(minutes=sum(apart[: number + 1])) for number in range(len(apart))]
    assert looks[: len(wanted)] == wanted
    assert len([name for name in day.state.elapsed if name.startswith("look")]) == 1


def test_a_phase_that_time_alone_brings_to_its_gate_is_measured_there():
    day = in_precompute()
    day.complete_all("precompute", PRECOMPUTE[:3], COMPUTED)  # three of five: after two hours it is looked at
    day.until(COMPUTED + 2 * HOUR)

    assert [c for c in day.commands if c.payload.get("boundary") == "precompute_to_predictions"] == []


def test_what_was_counted_while_the_phase_waited_is_counted_again_at_its_gate():
    day = others_done(PLAYERS)
    day.until(ANALYSED + HOUR)
    day.measure(BOUNDARY, ANALYSED + HOUR + MINUTE, **{**GOOD_ANALYTICS, rows_of(PLAYERS): 0.0, "players": 0.0})
    questions = len(asked(day))
    day.complete("analytics", PLAYERS, ANALYSED + HOUR + 2 * MINUTE)

    assert cycle(day).state == "analytics_gate"
    assert len(asked(day)) == questions + 1


def test_a_lost_completion_is_found_by_the_look_of_its_stalled_phase():
    day = others_done(PLAYERS)
    day.until(ANALYSED + HOUR)
    day.measure(BOUNDARY, ANALYSED + HOUR + MINUTE, **GOOD_ANALYTICS)
    day.until(ANALYSED + HOUR + MINUTE + WAIT)

    assert made(day.events) == [(PLAYERS, ANALYSED + HOUR + MINUTE + WAIT)]


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_both_records_stay_listed_with_the_instant_at_which_they_were_brought_together():
    lost, taken_back = others_done(PLAYERS), hollow()
    seen(lost, ANALYSED + MINUTE)
    lost.until(ANALYSED + HOUR)
    seen(taken_back, READY + WAIT, rows=0)

    (first,) = disagreements(lost.events, lost.state, nba())
    (second,) = disagreements(taken_back.events, taken_back.state, nba())

    assert (first.kind, first.cycle, first.since) == ("rows_without_completion", "overnight", ANALYSED + MINUTE)
    assert first.settled_at == ANALYSED + MINUTE + WAIT
    assert (second.kind, second.since, second.settled_at) == ("completion_without_rows", READY, READY + WAIT)
    assert not first.is_due(ANALYSED + 24 * HOUR)
    assert not second.is_due(ANALYSED + 24 * HOUR)

    lost.complete("analytics", PLAYERS, ANALYSED + 2 * HOUR, record_count=212)
    assert disagreements(lost.events, lost.state, nba()) == ()


def test_what_a_phase_owes_to_its_rows_is_explained():
    day = others_done(PLAYERS, TEAMS)
    seen(day, ANALYSED + MINUTE)
    day.until(ANALYSED + MINUTE + WAIT)
    seen(day, ANALYSED + 20 * MINUTE, TEAMS, 4)
    said = explain(day.events, day.definition).text

    assert "player_game_summary (analytics, overnight) taken as complete: nba_analytics.player_game_summary has" in said
    assert "team_offense_game_summary (analytics, overnight) has 4 rows, and has not said that it is done" in said
    assert "team_offense_game_summary (overnight): what it said and what its table holds are brought together" in said


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_the_snippet_of_the_page_does_what_it_says(snippet: str):
    names: dict[str, Any] = {}
    exec(snippet, names)


# --- in every history -----------------------------------------------------------------------------------------------

SPORTS = {name: definitions.load(name) for name in definitions.shipped()}
HISTORIES = st.sampled_from(sorted(SPORTS)).flatmap(lambda sport: histories(SPORTS[sport]))


@LAW
@given(HISTORIES)
def test_whatever_happens_rows_are_taken_for_a_completion_only_after_they_have_stood_unclaimed(history):
    played = play(history)
    events = played.events(history.stream)
    for place, event in enumerate(events):
        data = event.data
        if not isinstance(data, CompletionRecorded) or data.wire_format != RECONCILED:
            continue
        shown = next(item for item in events[:place] if item.id == data.extra["measured_by"])
        assert isinstance(shown.data, MeasuresObserved)
        assert shown.data.measures[data.extra["measure"]].value == data.extra["rows"] > 0
        assert event.recorded_at - shown.recorded_at >= WAIT
        between = events[shown.version : place]
        assert not any(_counts(item, data.cycle, data.processor) for item in between)
        assert not any(_is_zero(item, data.extra["measure"]) for item in between)


@LAW
@given(HISTORIES)
def test_whatever_happens_a_completion_is_taken_back_only_by_two_empty_counts_behind_it(history):
    played = play(history)
    events = played.events(history.stream)
    for place, event in enumerate(events):
        data = event.data
        if not isinstance(data, CompletionReopened):
            continue
        said = [n for n, item in enumerate(events[:place]) if _counts(item, data.cycle, data.processor)]
        behind = events[said[-1] + 1 : place]
        empty = [item.recorded_at for item in behind if _is_zero(item, data.measure)]
        assert empty[-1] - data.since >= WAIT
        assert data.since in empty
        assert not any(_has_rows(item, data.measure) for item in behind if item.recorded_at > data.since)


def _counts(event: Event, cycle: str | None, processor: str | None) -> bool:
    data = event.data
    if not isinstance(data, CompletionRecorded) or (data.cycle, data.processor) != (cycle, processor):
        return False
    return data.status in ("success", "partial") and data.record_count != 0


def _value(event: Event, measure: str) -> float | None:
    data = event.data
    found = data.measures.get(measure) if isinstance(data, MeasuresObserved) else None
    return found.value if found is not None else None


def _is_zero(event: Event, measure: str) -> bool:
    value = _value(event, measure)
    return value is not None and value <= 0


def _has_rows(event: Event, measure: str) -> bool:
    value = _value(event, measure)
    return value is not None and value > 0


def test_a_definition_says_how_long_the_two_may_differ():
    patient: Definition = replace(nba(), reconcile_minutes=45)
    day = in_analytics(patient)
    day.complete_all("analytics", [name for name in ANALYTICS if name != PLAYERS], ANALYSED)
    seen(day, ANALYSED + MINUTE)
    day.until(ANALYSED + 2 * HOUR)

    assert made(day.events) == [(PLAYERS, ANALYSED + 46 * MINUTE)]
    assert day.stream == DATE


def test_reopening_is_a_row_of_the_table():
    day = hollow()
    seen(day, READY + WAIT, rows=0)
    last = moves(day)[-1]
    assert (last.source, last.trigger, last.dest) == ("analytics_blocked", "reopen", "analytics_running")
