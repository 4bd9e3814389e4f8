"""Which event ids a SQLite store holds: a log-structured index, because a plain one costs as much as all the rest.

Ids are hashes, so each event hits a UNIQUE index on them at another page: a batch of 256 rewrites up to 256 pages.
Here new ids are appended to `fresh_ids` in order, mirrored in memory, and merged into the sorted table `ids` once
`fresh_ids_max` of them have gathered (docs/decisions/0003-sqlite-store.md has the figures).

Promise: an id is stored if and only if it is in one of the two tables. `duplicates` and `add` run inside the append's
transaction. The mirror holds only what was committed, and follows the table, so neither a rollback nor another process
can leave it wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from sqlite3 import Connection

VARIABLES_MAX = 500
"""Bound variables in one statement; SQLite before 3.32 allows 999."""


class StoredIds:
    """The ids in the database behind `connection`."""

    def __init__(self, connection: Connection, *, fresh_ids_max: int) -> None:
        self._connection = connection
        self._fresh_ids_max = fresh_ids_max
        self._mirror: set[str] = set()
        self._oldest: int | None = None  # position of the first row of `fresh_ids`, as mirrored
        self._newest = 0  # and of the last
        self._added: Sequence[tuple[int, str]] = ()

    def duplicates(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of `ids` that are stored already or that occur in it more than once."""
        self._follow()
        found = self._mirror.intersection(ids)
        for chunk in _chunks(ids):
            marks = ",".join("?" * len(chunk))
            found.update(id for (id,) in self._connection.execute(f"SELECT id FROM ids WHERE id IN ({marks})", chunk))
        if len(set(ids)) < len(ids):
            found.update(id for id, count in Counter(ids).items() if count > 1)
        return frozenset(found)

    def add(self, ids: Sequence[str], *, first_position: int) -> None:
        """Store `ids`, none of which may be stored, for the events from `first_position` on."""
        rows = list(enumerate(ids, first_position))
        self._connection.executemany("INSERT INTO fresh_ids(position, id) VALUES (?, ?)", rows)
        merging = len(self._mirror) + len(rows) >= self._fresh_ids_max
        if merging:
            self._connection.execute("INSERT INTO ids(id) SELECT id FROM fresh_ids ORDER BY id")
            self._connection.execute("DELETE FROM fresh_ids")
        self._added = () if merging else rows

    def committed(self) -> None:
        """Take what was added into the mirror: `_follow` would, but reading it back costs time."""
        self._mirror_rows(self._added)

    def _follow(self) -> None:
        """Bring the mirror up to `fresh_ids`; begin anew where a merge, by whomever, has emptied that table."""
        (oldest,) = self._connection.execute("SELECT min(position) FROM fresh_ids").fetchone()
        if oldest != self._oldest:
            self._mirror, self._oldest, self._newest = set(), None, 0
        newer = "SELECT position, id FROM fresh_ids WHERE position > ? ORDER BY position"
        self._mirror_rows(self._connection.execute(newer, (self._newest,)).fetchall())

    def _mirror_rows(self, rows: Sequence[tuple[int, str]]) -> None:
        if rows:
            self._mirror.update([id for _, id in rows])
            self._oldest = self._oldest or rows[0][0]
            self._newest = rows[-1][0]


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + VARIABLES_MAX] for start in range(0, len(ids), VARIABLES_MAX))
