"""Lines of a recording as they become readable, with bounds on what one line may cost.

What is there is handed on at once, so that a pipe that is still being written commits what has arrived. A line that is
longer than any message is cut; its true size and the hash of all its bytes are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Protocol

from msgspec import Struct

CHUNK_BYTES = 1024 * 1024

LINE_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of a line that are kept. Pub/Sub carries 10 MB at most, which is 14 MB in base64."""


class Readable(Protocol):
    """A binary stream that hands out what is there. Implementations: files, pipes, `io.BytesIO`."""

    def read1(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, as many as are there; none at the end."""


class Line(Struct, frozen=True):
    """A line without its end. `size` is its true length in bytes; `data` is shorter where it was cut, and `digest` is
    then the SHA-256 of the whole."""

    data: bytes
    size: int
    digest: str = ""


def lines_of(stream: Readable) -> Iterator[list[Line]]:
    """The lines of `stream` that are not blank, in batches as they arrive."""
    begun = _Begun()
    while chunk := stream.read1(CHUNK_BYTES):
        *whole, rest = chunk.split(b"\n")
        found = []
        for part in whole:
            found += begun.end(part)
        begun.add(rest)
        yield found
    yield begun.end(b"")


class _Begun:
    """A line whose end has not come yet."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.cut = sha256()

    def add(self, part: bytes) -> None:
        """Go on with `part`."""
        kept = part[: max(0, LINE_BYTES_MAX - self.size)]
        if kept:
            self.parts.append(kept)
        self.cut.update(part)
        self.size += len(part)

    def end(self, part: bytes) -> list[Line]:
        """The line that ends with `part`; none where it is blank."""
        if not self.size and len(part) <= LINE_BYTES_MAX:
            return [Line(part, len(part))] if part.strip() else []
        self.add(part)
        data, size, digest = b"".join(self.parts), self.size, self.cut.hexdigest()
        self._clear()
        return [Line(data, size, digest if size > LINE_BYTES_MAX else "")] if data.strip() else []
