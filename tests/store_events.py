"""Real events, sealed and committed, for the tests of the stores; and all that a store holds, to compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from events.catalogue import CommandRequested, CompletionRecorded, Event
from events.codec import GENESIS, chain, derive_id, encode
from events.store import Commit, Head, Sealed, Store

TIP_OFF = datetime(2026, 1, 16, 0, 30, tzinfo=UTC)
STREAM, OTHER = "nba/2026-01-15", "nba/2026-01-16"


def minutes(count: int) -> datetime:
    """The instant `count` minutes after the tip-off."""
    return TIP_OFF + timedelta(minutes=count)


def ids(*names: object) -> list[str]:
    """Event ids, one for each name."""
    return [derive_id("test", name) for name in names]


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
    """A completion for each of `event_ids`, appended to `stream` whose head is `onto`, with a head as a core makes it."""
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
