"""The floor: the same bytes decoded and inserted in the same batches by bare sqlite3. What no event store can go below.

It folds nothing, checks nothing and forgets what it saw; the one thing it shares with the others is that a batch is on
the disk when it is acknowledged. A set in memory keeps duplicates out, so that all jobs store the same facts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gist import decode_body, decode_envelope
from benchmarks.job import Outcome


class FloorJob:
    """Decode to a dict, insert the bytes."""

    name = "floor"

    def open(self, folder: Path) -> None:
        """Make an empty table in `folder`."""
        self._connection = sqlite3.connect(folder / "floor.sqlite", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE events(position INTEGER PRIMARY KEY, topic TEXT, id TEXT, body BLOB)")
        self._seen: set[bytes] = set()

    def take(self, lines: Sequence[bytes]) -> None:
        """Insert what `lines` say, in one commit."""
        rows = []
        for line in lines:
            envelope = decode_envelope(line)
            message = envelope.message
            decode_body(message.data)
            if message.data not in self._seen:
                self._seen.add(message.data)
                rows.append((envelope.topic, message.messageId, message.data))
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO events(topic, id, body) VALUES (?, ?, ?)", rows)
        self._connection.execute("COMMIT")

    def outcome(self) -> Outcome:
        """The number of rows; it knows of no completions."""
        (facts,) = self._connection.execute("SELECT count(*) FROM events").fetchone()
        return Outcome(facts=facts)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()
