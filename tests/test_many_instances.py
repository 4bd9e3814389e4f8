"""Many instances on one Firestore and one Pub/Sub, killed at random while the store fails for a while: nothing is lost,
nothing is decided twice, and what they came to together is what one would have come to.

The storm is small here and as long as one likes with TIPOFF_SOAK_ROUNDS (`make soak`).
"""

from __future__ import annotations

import base64
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import httpx
import pytest
from google.api_core.exceptions import DeadlineExceeded
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from msgspec import Struct
from msgspec.structs import replace

from events.catalogue import CommandRequested, CompletionRecorded, Data, Fact, is_input
from events.codec import encode
from events.memory import MemoryStore
from events.store import Store
from events.wire import Delivery, Routing, from_line, read
from handlers.definitions import load
from handlers.ingest import routing_of
from handlers.pubsub.wanted import is_topic, sources, subscription_of
from handlers.recorder import Recorder
from handlers.stores import open_store
from handlers.verification import verify
from statemachine.definition import Definition
from tests.command_line import tipoff
from tests.fleet import Fleet, fleet
from tests.proxy import Proxy, proxied
from tests.waiting import until

ROUNDS = int(os.environ.get("TIPOFF_SOAK_ROUNDS", "1"))
INSTANCES = 3
TURNS = 9
"""How often something is done to the fleet in a round, however fast or slow the machine is."""

SENDERS = 8

OUTAGE_SECONDS = 4.0
DUPLICATE_SHARE = 0.15
PUSHED_SHARE = 0.5
SILENCE_SECONDS = 2.0
"""A subscription that gives nothing for so long is empty."""

REORDERED_WITHIN = 40
"""Messages that may overtake each other."""

LAST_DATE = date(2026, 1, 19)
DATES = re.compile(rb"2026-01-[0-3][0-9]|202601[0-3][0-9]")

PROJECT = "tipoff-fleet"
PATIENCE_SECONDS = 240.0
LEASE_SECONDS = 10
"""The shortest that Pub/Sub knows: so long a killed instance keeps its messages. Those that run out of attempts are
replayed."""


class Sent(Struct):
    """A message that was sent: as the service will have seen it, `message_id` and all."""

    delivery: Delivery
    pushed: bool


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[Delivery]:
    """The recorded week, as far as it came over Pub/Sub topics, moved to last week."""
    folder = tmp_path_factory.mktemp("week")
    demo = tipoff("demo", "--directory", folder, "--json")
    assert demo.code in (0, 1, 2), demo.err
    lines = (folder / "messages.jsonl").read_bytes().splitlines()
    return [lately(delivery) for delivery in map(from_line, lines) if is_topic(delivery.topic)]


def lately(message: Delivery) -> Delivery:
    """The message as if its week had ended yesterday: what is older than a week is nobody's but a person's."""
    later = datetime.now(UTC).date() - timedelta(days=1) - LAST_DATE

    def moved(found: re.Match[bytes]) -> bytes:
        text = found[0].decode()
        day = date.fromisoformat(text) + later
        return (day.isoformat() if "-" in text else f"{day:%Y%m%d}").encode()

    return replace(message, data=DATES.sub(moved, message.data), published_at=message.published_at + later)


@pytest.fixture
def environ(
    firestore_host: str, pubsub_host: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dict[str, str], Proxy]]:
    """What the instances are told; their way to Firestore can be cut."""
    with proxied(firestore_host) as proxy:
        said = {
            "TIPOFF_STORE": f"firestore:{PROJECT}",
            "TIPOFF_DEFINITIONS": "nba",
            "TIPOFF_PUBSUB_PROJECT": PROJECT,
            "TIPOFF_PUBSUB_LEASE_SECONDS": str(LEASE_SECONDS),
            "TIPOFF_TICK_SECONDS": "1",
            "PHASE_VALIDATION_ENABLED": "false",  # no warehouse answers here, and phases are to be commanded
            "TIPOFF_LOG": "off",
            "PUBSUB_EMULATOR_HOST": pubsub_host,
        }
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_host)
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
        yield {**said, "FIRESTORE_EMULATOR_HOST": proxy.address}, proxy


def shuffled(messages: Sequence[Delivery], rng: Random) -> list[Delivery]:
    """The messages, some of them twice, in an order that a careless broker would choose."""
    again = [message for message in messages if rng.random() < DUPLICATE_SHARE]
    placed = [(index + rng.uniform(0, REORDERED_WITHIN), message) for index, message in enumerate(messages)]
    placed += [(rng.uniform(0, len(messages)), message) for message in again]
    return [message for _, message in sorted(placed, key=lambda item: item[0])]


