"""A repair that could not be sent is not lost: over restarts, on the real store, dispatcher and ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from events.catalogue import CommandFailed, CommandPublished, HealResolved, OperatorActed, SchedulePublished
from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.store import Pending, Store
from events.values import Game
from handlers.dispatch import PermanentFailure
from handlers.dispatcher import Dispatcher, Way
from handlers.intake import Intake
from handlers.outbound.breakers import SharedBreakers, of, through
from handlers.outbound.client import OutboundClient
from handlers.outbound.services import HttpChannel, takes
from handlers.outbound.wanted import judged_already
from handlers.recorder import Recorder
from tests.driving import moment, nba
from tests.outbound import Says, SteppedTime, service
from tests.scenes import DATE, House
from tests.waiting import until

T = TypeVar("T")

EVE = moment("2026-01-16T12:00Z")
SOON = (0.01,)
RERUN = OperatorActed(command="heal", target="rerun_precompute", reason="the tables are empty")
SCHEDULE = SchedulePublished(games=(Game(game_id="g", start_utc=moment("2026-01-17T00:00Z")),))


@contextmanager
def instance(store: Store, address: str, time: SteppedTime) -> Iterator[Intake]:
    """A running instance whose only way out is HTTP."""
    intake = Intake(Recorder(store, {"nba": nba()}), time.now)
    asking = through(intake)
    client = OutboundClient(nba().client, SharedBreakers(asking), time)
    channel = HttpChannel(client, {"phase4": address}, unwanted=judged_already(asking))
    ways = [Way("http", lambda command: takes(command.topic), channel)]
    dispatcher = Dispatcher(intake, ways, retry_seconds=SOON)
    with ExitStack() as stack:
        stack.enter_context(closing(channel))
        intake.start()
        stack.callback(lambda: intake.stop(10))
        dispatcher.start()
        stack.callback(lambda: dispatcher.stop(10))
        yield intake


def wanting(store: Store) -> list[Pending]:
    """Ask for a repair; its command waits in the outbox."""
    house = House(store)
    house.give(SCHEDULE, EVE)
    house.give(RERUN, EVE)
    return [pending for pending in store.pending() if takes(pending.command.topic)]


def found(store: Store, kind: type[T]) -> list[T]:
    return [data for stored in store.read_all() if isinstance(data := stored.event().data, kind)]


def test_a_repair_that_a_service_did_not_take_is_sent_by_the_next_instance_under_the_same_key(tmp_path: Path):
    file, time = tmp_path / "tipoff.db", SteppedTime(EVE)
    with service(Says(503), time=time) as served:
        with closing(SqliteStore.open(file)) as store:
            [asked_for] = wanting(store)
            with instance(store, served.address, time):
                until(lambda: served.asked, what="a try")
        served.script[:] = [Says(202)]
        time.forward(nba().client.breaker_open_seconds)
        with closing(SqliteStore.open(file)) as store, instance(store, served.address, time):
            until(lambda: not any(takes(p.command.topic) for p in store.pending()), what="an empty outbox")

    with closing(SqliteStore.open(file)) as store:
        confirmed = [data.command_id for data in found(store, CommandPublished)]
    keys = {asked.headers["Idempotency-Key"] for asked in served.asked}
    assert keys == {asked_for.command.command_id} == set(confirmed)


def test_a_service_that_stays_away_is_hardly_called_and_fills_no_history():
    store, time = MemoryStore(), SteppedTime(EVE)
    with service(Says(503), time=time) as served:
        wanting(store)
        with instance(store, served.address, time):
            until(lambda: any("breaker is open" in data.error for data in found(store, CommandFailed)), what="open")
            calls = len(served.asked)

    assert calls == nba().client.breaker_threshold
    assert len(found(store, CommandFailed)) <= 3, "one for each way to fail, however often it was tried"


def test_a_repair_that_was_judged_before_it_could_be_sent_is_not_sent_and_exhausts_nothing():
    house = House()
    [pending] = wanting(house.store)
    unwanted = judged_already(of(house.recorder))
    assert unwanted(pending) is None

    later = _judged(house)
    why = unwanted(pending)
    house.broken = PermanentFailure(f"not sent: {why}")
    house.flush(later)

    assert why == "attempt 1 was judged no_effect before"
    assert not house.state.heals["rerun_precompute"].permanent
    assert [pending for pending in house.store.pending() if takes(pending.command.topic)] == []


def _judged(house: House) -> datetime:
    """An hour later nothing has come."""
    later = EVE + timedelta(hours=1)
    house.recorder.tick(later)
    resolved = [event.data.outcome for event in house.events(DATE) if isinstance(event.data, HealResolved)]
    assert resolved == ["no_effect"]
    return later
