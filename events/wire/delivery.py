"""What a broker hands over: the envelope taken off, the bytes inside untouched.

Two envelopes are known: a line of a recording (`from_line`) and the body of a Pub/Sub push request (`from_push`). A
broken envelope raises `Unreadable`, which says what is wrong and what to do; whoever catches it turns it into a stored
rejection (`events.wire.rejected_line`), so nothing is lost. What is *inside* the envelope is judged by `read` alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta, MsgspecError, Raw, Struct, field

SUBSCRIPTION_ENDINGS = ("-sub", "-subscription", "-push", "-dlq")
"""What subscription names add to the name of their topic."""

OUR_SUBSCRIPTIONS = "tipoff-"
"""What our own subscriptions begin with; behind it stands the name of their topic, as it is."""

Instant = Annotated[datetime, Meta(tz=True)]


class Delivery(Struct, frozen=True, kw_only=True, gc=False):
    """One message as delivered. `published_at` is the broker's instant (UTC); empty `data` is a probe."""

    topic: str
    message_id: str
    published_at: datetime
    attributes: dict[str, str] = field(default_factory=dict)
    data: bytes = b""


class Unreadable(Exception):
    """The envelope itself is broken. `code` is stable, `reason` says what is wrong, `next_step` what to do."""

    def __init__(self, *, code: str, reason: str, next_step: str) -> None:
        self.code, self.reason, self.next_step = code, reason, next_step
        super().__init__(code, reason, next_step)

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}. {self.next_step}"


_NOTHING = Raw()
"""Where `json` is not said at all, as nearly always; to look into it costs more than to see that."""


class _Message(Struct, gc=False):
    camel_id: str | None = field(name="messageId", default=None)
    snake_id: str | None = field(name="message_id", default=None)
    camel_time: Instant | None = field(name="publishTime", default=None)
    snake_time: Instant | None = field(name="publish_time", default=None)
    attributes: dict[str, str] | None = None
    data: bytes | None = None  # msgspec decodes the base64
    json: Raw = _NOTHING


class _Line(Struct, gc=False):
    topic: str
    message: _Message


class _Push(Struct, gc=False):
    message: _Message
    subscription: str = ""


_line_decoder = msgspec.json.Decoder(_Line)
_push_decoder = msgspec.json.Decoder(_Push)

UNDECODABLE = (MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding JSON from untrusted bytes may raise: malformed or out of range, not UTF-8, nested too deep."""


def why_undecodable(data: bytes, error: Exception) -> tuple[str, str]:
    """Code (`not_utf8` or `not_json`) and reason for bytes whose decoding raised one of `UNDECODABLE`."""
    try:
        data.decode()
    except UnicodeDecodeError as where:
        return "not_utf8", f"byte {where.start} is not UTF-8"
    return "not_json", "nested too deep" if isinstance(error, RecursionError) else str(error)


def from_line(line: bytes) -> Delivery:
    """The delivery in one line of a recording: `{"topic", "message": {"messageId", "publishTime", "attributes", "data"
    (base64) or "json" (a value)}}`, snake_case keys accepted. Raises Unreadable."""
    try:
        said = _line_decoder.decode(line)
    except UNDECODABLE:
        raise _diagnosis(line, wants_topic=True) from None
    message = said.message
    message_id = message.camel_id or message.snake_id
    published_at = message.camel_time or message.snake_time
    if not said.topic or not message_id or published_at is None:
        raise _diagnosis(line, wants_topic=True)
    return Delivery(
        topic=said.topic,
        message_id=message_id,
        published_at=published_at if published_at.tzinfo is UTC else published_at.astimezone(UTC),
        attributes=message.attributes if message.attributes is not None else {},
        data=message.data or b"" if message.json is _NOTHING else _data(message),
    )


def from_push(body: bytes, *, received_at: datetime) -> Delivery:
    """The delivery in a Pub/Sub push request. The body does not name the topic, so `topic` is the one behind our own
    subscription (`tipoff-TOPIC`), and else a hint: the name of the subscription without its usual endings. A hand-made
    push may lack the publish time (then `received_at`) and the message id (then a hash of the body, so that the same
    body is the same message). Raises Unreadable."""
    try:
        said = _push_decoder.decode(body)
    except UNDECODABLE:
        raise _diagnosis(body, wants_topic=False) from None
    message = said.message
    published_at = message.camel_time or message.snake_time or received_at
    return Delivery(
        topic=_topic_hint(said.subscription),
        message_id=message.camel_id or message.snake_id or f"sha256-{sha256(body).hexdigest()[:32]}",
        published_at=published_at.astimezone(UTC),
        attributes=message.attributes or {},
        data=_data(message),
    )


def _data(message: _Message) -> bytes:
    text = bytes(message.json)
    if not text or text == b"null":
        return message.data or b""
    if message.data:
        raise Unreadable(
            code="two_bodies",
            reason="the message has both `data` and `json`",
            next_step="Keep `data` (base64), or `json` (the object itself), not both.",
        )
    return text


def _topic_hint(subscription: str) -> str:
    name = subscription.rpartition("/")[2]
    if name.startswith(OUR_SUBSCRIPTIONS):
        return name.removeprefix(OUR_SUBSCRIPTIONS)
    while name.endswith(SUBSCRIPTION_ENDINGS):
        name = name.rpartition("-")[0]
    return name


_FIELDS: tuple[tuple[str, tuple[str, ...], Any, bool, str], ...] = (
    ("no_message_id", ("messageId", "message_id"), str, True, "Give the broker's message id as a string."),
    (
        "bad_publish_time",
        ("publishTime", "publish_time"),
        Instant,
        True,
        "Give an RFC 3339 instant with its zone, such as 2026-01-16T12:00:00Z.",
    ),
    ("bad_attributes", ("attributes",), dict[str, str], False, "Attributes are an object of strings."),
    ("bad_base64", ("data",), bytes, False, "Encode `data` in standard base64 with padding, or use `json`."),
)
"""Rejection code, spellings of the key, type, whether a line must have it, next step."""


def _diagnosis(body: bytes, *, wants_topic: bool) -> Unreadable:
    """Which part of an envelope that the typed decoder refused is wrong. Off the hot path."""
    try:
        said = msgspec.json.decode(body)
    except UNDECODABLE as error:
        code, reason = why_undecodable(body, error)
        return Unreadable(code=code, reason=reason, next_step="Send one JSON object per line, in UTF-8.")
    message = said.get("message") if isinstance(said, dict) else None
    if not isinstance(message, dict):
        step = 'Wrap the message: {"topic": …, "message": {"messageId": …, "publishTime": …, "data": …}}.'
        return Unreadable(code="no_message", reason="there is no `message` object", next_step=step)
    if wants_topic and not (isinstance(said.get("topic"), str) and said["topic"]):
        return Unreadable(code="no_topic", reason="`topic` is missing", next_step="Name the topic of the message.")
    for code, keys, kind, required, next_step in _FIELDS:
        problem = _problem(message, keys, kind, required=required and wants_topic)
        if problem:
            return Unreadable(code=code, reason=problem, next_step=next_step)
    reason = "`subscription` is not a string" if not wants_topic else "the envelope has an unknown form"
    return Unreadable(code="bad_envelope", reason=reason, next_step="Send the envelope that Pub/Sub sends.")


def _problem(message: dict[str, Any], keys: tuple[str, ...], kind: Any, *, required: bool) -> str | None:
    given = {key: message[key] for key in keys if message.get(key) is not None}
    for key, value in given.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            return f"`{key}`: {error}"
    if required and not any(given.values()):
        return f"`{keys[0]}` is missing"
    return None
