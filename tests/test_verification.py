"""Verification finds what does not hold, with its kind, stream and version, and nothing where all holds."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from events.codec import GENESIS, chain
from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.sqlite_rows import events_in
from events.store import Commit, Head, Sealed
from handlers.export_format import ExportReader, header_line, trailer_line
from handlers.portability import check_export, import_store
from handlers.verification import Finding, Verified, verify
from tests.command_line import evening, tipoff
from tests.driving import nba
from tests.histories import History, histories, play
from tests.store_events import change, rewrite

DATE, CONTROL = "nba/2026-01-16", "nba/control"


class Line(Struct):
    """An event of an export, to be changed."""

    stream: str
    body: bytes


Lines = list[Line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which an evening happened."""
    made = tmp_path_factory.mktemp("evening")
    evening(made)
    return made


@pytest.fixture(scope="module")
def week(folder: Path) -> bytes:
    """The export of that store."""
    return tipoff("export", "--store", f"sqlite:{folder / 'tipoff.db'}").out.encode()


@pytest.fixture
def path(folder: Path, tmp_path: Path) -> Path:
    """A copy of that store, to be damaged."""
    copy = tmp_path / "tipoff.db"
    with closing(sqlite3.connect(folder / "tipoff.db")) as store, closing(sqlite3.connect(copy)) as target:
        store.backup(target)
    return copy


def verified(path: Path) -> Verified:
    with closing(SqliteStore.open(path, read_only=True)) as store:
        return verify(store)


def forged(week: bytes, change: Callable[[Lines], None]) -> Verified:
    """What verification says of a store whose history was changed by somebody who knows how to chain hashes."""
    lines = [Line(item.stream, item.body) for item in ExportReader(io.BytesIO(week), source="").events()]
    change(lines)
    hashes: dict[str, str] = {}
    versions: dict[str, int] = {}
    out = header_line(events=len(lines), streams=len({line.stream for line in lines}))
    for line in lines:
        hashes[line.stream] = chain(hashes.get(line.stream, GENESIS), line.body)
        versions[line.stream] = versions.get(line.stream, 0) + 1
        about = {"stream": line.stream, "version": versions[line.stream], "hash": hashes[line.stream]}
        out += json.dumps(about).encode()[:-1] + b',"event":' + line.body + b"}\n"
    out += trailer_line(events=len(lines), digest=sha256(out).hexdigest())
    store, file = MemoryStore(), io.BytesIO(out)
    checked = check_export(file, source="forged")
    file.seek(0)
    import_store(store, file, checked, fallback={"nba": nba()})
    return verify(store)


def of_type(name: str, **fields: object) -> Callable[[dict[str, Any]], bool]:
    """Whether an event is of that type and its data says that."""
    return lambda event: event["data"].items() >= {"type": name, **fields}.items()


def edit(lines: Lines, where: Callable[[dict[str, Any]], bool], change: Callable[[dict[str, Any]], None]) -> int:
    """Change the first event that `where` holds for; its version."""
    for line in lines:
        event = json.loads(line.body)
        if where(event):
            change(event)
            line.body = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
            return int(event["version"])
    raise AssertionError("no such event")


def places(found: Verified) -> set[tuple[str, str | None, int | None]]:
    return {(finding.kind, finding.stream, finding.version) for finding in found.findings}


# --- all holds ----------------------------------------------------------------------------------------------------


@given(history=st.deferred(lambda: histories(nba())))
@settings(max_examples=15)
def test_whatever_happened_to_a_date_its_store_holds(history: History):
    store = play(history).store
    found = verify(store)
    assert found.findings == ()
    assert found.events == len(list(store.read_all()))
    assert found.streams == len(store.streams())


def test_an_empty_store_holds():
    assert verify(MemoryStore()) == Verified(streams=0, events=0, decided=0, findings=())


def test_every_input_is_decided_again(path: Path):
    with closing(SqliteStore.open(path, read_only=True)) as store:
        inputs = [event for event in store.read_all() if event.event().causation is None]
    assert verified(path).decided == len(inputs)


def test_the_exit_code_says_whether_all_holds(path: Path):
    name = f"sqlite:{path}"
    clean = tipoff("verify", "--store", name, "--json")
    change(path, f"UPDATE heads SET state = zeroblob(length(state)) WHERE stream = '{DATE}'")
    damaged = tipoff("verify", "--store", name, "--json")
    assert (clean.code, clean.json["clean"], clean.json["findings"]) == (0, True, [])
    assert (damaged.code, damaged.json["clean"]) == (2, False)
    assert [(item["kind"], item["stream"]) for item in damaged.json["findings"]] == [("fold", DATE)]


# --- damage to the file -------------------------------------------------------------------------------------------


IN_DATE = f"stream = (SELECT number FROM heads WHERE stream = '{DATE}')"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (f"DELETE FROM events WHERE {IN_DATE}", ("chain", DATE, 1)),
        (f"UPDATE heads SET next_deadline = NULL WHERE stream = '{DATE}'", ("deadline", DATE, None)),
        (f"UPDATE heads SET state = x'80' WHERE stream = '{DATE}'", ("fold", DATE, None)),
        ("DELETE FROM outbox", ("outbox", DATE, None)),
        ("UPDATE outbox SET body = replace(body, 'raw_to', 'row_to')", ("outbox", DATE, None)),
        (
            "UPDATE outbox SET command_id = 'x', body = replace(body, 'command_id\":\"', 'command_id\":\"x')",
            ("outbox", DATE, None),
        ),
    ],
)
def test_damage_is_found_where_it_is(path: Path, statement: str, expected: tuple[str, str, int | None]):
    unsettle(path)
    assert verified(path).clean
    change(path, statement)
    assert expected in places(verified(path))


