"""What happened in the field, recorded: what must be told is told at its minute, and nothing else; and what is told of
the same recordings where all had been well, or a little different.

The minutes in `examples/incidents/expected.csv` follow from the calendar, the recorded instants and the published
rules; none was taken from a run. A rule that the core does not keep yet is an expected failure that says what is
missing.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from events.catalogue import CommandRequested, CompletionRecorded, HealResolved, MessageRejected
from events.memory import MemoryStore
from handlers import definitions
from handlers.demo_facts import load_week
from handlers.demo_play import files_in, play
from tests.conftest import ROOT
from tests.driving import moment
from tests.incidents import (
    FOLDER,
    Replayed,
    Said,
    beat,
    body,
    called_off,
    completion,
    empty_schedule,
    expected,
    halt,
    lines,
    measured,
    moved,
    published,
    recordings,
    replay,
    without,
)
from tests.scenes import MINUTE
from tests.test_cli_docs import BLOCK, Shell, examples, matches

INCIDENTS = recordings()
NAMES = sorted(INCIDENTS)
WEEK = "week"
FILES = [name for name in NAMES if name != WEEK]


@cache
def recorded(name: str) -> Replayed:
    """A recording as it was, replayed once for all tests."""
    return replay(lines(name), INCIDENTS[name].until)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """The week of 13 to 19 January, played from its facts."""
    store = MemoryStore()
    play(load_week(), store, definitions.load("nba", {}), files_in(tmp_path_factory.mktemp("week")))
    return Replayed(store)


def replayed(name: str, request: pytest.FixtureRequest) -> Replayed:
    found: Replayed = request.getfixturevalue("week") if name == WEEK else recorded(name)
    return found


# --- the recordings themselves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_every_line_says_whether_it_is_recorded_and_from_what(name: str):
    said = lines(name)
    assert {line["basis"] for line in said} == {"recorded", "reconstructed"} or name == "lost-completions"
    assert all(line["source"] for line in said)
    assert [published(line) for line in said] == sorted(published(line) for line in said)


@pytest.mark.parametrize("name", FILES)
def test_every_message_of_a_recording_is_understood(name: str):
    found = recorded(name)
    assert [event for event in found.everything if isinstance(event.data, MessageRejected)] == []
    assert "unknown/control" not in found.streams


def test_every_recording_is_listed_and_every_expectation_is_of_one():
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(FILES)
    assert {item.incident for item in INCIDENTS.values()} == {"I1", "I2", "I4", "I5", "I8", "I9", "I10", "I12"}
    assert all(expected(name) for name in NAMES if name != "postponed-game")


# --- what must be told, and nothing else -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_incident_is_told_at_its_minutes_and_nothing_else_is(name: str, request: pytest.FixtureRequest):
    found = replayed(name, request).told
    wanted = expected(name)

    assert [item.what for item in sorted(found, key=lambda i: i.what)] == sorted(item.what for item in wanted)
    minute = {item.what: item.at for item in wanted if item.at}
    assert {item.what: item.at for item in found if item.what in minute} == minute


@pytest.mark.parametrize("name", [name for name in NAMES if INCIDENTS[name].found_at is not None])
def test_an_incident_is_told_before_people_found_it(name: str, request: pytest.FixtureRequest):
    first = min(item.at for item in replayed(name, request).loud)
    found_at = INCIDENTS[name].found_at
    assert found_at is not None
    assert found_at - datetime.fromisoformat(first) > timedelta(hours=11)


def test_the_week_is_told_as_its_oracle_says(week: Replayed, shared_data: Path):
    for row in csv.DictReader((shared_data / "oracle_2026-01-13_19.csv").read_text(encoding="utf-8").splitlines()):
        of_date = [item for item in week.told if item.stream == f"nba/{row['game_date']}"]
        bands = [
            f"{i.severity.upper()} {i.at[5:].replace('T', ' ')}" for i in of_date if i.cause == "box_scores_incomplete"
        ]
        due = [item.at[5:].replace("T", " ") for item in of_date if item.cause == "grading_late"]
        assert ("; ".join(bands), due) == (row["box_alerts"], [row["grading_sla_due_utc"]])


@pytest.mark.parametrize("name", ["zero-rows", "lost-completions", WEEK])
def test_that_a_repair_is_exhausted_is_told_when_its_last_attempt_is_judged(name: str, request: pytest.FixtureRequest):
    found = replayed(name, request)
    exhausted = {(item.stream, item.subject): item.at for item in found.told if item.cause == "heal_exhausted"}
    judged = {
        (event.stream, event.data.component): f"{event.recorded_at:%Y-%m-%dT%H:%MZ}"
        for event in found.everything
        if isinstance(event.data, HealResolved) and (event.data.attempt, event.data.outcome) == (3, "no_effect")
    }
    assert exhausted == judged


# --- dates that raise nothing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("edit", [called_off, empty_schedule])
def test_dates_without_games_tell_nothing(name: str, edit: Callable[[Sequence[Said]], list[Said]]):
    found = replay(edit(lines(name)), INCIDENTS[name].until)
    assert [item for item in found.told if item.stream != "nba/control"] == []


@pytest.mark.parametrize("name", FILES)
def test_halted_dates_tell_nothing_more(name: str):
    said = lines(name)
    dates = {body(line)["game_date"] for line in said if "games" in body(line)}
    opened_at = max(published(line) for line in said if "games" in body(line)) + timedelta(seconds=1)
    found = replay(said, INCIDENTS[name].until, *[halt(day, opened_at.isoformat()) for day in sorted(dates)])

    assert [item for item in found.told if item.stream != "nba/control"] == []
    assert [item for item in found.told if item.stream == "nba/control"] == [
        item for item in expected(name) if item.stream == "nba/control"
    ]


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_told_before_it_is_due(name: str):
    first = min((item.at for item in expected(name)), key=lambda at: at or "z", default="")
    if first:
        before = moment(first) - timedelta(seconds=1)
        found = replay([line for line in lines(name) if published(line) <= before], before)
        assert found.told == []


# --- I2: the controller is silent ------------------------------------------------------------------------------------


def test_a_controller_that_goes_on_deciding_is_not_called_silent():
    said = lines("controller-silent")
    last = next(line for line in reversed(said) if "decision_time" in body(line) and published(line).day == 23)
    more = []
    for number in range(1, 91):
        at = f"{published(last) + number * timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"
        message = {**last["message"], "messageId": f"more-{number}", "publishTime": at}
        more.append({**last, "message": message | {"json": {**body(last), "decision_id": at, "decision_time": at}}})
    found = replay([*said, *more], INCIDENTS["controller-silent"].until)

    assert [item for item in found.told if item.stream == "nba/control"] == []


def test_features_of_good_quality_hold_nothing():
    said = lines("controller-silent")
    for line in said:
        quality = body(line).get("measures", {}).get("feature_quality_avg")
        if quality is not None:
            quality["value"] = 70
    found = replay(said, INCIDENTS["controller-silent"].until)

    assert [item for item in found.loud if item.subject == "precompute_to_predictions"] == []


# --- I4: a storm on a date that has not been played ------------------------------------------------------------------

STORMY_HOURS = {9: 350, 13: 408, 16: 1062, 17: 1756, 18: 732, 19: 444, 20: 342}
"""Runs of the storm by the hour of the day (UTC), as recorded."""


def is_storm(line: Said) -> bool:
    return str(body(line).get("execution_id", "")).startswith("catch-up-")


def storm(runs: int, hour: datetime) -> list[Said]:
    """So many failing runs, evenly spread over the hour."""
    return [
        completion(
            f"{hour + timedelta(seconds=3600 * number // runs):%Y-%m-%dT%H:%M:%SZ}",
            *("analytics", "PlayerGameSummaryProcessor", "2026-01-16"),
            rows=0,
            run=f"storm-{hour:%H}-{number}",
            status="failed",
        )
        for number in range(runs)
    ]


def test_the_whole_storm_of_a_day_pages_once():
    said = [line for line in lines("retry-storm") if not is_storm(line)]
    for hour, runs in STORMY_HOURS.items():
        said += storm(runs, moment(f"2026-01-16T{hour:02}:00Z"))
    found = replay(said, INCIDENTS["retry-storm"].until)

    pages = [
        e.data.payload for e in found.everything if isinstance(e.data, CommandRequested) and e.data.kind == "alert"
    ]
    assert {(page["cause"], page["subject"]) for page in pages} == {("run_storm", "player_game_summary")}
    reminders = [page.get("reminder", 0) for page in pages]
    assert reminders == [0, 1, 1, 1, 2, 3, 4], "one page; it is over at 11:09 and at 15:08, and comes back twice"


def test_a_storm_starts_no_work_on_a_date_that_has_not_been_played():
    asked = [event.data for event in recorded("retry-storm").everything if isinstance(event.data, CommandRequested)]
    assert [command for command in asked if command.kind == "heal"] == []
    assert [c for c in asked if (c.kind, c.phase) == ("trigger", "analytics")] == []


def test_fifty_runs_in_an_hour_are_no_storm():
    quiet = [line for line in lines("retry-storm") if not is_storm(line)]
    fifty = [line for line in lines("retry-storm") if is_storm(line)][:50]

    assert replay([*quiet, *fifty], INCIDENTS["retry-storm"].until).told == []


# --- I5: success with zero rows --------------------------------------------------------------------------------------

BDL = "overnight/raw/p2_bdl_box_scores"


def test_success_with_zero_rows_completes_nothing():
    work = recorded("zero-rows").state("2026-01-12").work[BDL]
    assert (work.done_at, work.rows) == (None, 0)


def test_the_real_load_that_comes_later_supersedes_the_empty_ones_and_nothing_is_told():
    said = without(lines("zero-rows"), lambda it: it.get("status") == "skipped" or "measures" in it)
    before = [line for line in lines("zero-rows") if published(line) < moment("2026-01-13T00:00Z")]
    said = [*before, *[line for line in said if published(line) >= moment("2026-01-13T00:00Z")]]
    said.append(completion("2026-01-13T03:05:20Z", "raw", "BdlBoxscoresProcessor", "2026-01-12", rows=204, run="real"))
    said.append(
        measured(
            "2026-01-13T06:11:20Z",
            *("2026-01-12", "raw_to_analytics"),
            games_with_box_score=6,
            games_without_active_players=0,
        )
    )
    found = replay([line for line in said if published(line) < moment("2026-01-13T06:20Z")], "2026-01-13T06:20Z")

    state = found.state("2026-01-12")
    assert (state.work[BDL].rows, state.work[BDL].done_at) == (204, moment("2026-01-13T03:05:20Z"))
    assert state.cycles["overnight"].state == "analytics_waiting"
    assert found.told == []


# --- I8: a postponed game --------------------------------------------------------------------------------------------


def test_a_postponed_game_lowers_what_is_expected_of_its_date_and_raises_it_where_it_goes():
    found = recorded("postponed-game")
    of = {day: found.state(day) for day in ("2026-01-24", "2026-01-25")}
    expecting = {
        day: sum(game.status not in ("moved", "postponed") for game in state.games.values())
        for day, state in of.items()
    }
    assert expecting == {"2026-01-24": 6, "2026-01-25": 6}
    assert of["2026-01-24"].status == of["2026-01-25"].status == "complete"


def test_where_nobody_said_that_the_game_was_postponed_its_box_score_is_missed_and_the_other_date_has_one_too_many():
    said = without(
        lines("postponed-game"),
        lambda it: it.get("game_id") == "20260124_GSW_MIN" and it.get("status") == "confirmed",
    )
    found = replay(said, INCIDENTS["postponed-game"].until).told

    assert [(item.at, item.cause, item.subject, item.severity) for item in found] == [
        ("2026-01-25T05:11Z", "gate_warned", "raw_to_analytics", "warning"),
        ("2026-01-25T11:00Z", "box_scores_incomplete", "-", "info"),
        ("2026-01-25T17:00Z", "box_scores_incomplete", "-", "warning"),
        ("2026-01-26T04:41Z", "gate_warned", "raw_to_analytics", "warning"),
        ("2026-01-26T05:04Z", "gate_warned", "analytics_to_precompute", "warning"),
    ]
    assert [item.stream for item in found] == ["nba/2026-01-24"] * 3 + ["nba/2026-01-25"] * 2


# --- I9: completions are lost ----------------------------------------------------------------------------------------


def test_a_table_with_rows_whose_completion_was_lost_completes_its_processor_a_quarter_of_an_hour_later():
    found = recorded("lost-completions")
    made = {
        event.data.processor: event.recorded_at
        for event in found.events("nba/2026-01-31")
        if isinstance(event.data, CompletionRecorded) and "reconciled" in event.data.wire_format
    }
    assert made == {
        "upcoming_team_game_context": moment("2026-02-01T11:20Z"),
        "player_game_summary": moment("2026-02-01T15:20Z"),
    }
    assert found.state("2026-01-31").cycles["overnight"].phase == "precompute"


def test_had_they_not_been_lost_the_phase_would_go_on_and_exact_player_counts_alarm_nobody():
    """212 rows, 118 of them with minutes: 118 is exactly who played, so nobody is missing."""
    said = [line for line in lines("lost-completions") if published(line) < moment("2026-02-01T11:00Z")]
    for at, name, rows in (
        ("2026-02-01T11:00:09Z", "UpcomingTeamGameContextProcessor", 12),
        ("2026-02-01T15:00:48Z", "PlayerGameSummaryProcessor", 212),
    ):
        said.append(completion(at, "analytics", name, "2026-01-31", rows=rows, run=f"not-lost-{name}"))
    tables = {"team_offense_game_summary": 12, "team_defense_game_summary": 12, "player_game_summary": 212}
    tables |= {"upcoming_player_game_context": 212, "upcoming_team_game_context": 12}
    counted = {"games_in_analytics": 6, "players": 118, "players_with_minutes": 118, "null_rate_pct": 0}
    rows_of = {f"table_rows__{name}": count for name, count in tables.items()}
    said.append(measured("2026-02-01T15:02:20Z", "2026-01-31", "analytics_to_precompute", **counted, **rows_of))
    found = replay(said, "2026-02-01T15:10Z")

    assert found.state("2026-01-31").cycles["overnight"].state == "precompute_waiting"
    of_the_loss = ("heal_exhausted", "records_disagree")
    assert [item for item in found.told if item.cause != "heal_exhausted"] == [
        item for item in expected("lost-completions") if item.cause not in of_the_loss
    ]


def test_completions_that_come_after_all_change_nothing_any_more():
    at, day = "2026-02-01T15:25:00Z", "2026-01-31"
    before = recorded("lost-completions").state(day).cycles["overnight"]
    said = lines("lost-completions")
    for name, rows in (("UpcomingTeamGameContextProcessor", 12), ("PlayerGameSummaryProcessor", 212)):
        said.append(completion(at, "analytics", name, day, rows=rows, run=f"late-{name}"))
    found = replay(said, INCIDENTS["lost-completions"].until)

    after = found.state(day).cycles["overnight"]
    assert (after.state, after.since, after.commands) == (before.state, before.since, before.commands)
    assert found.told == recorded("lost-completions").told


def test_tables_that_could_not_be_counted_complete_nobody():
    said = lines("lost-completions")
    for line in said:
        for name, measure in body(line).get("measures", {}).items():
            if name.startswith("table_rows") and published(line) > moment("2026-02-01T04:30Z"):
                measure.pop("value")
                measure["error"] = "403: permission denied"
    found = replay(said, INCIDENTS["lost-completions"].until)

    assert "records_disagree" not in {item.cause for item in found.told}
    assert found.state("2026-01-31").cycles["overnight"].phase == "analytics"


# --- I10: heartbeats are silent --------------------------------------------------------------------------------------

CAUGHT_UP = "2026-01-26"
RUNS = {
    "catch-up-1": "PlayerGameSummaryProcessor",
    "catch-up-2": "TeamOffenseGameSummaryProcessor",
    "catch-up-3": "TeamDefenseGameSummaryProcessor",
    "catch-up-4": "UpcomingPlayerGameContextProcessor",
    "catch-up-5": "UpcomingTeamGameContextProcessor",
}


def beating_on(runs: Sequence[str], minutes: int = 45) -> list[Said]:
    """Beats of `runs` from midnight on, a minute apart."""
    start = moment("2026-01-28T00:00:10Z")
    return [
        beat(f"{start + number * MINUTE:%Y-%m-%dT%H:%M:%SZ}", RUNS[run], CAUGHT_UP, run)
        for number in range(minutes)
        for run in runs
    ]


def test_runs_that_completed_are_never_called_stale_or_dead_whatever_their_heart_does():
    subjects = {item.subject for item in recorded("heartbeats-silent").loud}
    assert subjects.isdisjoint({"player_game_summary", "team_offense_game_summary"})
    assert [item for item in recorded("heartbeats-silent").loud if item.cause == "processor_dead"] == []


def test_runs_that_beat_until_they_complete_alarm_nobody():
    found = replay([*lines("heartbeats-silent"), *beating_on(list(RUNS), 13)], INCIDENTS["heartbeats-silent"].until)
    assert found.told == []


def one_run_dies() -> Replayed:
    """The third run stops beating at midnight and never completes; the others beat on."""
    said = without(
        lines("heartbeats-silent"),
        lambda it: it.get("execution_id") == "catch-up-3" and it.get("status") == "success",
    )
    others = [run for run in RUNS if run != "catch-up-3"]
    return replay([*said, *beating_on(others)], INCIDENTS["heartbeats-silent"].until)


def test_one_run_that_dies_among_others_that_beat_is_told_by_its_name():
    assert [(item.at, item.cause, item.subject, item.severity) for item in one_run_dies().told] == [
        ("2026-01-28T00:05Z", "processor_stale", "team_defense_game_summary", "warning"),
        ("2026-01-28T00:15Z", "processor_dead", "team_defense_game_summary", "critical"),
    ]


# --- I12: arithmetic across midnight ---------------------------------------------------------------------------------


def test_a_controller_that_skips_is_not_silent():
    assert "workflow_silent" not in {item.cause for item in recorded("midnight-arithmetic").told}


@pytest.mark.parametrize(
    ("game_date", "minutes"),
    [
        # the night in which the clocks go on; the date that is an hour shorter; then the same in autumn
        ("2026-03-07", ["03-08T07:45", "03-08T11:00", "03-08T17:00", "03-08T19:00", "03-09T05:00"]),
        ("2026-03-08", ["03-09T06:45", "03-09T10:00", "03-09T16:00", "03-09T19:00", "03-10T04:00"]),
        ("2025-11-01", ["11-02T06:45", "11-02T10:00", "11-02T16:00", "11-02T20:00", "11-03T04:00"]),
        ("2025-11-02", ["11-03T07:45", "11-03T11:00", "11-03T17:00", "11-03T20:00", "11-04T05:00"]),
    ],
)
def test_the_same_night_around_a_change_of_the_clocks_is_told_at_the_right_instants(game_date: str, minutes: list[str]):
    days = (date.fromisoformat(game_date) - date(2026, 2, 4)).days
    of_date = without(lines("midnight-arithmetic"), lambda it: "decision_time" in it)
    said = [json.loads(moved(json.dumps(line), days)) for line in of_date]
    found = replay(sorted(said, key=published), moved("2026-02-06T06:00:00Z", days))

    causes = ["phase_stalled", *["box_scores_incomplete"] * 2, "grading_late", "box_scores_incomplete"]
    assert [(item.cause, item.at[5:-1]) for item in found.told] == list(zip(causes, minutes, strict=True))


# --- the page about them ---------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "incidents.md").read_text(encoding="utf-8")


def test_every_command_of_the_page_says_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    shell = Shell(tmp_path)
    for _kind, _name, text in BLOCK.findall(PAGE):
        for command, shown in examples(text):
            said = shell.run(command)
            assert matches(shown, said), f"$ {command}\n{said}"


@pytest.mark.parametrize("name", NAMES)
def test_the_page_and_the_folder_tell_of_every_incident(name: str):
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"### {INCIDENTS[name].incident} " in PAGE
    assert f"{name}.jsonl" in readme or name == WEEK
