"""An append is there whole or not at all, whatever breaks it off and wherever (design 7), for the SQLite store."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.store import Commit, DuplicateEvent, Store, StoreUnavailable
from tests.store_events import (
    OTHER,
    STREAM,
    Contents,
    command,
    commit,
    contents,
    crash_image,
    extend,
    ids,
    minutes,
    open_merging,
    wal_of,
)

MERGE_NOW, MERGE_LATER = 6, 1000


def given_some_history(store: Store) -> list[Commit]:
    """A store with two events and a command; and an append that touches every table: a known and a new stream, a
    command asked for, one settled."""
    store.append([commit(STREAM, *ids(1, 2), deadline=minutes(1), outbox=[command("a")])])
    settled = [command("a").command_id]
    known = commit(STREAM, *ids(3, 4), onto=store.head(STREAM), outbox=[command("b")], settled=settled)
    return [known, commit(OTHER, *ids(5, 6), deadline=minutes(9))]


def reopened(image: Path) -> Contents:
    with closing(SqliteStore.open(image, create=False)) as store:
        return contents(store)


@pytest.mark.parametrize("fresh_ids_max", [MERGE_LATER, MERGE_NOW])
def test_a_kill_before_any_statement_of_an_append_leaves_nothing_of_it(tmp_path: Path, fresh_ids_max: int):
    path = tmp_path / "tipoff.db"
    store, connection = open_merging(path, fresh_ids_max=fresh_ids_max)
    with closing(store):
        appended = given_some_history(store)
        before = contents(store)
        images: list[Path] = []
        connection.set_trace_callback(lambda _: images.append(crash_image(path, tmp_path / str(len(images)))))
        store.append(appended)
        connection.set_trace_callback(None)
        after = contents(store)
        survived = crash_image(path, tmp_path / "acknowledged")

    assert len(images) > 10
    assert [reopened(image) == before for image in images] == [True] * len(images)
    assert reopened(survived) == after != before


@pytest.mark.parametrize("fresh_ids_max", [MERGE_LATER, MERGE_NOW])
@pytest.mark.parametrize("failures", [1, 2, 1000])
def test_a_failure_at_any_step_of_an_append_undoes_it_and_the_store_goes_on(
    tmp_path: Path, fresh_ids_max: int, failures: int
):
    """Steps are those of SQLite's virtual machine; its last one comes when the commit is done. More failures than one
    break off the rollback as well."""
    model = MemoryStore()
    appended = given_some_history(model)
    before = contents(model)
    model.append(appended)
    after = contents(model)

    store, connection = open_merging(tmp_path / "tipoff.db", fresh_ids_max=fresh_ids_max)
    with closing(store):
        given_some_history(store)
        broken_off = 0
        while contents(store) == before:
            break_off(store, connection, appended, range(broken_off, broken_off + failures))
            broken_off += 1
        assert broken_off > 100
        assert contents(store) == after
        with pytest.raises(DuplicateEvent):
            extend(store, OTHER, *ids(5))
        extend(store, OTHER, *ids(7))


def break_off(store: Store, connection: sqlite3.Connection, commits: Sequence[Commit], steps: range) -> None:
    """Append while every one of `steps` fails."""
    step = count()
    connection.set_progress_handler(lambda: next(step) in steps, 1)
    with pytest.raises(StoreUnavailable, match="SQLITE_INTERRUPT"):
        store.append(commits)
    connection.set_progress_handler(None, 1)


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int, Contents, Contents]:
    """A store whose log grew by one append: where it is, the log's length before and after, the contents likewise."""
    path = tmp_path_factory.mktemp("torn") / "tipoff.db"
    with closing(SqliteStore.open(path)) as store:
        appended = given_some_history(store)
        before, start = contents(store), len(wal_of(path))
        store.append(appended)
        image = crash_image(path, path.parent / "image")
        return image, start, len(wal_of(path)), before, contents(store)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(share=st.floats(0, 1))
def test_a_log_torn_within_an_append_loses_that_append_and_no_other(
    torn: tuple[Path, int, int, Contents, Contents], tmp_path: Path, share: float
):
    image, start, end, before, after = torn
    kept = start + int(share * (end - start))
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    assert reopened(crash_image(image, folder, wal_bytes=kept)) == (after if kept == end else before)
