"""Events to bytes and back, the hash chain over them, and deterministic ids.

The bytes of an event are its canonical form: they are stored, hashed and exported as they are, and never written
again from a decoded value. An event of an older schema is lifted by `UPCASTERS` while it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1, sha256
from typing import Any
from uuid import UUID

import msgspec

from events.catalogue import Event, type_of

GENESIS = "0" * 64
"""The hash before the first event of a stream."""

NAMESPACE = UUID("6f0f3cd5-5a4b-5d0c-9a34-0a1c5f5b7d11").bytes
"""Namespace of every id that Tipoff derives (UUIDv5, RFC 9562)."""

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

CURRENT_SCHEMA: dict[str, int] = {}
"""Types whose schema is above 1, by type name."""

UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""(type name, schema) -> a function that turns the `data` of that schema into the next one's."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)
encode: Callable[[Any], bytes] = _encoder.encode
encode_into: Callable[[Any, bytearray], None] = _encoder.encode_into


class CorruptEvent(Exception):
    """Stored bytes that are not an event of the catalogue: a newer writer, or damage."""

    code = "corrupt_event"

    def __init__(self, *, body: bytes, reason: str) -> None:
        self.body, self.reason = body, reason
        super().__init__(body, reason)

    def __str__(self) -> str:
        return f"stored event cannot be read: {self.reason}; first bytes {self.body[:80]!r}. Run `verify` to see where."


def decode(body: bytes) -> Event:
    """The event in `body`, lifted to the present schema. Raises CorruptEvent."""
    try:
        event = _decoder.decode(body)
    except msgspec.MsgspecError as error:
        return _upcast(body, str(error))
    if event.schema != 1 or CURRENT_SCHEMA:
        current = CURRENT_SCHEMA.get(type_of(event.data), 1)
        if event.schema != current:
            return _upcast(body, f"schema {event.schema} of {type_of(event.data)}, this program writes {current}")
    return event


def _upcast(body: bytes, reason: str) -> Event:
    try:
        raw = msgspec.json.decode(body)
        name, schema = raw["data"]["type"], raw.get("schema", 1)
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise CorruptEvent(body=body, reason=reason) from error
    current = CURRENT_SCHEMA.get(name, 1)
    while schema < current and (lift := UPCASTERS.get((name, schema))) is not None:
        raw["data"] = lift(raw["data"])
        schema += 1
        reason = f"an upcaster from schema {schema} of {name} is missing"
    if raw.get("schema", 1) == schema or schema != current:
        raise CorruptEvent(body=body, reason=reason)
    try:
        return msgspec.convert({**raw, "schema": schema}, Event)
    except msgspec.ValidationError as error:
        raise CorruptEvent(body=body, reason=str(error)) from error


def chain(previous: str, body: bytes) -> str:
    """The hash of an event: SHA-256 over the previous event's hash and this event's bytes, in hexadecimal."""
    return sha256(previous.encode() + body).hexdigest()


def derive_id(*parts: str) -> str:
    """A UUIDv5 of `parts`: the same parts make the same id on any machine. Written out because the hot path makes one
    per message and `uuid.uuid5` costs five times as much; a test holds the two equal."""
    digest = _of_namespace.copy()
    digest.update("\x1f".join(parts).encode())
    text = digest.digest()[:16].hex("-", 6)  # 8-12-12 digits, two of the four hyphens in their places
    return f"{text[:13]}-5{text[14:17]}-{_VARIANT[text[17]]}{text[18:]}"


_of_namespace = sha1(NAMESPACE, usedforsecurity=False)
"""Hashed once: to go on from a copy costs less than to set up a hash."""

_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""A hexadecimal digit with its upper two bits set to those of RFC 9562."""