def test_an_event_that_was_changed_in_the_file_is_found_where_it_is(path: Path):
    rewrite(path, DATE, 9, lambda body, hash: (body.replace(b"2026", b"2025"), hash))
    assert ("chain", DATE, 9) in places(verified(path))


def test_a_row_that_is_gone_is_found_where_it_was(path: Path):
    gone = f"SELECT version, packed FROM events WHERE {IN_DATE} AND version >= 9 ORDER BY version LIMIT 1"
    with closing(sqlite3.connect(path)) as connection:
        ended, packed = connection.execute(gone).fetchone()
    change(path, f"DELETE FROM events WHERE {IN_DATE} AND version = {ended}")
    assert ("chain", DATE, ended - len(events_in(packed)) + 1) in places(verified(path))


def unsettle(path: Path) -> None:
    """Leave a command in the outbox: somebody asks for a repair while the channel cannot be written."""
    blocked = path.parent / "no-folder" / "commands"
    blocked.parent.write_bytes(b"a file in the way")
    ran = tipoff(
        *("day", "act", "2026-01-16", "recheck", "--reason", "look again", "--actor", "someone"),
        *("--now", "2026-01-18T06:10:00Z", "--commands", blocked, "--store", f"sqlite:{path}"),
    )
    assert ran.code == 69, ran
    assert "the commands wait in the store" in ran.err


# --- forged histories ---------------------------------------------------------------------------------------------


def test_a_decision_that_was_changed_is_found(week: bytes):
    where: list[int] = []

    def forge(lines: Lines) -> None:
        blocked = of_type("gate_evaluated", outcome="block")
        where.append(edit(lines, blocked, lambda event: event["data"].update(outcome="pass")))

    found = forged(week, forge)
    assert ("determinism", DATE, where[0]) in places(found)


def test_an_input_that_was_changed_is_found_by_what_followed_it(week: bytes):
    def forge(lines: Lines) -> None:
        edit(
            lines,
            of_type("measures_observed"),
            lambda event: event["data"]["measures"]["games_with_box_score"].update(value=2.0),
        )

    assert {finding.kind for finding in forged(week, forge).findings} == {"determinism"}


def test_a_decision_that_was_left_out_is_found(week: bytes):
    def forge(lines: Lines) -> None:
        last = max(at for at, line in enumerate(lines) if line.stream == DATE)
        del lines[last]  # a decision: the date's last command was confirmed before

    found = forged(week, forge)
    assert {finding.kind for finding in found.findings} <= {"determinism", "outbox"}
    assert not found.clean


def test_time_that_goes_back_is_found(week: bytes):
    where: list[int] = []

    def forge(lines: Lines) -> None:
        back = {"recorded_at": "2026-01-01T00:00:00Z"}
        where.append(edit(lines, of_type("completion_recorded"), lambda event: event.update(back)))

    found = forged(week, forge)
    assert ("time", DATE, where[0]) in places(found)


def test_a_definition_that_is_not_its_version_is_found_and_nothing_is_decided_under_it(week: bytes):
    def forge(lines: Lines) -> None:
        def loosen(event: dict[str, Any]) -> None:
            event["data"]["content"] = event["data"]["content"].replace('"block_below":0.8', '"block_below":0.1')

        edit(lines, of_type("definition_published"), loosen)

    found = forged(week, forge)
    assert ("definition", CONTROL, 1) in places(found)
    assert {finding.kind for finding in found.findings} == {"definition", "undecidable"}
    assert found.decided == 0


def test_streams_whose_definition_is_not_in_the_store_cannot_be_decided_again_and_that_is_said_once(week: bytes):
    def forge(lines: Lines) -> None:
        lines[:] = [line for line in lines if line.stream != CONTROL]

    found = forged(week, forge)
    assert [(item.kind, item.stream, item.version) for item in found.findings] == [("undecidable", DATE, 1)]
    assert "cannot re-decide" in found.findings[0].message


def appended(body: bytes) -> Verified:
    """What verification says of a store with one event of that body."""
    store = MemoryStore()
    hash = chain(GENESIS, body)
    head = Head(version=1, hash=hash, state=b"{}")
    store.append([Commit(stream=DATE, expected_version=0, events=[Sealed("id", 1, body, hash)], head=head)])
    return verify(store)


def test_an_event_that_nobody_can_read_is_found():
    assert places(appended(b'{"data":{"type":"from_the_future"}}')) == {("event", DATE, 1)}


def test_an_event_of_another_stream_is_found(week: bytes):
    first = next(ExportReader(io.BytesIO(week), source="").events())
    elsewhere = first.body.replace(b"2026-01-16", b"2026-01-17", 1)
    assert ("event", DATE, 1) in places(appended(elsewhere))


def test_a_head_that_is_not_that_of_the_last_event_is_found(path: Path):
    change(path, f"UPDATE heads SET hash = 'f' || substr(hash, 2) WHERE stream = '{DATE}'")
    assert ("head", DATE, None) in places(verified(path))


def test_findings_are_told_with_their_place(path: Path):
    change(path, f"UPDATE heads SET next_deadline = NULL WHERE stream = '{DATE}'")
    ran = tipoff("verify", "--store", f"sqlite:{path}")
    assert ran.code == 2
    assert f"deadline   {DATE}" in ran.out
    assert isinstance(verified(path).findings[0], Finding)
