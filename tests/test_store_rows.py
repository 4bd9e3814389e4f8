"""Events in rows of a SQLite store: whole, in order and byte for byte, wherever reading begins (decision 19)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.codec import GENESIS, chain
from events.memory import MemoryStore
from events.sqlite import PAGE_ROWS, SqliteStore
from events.sqlite_rows import BYTES_MAX, EVENTS_MAX, events_in, rows
from events.store import Sealed
from tests.store_events import OTHER, STREAM, contents, extend, ids

NUMBER, POSITION, VERSION = 7, 1000, 41
"""A stream, and what was stored before: positions in all, versions in the stream."""

FRAME = 100
"""Bytes; more than what a row has of an event beside its body."""


def sealed(bodies: list[bytes]) -> list[Sealed]:
    """Events with `bodies`, to follow version 41 of a stream."""
    return [
        Sealed(f"id-{version}", version, body, chain(GENESIS, body)) for version, body in enumerate(bodies, VERSION + 1)
    ]


@given(bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=3 * EVENTS_MAX))
def test_any_bytes_come_out_of_rows_as_they_went_in_with_their_places(bodies: list[bytes]):
    events, position, version = sealed(bodies), POSITION, VERSION
    unpacked: list[tuple[bytes, str]] = []
    for ended, number, last, packed in rows(NUMBER, events, after=POSITION):
        row = events_in(packed)
        position, version = position + len(row), version + len(row)
        assert (ended, number, last) == (position, NUMBER, version)
        assert 0 < len(row) <= EVENTS_MAX
        unpacked += row
    assert unpacked == [(event.body, event.hash) for event in events]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([1], [1]),
        ([1] * EVENTS_MAX, [EVENTS_MAX]),
        ([1] * (EVENTS_MAX + 1), [EVENTS_MAX // 2, EVENTS_MAX // 2 + 1]),
        ([BYTES_MAX // 2 - FRAME] * 2, [2]),
        ([BYTES_MAX // 2] * 2, [1, 1]),
        ([4 * BYTES_MAX], [1]),
        ([1, 4 * BYTES_MAX, 1, 1], [1, 1, 2]),
    ],
)
def test_a_row_is_bounded_in_events_and_bytes_but_a_single_event_may_be_of_any_size(
    sizes: list[int], expected: list[int]
):
    packed = [row[-1] for row in rows(NUMBER, sealed([bytes(size) for size in sizes]), after=POSITION)]
    assert [len(events_in(row)) for row in packed] == expected


@given(bodies=st.lists(st.binary(max_size=40), min_size=1, max_size=9), cut=st.floats(0, 1, exclude_max=True))
def test_of_a_row_that_was_cut_no_event_is_guessed(bodies: list[bytes], cut: float):
    ((*_, packed),) = rows(NUMBER, sealed(bodies), after=POSITION)
    assert events_in(packed[: int(cut * len(packed))]) == []


SIZES = st.lists(st.tuples(st.sampled_from([STREAM, OTHER]), st.integers(1, 5) | st.integers(1, 2 * EVENTS_MAX + 9)))


@settings(max_examples=25)
@given(appends=SIZES.filter(bool), data=st.data())
def test_reading_begins_behind_any_event_of_any_row(appends: list[tuple[str, int]], data: st.DataObject):
    model = MemoryStore()
    with TemporaryDirectory() as folder, closing(SqliteStore.open(Path(folder) / "tipoff.db")) as store:
        for number, (stream, size) in enumerate(appends):
            names = ids(*[(number, n) for n in range(size)])
            extend(model, stream, *names)
            extend(store, stream, *names)
        assert contents(store) == contents(model)
        everything = list(model.read_all())
        after = data.draw(st.integers(0, len(everything) + 1))
        assert list(store.read_all(after=after)) == everything[after:]
        for stream in (STREAM, OTHER):
            events = list(model.read(stream))
            assert list(store.bodies(stream)) == [event.body for event in events]
            after = data.draw(st.integers(0, len(events) + 1))
            assert list(store.read(stream, after=after)) == events[after:]


def test_a_stream_of_more_rows_than_are_fetched_at_a_time_is_read_whole(tmp_path: Path):
    model = MemoryStore()
    with closing(SqliteStore.open(tmp_path / "tipoff.db")) as store:
        for number in range(2 * PAGE_ROWS + 1):
            for into in (model, store):
                extend(into, STREAM, *ids((number, 1), (number, 2)))
        for after in (0, 1, 2 * PAGE_ROWS - 1, 2 * PAGE_ROWS, 2 * PAGE_ROWS + 1):
            assert list(store.read(STREAM, after=after)) == list(model.read(STREAM, after=after))
            assert list(store.read_all(after=after)) == list(model.read_all(after=after))
