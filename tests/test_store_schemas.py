"""A file that an earlier Tipoff wrote: read as it is, and lifted to the present schema by the first who writes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from events.sqlite import SqliteStore
from events.store import DuplicateEvent
from tests.store_events import commit, contents, fill, ids, open_merging

TO_SCHEMA_1 = """
    DROP TABLE fresh_ids;
    CREATE TABLE fresh_ids(position INTEGER PRIMARY KEY, id TEXT NOT NULL);
    INSERT INTO fresh_ids(position, id)
        SELECT position, json_extract(CAST(body AS TEXT), '$.id') FROM events
        WHERE json_extract(CAST(body AS TEXT), '$.id') NOT IN (SELECT id FROM ids);
    PRAGMA user_version = 1;
"""
"""Schema 1 had a row of `fresh_ids` for each id that was not merged yet."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of schema 1 with 40 events in two streams, and one more whose id was merged already."""
    path = tmp_path / "tipoff.db"
    store, _ = open_merging(path, fresh_ids_max=1)
    with closing(store):
        store.append([commit("nba/2026-01-17", *ids("merged"))])
    fill(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TO_SCHEMA_1)
    return path


def schema(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def test_reading_a_file_of_schema_1_leaves_it_as_it_is(path: Path):
    with closing(SqliteStore.open(path, read_only=True)) as store:
        assert len(list(store.read_all())) == 41
    assert schema(path) == 1


def test_whoever_writes_to_a_file_of_schema_1_lifts_it_and_finds_all_it_held(path: Path):
    with closing(SqliteStore.open(path, read_only=True)) as reader:
        before = contents(reader)
        stored = [event.event().id for event in reader.read_all()]
    with closing(SqliteStore.open(path)) as store:
        assert schema(path) == 2
        assert contents(store) == before
        store.check_file()
        with pytest.raises(DuplicateEvent) as refused:
            store.append([commit("nba/2026-01-18", *stored, *ids("new"))])
        assert refused.value.ids == frozenset(stored)
        store.append([commit("nba/2026-01-18", *ids("new"))])
    with closing(SqliteStore.open(path)) as again, pytest.raises(DuplicateEvent):
        again.append([commit("nba/2026-01-19", *ids("new"))])


def test_a_second_writer_shares_what_the_first_has_lifted(path: Path):
    with closing(SqliteStore.open(path)) as one, closing(SqliteStore.open(path)) as two:
        one.append([commit("nba/2026-01-18", *ids("new"))])
        with pytest.raises(DuplicateEvent):
            two.append([commit("nba/2026-01-19", *ids("new"))])
        assert contents(one) == contents(two)
