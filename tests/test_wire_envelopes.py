"""The envelopes of messages: recorded lines and push requests, whole or broken."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.wire import Delivery, Unreadable, from_line, from_push
from tests.wire_messages import NOON

PUBLISHED = datetime(2026, 1, 14, 11, 16, 23, 1000, tzinfo=UTC)
MESSAGE = {"messageId": "m-1", "publishTime": "2026-01-14T11:16:23.001Z", "attributes": {"a": "b"}}


def line(message: Any, **more: Any) -> bytes:
    return json.dumps({"topic": "nba-phase2-raw-complete", "message": message} | more).encode()


def push(message: Any, subscription: Any = "projects/p/subscriptions/nba-phase2-raw-complete-sub") -> bytes:
    return json.dumps({"message": message, "subscription": subscription}).encode()


@given(st.binary(max_size=60))
def test_a_line_carries_any_bytes_in_base64(data: bytes) -> None:
    found = from_line(line({**MESSAGE, "data": b64encode(data).decode()}))

    assert found == Delivery(
        topic="nba-phase2-raw-complete",
        message_id="m-1",
        published_at=PUBLISHED,
        attributes={"a": "b"},
        data=data,
    )


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), min_size=1, max_size=5))
def test_a_line_carries_an_object_as_it_is_written(body: dict[str, Any]) -> None:
    assert json.loads(from_line(line({**MESSAGE, "json": body})).data) == body


@pytest.mark.parametrize("reader", [from_line, lambda body: from_push(body, received_at=NOON)])
def test_both_spellings_of_the_keys_are_read(reader: Any) -> None:
    camel = reader(line(MESSAGE))
    snake = reader(line({"message_id": "m-1", "publish_time": MESSAGE["publishTime"], "attributes": {"a": "b"}}))

    assert (camel.message_id, camel.published_at) == (snake.message_id, snake.published_at) == ("m-1", PUBLISHED)


@pytest.mark.parametrize("empty", [{}, {"data": ""}, {"data": None}, {"json": None}])
def test_without_data_a_message_is_a_probe(empty: dict[str, Any]) -> None:
    assert from_line(line({**MESSAGE, **empty})).data == b""
    assert from_push(push({**MESSAGE, **empty}), received_at=NOON).data == b""


def test_a_publish_time_in_another_zone_is_the_same_instant() -> None:
    found = from_line(line({**MESSAGE, "publishTime": "2026-01-14T06:16:23.001-05:00"}))

    assert found.published_at == PUBLISHED
    assert found.published_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{'topic': 1}", "not_json"),
        (b"", "not_json"),
        (b"\xff{}", "not_utf8"),
        (b"[" * 100_000, "not_json"),
        (b"[]", "no_message"),
        (b'{"topic": "t"}', "no_message"),
        (line("text"), "no_message"),
        (json.dumps({"message": MESSAGE}).encode(), "no_topic"),
        (line(MESSAGE, topic=""), "no_topic"),
        (line(MESSAGE, topic=7), "no_topic"),
        (line({**MESSAGE, "messageId": None}), "no_message_id"),
        (line({**MESSAGE, "messageId": ""}), "no_message_id"),
        (line({**MESSAGE, "messageId": 7}), "no_message_id"),
        (line({**MESSAGE, "publishTime": None}), "bad_publish_time"),
        (line({**MESSAGE, "publishTime": "2026-01-14T11:16:23"}), "bad_publish_time"),
        (line({**MESSAGE, "publishTime": "yesterday"}), "bad_publish_time"),
        (line({**MESSAGE, "publishTime": 1768838151}), "bad_publish_time"),
        (line({**MESSAGE, "attributes": {"a": 1}}), "bad_attributes"),
        (line({**MESSAGE, "attributes": ["a"]}), "bad_attributes"),
        (line({**MESSAGE, "data": "e30"}), "bad_base64"),
        (line({**MESSAGE, "data": "-_=="}), "bad_base64"),
        (line({**MESSAGE, "data": {"a": 1}}), "bad_base64"),
        (line({**MESSAGE, "data": "e30=", "json": {}}), "two_bodies"),
    ],
)
def test_a_broken_line_names_what_is_broken_and_the_next_step(body: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        from_line(body)

    assert caught.value.code == code
    assert caught.value.next_step in str(caught.value)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b'{"subscription": "s"}', "no_message"),
        (push({**MESSAGE, "publishTime": "2026-01-14T11:16:23"}), "bad_publish_time"),
        (push({**MESSAGE, "data": "e30"}), "bad_base64"),
        (push(MESSAGE, subscription=7), "bad_envelope"),
    ],
)
def test_a_broken_push_names_what_is_broken(body: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        from_push(body, received_at=NOON)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("subscription", "topic"),
    [
        ("projects/p/subscriptions/nba-phase2-raw-complete-sub", "nba-phase2-raw-complete"),
        ("projects/p/subscriptions/nba-phase2-raw-complete-dlq-sub", "nba-phase2-raw-complete"),
        ("projects/p/subscriptions/nba-phase2-raw-complete-push", "nba-phase2-raw-complete"),
        ("projects/p/subscriptions/nba-phase3-analytics-sub", "nba-phase3-analytics"),
        ("projects/p/subscriptions/tipoff-nba-phase2-raw-complete", "nba-phase2-raw-complete"),
        ("projects/p/subscriptions/tipoff-some-topic-sub", "some-topic-sub"),
        ("nba-tipoff", "nba-tipoff"),
        ("", ""),
    ],
)
def test_a_push_hints_at_its_topic_by_its_subscription(subscription: str, topic: str) -> None:
    assert from_push(push(MESSAGE, subscription), received_at=NOON).topic == topic


def test_a_push_made_by_hand_needs_neither_id_nor_time() -> None:
    body, other = push({"data": "e30="}), push({"data": "e30K"})

    one, again = (from_push(body, received_at=NOON) for _ in range(2))

    assert one == again
    assert one.published_at == NOON
    assert one.message_id != from_push(other, received_at=NOON).message_id
