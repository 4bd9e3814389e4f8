"""The SQLite store does what the memory store does, through any appends, mistakes, crashes and reopenings."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.store import Commit, DuplicateEvent, Head, Store, WrongExpectedVersion
from tests.store_events import command, commit, contents, crash_image, ids, minutes, open_merging

STREAMS = ("nba/2026-01-15", "nba/2026-01-15/pulse", "nba/2026-01-16", "mlb/2026-04-01")
COMMANDS = tuple(command(name) for name in "abc")
MERGES = (3, 11)
"""When each of the two writers merges its index of ids: nearly always, and now and then."""


def outcome(store: Store, commits: Sequence[Commit]) -> object:
    """What became of an append: None, or the error with its fields."""
    try:
        store.append(commits)
    except (DuplicateEvent, WrongExpectedVersion) as error:
        return type(error), error.args
    return None


class SqliteAgainstMemory(RuleBasedStateMachine):
    """Two writers on one file, and the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "tipoff.db"
        self.model = MemoryStore()
        self.fresh = count()
        self.crashes = count()
        self.open()

    def open(self) -> None:
        opened = [open_merging(self.path, fresh_ids_max=most) for most in MERGES]
        self.writers: list[SqliteStore] = [store for store, _ in opened]
        self.connections: list[sqlite3.Connection] = [connection for _, connection in opened]

    def close(self) -> None:
        for writer in self.writers:
            writer.close()

    def teardown(self) -> None:
        self.close()
        self.folder.cleanup()

    def drawn(self, data: st.DataObject) -> list[Commit]:
        """Commits to a few streams: mostly right, sometimes with a version that is not, or with ids stored before."""
        return [
            self.commit_drawn(stream, data)
            for stream in data.draw(st.lists(st.sampled_from(STREAMS), unique=True, min_size=1))
        ]

    def commit_drawn(self, stream: str, data: st.DataObject) -> Commit:
        return commit(
            stream,
            *ids(*[self.name_drawn(data) for _ in range(data.draw(st.integers(1, 4)))]),
            onto=self.head_drawn(stream, data),
            deadline=data.draw(st.none() | st.integers(0, 3).map(minutes)),
            outbox=data.draw(st.lists(st.sampled_from(COMMANDS), max_size=2, unique_by=lambda c: c.command_id)),
            settled=data.draw(st.lists(st.sampled_from(COMMANDS).map(lambda c: c.command_id), max_size=2)),
        )

    def name_drawn(self, data: st.DataObject) -> int:
        again = data.draw(st.integers(-200, 12))  # beyond 0: perhaps one of the first names, else a new one
        return again if again >= 0 else next(self.fresh)

    def head_drawn(self, stream: str, data: st.DataObject) -> Head | None:
        head = self.model.head(stream)
        shift = data.draw(st.sampled_from([0] * 20 + [-1, 1]))
        version = (head.version if head else 0) + shift
        if shift == 0 or version < 0:
            return head
        return Head(version=version, hash="0" * 64, state=b"") if version else None

    @rule(data=st.data(), writer=st.integers(0, 1))
    def append(self, data: st.DataObject, writer: int) -> None:
        commits = self.drawn(data)
        assert outcome(self.writers[writer], commits) == outcome(self.model, commits)

    @rule(data=st.data(), writer=st.integers(0, 1), statement=st.integers(1, 25))
    def crash(self, data: st.DataObject, writer: int, statement: int) -> None:
        """Both processes are killed when one has got as far as `statement` of an append, and start again."""
        images: list[Path] = []
        folder = Path(self.folder.name) / f"crash-{next(self.crashes)}"
        seen = count(1)

        def trace(_: str) -> None:
            if next(seen) == statement:
                images.append(crash_image(self.path, folder))

        self.connections[writer].set_trace_callback(trace)
        commits = self.drawn(data)
        done = outcome(self.writers[writer], commits)
        self.connections[writer].set_trace_callback(None)
        if images:
            self.close()
            self.path = images[0]
            self.open()
        else:
            assert done == outcome(self.model, commits)

    @rule()
    def reopen(self) -> None:
        self.close()
        self.open()

    @invariant()
    def both_writers_hold_what_the_model_holds(self) -> None:
        expected = contents(self.model)
        assert [contents(writer) for writer in self.writers] == [expected, expected]


TestSqliteAgainstMemory = SqliteAgainstMemory.TestCase
TestSqliteAgainstMemory.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
