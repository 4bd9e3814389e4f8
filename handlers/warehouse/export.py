"""Export: events and gate evaluations of a store into a warehouse, each once, in bounded batches.

A batch is staged, then merged in one step together with the checkpoint, so that the checkpoint never runs ahead of the
rows; whatever is cut off in between is done again, and what is there already is known by its event id.

Other instances append while this one reads. Where positions are instants of a server (Firestore), a commit may become
visible after one with a later position; so reading begins `overlap` before the checkpoint each time, and what was seen
there before is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from hashlib import sha256

import msgspec
from msgspec import Struct

from events.catalogue import GateEvaluated
from events.store import Store, Stored, StoreUnavailable
from handlers.stores import store_name
from handlers.warehouse.engine import Batch, Checkpoint, Warehouse, WarehouseUnavailable
from handlers.warehouse.rows import evaluation_row, event_row, place_of

BATCH_EVENTS_MAX = 20_000
BATCH_BYTES_MAX = 16_000_000
"""Rows of a batch as JSON lines, in number and bytes. One load job for events, one for evaluations."""

ROUND_SECONDS = 300
"""How old an event gets before it is exported, where somebody follows: 288 rounds a day, two load jobs each at most,
of the 1,500 that BigQuery allows for a table; and staging tables are tables of their own."""

LATE_SECONDS = 120
"""How long a commit to Firestore may be under way: twelve times what our own calls wait for one."""

Progress = Callable[[int], None]
"""Told how many events are done."""


def unwatched(_done: int) -> None:
    """Progress that nobody looks at."""


class Exported(Struct, frozen=True, kw_only=True):
    """What an export came to. `events` were loaded, those of the overlap that were there before among them; `resumed`
    is False where it read from the beginning; `position` is that of the last event, None for an empty store."""

    events: int
    evaluations: int
    batches: int
    resumed: bool
    position: int | None


def overlap_of(name: str) -> int:
    """How far behind its last position something may still appear in the store called `name`."""
    if store_name(name).scheme != "firestore":
        return 0  # one writer at a time: who sees a position sees all before it
    from events.firestore import POSITIONS_PER_INSTANT  # noqa: PLC0415 - Google's client, for this store alone

    return LATE_SECONDS * 1_000_000 * POSITIONS_PER_INSTANT


class Exporter:
    """Exports one store into one warehouse, as often as it is told to. Raises what either of them raises; after any
    error, `run` goes on where the last batch was merged."""

    def __init__(
        self,
        store: Store,
        warehouse: Warehouse,
        *,
        overlap: int = 0,
        batch_events_max: int = BATCH_EVENTS_MAX,
        batch_bytes_max: int = BATCH_BYTES_MAX,
    ) -> None:
        self._store = store
        self._warehouse = warehouse
        self._overlap = overlap
        self._events_max = batch_events_max
        self._bytes_max = batch_bytes_max
        self._prepared = False
        self._seen: dict[str, int] = {}  # hash -> position, of what this process exported and may read again

    def run(self, progress: Progress = unwatched) -> Exported:
        """Export what the store has now."""
        if not self._prepared:
            self._warehouse.prepare()
            self._prepared = True
        first = next(self._store.read_all(), None)
        if first is None:
            return Exported(events=0, evaluations=0, batches=0, resumed=False, position=None)
        checkpoint = self._warehouse.checkpoint(first.hash)
        resumed = self._is_ours(checkpoint)
        if not resumed:
            checkpoint = Checkpoint(origin=first.hash, position=0, hash="")
        events = evaluations = batches = 0
        for batch, hashes in self._batches(checkpoint, progress):
            self._warehouse.stage(batch)
            self._warehouse.merge(batch)
            self._remember(hashes, batch.checkpoint)
            self._warehouse.discard(batch)
            checkpoint, batches = batch.checkpoint, batches + 1
            events, evaluations = events + batch.events_count, evaluations + batch.evaluations_count
        return Exported(
            events=events,
            evaluations=evaluations,
            batches=batches,
            resumed=resumed,
            position=checkpoint.position,
        )

    def _is_ours(self, checkpoint: Checkpoint) -> bool:
        """True where the store has the checkpoint's event at its place. A copy of the store with other places, or an
        older state of it, is read from the beginning: nothing comes twice, and nothing is missed."""
        for stored in self._store.read_all(after=checkpoint.position - 1) if checkpoint.position else ():
            if stored.position > checkpoint.position:
                break
            if stored.hash == checkpoint.hash:
                return True
        return False

    def _batches(self, checkpoint: Checkpoint, progress: Progress) -> Iterator[tuple[Batch, dict[str, int]]]:
        """Batches of what was not seen yet, each with the hashes and positions of its events."""
        filling = _Filling(checkpoint)
        after = max(0, checkpoint.position - self._overlap)
        unseen = (stored for stored in self._store.read_all(after=after) if stored.hash not in self._seen)
        for done, stored in enumerate(unseen, 1):
            filling.add(stored)
            progress(done)
            if len(filling.hashes) >= self._events_max or filling.bytes >= self._bytes_max:
                yield filling.batch(), filling.hashes
                filling = _Filling(filling.checkpoint)
        if filling.hashes:
            yield filling.batch(), filling.hashes

    def _remember(self, hashes: dict[str, int], checkpoint: Checkpoint) -> None:
        """Keep what the next run will read again, and only that."""
        again = checkpoint.position - self._overlap
        self._seen = {hash: at for hash, at in (self._seen | hashes).items() if at > again}


def follow(
    run: Callable[[], Exported],
    *,
    wait: Callable[[], bool],
    told: Callable[[Exported], None],
    failed: Callable[[Exception], None],
) -> None:
    """Run, wait and run again, until `wait` says no. A round that fails is told and made up for by the next one."""
    while True:
        try:
            told(run())
        except (WarehouseUnavailable, StoreUnavailable) as error:
            failed(error)
        if not wait():
            return


class _Filling:
    """A batch while it grows. Rows are made as they come, so that only their bytes are held."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.hashes: dict[str, int] = {}
        self.bytes = 0
        self._events: list[bytes] = []
        self._evaluations: list[bytes] = []
        self._dates: set[date] = set()

    def add(self, stored: Stored) -> None:
        """Take an event. Raises CorruptEvent: what cannot be read is not passed over."""
        event = stored.event()
        row = msgspec.json.encode(event_row(stored, event))
        self._events.append(row)
        if isinstance(event.data, GateEvaluated):
            self._evaluations.append(msgspec.json.encode(evaluation_row(stored, event, event.data)))
        game_date = place_of(stored.stream)[1]
        if game_date is not None:
            self._dates.add(game_date)
        self.hashes[stored.hash] = stored.position
        self.bytes += len(row)
        if stored.position >= self.checkpoint.position:
            self.checkpoint = Checkpoint(origin=self.checkpoint.origin, position=stored.position, hash=stored.hash)

    def batch(self) -> Batch:
        """The batch as it is now. The same events give the same id."""
        digest = sha256("".join(self.hashes).encode()).hexdigest()
        return Batch(
            id=digest[:16],
            events=_lines(self._events),
            events_count=len(self._events),
            evaluations=_lines(self._evaluations),
            evaluations_count=len(self._evaluations),
            first=min(self._dates, default=None),
            last=max(self._dates, default=None),
            checkpoint=self.checkpoint,
        )


def _lines(rows: list[bytes]) -> bytes:
    return b"".join(row + b"\n" for row in rows)
