"""Pushes: 204 means stored, whatever the message says; anything else means that nothing is acknowledged."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.catalogue import CompletionRecorded, MessageRejected
from events.store import Commit, Store
from events.wire import MESSAGE_BYTES_MAX
from handlers.http.limits import PUSH_BYTES_MAX, Limits
from handlers.stores import open_store
from tests.command_line import completion
from tests.http_service import JSON, UNHURRIED, Served, Wall, numbered, problem, pushed, served
from tests.waiting import until

DAY = "nba/2026-01-16"


def recorded(store: Store) -> list[Any]:
    """What was said, in the order in which it was recorded."""
    return [stored.event().data for stored in store.read_all()]


def runs(store: Store) -> Counter[str | None]:
    """How often each run was recorded as completed."""
    return Counter(data.run for data in recorded(store) if isinstance(data, CompletionRecorded))


def runs_in(path: Path) -> Counter[str | None]:
    """The same of a SQLite store, as another process finds it."""
    with open_store(f"sqlite:{path}", create=False, read_only=True) as store:
        return runs(store)


def reading(service: Served) -> Store:
    """What the service has stored."""
    return service.service.intake.ask(lambda recorder: recorder.store).result(10)


# --- what is stored -----------------------------------------------------------------------------------------------


def test_a_message_is_stored_when_it_is_acknowledged(tmp_path: Path):
    path = tmp_path / "tipoff.db"
    with served(f"sqlite:{path}") as service:
        answer = service.push(completion())
        assert (answer.status_code, answer.content) == (204, b"")
        assert runs_in(path) == {"run-1": 1}


def test_a_message_that_comes_again_is_acknowledged_and_changes_nothing():
    with served() as service:
        store = reading(service)
        assert service.push(completion()).status_code == 204
        before = len(recorded(store))
        assert service.push(completion()).status_code == 204
        assert service.push(completion(), message_id="published again").status_code == 204
        assert len(recorded(store)) == before
        counted = service.http.get("/metrics").text
    assert 'tipoff_arrivals_total{outcome="accepted"} 1.0' in counted
    assert 'tipoff_arrivals_total{outcome="duplicate"} 2.0' in counted


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"\xff\xfe\x00", "not_utf8"),
        (b"{", "not_json"),
        (b"[]", "no_message"),
        (b"null", "no_message"),
        (b'{"message": 7}', "no_message"),
        (b'{"message": {"data": "%%%"}}', "bad_base64"),
        (b'{"message": {"attributes": [1]}}', "bad_attributes"),
        (b'{"message": {"data": "e30="}, "subscription": 7}', "bad_envelope"),
        (b"[" * 200_000, "not_json"),
        (pushed(b"{"), "not_json"),
        (pushed(completion(game_date="16 Jan")), "bad_game_date"),
        (pushed(b"x" * (MESSAGE_BYTES_MAX + 1)), "too_large"),
        (pushed(b"x" * (10 * 1024 * 1024)), "too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_understood_is_acknowledged_and_stored_with_the_reason(body: bytes, code: str):
    with served() as service:
        answer = service.http.post("/v1/pubsub/push", content=body, headers=JSON)
        assert answer.status_code == 204, answer.text
        (rejection,) = service.http.get("/v1/rejected").json()
        (stored,) = [data for data in recorded(reading(service)) if isinstance(data, MessageRejected)]
    assert (rejection["code"], rejection["count"]) == (code, 1)
    assert rejection["reason"]
    assert stored.data or not body


@given(
    st.lists(
        st.binary(max_size=200)
        | st.recursive(st.none() | st.text(), st.lists).map(lambda said: json.dumps({"message": said}).encode()),
        max_size=5,
    )
)
@settings(max_examples=8)
def test_whatever_bytes_are_pushed_they_are_acknowledged_and_none_is_dropped(bodies: list[bytes]):
    with served() as service:
        for body in bodies:
            assert service.http.post("/v1/pubsub/push", content=body).status_code == 204
        rejected = [data for data in recorded(reading(service)) if isinstance(data, MessageRejected)]
    assert len(rejected) == len(set(bodies))


def test_an_empty_message_is_a_probe_and_stores_nothing():
    with served() as service:
        assert service.push(b"").status_code == 204
        assert recorded(reading(service)) == []


def test_the_content_type_of_a_push_does_not_matter():
    with served() as service:
        for number, kind in enumerate(("text/plain", "application/octet-stream", "")):
            answer = service.http.post("/v1/pubsub/push", content=numbered(number), headers={"content-type": kind})
            assert answer.status_code == 204
        assert sum(runs(reading(service)).values()) == 3


# --- what is not taken --------------------------------------------------------------------------------------------


def test_a_body_that_no_message_of_pubsub_can_fill_is_refused_unread():
    with served() as service:
        answer = service.http.post("/v1/pubsub/push", content=b"x" * (PUSH_BYTES_MAX + 1), headers=JSON)
        problem(answer, "body_too_large")

        def pieces() -> Any:
            for _ in range(PUSH_BYTES_MAX // (1 << 20) + 1):
                yield b"x" * (1 << 20)

        problem(service.http.post("/v1/pubsub/push", content=pieces(), headers=JSON), "body_too_large")
        assert recorded(reading(service)) == []
        assert service.push(completion()).status_code == 204


def test_while_another_writer_holds_the_store_nothing_is_acknowledged_and_thereafter_nothing_is_lost(tmp_path: Path):
    path = tmp_path / "tipoff.db"
    with served(f"sqlite:{path}", busy_seconds=0.05) as service:
        service.push(completion(execution_id="before"), message_id="0")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        answer = service.push(completion(), message_id="1")
        problem(answer, "store_unavailable")
        assert str(tmp_path) not in answer.text
        broken = service.http.post("/v1/pubsub/push", content=b"{", headers=JSON)
        problem(broken, "store_unavailable")
        problem(service.act("halt", actor="ana"), "store_unavailable")
        assert runs_in(path) == {"before": 1}

        other.execute("ROLLBACK")
        other.close()
        assert service.push(completion(), message_id="1").status_code == 204
        assert runs_in(path) == {"before": 1, "run-1": 1}
        counted = service.http.get("/metrics").text
    assert 'tipoff_store_errors_total{code="store_unavailable"}' in counted


class Held:
    """A store whose appends wait until they are let go."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.let_go = Event()
        self.waits = Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, commits: Sequence[Commit]) -> None:
        """See Store."""
        self.waits.set()
        assert self.let_go.wait(20)
        self._store.append(commits)


