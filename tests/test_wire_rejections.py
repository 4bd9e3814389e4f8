"""What cannot be understood is stored whole, with a stable code and what to fix, and does not slow the rest down."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import CompletionRecorded, Event
from events.codec import encode
from events.wire import MESSAGE_BYTES_MAX, STORED_BYTES_MAX, Unreadable, read, rejected_line
from tests.wire_messages import (
    NOON,
    ROUTING,
    assert_storable,
    delivery,
    fact,
    facts,
    native,
    native_completion,
    rejection,
    v2,
)

CODES: dict[str, tuple[Any, str]] = {
    "too_large": (b'{"padding": "' + b"x" * MESSAGE_BYTES_MAX + b'"}', str(MESSAGE_BYTES_MAX)),
    "not_utf8": (b'{"processor_name": "caf\xe9"}', "byte 23"),
    "not_json": (b"{'processor_name': 'P'}", "JSON"),
    "not_object": ([v2()], "object"),
    "unknown_sport": (v2(sport="curling"), "nba"),
    "unknown_shape": ({"hello": "world"}, "hello"),
    "no_game_date": (v2(game_date=...), "game_date"),
    "bad_game_date": (v2(game_date="2026-02-30"), "2026-02-30"),
    "no_processor": (v2(processor_name=..., output_table=...), "processor_name"),
    "unknown_phase": (v2(phase="phase_7"), "phase_7"),
    "bad_status": (v2(status="exploded"), "exploded"),
    "bad_count": (v2(record_count=-1), "record_count"),
    "bad_action": ({"workflow_name": "betting_lines", "action": "PONDER"}, "RUN"),
    "no_game_id": ({"original_date": "2026-01-24", "new_date": "2026-01-25"}, "game_id"),
    "bad_native": (native("tipoff.processor.completed", native_completion(status=...)), "status"),
}


@pytest.mark.parametrize("code", CODES)
def test_every_code_says_what_to_fix(code: str) -> None:
    body, hint = CODES[code]

    found = rejection(body)

    assert found.code == code
    assert hint in found.reason
    assert_storable(fact(body))


@pytest.mark.parametrize("code", CODES)
def test_a_rejection_stands_on_the_control_stream_of_its_sport(code: str) -> None:
    body, _ = CODES[code]

    assert fact(body).stream == ("unknown/control" if code == "unknown_sport" else "nba/control")


def test_a_rejection_without_any_sport_stands_on_the_control_stream_of_the_unknown() -> None:
    found = fact(b"not JSON", topic="somewhere")

    assert found.stream == "unknown/control"


def test_the_messages_own_sport_decides_where_its_rejection_stands() -> None:
    found = fact(v2(sport="mlb", status="exploded"), topic="somewhere")

    assert found.stream == "mlb/control"


def test_a_rejection_keeps_what_was_delivered() -> None:
    message = delivery(b"not JSON", message_id="m-77", attributes={"origin": "by hand"})

    found = rejection(message)

    assert (found.topic, found.message_id, found.attributes) == (message.topic, "m-77", {"origin": "by hand"})
    assert b64decode(found.data) == b"not JSON"


DOCUMENT_BYTES_MAX = 1024 * 1024
"""What a document of Firestore holds."""

AROUND = {f"{n:03}" + "k" * 253: "v" * 1024 for n in range(100)}
"""As many and as long attributes as Pub/Sub lets pass, in ASCII."""


def padded(size: int, filling: bytes) -> bytes:
    """A completion of `size` bytes with a list of `filling` in it."""
    head, tail = json.dumps(v2()).encode()[:-1] + b', "list": [', b"]}"
    items = (size - len(head) - len(tail)) // (len(filling) + 1)
    body = head + b",".join([filling] * items) + tail
    return body + b" " * (size - len(body))


@pytest.mark.parametrize("filling", [b'"text"', b"1e15", b"7", b'"\\u0001"', b"{}", '"\u00e9"'.encode(), b"1e-5"])
@pytest.mark.parametrize("attributes", [{}, {"origin": "by hand"}, AROUND, dict.fromkeys(AROUND, "\u0001" * 1024)])
@pytest.mark.parametrize("size", [200_000, MESSAGE_BYTES_MAX])
def test_a_message_is_read_whole_or_refused_as_its_event_would_not_fit_into_a_document(
    filling: bytes, attributes: dict[str, str], size: int
) -> None:
    data = padded(size, filling)

    found = fact(delivery(data, attributes=attributes))

    if isinstance(found.data, CompletionRecorded):
        assert found.data.extra["list"] == json.loads(data)["list"]
    else:
        assert getattr(found.data, "code", "") == "too_large"
    event = Event(
        stream=found.stream,
        version=1,
        id=found.id,
        occurred_at=found.occurred_at,
        recorded_at=NOON,
        correlation=found.correlation,
        data=found.data,
    )
    assert len(encode(event)) < DOCUMENT_BYTES_MAX


def test_a_message_of_900_kib_is_read_and_a_larger_one_refused() -> None:
    assert isinstance(fact(padded(900 * 1024, b'"text"')).data, CompletionRecorded)
    assert rejection(padded(900 * 1024 + 1, b'"text"')).code == "too_large"


def test_a_message_whose_numbers_grow_beyond_a_document_is_refused() -> None:
    assert isinstance(fact(padded(200_000, b"1e15")).data, CompletionRecorded)
    assert "once stored" in rejection(padded(900 * 1024, b"1e15")).reason


def test_a_large_message_is_kept_in_part_and_its_true_size_said() -> None:
    data = b"[" * (5 * 1024 * 1024)

    found = rejection(data)

    assert (found.code, found.size) == ("too_large", len(data))
    assert b64decode(found.data) == data[:STORED_BYTES_MAX]


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"metadata":['])
@pytest.mark.parametrize("levels", [65, 500, 990, 50_000])
def test_nesting_beyond_what_can_be_stored_is_refused(opening: bytes, levels: int) -> None:
    closing = {b"[": b"]", b'{"a":': b"}", b'{"metadata":[': b"]}"}[opening]
    data = opening * levels + b"1" + closing * levels

    assert rejection(b'{"deep":' + data + b"}").code == "not_json"


@given(st.lists(st.sampled_from(["[]", "{}"]), min_size=60, max_size=66), st.sampled_from(["", " ", "\n\t"]))
def test_a_message_is_refused_from_65_levels_on_whatever_nests_them(nests: list[str], blank: str) -> None:
    inside = "1"
    for nest in nests:
        inside = f"[{inside}]" if nest == "[]" else f'{{"a":{inside}}}'
    data = blank + json.dumps(v2(deep="?")).replace('"?"', inside)

    found = fact(data.encode())

    levels = 1 + len(nests)
    assert isinstance(found.data, CompletionRecorded) is (levels <= 64)


def test_nesting_within_the_limit_is_kept_and_stored() -> None:
    deep: Any = 1
    for _ in range(60):
        deep = [deep]

    found = fact(v2(deep=deep))

    assert getattr(found.data, "extra", {})["deep"] == deep
    assert_storable(found)


def test_many_shallow_brackets_are_not_taken_for_depth() -> None:
    found = fact(v2(entities=[{"player": [n]} for n in range(500)]))

    assert len(getattr(found.data, "extra", {})["entities"]) == 500


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 5000, "NaN", "Infinity"])
def test_a_number_that_no_store_can_hold_is_refused(number: str) -> None:
    data = json.dumps(v2(duration_seconds="?")).replace('"?"', number).encode()

    assert rejection(data).code == "not_json"


def test_a_number_of_many_digits_is_kept_as_it_is() -> None:
    found = fact(v2(checksum=10**300))

    assert getattr(found.data, "extra", {})["checksum"] == 10**300
    assert_storable(found)


@pytest.mark.parametrize("body", [{}, {"hello": "world"}, {"status": 7}, {"name": "x"}, {"gcs_path": "gs://b/f.json"}])
def test_an_object_that_says_too_little_is_refused(body: dict[str, Any]) -> None:
    assert rejection(body, topic="nba-x").code in {"unknown_shape", "no_game_date"}


def test_an_unknown_object_is_told_which_keys_would_have_helped() -> None:
    reason = rejection({"hello": "world"}, topic="nba-x").reason

    assert all(key in reason for key in ("processor_name", "status", "game_date", "last_heartbeat", "workflow_name"))


def test_a_very_long_key_or_value_does_not_make_a_very_long_reason() -> None:
    long = "x" * 100_000

    for body in (
        {long: 1},
        v2(status=long),
        v2(phase=long),
        v2(processor_name=long),
        v2(sport=long),
        v2(game_date=long),
    ):
        assert len(rejection(body).reason) < 1000


def test_every_wrong_entry_of_a_native_message_is_counted_and_the_first_fifty_spelled_out() -> None:
    data = {"sport": "nba", "game_date": "2026-01-19", "games": [{"home": "WAS"}] * 60}

    reason = rejection(native("tipoff.schedule.published", data)).reason

    assert reason.count("game_id` is missing") == 50
    assert reason.endswith("and 10 more")


def test_an_empty_probe_gives_nothing() -> None:
    assert facts(b"") == []


def test_a_probe_with_foreign_attributes_gives_nothing() -> None:
    assert facts(delivery(b"", attributes={"traceparent": "00-4bf9"})) == []


def test_a_message_without_data_may_speak_through_its_attributes() -> None:
    said = {"source_table": "t", "game_date": "2026-01-19", "execution_id": "x", "phase": "2", "success": "true"}

    found = fact(delivery(b"", topic="nba-phase2-raw-complete", attributes=said))

    assert found.stream == "nba/2026-01-19"


def test_a_message_of_blanks_is_no_probe() -> None:
    assert rejection(b"  \n").code == "not_json"


def test_attributes_beyond_what_a_broker_allows_are_cut() -> None:
    message = delivery(b"x", attributes={f"key{n}": "v" * 5000 for n in range(200)})

    kept = rejection(message).attributes

    assert (len(kept), max(map(len, kept.values()))) == (100, 1024)


def test_a_broken_line_is_a_fact_whose_id_follows_from_its_bytes() -> None:
    error = Unreadable(code="not_json", reason="it is not", next_step="Send JSON.")

    one, again, other = (rejected_line(line, error, received_at=NOON) for line in (b"x", b"x", b"y"))

    assert one == again
    assert one.id != other.id
    assert one.stream == "unknown/control"
    assert getattr(one.data, "reason", "") == "it is not. Send JSON."


def test_a_rejected_delivery_is_recognised_when_it_comes_again() -> None:
    once = read(delivery(b"x", message_id="1"), ROUTING, received_at=NOON)
    again = read(delivery(b"x", message_id="1"), ROUTING, received_at=NOON)
    other = read(delivery(b"x", message_id="2"), ROUTING, received_at=NOON)

    assert once == again
    assert once[0].id != other[0].id