class Sender:
    """Sends messages over push, or pull where the service pulls their topic, until each is taken by somebody."""

    def __init__(self, fleet: Fleet, publisher: PublisherClient, topics: frozenset[str], rng: Random) -> None:
        self._fleet = fleet
        self._topics = topics
        self._publisher = publisher
        self._rng = rng
        self._http = httpx.Client(timeout=15)

    def send(self, message: Delivery) -> Sent:
        """One message, one way or the other."""
        pushed = message.topic not in self._topics or self._rng.random() < PUSHED_SHARE
        return self._push(message) if pushed else self._publish(message)

    def close(self) -> None:
        """Nothing more is sent."""
        self._http.close()

    def _publish(self, message: Delivery) -> Sent:
        topic = self._publisher.topic_path(PROJECT, message.topic)
        message_id = self._publisher.publish(topic, message.data, **message.attributes).result(60)
        return Sent(replace(message, message_id=message_id), pushed=False)

    def _push(self, message: Delivery) -> Sent:
        body = {
            "message": {
                "messageId": message.message_id,
                "publishTime": message.published_at.isoformat(),
                "attributes": message.attributes,
                "data": base64.b64encode(message.data).decode(),
            },
            "subscription": f"projects/{PROJECT}/subscriptions/{subscription_of(message.topic)}",
        }
        until(
            lambda: self._taken(body),
            seconds=PATIENCE_SECONDS,
            every_seconds=0.1,
            what=f"somebody who takes {message.message_id}",
        )
        return Sent(message, pushed=True)

    def _taken(self, body: dict[str, Any]) -> bool:
        instance = self._rng.choice(self._fleet.instances)
        try:
            answer = self._http.post(f"{instance.url}/v1/pubsub/push", json=body)
        except httpx.TransportError:
            return False
        assert answer.status_code in (204, 429, 503), answer.text
        return answer.status_code == httpx.codes.NO_CONTENT


class Chaos:
    """What is done to a fleet: of three turns, one cuts the way to the store for a while, and two kill an instance."""

    def __init__(self, fleet: Fleet, proxy: Proxy, rng: Random) -> None:
        self._fleet, self._proxy, self._rng = fleet, proxy, rng
        self._turns = count()

    def turn(self) -> None:
        """The next that is done."""
        if next(self._turns) % 3 == 0:
            self._proxy.cut()
            Event().wait(OUTAGE_SECONDS)
            self._proxy.mend()
        else:
            self._fleet.replace(self._rng.choice(self._fleet.instances))


