"""Input that is wrong in every way we know of: what is said, with which exit code, and that nothing is lost.

A message that cannot be understood is stored whole, with what its publisher has to fix. One that can be understood and
contradicts itself, or what was known, is stored and flagged. A store that cannot be used is said to be so; nothing of
what was to be written is half there, and the same command later does what it should have done.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from events.catalogue import CompletionRecorded, Event, MessageRejected
from events.sqlite import SqliteStore
from events.wire import STORED_BYTES_MAX
from tests.command_line import (
    TOPIC,
    Ran,
    completion,
    evening_lines,
    game,
    line,
    native,
    program,
    schedule,
    tipoff,
    written,
)
from tests.conftest import ROOT

NOBODY = 65534


def ingested(folder: Path, *lines: bytes, clock: str = "publish") -> tuple[Ran, list[Event]]:
    """What ingesting these lines came to, and every event that is in the store then, which must hold."""
    store = folder / "tipoff.db"
    ran = tipoff(
        "ingest", written(folder / "in.jsonl", *lines), "--clock", clock, "--store", f"sqlite:{store}", "--json"
    )
    assert tipoff("verify", "--store", f"sqlite:{store}").code == 0
    with closing(SqliteStore.open(store, read_only=True)) as opened:
        return ran, [stored.event() for stored in opened.read_all()]


def rejections(events: list[Event]) -> list[MessageRejected]:
    return [event.data for event in events if isinstance(event.data, MessageRejected)]


def raw_line(data: bytes, /, **message: Any) -> bytes:
    """A delivery of bytes that need not be JSON."""
    said = {"messageId": "m-1", "publishTime": "2026-01-17T06:10:00Z", "data": b64encode(data).decode(), **message}
    return f'{{"topic": "{TOPIC}", "message": {str(said).replace(chr(39), chr(34))}}}'.encode()


# --- messages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "advice"),
    [
        (completion(game_date="2026-02-30"), "bad_game_date", "YYYY-MM-DD"),
        (completion(game_date="2026-01-17T03:00:00Z"), "bad_game_date", "not a timestamp"),
        (completion(game_date="16.01.2026"), "bad_game_date", "YYYY-MM-DD"),
        (completion(game_date=...), "no_game_date", "never derived from a timestamp"),
        (completion(status="splendid"), "bad_status", "success"),
        ([1, 2, 3], "not_object", "send one JSON object"),
        ({"hello": "world"}, "unknown_shape", ""),
    ],
)
def test_a_message_that_cannot_be_understood_is_kept_whole_with_what_to_fix(
    tmp_path: Path, body: Any, code: str, advice: str
):
    ran, events = ingested(tmp_path, line(body))
    (rejected,) = rejections(events)
    assert (ran.code, ran.json["rejected"], ran.json["accepted"]) == (1, 1, 0)
    assert rejected.code == code
    assert advice in rejected.reason
    assert b64decode(rejected.data) in line(body)
    assert "`tipoff rejected` says what to fix" in ran.err


def test_a_wrong_date_is_shown_with_what_its_publisher_has_to_fix(tmp_path: Path):
    ingested(tmp_path, line(completion(game_date="2026-02-30")))
    ran = tipoff("rejected", "--store", f"sqlite:{tmp_path / 'tipoff.db'}")
    assert ran.code == 1
    assert "bad_game_date" in ran.out
    assert "2026-02-30" in ran.out


def test_an_unknown_processor_is_stored_counts_for_nothing_and_is_told_once(tmp_path: Path):
    lines = [line(completion(processor_name="NobodyKnowsMe", execution_id=f"run-{number}")) for number in range(3)]
    ran, events = ingested(tmp_path, *lines)
    stored = [event.data for event in events if isinstance(event.data, CompletionRecorded)]
    assert (ran.code, ran.json["accepted"]) == (0, 3)
    assert [data.processor for data in stored] == [None] * 3
    name = f"sqlite:{tmp_path / 'tipoff.db'}"
    told = [item for item in tipoff("alerts", "--store", name, "--json").json if item["cause"] == "unmapped_processor"]
    assert [item["subject"] for item in told] == ["NobodyKnowsMe"]
    shown = tipoff("day", "show", "2026-01-16", "--store", name, "--json").json
    assert [phase["completed"] for phase in shown["cycles"]["overnight"]["phases"].values()] == [[]] * 5


def test_an_unknown_phase_is_rejected_with_the_known_ones(tmp_path: Path):
    body = {"processor_name": "p", "phase": "phase_99", "execution_id": "e", "status": "success"}
    ran, events = ingested(tmp_path, native("processor.completed", body, "2026-01-17T06:10:00Z"))
    assert ran.code == 1
    assert [(item.code, "phase_99" in item.reason) for item in rejections(events)] == [("bad_native", True)]


@pytest.mark.parametrize("count", [-5, 10**15, 1e300, "many", True, 12.5])
def test_a_count_that_is_none_is_rejected_and_never_read_as_a_number(tmp_path: Path, count: Any):
    ran, events = ingested(tmp_path, line(completion(record_count=count)))
    (rejected,) = rejections(events)
    assert ran.code == 1
    assert rejected.code == "bad_count"
    assert "`record_count`" in rejected.reason


@pytest.mark.parametrize("count", [-1, 10**13])
def test_a_native_count_that_is_none_is_rejected(tmp_path: Path, count: int):
    body = {"processor_name": "p", "phase": "raw", "execution_id": "e", "status": "success", "record_count": count}
    ran, events = ingested(tmp_path, native("processor.completed", body, "2026-01-17T06:10:00Z"))
    assert ran.code == 1
    assert "record_count" in rejections(events)[0].reason


def test_a_message_of_five_megabytes_is_rejected_with_its_size_and_its_beginning(tmp_path: Path):
    long = line(completion(metadata={"rows": "x" * 5_000_000}))
    ran, events = ingested(tmp_path, long, line(completion(execution_id="after")))
    (rejected,) = rejections(events)
    assert (ran.code, ran.json["rejected"], ran.json["accepted"]) == (1, 1, 1)
    assert rejected.code == "too_large"
    assert rejected.size > 5_000_000
    kept = b64decode(rejected.data)
    assert len(kept) == STORED_BYTES_MAX
    assert kept in long


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (raw_line(b'{"game_date": "\xff\xfe"}'), "not_utf8"),
        (b'{"topic": "t", "message": {"messageId": "\xff"}}', "not_utf8"),
        (raw_line(b"{"), "not_json"),
        (b"not json at all", "not_json"),
        (raw_line(b"", data="%%%"), "bad_base64"),
        (b'{"topic": "t"}', "no_message"),
        (line(completion()).replace(b"2026-01-17T06:10:00Z", b"noon"), "bad_publish_time"),
    ],
)
def test_a_broken_line_is_kept_whole_and_the_lines_around_it_are_stored(tmp_path: Path, text: bytes, code: str):
    around = line(completion(execution_id="before")), line(completion(execution_id="after"))
    ran, events = ingested(tmp_path, around[0], text, around[1])
    (rejected,) = rejections(events)
    assert (ran.code, ran.json["lines"], ran.json["accepted"], ran.json["rejected"]) == (1, 3, 2, 1)
    assert rejected.code == code
    assert b64decode(rejected.data) in (text, b'{"game_date": "\xff\xfe"}', b"{")


def test_a_completion_before_its_start_counts_and_the_late_start_does_not_undo_it(tmp_path: Path):
    started = {"processor_name": "p2_bdl_box_scores", "phase": "raw", "execution_id": "run-1"}
    ended = line(completion(), "2026-01-17T06:10:00Z")
    ran, _ = ingested(tmp_path, ended, native("processor.started", started, "2026-01-17T06:11:00Z"))
    shown = tipoff("day", "show", "2026-01-16", "--store", f"sqlite:{tmp_path / 'tipoff.db'}", "--json").json
    assert (ran.code, ran.json["accepted"]) == (0, 2)
    assert shown["cycles"]["overnight"]["phases"]["raw"]["completed"] == ["p2_bdl_box_scores"]


def test_a_schedule_older_than_the_one_in_force_is_kept_and_undoes_nothing(tmp_path: Path):
    now = schedule("2026-01-12T12:00:00Z", game("20260116_WAS_SAC"), as_of="2026-01-12T00:00:00Z")
    old = schedule("2026-01-13T12:00:00Z", game("20260116_NOP_IND"), as_of="2026-01-01T00:00:00Z")
    ran, events = ingested(tmp_path, now, old)
    said = [event.data.disregarded for event in events if event.data.__class__.__name__ == "SchedulePublished"]  # type: ignore[union-attr]
    assert (ran.code, ran.json["accepted"]) == (0, 2)
    assert said[0] is None
    assert "older than the schedule in force" in str(said[1])
    shown = tipoff("day", "show", "2026-01-16", "--store", f"sqlite:{tmp_path / 'tipoff.db'}", "--json").json
    assert shown["expected_games"] == 1


# --- files and definitions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["ingest", "import", "season open"])
def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path, verb: str):
    for file, reason in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        ran = tipoff(*verb.split(), file, "--store", f"sqlite:{tmp_path / 'new.db'}", "--json")
        assert ran.code == 65
        assert f"{file} cannot be read: {reason}" in ran.err
        assert ran.json["error"]["code"] == "input_unreadable"
        assert not (tmp_path / "new.db").exists()


def test_a_definition_with_a_cycle_in_depends_on_is_refused_with_its_line_and_nothing_is_stored(tmp_path: Path):
    text = (ROOT / "statemachine" / "definitions" / "mlb.toml").read_text()
    first, second = [part.split('"')[1] for part in text.split("[[processors]]")[1:3] for part in [part]]
    for name, other in ((first, second), (second, first)):
        text = text.replace(f'name = "{name}"\n', f'name = "{name}"\ndepends_on = ["{other}"]\n', 1)
    file = tmp_path / "mine.toml"
    file.write_text(text)
    checked = tipoff("definition", "check", file)
    used = tipoff(
        *("ingest", written(tmp_path / "in.jsonl", line(completion())), "--definition", file),
        *("--store", f"sqlite:{tmp_path / 'new.db'}", "--json"),
    )
    for ran in (checked, used):
        assert ran.code == 65
        assert f"{file}:" in ran.err
        assert "depends" in ran.err
    assert used.json["error"]["details"][0]["line"] > 0
    assert not (tmp_path / "new.db").exists()


# --- stores -------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A store in which the first half of an evening is stored."""
    ingested(tmp_path, *evening_lines()[:5])
    return tmp_path / "tipoff.db"


