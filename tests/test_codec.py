"""Bytes and ids: what is stored reads back the same, chained, under ids that any machine derives alike."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid5

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import codec
from events.catalogue import DECISIONS, INPUTS, Event, Ticked, is_input, type_of
from events.codec import GENESIS, NAMESPACE, CorruptEvent, chain, decode, derive_id, encode
from tests.projection_histories import EVERY_TYPE, data_of

AT = datetime(2026, 1, 17, 6, 10, tzinfo=UTC)


def event(data: object, **fields: object) -> Event:
    return Event(
        **{  # type: ignore[arg-type]
            "stream": "nba/2026-01-16",
            "version": 1,
            "id": "e1",
            "occurred_at": AT,
            "recorded_at": AT,
            "correlation": "c",
            "data": data,
            **fields,
        }
    )


@given(st.lists(st.text(), min_size=1, max_size=6))
def test_a_derived_id_is_the_uuid5_of_its_parts(parts):
    assert derive_id(*parts) == str(uuid5(UUID(bytes=NAMESPACE), "\x1f".join(parts)))


@given(st.sampled_from(EVERY_TYPE).flatmap(data_of))
def test_every_type_of_the_catalogue_reads_back_as_it_was_written_to_the_byte(data):
    written = encode(event(data))
    assert decode(written) == event(data)
    assert encode(decode(written)) == written


def test_type_names_are_words_and_no_two_types_share_one():
    names = [type_of(kind) for kind in (*INPUTS, *DECISIONS)]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").islower() for name in names)


def test_an_event_without_a_cause_is_an_input():
    assert is_input(event(Ticked(now=AT)))
    assert not is_input(event(Ticked(now=AT), causation="e0"))


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_a_hash_depends_on_the_bytes_and_on_all_that_came_before(first, second):
    one = chain(GENESIS, first)
    assert len(one) == 64
    assert (chain(one, second) == chain(GENESIS, second)) == (one == GENESIS)
    assert (chain(GENESIS, second) == one) == (first == second)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"{}",
        b"[]",
        b'{"data": {}}',
        encode(event(Ticked(now=AT))).replace(b"ticked", b"from_a_newer_writer"),
        encode(event(Ticked(now=AT)))[:-4],
    ],
)
def test_bytes_that_are_no_event_are_said_to_be_corrupt_with_what_is_wrong(body):
    with pytest.raises(CorruptEvent) as refused:
        decode(body)
    assert refused.value.reason
    assert "verify" in str(refused.value)


def test_an_event_of_an_older_schema_is_lifted_step_by_step_while_it_is_read(monkeypatch):
    def to_two(data: dict[str, object]) -> dict[str, object]:
        return {**data, "gone": data["instant"]}

    def to_three(data: dict[str, object]) -> dict[str, object]:
        return {"type": data["type"], "now": data["gone"]}

    monkeypatch.setitem(codec.CURRENT_SCHEMA, "ticked", 3)
    monkeypatch.setitem(codec.UPCASTERS, ("ticked", 1), to_two)
    monkeypatch.setitem(codec.UPCASTERS, ("ticked", 2), to_three)
    old = msgspec.json.decode(encode(event(Ticked(now=AT))))
    old["data"] = {"type": "ticked", "instant": "2026-01-17T06:10:00Z"}

    lifted = decode(msgspec.json.encode(old))

    assert lifted.data == Ticked(now=AT)
    assert lifted.schema == 3


def test_an_upcast_that_gives_no_event_is_corrupt_and_not_a_crash(monkeypatch):
    monkeypatch.setitem(codec.CURRENT_SCHEMA, "ticked", 2)
    monkeypatch.setitem(codec.UPCASTERS, ("ticked", 1), lambda data: {"type": data["type"]})
    with pytest.raises(CorruptEvent):
        decode(encode(event(Ticked(now=AT))))
