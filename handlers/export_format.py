"""The form of an export: a line that says what follows, one line per event, a line with the digest of all before it.

A file that was cut, changed or put together by hand is told from a whole one. An event stands in its line byte for byte
as it was stored, so that its place in the hash chain can be checked, and an export of an import is the same file.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO, TypeVar

import msgspec
from msgspec import Struct

from events.catalogue import Event
from events.codec import GENESIS, CorruptEvent, chain, decode, encode
from events.store import Stored

FORMAT = "tipoff-export"
FORMAT_VERSION = 1

LINE_BYTES_MAX = 64 * 1024 * 1024
"""No event is near as long; what is longer is another kind of file."""


class Header(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line."""

    format: str
    format_version: int
    events: int
    streams: int


class Trailer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last line; `sha256` is over all bytes before it."""

    end: bool
    events: int
    sha256: str


class ExportUnreadable(Exception):
    """The file is no whole export. Nothing of it was stored."""

    code = "export_unreadable"

    def __init__(self, *, source: str, line: int, reason: str) -> None:
        self.source, self.line, self.reason = source, line, reason
        super().__init__(source, line, reason)

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.reason}. Nothing was stored; export the store again."


class Exported(Struct, frozen=True):
    """An event as it stands in an export: its stream, version, canonical bytes and hash."""

    stream: str
    version: int
    body: bytes
    hash: str
    event: Event


def header_line(*, events: int, streams: int) -> bytes:
    """The first line of an export."""
    return encode(Header(format=FORMAT, format_version=FORMAT_VERSION, events=events, streams=streams)) + b"\n"


def event_line(stored: Stored) -> bytes:
    """The line of an event."""
    name = encode(stored.stream)
    about = b'{"stream":%b,"version":%d,"hash":"%b","event":' % (name, stored.version, stored.hash.encode())
    return about + stored.body + b"}\n"


def trailer_line(*, events: int, digest: str) -> bytes:
    """The last line of an export."""
    return encode(Trailer(end=True, events=events, sha256=digest)) + b"\n"


class _Line(Struct, forbid_unknown_fields=True):
    stream: str
    version: int
    hash: str
    event: msgspec.Raw


T = TypeVar("T", Header, Trailer, _Line)


class ExportReader:
    """Reads an export once from its beginning, checking all there is to check; `digest` is known at the end."""

    def __init__(self, file: BinaryIO, *, source: str) -> None:
        self.digest = ""
        self._file = file
        self._source = source
        self._line = 0
        self._sum = sha256()
        self._heads: dict[str, tuple[int, str]] = {}

    def events(self) -> Iterator[Exported]:
        """The events in their order. Raises ExportUnreadable, at the latest behind the last."""
        header = self._decoded(self._next(), Header, "is not the first line of an export")
        if header.format != FORMAT or header.format_version > FORMAT_VERSION:
            raise self._wrong(f"is an export of format {header.format} {header.format_version}, not known here")
        for _ in range(header.events):
            yield self._event(self._next())
        before = self._sum.hexdigest()
        trailer = self._decoded(self._next(), Trailer, "is not the last line of an export")
        if trailer.events != header.events or trailer.sha256 != before:
            raise self._wrong("the digest is not that of the lines above: the file was changed")
        if len(self._heads) != header.streams:
            raise self._wrong(f"the export has {len(self._heads)} streams, its first line says {header.streams}")
        if self._file.read(1):
            raise self._wrong("something follows the last line")
        self.digest = before

    def _event(self, line: bytes) -> Exported:
        said = self._decoded(line, _Line, "is not an exported event")
        body = bytes(said.event)
        version, previous = self._heads.get(said.stream, (0, GENESIS))
        if said.version != version + 1:
            raise self._wrong(f"{said.stream} goes from version {version} to {said.version}")
        if chain(previous, body) != said.hash:
            raise self._wrong(f"version {said.version} of {said.stream} does not continue the hash chain")
        try:
            event = decode(body)
        except CorruptEvent as error:
            raise self._wrong(f"version {said.version} of {said.stream}: {error.reason}") from error
        if (event.stream, event.version) != (said.stream, said.version):
            raise self._wrong(f"the event is version {event.version} of {event.stream}")
        self._heads[said.stream] = (said.version, said.hash)
        return Exported(said.stream, said.version, body, said.hash, event)

    def _next(self) -> bytes:
        line = self._file.readline(LINE_BYTES_MAX)
        self._line += 1
        if not line.endswith(b"\n"):
            raise self._wrong("the export ends here, before its last line" if not line else "the line is cut")
        self._sum.update(line)
        return line

    def _decoded(self, line: bytes, kind: type[T], what: str) -> T:
        try:
            return msgspec.json.decode(line, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._wrong(f"{what} ({error})") from error

    def _wrong(self, reason: str) -> ExportUnreadable:
        return ExportUnreadable(source=self._source, line=self._line, reason=reason)
