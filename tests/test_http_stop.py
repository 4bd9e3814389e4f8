"""A service that is told to stop: nothing that it acknowledged is lost, what it took is done, and it ends in time."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import httpx
import msgspec
import pytest

from events.catalogue import CompletionRecorded
from handlers.recorder import Recorder
from handlers.stores import open_store
from tests.command_line import completion, evening, program
from tests.conftest import ROOT
from tests.http_service import JSON, numbered, problem, served
from tests.waiting import until

STOP_SECONDS = 8.0


class Process(msgspec.Struct):
    """`serve` as a process of its own."""

    running: subprocess.Popen[bytes]
    log: Path

    def said(self, event: str) -> list[dict[str, object]]:
        """What it has logged of a kind."""
        whole = self.log.read_bytes().rpartition(b"\n")[0]
        lines = (msgspec.json.decode(line) for line in whole.splitlines())
        return [line for line in lines if line["event"] == event]

    @property
    def url(self) -> str:
        """Where it listens, once it does."""

        def listening() -> str | None:
            assert self.running.poll() is None, self.log.read_text()
            return next((str(line["url"]) for line in self.said("listening")), None)

        return str(until(listening, what="the service listens"))

    def ended(self) -> tuple[int, float]:
        """The exit code, and after how many seconds it came."""
        began = monotonic()
        return self.running.wait(timeout=30), monotonic() - began


@contextmanager
def process(folder: Path, *argv: str, **environ: str) -> Iterator[Process]:
    """`serve` on a store in `folder`, on a free port; killed at the end if it still runs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "main.py", "serve", "--port", "0", "--store", f"sqlite:{folder / 'tipoff.db'}", *argv]
    log = folder / "log"
    with log.open("wb") as stderr, (folder / "out").open("wb") as stdout:
        running = subprocess.Popen(command, cwd=ROOT, env=kept | environ, stdout=stdout, stderr=stderr)
        try:
            yield Process(running, log)
        finally:
            running.kill()
            running.wait()


def post(http: httpx.Client, body: bytes) -> int | None:
    """The status of a push; None where the service has gone before it answered."""
    try:
        return http.post("/v1/pubsub/push", content=body, headers=JSON).status_code
    except httpx.HTTPError:
        return None


def runs(folder: Path) -> Counter[str | None]:
    """How often each run is in the store."""
    with open_store(f"sqlite:{folder / 'tipoff.db'}", create=False, read_only=True) as store:
        said = (stored.event().data for stored in store.read_all())
        return Counter(data.run for data in said if isinstance(data, CompletionRecorded))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whatever_was_acknowledged_while_it_was_told_to_stop_is_stored(tmp_path: Path, number: signal.Signals):
    acknowledged: list[int] = []
    statuses: Counter[int] = Counter()
    with process(tmp_path) as service, httpx.Client(base_url=service.url, timeout=20) as http:

        def push(lane: int) -> None:
            for count in range(1_000_000):
                run = count * 10 + lane
                try:
                    answer = http.post("/v1/pubsub/push", content=numbered(run), headers=JSON)
                except httpx.HTTPError:
                    return
                statuses[answer.status_code] += 1
                if answer.status_code == 204:
                    acknowledged.append(run)
                else:
                    problem(answer, "intake_closed")

        lanes = [Thread(target=push, args=(lane,)) for lane in range(8)]
        for lane in lanes:
            lane.start()
        until(lambda: len(acknowledged) > 200, what="pushes are under way")
        service.running.send_signal(number)
        code, seconds = service.ended()
        for lane in lanes:
            lane.join(20)

        assert code == 0, service.log.read_text()[-2000:]
        assert seconds < STOP_SECONDS
        assert set(statuses) <= {204, 503}
        assert [line["everything_done"] for line in service.said("stopped")] == [True]
    stored = runs(tmp_path)
    assert {f"run-{run}" for run in acknowledged} <= stored.keys()
    assert set(stored.values()) == {1}
    assert program("verify", "--store", f"sqlite:{tmp_path / 'tipoff.db'}").code == 0


def test_a_second_signal_ends_it_at_once_and_nothing_acknowledged_is_lost(tmp_path: Path):
    with process(tmp_path, TIPOFF_STORE_BUSY_SECONDS="20") as service:
        with httpx.Client(base_url=service.url, timeout=20) as http:
            assert http.post("/v1/pubsub/push", content=numbered(1), headers=JSON).status_code == 204
            other = sqlite3.connect(tmp_path / "tipoff.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            held = Thread(target=post, args=(http, numbered(2)))
            held.start()
            until(lambda: http.get("/readyz").status_code == 503, what="a commit waits for the store")
            service.running.send_signal(signal.SIGTERM)
            until(lambda: service.said("stopping"), what="it stops, and waits for the commit")
            service.running.send_signal(signal.SIGTERM)
            code, seconds = service.ended()
            held.join(20)
        other.close()
    assert code == -signal.SIGTERM
    assert seconds < 2
    assert runs(tmp_path) == {"run-1": 1}


def test_while_it_stops_it_takes_nothing_and_says_that_it_is_not_ready():
    with served() as service, ThreadPoolExecutor(2) as pool:
        held, let_go = Event(), Event()

        def hold(_recorder: Recorder) -> bool:
            held.set()
            return let_go.wait(20)

        service.push(completion())
        service.service.intake.ask(hold)
        assert held.wait(20)  # until then it is what waits, and not the push
        late = pool.submit(service.push, completion(execution_id="taken before"), message_id="2")
        until(lambda: service.service.intake.waiting, what="a push waits for its commit")
        stopping = pool.submit(service.serving.stop, 60)
        until(lambda: not service.service.taking, what="the stop begins")

        problem(service.push(completion(execution_id="too late"), message_id="3"), "intake_closed")
        problem(service.http.post("/v1/tick"), "intake_closed")
        problem(service.act("halt", actor="ana"), "intake_closed")
        assert "stopping" in str(problem(service.http.get("/readyz"), "not_ready")["errors"])
        assert service.http.get("/healthz").status_code == 200
        assert not late.done()

        let_go.set()
        assert late.result(20).status_code == 204
        assert stopping.result(20) is True


def test_a_question_to_a_service_that_has_stopped_is_refused_and_not_a_mistake():
    with served() as service:
        service.service.stop()
        problem(service.http.get("/v1/health"), "intake_closed")
        missing = problem(service.http.get("/readyz"), "not_ready")["errors"]
        assert {fault["key"] for fault in missing} == {"service", "store", "intake"}


def test_commands_leave_before_it_ends(tmp_path: Path):
    with served(evening(tmp_path)) as service:
        assert service.http.post("/v1/tick").json()["commands"] > 0
        service.serving.stop()
        left = service.channel.sent
    with open_store(f"sqlite:{tmp_path / 'tipoff.db'}", create=False, read_only=True) as store:
        assert left
        assert store.pending() == []


def test_a_port_that_is_taken_is_said_and_nothing_is_started(tmp_path: Path):
    with served() as service:
        port = service.url.rpartition(":")[2]
        ran = program("serve", "--port", port, "--store", f"sqlite:{tmp_path / 'tipoff.db'}")
    assert ran.code == 69
    assert f"127.0.0.1:{port} cannot be listened on" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_an_answer_is_given_when_it_has_ended(tmp_path: Path):
    with process(tmp_path, "--json", "--no-ticker") as service:
        assert httpx.get(f"{service.url}/healthz").status_code == 200
        service.running.send_signal(signal.SIGTERM)
        code, _seconds = service.ended()
    said = msgspec.json.decode((tmp_path / "out").read_bytes())
    assert code == 0
    assert said["everything_done"] is True
    assert said["url"].startswith("http://127.0.0.1:")
