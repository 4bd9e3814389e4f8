"""What a store has recorded, ready to be shown: dates, pulses and control streams with the definition that rules each.

A state is shown under the definition it was decided under, even where another is loaded today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from msgspec import Struct

from events.catalogue import Event
from events.codec import GENESIS
from events.store import Store
from handlers.asked import Refused
from handlers.published import published
from handlers.remembered import Remembered
from projections.history import as_of
from statemachine.control import ControlState
from statemachine.definition import Definition
from statemachine.pulse import PulseState
from statemachine.state import DateState
from statemachine.streams import CONTROL, DATE, PULSE, date_stream, decider_for


class NothingRecorded(Refused):
    """There is no such date in the store."""

    code = "nothing_recorded"


class TooMuchAsked(Refused):
    """More would have to be folded than one question may cost."""

    code = "too_much_asked"

    def __init__(self, events: int, events_max: int) -> None:
        what = f"{events:,} events would have to be folded, and one question may have {events_max:,}"
        super().__init__(what, next_step="Ask for fewer dates, with `from` and `to`, or for a later instant.")


class Known(Struct, frozen=True, kw_only=True):
    """A game date at one version of its stream: its state, the hash of its last event, and the definition in force."""

    state: DateState
    hash: str
    definition: Definition


class Recorded:
    """What is in `store`, looked at with these definitions (by sport) loaded. `place` is what errors call the store;
    `remembered` is what was decoded of it before, where somebody keeps that between questions; `events_max` is how many
    events a question about many dates may fold (None: as many as there are)."""

    def __init__(
        self,
        store: Store,
        definitions: Mapping[str, Definition],
        *,
        place: str = "this store",
        remembered: Remembered | None = None,
        events_max: int | None = None,
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._place = place
        self._remembered = remembered or Remembered(store)
        self._events_max = events_max

    @cached_property
    def _published(self) -> dict[str, Definition]:
        return published(self._store)

    def definition(self, stream: str, version: str) -> Definition:
        """The definition of that version; where it is neither loaded nor in the store, that of the sport."""
        loaded = self._definitions
        ruling = loaded.get(stream.partition("/")[0]) or next(iter(loaded.values()))
        if version in ("", ruling.version):
            return ruling
        return self._published.get(version, ruling)

    def day(self, sport: str, game_date: str, at: int | datetime | None = None) -> Known:
        """A date as it is, or as it was known then. Raises NothingRecorded, NoSuchVersion."""
        stream = date_stream(sport, game_date)
        head = self._store.head(stream)
        if head is None:
            raise self._unknown(stream)
        if at is None:
            present: Any = self._remembered.state(stream, head)
            return Known(state=present, hash=head.hash, definition=self.definition(stream, present.definition))
        then: Any = self._remembered.as_of(stream, at)
        hash = next((item.hash for item in self._store.read(stream, after=then.version - 1)), GENESIS)
        hash = hash if then.version else GENESIS
        return Known(state=then, hash=hash, definition=self.definition(stream, then.definition))

    def history(self, sport: str, game_date: str, at: int | datetime | None = None) -> list[Event]:
        """The events of a date up to a version or an instant. Raises NothingRecorded, NoSuchVersion."""
        stream = date_stream(sport, game_date)
        events = list(self.events(stream))
        if not events:
            raise self._unknown(stream)
        return events[: as_of(stream, events, at).state.version] if at is not None else events

    def _unknown(self, stream: str) -> NothingRecorded:
        step = "`day list` shows what is there; `season open` opens the dates of a schedule."
        return NothingRecorded(f"nothing is recorded of {stream} in {self._place}", next_step=step)

    def events(self, stream: str, after: int = 0, *, about: Sequence[bytes] = ()) -> Iterator[Event]:
        """The events of a stream behind a version, in order; with `about` those whose bytes hold one of these, so that
        no others need to be decoded."""
        found = self._store.read(stream, after=after)
        return (item.event() for item in found if not about or any(mark in item.body for mark in about))

    def next_due(self) -> datetime | None:
        """The earliest deadline of all streams."""
        return self._store.next_due()

    def days(
        self, at: datetime | None = None, *, among: Callable[[str], bool] = lambda _stream: True
    ) -> Iterator[tuple[DateState, Definition]]:
        """Every game date, by sport and date; with `at` as they were known then, those without an event left out.
        Raises TooMuchAsked."""
        for state in self._states(lambda stream: is_date(stream) and among(stream), at):
            yield state, self.definition(state.stream, state.definition)

    def pulses(
        self, at: datetime | None = None, *, among: Callable[[str], bool] = lambda _stream: True
    ) -> Iterator[tuple[PulseState, Definition]]:
        """The pulse of every date that has one; with `at` as it was known then. Raises TooMuchAsked."""
        for state in self._states(lambda stream: is_pulse(stream) and among(stream), at):
            yield state, self.definition(state.stream, state.definition)

    def controls(self, at: datetime | None = None) -> Iterator[ControlState]:
        """Every control stream; with `at` as it was known then. Raises TooMuchAsked."""
        return self._states(is_control, at)

    def _states(self, wanted: Callable[[str], bool], at: datetime | None) -> Iterator[Any]:
        if at is not None and self._events_max is not None:
            self.allow(self._remembered.since(at, wanted))
        return self._remembered.states(wanted, at=at)

    def allow(self, events: int) -> None:
        """Whether a question may fold that many events. Raises TooMuchAsked."""
        if self._events_max is not None and events > self._events_max:
            raise TooMuchAsked(events, self._events_max)


def judged_at(state: DateState, now: datetime, at: int | datetime | None) -> datetime:
    """The instant that what was known at `at` is judged by: that one, or when that version was recorded; where none is
    asked for, `now`."""
    if isinstance(at, int):
        return state.recorded_at or now
    return at or now


def is_date(stream: str) -> bool:
    """True for the stream of a game date."""
    return decider_for(stream) is DATE


def is_pulse(stream: str) -> bool:
    """True for the heartbeats of a game date."""
    return decider_for(stream) is PULSE


def is_control(stream: str) -> bool:
    """True for the control stream of a sport."""
    return decider_for(stream) is CONTROL
