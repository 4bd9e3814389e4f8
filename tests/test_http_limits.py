"""Limits: nobody holds a connection for nothing, nobody waits without end, and a refusal says when to come again."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.http.connection import BoundedConnection
from handlers.http.limits import Limits
from handlers.http.problems import Refusal
from handlers.reader import FOLDING_WAITING_MAX, WAITING_MAX
from tests.command_line import completion, evening
from tests.http_service import UNHURRIED, Served, numbered, problem, served
from tests.waiting import until


class Impatient(BoundedConnection):
    """A connection whose patience a test can wait out."""

    connections_max = 8
    header_seconds = 0.1
    send_seconds = 0.1


@pytest.fixture
def impatient() -> Iterator[Served]:
    """A service that waits for nobody."""
    with served(connection=Impatient, limits=Limits(UNHURRIED, seconds=0.2)) as service:
        yield service


@contextmanager
def connected(service: Served) -> Iterator[socket.socket]:
    """A bare connection to a service."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        yield connection


def rest(connection: socket.socket) -> bytes:
    """All that still comes, until the other side closes."""
    found = b""
    while piece := connection.recv(1 << 16):
        found += piece
    return found


def read_until(connection: socket.socket, text: bytes) -> None:
    """Read until `text` has come."""
    found = b""
    while text not in found:
        piece = connection.recv(1 << 16)
        assert piece, found
        found += piece


def raw_problem(answer: bytes, code: str) -> dict[str, Any]:
    """The problem of a raw answer, which has to be of that code and say that the connection ends."""
    head, _, body = answer.partition(b"\r\n\r\n")
    found: dict[str, Any] = json.loads(body)
    assert found["type"] == f"urn:tipoff:problem:{code}", found
    assert head.split()[1] == str(found["status"]).encode()
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    return found


PUSH_HEAD = b"POST /v1/pubsub/push HTTP/1.1\r\nhost: tipoff\r\ncontent-length: 1000\r\n\r\n"


# --- slow clients -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"GET", b"GET /v1/health HTTP/1.1\r\nhost: tipoff\r\nx-slow: "])
def test_a_header_that_does_not_come_ends_the_connection(impatient: Served, sent: bytes):
    with connected(impatient) as slow:
        slow.sendall(sent)
        raw_problem(rest(slow), "body_too_slow")


def test_a_header_that_trickles_in_is_not_waited_for(impatient: Served):
    with connected(impatient) as slow:
        slow.settimeout(0.01)
        answer = b""
        for byte in b"GET /v1/health HTTP/1.1\r\nx: " + b"y" * 10_000:
            try:
                slow.sendall(bytes([byte]))
                answer += slow.recv(1 << 16)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if answer:
                break
        raw_problem(answer, "body_too_slow")


def test_a_second_request_on_a_connection_has_its_time_too(impatient: Served):
    with connected(impatient) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nhost: tipoff\r\n\r\n")
        read_until(slow, b'{"alive":true}')
        slow.sendall(b"GET /healthz")
        raw_problem(rest(slow), "body_too_slow")


def test_a_body_that_does_not_come_is_not_acknowledged_and_nothing_is_stored(impatient: Served):
    with connected(impatient) as slow:
        slow.sendall(PUSH_HEAD + b'{"message":')
        raw_problem(rest(slow), "body_too_slow")
    assert impatient.http.get("/v1/rejected").json() == []


def test_a_body_that_is_sent_on_after_its_answer_is_not_read_for_ever(impatient: Served):
    with connected(impatient) as slow:
        slow.sendall(b"POST /nowhere HTTP/1.1\r\nhost: tipoff\r\ncontent-length: 1000000\r\n\r\n")
        read_until(slow, b"no_such_route")

        def cut_off() -> bool:
            try:
                slow.sendall(b"x")
            except ConnectionError:
                return True
            return False

        until(cut_off, what="the end of the connection")


def test_a_client_that_does_not_read_its_answer_loses_it(impatient: Served):
    for number in range(60):
        impatient.push(completion(execution_id=f"run-{number}"), message_id=str(number))
    request = b"GET /v1/pipelines/nba/2026-01-16/events HTTP/1.1\r\nhost: tipoff\r\n\r\n"
    with connected(impatient) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(0.05)

        def cut_off() -> bool:
            try:
                deaf.sendall(request * 20)
            except TimeoutError:
                return False
            except ConnectionError:
                return True
            return False

        until(cut_off, what="the end of the connection")
    assert impatient.http.get("/healthz").status_code == 200


def test_connections_beyond_the_limit_are_told_so_and_those_that_are_open_are_served(impatient: Served):
    assert impatient.http.get("/healthz").status_code == 200
    with connected(impatient) as first:
        idle = [socket.create_connection(first.getpeername(), timeout=20) for _ in range(Impatient.connections_max)]
        answers = [rest(connection) for connection in idle]
        for connection in idle:
            connection.close()
        overloaded = [answer for answer in answers if b"overloaded" in answer]
        assert overloaded
        assert raw_problem(overloaded[0], "overloaded")["status"] == 503
        assert impatient.http.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01\x00\n\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"]
)
def test_what_is_no_http_is_answered_with_a_problem(impatient: Served, sent: bytes):
    with connected(impatient) as connection:
        connection.sendall(sent)
        raw_problem(rest(connection), "invalid_request")


