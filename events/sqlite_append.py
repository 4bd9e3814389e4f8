"""What one append writes to a SQLite store, inside the transaction of its caller.

A fixed handful of statements for any number of events: everything that is many goes through `executemany`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from sqlite3 import Connection

from events.codec import encode
from events.sqlite_ids import StoredIds
from events.sqlite_rows import Row, rows
from events.store import Commit, DuplicateEvent, WrongExpectedVersion

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

NUMBER = "SELECT number, version FROM heads WHERE stream = ?"
"""The number that stands for a stream in the other tables, and the stream's version."""

_PUT_HEAD = """
    INSERT INTO heads(number, stream, version, hash, next_deadline, state) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT(number) DO UPDATE SET version = excluded.version, hash = excluded.hash,
    next_deadline = excluded.next_deadline, state = excluded.state"""
_PUT_ROW = "INSERT INTO events(position, stream, version, packed) VALUES (?, ?, ?, ?)"
_PUT_COMMAND = """
    INSERT INTO outbox(command_id, stream, body) VALUES (?, ?, ?)
    ON CONFLICT(command_id) DO UPDATE SET stream = excluded.stream, body = excluded.body"""


def write(connection: Connection, commits: Sequence[Commit], stored_ids: StoredIds) -> None:
    """Write `commits`. Raises WrongExpectedVersion, DuplicateEvent before anything is written."""
    numbers = _numbers(connection, commits)
    (last,) = connection.execute("SELECT ifnull(max(position), 0) FROM events").fetchone()
    ids = [event.id for commit in commits for event in commit.events]
    if duplicates := stored_ids.add(ids, first_position=last + 1):
        raise DuplicateEvent(ids=duplicates)
    numbered = list(zip(numbers, commits, strict=True))
    connection.executemany(_PUT_HEAD, [_head_row(number, commit) for number, commit in numbered])
    connection.executemany(_PUT_ROW, _rows(numbered, after=last))
    _write_outbox(connection, numbered)


def microseconds(at: datetime | None) -> int | None:
    """An instant as it is stored and indexed."""
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def instant(stored: int | None) -> datetime | None:
    """A stored instant, in UTC."""
    return None if stored is None else _EPOCH + stored * _MICROSECOND


def _numbers(connection: Connection, commits: Sequence[Commit]) -> list[int]:
    """The number of each commit's stream; new streams are counted on from the last."""
    numbers = []
    last = 0
    for commit in commits:
        number, actual = connection.execute(NUMBER, (commit.stream,)).fetchone() or (None, 0)
        if actual != commit.expected_version:
            raise WrongExpectedVersion(stream=commit.stream, expected=commit.expected_version, actual=actual)
        if number is None:
            number = last = (last or _last_number(connection)) + 1
        numbers.append(number)
    return numbers


def _last_number(connection: Connection) -> int:
    (last,) = connection.execute("SELECT ifnull(max(number), 0) FROM heads").fetchone()
    return int(last)


def _head_row(number: int, commit: Commit) -> tuple[object, ...]:
    head = commit.head
    return number, commit.stream, head.version, head.hash, microseconds(head.next_deadline), head.state


def _rows(numbered: Sequence[tuple[int, Commit]], *, after: int) -> list[Row]:
    found: list[Row] = []
    for number, commit in numbered:
        found += rows(number, commit.events, after=after)
        after += len(commit.events)
    return found


def _write_outbox(connection: Connection, numbered: Sequence[tuple[int, Commit]]) -> None:
    """Settled commands leave first, so that one asked for again by the same commit stays."""
    settled = [(id,) for _, commit in numbered for id in commit.settled]
    connection.executemany("DELETE FROM outbox WHERE command_id = ?", settled)
    asked = [(command.command_id, number, encode(command)) for number, commit in numbered for command in commit.outbox]
    connection.executemany(_PUT_COMMAND, asked)
