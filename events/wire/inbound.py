"""A message on its way to becoming facts: its decoded body beside all that is known around it.

The readers *take* keys out of `body` into fields; what is left when they are done is kept as `extra`, so that nothing a
message says is dropped.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from events.catalogue import Fact, Input
from events.codec import derive_id
from events.wire.dates import DATE_KEYS, SaidDate, calendar_date, take_date
from events.wire.delivery import Delivery
from events.wire.instants import AHEAD_MAX, NOTED_KEYS, instant, note
from events.wire.names import text_of
from events.wire.routing import Routing
from events.wire.topics import TopicSays


class Inbound(Struct, kw_only=True, gc=False):
    """One message, or one part of it. `flags` collects contradictions; `body` shrinks while it is read, and `around` is
    what was said outside of it. `index`, as text, tells the facts of one message apart. `said_at` and `identity` are
    those of a native envelope."""

    delivery: Delivery
    received_at: datetime
    sport: str
    routing: Routing
    says: TopicSays
    body: dict[str, Any]
    flags: list[str] = field(default_factory=list)
    around: dict[str, Any] | None = None
    index: str = "0"
    said_at: datetime | None = None
    identity: tuple[str, ...] | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the sport's league."""
        return self.routing.zones[self.sport]

    def part(self, index: int, body: dict[str, Any], around: dict[str, Any] | None = None) -> Inbound:
        """The same message with one part of it as the body, and what was said around that part."""
        return Inbound(
            delivery=self.delivery,
            received_at=self.received_at,
            sport=self.sport,
            routing=self.routing,
            says=self.says,
            body=body,
            flags=list(self.flags),
            around={**(self.around or {}), **(around or {})},
            index=str(index),
        )

    def take_date(self) -> SaidDate:
        """The game date and its basis. Raises Rejection."""
        body = self.body
        for key in DATE_KEYS:
            said = body.get(key)
            if said is not None:
                if calendar_date(said) != said:
                    break
                del body[key]
                return said, key
        return take_date(body, self.delivery.published_at, self.zone, self.delivery.attributes)

    def take_instant(self, keys: tuple[str, ...] = NOTED_KEYS, key: str = "timestamp") -> datetime:
        """When it happened, by the envelope, else by `key`, else by the first of `keys` that says something, else by
        the broker. What was used leaves `body`; what could not be read stays there, flagged `bad_timestamp`."""
        at = self.said_at
        if at is None:
            body, flags = self.body, self.flags
            said = body.get(key)
            if said is None:
                key, said = _first(body, keys)
            at = instant(said, flags)
            if at is not None:
                del body[key]
            else:
                if said is not None:
                    note(flags, "bad_timestamp")
                at = self.delivery.published_at
        if at > self.received_at and at - self.received_at > AHEAD_MAX:
            note(self.flags, "clock_ahead")
        return at

    def fact(
        self, stream: str, data: Input, occurred_at: datetime, run: str | None = None, fact_id: str | None = None
    ) -> Fact:
        """A fact of this message, once `data` has taken all it wants. It keeps `body` as its `extra`, which the
        correlation id leaves and what was said around it joins. What ties it to other facts is that id, else the run,
        else the message. One without a business key gets the transport's id (design 4)."""
        here, body = self.delivery, self.body
        said = body.get("correlation_id")
        if said is not None and (correlation := text_of(said)) is not None:
            del body["correlation_id"]
        else:
            correlation = run or here.message_id
        if self.around:
            for key, said in self.around.items():
                put(body, key, said)
        if fact_id is None:
            identity = self.identity
            if identity is None:
                fact_id = derive_id("message", here.topic, here.message_id, self.index)
            else:
                fact_id = derive_id(*identity)
        return Fact(stream=stream, id=fact_id, occurred_at=occurred_at, correlation=correlation, data=data)


def _first(body: dict[str, Any], keys: tuple[str, ...]) -> tuple[str, Any]:
    """The first of `keys` that says something, and what."""
    for key in keys:
        said = body.get(key)
        if said is not None:
            return key, said
    return "", None


def put(extra: dict[str, Any], key: str, said: Any) -> None:
    """Adds what we name ourselves beside the message's own keys: `key` gets underscores until no other has it."""
    while key in extra:
        key += "_"
    extra[key] = said
