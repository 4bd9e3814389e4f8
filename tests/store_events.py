"""Real events, sealed and committed, for the tests of the stores; and all that a store holds, to compare."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copyfile

import msgspec

from events.catalogue import CommandRequested, CompletionRecorded, Event
from events.codec import GENESIS, chain, derive_id, encode
from events.sqlite import SqliteStore
from events.sqlite_file import connect, name_of
from events.sqlite_rows import events_in
from events.store import Commit, Head, Sealed, Store

TIP_OFF = datetime(2026, 1, 16, 0, 30, tzinfo=UTC)
STREAM, OTHER = "nba/2026-01-15", "nba/2026-01-16"


def minutes(count: int) -> datetime:
    """The instant `count` minutes after the tip-off."""
    return TIP_OFF + timedelta(minutes=count)


def ids(*names: object) -> list[str]:
    """Event ids, one for each name."""
    return [derive_id("test", str(name)) for name in names]


def command(name: str, *, attempt: int = 1) -> CommandRequested:
    """A command that starts phase analytics; the same name makes the same id."""
    return CommandRequested(
        command_id=derive_id("command", name),
        kind="trigger",
        topic="nba-phase3-trigger",
        payload={"game_date": "2026-01-15", "source": name},
        ordering_key=STREAM,
        attempt=attempt,
    )


def commit(
    stream: str,
    *event_ids: str,
    onto: Head | None = None,
    deadline: datetime | None = None,
    outbox: Sequence[CommandRequested] = (),
    settled: Iterable[str] = (),
) -> Commit:
    """A completion for each of `event_ids`, to append to `stream` whose head is `onto`, with the head that follows."""
    expected = onto.version if onto else 0
    previous = onto.hash if onto else GENESIS
    sealed = []
    for version, event_id in enumerate(event_ids, expected + 1):
        body = encode(_completion(stream, version, event_id))
        previous = chain(previous, body)
        sealed.append(Sealed(event_id, version, body, previous))
    version = expected + len(sealed)
    head = Head(version=version, hash=previous, state=b'{"seen":%d}' % version, next_deadline=deadline)
    return Commit(
        stream=stream, expected_version=expected, events=sealed, head=head, outbox=outbox, settled=tuple(settled)
    )


def _completion(stream: str, version: int, event_id: str) -> Event:
    data = CompletionRecorded(
        phase="raw",
        published_name="NbacGamebookProcessor",
        status="success",
        processor="nbac_gamebook",
        cycle="overnight",
        run=f"run-{version}",
        record_count=100 + version,
    )
    at = minutes(version)
    return Event(
        stream=stream,
        version=version,
        id=event_id,
        occurred_at=at,
        recorded_at=at,
        correlation=derive_id("correlation", stream),
        data=data,
    )


def extend(store: Store, stream: str, *event_ids: str, deadline: datetime | None = None) -> Commit:
    """Append a completion for each of `event_ids` to whatever `stream` is at."""
    appended = commit(stream, *event_ids, onto=store.head(stream), deadline=deadline)
    store.append([appended])
    return appended


def open_merging(path: Path, *, fresh_ids_max: int) -> tuple[SqliteStore, sqlite3.Connection]:
    """A SQLite store that merges its index of ids after `fresh_ids_max` events, and the connection under it."""
    connection = connect(path, create=True, read_only=False, busy_seconds=1)
    return SqliteStore(connection, name=name_of(path), fresh_ids_max=fresh_ids_max), connection


def fill(path: Path) -> None:
    """Make a store of 40 events in two streams, of 20 each, with a deadline and a command. The first stream lies in two
    rows: versions 1 to 10 at position 10, the rest at position 20."""
    with closing(SqliteStore.open(path)) as store:
        first = commit(STREAM, *ids(*range(10)), outbox=[command("a")])
        store.append([first])
        store.append([commit(STREAM, *ids(*range(10, 20)), onto=first.head, deadline=minutes(1))])
        store.append([commit(OTHER, *ids(*range(20, 40)))])


def change(path: Path, statement: str) -> None:
    """Do to the file behind the store's back what `statement` says."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


Edit = Callable[[bytes, str], tuple[bytes, str]]
"""Makes other bytes and another hash of those of an event."""


def rewrite(path: Path, stream: str, version: int, edit: Edit) -> None:
    """Do to one event in the file behind the store's back what `edit` says."""
    row = """
        SELECT position, events.version, packed FROM events JOIN heads ON heads.number = events.stream
        WHERE heads.stream = ? AND events.version >= ? ORDER BY events.version"""
    with closing(sqlite3.connect(path)) as connection, connection:
        position, ended, packed = connection.execute(row, (stream, version)).fetchone()
        events = events_in(packed)
        place = version - ended - 1
        events[place] = edit(*events[place])
        packed = msgspec.msgpack.encode(events)
        connection.execute("UPDATE events SET packed = ? WHERE position = ?", (packed, position))


def crash_image(path: Path, folder: Path, *, wal_bytes: int | None = None) -> Path:
    """A copy of the store in `path` as a killed process leaves it at this moment: the file and its log, with only the
    first `wal_bytes` of the log where that is given (what a power cut may leave of an append that was under way)."""
    folder.mkdir()
    image = folder / path.name
    copyfile(path, image)
    image.with_name(f"{path.name}-wal").write_bytes(wal_of(path)[:wal_bytes])
    return image


def wal_of(path: Path) -> bytes:
    """The write-ahead log of the store in `path`."""
    wal = path.with_name(f"{path.name}-wal")
    return wal.read_bytes() if wal.exists() else b""


Contents = tuple[object, ...]


def contents(store: Store) -> Contents:
    """All that `store` tells about what is in it, through every way of asking."""
    heads = list(store.heads())
    return (
        [(event.stream, event.version, event.body, event.hash) for event in store.read_all()],
        {stream: [(event.version, event.body, event.hash) for event in store.read(stream)] for stream, _ in heads},
        heads,
        store.streams(),
        store.due(datetime.max.replace(tzinfo=UTC)),
        store.next_due(),
        store.pending(),
    )
