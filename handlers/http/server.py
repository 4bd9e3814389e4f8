"""An ASGI application on a socket, until it is told to end. Binds at once, so that the address is known before it runs
and a port that is taken is said before anything starts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from handlers.asked import CannotListen
from handlers.http.connection import BoundedConnection
from handlers.http.edge import App
from handlers.http.limits import HEADER_BYTES_MAX, IDLE_SECONDS

CLOSE_SECONDS = 1
"""How long requests that are still under way may take when the server ends."""

BACKLOG = 1024


class _Quiet(uvicorn.Server):
    """A server that leaves signals to its program."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class HttpServer:
    """A server on `host` and `port` (0 takes a free one). Raises CannotListen."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        proxies: str = "127.0.0.1",
        connection: type[BoundedConnection] = BoundedConnection,
    ) -> None:
        self._socket = _bound(host, port)
        name, number = self._socket.getsockname()[:2]
        self.url = f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}"
        self._proxies = proxies
        self._connection = connection
        self._server: _Quiet | None = None
        self._ended = False

    def run(self, app: App) -> None:
        """Serve `app` until `end`."""
        self._server = _Quiet(self._config(app))
        if not self._ended:
            self._server.run(sockets=[self._socket])

    def end(self) -> None:
        """Take no more connections, give the requests under way `CLOSE_SECONDS`, and let `run` return. From any thread,
        also before `run`."""
        self._ended = True
        if self._server is not None:
            self._server.should_exit = True

    def close(self) -> None:
        """Release the address. Idempotent."""
        self._socket.close()

    def _config(self, app: App) -> uvicorn.Config:
        return uvicorn.Config(
            app,
            http=self._connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=self._proxies,
            backlog=BACKLOG,
            h11_max_incomplete_event_size=HEADER_BYTES_MAX,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.create_server((host, port), family=family, backlog=BACKLOG)
        # Looked at anew, the socket knows that it is TCP; only then does asyncio turn off Nagle's algorithm, which
        # would hold back the end of every answer until the client has acknowledged its beginning (40 ms).
        return socket.socket(fileno=made.detach())
    except OSError as error:
        step = "Name another with --host and --port, or end what listens there."
        raise CannotListen(f"{host}:{port} cannot be listened on: {error.strerror}", next_step=step) from error
