"""The contract, held by the two stores of one machine; and what only the SQLite one promises."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.sqlite_file import connect, make
from events.store import DuplicateEvent, Store, StoreUnavailable, WrongExpectedVersion
from tests.conftest import ROOT
from tests.contract_store import OneMachineContract, StoreContract
from tests.store_events import OTHER, STREAM, command, commit, contents, extend, ids, minutes, open_merging


class TestMemoryStore(StoreContract, OneMachineContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestSqliteStore(StoreContract, OneMachineContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with closing(SqliteStore.open(tmp_path / "tipoff.db")) as store:
            yield store


class TestSqliteStoreThatMergesIdsOften(StoreContract, OneMachineContract):
    """The same with an index of ids that is merged all the time (events/sqlite_ids.py)."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store, _ = open_merging(tmp_path / "tipoff.db", fresh_ids_max=3)
        with closing(store):
            yield store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tipoff.db"


def test_a_store_that_is_opened_again_holds_what_it_held(path: Path):
    with closing(SqliteStore.open(path)) as store:
        extend(store, STREAM, *ids(1, 2), deadline=minutes(3))
        store.append([commit(OTHER, *ids(3), outbox=[command("a")])])
        before = contents(store)
    with closing(SqliteStore.open(path)) as store:
        assert contents(store) == before
        with pytest.raises(DuplicateEvent):
            store.append([commit("nba/2026-01-17", *ids(2))])


def test_every_commit_reaches_the_disk_before_it_is_acknowledged(path: Path):
    with closing(connect(path, create=True, read_only=False, busy_seconds=1)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_two_writers_see_each_others_versions_ids_and_numbers(path: Path):
    with closing(SqliteStore.open(path)) as one, closing(SqliteStore.open(path)) as two:
        onto = extend(one, STREAM, *ids(1)).head
        extend(two, OTHER, *ids(2))
        extend(two, STREAM, *ids(3))
        with pytest.raises(WrongExpectedVersion) as stale:
            one.append([commit(STREAM, *ids(4), onto=onto)])
        assert stale.value.actual == 2
        with pytest.raises(DuplicateEvent) as twice:
            one.append([commit("nba/2026-01-17", *ids(2, 4, 3))])
        assert twice.value.ids == frozenset(ids(2, 3))
        extend(one, "nba/2026-01-17", *ids(5))
        assert contents(one) == contents(two)


@pytest.mark.parametrize("merges", [(1000, 4), (4, 1000), (4, 4), (2, 7)])
def test_ids_are_unique_across_writers_that_merge_their_index_at_different_times(path: Path, merges: tuple[int, int]):
    writers = [open_merging(path, fresh_ids_max=most)[0] for most in merges]
    for number in range(30):
        extend(writers[number % 3 % 2], STREAM, *ids(number))
        for writer in writers:
            with pytest.raises(DuplicateEvent) as refused:
                writer.append([commit(OTHER, *ids(*range(number + 2)))])
            assert refused.value.ids == frozenset(ids(*range(number + 1)))
    for writer in writers:
        writer.close()


def test_a_second_process_reads_while_the_first_writes(path: Path):
    reader = (
        "import sys; from events.sqlite import SqliteStore\n"
        "store = SqliteStore.open(sys.argv[1], read_only=True)\n"
        "for _ in sys.stdin: print(len(list(store.read_all())), flush=True)\n"
    )
    with closing(SqliteStore.open(path)) as store:
        child = subprocess.Popen(
            [sys.executable, "-c", reader, str(path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with child:
            assert child.stdin is not None
            assert child.stdout is not None
            for number in range(5):
                extend(store, STREAM, *ids(number))
                child.stdin.write("\n")
                child.stdin.flush()
                assert child.stdout.readline() == f"{number + 1}\n"
            child.stdin.close()
        assert child.returncode == 0


def test_processes_that_create_the_same_store_at_once_share_it(path: Path):
    writer = (
        "import sys; from events.sqlite import SqliteStore; from tests.store_events import extend, ids\n"
        "sys.stdin.readline()\n"
        "store = SqliteStore.open(sys.argv[1])\n"
        "for number in range(5): extend(store, sys.argv[2], *ids((sys.argv[2], number)))\n"
    )
    streams = [f"nba/2026-01-{day}" for day in range(10, 14)]
    children = [
        subprocess.Popen([sys.executable, "-c", writer, str(path), stream], cwd=ROOT, stdin=subprocess.PIPE)
        for stream in streams
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    assert [child.wait() for child in children] == [0, 0, 0, 0]
    with closing(SqliteStore.open(path, create=False)) as store:
        assert store.streams() == streams
        assert len(list(store.read_all())) == 20
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_store_that_another_process_has_made_in_the_meantime_is_kept(path: Path):
    with closing(SqliteStore.open(path)) as store:
        extend(store, STREAM, *ids(1))
        before = contents(store)
        make(path)
    with closing(SqliteStore.open(path)) as store:
        assert contents(store) == before


def test_the_index_of_ids_is_merged_once_for_as_many_events_as_it_may_leave_unmerged(path: Path):
    asked: list[str] = []
    store, connection = open_merging(path, fresh_ids_max=10)
    with closing(store):
        connection.set_trace_callback(asked.append)
        for number in range(100):
            extend(store, STREAM, *ids(number))
    assert sum(statement.startswith("INSERT INTO ids") for statement in asked) == 10


def test_a_tick_asks_an_index_and_not_every_stream(path: Path):
    asked: list[str] = []
    store, connection = open_merging(path, fresh_ids_max=10)
    with closing(store):
        connection.set_trace_callback(asked.append)
        store.due(minutes(1))
        store.next_due()
        connection.set_trace_callback(None)
        plans = [row[3] for query in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert [plan.split("(")[0].strip() for plan in plans] == [
        "SEARCH heads USING COVERING INDEX deadlines",
        "SEARCH heads USING COVERING INDEX deadlines",
    ]


def test_reading_only_makes_no_file_and_writes_nothing(path: Path):
    with pytest.raises(StoreUnavailable, match="no such file"):
        SqliteStore.open(path, read_only=True)
    assert list(path.parent.iterdir()) == []
    with closing(SqliteStore.open(path)) as store:
        extend(store, STREAM, *ids(1))
    with closing(SqliteStore.open(path, read_only=True)) as store:
        with pytest.raises(StoreUnavailable, match="reading only"):
            extend(store, STREAM, *ids(2))
        assert [stored.event().id for stored in store.read_all()] == ids(1)


def test_a_tipoff_file_says_so(path: Path):
    SqliteStore.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
    assert application.to_bytes(4, "big") == b"tipo"
