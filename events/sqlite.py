"""The store in one SQLite file: the embedded default (docs/decisions/0003-sqlite-store.md).

One append is one transaction in WAL mode with `synchronous=FULL`: durable on return, or nothing of it. Other processes
may read meanwhile. A second writer waits up to `busy_seconds`, and then finds the streams moved on like any other.
Safe to use from several threads: each call has the connection to itself, and reading fetches page by page, so that
nobody waits for a slow reader.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import takewhile
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Any, Self

import msgspec

from events.catalogue import CommandRequested
from events.codec import GENESIS, chain
from events.commits import refuse_malformed
from events.sqlite_append import NUMBER, instant, microseconds, write
from events.sqlite_file import SqliteError, connect, explain, name_of
from events.sqlite_ids import StoredIds
from events.sqlite_rows import events_in
from events.store import Commit, CorruptStore, Head, Pending, Stored, StoreUnavailable

PAGE_ROWS = 32
"""Rows fetched at a time while reading: some 8 MiB where all of them are full (events/sqlite_rows.py)."""

FRESH_IDS_MAX = 32_768
BUSY_SECONDS = 5.0

_decode_command = msgspec.json.Decoder(CommandRequested).decode

_HEAD = "SELECT stream, version, hash, state, next_deadline FROM heads WHERE stream = ?"
_HEADS = "SELECT stream, version, hash, state, next_deadline FROM heads WHERE stream >= ? ORDER BY stream LIMIT ?"
_STREAMS = "SELECT stream FROM heads WHERE stream >= ? ORDER BY stream LIMIT ?"
_READ = """
    SELECT version, position, CAST(packed AS BLOB) FROM events
    WHERE stream = ? AND version >= ? ORDER BY version LIMIT ?"""
_READ_ALL = """
    SELECT position, heads.stream, events.version, CAST(packed AS BLOB)
    FROM events LEFT JOIN heads ON heads.number = events.stream
    WHERE position >= ? ORDER BY position LIMIT ?"""
_DUE = "SELECT stream FROM heads WHERE next_deadline <= ? ORDER BY next_deadline, stream"
_NEXT_DUE = "SELECT min(next_deadline) FROM heads WHERE next_deadline IS NOT NULL"
_PENDING = """
    SELECT heads.stream, body FROM outbox JOIN heads ON heads.number = outbox.stream
    ORDER BY position LIMIT ?"""


class SqliteStore:
    """A Store over an open `connection`; `name` is what errors call it. Mostly made by `open`."""

    def __init__(
        self, connection: sqlite3.Connection, *, name: str, read_only: bool = False, fresh_ids_max: int = FRESH_IDS_MAX
    ) -> None:
        self._connection = connection
        self._name = name
        self._read_only = read_only
        self._ids = StoredIds(connection, fresh_ids_max=fresh_ids_max)
        self._lock = Lock()
        self._closed = False

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        create: bool = True,
        read_only: bool = False,
        busy_seconds: float = BUSY_SECONDS,
    ) -> Self:
        """The store in the file `path`; a missing one is made where `create` is true and `read_only` is not.

        `busy_seconds` bounds the wait for another writer. Raises StoreUnavailable (missing, not allowed, another
        application's, another schema), CorruptStore (not a database, damaged).
        """
        file = Path(path)
        connection = connect(file, create=create, read_only=read_only, busy_seconds=busy_seconds)
        return cls(connection, name=name_of(file), read_only=read_only)

    def head(self, stream: str) -> Head | None:
        """See Store."""
        with self._session() as connection:
            row = connection.execute(_HEAD, (stream,)).fetchone()
        return _head(row) if row else None

    def append(self, commits: Sequence[Commit]) -> None:
        """See Store. Raises ValueError for malformed commits."""
        refuse_malformed(commits)
        if self._read_only:
            next_step = "Open it for writing."
            raise StoreUnavailable(store=self._name, reason="it was opened for reading only", next_step=next_step)
        if not commits:
            return
        with self._session() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                write(connection, commits, self._ids)
                connection.execute("COMMIT")
                self._ids.committed()
            finally:
                _undo(connection)

    def read(self, stream: str, *, after: int = 0) -> Iterator[Stored]:
        """See Store. Every event is held against the hash chain; CorruptStore names the first that breaks it."""
        number, last = self._number(stream)
        seen = after = max(after, 0)
        previous = GENESIS
        for ended, position, packed in self._pages(_READ, number, start=after):  # `after` has the hash before the next
            events = events_in(packed)
            first = ended - len(events) + 1
            if not _follows(first, seen, after):
                raise self._missing(seen + 1, stream)
            if first <= seen:
                _, previous = events[seen - first]
            for version, (body, hash) in enumerate(events[seen + 1 - first :], seen + 1):
                if chain(previous, body) != hash:
                    reason = f"version {version} of {stream} is not what was written, or one before it is gone"
                    raise self._corrupt(reason)
                yield Stored(position - ended + version, stream, version, body, hash)
                previous = hash
            seen = ended
        if seen < last:
            raise self._corrupt(f"{stream} ends at version {seen}, its head is at {last}")

    def bodies(self, stream: str) -> Iterator[bytes]:
        """See Store. CorruptStore where one is missing."""
        number, last = self._number(stream)
        seen = 0
        for ended, _, packed in self._pages(_READ, number, start=1):
            events = events_in(packed)
            if ended - len(events) != seen:
                raise self._missing(seen + 1, stream)
            for body, _ in events:
                yield body
            seen = ended
        if seen < last:
            raise self._missing(seen + 1, stream)

    def read_all(self, *, after: int = 0) -> Iterator[Stored]:
        """See Store. Positions have no gaps here; CorruptStore names the first that is missing."""
        seen = after = max(after, 0)
        for ended, stream, version, packed in self._pages(_READ_ALL, start=after + 1):
            events = events_in(packed)
            first = ended - len(events) + 1
            if not _follows(first, seen, after):
                raise self._corrupt(f"the event at position {seen + 1} is missing")
            if stream is None:
                raise self._corrupt(f"the event at position {seen + 1} belongs to no stream")
            for position, (body, hash) in enumerate(events[seen + 1 - first :], seen + 1):
                yield Stored(position, stream, version - ended + position, body, hash)
            seen = ended

    def streams(self, prefix: str = "") -> list[str]:
        """See Store."""
        rows = self._pages(_STREAMS, start=prefix)
        return [stream for (stream,) in takewhile(lambda row: row[0].startswith(prefix), rows)]

    def heads(self, prefix: str = "") -> Iterator[tuple[str, Head]]:
        """See Store."""
        rows = self._pages(_HEADS, start=prefix)
        return ((row[0], _head(row)) for row in takewhile(lambda row: row[0].startswith(prefix), rows))

    def due(self, now: datetime) -> list[str]:
        """See Store."""
        with self._session() as connection:
            return [stream for (stream,) in connection.execute(_DUE, (microseconds(now),))]

    def next_due(self) -> datetime | None:
        """See Store."""
        with self._session() as connection:
            (earliest,) = connection.execute(_NEXT_DUE).fetchone()
        return instant(earliest)

    def pending(self, limit: int = 1000) -> list[Pending]:
        """See Store."""
        with self._session() as connection:
            rows = connection.execute(_PENDING, (limit,)).fetchall()
        try:
            return [Pending(stream, _decode_command(body)) for stream, body in rows]
        except msgspec.MsgspecError as error:
            raise self._corrupt(f"a command in the outbox cannot be read: {error}") from error

    def check_file(self) -> None:
        """Read the whole file and hold its tables against its indexes, which takes a while. Raises CorruptStore for the
        first fault. What is inside an event, `read` checks; the two together find any damage to what was appended."""
        with self._session() as connection:
            (fault,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if fault != "ok":
            raise self._corrupt(fault)

    def close(self) -> None:
        """See Store."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def _number(self, stream: str) -> tuple[int | None, int]:
        """The number of `stream` and its version, 0 where it has no events."""
        with self._session() as connection:
            return connection.execute(NUMBER, (stream,)).fetchone() or (None, 0)

    @contextmanager
    def _session(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone, with SQLite's errors told in our words."""
        with self._lock:
            if self._closed:
                raise StoreUnavailable(store=self._name, reason="it is closed", next_step="Open it again.")
            try:
                _undo(self._connection)  # where the disk failed an append, it may have failed its rollback too
                yield self._connection
            except sqlite3.ProgrammingError:
                raise  # a mistake in this module
            except SqliteError as error:
                raise explain(error, store=self._name) from error

    def _pages(self, query: str, *fixed: object, start: int | str) -> Iterator[tuple[Any, ...]]:
        """The rows of `query` from key `start` on; the key is its first column, its last two variables are the key to
        begin at and the number of rows."""
        rows: list[tuple[Any, ...]] = [()] * PAGE_ROWS
        while len(rows) == PAGE_ROWS:
            with self._session() as connection:
                rows = connection.execute(query, (*fixed, start, PAGE_ROWS)).fetchall()
            yield from rows
            start = _successor(rows[-1][0]) if rows else start

    def _corrupt(self, reason: str) -> CorruptStore:
        return CorruptStore(store=self._name, reason=reason)

    def _missing(self, version: int, stream: str) -> CorruptStore:
        return self._corrupt(f"version {version} of {stream} is missing")


def _undo(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _follows(first: int, seen: int, after: int) -> bool:
    """True for a row whose `first` event comes next after `seen`, or in whose midst reading `after` begins."""
    return first == seen + 1 or 0 < first <= seen == after


def _head(row: tuple[Any, ...]) -> Head:
    _, version, hash, state, next_deadline = row
    return Head(version=version, hash=hash, state=state, next_deadline=instant(next_deadline))


def _successor(key: int | str) -> int | str:
    """The smallest key above `key`."""
    return key + 1 if isinstance(key, int) else key + "\0"
