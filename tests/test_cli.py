"""The command line as a whole: exit codes, one JSON document, colours, settings, and no error without a word."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

from handlers.cli.app import VERBS
from handlers.cli.problems import EXIT_CODES, Exit
from handlers.cli.watching import Watch
from handlers.overrides import OVERRIDES
from handlers.settings import SETTINGS
from tests.command_line import completion, evening, evening_lines, line, program, tipoff, written
from tests.conftest import ROOT

READING = (
    ("day", "list"),
    ("day", "show", "2026-01-16"),
    ("day", "timeline", "2026-01-16"),
    ("day", "explain", "2026-01-16"),
    ("health",),
    ("reconcile",),
    ("report", "2026-01-16"),
    ("levels",),
    ("alerts", "--all"),
    ("rejected",),
    ("heartbeats",),
    ("replay", "2026-01-16"),
    ("verify",),
)
"""Verbs that read a store."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a store in which an evening happened."""
    return evening(tmp_path_factory.mktemp("evening"))


# --- exit codes ---------------------------------------------------------------------------------------------------


def test_exit_codes_are_those_of_the_interface():
    assert {code.name: int(code) for code in Exit} == {
        "HEALTHY": 0,
        "WARNING": 1,
        "CRITICAL": 2,
        "USAGE": 64,
        "UNREADABLE": 65,
        "UNAVAILABLE": 69,
        "INTERNAL": 70,
        "INTERRUPTED": 130,
    }
    assert {code for _kind, code in EXIT_CODES} == {Exit.USAGE, Exit.UNREADABLE, Exit.UNAVAILABLE}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["frobnicate"], 'Unknown command "frobnicate"'),
        (["day", "frobnicate"], 'Unknown command "frobnicate"'),
        (["day", "show"], "requires an argument"),
        (["day", "show", "2026-01-16", "--frobnicate"], "Unknown option"),
        (["day", "show", "16 Jan"], "'16 Jan' is no game date. Give YYYY-MM-DD"),
        (["day", "show", "2026-01-16", "--at", "noon"], "--at 'noon' is no instant"),
        (["day", "show", "2026-01-16", "--at", "2026-01-16T12:00:00"], "RFC 3339 instant with its zone"),
        (["day", "show", "2026-01-16", "--sport", "nhl"], "there is no definition of 'nhl'"),
        (["day", "list", "--status", "splendid"], "Give one of scheduled, active"),
        (["ingest", "-", "--until", "2026-01-18T00:00:00Z"], "Add --clock publish"),
        (["ingest", "-", "--clock", "sundial"], "sundial"),
        (["tick", "--now", "tomorrow"], "--now 'tomorrow' is no instant"),
        (["health", "--store", "tipoff.db"], "Give sqlite:PATH, firestore:PROJECT"),
        (["health", "--store", "firestore:"], "project or database is missing"),
        (["health", "--store", "sqlite:"], "the path is missing"),
        (["health", "--store", "memory:x"], "Give memory: alone"),
        (["replay", "2026-01-16", "--step"], "Leave --step away"),
        (["export", "--json"], "Name a file to export to"),
        (["demo", "--store", "memory:"], "--directory"),
        (["tick", "--definition", "nba", "--definition", "nba"], "second definition of nba"),
    ],
)
def test_wrong_usage_is_64_and_says_what_to_type(argv: list[str], said: str):
    ran = tipoff(*argv, environ={"TIPOFF_STORE": "memory:"})
    assert (ran.code, ran.out if "--json" not in argv else "") == (64, "")
    assert said in ran.err


def test_a_store_that_is_not_there_is_69_and_reading_makes_none(tmp_path: Path):
    for argv in (*READING, ("tick",), ("export",)):
        ran = tipoff(*argv, "--store", f"sqlite:{tmp_path / 'none.db'}")
        assert ran.code == 69, argv
        assert "there is no such file" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_date_that_nothing_is_known_of_is_refused_with_what_to_do(store: str):
    for verb in ("show", "timeline", "explain"):
        ran = tipoff("day", verb, "2026-02-01", "--store", store)
        assert ran.code == 64
        assert "nothing is recorded of nba/2026-02-01" in ran.err
        assert "`season open` opens the dates" in ran.err


