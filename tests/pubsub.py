"""A project of its own on the Pub/Sub emulator, and a service's recording half beside it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from concurrent import futures
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.api_core.exceptions import DeadlineExceeded
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.types import PubsubMessage
from msgspec.structs import replace

from events.catalogue import CompletionRecorded
from events.store import Store
from handlers.intake import Clock, Intake
from handlers.pubsub.broker import Broker
from handlers.pubsub.drift import Step
from handlers.pubsub.project import take
from handlers.pubsub.pull import Puller
from handlers.pubsub.stream import Pace
from handlers.pubsub.wanted import Source, Subscription
from handlers.recorder import Recorder
from tests.driving import nba
from tests.wire_messages import ANALYTICS_TOPIC, NOON, v2

SUBSCRIPTION = f"tipoff-{ANALYTICS_TOPIC}"
SOURCE = Source(subscription=SUBSCRIPTION, topic=ANALYTICS_TOPIC, sport="nba")
DEAD = "dead-letters"
STREAM = "nba/2026-01-19"
DELIVERIES_MIN = 5
"""The fewest deliveries that may precede a dead letter."""

QUICK = Pace(turn_seconds=0.02, settled_seconds=0.5, reopen_seconds=(0.1,), again_seconds=(0.05,), tell_seconds=0.5)

LEASE_MIN = replace(QUICK, lease_seconds=10)
"""Quick, and with the shortest lease that Pub/Sub knows."""


class Project:
    """A project with whatever topics and subscriptions a test makes."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    def topic(self, name: str) -> None:
        take(self.broker, Step(action="create_topic", name=name))

    def subscribe(self, subscription: Subscription) -> None:
        take(self.broker, Step(action="create_subscription", name=subscription.name, subscription=subscription))

    def completions(self, **properties: Any) -> None:
        """The topic on which analytics reports, with our subscription."""
        self.topic(ANALYTICS_TOPIC)
        self.subscribe(Subscription(name=SUBSCRIPTION, topic=ANALYTICS_TOPIC, **properties))

    def dead_letters(self) -> dict[str, Any]:
        """A dead-letter topic with a subscription; what a subscription has to say to use it."""
        self.topic(DEAD)
        self.subscribe(Subscription(name=DEAD, topic=DEAD))
        return {"dead_letter_topic": DEAD, "attempts_max": DELIVERIES_MIN}

    def publish(self, body: Any, *, topic: str = ANALYTICS_TOPIC, key: str = "", **attributes: str) -> str:
        """Publish one message; its id."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        message = PubsubMessage(data=data, attributes=attributes, ordering_key=key)
        answer = PublisherClient.publish(
            self.broker.publisher, topic=self.broker.topic(topic), messages=[message], timeout=10
        )
        return str(answer.message_ids[0])

    def run(self, run: str, **where: Any) -> str:
        """Publish that a run completed; the message id."""
        return self.publish(v2(execution_id=run), **where)

    def waiting(self, subscription: str = SUBSCRIPTION, *, seconds: float = 1.0) -> list[Any]:
        """What a subscription hands out; nothing of it is acknowledged."""
        path = self.broker.subscription(subscription)
        try:
            answer = self.broker.subscriber.pull(subscription=path, max_messages=100, retry=None, timeout=seconds)
        except DeadlineExceeded:
            return []
        return list(answer.received_messages)

    def delete_subscription(self, name: str = SUBSCRIPTION) -> None:
        self.broker.subscriber.delete_subscription(subscription=self.broker.subscription(name))


@contextmanager
def project(host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A new project on the emulator at `host`."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    broker = Broker(f"tipoff-{uuid4().hex[:12]}")
    with closing(broker):
        yield Project(broker)


@contextmanager
def recording(store: Store, clock: Clock = lambda: NOON) -> Iterator[Intake]:
    """An intake on `store`."""
    intake = Intake(Recorder(store, {"nba": nba()}), clock)
    intake.start()
    try:
        yield intake
    finally:
        assert intake.stop(20)


@contextmanager
def pulling(intake: Intake, project: Project, *sources: Source, pace: Pace = QUICK) -> Iterator[Puller]:
    """A puller, of the completions unless told otherwise."""
    puller = Puller(intake, project.broker, sources or (SOURCE,), pace=pace)
    puller.start()
    try:
        yield puller
    finally:
        puller.stop(20)


def runs(store: Store) -> list[str | None]:
    """The runs whose completion is recorded, in the order of their events."""
    events = [stored.event().data for stored in store.read(STREAM)]
    return [data.run for data in events if isinstance(data, CompletionRecorded)]


@contextmanager
def taken_by_another(path: Path) -> Iterator[None]:
    """Another writer has the store at `path`, and does not let go."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def refusing(status: grpc.StatusCode) -> Iterator[str]:
    """A broker that refuses every call with `status`; its address."""

    class Refusal(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, handler_call_details: Any) -> Any:
            def refuse(_requests: Any, context: Any) -> Any:
                context.abort(status, "refused")

            return grpc.stream_stream_rpc_method_handler(refuse)

    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=(Refusal(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait(10)