def stormy(messages: Sequence[Delivery], sender: Sender, chaos: Chaos) -> list[Sent]:
    """The messages as they were sent, by several at once; chaos has its turns in the midst of it."""
    sent: list[Sent] = []
    ends = [len(messages) * turn // TURNS for turn in range(TURNS + 1)]
    with ThreadPoolExecutor(SENDERS) as pool:
        for start, end in pairwise(ends):
            sending = [pool.submit(sender.send, message) for message in messages[start:end]]
            sending[len(sending) // 2].result()
            chaos.turn()
            sent += [one.result() for one in sending]
    return sent


def replay_letters(said: Mapping[str, str]) -> None:
    """Deliver again what ran out of attempts, as an operator does."""
    replayed = tipoff("dlq", "replay", "--all", "--json", environ={**os.environ, **said})
    assert replayed.code == 0, replayed.out + replayed.err


def listening(subscriber: SubscriberClient, topics: Sequence[str]) -> dict[str, str]:
    """A subscription of a consumer to each topic of commands, by topic."""
    found = {topic: subscriber.subscription_path(PROJECT, f"consumer-{topic}") for topic in topics}
    for topic, name in found.items():
        subscriber.create_subscription(name=name, topic=subscriber.topic_path(PROJECT, topic))
    return found


def heard(subscriber: SubscriberClient, subscriptions: Sequence[str]) -> set[str]:
    """The ids of all commands that consumers have been sent."""
    ids: set[str] = set()
    for name in subscriptions:
        while True:
            try:
                pulled = subscriber.pull(subscription=name, max_messages=500, timeout=SILENCE_SECONDS, retry=None)
            except DeadlineExceeded:
                break
            if not pulled.received_messages:
                break
            ids |= {received.message.attributes["command_id"] for received in pulled.received_messages}
            subscriber.acknowledge(subscription=name, ack_ids=[item.ack_id for item in pulled.received_messages])
    return ids


def facts_in(sent: Sequence[Sent], routing: Routing) -> dict[tuple[str, str], Fact]:
    """Every fact in the messages, by stream and id."""
    now = datetime.now(UTC)
    facts = (fact for item in sent for fact in read(item.delivery, routing, received_at=now))
    return {(fact.stream, fact.id): fact for fact in facts}


def recorded(store: Store) -> Counter[tuple[str, str]]:
    """How often each input stands in the log."""
    return Counter((stored.stream, event.id) for stored in store.read_all() if is_input(event := stored.event()))


def completed(store: Store) -> set[tuple[str, str, str | None, str]]:
    """What the log says was completed: date, phase, processor, status."""
    return {
        (stored.stream, data.phase, data.processor, data.status)
        for stored in store.read_all()
        if isinstance(data := stored.event().data, CompletionRecorded)
    }


def alone(sent: Sequence[Sent], definition: Definition, routing: Routing) -> Store:
    """The store of a single instance that was sent the same messages."""
    store = MemoryStore()
    recorder = Recorder(store, {definition.sport: definition})
    now = datetime.now(UTC)
    for item in sent:
        recorder.record([(fact, now) for fact in read(item.delivery, routing, received_at=now)])
    return store


@pytest.mark.timeout(600 + 300 * ROUNDS)
def test_a_fleet_that_is_killed_at_random_loses_nothing_and_decides_nothing_twice(
    messages: list[Delivery], environ: tuple[dict[str, str], Proxy], tmp_path: Path
):
    said, proxy = environ
    rng = Random(20260116)
    definition = load("nba", said)
    routing = routing_of([definition])
    pulled = frozenset(source.topic for source in sources([definition]))
    applied = tipoff("topics", "apply", environ={**os.environ, **said})
    assert applied.code in (0, 1), applied.err  # 1: nobody listens to commands yet

    with ExitStack() as stack:
        subscriber = stack.enter_context(SubscriberClient())
        commands = listening(subscriber, sorted({spec.topic for phase in definition.phases for spec in phase.commands}))
        instances = stack.enter_context(fleet(said, tmp_path))
        instances.grow(INSTANCES)
        instances.settle()
        sender = stack.enter_context(closing(Sender(instances, PublisherClient(), pulled, rng)))
        sent: list[Sent] = []
        chaos = Chaos(instances, proxy, rng)
        for _ in range(ROUNDS):
            sent += stormy(shuffled(messages, rng), sender, chaos)
        store = stack.enter_context(open_store(said["TIPOFF_STORE"], create=False))
        single = alone(sent, definition, routing)
        wanted = {key: fact for key, fact in facts_in(sent, routing).items() if key in recorded(single)}

        def all_there() -> bool:
            lacks = bool(lacking(wanted, store))
            if lacks:
                replay_letters(said)
            return not lacks

        until(
            all_there,
            seconds=PATIENCE_SECONDS,
            every_seconds=5,
            what=lambda: f"all in the log; not there: {lacking(wanted, store)}",
        )
        until(lambda: only_elsewhere(store), seconds=PATIENCE_SECONDS, what="no command for a topic in the outbox")
        instances.settle()
        codes = instances.stop()
        found = verify(store)
        asked = [
            data
            for stored in store.read_all()
            if isinstance(data := stored.event().data, CommandRequested) and data.kind == "trigger"
        ]

        assert codes == [0] * INSTANCES
        assert instances.killed > 0
        assert found.findings == ()
        assert max(recorded(store).values()) == 1
        assert asked
        assert max(Counter((data.command_id, data.attempt) for data in asked).values()) == 1
        assert {data.command_id for data in asked} <= heard(subscriber, list(commands.values()))
        assert completed(store) == completed(single)


def lacking(wanted: Mapping[tuple[str, str], Fact], store: Store) -> list[Fact]:
    """The facts that are not in the log. One that came as a dead letter has another id there, unless what it says makes
    its id: the broker does not tell which message a letter was."""
    log = {(event.stream, event.id): event.data for stored in store.read_all() if is_input(event := stored.event())}
    replayed = Counter((key[0], words(data)) for key, data in log.items() if key not in wanted)
    missing = []
    for key, fact in wanted.items():
        if key not in log:
            same = (fact.stream, words(fact.data))
            if replayed[same] == 0:
                missing.append(fact)
            replayed[same] -= 1
    return missing


def words(data: Data) -> bytes:
    """What a message said, without what was found out about it."""
    return encode(replace(data, processor=None, cycle=None) if isinstance(data, CompletionRecorded) else data)


def only_elsewhere(store: Store) -> bool:
    """Whether no command for a Pub/Sub topic waits to be sent."""
    return not any(is_topic(pending.command.topic) for pending in store.pending())