def stopped_clock() -> datetime:
    raise ZeroDivisionError("seven by nothing")


def test_an_error_nobody_thought_of_is_an_internal_one_and_is_said():
    quiet = tipoff("tick", "--json", clock=stopped_clock)
    loud = tipoff("tick", environ={"TIPOFF_DEBUG": "1"}, clock=stopped_clock)
    assert (quiet.code, loud.code) == (70, 70)
    assert "internal error" in quiet.err
    assert "ZeroDivisionError: seven by nothing" in quiet.err
    assert "Please report it" in quiet.err
    assert quiet.json["error"]["code"] == "internal"
    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err


# --- what stands where --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argv", READING, ids=" ".join)
def test_with_json_standard_output_is_one_document_and_nothing_else(store: str, argv: tuple[str, ...]):
    ran = tipoff(*argv, "--store", store, "--json")
    assert ran.code in (0, 1, 2)
    assert ran.out.count("\n") == 1
    assert ran.json is not None
    assert ran.err == ""


@pytest.mark.parametrize("argv", READING, ids=" ".join)
def test_the_answer_is_the_same_wherever_the_shared_options_stand(store: str, argv: tuple[str, ...]):
    now = ("--now", "2026-01-20T00:00:00Z") if argv[0] in ("health", "heartbeats") else ()
    assert tipoff("--store", store, "--json", *argv, *now) == tipoff(*argv, *now, "--json", "--store", store)


def test_an_error_with_json_is_one_document_too(tmp_path: Path):
    for argv in (["frobnicate"], ["day", "show", "16 Jan"], ["health", "--store", f"sqlite:{tmp_path / 'none.db'}"]):
        ran = tipoff(*argv, "--json")
        error = ran.json["error"]
        assert error["exit_code"] == ran.code >= 64
        assert error["code"]
        assert error["message"] in ran.err.replace("tipoff: ", "")


def on_terminal(*argv: str, **environ: str) -> str:
    """What the program writes to a terminal."""
    master, slave = pty.openpty()
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "main.py", *argv],
        cwd=ROOT,
        stdout=slave,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=known | {"TERM": "xterm-256color", "COLUMNS": "200"} | environ,
        check=False,
        timeout=60,
    )
    os.close(slave)
    written = b""
    try:
        while data := os.read(master, 65536):
            written += data
    except OSError:  # the other end is closed: Linux says so with an error
        pass
    finally:
        os.close(master)
    assert done.returncode in (0, 1, 2), done.stderr
    return written.decode()


def test_colours_are_for_terminals_and_for_those_who_want_them(store: str):
    argv = ("day", "show", "2026-01-16", "--store", store)
    assert "\x1b[" not in tipoff(*argv).out
    assert "\x1b[1;31m" in on_terminal(*argv)
    assert "\x1b[1;31m" not in on_terminal(*argv, NO_COLOR="1")
    json.loads(on_terminal(*argv, "--json"))