def again(path: Path, folder: Path) -> Ran:
    """Ingest the whole evening."""
    name = f"sqlite:{path}"
    return tipoff(
        "ingest", written(folder / "all.jsonl", *evening_lines()), "--clock", "publish", "--store", name, "--json"
    )


def test_a_store_that_another_process_writes_is_unavailable_and_the_same_command_works_later(
    filled: Path, tmp_path: Path
):
    with closing(sqlite3.connect(filled, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        file = written(tmp_path / "all.jsonl", *evening_lines())
        ran = tipoff(
            *("ingest", file, "--clock", "publish", "--store", f"sqlite:{filled}", "--json"),
            environ={"TIPOFF_STORE_BUSY_SECONDS": "0.01"},
        )
    assert ran.code == 69
    assert ran.json["error"]["code"] == "store_unavailable"
    assert "another process is writing to it" in ran.err
    assert "0 lines were stored before; run the same command again" in ran.err

    later = again(filled, tmp_path)
    assert (later.code, later.json["duplicate"], later.json["accepted"]) == (0, 5, len(evening_lines()) - 5)


def test_a_corrupt_store_is_said_to_be_damaged_and_is_not_written(filled: Path, tmp_path: Path):
    whole = filled.read_bytes()
    filled.write_bytes(whole[: len(whole) // 2])
    before = filled.read_bytes()
    for ran in (again(filled, tmp_path), tipoff("day", "list", "--store", f"sqlite:{filled}", "--json")):
        assert ran.code == 69
        assert ran.json["error"]["code"] == "corrupt_store"
        assert "restore an export with `import`" in ran.err
    assert filled.read_bytes() == before


def test_a_file_that_is_no_store_is_never_taken_for_one(tmp_path: Path):
    for name, content in (("text.db", b"game_date,row_count\n" * 300), ("empty.db", b"")):
        file = tmp_path / name
        file.write_bytes(content)
        assert again(file, tmp_path).code == 69
        assert file.read_bytes() == content


@contextmanager
def unprivileged() -> Iterator[Path]:
    """A folder, and for a while the rights of a user to whom file permissions apply."""
    user = os.geteuid()
    with TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        ingested(folder, *evening_lines()[:5])
        written(folder / "new.jsonl", *evening_lines()[5:])
        if user == 0:
            os.seteuid(NOBODY)
        else:
            (folder / "tipoff.db").chmod(0o444)
            folder.chmod(0o555)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


def test_a_store_that_may_not_be_written_is_unavailable():
    with unprivileged() as folder:
        name = f"sqlite:{folder / 'tipoff.db'}"
        ran = tipoff("ingest", folder / "new.jsonl", "--store", name, "--json")
        assert ran.code == 69
        assert ran.json["error"]["code"] == "store_unavailable"
        assert "write access" in ran.err or "may read and write" in ran.err


FULL = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), -1))
sys.argv = ["main.py", *sys.argv[2:]]
runpy.run_path("main.py", run_name="__main__")
"""


def test_a_full_disk_loses_nothing_and_a_freed_one_takes_the_rest(tmp_path: Path):
    store, file = tmp_path / "tipoff.db", tmp_path / "in.jsonl"
    lines = [line(completion(execution_id=f"run-{number}", metadata={"note": "x" * 2000})) for number in range(1500)]
    written(file, *lines)
    argv = ["ingest", str(file), "--store", f"sqlite:{store}", "--commands", str(tmp_path / "commands"), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", FULL, "1500000", *argv], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    full = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert full.code == 69, full
    assert full.json["error"]["code"] == "store_unavailable"
    assert "disk" in full.err
    assert "lines were stored before; run the same command again" in full.err
    assert tipoff("verify", "--store", f"sqlite:{store}").code == 0

    freed = program(*argv)
    assert freed.code == 0, freed
    assert freed.json["duplicate"] > 0
    assert freed.json["accepted"] + freed.json["duplicate"] == 1500
    with closing(SqliteStore.open(store, read_only=True)) as opened:
        stored = [stored.event().data for stored in opened.read("nba/2026-01-16")]
    assert len([data for data in stored if isinstance(data, CompletionRecorded)]) == 1500
