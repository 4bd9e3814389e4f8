"""The service behind a real socket, and the clients that talk to it."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
from msgspec import Struct

from events.store import Pending, Store
from handlers.dispatch import Answer, Sent
from handlers.dispatcher import Way
from handlers.http.connection import BoundedConnection
from handlers.http.identity import Doors
from handlers.http.limits import Limits
from handlers.http.server import HttpServer
from handlers.http.serving import Serving, serving
from handlers.service import Service
from statemachine.definition import Definition
from tests.command_line import NOON, completion
from tests.driving import nba

PATIENCE_SECONDS = 20.0
UNHURRIED = 100_000.0
"""Requests a second: no limit for a test that is about something else."""

JSON = {"content-type": "application/json"}


class Wall:
    """A clock on the wall that tests set. It stands still."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def jump(self, **by: float) -> None:
        self.now += timedelta(**by)


class Everywhere:
    """A channel that takes every command."""

    def __init__(self) -> None:
        self.sent: list[Pending] = []

    def send(self, batch: list[Pending]) -> list[Answer]:
        self.sent += batch
        return [Sent(message_id=f"m-{pending.command.command_id}") for pending in batch]


class Served(Struct, frozen=True):
    """A service that is being served: a client of it, its address, its inside."""

    http: httpx.Client
    url: str
    service: Service
    serving: Serving
    clock: Callable[[], datetime]
    channel: Everywhere

    def push(self, body: object, **options: Any) -> httpx.Response:
        """What the service answers to a message that Pub/Sub pushes."""
        return self.http.post("/v1/pubsub/push", content=pushed(body, **options), headers=JSON)

    def act(self, command: str, *, game_date: str = "2026-01-16", token: str | None = None, **fields: Any) -> Any:
        """What the service answers to an operator."""
        body = {"command": command, "reason": "asked for", **fields}
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return self.http.post(f"/v1/pipelines/nba/{game_date}/commands", json=body, headers=headers)


@contextmanager
def served(
    store: str = "memory:",
    *,
    clock: Callable[[], datetime] | None = None,
    doors: Doors | None = None,
    limits: Limits | None = None,
    connection: type[BoundedConnection] = BoundedConnection,
    proxies: str = "127.0.0.1",
    definitions: Mapping[str, Definition] | None = None,
    watch: Callable[[Store], Store] = lambda store: store,
    **options: Any,
) -> Iterator[Served]:
    """A service on `store`, served on a free port of this machine. It does not tick by itself unless told to."""
    clock, channel = clock or Wall(), Everywhere()
    with serving(
        store,
        definitions or {"nba": nba()},
        lambda _intake: [Way("everywhere", lambda _command: True, channel)],
        clock=clock,
        server=HttpServer("127.0.0.1", 0, connection=connection, proxies=proxies),
        doors=doors or Doors(),
        limits=limits or Limits(UNHURRIED),
        version="test",
        watch=watch,
        **({"tick_seconds": None} | options),
    ) as running:
        thread = Thread(target=running.run, name="http-server")
        thread.start()
        try:
            with httpx.Client(base_url=running.url, timeout=PATIENCE_SECONDS) as http:
                yield Served(http, running.url, running.service, running, clock, channel)
        finally:
            running.stop()
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "the server ends when it is stopped"


def copied(store: str, folder: Path) -> str:
    """The name of a copy, in `folder`, of a SQLite store that nobody has open."""
    path = Path(store.removeprefix("sqlite:"))
    return f"sqlite:{shutil.copy(path, folder / path.name)}"


def pushed(
    body: object,
    *,
    message_id: str = "1",
    at: datetime | str = "2026-01-17T06:10:00Z",
    topic: str = "nba-phase2-raw-complete",
    **attributes: str,
) -> bytes:
    """The body of a push request of Pub/Sub."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    message = {
        "messageId": message_id,
        "publishTime": at.astimezone(UTC).isoformat() if isinstance(at, datetime) else at,
        "attributes": attributes,
        "data": base64.b64encode(data).decode(),
    }
    return json.dumps({"message": message, "subscription": f"projects/p/subscriptions/{topic}-push"}).encode()


def numbered(number: int, **changes: Any) -> bytes:
    """A push of the completion of a run of its own."""
    return pushed(completion(execution_id=f"run-{number}", **changes), message_id=f"m-{number}")


def problem(answer: httpx.Response, code: str) -> dict[str, Any]:
    """The problem document of an answer, which has to be of that code."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found: dict[str, Any] = answer.json()
    assert found["type"] == f"urn:tipoff:problem:{code}", found
    assert found["status"] == answer.status_code
    assert found["title"]
    assert found["detail"]
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) > 0
    return found
