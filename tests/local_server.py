"""A real HTTP server on this machine that answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from msgspec import Struct, field

Answer = Callable[[bytes], tuple[int, str]]
"""Status and body, by what was sent."""


class Server(Struct):
    """Where it listens, and what came: (method, path, body)."""

    address: str
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)


@contextmanager
def serving(routes: Mapping[str, Answer], *, clock: Callable[[], datetime] | None = None) -> Iterator[Server]:
    """A server that answers `routes` (404 elsewhere); its Date header says what `clock` says, else the wall's time."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server.asked.append((self.command, self.path, body))
            status, said = routes[self.path](body) if self.path in routes else (404, "no such route")
            self.send_response(status)
            self.send_header("Content-Length", str(len(said.encode())))
            self.end_headers()
            self.wfile.write(said.encode())

        do_POST = do_OPTIONS = do_GET  # noqa: N815 - the names that http.server looks for

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(timestamp) if clock is None else format_datetime(clock(), usegmt=True)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what was asked is in `Server.asked`."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def says(status: int, body: str = "") -> Answer:
    """The same answer, whatever was sent."""
    return lambda _sent: (status, body)
