"""A whole service with its HTTP server: made, run, and stopped in the order in which nothing is lost.

While it stops it still answers: /readyz and whatever would be recorded with 503, what was taken before with what became
of it. Only when the commits are done and the commands have left does the server close.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import structlog

from events.store import Store
from handlers.http.app import make
from handlers.http.edge import App
from handlers.http.identity import Doors
from handlers.http.limits import Limits
from handlers.http.server import HttpServer
from handlers.metrics import Metrics
from handlers.service import STOP_SECONDS, Clock, Service, Ways, running
from statemachine.definition import Definition


class Serving:
    """A running service and the server that has yet to run."""

    def __init__(self, service: Service, app: App, server: HttpServer) -> None:
        self.service = service
        self.url = server.url
        self._app = app
        self._server = server
        self._log = structlog.get_logger("http")

    def run(self) -> None:
        """Serve until somebody calls `stop`."""
        self._log.info("listening", url=self.url)
        self._server.run(self._app)

    def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """Stop the service, then the server. True where everything that was taken is done. From any thread."""
        try:
            return self.service.stop(seconds)
        finally:
            self._server.end()


@contextmanager
def serving(
    name: str,
    definitions: Mapping[str, Definition],
    ways: Ways,
    *,
    clock: Clock,
    server: HttpServer,
    doors: Doors,
    limits: Limits,
    version: str,
    watch: Callable[[Store], Store] = lambda store: store,
    **options: Any,
) -> Iterator[Serving]:
    """A service on the store called `name`, behind `server`; `options` are those of `handlers.service.running`."""
    metrics = Metrics()
    with (
        closing(server),
        running(
            name,
            definitions,
            lambda intake: [metrics.measured(way) for way in ways(intake)],
            clock=clock,
            watch=lambda store: metrics.watched(watch(store)),
            prepare=metrics.follow,
            **options,
        ) as service,
    ):
        app = make(service, doors=doors, limits=limits, metrics=metrics, version=version)
        yield Serving(service, app, server)