def test_a_reader_that_goes_away_is_no_error(store: str):
    command = f"{sys.executable} main.py day timeline 2026-01-16 --store {store}; echo code $? >&2"
    done = subprocess.run(
        ["sh", "-c", f"({command}) | true"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == "code 0\n"


def test_every_decision_is_a_log_line_for_those_who_ask(tmp_path: Path):
    file, name = written(tmp_path / "in.jsonl", *evening_lines()), f"sqlite:{tmp_path / 'tipoff.db'}"
    ran = tipoff("ingest", file, "--clock", "publish", "--store", name, "--verbose", "--json")
    logged = [json.loads(text) for text in ran.err.splitlines()]
    events = tipoff("day", "timeline", "2026-01-16", "--store", name, "--json").json
    decided = [(event["version"], event["type"]) for event in events if event["caused_by"] is not None]
    of_date = [item for item in logged if item["stream"] == "nba/2026-01-16"]
    assert [(item["version"], item["event"]) for item in of_date] == decided
    assert all(item["cause"] and item["level"] == "info" for item in of_date)
    assert tipoff("tick", "--store", name, environ={"TIPOFF_LOG": "info"}).err


@pytest.mark.parametrize(
    ("terminal", "seconds", "shown"), [(True, 0.9, False), (True, 1.1, True), (False, 60.0, False)]
)
def test_progress_is_for_terminals_and_for_what_takes_more_than_a_second(terminal: bool, seconds: float, shown: bool):
    instants = [0.0, seconds, seconds]
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80, _environ={"TERM": "xterm"})
    watch = Watch(console, "events", 100, clock=lambda: instants.pop(0))
    watch(50)
    watch.stop()
    assert ("events" in out.getvalue()) is shown


def test_an_interrupted_command_says_that_nothing_acknowledged_is_lost():
    def interrupted() -> datetime:
        raise KeyboardInterrupt

    ran = tipoff("tick", "--store", "memory:", clock=interrupted)
    assert ran.code == 130
    assert "what was acknowledged is stored" in ran.err


# --- help and settings --------------------------------------------------------------------------------------------


def test_help_names_every_verb_and_every_verb_has_help():
    ran = tipoff("--help")
    assert ran.code == 0
    for verb in VERBS:
        assert f"\n│ {verb} " in ran.out
        shown = tipoff(verb, "--help")
        assert (shown.code, shown.err) == (0, "")
        assert f"Usage: tipoff {verb}" in shown.out


def test_help_needs_no_settings_and_no_store():
    assert tipoff("day", "show", "--help", environ={"TIPOFF_STORE": "nonsense", "TIPOFF_DEBUG": "maybe"}).code == 0


def test_version_is_that_of_the_project():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert tipoff("--version").out.strip() == project["version"]


def test_settings_lists_every_name_with_value_source_and_meaning():
    ran = tipoff("settings", "--json", environ={"TIPOFF_STORE": "memory:", "PHASE_VALIDATION_MODE": "warning"})
    shown = {item["name"]: item for item in ran.json}
    assert ran.code == 0
    ours, theirs = {item.name for item in SETTINGS}, {item.name for item in OVERRIDES}
    assert set(shown) == ours | theirs
    assert (shown["TIPOFF_STORE"]["value"], shown["TIPOFF_STORE"]["source"]) == ("memory:", "environment")
    assert (shown["TIPOFF_LOG"]["value"], shown["TIPOFF_LOG"]["source"]) == ("off", "default")
    assert shown["PHASE_VALIDATION_MODE"]["value"] == "warning"
    assert all(item["meaning"] for item in ran.json)


@pytest.mark.parametrize("argv", [("settings",), ("settings", "--json")])
def test_a_secret_is_never_shown(argv: tuple[str, ...]):
    ran = tipoff(*argv, environ={"SLACK_WEBHOOK_URL_ERROR": "https://hooks.example/abc", "TIPOFF_TOKEN": "abc"})
    assert "abc" not in ran.out + ran.err
    assert "********" in ran.out


def test_a_misspelt_setting_is_shown_for_it_does_nothing():
    ran = tipoff("settings", environ={"TIPOFF_STORES": "memory:"})
    assert ran.code == 1
    assert "TIPOFF_STORES" in ran.err
    assert "it does nothing" in ran.out


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("TIPOFF_STORE", "", "sqlite:PATH, firestore:PROJECT[/DATABASE] or memory:"),
        ("TIPOFF_DEFINITIONS", ",", "names of shipped definitions"),
        ("TIPOFF_STORE_BUSY_SECONDS", "soon", "a number from 0 on"),
        ("TIPOFF_STORE_BUSY_SECONDS", "-1", "a number from 0 on"),
        ("TIPOFF_STORE_BUSY_SECONDS", "nan", "a number from 0 on"),
        ("TIPOFF_LOG", "loud", "off or info"),
        ("TIPOFF_DEBUG", "maybe", "1 or 0"),
    ],
)
def test_a_setting_that_does_not_parse_stops_the_start_and_is_named(name: str, value: str, takes: str):
    ran = tipoff("health", environ={name: value})
    assert ran.code == 64
    assert f"{name}: takes {takes}" in ran.err


