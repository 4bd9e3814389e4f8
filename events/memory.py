"""The store in memory: the reference that says in plain Python what every store promises.

Same order, same errors, same all-or-nothing as the others; only durability is missing. Safe to use from several
threads.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from operator import itemgetter
from threading import Lock

from events.commits import refuse_malformed
from events.store import Commit, DuplicateEvent, Head, Pending, Stored, StoreUnavailable, WrongExpectedVersion

NAME = "memory:"


class MemoryStore:
    """A Store that lives as long as its process. It checks everything first and only then changes anything."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._closed = False
        self._all: list[Stored] = []
        self._streams: defaultdict[str, list[Stored]] = defaultdict(list)
        self._heads: dict[str, Head] = {}
        self._ids: set[str] = set()
        self._outbox: dict[str, Pending] = {}

    def head(self, stream: str) -> Head | None:
        """See Store."""
        with self._session():
            return self._heads.get(stream)

    def append(self, commits: Sequence[Commit]) -> None:
        """See Store. Raises ValueError for malformed commits."""
        refuse_malformed(commits)
        with self._session():
            self._refuse_stale(commits)
            self._refuse_duplicates(commits)
            for commit in commits:
                self._write(commit)
            for command_id in [id for commit in commits for id in commit.settled]:
                self._outbox.pop(command_id, None)
            for commit in commits:
                for command in commit.outbox:
                    self._outbox[command.command_id] = Pending(commit.stream, command)

    def _refuse_stale(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            head = self._heads.get(commit.stream)
            actual = head.version if head else 0
            if actual != commit.expected_version:
                raise WrongExpectedVersion(stream=commit.stream, expected=commit.expected_version, actual=actual)

    def _refuse_duplicates(self, commits: Sequence[Commit]) -> None:
        counts = Counter(event.id for commit in commits for event in commit.events)
        ids = frozenset(id for id, count in counts.items() if count > 1 or id in self._ids)
        if ids:
            raise DuplicateEvent(ids=ids)

    def _write(self, commit: Commit) -> None:
        for event in commit.events:
            stored = Stored(len(self._all) + 1, commit.stream, event.version, event.body, event.hash)
            self._all.append(stored)
            self._streams[commit.stream].append(stored)
            self._ids.add(event.id)
        self._heads[commit.stream] = commit.head

    def read(self, stream: str, *, after: int = 0) -> Iterator[Stored]:
        """See Store."""
        with self._session():
            events = self._streams.get(stream, [])[max(after, 0) :]
        yield from events

    def bodies(self, stream: str) -> Iterator[bytes]:
        """See Store."""
        return (stored.body for stored in self.read(stream))

    def read_all(self, *, after: int = 0) -> Iterator[Stored]:
        """See Store."""
        with self._session():
            events = self._all[max(after, 0) :]
        yield from events

    def streams(self, prefix: str = "") -> list[str]:
        """See Store."""
        return [stream for stream, _ in self.heads(prefix)]

    def heads(self, prefix: str = "") -> Iterator[tuple[str, Head]]:
        """See Store."""
        with self._session():
            heads = [(stream, head) for stream, head in self._heads.items() if stream.startswith(prefix)]
        yield from sorted(heads, key=itemgetter(0))

    def due(self, now: datetime) -> list[str]:
        """See Store."""
        return [stream for deadline, stream in self._deadlines() if deadline <= now]

    def next_due(self) -> datetime | None:
        """See Store."""
        return next((deadline for deadline, _ in self._deadlines()), None)

    def _deadlines(self) -> list[tuple[datetime, str]]:
        with self._session():
            heads = list(self._heads.items())
        return sorted((head.next_deadline, stream) for stream, head in heads if head.next_deadline is not None)

    def pending(self, limit: int = 1000) -> list[Pending]:
        """See Store."""
        with self._session():
            return list(islice(self._outbox.values(), limit))

    def close(self) -> None:
        """See Store."""
        self._closed = True

    @contextmanager
    def _session(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise StoreUnavailable(store=NAME, reason="it is closed", next_step="Open it again.")
            yield
