"""The outermost layer: every request is limited, timed, counted and logged here, whatever becomes of it further in."""

from __future__ import annotations

from asyncio import timeout
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPMethod
from time import perf_counter
from typing import Any

import msgspec
import structlog

from handlers.http.identity import ACTOR
from handlers.http.limits import Limits
from handlers.http.problems import Problem, Refusal, headers_of, problem, problem_of
from handlers.metrics import Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

UNLIMITED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes that a flood must not hide."""

METHODS = frozenset(HTTPMethod)


class Edge:
    """`app`, within `limits`."""

    def __init__(self, app: App, limits: Limits, metrics: Metrics) -> None:
        self._app = app
        self._limits = limits
        self._requests = metrics.requests
        self._log = structlog.get_logger("http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        exchange = _Exchange(self._limits, receive, send)
        try:
            await self._serve(scope, receive, exchange)
        finally:
            self._told(scope, exchange, perf_counter() - began)

    async def _serve(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        if scope["path"] in UNLIMITED:
            await self._app(scope, receive, exchange.send)
            return
        try:
            self._limits.enter(_client(scope))
        except Refusal as refusal:
            await exchange.refuse(problem_of(refusal))
            return
        try:
            await self._within_time(scope, exchange)
        finally:
            self._limits.leave(exchange.taken)

    async def _within_time(self, scope: Scope, exchange: _Exchange) -> None:
        limit = timeout(self._limits.seconds)
        try:
            async with limit:
                await self._app(scope, exchange.receive, exchange.send)
        except TimeoutError:
            if not limit.expired() or exchange.status is not None:
                raise
            late = "body_too_slow" if exchange.arriving else "timed_out"
            step = f"A request may take {self._limits.seconds:g} s. Nothing is acknowledged; send it again."
            await exchange.refuse(problem(late, step))

    def _told(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        route = scope.get("path_template") or "unknown"
        status = exchange.status
        self._requests.labels(method, route, str(status)).observe(seconds)
        log = self._log.warning if status is None or status >= 500 else self._log.info  # noqa: PLR2004 - our fault
        log(
            "request",
            method=method,
            path=scope["path"],
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            client=_client(scope),
            actor=scope.get("state", {}).get(ACTOR),
        )


class _Exchange:
    """A request and its answer as they pass: how many bytes came, whether more are to come, and what was answered."""

    def __init__(self, limits: Limits, receive: Receive, send: Send) -> None:
        self._limits = limits
        self._receive = receive
        self._send = send
        self.taken = 0
        self.arriving = False
        self.status: int | None = None

    async def receive(self) -> Message:
        self.arriving = True
        message = await self._receive()
        self.arriving = bool(message.get("more_body"))
        size = len(message.get("body", b""))
        self.taken += size
        self._limits.take(size)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    async def refuse(self, found: Problem) -> None:
        """Answer with a problem. The connection is closed, for nobody has read the body."""
        body = msgspec.json.encode(found)
        headers = headers_of(found) | {"content-length": str(len(body)), "connection": "close"}
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": found.status, "headers": fields})
        await self.send({"type": "http.response.body", "body": body})


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
