"""Events to rows of a SQLite store and back.

What a commit adds to a stream lies in one row, because a row costs several times what an event does
(docs/decisions/0019-a-row-for-what-a-commit-adds.md). The row has the bytes and the hash of each event in a MessagePack
array, and beside it the version and the position of the last: the row that holds an event is the first at or behind it.

Promise: bytes come out as they went in. A row that does not fit together holds no event: none is guessed, and whoever
reads finds them missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from events.store import Sealed

EVENTS_MAX = 64
BYTES_MAX = 256 * 1024
"""Bounds of a row, for the sake of who wants one event of it; its bytes as packed. A single event may be larger."""

Row = tuple[int, int, int, bytes]
"""Position of the last event, number of the stream, version of the last event, all of them packed."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[bytes, str]]).decode


def rows(number: int, events: Sequence[Sealed], *, after: int) -> list[Row]:
    """The rows of `events`, which follow each other in the stream `number`, for the positions behind `after`; they are
    halved until each part fits into a row."""
    if len(events) <= EVENTS_MAX:
        packed = _pack([(event.body, event.hash) for event in events])
        if len(packed) <= BYTES_MAX or len(events) == 1:
            return [(after + len(events), number, events[-1].version, packed)]
    middle = len(events) // 2
    return [*rows(number, events[:middle], after=after), *rows(number, events[middle:], after=after + middle)]


def events_in(packed: bytes) -> list[tuple[bytes, str]]:
    """Bytes and hash of each event of a row."""
    try:
        return _unpack(packed)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []
