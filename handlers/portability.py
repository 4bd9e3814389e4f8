"""Export and import: a whole store into a file, and back, to the byte.

Heads and outbox are not exported: they follow from the events, and an import folds them anew. An import reads its file
to the end before it stores anything, commits in bounded batches, and goes on where an earlier run of it ended. It never
mixes histories: a store that holds anything else is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import chain as joined
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct

from events.catalogue import CommandFailed, CommandPublished, CommandRequested, DefinitionPublished
from events.codec import GENESIS
from events.store import Commit, Head, Sealed, Store, Stored
from handlers.export_format import Exported, ExportReader, event_line, header_line, trailer_line
from handlers.heads import state_in
from handlers.published import definition_in
from statemachine.definition import Definition
from statemachine.streams import decider_for, encode_state

BATCH_EVENTS_MAX = 500
"""Events that an import commits together at most."""

Progress = Callable[[int], None]
"""Told how many events are done."""


def unwatched(_done: int) -> None:
    """Progress that nobody looks at."""


class Copied(Struct, frozen=True, kw_only=True):
    """What an export or an import came to. `known` are the events that were in the store before; `pending` commands
    that nothing in the history settles, and that are in the outbox again."""

    events: int
    streams: int
    digest: str
    known: int = 0
    pending: int = 0


class StoreConflict(Exception):
    """The store holds something that the export does not begin with. Nothing was stored."""

    code = "store_conflict"

    def __init__(self, *, stored: Stored) -> None:
        self.stored = stored
        super().__init__(stored)

    def __str__(self) -> str:
        where = f"its event {self.stored.position} (version {self.stored.version} of {self.stored.stream})"
        return f"the store holds another history: {where} is not in that place of the export. Name an empty store."


def export_store(store: Store, write: Callable[[bytes], object], *, progress: Progress = unwatched) -> Copied:
    """Write every event of `store`, as it is now, through `write`. Raises StoreUnavailable, CorruptStore."""
    last, count, streams = 0, 0, set[str]()
    for stored in store.read_all():
        last, count = stored.position, count + 1
        streams.add(stored.stream)
    lines = (event_line(stored) for stored in _up_to(store, last))
    digest = sha256()
    for done, line in enumerate(joined([header_line(events=count, streams=len(streams))], lines)):
        digest.update(line)
        write(line)
        progress(done)
    write(trailer_line(events=count, digest=digest.hexdigest()))
    return Copied(events=count, streams=len(streams), digest=digest.hexdigest())


def export_file(store: Store, path: Path, *, replace: bool, progress: Progress = unwatched) -> Copied:
    """Export to `path`: the whole export, or no file. Raises FileExistsError where one is there and `replace` is false,
    OSError where it cannot be written."""
    if path.exists() and not replace:
        raise FileExistsError(str(path))
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("xb") as file:
            copied = export_store(store, file.write, progress=progress)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return copied


def _up_to(store: Store, last: int) -> Iterator[Stored]:
    for stored in store.read_all():
        if stored.position > last:
            return
        yield stored


class Checked(Struct, frozen=True, kw_only=True):
    """What the first reading of an export found. `unsettled` is, for every command that nothing settles, the place of
    its last request."""

    source: str
    events: int
    streams: int
    digest: str
    definitions: dict[str, Definition]
    unsettled: dict[str, int]


def check_export(file: BinaryIO, *, source: str) -> Checked:
    """Read an export from its beginning to its end. Raises ExportUnreadable."""
    reader = ExportReader(file, source=source)
    definitions: dict[str, Definition] = {}
    unsettled: dict[str, int] = {}
    streams: set[str] = set()
    place = 0
    for place, item in enumerate(reader.events(), 1):
        data = item.event.data
        streams.add(item.stream)
        if isinstance(data, CommandRequested):
            unsettled[data.command_id] = place
        elif isinstance(data, CommandPublished) or (isinstance(data, CommandFailed) and data.permanent):
            unsettled.pop(data.command_id, None)
        elif isinstance(data, DefinitionPublished) and (definition := definition_in(data)) is not None:
            definitions[definition.version] = definition
    return Checked(
        source=source,
        events=place,
        streams=len(streams),
        digest=reader.digest,
        definitions=definitions,
        unsettled=unsettled,
    )


def import_store(
    store: Store,
    file: BinaryIO,
    checked: Checked,
    *,
    fallback: Mapping[str, Definition],
    progress: Progress = unwatched,
) -> Copied:
    """Store what an export holds, in its order: `file` stands at its beginning again, `checked` is what its first
    reading found. Deadlines are computed under the definitions that it publishes, else under those of `fallback`, by
    sport. Raises StoreConflict (nothing was stored)."""
    events = enumerate(ExportReader(file, source=checked.source).events(), 1)
    known = 0
    for stored in store.read_all():
        _place, item = next(events, (0, None))
        if item is None or (item.stream, item.version, item.hash) != (stored.stream, stored.version, stored.hash):
            raise StoreConflict(stored=stored)
        known += 1
    importing = _Importing(store, checked, fallback)
    for place, item in events:
        importing.take(place, item)
        progress(place)
    importing.commit()
    return Copied(
        events=checked.events,
        streams=checked.streams,
        digest=checked.digest,
        known=known,
        pending=len(checked.unsettled),
    )


class _Run:
    """A stream as far as it has been taken, and its events that are not committed yet."""

    def __init__(self, store: Store, stream: str) -> None:
        self.decider: Any = decider_for(stream)
        head = store.head(stream)
        self.before = 0 if head is None else head.version
        self.hash = GENESIS if head is None else head.hash
        self.state = self.decider.initial(stream) if head is None else state_in(stream, head)
        self.events: list[Sealed] = []
        self.outbox: list[CommandRequested] = []


class _Importing:
    """The second reading: events become commits. A commit takes each stream once, so that the order stays."""

    def __init__(self, store: Store, checked: Checked, fallback: Mapping[str, Definition]) -> None:
        self._store = store
        self._checked = checked
        self._fallback = fallback
        self._streams: dict[str, _Run] = {}
        self._open: dict[str, _Run] = {}
        self._last = ""
        self._count = 0

    def take(self, place: int, item: Exported) -> None:
        """Add an event; commit before it where the batch is full or its stream has had its run."""
        if self._count >= BATCH_EVENTS_MAX or (item.stream != self._last and item.stream in self._open):
            self.commit()
        run = self._streams.get(item.stream)
        if run is None:
            run = self._streams[item.stream] = _Run(self._store, item.stream)
        self._open[item.stream] = run
        run.events.append(Sealed(item.event.id, item.version, item.body, item.hash))
        run.hash = item.hash
        run.state = run.decider.evolve(run.state, item.event)
        data = item.event.data
        if isinstance(data, CommandRequested) and self._checked.unsettled.get(data.command_id) == place:
            run.outbox.append(data)
        self._last = item.stream
        self._count += 1

    def commit(self) -> None:
        """Append what was taken, in one step."""
        self._store.append([self._commit(stream, run) for stream, run in self._open.items()])
        for run in self._open.values():
            run.before, run.events, run.outbox = run.events[-1].version, [], []
        self._open, self._last, self._count = {}, "", 0

    def _commit(self, stream: str, run: _Run) -> Commit:
        definition = self._definition(stream, run.state)
        head = Head(
            version=run.events[-1].version,
            hash=run.hash,
            state=encode_state(run.state),
            next_deadline=None if definition is None else run.decider.next_deadline(run.state, definition),
        )
        return Commit(stream=stream, expected_version=run.before, events=run.events, head=head, outbox=run.outbox)

    def _definition(self, stream: str, state: Any) -> Definition | None:
        """The definition in force; a control stream that has adopted none yet is ruled by the last it published."""
        sport = stream.partition("/")[0]
        version = state.definition or next(reversed(getattr(state, "definitions", ())), "")
        first = next(iter(self._fallback.values()), None)
        return self._checked.definitions.get(version) or self._fallback.get(sport) or first
