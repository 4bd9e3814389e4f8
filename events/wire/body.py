"""The bytes of a message as a JSON object, or the reason why they are none."""

from __future__ import annotations

from typing import Any

import msgspec

from events.wire.delivery import UNDECODABLE
from events.wire.rejected import Rejection, shown

MESSAGE_BYTES_MAX = 1024 * 1024
"""Bytes of a message that are read; a larger one is rejected."""

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
        raise _refusal(data, error) from None
    if type(body) is not dict:
        raise Rejection("not_object", f"the message is {shown(body)}: send one JSON object")
    # Brackets bound the depth, and counting them is cheaper than walking every message.
    if data.count(b"{") + data.count(b"[") > NESTING_MAX and _is_deep(body):
        raise Rejection("not_json", f"nested deeper than {NESTING_MAX} levels: flatten the message")
    return body


def _refusal(data: bytes, error: Exception) -> Rejection:
    try:
        data.decode()
    except UnicodeDecodeError as where:
        return Rejection("not_utf8", f"byte {where.start} is not UTF-8: encode the message as UTF-8 JSON")
    what = "nested too deep" if isinstance(error, RecursionError) else str(error)
    return Rejection("not_json", f"{what}: send one JSON object")


def _is_deep(body: dict[str, Any]) -> bool:
    level: list[Any] = [body]
    for _ in range(NESTING_MAX):
        children = [child for item in level for child in (item.values() if type(item) is dict else item)]
        level = [child for child in children if type(child) in {dict, list}]
        if not level:
            return False
    return True
