"""A connection is never held open by a client that does not read, whatever it was told last."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from handlers.http.connection import BoundedConnection

SOCKET_BYTES = 4096
MORE_THAN_A_SOCKET_HOLDS = "x" * 50_000
"""And less than what makes the loop ask us to pause."""


class Watched(BoundedConnection):
    """A connection that says when it is gone."""

    send_seconds = 0.1

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.gone = asyncio.Event()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.gone.set()


async def nobody_asks(_scope: object, _receive: object, _send: object) -> None:
    raise AssertionError("no request was made")


def left_alone(last_words: Callable[[Watched], None]) -> bool:
    """Whether a connection ends whose client reads nothing more after `last_words`."""

    async def scene() -> bool:
        ours, client = socket.socketpair()
        config = Config(app=nobody_asks, http=Watched, interface="asgi3", lifespan="off", log_config=None)
        loop = asyncio.get_running_loop()
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        _, connection = await loop.connect_accepted_socket(lambda: Watched(config, ServerState(), {}), ours)
        with client:
            last_words(connection)
            try:
                await asyncio.wait_for(connection.gone.wait(), 10)
            except TimeoutError:
                return False
        return True

    return asyncio.run(scene())


def told_that_it_spoke_no_http(connection: Watched) -> None:
    connection.send_400_response(MORE_THAN_A_SOCKET_HOLDS)


def told_and_read_but_for_the_rest(connection: Watched) -> None:
    connection.transport.write(MORE_THAN_A_SOCKET_HOLDS.encode())
    connection.resume_writing()  # as the loop says once most has been read


@pytest.mark.parametrize("last_words", [told_that_it_spoke_no_http, told_and_read_but_for_the_rest])
def test_a_client_that_reads_nothing_more_loses_its_connection(last_words: Callable[[Watched], None]):
    assert left_alone(last_words)
