"""A message that cannot be understood is a fact too: stored whole, with a stable code and what the publisher must fix
(design 4). `Rejection` is raised anywhere inside `events.wire` and becomes a `MessageRejected` in `read`; it never
leaves the package."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any

from events.catalogue import Fact, MessageRejected
from events.codec import derive_id
from events.wire.delivery import Delivery, Unreadable

STORED_BYTES_MAX = 64 * 1024
"""Bytes of a rejected message that are kept; `size` says how many there were."""

ATTRIBUTES_MAX = 100
ATTRIBUTE_CHARS_MAX = 1024
NAME_CHARS_MAX = 512
"""Pub/Sub's own limits (names with room to spare); a recording made by hand may exceed them."""

SHOWN_CHARS_MAX = 80
"""Characters of an offending value that a reason quotes."""


class Rejection(Exception):
    """The message cannot be understood: `code` is stable, `reason` tells the publisher what to fix."""

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(code, reason)


def shown(value: Any) -> str:
    """`value` as a reason quotes it: short, whatever it is."""
    if isinstance(value, str | int | float | None):
        text = repr(value) if not isinstance(value, str) else repr(value[: SHOWN_CHARS_MAX + 1])
    else:
        text = f"a JSON {'object' if isinstance(value, dict) else 'array'}"
    return text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…"


def rejected(delivery: Delivery, rejection: Rejection, *, sport: str | None, index: str = "0") -> Fact:
    """The fact that part `index` of `delivery` was rejected, on the control stream of its sport."""
    data = delivery.data
    attributes = {
        key[:ATTRIBUTE_CHARS_MAX]: value[:ATTRIBUTE_CHARS_MAX]
        for key, value in islice(delivery.attributes.items(), ATTRIBUTES_MAX)
    }
    return Fact(
        stream=f"{sport or 'unknown'}/control",
        id=derive_id("message", delivery.topic, delivery.message_id, index),
        occurred_at=delivery.published_at,
        correlation=delivery.message_id[:NAME_CHARS_MAX],
        data=MessageRejected(
            code=rejection.code,
            reason=rejection.reason,
            topic=delivery.topic[:NAME_CHARS_MAX],
            message_id=delivery.message_id[:NAME_CHARS_MAX],
            size=len(data),
            data=_kept(data),
            attributes=attributes,
        ),
    )


def rejected_line(line: bytes, error: Unreadable, *, received_at: datetime) -> Fact:
    """The fact that an envelope could not be read. Its id follows from the bytes: the same line is the same fact."""
    digest = sha256(line).hexdigest()
    return Fact(
        stream="unknown/control",
        id=derive_id("line", digest),
        occurred_at=received_at,
        correlation=digest[:32],
        data=MessageRejected(
            code=error.code,
            reason=f"{error.reason}. {error.next_step}",
            topic="",
            message_id="",
            size=len(line),
            data=_kept(line),
        ),
    )


def _kept(data: bytes) -> str:
    return b64encode(data[:STORED_BYTES_MAX]).decode("ascii")
