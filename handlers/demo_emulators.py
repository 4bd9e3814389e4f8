"""The demo on Google's emulators: the same week, the same rules, with Pub/Sub and Firestore in between as in the cloud.

Topics are made from the definition, each message is published to its topic and pulled from its subscription, its events
go to Firestore, commands are published. A broker stamps messages with ids and instants of its own, so those of the
recording travel as attributes and are put back on arrival; the puller is that of the service, and only the door behind
it is the demo's. A message is acknowledged when its events are stored. At the end they are copied into the store of
the demo's folder, where they can be looked at when the emulators are gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from datetime import datetime
from threading import Condition

import msgspec
from google.pubsub_v1.types import PubsubMessage

from events.catalogue import Fact
from events.store import Pending, Store
from events.wire import Delivery, from_line
from handlers.demo_play import Files, Road, fresh_store
from handlers.dispatch import Answer, Channel
from handlers.emulators import FIRESTORE, PUBSUB, command, running
from handlers.lines import Line
from handlers.portability import check_export, export_file, import_store
from handlers.pubsub.broker import Broker
from handlers.pubsub.drift import plan
from handlers.pubsub.project import existing, take
from handlers.pubsub.publish import PubsubChannel, publish
from handlers.pubsub.pull import Puller
from handlers.pubsub.wanted import native_topic, sources, wanted
from handlers.recorder import Tally
from handlers.stores import open_store
from statemachine.definition import Definition

PROJECT = "tipoff-demo"

TOPIC, MESSAGE_ID, PUBLISHED_AT = "recorded-topic", "recorded-message-id", "recorded-publish-time"
"""Attributes that carry what the recording says of a message."""

ARRIVAL_SECONDS = 60.0
"""How long a published message may take to arrive."""

STOP_SECONDS = 10.0


@contextmanager
def emulated(files: Files, definition: Definition) -> Iterator[tuple[Store, Road]]:
    """A store in the Firestore emulator and the way through the Pub/Sub emulator, both new. At the end the events are
    copied into `files.store`. Raises EmulatorMissing, PubsubUnavailable, StoreUnavailable, OSError."""
    with ExitStack() as stack:
        copy = stack.enter_context(fresh_store(files))
        folder = files.store.parent
        hosts = {}
        for emulator in (FIRESTORE, PUBSUB):
            log = folder / f"{emulator.variable.partition('_')[0].lower()}.log"
            hosts[emulator.variable] = stack.enter_context(running(command(emulator), log))
        stack.enter_context(environment(hosts))
        broker = Broker(PROJECT)
        stack.callback(broker.close)
        goal = wanted([definition])
        for step in plan(goal, existing(broker, goal)).steps:
            take(broker, step)
        store = stack.enter_context(open_store(f"firestore:{PROJECT}", create=True))
        with pulled(broker, definition) as road:
            yield store, road
        _copy(store, copy, files, definition)


@contextmanager
def environment(names: Mapping[str, str]) -> Iterator[None]:
    """These names in the environment of the process, where Google's clients look for emulators."""
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def pulled(broker: Broker, definition: Definition) -> Iterator[Road]:
    """The way of messages and commands through the broker."""
    door = Door()
    topics = sources([definition])
    puller = Puller(door, broker, topics)
    puller.start()
    try:
        yield Through(broker, door, frozenset(source.topic for source in topics), native_topic(definition.sport))
    finally:
        puller.stop(STOP_SECONDS)


class Door:
    """Where the puller brings messages. They wait for the demo, which takes each at the instant it was published at."""

    def __init__(self) -> None:
        self._arrived: dict[str, tuple[Delivery, Future[Tally]]] = {}
        self._changed = Condition()

    def deliver(self, delivery: Delivery) -> Future[Tally]:
        """Take a message; the future resolves with `settle`. One that comes again is the same."""
        with self._changed:
            number = delivery.attributes.get(MESSAGE_ID, delivery.message_id)
            _delivery, stored = self._arrived.setdefault(number, (delivery, Future()))
            self._changed.notify_all()
            return stored

    def record(self, facts: Callable[[datetime], Sequence[Fact]]) -> Future[Tally]:
        """What the puller notes about itself is not of that week."""
        done: Future[Tally] = Future()
        done.set_result(Tally())
        return done

    def wait(self, number: str) -> Delivery:
        """The message of that number, once it is there. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: number in self._arrived, ARRIVAL_SECONDS):
                raise TimeoutError(f"message {number} was published and did not arrive within {ARRIVAL_SECONDS:g} s")
            return self._arrived[number][0]

    def settle(self, number: str) -> None:
        """The message of that number is stored: it may be acknowledged."""
        self._arrived[number][1].set_result(Tally())


class Through:
    """Messages and commands go through the broker (see Road)."""

    def __init__(self, broker: Broker, door: Door, topics: frozenset[str], otherwise: str) -> None:
        """Messages of other than `topics`, such as documents, are published to the topic `otherwise`."""
        self._broker, self._door = broker, door
        self._topics, self._otherwise = topics, otherwise
        self._taken: list[str] = []

    def bring(self, said: Line) -> Line:
        """Publish a line of the recording, and give the line that arrives."""
        message = from_line(said.data)
        around = {TOPIC: message.topic, MESSAGE_ID: message.message_id, PUBLISHED_AT: message.published_at.isoformat()}
        topic = message.topic if message.topic in self._topics else self._otherwise
        publish(self._broker, topic, [PubsubMessage(data=message.data, attributes=message.attributes | around)])
        arrived = self._door.wait(message.message_id)
        self._taken.append(message.message_id)
        return recorded_line(arrived)

    def settle(self) -> None:
        """What was brought is stored."""
        for number in self._taken:
            self._door.settle(number)
        self._taken = []

    def out(self, file: Channel) -> Channel:
        """The way of commands: to topics, and what is no message to `file`."""
        return Forked(PubsubChannel(self._broker), file)


class Forked:
    """Sends commands to topics through one channel and the rest through another (see Channel)."""

    def __init__(self, topics: PubsubChannel, rest: Channel) -> None:
        self._topics, self._rest = topics, rest

    def send(self, batch: list[Pending]) -> list[Answer]:
        """See Channel."""
        published = [item for item in batch if self._topics.takes(item.command)]
        rest = [item for item in batch if not self._topics.takes(item.command)]
        answers = dict(zip(map(_id, published), self._topics.send(published), strict=True))
        answers |= dict(zip(map(_id, rest), self._rest.send(rest), strict=True))
        return [answers[_id(item)] for item in batch]


def recorded_line(arrived: Delivery) -> Line:
    """The line of the recording that a message carries."""
    attributes = dict(arrived.attributes)
    topic, number, at = (attributes.pop(name) for name in (TOPIC, MESSAGE_ID, PUBLISHED_AT))
    message = {"messageId": number, "publishTime": at, "attributes": attributes, "data": arrived.data}
    data = msgspec.json.encode({"topic": topic, "message": message})
    return Line(data, len(data))


def _id(pending: Pending) -> str:
    return pending.command.command_id


def _copy(store: Store, copy: Store, files: Files, definition: Definition) -> None:
    path = files.store.parent / "events.jsonl"
    export_file(store, path, replace=True)
    with path.open("rb") as file:
        checked = check_export(file, source=path.name)
    with path.open("rb") as file:
        import_store(copy, file, checked, fallback={definition.sport: definition})
