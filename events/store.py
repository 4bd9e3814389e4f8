"""The store protocol: what every home of events promises, whoever implements it.

Implementations: `events/memory.py` (the reference), `events/sqlite.py` (the embedded default). One contract suite,
`tests/contract_store.py`, runs on all of them. The outbox is part of the store because a command must be committed
together with the decision that asked for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from events.catalogue import CommandRequested, Event
from events.codec import chain, decode, encode_into


class Head(Struct, frozen=True, kw_only=True):
    """The folded state of a stream, ready to decide on: `state` is its canonical bytes, `hash` that of the last event,
    `next_deadline` the earliest instant at which a tick would make a difference (None: never)."""

    version: int
    hash: str
    state: bytes
    next_deadline: datetime | None = None


class Sealed(Struct, frozen=True, gc=False):
    """An event as stored: its id and version beside its canonical bytes and chained hash."""

    id: str
    version: int
    body: bytes
    hash: str


def seal(events: Sequence[Event], *, after: str) -> list[Sealed]:
    """`events` as they are stored behind the event with the hash `after`. All go through one buffer, which has about
    the right size after the first; `encode` begins small for each."""
    buffer = bytearray()
    hash = after
    sealed = []
    for event in events:
        encode_into(event, buffer)
        body = bytes(buffer)
        hash = chain(hash, body)
        sealed.append(Sealed(event.id, event.version, body, hash))
    return sealed


class Stored(Struct, frozen=True, gc=False):
    """An event as read back. `position` is its global place in the store: increasing, not necessarily without gaps."""

    position: int
    stream: str
    version: int
    body: bytes
    hash: str

    def event(self) -> Event:
        """The decoded event. Raises CorruptEvent."""
        return decode(self.body)


class Commit(Struct, frozen=True, kw_only=True):
    """What one decision appends to one stream: all of it or nothing. `expected_version` is the stream's version before
    (0 for a new one); `settled` are the ids of outbox entries that these events answer, which leave the outbox."""

    stream: str
    expected_version: int
    events: Sequence[Sealed]
    head: Head
    outbox: Sequence[CommandRequested] = ()
    settled: Sequence[str] = ()


class Pending(Struct, frozen=True):
    """A command in the outbox: decided, committed, not yet confirmed."""

    stream: str
    command: CommandRequested


class StoreError(Exception):
    """Base of what a store raises. `code` is stable; `next_step` is for the operator."""

    code = "store_error"
    next_step = ""


class WrongExpectedVersion(StoreError):
    """Somebody else appended first: reload, decide again."""

    code = "wrong_expected_version"

    def __init__(self, *, stream: str, expected: int, actual: int) -> None:
        self.stream, self.expected, self.actual = stream, expected, actual
        super().__init__(stream, expected, actual)

    def __str__(self) -> str:
        return f"{self.stream} is at version {self.actual}, not {self.expected}"


class DuplicateEvent(StoreError):
    """Events with these ids are stored already: the facts behind them were recorded before. Nothing was appended."""

    code = "duplicate_event"

    def __init__(self, *, ids: frozenset[str]) -> None:
        self.ids = ids
        super().__init__(ids)

    def __str__(self) -> str:
        return f"{len(self.ids)} of the events are stored already: {', '.join(sorted(self.ids)[:3])}"


class StoreUnavailable(StoreError):
    """The store cannot be read or written now. Never contention, never "someone else has it" (design 7)."""

    code = "store_unavailable"

    def __init__(self, *, store: str, reason: str, next_step: str = "Retry; nothing was acknowledged.") -> None:
        self.store, self.reason, self.next_step = store, reason, next_step
        super().__init__(store, reason, next_step)

    def __str__(self) -> str:
        return f"store {self.store} is unavailable: {self.reason}. {self.next_step}"


class StateUnreadable(StoreUnavailable):
    """The head of a stream holds a state that this program does not know whole, so it must not write it either."""

    code = "state_unreadable"

    def __init__(self, *, stream: str, reason: str) -> None:
        super().__init__(
            store=stream,
            reason=f"its state was written by a newer version of this program, or is damaged ({reason})",
            next_step="Leave it to instances of the newer version, or run that version here; `verify` finds damage.",
        )

    def __str__(self) -> str:
        return f"{self.store} cannot be read: {self.reason}. {self.next_step}"


class CorruptStore(StoreError):
    """The store answers, but not with what was written."""

    code = "corrupt_store"

    def __init__(self, *, store: str, reason: str) -> None:
        self.store, self.reason = store, reason
        self.next_step = "Stop writing, keep the file, restore an export with `import`."
        super().__init__(store, reason)

    def __str__(self) -> str:
        return f"store {self.store} is damaged: {self.reason}. {self.next_step}"


class Store(Protocol):
    """A home of events. Every method may raise StoreUnavailable or CorruptStore."""

    def head(self, stream: str) -> Head | None:
        """The head of `stream`, or None where it has no events."""

    def append(self, commits: Sequence[Commit]) -> None:
        """Append all commits in one atomic step, durable on return. At most one commit per stream.

        Raises WrongExpectedVersion for a stale expected version, DuplicateEvent where event ids exist already (all
        such ids are named); after any error nothing of it is visible.
        """

    def read(self, stream: str, *, after: int = 0) -> Iterator[Stored]:
        """The events of `stream` with a version above `after`, in order."""

    def bodies(self, stream: str) -> Iterator[bytes]:
        """The canonical bytes of the events of `stream`, in order, not held against the hash chain: for whoever folds a
        whole store."""

    def read_all(self, *, after: int = 0) -> Iterator[Stored]:
        """All events with a position above `after`, in the order of their commits."""

    def streams(self, prefix: str = "") -> list[str]:
        """Names of all streams that begin with `prefix`, sorted."""

    def heads(self, prefix: str = "") -> Iterator[tuple[str, Head]]:
        """Stream and head for every stream that begins with `prefix`, sorted by name."""

    def due(self, now: datetime) -> list[str]:
        """Streams whose next deadline is at or before `now`, the earliest first."""

    def next_due(self) -> datetime | None:
        """The earliest next deadline of all streams."""

    def pending(self, limit: int = 1000) -> list[Pending]:
        """Commands in the outbox, the oldest first."""

    def close(self) -> None:
        """Release files and connections. Idempotent."""
