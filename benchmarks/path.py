"""From publish to committed decision to published command, on a real broker; and the same path with bare writes.

Ours is the service: streaming pull, intake, dispatcher, publisher. The floor is the same clients doing nothing but what
has to be done: pull, write the bytes, acknowledge; publish bytes, receive them. Both see the same messages at the same
pace. The day's own clock runs beside: a message's publish time is now.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any

from google.cloud.pubsub_v1 import SubscriberClient
from msgspec import Struct

from benchmarks.tipoff import Confirming
from events.store import Store
from events.wire import Delivery
from handlers.dispatcher import Dispatcher, Way
from handlers.intake import Intake
from handlers.pubsub.broker import Broker
from handlers.pubsub.publish import PubsubChannel
from handlers.pubsub.pull import Puller
from handlers.pubsub.wanted import is_topic, sources, subscription_of
from handlers.recorder import Recorder, Tally
from statemachine.definition import Definition

PATIENCE_SECONDS = 120.0
TICK_EVERY = 25
"""Messages between two ticks."""

COMMAND_SHARE = 50
"""The floor publishes a command for every so many messages."""

COMMAND_BYTES = 400


class Spread(Struct, frozen=True, kw_only=True):
    """How long something took, in milliseconds."""

    p50: float
    p99: float
    count: int


class Passage(Struct, frozen=True, kw_only=True):
    """What one way through came to: publish to durable, decision (for the floor: publish call) to a command in the
    consumer's hands, and messages a second."""

    stored: Spread
    commanded: Spread
    per_second: float


class Times:
    """Instants by id, written on many threads, and the waiting for them."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._changed = threading.Condition()

    def note(self, key: str, at: float | None = None) -> None:
        """It happened, now if nothing is said; the first time counts."""
        with self._changed:
            self._at.setdefault(key, perf_counter() if at is None else at)
            self._changed.notify_all()

    def wait_for(self, keys: set[str]) -> None:
        """Wait until all of them happened. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: keys <= self._at.keys(), PATIENCE_SECONDS):
                raise TimeoutError(f"{len(keys - self._at.keys())} of {len(keys)} did not happen")

    def __getitem__(self, key: str) -> float:
        return self._at[key]

    def keys(self) -> set[str]:
        """What has happened."""
        return set(self._at)


def per_second(begins: Times, ends: Times, keys: set[str]) -> float:
    """How many a second, from the first beginning to the last end."""
    return len(keys) / (max(ends[key] for key in keys) - min(begins[key] for key in keys))


def spread(begins: Times, ends: Times, keys: set[str]) -> Spread:
    """How long from the one to the other."""
    took = sorted((ends[key] - begins[key]) * 1e3 for key in keys)
    cuts = quantiles(took, n=100, method="inclusive") if len(took) > 1 else took * 99
    return Spread(p50=cuts[49], p99=cuts[98], count=len(took))


class _Timed(Intake):
    """An intake that notes when each message was durable, and when each command was decided."""

    def __init__(self, recorder: Recorder, clock: Callable[[], datetime]) -> None:
        super().__init__(recorder, clock)
        self.stored, self.decided = Times(), Times()
        self.observers.append(self._decided)

    def deliver(self, delivery: Delivery) -> Future[Tally]:
        """See Intake."""
        future = super().deliver(delivery)
        future.add_done_callback(partial(self._note, delivery.message_id))
        return future

    def _note(self, message_id: str, done: Future[Tally]) -> None:
        if done.exception() is None:
            self.stored.note(message_id)

    def _decided(self, tally: Tally, _seconds: float) -> None:
        for pending in tally.outbox:
            if is_topic(pending.command.topic):
                self.decided.note(pending.command.command_id)


class Clock:
    """The day's own clock; it stands where the last message was published."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Now."""
        return self.now


class Publishing:
    """Publishes the day, at a pace or as fast as the broker takes it."""

    def __init__(self, broker: Broker, clock: Clock) -> None:
        self._broker, self._clock = broker, clock
        self.published = Times()

    def day(self, messages: Sequence[Delivery], pace: float | None, tick: Callable[[], object]) -> set[str]:
        """Publish all; the ids that the broker gave them."""
        ids: set[str] = set()
        never, begin = threading.Event(), perf_counter()
        for index, message in enumerate(messages):
            if pace is not None:
                never.wait(max(0.0, begin + index / pace - perf_counter()))
            self._clock.now = max(self._clock.now, message.published_at)
            if index % TICK_EVERY == 0:
                tick()
            ids.add(self._one(message.topic, message.data, message.attributes))
        return ids

    def _one(self, topic: str, data: bytes, attributes: dict[str, str]) -> str:
        before = perf_counter()
        said = {"data": data, "attributes": attributes}
        answer = self._broker.publisher.api.publish(topic=self._broker.topic(topic), messages=[said], timeout=20)
        (message_id,) = answer.message_ids
        self.published.note(message_id, before)
        return str(message_id)


