"""The floor: the same bytes decoded to dicts and inserted in the same batches by bare sqlite3.

It folds nothing, checks nothing and has no index; the one thing it shares with the others is that a batch is on the
disk when it is acknowledged. A set in memory keeps duplicates out, so that all jobs store the same facts.
"""

from __future__ import annotations

import sqlite3
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.job import Outcome

TABLE = "CREATE TABLE events(position INTEGER PRIMARY KEY, topic TEXT, id TEXT, published_at TEXT, body BLOB)"
INSERT = "INSERT INTO events(topic, id, published_at, body) VALUES (?, ?, ?, ?)"

decode = msgspec.json.Decoder().decode


class FloorJob:
    """Decode to a dict, insert the bytes."""

    name = "floor"

    def open(self, folder: Path) -> None:
        """Make an empty table in `folder`."""
        self._connection = sqlite3.connect(folder / "floor.sqlite", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(TABLE)
        self._seen: set[bytes] = set()

    def take(self, lines: Sequence[bytes]) -> None:
        """Insert what `lines` say, in one commit."""
        rows = []
        for line in lines:
            envelope = decode(line)
            message = envelope["message"]
            data = b64decode(message["data"])
            decode(data)
            if data not in self._seen:
                self._seen.add(data)
                rows.append((envelope["topic"], message["messageId"], message["publishTime"], data))
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(INSERT, rows)
        self._connection.execute("COMMIT")

    def outcome(self) -> Outcome:
        """The number of rows; it knows of no completions."""
        (facts,) = self._connection.execute("SELECT count(*) FROM events").fetchone()
        return Outcome(facts=facts)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()
