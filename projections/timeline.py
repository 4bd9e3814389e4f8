"""The timeline of a stream: every event as one line that a person can read, and what caused it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from events.catalogue import Event, type_of
from projections.sentences import sentence


class TimelineEntry(Struct, frozen=True, kw_only=True):
    """An event in one line. `at` is when we recorded it, `occurred_at` what the sender said; `caused_by` is the version
    of the input it follows from, None for an input itself."""

    version: int
    at: datetime
    occurred_at: datetime
    type: str
    actor: str
    summary: str
    caused_by: int | None


def timeline(events: Iterable[Event]) -> list[TimelineEntry]:
    """The entries of `events`, in their order. Where the cause lies before the first of them, `caused_by` is None."""
    version_of: dict[str, int] = {}
    entries = []
    for event in events:
        version_of[event.id] = event.version
        entries.append(
            TimelineEntry(
                version=event.version,
                at=event.recorded_at,
                occurred_at=event.occurred_at,
                type=type_of(event.data),
                actor=event.actor,
                summary=sentence(event.data),
                caused_by=version_of.get(event.causation) if event.causation is not None else None,
            )
        )
    return entries