@contextmanager
def consumer(broker: Broker, topics: Sequence[str]) -> Iterator[Times]:
    """Somebody who reads commands; when each arrived."""
    received = Times()

    def take(message: Any) -> None:
        received.note(message.attributes.get("command_id", ""))
        message.ack()

    with ExitStack() as stack:
        client = stack.enter_context(SubscriberClient())
        for topic in topics:
            name = client.subscription_path(broker.project, f"consumer-{topic}")
            client.create_subscription(name=name, topic=client.topic_path(broker.project, topic))
            stack.callback(client.subscribe(name, take).cancel)
        yield received


def ours(
    store: Store, broker: Broker, definition: Definition, messages: Sequence[Delivery], pace: float | None
) -> Passage:
    """The service's own way."""
    clock = Clock(messages[0].published_at)
    store.due(clock.now)  # a connection's first call is not the path's
    intake = _Timed(Recorder(store, {definition.sport: definition}), clock)
    topics = sorted({spec.topic for phase in definition.phases for spec in phase.commands})
    ways = (
        Way("topics", PubsubChannel.takes, PubsubChannel(broker)),
        Way("rest", lambda _command: True, Confirming()),
    )
    dispatcher = Dispatcher(intake, ways)
    intake.observers.append(lambda tally, _seconds: dispatcher.offer(tally.outbox))
    puller = Puller(intake, broker, sources([definition]))
    with ExitStack() as stack:
        received = stack.enter_context(consumer(broker, topics))
        intake.start()
        stack.callback(intake.stop, 20)
        dispatcher.start()
        stack.callback(dispatcher.stop, 20)
        puller.start()
        stack.callback(puller.stop, 20)
        publishing = Publishing(broker, clock)
        ids = publishing.day(messages, pace, intake.tick)
        intake.stored.wait_for(ids)
        commands = intake.decided.keys()
        received.wait_for(commands)
        return Passage(
            stored=spread(publishing.published, intake.stored, ids),
            commanded=spread(intake.decided, received, commands),
            per_second=per_second(publishing.published, intake.stored, ids),
        )


def bare(
    write: Callable[[str, bytes], None],
    broker: Broker,
    definition: Definition,
    messages: Sequence[Delivery],
    pace: float | None,
) -> Passage:
    """The floor: `write` makes an id and its bytes durable."""
    stored, topic = Times(), definition.phases[-1].commands[0].topic

    def take(message: Any) -> None:
        write(message.message_id, message.data)
        stored.note(message.message_id)
        message.ack()

    with ExitStack() as stack:
        received = stack.enter_context(consumer(broker, [topic]))
        for source in sources([definition]):
            pulling = broker.subscriber.subscribe(broker.subscription(subscription_of(source.topic)), take)
            stack.callback(pulling.result, PATIENCE_SECONDS)
            stack.callback(pulling.cancel)
        publishing, sent = Publishing(broker, Clock(messages[0].published_at)), Times()
        ids = publishing.day(messages, pace, lambda: None)
        stored.wait_for(ids)
        commands = {f"command-{index}" for index in range(0, len(messages), COMMAND_SHARE)}
        for command in sorted(commands):
            sent.note(command)
            said = {"data": b"c" * COMMAND_BYTES, "attributes": {"command_id": command}}
            broker.publisher.api.publish(topic=broker.topic(topic), messages=[said], timeout=20)
        received.wait_for(commands)
        return Passage(
            stored=spread(publishing.published, stored, ids),
            commanded=spread(sent, received, commands),
            per_second=per_second(publishing.published, stored, ids),
        )


@contextmanager
def rows(file: Path) -> Iterator[Callable[[str, bytes], None]]:
    """Bare writes into SQLite: one row, one commit, on the disk."""
    lock = threading.Lock()
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE bare (id TEXT, body BLOB)")

        def write(identity: str, body: bytes) -> None:
            with lock:
                connection.execute("INSERT INTO bare VALUES (?, ?)", (identity, body))

        yield write


@contextmanager
def documents(project: str) -> Iterator[Callable[[str, bytes], None]]:
    """Bare writes into Firestore: one document each."""
    from google.cloud import firestore

    with closing(firestore.Client(project=project)) as client:
        folder = client.collection("bare")
        folder.document("warm").create({})

        def write(identity: str, body: bytes) -> None:
            folder.document(identity).create({"body": body})

        yield write
