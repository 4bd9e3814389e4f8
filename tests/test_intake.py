"""The intake: acknowledged means durable, whoever sends, whatever goes wrong beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import (
    AlertRaised,
    AlertResolved,
    CompletionRecorded,
    ComponentObserved,
    Fact,
    MessageRejected,
    OperatorActed,
)
from events.codec import derive_id
from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.store import Store, StoreUnavailable
from events.wire import Unreadable
from handlers import intake as door
from handlers.intake import Intake, IntakeClosed, IntakeFull
from handlers.recorder import Recorder, Tally
from statemachine.operators import CommandNotAllowed
from tests.driving import nba
from tests.waiting import until
from tests.wire_messages import delivery, v2

NOW = datetime(2026, 1, 20, 12, 0, tzinfo=UTC)
DATE = "nba/2026-01-19"


@contextmanager
def running(store: Store, clock: door.Clock = lambda: NOW) -> Iterator[Intake]:
    intake = Intake(Recorder(store, {"nba": nba()}), clock)
    intake.start()
    try:
        yield intake
    finally:
        assert intake.stop(10)


def runs(store: Store) -> list[str | None]:
    events = [stored.event().data for stored in store.read(DATE)]
    return [data.run for data in events if isinstance(data, CompletionRecorded)]


def occupy(intake: Intake, free: Event) -> None:
    """Keep the recording thread until `free` is set."""
    busy = Event()

    def question(_recorder: Recorder) -> None:
        busy.set()
        free.wait(10)

    intake.ask(question)
    assert busy.wait(10)


def operator(command: str, target: str | None = None) -> Fact:
    data = OperatorActed(command=command, reason="because", target=target)  # type: ignore[arg-type]
    identity = derive_id("test", command, str(target))
    return Fact(stream=DATE, id=identity, occurred_at=NOW, correlation="operator", data=data, actor="ada")


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40), st.integers(1, 4))
def test_whatever_many_threads_send_and_repeat_is_stored_once_and_before_it_is_acknowledged(sent, threads):
    store = MemoryStore()

    def send(item: tuple[int, bool]) -> bool:
        run, renamed = item
        message = delivery(v2(execution_id=f"run-{run}"), message_id=f"m-{run}-{renamed}")
        intake.deliver(message).result(10)
        return f"run-{run}" in runs(store)

    with running(store) as intake, ThreadPoolExecutor(threads) as pool:
        there = list(pool.map(send, sent))

    assert all(there)
    assert sorted(map(str, runs(store))) == sorted({f"run-{run}" for run, _ in sent})
    assert [stored.version for stored in store.read(DATE)] == list(range(1, len(list(store.read(DATE))) + 1))


def test_what_arrives_during_a_commit_commits_together():
    store, free = MemoryStore(), Event()
    with running(store) as intake:
        sizes: list[int] = []
        intake.observers.append(lambda tally, _seconds: sizes.append(tally.accepted))
        occupy(intake, free)
        waiting = [intake.deliver(delivery(v2(execution_id=f"run-{n}"), message_id=f"m-{n}")) for n in range(20)]
        assert intake.waiting == 20
        free.set()
        assert {future.result(10).accepted for future in waiting} == {20}
    assert sizes == [20]


def test_a_broken_envelope_is_stored_with_its_bytes():
    store = MemoryStore()
    with running(store) as intake:
        error = Unreadable(code="not_json", reason="it is no JSON", next_step="Send JSON.")
        assert intake.refuse(b"\xff not json", error).result(10).rejected == 1
    (rejected,) = [s.event().data for s in store.read_all() if isinstance(s.event().data, MessageRejected)]
    assert isinstance(rejected, MessageRejected)
    assert (rejected.code, rejected.size) == ("not_json", 10)


def test_a_store_that_cannot_be_written_acknowledges_nothing_and_takes_it_all_afterwards(tmp_path: Path):
    path = tmp_path / "tipoff.db"
    with closing(SqliteStore.open(path, busy_seconds=0)) as store, running(store) as intake:
        intake.deliver(delivery(v2(execution_id="before"))).result(10)
        message = delivery(v2(execution_id="during"), message_id="m-2")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable):
                intake.deliver(message).result(10)
            assert runs(store) == ["before"]
            assert intake.outage is not None
            other.execute("ROLLBACK")
        intake.deliver(message).result(10)
        assert runs(store) == ["before", "during"]
        until(lambda: intake.outage is None)


def test_an_outage_of_the_store_becomes_history_as_soon_as_there_is_one_again(tmp_path: Path):
    path, times = tmp_path / "tipoff.db", [NOW]
    with closing(SqliteStore.open(path, busy_seconds=0)) as store, running(store, lambda: times[-1]) as intake:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for minute in (0, 1, 44):
                times.append(NOW + timedelta(minutes=minute))
                with pytest.raises(StoreUnavailable):
                    intake.deliver(delivery(v2())).result(10)
            other.execute("ROLLBACK")
        times.append(NOW + timedelta(minutes=45))
        intake.deliver(delivery(v2())).result(10)
        intake.ask(lambda _recorder: None).result(10)
        told = [stored.event() for stored in store.read("nba/control")]
    alerts = [event.data for event in told if isinstance(event.data, AlertRaised)]
    assert [(alert.cause, alert.severity) for alert in alerts] == [("store_unavailable", "critical")]
    assert alerts[0].detail.startswith("nothing was stored for 45 min")
    assert [type(event.data) for event in told[-2:]] == [ComponentObserved, AlertResolved]


def test_a_command_that_the_state_refuses_takes_nobody_else_with_it():
    store, free = MemoryStore(), Event()
    with running(store) as intake:
        occupy(intake, free)
        one = intake.deliver(delivery(v2(execution_id="one")))
        refused = intake.record(lambda _now: [operator("resume")])
        other = intake.deliver(delivery(v2(execution_id="other"), message_id="m-2"))
        free.set()
        assert one.result(10).accepted == other.result(10).accepted == 1
        with pytest.raises(CommandNotAllowed):
            refused.result(10)
    assert runs(store) == ["one", "other"]


def test_an_observer_that_fails_stops_no_recording():
    def fail(_tally: Tally, _seconds: float) -> None:
        raise RuntimeError("out of order")

    store, told = MemoryStore(), list[Tally]()
    with running(store) as intake:
        intake.observers += [fail, lambda tally, _seconds: told.append(tally)]
        for run in ("one", "two"):
            intake.deliver(delivery(v2(execution_id=run), message_id=run)).result(10)
        intake.tick().result(10)
    assert runs(store) == ["one", "two"]
    assert len(told) == 3


def test_a_flood_is_refused_at_once_and_what_was_taken_is_stored(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(door, "WAITING_MAX", 3)
    store, free = MemoryStore(), Event()
    with running(store) as intake:
        occupy(intake, free)
        taken = [intake.deliver(delivery(v2(execution_id=f"run-{n}"), message_id=f"m-{n}")) for n in range(3)]
        with pytest.raises(IntakeFull, match="more than 3 arrivals"):
            intake.deliver(delivery(v2(execution_id="more"), message_id="m-more"))
        free.set()
        for future in taken:
            future.result(10)
    assert runs(store) == ["run-0", "run-1", "run-2"]


def test_a_stopped_intake_finishes_what_it_took_and_takes_no_more():
    store, free = MemoryStore(), Event()
    with running(store) as intake:
        occupy(intake, free)
        taken = intake.deliver(delivery(v2(execution_id="taken")))
        assert intake.stop(0) is False
        with pytest.raises(IntakeClosed):
            intake.deliver(delivery(v2(execution_id="late"), message_id="m-2"))
        free.set()
        assert intake.stop(10)
        assert taken.done()
    assert runs(store) == ["taken"]


def test_whoever_stops_waiting_undoes_nothing():
    store, free = MemoryStore(), Event()
    with running(store) as intake:
        occupy(intake, free)
        gone = intake.deliver(delivery(v2(execution_id="gone")))
        assert gone.cancel() is False
        free.set()
        until(lambda: runs(store) == ["gone"])
        intake.deliver(delivery(v2(execution_id="next"), message_id="m-2")).result(10)
    assert runs(store) == ["gone", "next"]


def test_a_clock_that_jumps_back_takes_no_history_with_it():
    store, times = MemoryStore(), iter([NOW, NOW - timedelta(hours=3), NOW + timedelta(minutes=1)])
    with running(store, lambda: next(times)) as intake:
        for n in range(3):
            intake.deliver(delivery(v2(execution_id=f"run-{n}"), message_id=f"m-{n}")).result(10)
    recorded = [stored.event().recorded_at for stored in store.read(DATE)]
    assert recorded == sorted(recorded)
    assert recorded[-1] == NOW + timedelta(minutes=1)
