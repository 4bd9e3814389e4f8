"""A clock that goes on by what is waited, and a service on a real port that answers from a script."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from msgspec import Struct, field

from events.catalogue import CommandRequested
from events.store import Pending
from handlers.outbound.waiting import Interrupted
from tests.driving import moment

NOON = moment("2026-01-17T17:00Z")
NEVER_SECONDS = 10.0
"""How long a service that hangs hangs at most, should nobody end it."""


class SteppedTime:
    """A `Time` whose clock stands still until somebody waits. `waits` are the seconds of each wait. Thread-safe."""

    def __init__(self, now: datetime = NOON, *, chance: float = 0.5) -> None:
        self._now, self._chance = now, chance
        self._lock = threading.Lock()
        self.waits: list[float] = []
        self.stopping = False

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def wait(self, seconds: float) -> None:
        if self.stopping:
            raise Interrupted
        self.waits.append(seconds)
        self.forward(seconds)

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._now += timedelta(seconds=seconds)

    def chance(self) -> float:
        return self._chance


class Says(Struct, frozen=True):
    """An answer of a service; one that `hangs` never comes."""

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = {}
    hangs: bool = False


class Asked(Struct, frozen=True):
    """A request as it came, and when it did on the test's clock."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]
    at: datetime


class Service(Struct):
    """Where it listens, and what it was asked. `script` are its answers in order; the last one stands for good."""

    address: str
    script: list[Says]
    asked: list[Asked] = field(default_factory=list)

    @property
    def domain(self) -> str:
        return self.address.removeprefix("http://")


@contextmanager
def service(*script: Says, time: SteppedTime) -> Iterator[Service]:
    """A service that answers `script`; its Date header is the test's clock."""
    over, lock = threading.Event(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                served.asked.append(Asked(self.command, self.path, body, dict(self.headers), time.now()))
                says = served.script.pop(0) if len(served.script) > 1 else served.script[0]
            if says.hangs:
                over.wait(NEVER_SECONDS)
                return
            self.send_response(says.status)
            for name, value in says.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(says.body.encode())))
            self.end_headers()
            self.wfile.write(says.body.encode())

        do_GET = do_POST  # noqa: N815 - the name that http.server looks for
        do_OPTIONS = do_POST  # noqa: N815 - likewise

        def date_time_string(self, _timestamp: float | None = None) -> str:
            return format_datetime(time.now(), usegmt=True)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what was asked is in `Service.asked`."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Service(f"http://127.0.0.1:{http.server_port}", list(script))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        over.set()
        http.shutdown()
        http.server_close()
        thread.join()


def http_date(at: datetime) -> str:
    """An instant as an HTTP date, which has whole seconds."""
    return format_datetime(at, usegmt=True)


def heal_command(service: str = "phase4", *, name: str = "one", stream: str = "nba/2026-01-16") -> Pending:
    """A repair by HTTP, as it stands in the outbox."""
    return Pending(
        stream,
        CommandRequested(
            command_id=f"command-{name}",
            kind="heal",
            topic=f"http:{service}/process-date",
            payload={"analysis_date": "2026-01-16", "processors": ["PlayerDailyCacheProcessor"]},
            ordering_key=stream,
        ),
    )
