"""History: a stream as it was known then, and what each event changed.

Both fold the stream from its beginning with the same `evolve` as the service, so what they show is what was known, not
what is known now about then. Any kind of stream will do: a date, its pulse, a sport's control stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from events.catalogue import Event, type_of
from projections.difference import Change, difference, plain
from statemachine.streams import State, decider_for

BOOKKEEPING = frozenset({"version", "recorded_at", "recent"})
"""Fields that every event changes and the event itself says; steps leave them out."""


class NoSuchVersion(Exception):
    """The stream has not come that far."""

    code = "no_such_version"

    def __init__(self, *, stream: str, version: int, latest: int) -> None:
        self.stream, self.version, self.latest = stream, version, latest
        super().__init__(stream, version, latest)

    def __str__(self) -> str:
        return f"{self.stream} has no version {self.version}; its latest is {self.latest}. Ask for 0 to {self.latest}."


class AsOf(Struct, frozen=True, kw_only=True):
    """A stream at one point of its history. `last` is the last event folded, None before the first."""

    state: State
    last: Event | None


class Step(Struct, frozen=True, kw_only=True):
    """An event and what it changed in the state, bookkeeping left out."""

    version: int
    recorded_at: datetime
    type: str
    changes: tuple[Change, ...]


def as_of(stream: str, events: Iterable[Event], at: int | datetime | None = None) -> AsOf:
    """The state of `stream` at a version, or as known at an instant (with a zone); None is now. `events` are those of
    the stream from its first, in order. Raises NoSuchVersion; an instant before the first event is the initial state.
    """
    decider: Any = decider_for(stream)
    state, last = decider.initial(stream), None
    for event in events:
        if at is not None and (event.version > at if isinstance(at, int) else event.recorded_at > at):
            break
        state, last = decider.evolve(state, event), event
    if isinstance(at, int) and at != state.version:
        raise NoSuchVersion(stream=stream, version=at, latest=state.version)
    return AsOf(state=state, last=last)


def steps(events: Iterable[Event], before: State | None = None) -> Iterator[Step]:
    """What each event changed; `events` are those of one stream from its first, in order, or those behind the state
    `before`."""
    state: Any = before
    known = plain(state) if before is not None else {}
    for event in events:
        decider: Any = decider_for(event.stream)
        if state is None:
            state = decider.initial(event.stream)
            known = plain(state)
        state = decider.evolve(state, event)
        after = plain(state)
        changes = tuple(change for change in difference(known, after) if change.path[0] not in BOOKKEEPING)
        yield Step(version=event.version, recorded_at=event.recorded_at, type=type_of(event.data), changes=changes)
        known = after
