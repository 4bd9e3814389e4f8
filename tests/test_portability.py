"""Export and import: every byte comes back, nothing else comes in, and what was cut is never taken for whole."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.store import Commit, Store, StoreUnavailable
from handlers import portability
from handlers.export_format import ExportUnreadable
from handlers.portability import Copied, StoreConflict, check_export, export_file, export_store, import_store
from handlers.recorder import Recorder
from handlers.verification import verify
from tests.command_line import NOON, evening, tipoff
from tests.driving import nba
from tests.histories import History, histories, play

HISTORIES = st.deferred(lambda: histories(nba()))


def exported(store: Store) -> bytes:
    out = io.BytesIO()
    export_store(store, out.write)
    return out.getvalue()


def imported(data: bytes, store: Store) -> Copied:
    file = io.BytesIO(data)
    checked = check_export(file, source="export")
    file.seek(0)
    return import_store(store, file, checked, fallback={"nba": nba()})


def held(store: Store) -> object:
    """All that a store holds: events in their order, heads, and the outbox."""
    pending = sorted(store.pending(), key=lambda item: item.command.command_id)
    return [(item.stream, item.body, item.hash) for item in store.read_all()], list(store.heads()), pending


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An export of a store with a date, its control stream and an unsettled outbox."""
    name = evening(tmp_path_factory.mktemp("evening"))
    ran = tipoff("export", "--store", name)
    assert ran.code == 0
    return ran.out.encode()


@given(history=HISTORIES)
@settings(max_examples=15)
def test_an_import_of_an_export_holds_what_the_store_held_and_exports_the_same_bytes(history: History):
    store, copy = play(history).store, MemoryStore()
    data = exported(store)

    copied = imported(data, copy)

    assert held(copy) == held(store)
    assert exported(copy) == data
    assert copied.known == 0
    assert copied.pending == len(store.pending())
    assert verify(copy).clean


def test_sqlite_and_memory_export_the_same_bytes(week: bytes, tmp_path: Path):
    with closing(SqliteStore.open(tmp_path / "copy.db")) as store:
        imported(week, store)
        assert exported(store) == week
        assert verify(store).clean


def test_a_second_import_changes_nothing(week: bytes):
    store = MemoryStore()
    first = imported(week, store)
    before = held(store)
    second = imported(week, store)
    assert held(store) == before
    assert second.known == second.events == first.events


class Failing(MemoryStore):
    """A store whose process dies at an append."""

    def __init__(self, appends: int) -> None:
        super().__init__()
        self.left = appends

    def append(self, commits: Sequence[Commit]) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        super().append(commits)


@pytest.mark.parametrize("appends", [0, 1, 3])
def test_an_import_that_was_interrupted_goes_on_where_it_ended(week: bytes, appends: int):
    store = Failing(appends)
    with pytest.raises(KeyboardInterrupt):
        imported(week, store)
    done = len(list(store.read_all()))
    store.left = -1

    copied = imported(week, store)

    assert copied.known == done
    assert exported(store) == week
    assert verify(store).clean


def test_an_import_commits_in_bounded_batches(week: bytes):
    sizes = []

    class Noting(MemoryStore):
        def append(self, commits: Sequence[Commit]) -> None:
            sizes.append(sum(len(commit.events) for commit in commits))
            super().append(commits)

    imported(week, Noting())
    assert max(sizes) <= portability.BATCH_EVENTS_MAX


def test_a_store_with_another_history_is_refused_and_left_alone(week: bytes, tmp_path: Path):
    name = evening(tmp_path, until="2026-01-18T07:00:00Z")
    with closing(SqliteStore.open(tmp_path / "tipoff.db")) as store:
        before = held(store)
        with pytest.raises(StoreConflict, match="another history"):
            imported(week, store)
        assert held(store) == before
    ran = tipoff("import", _file(tmp_path / "week.jsonl", week), "--store", name)
    assert ran.code == 64
    assert "Name an empty store" in ran.err


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# --- what is not a whole export -----------------------------------------------------------------------------------


@given(data=st.data())
@settings(max_examples=60)
def test_an_export_that_was_cut_is_never_imported(week: bytes, data: st.DataObject):
    end = data.draw(st.integers(0, len(week) - 1))
    with pytest.raises(ExportUnreadable):
        imported(week[:end], Untouchable())


class Untouchable(MemoryStore):
    """A store that must not be written."""

    def append(self, commits: Sequence[Commit]) -> None:
        raise AssertionError("nothing may be stored")


@given(data=st.data())
@settings(max_examples=60)
def test_an_export_that_was_changed_is_never_imported(week: bytes, data: st.DataObject):
    place = data.draw(st.integers(0, len(week) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != week[place]))
    with pytest.raises(ExportUnreadable):
        imported(week[:place] + bytes([other]) + week[place + 1 :], Untouchable())


@given(data=st.data())
@settings(max_examples=30)
def test_lines_that_were_moved_doubled_or_left_out_are_found(week: bytes, data: st.DataObject):
    lines = week.splitlines(keepends=True)
    place, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    changed = data.draw(
        st.sampled_from(
            [
                lines[:place] + lines[place + 1 :],
                [*lines[:place], lines[place], *lines[place:]],
                [*lines[:place], lines[other], *lines[place + 1 :]] if place != other else lines[:-1],
                [*lines, b"\n"],
            ]
        )
    )
    with pytest.raises(ExportUnreadable):
        imported(b"".join(changed), Untouchable())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ends here"),
        (b"game_date,games\n", "not the first line of an export"),
        (b'{"format":"tipoff-export","format_version":9,"events":0,"streams":0}\n', "tipoff-export 9, not known"),
        (b"\xff\xfe\n", "not the first line of an export"),
    ],
)
def test_another_kind_of_file_is_refused_with_its_line(tmp_path: Path, data: bytes, reason: str):
    file = _file(tmp_path / "file", data)
    ran = tipoff("import", file, "--store", f"sqlite:{tmp_path / 'new.db'}")
    assert ran.code == 65
    assert f"{file}:1" in ran.err
    assert reason in ran.err
    assert not (tmp_path / "new.db").exists()


# --- files --------------------------------------------------------------------------------------------------------


def test_an_export_appears_whole_or_not_at_all_and_replaces_nothing_unasked(week: bytes, tmp_path: Path):
    store = MemoryStore()
    imported(week, store)
    path = _file(tmp_path / "export.jsonl", b"mine")
    with pytest.raises(FileExistsError):
        export_file(store, path, replace=False)
    store.close()
    with pytest.raises(StoreUnavailable):
        export_file(store, path, replace=True)
    assert [item.read_bytes() for item in tmp_path.iterdir()] == [b"mine"]


def test_an_export_ends_where_the_store_stood_when_it_began(week: bytes):
    store = MemoryStore()
    imported(week, store)
    out = io.BytesIO()

    def write(data: bytes) -> None:
        if not out.getvalue():  # somebody else appends while the first line is written
            assert Recorder(store, {"nba": nba()}).tick(NOON).events
        out.write(data)

    export_store(store, write)
    assert out.getvalue() == week
    assert exported(store) != week
