"""Which event ids a SQLite store holds: a log-structured index, because a plain one costs as much as all the rest.

Ids are hashes, so each event hits a UNIQUE index on them at another page: a batch of 256 rewrites up to 256 pages.
Here the ids of an append go into one row at the end of `fresh_ids`, are mirrored in memory, and are merged into the
sorted table `ids` once `fresh_ids_max` of them have gathered (docs/decisions/0003-sqlite-store.md has the figures).

Promise: an id is stored if and only if it is in one of the two tables. `add` runs inside the append's transaction. The
mirror holds only what was committed, and follows the table, so neither a rollback nor another process can leave it
wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
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
        self._added: tuple[int, Collection[str]] | None = None

    def add(self, ids: Sequence[str], *, first_position: int) -> frozenset[str]:
        """Store `ids` for the events from `first_position` on, unless some are stored already or occur more than once:
        those are returned, and none is stored."""
        self._follow()
        text = encode(ids).decode()
        different = set(ids)
        found = self._mirror & different
        found.update([id for (id,) in self._connection.execute(_MERGED, (text,))])
        if len(different) < len(ids):
            found.update([id for id, count in Counter(ids).items() if count > 1])
        if not found:
            self._write(text, different, first_position)
        return frozenset(found)

    def _write(self, text: str, ids: set[str], position: int) -> None:
        self._connection.execute("INSERT INTO fresh_ids(position, ids) VALUES (?, ?)", (position, text))
        merging = len(self._mirror) + len(ids) >= self._fresh_ids_max
        if merging:
            self._connection.execute(_MERGE)
            self._connection.execute("DELETE FROM fresh_ids")
        self._added = None if merging else (position, ids)

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

    def _remember(self, position: int, ids: Collection[str]) -> None:
        self._mirror.update(ids)
        self._oldest = self._oldest or position
        self._newest = position
