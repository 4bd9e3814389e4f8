"""What an ingest benchmark runs: the same batches of lines into an empty store, on the disk when acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from msgspec import Struct

T = TypeVar("T")

BATCH = 256
"""Messages acknowledged together."""


def in_batches(lines: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """`lines` in their order, `size` at a time."""
    return (lines[at : at + size] for at in range(0, len(lines), size))


class Outcome(Struct, frozen=True, kw_only=True):
    """What a job has stored: distinct facts, and what it folded them to, as `date/phase/processor` (None for a job that
    folds nothing). Two jobs over the same lines must agree."""

    facts: int
    completed: frozenset[str] | None = None


class Job(Protocol):
    """A way of doing it. Implementations: `tipoff`, `floor`, `peer_eventsourcing`, `peer_dbos`."""

    @property
    def name(self) -> str:
        """The name in the report."""

    def open(self, folder: Path) -> None:
        """Make an empty store in `folder`; not measured."""

    def take(self, lines: Sequence[bytes]) -> None:
        """Decode, deduplicate, fold and store a batch; on return it is on the disk."""

    def outcome(self) -> Outcome:
        """What was stored; not measured."""

    def close(self) -> None:
        """Release files and connections; not measured."""
