"""A connection that cannot be held open for nothing, and that answers in problems also where no request was understood.

uvicorn waits as long as a client likes for the rest of a header, and for a client to read its answer. Here both have
their time; a connection beyond `CONNECTIONS_MAX` is told so at once.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from handlers.http.limits import CONNECTIONS_MAX, HEADER_SECONDS, SEND_SECONDS
from handlers.http.problems import headers_of, problem


class BoundedConnection(H11Protocol):
    """One connection of a client."""

    connections_max = CONNECTIONS_MAX
    header_seconds = HEADER_SECONDS
    send_seconds = SEND_SECONDS

    _header_due: asyncio.TimerHandle | None = None
    _answer_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        if len(self.connections) > self.connections_max:
            self._end(_raw("overloaded", f"{self.connections_max} connections are open. Come again later."))
        else:
            self._await_header()

    def data_received(self, data: bytes) -> None:
        """A client has sent something."""
        super().data_received(data)
        if self._owes_an_answer:
            self._header_arrived()
        elif self._header_due is None:
            self._await_header()

    def on_response_complete(self) -> None:
        """An answer has been written, at least into our own buffer."""
        super().on_response_complete()
        self._await_reading()

    def pause_writing(self) -> None:
        """The client does not read as fast as we write."""
        super().pause_writing()
        self._await_reading()

    def resume_writing(self) -> None:
        """The client has read most of what there was, and has its time for the rest."""
        super().resume_writing()
        self._answer_read()
        self._await_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._header_arrived()
        self._answer_read()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._end(_raw("invalid_request", f"{msg} Send HTTP/1.1."))

    @property
    def _owes_an_answer(self) -> bool:
        """True from the end of a request's header to the end of its answer."""
        return self.conn.our_state in (h11.SEND_RESPONSE, h11.SEND_BODY)

    def _header_arrived(self) -> None:
        if self._header_due is not None:
            self._header_due.cancel()
            self._header_due = None

    def _await_reading(self) -> None:
        if self._answer_due is None and self.transport.get_write_buffer_size():
            self._answer_due = self.loop.call_later(self.send_seconds, self._not_read)

    def _not_read(self) -> None:
        self._answer_due = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _answer_read(self) -> None:
        if self._answer_due is not None:
            self._answer_due.cancel()
            self._answer_due = None

    def _await_header(self) -> None:
        self._header_due = self.loop.call_later(self.header_seconds, self._header_late)

    def _header_late(self) -> None:
        self._header_due = None
        waited = f"The header of a request has to arrive within {self.header_seconds:g} s."
        self._end(_raw("body_too_slow", waited))

    def _end(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            if not self._owes_an_answer:
                self.transport.write(answer)
            self._await_reading()  # closing waits until all is read
            self.transport.close()


def _raw(code: str, detail: str) -> bytes:
    """A whole answer, for a client that has sent no whole request."""
    found = problem(code, detail)
    body = msgspec.json.encode(found)
    headers = headers_of(found) | {"content-length": str(len(body)), "connection": "close"}
    head = [f"HTTP/1.1 {found.status} {HTTPStatus(found.status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*head, "", ""]).encode() + body
