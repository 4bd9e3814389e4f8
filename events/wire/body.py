"""The bytes of a message as a JSON object that can be stored inside an event, or the reason why they are none."""

from __future__ import annotations

from typing import Any

import msgspec

from events.catalogue import Fact
from events.wire.delivery import UNDECODABLE, Delivery, why_undecodable
from events.wire.rejected import Rejection, shown

MESSAGE_BYTES_MAX = 900 * 1024
"""Bytes of a message that are read; a larger one is rejected, as its event would not fit into a document."""

EVENT_BYTES_MAX = 1_000_000
"""Bytes of a fact as JSON. A document of Firestore holds 1 MiB, its own fields and names included."""

_GROWTH_MAX = 6
"""How much larger a message may become when it is stored: `1e15` is written 1000000000000000.0, and a control character
in an attribute `\\u0001`."""

SURELY_FIT_BYTES = EVENT_BYTES_MAX // _GROWTH_MAX
"""A message and its attributes up to this size fit, whatever they say."""

NESTING_MAX = 64
"""Levels of nesting in a message; a deeper one could be decoded here and not be stored inside an event."""

_decode = msgspec.json.Decoder().decode


def decoded(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`. Raises Rejection `too_large`, `not_utf8`, `not_json` or `not_object`."""
    if len(data) > MESSAGE_BYTES_MAX:
        raise Rejection("too_large", f"{len(data)} bytes: send at most {MESSAGE_BYTES_MAX}, put lists into storage")
    try:
        body = _decode(data)
    except UNDECODABLE as error:
        code, reason = why_undecodable(data, error)
        raise Rejection(code, f"{reason}: send one JSON object, in UTF-8") from None
    if type(body) is not dict:
        raise Rejection("not_object", f"the message is {shown(body)}: send one JSON object")
    # Brackets bound the depth, and counting them is cheaper than walking every message.
    brackets = data.count(b"{") + (data.count(b"[") if b"[" in data else 0)
    if brackets > NESTING_MAX and _is_deep(body):
        raise Rejection("not_json", f"nested deeper than {NESTING_MAX} levels: flatten the message")
    return body


def _is_deep(body: dict[str, Any]) -> bool:
    level: list[Any] = [body]
    for _ in range(NESTING_MAX):
        children = [child for item in level for child in (item.values() if type(item) is dict else item)]
        level = [child for child in children if type(child) in {dict, list}]
        if not level:
            return False
    return True


def check_fit(facts: list[Fact], delivery: Delivery) -> None:
    """Raises Rejection `too_large` where a fact of a message, of which much is stored as it came, is too large."""
    around = sum(len(key) + len(said) for key, said in delivery.attributes.items())
    if len(delivery.data) + around <= SURELY_FIT_BYTES:
        return
    for fact in facts:
        size = len(msgspec.json.encode(fact))
        if size > EVENT_BYTES_MAX:
            reason = f"{size} bytes when stored: send at most {EVENT_BYTES_MAX}, put lists into storage"
            raise Rejection("too_large", reason)
