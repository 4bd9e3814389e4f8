"""Which event ids a SQLite store holds: a log-structured index, because a plain one costs as much as all the rest.

Ids are hashes, so each event hits a UNIQUE index on them at another page: a batch of 256 rewrites up to 256 pages.
Here the ids of an append go into one row at the end of `fresh_ids`, are mirrored in memory, and are merged into the
sorted table `ids` once `fresh_ids_max` of them have gathered (docs/decisions/0003-sqlite-store.md has the figures).

Promise: an id is stored if and only if it is in one of the two tables. `duplicates` and `add` run inside the append's
transaction. The mirror holds only what was committed, and follows the table, so neither a rollback nor another process
can leave it wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from sqlite3 import Connection

import msgspec

from events.codec import encode

_MERGED = "SELECT ids.id FROM json_each(?) AS asked CROSS JOIN ids ON ids.id = asked.value"
"""One look-up in the index for each id of a JSON array; a list of variables would be sorted, and prepared, anew."""

_ENDS = "SELECT (SELECT min(position) FROM fresh_ids), (SELECT max(position) FROM fresh_ids)"
_NEWER = "SELECT position, ids FROM fresh_ids WHERE position > ? ORDER BY position"
_MERGE = "INSERT INTO ids(id) SELECT value FROM fresh_ids, json_each(fresh_ids.ids) ORDER BY value"

_decode = msgspec.json.Decoder(list[str]).decode


class StoredIds:
    """The ids in the database behind `connection`."""

    def __init__(self, connection: Connection, *, fresh_ids_max: int) -> None:
        self._connection = connection
        self._fresh_ids_max = fresh_ids_max
        self._mirror: set[str] = set()
        self._oldest: int | None = None  # position of the first row of `fresh_ids`, as mirrored
        self._newest: int | None = None  # and of the last
        self._added: tuple[int, Sequence[str]] | None = None

    def duplicates(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of `ids` that are stored already or that occur in it more than once."""
        self._follow()
        found = self._mirror.intersection(ids)
        found.update(id for (id,) in self._connection.execute(_MERGED, (encode(ids).decode(),)))
        if len(set(ids)) < len(ids):
            found.update(id for id, count in Counter(ids).items() if count > 1)
        return frozenset(found)

    def add(self, ids: Sequence[str], *, first_position: int) -> None:
        """Store `ids`, none of which may be stored, for the events from `first_position` on."""
        row = first_position, encode(ids).decode()
        self._connection.execute("INSERT INTO fresh_ids(position, ids) VALUES (?, ?)", row)
        merging = len(self._mirror) + len(ids) >= self._fresh_ids_max
        if merging:
            self._connection.execute(_MERGE)
            self._connection.execute("DELETE FROM fresh_ids")
        self._added = None if merging else (first_position, ids)

    def committed(self) -> None:
        """Take what was added into the mirror: `_follow` would, but reading it back costs time."""
        if self._added is not None:
            self._remember(*self._added)

    def _follow(self) -> None:
        """Bring the mirror up to `fresh_ids`; begin anew where a merge, by whomever, has emptied that table."""
        oldest, newest = self._connection.execute(_ENDS).fetchone()
        if oldest != self._oldest:
            self._mirror, self._oldest, self._newest = set(), None, None
        if newest != self._newest:
            for position, text in self._connection.execute(_NEWER, (self._newest or 0,)).fetchall():
                self._remember(position, _decode(text))

    def _remember(self, position: int, ids: Sequence[str]) -> None:
        self._mirror.update(ids)
        self._oldest = self._oldest or position
        self._newest = position
