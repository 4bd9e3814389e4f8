"""How large a message may be. Most of it is stored as it came, inside one event, and a document of Firestore, where the
event may live, holds 1 MiB with all its names. So the message is bounded, and the event, where its JSON grew longer."""

from __future__ import annotations

import msgspec

from events.catalogue import Fact
from events.wire.delivery import Delivery
from events.wire.rejected import Rejection

MESSAGE_BYTES_MAX = 900 * 1024
"""Bytes of a message that are read; a larger one is rejected."""

EVENT_BYTES_MAX = 1_000_000
"""Bytes of a fact as JSON; what the store adds to it has room besides."""

_GROWTH_MAX = 4
"""How much longer numbers may be in our JSON than in the message: `1e15` becomes 1000000000000000.0."""

SURELY_FIT_BYTES = EVENT_BYTES_MAX // _GROWTH_MAX
"""A message up to this size makes no event that is too large, whatever it says."""

_encode = msgspec.json.Encoder().encode


def check_size(data: bytes) -> None:
    """Raises Rejection `too_large` for a message beyond `MESSAGE_BYTES_MAX`."""
    if len(data) > MESSAGE_BYTES_MAX:
        raise Rejection("too_large", f"{len(data)} bytes: send at most {MESSAGE_BYTES_MAX}, put lists into storage")


def check_fit(facts: list[Fact], delivery: Delivery) -> None:
    """Raises Rejection `too_large` where a fact of the delivery is beyond `EVENT_BYTES_MAX`."""
    if len(delivery.data) + len(_encode(delivery.attributes)) <= SURELY_FIT_BYTES:
        return
    size = max(len(_encode(fact)) for fact in facts)
    if size > EVENT_BYTES_MAX:
        what = f"{size} bytes once stored, its attributes included"
        raise Rejection("too_large", f"{what}: send at most {MESSAGE_BYTES_MAX}, put lists into storage")
