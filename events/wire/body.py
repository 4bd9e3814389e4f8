"""The bytes of a message as a JSON object that can be stored inside an event, or the reason why they are none."""

from __future__ import annotations

from typing import Any

import msgspec

from events.wire.delivery import UNDECODABLE, why_undecodable
from events.wire.rejected import Rejection, shown

NESTING_MAX = 64
"""Levels of nesting in a message; a deeper one could be decoded here and not be stored inside an event."""

_SHALLOW_BYTES_MAX = NESTING_MAX * len('{"":}')
"""Bytes of a message that is too short for objects nested deeper; only arrays, at two bytes a level, could be."""

_BRACKET = ord("[")

_decode = msgspec.json.Decoder().decode


def decoded(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`. Raises Rejection `not_utf8`, `not_json` or `not_object`."""
    try:
        body = _decode(data)
    except UNDECODABLE as error:
        code, reason = why_undecodable(data, error)
        raise Rejection(code, f"{reason}: send one JSON object, in UTF-8") from None
    if type(body) is not dict:
        raise Rejection("not_object", f"the message is {shown(body)}: send one JSON object")
    if (len(data) > _SHALLOW_BYTES_MAX or _BRACKET in data) and _is_deep(data, body):
        raise Rejection("not_json", f"nested deeper than {NESTING_MAX} levels: flatten the message")
    return body


def _is_deep(data: bytes, body: dict[str, Any]) -> bool:
    # Brackets bound the depth, and counting them is cheaper than walking every message. `replace` searches for them by
    # the machine word, where `count` looks at every byte.
    if len(data) - len(data.replace(b"{", b"").replace(b"[", b"")) <= NESTING_MAX:
        return False
    level: list[Any] = [body]
    for _ in range(NESTING_MAX):
        children = [child for item in level for child in (item.values() if type(item) is dict else item)]
        level = [child for child in children if type(child) in {dict, list}]
        if not level:
            return False
    return True
