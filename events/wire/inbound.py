"""A message on its way to becoming facts: its decoded body beside all that is known around it.

The readers *take* keys out of `body`; what is left when they are done was understood by nobody and is kept as `extra`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from events.catalogue import Fact, Input
from events.codec import derive_id
from events.wire.dates import Said, take_date
from events.wire.delivery import Delivery
from events.wire.instants import NOTED_KEYS, checked, take_instant
from events.wire.names import text_of
from events.wire.topics import TopicSays

FLAGS_KEY = "wire_flags"
"""Where facts without a field for flags keep them in `extra`."""


class Inbound(Struct, kw_only=True):
    """One message, or one part of it. `flags` collects contradictions; `body` shrinks while it is read. `index` tells
    the facts of one message apart. `said_at` and `identity` are those of a native envelope."""

    delivery: Delivery
    received_at: datetime
    sport: str
    zone: ZoneInfo
    says: TopicSays
    body: dict[str, Any]
    flags: list[str] = field(default_factory=list)
    index: int = 0
    said_at: datetime | None = None
    identity: tuple[str, ...] | None = None

    def part(self, index: int, body: dict[str, Any]) -> Inbound:
        """The same message with one entry of its document as the body."""
        return Inbound(
            delivery=self.delivery,
            received_at=self.received_at,
            sport=self.sport,
            zone=self.zone,
            says=self.says,
            body=body,
            flags=list(self.flags),
            index=index,
        )

    def take_date(self) -> Said:
        """The game date and its basis. Raises Rejection."""
        return take_date(self.body, received_at=self.received_at, zone=self.zone, attributes=self.delivery.attributes)

    def take_instant(self, keys: tuple[str, ...] = NOTED_KEYS) -> datetime:
        """When it happened, by the envelope, else by `timestamp`, else by `keys`, else by the broker."""
        if self.said_at is not None:
            return checked(self.said_at, self.flags, received_at=self.received_at)
        return take_instant(
            self.body,
            keys,
            self.flags,
            published_at=self.delivery.published_at,
            received_at=self.received_at,
        )

    def take_correlation(self, run: str | None = None) -> str:
        """What ties this to other facts: the correlation id, else the run, else the message."""
        said = text_of(self.body.get("correlation_id"))
        if said is None:
            return run or self.delivery.message_id
        del self.body["correlation_id"]
        return said

    def extra(self) -> dict[str, Any]:
        """What nobody took, with the flags, for events that have no field for them."""
        return {**self.body, FLAGS_KEY: self.flags} if self.flags else self.body

    def fact(
        self, stream: str, data: Input, *, occurred_at: datetime, correlation: str, fact_id: str | None = None
    ) -> Fact:
        """A fact of this message. One without a business key gets the transport's id (design 4)."""
        if fact_id is None:
            here = self.delivery
            fact_id = derive_id(*(self.identity or ("message", here.topic, here.message_id, self.index)))
        return Fact(
            stream=stream,
            id=fact_id,
            occurred_at=occurred_at,
            correlation=correlation,
            data=data,
        )