def test_a_header_without_end_is_refused(impatient: Served):
    with connected(impatient) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000)
        raw_problem(rest(connection), "invalid_request")


# --- time and room ------------------------------------------------------------------------------------------------


def test_a_request_that_takes_too_long_is_not_acknowledged(impatient: Served):
    busy = Event()
    impatient.service.intake.ask(lambda _recorder: busy.wait(20))
    problem(impatient.push(completion()), "timed_out")
    assert impatient.http.get("/healthz").status_code == 200
    busy.set()
    assert impatient.push(completion()).status_code == 204


def test_questions_beyond_what_can_be_answered_are_told_to_come_again():
    with served() as service:
        busy = Event()
        asked = [service.service.reader.ask(lambda _recorded: busy.wait(20)) for _ in range(WAITING_MAX)]
        problem(service.http.get("/v1/health"), "reader_busy")
        missing = problem(service.http.get("/readyz"), "not_ready")["errors"]
        assert [fault["key"] for fault in missing] == ["store"]
        assert service.push(completion()).status_code == 204
        busy.set()
        assert all(answer.result(20) for answer in asked)
        assert service.http.get("/v1/health").status_code == 200


def test_a_question_that_folds_many_dates_holds_up_neither_other_questions_nor_recording():
    with served() as service:
        busy = Event()
        fold = service.service.reader.ask
        asked = [fold(lambda _recorded: busy.wait(20), folds=True) for _ in range(FOLDING_WAITING_MAX)]
        problem(service.http.get("/v1/levels"), "reader_busy")
        assert service.push(completion()).status_code == 204
        assert [row["game_date"] for row in service.http.get("/v1/pipelines").json()] == ["2026-01-16"]
        assert service.http.get("/readyz").status_code == 200
        busy.set()
        assert all(answer.result(20) for answer in asked)
        assert service.http.get("/v1/levels").status_code == 200


def test_a_question_about_more_events_than_one_may_fold_is_refused_before_they_are_read(tmp_path: Path):
    store = evening(tmp_path)
    with served(store) as service:
        service.service.reader.events_max = 10
        refused = problem(service.http.get("/v1/reconciliation"), "too_much_asked")
        assert "fewer dates" in refused["detail"]
        problem(service.http.get("/v1/levels"), "too_much_asked")
        problem(service.http.get("/v1/health?at=2026-01-17T06:11:00Z"), "too_much_asked")
        assert service.http.get("/v1/health").status_code == 200
        assert service.http.get("/v1/health?at=2030-01-01T00:00:00Z").status_code == 200, "there is nothing to fold"
        assert service.http.get("/v1/pipelines/nba/2026-01-16/report").status_code == 200


def test_bodies_that_take_too_much_room_together_are_told_to_come_again():
    with served(limits=Limits(UNHURRIED, bytes_max=3000)) as service, connected(service) as first:
        first.sendall(PUSH_HEAD + b" " * 999)
        until(lambda: service.http.post("/v1/pubsub/push", content=b" " * 2100).status_code == 503)
        first.sendall(b" ")
        assert b"204" in first.recv(1 << 16)
        assert service.http.post("/v1/pubsub/push", content=b" " * 2100).status_code == 204


def test_no_answer_waits_for_the_client_to_acknowledge_its_beginning():
    with served() as service:
        service.http.get("/healthz")
        began = perf_counter()
        for number in range(50):
            assert service.http.post("/v1/pubsub/push", content=numbered(number)).status_code == 204
        assert perf_counter() - began < 50 * 0.04


# --- rates --------------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), min_size=1, max_size=20),
)
def test_no_client_gets_more_than_its_rate_and_a_second_of_it_besides(rate: int, bursts: list[tuple[float, int]]):
    now, taken = 0.0, 0
    limits = Limits(rate, clock=lambda: now)
    for pause, requests in bursts:
        now += pause
        for _ in range(requests):
            with suppress(Refusal):
                limits.enter("client")
                limits.leave(0)
                taken += 1
        assert taken <= rate * now + rate + 1e-6


@given(st.integers(1, 20), st.lists(st.integers(0, 4), max_size=60))
def test_a_client_within_its_rate_is_never_refused_whatever_others_do(rate: int, others: list[int]):
    now = 0.0
    limits = Limits(rate, clock=lambda: now)
    for other in others:
        now += 1.0001 / rate
        limits.enter("steady")
        limits.leave(0)
        for _ in range(other * rate):
            with suppress(Refusal):
                limits.enter("greedy")
                limits.leave(0)
