"""Messages that could not be understood, folded by what was wrong with them: what a publisher has to fix, and how often
it happened. Nothing was lost: the original bytes stand in the events (design 4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from events.catalogue import Event, MessageRejected


class Rejections(Struct, frozen=True, kw_only=True):
    """All messages of a topic that were rejected with one code and reason. `message_id` and `size` (bytes as received)
    are those of the last one, the sample to look at; `stored` is the number of its bytes that are kept."""

    stream: str
    topic: str
    code: str
    reason: str
    count: int
    first_at: datetime
    last_at: datetime
    message_id: str
    size: int
    stored: int


def rejected(events: Iterable[Event]) -> list[Rejections]:
    """The rejections in `events` (of control streams; others hold none), the latest first."""
    found: dict[tuple[str, str, str, str], Rejections] = {}
    for event in events:
        if isinstance(event.data, MessageRejected):
            _count(found, event, event.data)
    return sorted(found.values(), key=lambda item: (item.last_at, item.count, item.code, item.topic), reverse=True)


def _count(found: dict[tuple[str, str, str, str], Rejections], event: Event, data: MessageRejected) -> None:
    key = (event.stream, data.topic, data.code, data.reason)
    known = found.get(key)
    found[key] = Rejections(
        stream=event.stream,
        topic=data.topic,
        code=data.code,
        reason=data.reason,
        count=1 if known is None else known.count + 1,
        first_at=event.recorded_at if known is None else known.first_at,
        last_at=event.recorded_at,
        message_id=data.message_id,
        size=data.size,
        stored=len(data.data) // 4 * 3 - data.data[-2:].count("="),
    )
