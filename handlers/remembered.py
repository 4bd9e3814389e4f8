"""What was decoded or folded once, kept: so that the second question costs what has changed since the first.

Nothing here is the truth. A state is kept with the hash of the event it ends at and thrown away when the head has
another; points of the past are kept as they are, for a stream only ever grows. Safe for several threads.
"""

from __future__ import annotations

import gc
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice, takewhile
from threading import Lock
from typing import Any

from msgspec import Struct

from events.catalogue import Event
from events.codec import decode
from events.store import Head, Store
from handlers.heads import state_in
from projections.history import NoSuchVersion
from statemachine.streams import State, decider_for, fold

STATES_MAX = 2048
"""Streams whose decoded state is kept: several seasons."""

PASTS_MAX = 64
"""Streams of which points of the past are kept."""

MARK_EVENTS = 500
"""A point of the past is kept every so many events: a query folds at most that many."""


class Mark(Struct, frozen=True):
    """A stream as it was at one version, and when that was recorded."""

    version: int
    recorded_at: datetime
    state: State


class Remembered:
    """The states of `store`, now and then."""

    def __init__(self, store: Store, *, mark_events: int = MARK_EVENTS) -> None:
        self._store = store
        self._mark_events = mark_events
        self._states: OrderedDict[str, tuple[str, State]] = OrderedDict()
        self._pasts: OrderedDict[str, list[Mark]] = OrderedDict()
        self._lock = Lock()

    def states(
        self, wanted: Callable[[str], bool] = lambda _stream: True, *, at: datetime | None = None
    ) -> Iterator[State]:
        """The state of every stream that is `wanted`, by name; with `at` as known then, those without an event left
        out. Raises StoreUnavailable, CorruptStore."""
        for stream, head in self._store.heads():
            if wanted(stream):
                state: Any = self.state(stream, head) if at is None else self._then(stream, head, at)
                if at is None or state.version:
                    yield state

    def since(self, at: datetime, wanted: Callable[[str], bool]) -> int:
        """How many events those streams have that are `wanted` and have moved on since `at`: no more are folded to know
        them as of then."""
        there = ((self.state(stream, head), head.version) for stream, head in self._store.heads() if wanted(stream))
        return sum(version for state, version in there if state.recorded_at is not None and state.recorded_at > at)

    def state(self, stream: str, head: Head) -> State:
        """The state in `head`, decoded unless that was done before."""
        with self._lock:
            known = self._states.get(stream)
        if known is not None and known[0] == head.hash:
            return known[1]
        state: State = state_in(stream, head)
        with self._lock:
            self._states[stream] = head.hash, state
            self._states.move_to_end(stream)
            while len(self._states) > STATES_MAX:
                self._states.popitem(last=False)
        return state

    def as_of(self, stream: str, at: int | datetime) -> State:
        """The state of `stream` at a version, or as known at an instant: the same as folding from the first event. An
        instant before the first event is the initial state. Raises NoSuchVersion, StoreUnavailable, CorruptStore."""
        head = self._store.head(stream)
        if head is None:
            return self._none_such(stream, at, decider_for(stream).initial(stream))
        return self._then(stream, head, at)

    def _then(self, stream: str, head: Head, at: int | datetime) -> State:
        present: Any = self.state(stream, head)
        if at == present.version or (isinstance(at, datetime) and at >= present.recorded_at):
            return present  # type: ignore[no-any-return]
        return self._fold(stream, at)

    def _none_such(self, stream: str, at: int | datetime, state: State) -> State:
        if isinstance(at, int) and at != state.version:
            raise NoSuchVersion(stream=stream, version=at, latest=state.version)
        return state

    def _fold(self, stream: str, at: int | datetime) -> State:
        """Fold on from the last mark before `at`, and leave marks on the way."""
        start = self._mark_before(stream, at)
        state: Any = decider_for(stream).initial(stream) if start is None else start.state
        made: list[Mark] = []
        stored = self._store.read(stream, after=state.version)
        events = takewhile(_known(at), (item.event() for item in stored))
        while some := list(islice(events, self._mark_events - state.version % self._mark_events)):
            state = fold(stream, state, some)
            if state.version % self._mark_events == 0:
                made.append(Mark(state.version, state.recorded_at, state))
        self._keep(stream, made)
        return self._none_such(stream, at, state)

    def _mark_before(self, stream: str, at: int | datetime) -> Mark | None:
        with self._lock:
            marks = self._pasts.get(stream, [])
            key: Callable[[Mark], Any] = (lambda m: m.version) if isinstance(at, int) else (lambda m: m.recorded_at)
            place = bisect_right(marks, at, key=key)
            return marks[place - 1] if place else None

    def _keep(self, stream: str, made: list[Mark]) -> None:
        if not made:
            return  # a stream without marks would push out one that has some
        with self._lock:
            marks = self._pasts.setdefault(stream, [])
            self._pasts.move_to_end(stream)
            known = {mark.version for mark in marks}
            marks += [mark for mark in made if mark.version not in known]
            marks.sort(key=lambda mark: mark.version)
            while len(self._pasts) > PASTS_MAX:
                self._pasts.popitem(last=False)


def rebuilt(
    store: Store, *, wanted: Callable[[str], bool] = lambda _stream: True, at: datetime | None = None
) -> dict[str, State]:
    """The state of every stream that is `wanted`, by name, folded from its first event; with `at` as known then. It is
    what the heads hold (law c), or would have held; that nobody changed the events, `verify` says. Raises
    StoreUnavailable, CorruptStore, CorruptEvent."""
    with uncollected():
        states = {stream: _folded(store, stream, at) for stream in store.streams() if wanted(stream)}
    return {stream: state for stream, state in states.items() if state.version}


def _folded(store: Store, stream: str, at: datetime | None) -> Any:
    events: Iterable[Event] = map(decode, store.bodies(stream))
    if at is not None:
        events = takewhile(_known(at), events)
    return fold(stream, decider_for(stream).initial(stream), events)


def _known(at: int | datetime) -> Callable[[Event], bool]:
    """Whether an event had happened at a version, or was recorded by an instant."""
    if isinstance(at, int):
        return lambda event: event.version <= at
    return lambda event: event.recorded_at <= at


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cycles: a fold makes none, and looking for them over and over takes a sixth of it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
