"""An export brings every event once, whatever is cut off in between, and misses none that appears late."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.catalogue import CompletionRecorded
from events.memory import MemoryStore
from events.store import Store, Stored, StoreUnavailable
from handlers.warehouse import export
from handlers.warehouse.engine import Batch, Checkpoint, Warehouse, WarehouseRefused
from handlers.warehouse.export import Exported, Exporter, follow, overlap_of
from handlers.warehouse.in_duckdb import DuckDBWarehouse
from handlers.warehouse.rows import INTEGER_MAX, portable
from tests.contract_warehouse import (
    ExportContract,
    Place,
    evaluated,
    evaluations,
    exported,
    store_of,
    wanted,
    wanted_evaluations,
)
from tests.driving import nba
from tests.histories import histories, play
from tests.memory_warehouse import MemoryPlace
from tests.store_events import OTHER, STREAM, commit, extend, ids
from tests.test_warehouse_duckdb import DuckDBPlace


class Crash(Exception):
    """The process is gone."""


class Interrupted:
    """A warehouse in front of which the process dies: at each of the steps in `dies`, before it or behind it."""

    def __init__(self, warehouse: Warehouse, dies: dict[int, str]) -> None:
        self.warehouse = warehouse
        self.dies = dies
        self.steps = 0

    def _step(self, name: str, *values: Any) -> Any:
        self.steps += 1
        when = self.dies.pop(self.steps, "")
        if when == "before":
            raise Crash
        done = getattr(self.warehouse, name)(*values)
        if when == "behind":
            raise Crash
        return done

    def prepare(self) -> None:
        self._step("prepare")

    def checkpoint(self, origin: str) -> Checkpoint:
        found: Checkpoint = self._step("checkpoint", origin)
        return found

    def stage(self, batch: Batch) -> None:
        self._step("stage", batch)

    def merge(self, batch: Batch) -> None:
        self._step("merge", batch)

    def discard(self, batch: Batch) -> None:
        self._step("discard", batch)


class TestInMemory(ExportContract):
    @pytest.fixture
    def place(self) -> MemoryPlace:
        return MemoryPlace()


@given(
    history=histories(nba(), bends_max=6),
    sizes=st.lists(st.integers(1, 120), min_size=1, max_size=4),
    dies=st.dictionaries(st.integers(1, 40), st.sampled_from(["before", "behind"]), max_size=8),
)
@settings(max_examples=60)  # each plays a history
def test_any_history_in_any_batches_with_crashes_anywhere_is_exported_once(
    history: Any, sizes: list[int], dies: dict[int, str]
):
    exported_once(MemoryPlace(), play(history).store, sizes, dies)


@pytest.mark.parametrize("step", range(1, 9))
@pytest.mark.parametrize("when", ["before", "behind"])
def test_a_crash_at_any_step_of_a_real_export_loses_and_doubles_nothing(tmp_path: Path, step: int, when: str):
    store = MemoryStore()
    extend(store, STREAM, *ids(*range(6)))
    exported_once(DuckDBPlace(tmp_path / "warehouse.duckdb"), store, [3], {step: when})


def exported_once(place: Place, store: Store, sizes: list[int], dies: dict[int, str]) -> None:
    """Export `store` by processes that die, each with the next of `sizes`, until one lives: all is there, and once."""
    warehouse: Any = Interrupted(place.warehouse, dict(dies))
    for attempt in range(len(dies) + 1):
        with suppress(Crash):
            Exporter(store, warehouse, batch_events_max=sizes[attempt % len(sizes)]).run()
            break
    assert exported(place) == wanted(store)
    assert evaluations(place) == wanted_evaluations(store)
    assert Exporter(store, place.warehouse).run().events == 0


class LateStore(MemoryStore):
    """A store whose positions are instants of a server: an event may appear after others with later positions."""

    def __init__(self, stored: list[Stored]) -> None:
        super().__init__()
        self.stored = stored
        self.hidden: set[str] = set()

    def read_all(self, *, after: int = 0) -> Iterator[Stored]:
        for item in self.stored:
            if item.position > after and item.hash not in self.hidden:
                yield item


def with_positions(events: int, gaps: list[int]) -> list[Stored]:
    """Events of one stream at growing positions; a gap of 0 gives two events one position."""
    store = MemoryStore()
    store.append([commit(STREAM, *ids(*range(events)))])
    position, found = 0, []
    for stored, gap in zip(store.read_all(), gaps, strict=False):
        position += gap
        found.append(Stored(1000 + position, stored.stream, stored.version, stored.body, stored.hash))
    return found


@given(
    gaps=st.lists(st.integers(0, 9), min_size=4, max_size=14),
    rounds=st.lists(st.tuples(st.integers(1, 14), st.sets(st.integers(1, 13), max_size=4)), min_size=1, max_size=4),
    size=st.integers(1, 6),
    same=st.booleans(),
)
def test_what_appears_late_within_the_overlap_is_exported_too(
    gaps: list[int], rounds: list[tuple[int, set[int]]], size: int, same: bool
):
    everything = with_positions(len(gaps), gaps)
    overlap = everything[-1].position  # later than this nothing appears
    place, store = MemoryPlace(), LateStore([])
    exporter = Exporter(store, place.warehouse, overlap=overlap, batch_events_max=size)
    for visible, late in rounds:
        store.stored = everything[:visible]
        store.hidden = {everything[at].hash for at in late if at < len(everything)}
        exporter.run()
        if not same:
            exporter = Exporter(store, place.warehouse, overlap=overlap, batch_events_max=size)
    store.stored, store.hidden = everything, set()
    exporter.run()

    assert exported(place) == wanted(store)


def test_without_the_overlap_a_late_event_would_be_missed(tmp_path: Path):
    """The rule above is about something: this is what it prevents."""
    place = DuckDBPlace(tmp_path / "warehouse.duckdb")
    store = LateStore(with_positions(5, [1] * 5))
    late = store.stored[2]
    store.hidden = {late.hash}
    Exporter(store, place.warehouse).run()
    store.hidden = set()
    Exporter(store, place.warehouse).run()
    assert len(exported(place)) == 4

    extend_by = 10
    Exporter(store, place.warehouse, overlap=extend_by).run()
    assert exported(place) == wanted(store)


def test_only_positions_that_are_instants_have_an_overlap():
    assert overlap_of("sqlite:tipoff.db") == 0
    assert overlap_of("memory:") == 0
    assert overlap_of("firestore:project") == export.LATE_SECONDS * 1_000_000 * 4096


def test_an_overlap_that_was_seen_in_this_process_is_not_loaded_again(tmp_path: Path):
    place = DuckDBPlace(tmp_path / "warehouse.duckdb")
    store = LateStore(with_positions(6, [1] * 6))
    exporter = Exporter(store, place.warehouse, overlap=1_000_000)
    assert exporter.run().events == 6

    again = exporter.run()
    assert (again.events, again.batches) == (0, 0)
    assert Exporter(store, place.warehouse, overlap=1_000_000).run().events == 6
    assert exported(place) == wanted(store)


def test_a_batch_is_bounded_in_events_and_in_bytes(tmp_path: Path):
    store = MemoryStore()
    extend(store, STREAM, *ids(*range(10)))
    place = DuckDBPlace(tmp_path / "warehouse.duckdb")

    assert Exporter(store, place.warehouse, batch_events_max=4).run().batches == 3
    other = DuckDBWarehouse(tmp_path / "other.duckdb")
    assert Exporter(store, other, batch_bytes_max=1).run().batches == 10


def test_a_day_of_rounds_stays_far_below_the_load_jobs_that_are_allowed():
    rounds = 86_400 // export.ROUND_SECONDS
    assert 2 * rounds < 1_500 / 2


def test_a_round_that_fails_is_told_and_made_up_for(tmp_path: Path):
    store = MemoryStore()
    extend(store, STREAM, *ids(*range(3)))
    place = DuckDBPlace(tmp_path / "warehouse.duckdb")
    exporter = Exporter(store, place.warehouse)
    told: list[Exported] = []
    failed: list[Exception] = []
    outage = iter([True, False, False])
    rounds = iter([True, True, False])

    def run() -> Exported:
        if next(outage):
            raise StoreUnavailable(store="memory:", reason="it is away")
        return exporter.run()

    def wait() -> bool:
        extend(store, OTHER, *ids(("later", len(told), len(failed))))
        return next(rounds)

    follow(run, wait=wait, told=told.append, failed=failed.append)

    assert [type(error) for error in failed] == [StoreUnavailable]
    assert [done.events for done in told] == [4, 1]
    assert len(exported(place)) == 5


def test_an_event_that_cannot_be_read_stops_the_export_and_is_not_passed_over(tmp_path: Path):
    store = evaluated()
    damaged = list(store.read_all())
    damaged[5] = Stored(damaged[5].position, STREAM, 6, b"{}", "f" * 64)
    place = DuckDBPlace(tmp_path / "warehouse.duckdb")

    with pytest.raises(Exception, match="cannot be read"):
        Exporter(LateStore(damaged), place.warehouse).run()
    assert exported(place) == {}


def test_numbers_that_no_warehouse_holds_are_kept_as_text(tmp_path: Path):
    wild = {"big": 10**30, "least": -(10**19), "most": INTEGER_MAX, "deep": [{"n": 2**64}], "small": 7, "yes": True}
    day = evaluated()
    event = next(iter(day.read_all())).event()
    data = CompletionRecorded(phase="raw", published_name="x", status="success", extra=wild)
    changed = type(event)(
        **{name: getattr(event, name) for name in event.__struct_fields__ if name != "data"}, data=data
    )
    place = DuckDBPlace(tmp_path / "warehouse.duckdb")
    Exporter(store_of([[changed]]), place.warehouse).run()

    (row,) = exported(place).values()
    assert row["data"]["extra"] == {
        "big": str(10**30),
        "least": str(-(10**19)),
        "most": INTEGER_MAX,
        "deep": [{"n": str(2**64)}],
        "small": 7,
        "yes": True,
    }
    assert portable(b'{"run":"1234567890123456789012"}') == b'{"run":"1234567890123456789012"}'


def test_tables_of_another_shape_are_refused_with_what_to_look_at(tmp_path: Path):
    store = MemoryStore()
    extend(store, STREAM, *ids(1))
    place = DuckDBPlace(tmp_path / "warehouse.duckdb")
    place.run(["CREATE SCHEMA tipoff", "CREATE TABLE tipoff.events (event_id STRING)"])

    with pytest.raises(WarehouseRefused, match="warehouse ddl") as refused:
        Exporter(store, place.warehouse).run()
    assert refused.value.code == "warehouse_refused"


def test_nothing_is_missed_while_others_append_to_firestore(firestore_host: str, monkeypatch: pytest.MonkeyPatch):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import firestore

    from events.firestore import FirestoreStore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    project = "tipoff-export"
    stores = [FirestoreStore(firestore.Client(project=project, credentials=AnonymousCredentials())) for _ in range(4)]
    place = MemoryPlace()

    def append(number: int) -> None:
        for batch in range(12):
            extend(stores[number], f"nba/2026-01-{number + 10}", *ids((number, batch, 1), (number, batch, 2)))

    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(append, number) for number in range(3)]
        exporter = Exporter(stores[3], place.warehouse, overlap=overlap_of(f"firestore:{project}"), batch_events_max=5)
        while not all(writer.done() for writer in writers):
            exporter.run()
        for writer in writers:
            writer.result()
    exporter.run()

    assert len(exported(place)) == 3 * 12 * 2
    assert exported(place) == wanted(stores[3])
