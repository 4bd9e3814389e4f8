"""A file that is not what was written: CorruptStore with the place, and damage never read as truth."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.sqlite import SqliteStore
from events.store import CorruptStore, Store, StoreError
from tests.store_events import OTHER, STREAM, Edit, change, extend, fill, ids, rewrite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with 40 events in two streams, closed: all of it is in the one file."""
    path = tmp_path / "tipoff.db"
    fill(path)
    return path


@pytest.mark.parametrize(
    "content",
    [b"", b"game_date,row_count\n" * 300, b"SQLite format 3\0", bytes(8192)],
    ids=["empty", "text", "stub", "zeros"],
)
def test_a_file_that_is_no_database_is_damage_and_never_a_new_store(tmp_path: Path, content: bytes):
    file = tmp_path / "tipoff.db"
    file.write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(CorruptStore):
            SqliteStore.open(file, read_only=read_only)
    assert file.read_bytes() == content


def test_a_schema_that_no_tipoff_wrote_is_damage(path: Path):
    change(path, "PRAGMA user_version = 0")
    with pytest.raises(CorruptStore, match="schema is 0"):
        SqliteStore.open(path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_damage(path: Path, kept: float):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CorruptStore), closing(SqliteStore.open(path)) as store:
        read_everything(store)


def test_overwritten_pages_are_damage(path: Path):
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = os.urandom(8192)
    path.write_bytes(content)
    with closing(SqliteStore.open(path)) as store, pytest.raises(CorruptStore):
        read_everything(store)


def read_everything(store: SqliteStore) -> None:
    store.check_file()
    for stream in store.streams():
        list(store.read(stream))
    list(store.read_all())


def by_stream(store: Store) -> object:
    return list(store.read(STREAM))


def by_body(store: Store) -> object:
    return list(store.bodies(STREAM))


def by_position(store: Store) -> object:
    return list(store.read_all())


@pytest.mark.parametrize(
    ("statement", "read", "reason"),
    [
        ("DELETE FROM events WHERE position = 10", by_stream, "version 1 of .* is missing"),
        ("DELETE FROM events WHERE position = 20", by_stream, "ends at version 10, its head is at 20"),
        ("DELETE FROM events WHERE stream = 1", by_stream, "ends at version 0, its head is at 20"),
        ("DELETE FROM events WHERE position = 20", by_body, "version 11 of .* is missing"),
        ("DELETE FROM events WHERE position = 10", by_position, "position 1 is missing"),
        ("DELETE FROM events WHERE position = 20", by_position, "position 11 is missing"),
        ("DELETE FROM heads WHERE number = 1", by_position, "position 1 .* no stream"),
        ("UPDATE events SET version = 19 WHERE position = 20", by_stream, "version 11 of .* is missing"),
        ("UPDATE events SET version = 9 WHERE position = 10", by_stream, "version 1 of .* is missing"),
        ("UPDATE events SET version = 21 WHERE position = 20", by_body, "version 11 of .* is missing"),
        ("UPDATE events SET position = 19 WHERE position = 20", by_position, "position 11 is missing"),
        ("UPDATE events SET position = 9 WHERE position = 10", by_position, "position 1 is missing"),
        ("DROP TABLE events", by_position, "no such table"),
        ("UPDATE outbox SET body = '{'", lambda store: store.pending(), "outbox"),
        ("UPDATE heads SET version = 19 WHERE number = 1", lambda store: extend(store, STREAM, *ids("new")), "UNIQUE"),
    ],
)
def test_rows_that_do_not_fit_together_are_damage_with_their_place(
    path: Path, statement: str, read: Callable[[Store], object], reason: str
):
    change(path, statement)
    with closing(SqliteStore.open(path)) as store, pytest.raises(CorruptStore, match=reason):
        read(store)


@pytest.mark.parametrize(
    "packed",
    [
        "x''",
        "x'90'",
        "'text'",
        "substr(packed, 1, 3000)",
        "packed || x'00'",
        "substr(packed, 1, length(packed) - 1) || x'ff'",
    ],
)
def test_a_row_that_is_cut_or_filled_up_has_lost_its_events(path: Path, packed: str):
    change(path, f"UPDATE events SET packed = {packed} WHERE position = 20")
    with closing(SqliteStore.open(path)) as store:
        assert len(taken(store.read(STREAM), "version 11 of .* is missing")) == 10
        assert len(taken(store.bodies(STREAM), "version 11 of .* is missing")) == 10
        assert len(taken(store.read_all(), "position 11 is missing")) == 10


def taken(events: Iterator[object], reason: str) -> list[object]:
    """What is read before CorruptStore says `reason`."""
    found: list[object] = []
    with pytest.raises(CorruptStore, match=reason):
        found.extend(events)
    return found


@pytest.mark.parametrize(
    ("edit", "broken"),
    [
        (lambda body, hash: (body.replace(b'"raw"', b'"row"'), hash), 17),
        (lambda body, hash: (body + b" ", hash), 17),
        (lambda body, hash: (body, "f" + hash[1:] if hash[0] != "f" else "0" + hash[1:]), 17),
        (lambda body, hash: (body, "\u00ff"), 17),
    ],
)
@pytest.mark.parametrize("after", [0, 10, 13, 16])
def test_an_event_that_was_changed_breaks_the_chain_in_its_place(path: Path, edit: Edit, broken: int, after: int):
    rewrite(path, STREAM, broken, edit)
    with closing(SqliteStore.open(path)) as store:
        read = taken(store.read(STREAM, after=after), f"version {broken} of")
        assert len(read) == broken - 1 - after


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object]:
    path = tmp_path_factory.mktemp("written") / "tipoff.db"
    fill(path)
    with closing(SqliteStore.open(path)) as store:
        return path, [list(store.read(stream)) for stream in (STREAM, OTHER)]


@settings(max_examples=150)
@given(place=st.floats(0, 1, exclude_max=True), damage=st.binary(min_size=1, max_size=64))
def test_no_damage_to_a_file_passes_for_what_was_written(written: tuple[Path, object], place: float, damage: bytes):
    path, truth = written
    with TemporaryDirectory() as folder:
        damaged = Path(folder) / "tipoff.db"
        copyfile(path, damaged)
        with damaged.open("r+b") as file:
            file.seek(int(place * damaged.stat().st_size))
            file.write(damage)
        with suppress(StoreError), closing(SqliteStore.open(damaged)) as store:
            store.check_file()
            assert [list(store.read(stream)) for stream in (STREAM, OTHER)] == truth
