"""A disk, a path or a neighbour that misbehaves: StoreUnavailable with what to do, and nothing half-written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from events.sqlite import SqliteStore
from events.store import Store, StoreUnavailable
from tests.store_events import STREAM, change, contents, extend, fill, ids, open_merging

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with 40 events in two streams, closed: all of it is in the one file."""
    path = tmp_path / "tipoff.db"
    fill(path)
    return path


def test_a_writer_that_does_not_let_go_is_named_within_the_bound_and_readers_go_on(path: Path):
    other = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()\n"
    )
    with (
        closing(SqliteStore.open(path, busy_seconds=0.01)) as store,
        subprocess.Popen(
            [sys.executable, "-c", other, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        before = contents(store)
        with pytest.raises(
            StoreUnavailable, match=r"another process is writing to it \(SQLITE_BUSY\)\. Stop the other"
        ):
            extend(store, STREAM, *ids("new"))
        assert contents(store) == before
        process.stdin.close()
        process.wait()
        extend(store, STREAM, *ids("new"))


@contextmanager
def unprivileged() -> Iterator[Path]:
    """A new folder, and for a while the rights of a user to whom file permissions apply."""
    user = os.geteuid()
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        fill(Path(folder) / "tipoff.db")
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            os.seteuid(user)
            Path(folder).chmod(0o755)


def test_a_file_without_write_access_is_not_written():
    with unprivileged() as folder:
        if os.geteuid() != NOBODY:
            (folder / "tipoff.db").chmod(0o444)
            folder.chmod(0o555)
        with pytest.raises(StoreUnavailable, match=r"write access|write the file"):
            open_and_extend(folder / "tipoff.db")
        with pytest.raises(StoreUnavailable, match=r"Permission denied|cannot be opened"):
            SqliteStore.open(folder / "new.db")
        assert [file.name for file in folder.iterdir()] == ["tipoff.db"]


def open_and_extend(path: Path) -> None:
    with closing(SqliteStore.open(path)) as store:
        extend(store, STREAM, *ids("new"))


def test_a_full_disk_undoes_the_append_and_a_freed_one_takes_it(tmp_path: Path):
    store, connection = open_merging(tmp_path / "tipoff.db", fresh_ids_max=50)
    with closing(store):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 30}")
        fill_up(store)
        before = contents(store)
        with pytest.raises(StoreUnavailable, match="the disk is full") as full:
            extend(store, STREAM, *ids(*range(20)))
        assert "Free some space" in full.value.next_step
        assert contents(store) == before
        connection.execute("PRAGMA max_page_count = 100000")
        extend(store, STREAM, *ids(*range(20)))
        assert [stored.event().id for stored in store.read(STREAM)][-20:] == ids(*range(20))


def fill_up(store: Store) -> None:
    """Append until the disk is full."""
    for number in range(100):
        try:
            extend(store, STREAM, *ids(*[("filler", number, n) for n in range(20)]))
        except StoreUnavailable:
            return
    pytest.fail("the disk took it all")


def test_a_write_that_the_disk_breaks_off_undoes_the_append(path: Path):
    with closing(SqliteStore.open(path)) as store:
        extend(store, STREAM, *ids("old"))
        before = contents(store)
        wal_bytes = path.with_name(f"{path.name}-wal").stat().st_size
        with file_size_limit(wal_bytes + 5000), pytest.raises(StoreUnavailable, match=r"the disk (failed|is full)"):
            extend(store, STREAM, *ids(*range(100, 200)))
        assert contents(store) == before
        extend(store, STREAM, *ids("new"))
        before = contents(store)
    with closing(SqliteStore.open(path)) as store:
        assert contents(store) == before


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Every write beyond `size` bytes into a file fails, as on a disk that has no more room there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_path_that_leads_nowhere_is_named_with_what_to_do(tmp_path: Path):
    with pytest.raises(StoreUnavailable, match=f"its directory does not exist. Create it .mkdir -p {tmp_path}/none"):
        SqliteStore.open(tmp_path / "none" / "tipoff.db")
    with pytest.raises(StoreUnavailable, match="no such file"):
        SqliteStore.open(tmp_path / "tipoff.db", create=False)
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        SqliteStore.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_applications_database_is_refused_and_left_alone(tmp_path: Path):
    foreign = tmp_path / "foreign.db"
    change(foreign, "CREATE TABLE guests(name TEXT)")
    before = foreign.read_bytes()
    with pytest.raises(StoreUnavailable, match="another application"):
        SqliteStore.open(foreign)
    assert foreign.read_bytes() == before


def test_a_newer_schema_asks_for_an_upgrade(path: Path):
    change(path, "PRAGMA user_version = 5")
    with pytest.raises(StoreUnavailable, match=r"schema 5, this one knows 4\)\. Upgrade Tipoff"):
        SqliteStore.open(path)
