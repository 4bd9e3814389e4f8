"""Verbs about dates: what they show is what the store holds, now or then, and what a person does is history."""

from __future__ import annotations

import json
import shlex
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from events.codec import decode
from events.sqlite import SqliteStore
from projections.day import day_show
from projections.history import as_of
from tests.command_line import completion, evening, evening_lines, line, native, tipoff, written
from tests.driving import nba

DATE, STREAM = "2026-01-16", "nba/2026-01-16"

ACT = ("--reason", "seen by hand", "--actor", "someone", "--now", "2026-01-18T06:10:00Z")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which an evening happened."""
    made = tmp_path_factory.mktemp("evening")
    evening(made)
    return made


@pytest.fixture
def store(folder: Path, tmp_path: Path) -> str:
    """The name of a copy of that store."""
    copy = tmp_path / "tipoff.db"
    with closing(sqlite3.connect(folder / "tipoff.db")) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return f"sqlite:{copy}"


def stored(store: str, stream: str = STREAM) -> list[Any]:
    with closing(SqliteStore.open(store.removeprefix("sqlite:"), read_only=True)) as opened:
        return list(opened.read(stream))


def shown(store: str, *argv: str) -> Any:
    return tipoff("day", "show", DATE, "--store", store, "--json", *argv).json


# --- day show -----------------------------------------------------------------------------------------------------


def test_day_show_has_the_keys_of_the_interface(store: str):
    day = shown(store)
    assert list(day) == [
        *("sport", "game_date", "status", "expected_games", "cycles", "gates", "alerts", "heals", "next_deadline"),
        *("version", "hash"),
    ]
    assert {tuple(cycle) for cycle in day["cycles"].values()} == {("state", "phase", "degraded", "phases")}
    phases = [phase for cycle in day["cycles"].values() for phase in cycle["phases"].values()]
    assert {tuple(phase) for phase in phases} == {("status", "completed", "missing", "failed")}
    assert {tuple(gate) for gate in day["gates"]} == {
        ("gate", "cycle", "outcome", "mode", "evaluated_at", "definition", "checks")
    }
    checks = [check for gate in day["gates"] for check in gate["checks"]]
    assert {frozenset(check) for check in checks} == {
        frozenset({"check", "measured", "warn", "block", "verdict", "error", "basis"})
    }
    assert {"cause", "severity", "raised_at", "delivered_at", "acknowledged_at", "resolved_at"} <= set(day["alerts"][0])
    assert list(day["next_deadline"]) == ["name", "at"]


def test_day_show_says_what_the_events_come_to(store: str):
    events = stored(store)
    day = shown(store)
    assert (day["status"], day["expected_games"], day["version"]) == ("blocked", 2, len(events))
    assert day["hash"] == events[-1].hash


def test_the_exit_code_is_that_of_the_gravest_open_alert(store: str):
    open_ = [alert["severity"] for alert in shown(store)["alerts"] if alert["resolved_at"] is None]
    assert "critical" in open_
    for verb in (("day", "show", DATE), ("alerts",)):
        assert tipoff(*verb, "--store", store).code == 2
    assert tipoff("day", "show", DATE, "--at", "2026-01-16T12:00:00Z", "--store", store).code == 1
    assert tipoff("day", "show", DATE, "--at", "2", "--store", store).code == 0


@pytest.mark.parametrize("at", ["1", "5", "20", "2026-01-17T06:10:03Z", "2026-01-12T12:00:00Z"])
def test_a_date_is_shown_as_it_was_known_then(store: str, at: str):
    events = [decode(item.body) for item in stored(store)]
    instant = int(at) if at.isdigit() else datetime.fromisoformat(at)
    then = as_of(STREAM, events, instant)
    expected = day_show(then.state, nba(), head_hash=stored(store)[then.state.version - 1].hash)  # type: ignore[arg-type]
    day = shown(store, "--at", at)
    assert day["version"] == expected.version
    assert day["hash"] == expected.hash
    assert day["status"] == expected.status
    assert [gate["outcome"] for gate in day["gates"]] == [gate.outcome for gate in expected.gates]


def test_a_date_before_its_first_event_is_as_it_began(store: str):
    day = shown(store, "--at", "2026-01-01T00:00:00Z")
    assert (day["version"], day["expected_games"], day["hash"]) == (0, None, "0" * 64)


def test_a_version_that_never_was_is_refused(store: str):
    ran = tipoff("day", "show", DATE, "--at", "9999", "--store", store)
    assert ran.code == 64
    assert "its latest is" in ran.err


def test_words_for_dates_mean_the_leagues_calendar(store: str):
    ran = tipoff(
        "day", "show", "yesterday", "--store", store, clock=lambda: datetime.fromisoformat("2026-01-18T04:59:00Z")
    )
    assert ran.code == 2  # 23:59 in New York on the 17th


# --- the other questions ------------------------------------------------------------------------------------------


def test_day_list_filters_by_date_and_status(store: str, tmp_path: Path):
    schedule = tmp_path / "more.csv"
    schedule.write_text("game_date_et,game_id,away,home,start_utc\n2026-01-20,X,A,B,2026-01-21T00:00:00Z\n")
    tipoff("season", "open", schedule, "--as-of", "2026-01-18T06:00:00Z", "--store", store)

    def dates(*argv: str) -> list[str]:
        return [row["game_date"] for row in tipoff("day", "list", "--store", store, "--json", *argv).json]

    assert dates() == [DATE, "2026-01-20"]
    assert dates("--from", "2026-01-17") == ["2026-01-20"]
    assert dates("--to", "2026-01-17") == [DATE]
    assert dates("--status", "blocked") == [DATE]
    assert dates("--status", "scheduled", "--status", "blocked") == [DATE, "2026-01-20"]
    assert dates("--sport", "mlb") == []


def test_the_timeline_has_every_event_once_in_order(store: str):
    entries = tipoff("day", "timeline", DATE, "--store", store, "--json").json
    assert [entry["version"] for entry in entries] == list(range(1, len(stored(store)) + 1))
    assert all(entry["summary"] for entry in entries)
    upto = tipoff("day", "timeline", DATE, "--at", "7", "--store", store, "--json").json
    assert upto == entries[:7]


def test_explain_says_why_in_sentences_with_the_numbers(store: str):
    ran = tipoff("day", "explain", DATE, "--store", store)
    assert ran.code == 0
    assert "nba/2026-01-16 is blocked at raw_to_analytics (overnight)" in ran.out
    assert "1 of 2" in ran.out


def test_every_way_out_that_explain_offers_can_be_typed(store: str):
    options = tipoff("day", "explain", DATE, "--store", store, "--json").json["options"]
    assert options
    for option in options:
        typed = (
            option["command"]
            .replace("NAME", "someone")
            .replace("REASON", "because")
            .replace("GAME", "20260116_WAS_SAC")
        )
        words = shlex.split(typed)
        assert words[:2] == ["python", "main.py"]
        ran = tipoff(*words[2:], "--store", store, "--now", "2026-01-18T06:10:00Z")
        assert ran.code == 0 or "is blocked or gate" in ran.err or "no cycle of" in ran.err, (typed, ran)
        assert "Unknown" not in ran.err


def test_replay_shows_what_each_event_changed_up_to_where_it_is_asked(store: str):
    steps = tipoff("replay", DATE, "--until", "6", "--store", store, "--json").json
    assert [step["version"] for step in steps] == [1, 2, 3, 4, 5, 6]
    assert {"path", "kind", "before", "after"} == set(steps[0]["changes"][0])
    text = tipoff("replay", DATE, "--until", "6", "--store", store).out
    assert "cycles.tomorrow" in text or "cycles" in text
    assert text.endswith("6 events\n")


def test_health_says_what_to_do_and_its_exit_code_is_its_status(store: str):
    ran = tipoff("health", "--now", "2026-01-18T06:00:00Z", "--store", store, "--json")
    assert (ran.code, ran.json["status"], ran.json["exit_code"]) == (2, "critical", 2)
    assert all(finding["next_step"] for finding in ran.json["findings"])


def test_heartbeats_age_while_nobody_ticks(tmp_path: Path):
    beat = {"phase": "raw", "processor_name": "p2_bdl_box_scores", "execution_id": "run-1", "progress": 3, "total": 9}
    name = f"sqlite:{tmp_path / 'tipoff.db'}"
    file = written(tmp_path / "in.jsonl", native("heartbeat", beat, "2026-01-17T06:10:00Z"))
    tipoff("ingest", file, "--clock", "publish", "--store", name)
    found = [
        tipoff("heartbeats", "--now", now, "--store", name, "--json")
        for now in ("2026-01-17T06:11:00Z", "2026-01-17T06:15:00Z", "2026-01-17T06:25:00Z")
    ]
    assert [ran.json[0]["condition"] for ran in found] == ["running", "stale", "dead"]
    assert [ran.code for ran in found] == [0, 1, 2]


def test_alerts_are_the_open_ones_unless_all_are_asked_for(store: str):
    open_ = tipoff("alerts", "--store", store, "--json").json
    all_ = tipoff("alerts", "--all", "--store", store, "--json").json
    assert [item for item in all_ if item["resolved_at"] is None] == open_
    assert "unmapped_processor" in {item["cause"] for item in open_}


# --- what changes things ------------------------------------------------------------------------------------------


def test_a_tick_acts_on_what_is_due_and_lets_commands_leave(store: str, tmp_path: Path):
    due = shown(store)["next_deadline"]["at"]
    early = tipoff("tick", "--now", "2026-01-18T06:00:00Z", "--store", store, "--json").json
    ran = tipoff("tick", "--now", due, "--store", store, "--json", "--commands", tmp_path / "out.jsonl")
    assert early["streams"] == []
    assert STREAM in ran.json["streams"]
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == ran.json["commands"] > 0


def test_commands_go_beside_the_store_unless_somebody_says_where(store: str, tmp_path: Path):
    due, mine = shown(store)["next_deadline"]["at"], tmp_path / "mine.jsonl"
    tipoff("tick", "--now", due, "--store", store, environ={"TIPOFF_COMMANDS": str(mine)})
    assert mine.exists()
    assert not (tmp_path / "tipoff.db.commands.jsonl").exists()
    for at in ("2026-01-18T12:00:00Z", "2026-01-18T18:00:00Z"):
        tipoff("tick", "--now", at, "--store", store)
    assert (tmp_path / "tipoff.db.commands.jsonl").exists()


def test_an_operators_command_is_recorded_with_name_and_reason_and_takes_effect(store: str):
    ran = tipoff("day", "act", DATE, "override", "--target", "raw_to_analytics", *ACT, "--store", store, "--json")
    assert ran.code == 0
    first = ran.json["events"][0]
    assert (first["type"], first["actor"]) == ("operator_acted", "someone")
    assert "seen by hand" in first["summary"]
    day = shown(store)
    assert day["cycles"]["overnight"]["state"].startswith("analytics")
    assert "raw_to_analytics overridden by someone" in day["cycles"]["overnight"]["degraded"]
    assert tipoff("verify", "--store", store).code == 0


def test_halting_and_resuming_a_date(store: str):
    for command, status in (("halt", "halted"), ("resume", "blocked")):
        assert tipoff("day", "act", DATE, command, *ACT, "--store", store).code == 0
        assert shown(store)["status"] == status


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("waive", "--target", "20260116_XXX_YYY"), "is no game of nba/2026-01-16. Games: "),
        (("resume", "--target", "overnight"), "nothing is halted or parked"),
        (("heal", "--target", "wishes"), "is no component of the definition. Components: "),
        (("acknowledge", "--target", "nothing"), "`alerts` lists the open ones"),
    ],
)
def test_a_command_that_the_state_does_not_allow_is_refused_with_what_to_do_and_recorded_nowhere(
    store: str, argv: tuple[str, ...], said: str
):
    before = stored(store)
    ran = tipoff("day", "act", DATE, *argv, *ACT, "--store", store, "--json")
    assert ran.code == 64
    assert ran.json["error"]["code"] == "command_not_allowed"
    assert ran.json["error"]["next_step"]
    assert said in ran.err
    assert stored(store) == before


def test_a_reason_is_required_and_the_actor_is_the_user_of_the_machine(store: str):
    without = tipoff("day", "act", DATE, "halt", "--store", store)
    blank = tipoff("day", "act", DATE, "halt", "--reason", " ", "--store", store)
    assert (without.code, blank.code) == (64, 64)
    assert "--reason" in without.err
    ran = tipoff("day", "act", DATE, "halt", "--reason", "a test", "--store", store, "--json")
    assert ran.json["events"][0]["actor"]


def test_a_date_nobody_opened_cannot_be_acted_on(store: str):
    ran = tipoff("day", "act", "2026-02-01", "halt", *ACT, "--store", store)
    assert ran.code == 64
    assert "nothing is recorded of nba/2026-02-01" in ran.err
    assert tipoff("day", "list", "--store", store, "--json").json[0]["game_date"] == DATE


def test_history_is_shown_under_the_definition_it_was_decided_under(store: str, tmp_path: Path):
    environ = {"PHASE_VALIDATION_MODE": "warning"}  # what somebody set later, in another shell
    ran = tipoff("day", "show", DATE, "--store", store, "--json", environ=environ)
    assert {gate["definition"] for gate in ran.json["gates"]} == {nba().version}
    late = written(tmp_path / "late.jsonl", line(completion(execution_id="late"), "2026-01-18T07:00:00Z"))
    tipoff("ingest", late, "--clock", "publish", "--store", store, environ=environ)
    assert tipoff("verify", "--store", store, environ=environ).code == 0
    before = json.loads(tipoff("day", "show", DATE, "--at", "20", "--store", store, "--json").out)
    assert before["version"] == 20


def test_ingesting_the_evening_again_changes_nothing(store: str, tmp_path: Path):
    before = stored(store)
    ran = tipoff(
        *("ingest", written(tmp_path / "in.jsonl", *evening_lines()), "--clock", "publish", "--store", store, "--json")
    )
    assert (ran.code, ran.json["accepted"], ran.json["duplicate"]) == (0, 0, len(evening_lines()))
    assert ran.json["late"] == len(evening_lines())
    assert stored(store) == before
