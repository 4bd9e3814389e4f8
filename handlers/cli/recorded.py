"""What a store has recorded, ready to be shown: dates, pulses and control streams with the definition that rules each.

A state is shown under the definition it was decided under, even where another is loaded today.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

from msgspec import Struct

from events.catalogue import Event
from events.codec import GENESIS
from events.store import Store
from handlers.cli.problems import Refused
from handlers.cli.session import Session
from handlers.published import published
from projections.history import as_of
from statemachine.control import ControlState
from statemachine.definition import Definition
from statemachine.pulse import PulseState
from statemachine.state import DateState
from statemachine.streams import CONTROL, DATE, PULSE, date_stream


class Known(Struct, frozen=True, kw_only=True):
    """A game date at one version of its stream: its state, the hash of its last event, and the definition in force."""

    state: DateState
    hash: str
    definition: Definition


class Recorded:
    """What is in `store`, as a session looks at it."""

    def __init__(self, session: Session, store: Store) -> None:
        self._session = session
        self._store = store

    @cached_property
    def _published(self) -> dict[str, Definition]:
        return published(self._store)

    def definition(self, stream: str, version: str) -> Definition:
        """The definition of that version; where neither the session nor the store has it, that of the sport."""
        loaded = self._session.definitions
        ruling = loaded.get(stream.partition("/")[0]) or next(iter(loaded.values()))
        if version in ("", ruling.version):
            return ruling
        return self._published.get(version, ruling)

    def day(self, sport: str, game_date: str, at: int | datetime | None = None) -> Known:
        """A date as it is, or as it was known then. Raises Refused where nothing is recorded of it, NoSuchVersion."""
        stream = date_stream(sport, game_date)
        head = self._store.head(stream)
        if head is None:
            raise self._unknown(stream)
        if at is None:
            state = DATE.decode(head.state)
            return Known(state=state, hash=head.hash, definition=self.definition(stream, state.definition))
        then: Any = as_of(stream, self.events(stream), at)
        hash = next((item.hash for item in self._store.read(stream, after=then.state.version - 1)), GENESIS)
        hash = hash if then.state.version else GENESIS
        return Known(state=then.state, hash=hash, definition=self.definition(stream, then.state.definition))

    def history(self, sport: str, game_date: str, at: int | datetime | None = None) -> list[Event]:
        """The events of a date up to a version or an instant. Raises Refused, NoSuchVersion."""
        stream = date_stream(sport, game_date)
        events = list(self.events(stream))
        if not events:
            raise self._unknown(stream)
        return events[: as_of(stream, events, at).state.version] if at is not None else events

    def _unknown(self, stream: str) -> Refused:
        step = "`day list` shows what is there; `season open` opens the dates of a schedule."
        return Refused(f"nothing is recorded of {stream} in {self._session.store}", next_step=step)

    def events(self, stream: str) -> Iterator[Event]:
        """The events of a stream, in order."""
        return (stored.event() for stored in self._store.read(stream))

    def days(self) -> Iterator[tuple[DateState, Definition]]:
        """Every game date, by sport and date."""
        for stream, head in self._store.heads():
            if stream.count("/") == 1 and not stream.endswith("/control"):
                state = DATE.decode(head.state)
                yield state, self.definition(stream, state.definition)

    def pulses(self) -> Iterator[tuple[PulseState, Definition]]:
        """The pulse of every date that has one."""
        for stream, head in self._store.heads():
            if stream.endswith("/pulse"):
                state = PULSE.decode(head.state)
                yield state, self.definition(stream, state.definition)

    def controls(self) -> Iterator[ControlState]:
        """Every control stream."""
        for stream, head in self._store.heads():
            if stream.endswith("/control"):
                yield CONTROL.decode(head.state)
