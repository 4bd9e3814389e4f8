"""Which appends make sense at all: the check that every store makes before it writes.

A commit that contradicts itself is a mistake in the caller, not a state of the store, so it is a ValueError and no
StoreError: retrying it never helps.
"""

from __future__ import annotations

from collections.abc import Sequence

from events.store import Commit


def refuse_malformed(commits: Sequence[Commit]) -> None:
    """Raise ValueError for commits that contradict each other or themselves."""
    streams = [commit.stream for commit in commits]
    if len(set(streams)) != len(streams):
        raise ValueError("at most one commit per stream and append")
    for commit in commits:
        if fault := _fault(commit):
            raise ValueError(f"commit to {commit.stream}: {fault}")


def _fault(commit: Commit) -> str | None:
    first, head = commit.expected_version + 1, commit.head
    if commit.expected_version < 0:
        return "the expected version is negative"
    if not commit.events:
        return "it has no events"
    if [event.version for event in commit.events] != list(range(first, first + len(commit.events))):
        return f"its events do not count on from version {first}"
    if (head.version, head.hash) != (commit.events[-1].version, commit.events[-1].hash):
        return "its head is not that of its last event"
    if head.next_deadline is not None and head.next_deadline.tzinfo is None:
        return "its next deadline has no time zone"
    return None
