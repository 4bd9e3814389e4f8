"""The dispatcher: every committed command leaves, under its one id, however channels and instances fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event, Lock
from typing import TypeVar

from events.catalogue import (
    AlertRaised,
    AlertResolved,
    CommandFailed,
    CommandPublished,
    CommandRequested,
    Fact,
    MeasuresObserved,
    SchedulePublished,
)
from events.codec import derive_id
from events.memory import MemoryStore
from events.store import Pending, Store
from events.values import Game, Measure
from handlers.dispatch import Answer, PermanentFailure, Sent, TransientFailure
from handlers.dispatcher import Dispatcher, Way
from handlers.intake import Intake
from handlers.recorder import Recorder
from tests.driving import moment, nba
from tests.waiting import until

T = TypeVar("T")

SOON = (0.01,)
"""Rests between tries, in seconds."""

DAY = "nba/2026-01-16"
EVE = moment("2026-01-16T12:00Z")
RIPE = moment("2026-01-17T11:56Z")
"""The game has been played and nobody reported: alerts, a heal and a look at the box scores are due."""


class Taking:
    """A channel that takes everything, while `failure` is None."""

    def __init__(self, failure: PermanentFailure | TransientFailure | None = None) -> None:
        self.failure = failure
        self.sent: list[Pending] = []
        self.asked = 0

    def send(self, batch: list[Pending]) -> list[Answer]:
        self.asked += len(batch)
        if self.failure is not None:
            return [self.failure for _ in batch]
        self.sent += batch
        return [Sent(message_id=f"m-{pending.command.command_id}") for pending in batch]

    @property
    def ids(self) -> list[str]:
        return [pending.command.command_id for pending in self.sent]


def everything(_command: CommandRequested) -> bool:
    return True


class Running:
    """An intake and a dispatcher on a store, at a clock that a test sets."""

    def __init__(self, store: Store, *ways: Way, sweep_seconds: float = 60) -> None:
        self.now = RIPE
        self.store = store
        self.intake = Intake(Recorder(store, {"nba": nba()}), lambda: self.now)
        self.dispatcher = Dispatcher(self.intake, ways, sweep_seconds=sweep_seconds, retry_seconds=SOON)
        self.intake.observers.append(lambda tally, _seconds: self.dispatcher.offer(tally.outbox))

    def opened(self, stream: str = DAY) -> None:
        """A date whose cycle opens on the next tick."""
        game = Game(game_id="g", start_utc=moment("2026-01-17T00:00Z"))
        identity = derive_id("schedule", stream)
        told = Fact(
            stream=stream, id=identity, occurred_at=RIPE, correlation="s", data=SchedulePublished(games=(game,))
        )
        self.now = EVE
        self.intake.record(lambda _now: [told]).result(10)
        self.now = RIPE
        self.intake.tick().result(10)

    def events(self, kind: type[T]) -> list[T]:
        return [data for stored in self.store.read_all() if isinstance(data := stored.event().data, kind)]


@contextmanager
def running(store: Store, *ways: Way, sweep_seconds: float = 60) -> Iterator[Running]:
    service = Running(store, *ways, sweep_seconds=sweep_seconds)
    with ExitStack() as stack:
        service.intake.start()
        stack.callback(lambda: service.intake.stop(10))
        service.dispatcher.start()
        stack.callback(lambda: service.dispatcher.stop(10))
        yield service


def test_a_command_leaves_when_it_is_committed_and_its_confirmation_is_recorded():
    store, channel = MemoryStore(), Taking()
    with running(store, Way("topics", everything, channel)) as service:
        service.opened()
        until(lambda: channel.sent and not store.pending(), what="an empty outbox")
        requested = [data.command_id for data in service.events(CommandRequested)]
        confirmed = [data.command_id for data in service.events(CommandPublished)]
    assert sorted(channel.ids) == sorted(requested) == sorted(confirmed)


def test_what_a_dead_instance_left_in_the_outbox_leaves_with_the_next_one():
    store, channel = MemoryStore(), Taking()
    dead = Running(store)
    dead.intake.start()
    dead.opened()
    assert dead.intake.stop(10)
    left = [pending.command.command_id for pending in store.pending()]
    assert left

    with running(store, Way("topics", everything, channel)):
        until(lambda: not store.pending(), what="an empty outbox")

    assert channel.ids == left


def test_a_later_sweep_takes_only_what_the_one_before_saw_too():
    store, channel = MemoryStore(), Taking()
    with running(store, Way("topics", everything, channel)) as service:
        until(lambda: service.dispatcher.swept)
        service.intake.observers.clear()  # as if another instance had committed what follows
        service.opened()
        service.dispatcher.sweep()
        assert channel.asked == 0
        service.dispatcher.sweep()
        until(lambda: not store.pending(), what="an empty outbox")


def test_a_channel_that_is_down_pages_once_is_tried_until_it_works_and_then_resolved():
    store, channel = MemoryStore(), Taking(TransientFailure("the broker is down"))
    with running(store, Way("topics", everything, channel)) as service:
        service.opened()
        until(lambda: channel.asked > 20, what="tries")
        channel.failure = None
        until(lambda: not store.pending(), what="an empty outbox")
        until(lambda: service.events(AlertResolved))
        failures = service.events(CommandFailed)
        raised = [data for data in service.events(AlertRaised) if data.cause == "channel_unavailable"]
    assert [(alert.severity, alert.subject) for alert in raised] == [("critical", "topics")]
    assert len(failures) == len({data.command_id for data in failures})
    assert len(channel.ids) == len(set(channel.ids))


def test_a_command_that_can_never_be_sent_is_tried_once():
    store, channel = MemoryStore(), Taking(PermanentFailure("404: no such service"))
    with running(store, Way("topics", everything, channel)) as service:
        service.opened()
        until(lambda: service.events(CommandFailed) and not store.pending(), what="an empty outbox")
        asked = {data.command_id for data in service.events(CommandRequested)}
        assert channel.asked == len(asked)


def test_a_slow_way_holds_up_no_other():
    free = Event()

    class Slow(Taking):
        def send(self, batch: list[Pending]) -> list[Answer]:
            free.wait(20)
            return super().send(batch)

    store, slow, quick = MemoryStore(), Slow(), Taking()
    ways = (
        Way("probes", lambda command: command.kind == "measure", slow),
        Way("topics", lambda command: command.kind != "measure", quick),
    )
    with running(store, *ways) as service:
        service.opened()
        until(lambda: quick.sent, what="a command on the quick way")
        assert slow.sent == []
        assert {pending.command.kind for pending in store.pending()} >= {"measure"}
        free.set()
        until(lambda: not store.pending(), what="an empty outbox")


def test_what_a_channel_learns_comes_back_in_before_the_confirmation():
    class Probe(Taking):
        def send(self, batch: list[Pending]) -> list[Answer]:
            return [
                Sent(message_id="job", facts=(self._fact(pending),)) if pending.command.kind == "measure" else taken
                for pending, taken in zip(batch, super().send(batch), strict=True)
            ]

        @staticmethod
        def _fact(pending: Pending) -> Fact:
            command = pending.command
            data = MeasuresObserved(
                boundary=str(command.payload["boundary"]),
                measures={name: Measure(error="no such table") for name in command.payload["measures"]},
            )
            return Fact(
                stream=pending.stream,
                id=derive_id("measured", command.command_id),
                occurred_at=RIPE,
                correlation=command.command_id,
                data=data,
                actor="probe",
            )

    store, channel = MemoryStore(), Probe()
    with running(store, Way("all", everything, channel)) as service:
        service.opened()
        until(lambda: service.events(MeasuresObserved) and not store.pending(), what="measures")
        asked = {data.command_id for data in service.events(CommandRequested) if data.kind == "measure"}
        told = [stored.event() for stored in store.read(DAY)]
    answers = [
        event.correlation
        for event in told
        if isinstance(event.data, MeasuresObserved | CommandPublished) and event.correlation in asked
    ]
    kinds = [type(event.data) for event in told if event.correlation == answers[0] and event.causation is None]
    assert kinds == [MeasuresObserved, CommandPublished]


def test_two_instances_on_one_store_send_everything_under_one_id_each():
    store, channel, lock = MemoryStore(), Taking(), Lock()

    class Shared:
        def send(self, batch: list[Pending]) -> list[Answer]:
            with lock:
                return channel.send(batch)

    way = Way("topics", everything, Shared())
    with running(store, way, sweep_seconds=0.02) as one, running(store, way, sweep_seconds=0.02) as other:
        for day in range(10, 16):
            (one, other)[day % 2].opened(f"nba/2026-01-{day}")
        until(lambda: not store.pending(), what="an empty outbox")
        requested = {data.command_id for data in one.events(CommandRequested)}
    assert set(channel.ids) == requested


def test_a_command_without_a_way_out_waits():
    store = MemoryStore()
    with running(store, Way("probes", lambda command: command.kind == "measure", Taking())) as service:
        service.opened()
        until(lambda: service.events(CommandPublished))
    assert {pending.command.kind for pending in store.pending()} == {"alert"}


def test_stopping_sends_what_was_offered():
    store, channel = MemoryStore(), Taking()
    with running(store, Way("topics", everything, channel)) as service:
        service.opened()
        assert service.dispatcher.stop(10)
        assert store.pending() == []
        assert service.dispatcher.stop(10)
    assert channel.sent


def test_a_channel_that_waits_for_a_service_holds_up_no_stop():
    class Waiting(Taking):
        def __init__(self) -> None:
            super().__init__()
            self.waits, self.ended = Event(), Event()

        def send(self, batch: list[Pending]) -> list[Answer]:
            self.waits.set()
            return super().send(batch) if self.ended.wait(10) else [TransientFailure("never") for _ in batch]

    store, channel = MemoryStore(), Waiting()
    with running(store, Way("calls", everything, channel, channel.ended.set)) as service:
        service.opened()
        assert channel.waits.wait(10)
        assert service.dispatcher.stop(10)
        assert store.pending() == []


def test_a_channel_that_finds_itself_broken_pages_before_a_command_is_lost_on_it():
    class Testing(Taking):
        wrong: str | None = "no address is set"

        def check(self) -> str | None:
            return self.wrong

    store, channel = MemoryStore(), Testing()
    with running(store, Way("alerts", everything, channel)) as service:
        service.dispatcher.check()
        service.dispatcher.check()
        channel.wrong = None
        service.dispatcher.check()
        service.dispatcher.check()
        raised = [(data.cause, data.subject, data.detail) for data in service.events(AlertRaised)]
        resolved = [(data.cause, data.subject) for data in service.events(AlertResolved)]

    assert raised == [("channel_unavailable", "alerts", "no address is set")]
    assert resolved == [("channel_unavailable", "alerts")]


def test_a_self_test_that_passes_resolves_nothing_while_commands_fail():
    class Testing(Taking):
        def check(self) -> str | None:
            return None

    store, channel = MemoryStore(), Testing(TransientFailure("permission denied"))
    with running(store, Way("topics", everything, channel)) as service:
        service.opened()
        until(lambda: [data for data in service.events(AlertRaised) if data.cause == "channel_unavailable"])
        for _ in range(5):
            service.dispatcher.check()
        pages = [data for data in service.events(AlertRaised) if data.cause == "channel_unavailable"]
        assert service.events(AlertResolved) == []
    assert len(pages) == 1
