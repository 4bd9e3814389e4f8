"""Events that other programs wrote: older ones are lifted, newer and damaged ones refused (design 4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import Event, Ticked
from events.codec import CURRENT_SCHEMA, UPCASTERS, CorruptEvent, decode, encode
from statemachine.streams import DATE, adoption
from tests.driving import nba

NOON = datetime(2026, 1, 16, 17, tzinfo=UTC)


@pytest.fixture
def third_schema() -> Iterator[None]:
    """A catalogue in which `ticked` has its third schema: the first said `at`, the second `when`, this one `now`."""
    CURRENT_SCHEMA["ticked"] = 3
    UPCASTERS["ticked", 1] = lambda data: {"type": "ticked", "when": data["at"]}
    UPCASTERS["ticked", 2] = lambda data: {"type": "ticked", "now": data["when"]}
    yield
    del CURRENT_SCHEMA["ticked"], UPCASTERS["ticked", 1]
    UPCASTERS.pop(("ticked", 2), None)


def written(schema: int, **data: str) -> bytes:
    """A tick as a program of that schema wrote it."""
    envelope = {"stream": "nba/control", "version": 1, "id": "i", "correlation": "c"}
    instants = {"occurred_at": "2026-01-16T00:00:00Z", "recorded_at": "2026-01-16T00:00:00Z"}
    body = envelope | instants | {"data": {"type": "ticked", **data}}
    return encode(body if schema == 1 else body | {"schema": schema})


@pytest.mark.usefixtures("third_schema")
@pytest.mark.parametrize(("schema", "key"), [(1, "at"), (2, "when"), (3, "now")])
def test_an_event_of_any_older_schema_reads_as_one_of_today(schema: int, key: str):
    event = decode(written(schema, **{key: "2026-01-16T17:00:00Z"}))

    assert (event.data, event.schema) == (Ticked(now=NOON), 3)


@pytest.mark.usefixtures("third_schema")
def test_an_older_event_that_happens_to_read_like_a_new_one_is_lifted_all_the_same():
    UPCASTERS["ticked", 2] = lambda data: {**data, "now": "2026-01-16T17:00:00Z"}

    assert decode(written(2, now="2026-01-01T00:00:00Z")).data == Ticked(now=NOON)


@pytest.mark.usefixtures("third_schema")
def test_a_missing_upcaster_is_corruption_and_not_a_guess():
    del UPCASTERS["ticked", 2]

    with pytest.raises(CorruptEvent, match="from schema 2 of ticked is missing"):
        decode(written(1, at="2026-01-16T17:00:00Z"))


def test_an_event_of_a_newer_program_is_refused_and_not_read_without_what_is_new_in_it():
    with pytest.raises(CorruptEvent, match="schema 2 of ticked, this program writes 1"):
        decode(written(2, now="2026-01-16T17:00:00Z", because="of something new"))


@pytest.mark.usefixtures("third_schema")
def test_what_is_written_today_says_its_schema_and_needs_no_lifting():
    CURRENT_SCHEMA["definition_adopted"] = 2
    try:
        events = DATE.decide(DATE.initial("nba/x"), adoption("nba/x", 0, nba(), NOON), NOON, nba())
        assert [event.schema for event in events] == [2]
        assert decode(encode(events[0])) == events[0]
    finally:
        del CURRENT_SCHEMA["definition_adopted"]


@given(st.text(max_size=9), st.integers(1, 10**9), st.data())
def test_an_event_that_was_cut_anywhere_is_refused_with_its_bytes(id: str, version: int, data: st.DataObject):
    event = Event(
        stream="nba/x",
        version=version,
        id=id,
        occurred_at=NOON,
        recorded_at=NOON,
        correlation="c",
        data=Ticked(now=NOON),
    )
    body = encode(event)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]

    with pytest.raises(CorruptEvent) as refused:
        decode(cut)
    assert refused.value.body == cut


def test_no_type_has_a_schema_that_its_older_events_cannot_be_lifted_to():
    steps = [(name, schema) for name, current in CURRENT_SCHEMA.items() for schema in range(1, current)]

    assert [step for step in steps if step not in UPCASTERS] == []