def test_an_override_that_does_not_parse_stops_the_start_and_is_named():
    ran = tipoff("tick", "--store", "memory:", environ={"PHASE_VALIDATION_MODE": "blocked"})
    assert ran.code == 65
    assert "PHASE_VALIDATION_MODE: takes disabled, warning or blocking" in ran.err


def test_an_override_is_part_of_the_version_that_a_date_is_decided_under(tmp_path: Path):
    file, name = written(tmp_path / "in.jsonl", *evening_lines()), f"sqlite:{tmp_path / 'tipoff.db'}"
    environ = {"PHASE_VALIDATION_GAME_COUNT_THRESHOLD": "0.5"}
    tipoff("ingest", file, "--clock", "publish", "--store", name, environ=environ)
    checked = tipoff("definition", "check", "nba", "--json", environ=environ).json
    gates = tipoff("day", "show", "2026-01-16", "--store", name, "--json").json["gates"]
    (gate,) = [gate for gate in gates if gate["gate"] == "raw_to_analytics"]
    assert checked["overrides"] == {"PHASE_VALIDATION_GAME_COUNT_THRESHOLD": "0.5"}
    assert gate["definition"] == checked["version"]
    assert gate["outcome"] == "warn"


# --- definitions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nba", "mlb"])
def test_a_shipped_definition_is_sound_and_shown_whole(name: str):
    checked, shown = tipoff("definition", "check", name, "--json"), tipoff("definition", "show", name, "--json")
    assert (checked.code, shown.code) == (0, 0)
    assert checked.json["version"].startswith(f"{name}@")
    assert len(shown.json["gates"]) == checked.json["gates"]
    text = tipoff("definition", "show", name)
    assert all(cycle["name"] in text.out for cycle in shown.json["cycles"])


def test_every_error_of_a_definition_is_told_at_once_with_its_line(tmp_path: Path):
    text = (ROOT / "statemachine" / "definitions" / "mlb.toml").read_text()
    file = tmp_path / "mine.toml"
    file.write_text(text.replace("sport =", "spord =") + "\nunknown = 1\n")
    ran = tipoff("definition", "check", file, "--json")
    assert ran.code == 65
    assert len(ran.json["error"]["details"]) >= 2
    assert ran.err.count(f"{file}:") >= 2


# --- the program itself -------------------------------------------------------------------------------------------


def test_the_program_runs_as_a_process_with_pipes_from_schedule_to_answer(tmp_path: Path):
    store = f"sqlite:{tmp_path / 'tipoff.db'}"
    schedule = ROOT / "examples" / "week-2026-01-13" / "games.csv"
    opened = program("season", "open", schedule, "--as-of", "2026-01-12T12:00:00Z", "--store", store, "--json")
    assert (opened.code, len(opened.json["opened"])) == (0, 7)

    messages = b"\n".join(evening_lines()[1:])
    argv = ("ingest", "-", "--clock", "publish", "--until", "2026-01-18T06:00:00Z")
    ingested = program(*argv, "--json", cwd=tmp_path, stdin=messages, TIPOFF_STORE="sqlite:tipoff.db")
    assert (ingested.code, ingested.json["lines"]) == (0, len(evening_lines()) - 1)
    assert (tmp_path / "tipoff.db.commands.jsonl").exists()

    shown = program("day", "show", "2026-01-16", "--store", store, "--json")
    assert (shown.code, shown.json["status"], shown.json["expected_games"]) == (2, "blocked", 6)
    assert program("verify", "--store", store).code == 0


def test_a_pipe_commits_what_has_arrived_before_it_ends(tmp_path: Path):
    store = tmp_path / "tipoff.db"
    with subprocess.Popen(
        [sys.executable, "main.py", "ingest", "-", "--store", f"sqlite:{store}", "--verbose"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(line(completion(processor_name="NobodyKnowsMe")) + b"\n")
        process.stdin.flush()
        assert b"alert_raised" in process.stderr.readline()  # written when its commit is durable
        assert tipoff("day", "list", "--store", f"sqlite:{store}", "--json").json
        process.stdin.close()
        process.stdin = None
        process.communicate(timeout=30)
    assert process.returncode == 0
