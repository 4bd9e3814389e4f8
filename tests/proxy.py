"""A network that can be cut: a TCP proxy in front of a real server, for tests of what happens when it is gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 65536


class Proxy:
    """Passes bytes on to `target` while it is not cut. A cut ends every connection and refuses new ones."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.address = "{}:{}".format(*self._server.sockets[0].getsockname())

    def cut(self) -> None:
        """The network is gone."""
        self._cut = True
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(10)

    def mend(self) -> None:
        """The network is back."""
        self._cut = False

    def close(self) -> None:
        """End it."""
        self._server.close()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _drop(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()
        mine = asyncio.current_task()
        for task in asyncio.all_tasks():
            if task is not mine:
                await asyncio.wait([task], timeout=5)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        try:
            there = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, there[1]}
        await asyncio.gather(self._pass_on(reader, there[1]), self._pass_on(there[0], writer))
        self._writers -= {writer, there[1]}

    @staticmethod
    async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(CHUNK_BYTES):
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort()


@contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    """A proxy in front of `target`."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
