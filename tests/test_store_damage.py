"""A file that is not what was written: CorruptStore with the place, and damage never read as truth."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.sqlite import SqliteStore
from events.store import CorruptStore, Store, StoreError
from tests.store_events import OTHER, STREAM, change, extend, fill, ids


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


def by_position(store: Store) -> object:
    return list(store.read_all())


@pytest.mark.parametrize(
    ("statement", "read", "reason"),
    [
        ("UPDATE events SET body = replace(body, '\"raw\"', '\"row\"') WHERE position = 7", by_stream, "version 7 of"),
        ("UPDATE events SET hash = 'f' || substr(hash, 2) WHERE position = 7", by_stream, "version [78] of"),
        ("DELETE FROM events WHERE position = 7", by_stream, "version 8 of"),
        ("DELETE FROM events WHERE position = 1", by_stream, "version 2 of"),
        ("DELETE FROM events WHERE position = 20", by_stream, "ends at version 19, its head is at 20"),
        ("DELETE FROM events WHERE stream = 1", by_stream, "ends at version 0, its head is at 20"),
        ("DELETE FROM events WHERE position = 7", by_position, "position 7 is missing"),
        ("DELETE FROM events WHERE position = 1", by_position, "position 1 is missing"),
        ("DELETE FROM heads WHERE number = 1", by_position, "position 1 .* no stream"),
        ("UPDATE events SET hash = CAST(x'ff' AS TEXT) WHERE position = 7", by_position, "UTF-8"),
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
