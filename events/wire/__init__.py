"""Wire formats of the outside: whatever publishers send, in every shape they have used, becomes facts of the catalogue.

`read` promises: it never raises on any bytes; the same delivery makes the same facts; what is not understood becomes
one `MessageRejected` that tells the publisher what to fix; what is understood but has no field is kept in `extra`, what
is odd about it in `flags`; every fact fits into `EVENT_BYTES_MAX`. It looks at what a message *says*, not at a list of
known examples. docs/messages.md shows every family.
"""

from __future__ import annotations

from datetime import datetime

from events.catalogue import Fact
from events.wire import families, native
from events.wire.body import decoded
from events.wire.delivery import Delivery, Unreadable, from_line, from_push
from events.wire.inbound import Inbound
from events.wire.rejected import STORED_BYTES_MAX, Rejection, rejected, rejected_line
from events.wire.routing import Routing, take_sport
from events.wire.sizes import EVENT_BYTES_MAX, MESSAGE_BYTES_MAX, SURELY_FIT_BYTES, check_fit, check_size

__all__ = [
    "EVENT_BYTES_MAX",
    "MESSAGE_BYTES_MAX",
    "STORED_BYTES_MAX",
    "Delivery",
    "Routing",
    "Unreadable",
    "from_line",
    "from_push",
    "read",
    "rejected_line",
]

_PROBE_CODES = frozenset({"unknown_shape", "unknown_sport"})
"""What an empty message with attributes that are not ours comes to; it is a probe all the same."""


def read(delivery: Delivery, routing: Routing, *, received_at: datetime) -> list[Fact]:
    """The facts in a delivery: none for an empty probe, one rejection where it cannot be understood. A message without
    data but with attributes says in those what it has to say."""
    sport = None
    try:
        data, attributes = delivery.data, delivery.attributes
        large = len(data) > SURELY_FIT_BYTES
        if large:
            check_size(data)
        body = decoded(data) if data else dict(attributes)
        event = None
        if "specversion" in body or (attributes and native.is_binary(attributes)):
            event = native.cloud_event(body, attributes)
            body = event.data
        flags: list[str] = []
        says, by_topic = routing.about[delivery.topic]
        sport = take_sport(body, by_topic, routing, flags)
        inbound = Inbound(
            delivery=delivery,
            received_at=received_at,
            routing=routing,
            sport=sport,
            says=says,
            body=body,
            flags=flags,
        )
        if event is not None:
            found = native.facts(event, inbound)
        else:
            if attributes and data:
                inbound.around = {"attributes": attributes}
            found = families.facts(inbound)
        if large or attributes:
            check_fit(found, delivery)
        return found
    except Rejection as rejection:
        if not delivery.data and rejection.code in _PROBE_CODES:
            return []
        if sport is None and rejection.code != "unknown_sport":
            _, sport = routing.about[delivery.topic]
        return [rejected(delivery, rejection, sport=sport)]