def test_a_flood_is_told_to_come_again_and_what_comes_again_is_stored_once():
    held: list[Held] = []

    def hold(store: Store) -> Store:
        held.append(Held(store))
        return cast("Store", held[-1])

    with (
        served(limits=Limits(UNHURRIED, requests_max=20), watch=hold) as service,
        httpx.Client(base_url=service.url, timeout=20, limits=httpx.Limits(max_connections=None)) as many,
        ThreadPoolExecutor(60) as pool,
    ):

        def send(number: int) -> int:
            answer = many.post("/v1/pubsub/push", content=numbered(number), headers=JSON)
            if answer.status_code != 204:
                problem(answer, "overloaded")
            return answer.status_code

        first = [pool.submit(send, number) for number in range(60)]
        until(lambda: sum(sent.done() for sent in first) >= 40, what="the answers to those that found no room")
        assert service.http.get("/healthz").status_code == 200
        held[0].let_go.set()
        statuses = [sent.result(20) for sent in first]
        assert Counter(statuses) == {204: 20, 503: 40}
        assert runs(reading(service)) == {f"run-{n}": 1 for n, status in enumerate(statuses) if status == 204}

        left = list(range(60))
        while left:
            left = [n for n, status in zip(left, pool.map(send, left), strict=True) if status != 204]
        assert runs(reading(service)) == {f"run-{number}": 1 for number in range(60)}


def test_a_client_beyond_its_rate_is_told_to_come_again_and_others_are_not():
    clock = Wall()

    def seconds() -> float:
        return clock.now.timestamp()

    with served(limits=Limits(3, clock=seconds)) as service:
        assert [service.push(completion(), message_id=str(n)).status_code for n in range(4)] == [204, 204, 204, 429]
        problem(service.http.get("/v1/health"), "rate_limited")
        assert service.http.get("/healthz").status_code == 200
        elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(base_url=service.url, transport=elsewhere) as other:
            assert other.get("/v1/health").status_code == 200
        clock.jump(seconds=1)
        assert service.http.get("/v1/health").status_code == 200


def statuses(service: Served, client: str, number: int) -> list[int]:
    """What so many requests are answered that a proxy passes on for a client."""
    headers = {"x-forwarded-for": client}
    return [service.http.get("/v1/heartbeats", headers=headers).status_code for _ in range(number)]


def test_behind_a_proxy_that_is_known_every_client_has_a_rate_of_its_own():
    with served(limits=Limits(2, clock=lambda: 0.0)) as service:
        assert statuses(service, "10.0.0.1", 3) == [200, 200, 429]
        assert statuses(service, "10.0.0.2", 3) == [200, 200, 429]
        assert statuses(service, "10.0.0.1, 10.0.0.3", 3) == [200, 200, 429]


def test_a_client_that_is_no_known_proxy_cannot_pass_for_others():
    with served(limits=Limits(2, clock=lambda: 0.0), proxies="10.9.9.9") as service:
        assert statuses(service, "10.0.0.1", 1) + statuses(service, "10.0.0.2", 2) == [200, 200, 429]


# --- another store ------------------------------------------------------------------------------------------------


def test_on_firestore_it_is_the_same_service(firestore_host: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    with served(f"firestore:http-{uuid4().hex[:12]}", clock=Wall()) as service:
        assert service.push(completion()).status_code == 204
        assert service.push(completion()).status_code == 204
        assert service.act("halt", actor="ana").status_code == 200
        problem(service.act("halt", actor="ana"), "command_not_allowed")
        assert service.http.post("/v1/tick").status_code == 200
        assert service.http.get("/v1/pipelines/nba/2026-01-16").json()["status"] == "halted"
        assert service.http.get("/readyz").json() == {"ready": True}
        assert service.http.get("/v1/health").status_code == 200
        assert runs(reading(service)) == {"run-1": 1}
        assert 'tipoff_arrivals_total{outcome="duplicate"} 1.0' in service.http.get("/metrics").text


# --- clocks -------------------------------------------------------------------------------------------------------


def test_a_clock_that_jumps_back_neither_reorders_history_nor_loses_anything():
    clock = Wall()
    with served(clock=clock) as service:
        for number, hours in enumerate((0, -5, +3, -24 * 400, +24 * 400)):
            clock.jump(hours=hours)
            assert service.http.post("/v1/pubsub/push", content=numbered(number)).status_code == 204
            assert service.http.post("/v1/tick").status_code == 200
            assert service.http.get("/v1/health").status_code == 200
            assert service.http.get("/metrics").status_code == 200
        store = reading(service)
        instants: dict[str, list[datetime]] = {}
        for stored in store.read_all():
            instants.setdefault(stored.stream, []).append(stored.event().recorded_at)
        assert all(recorded_at == sorted(recorded_at) for recorded_at in instants.values())
        assert runs(store) == {f"run-{number}": 1 for number in range(5)}
