"""Questions over many dates, and what a date came to: season health, reconciliation, daily reports, service levels.

Each function asks `Recorded` and a projection, like those of `handlers/answers.py`; `at` asks as things were known
then, and judges them by that instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from events.catalogue import Event
from handlers.recorded import NothingRecorded, Recorded
from projections.health import Health, health
from projections.metrics import Levels, levels
from projections.reconciliation import Reconciliation, reconcile
from projections.report import DailyReport, daily_report
from statemachine.definition import Definition
from statemachine.evolve import evolve, initial
from statemachine.state import DateState
from statemachine.streams import date_stream

Day = tuple[list[Event], DateState, Definition]


class Span(Struct, frozen=True, kw_only=True):
    """Which dates are asked about: those of a sport (None: of all), from `first` to `last`, both included."""

    sport: str | None = None
    first: str = ""
    last: str = "9999"

    def holds(self, sport: str, game_date: str) -> bool:
        """Whether a date is among them."""
        return self.sport in (None, sport) and self.first <= game_date <= self.last


EVERYTHING = Span()


def season_health(recorded: Recorded, now: datetime, span: Span = EVERYTHING, *, at: datetime | None = None) -> Health:
    """Whether all is well on the dates of `span`, and with what concerns no single date of their sport."""
    days = [day for day in recorded.days(at) if span.holds(day[0].sport, day[0].game_date)]
    controls = [state for state in recorded.controls(at) if span.sport in (None, state.stream.partition("/")[0])]
    return health(days, controls, now=at or now)


def reconciliation(
    recorded: Recorded, now: datetime, span: Span = EVERYTHING, *, at: datetime | None = None
) -> Reconciliation:
    """From schedule to grades, date by date. Raises NothingRecorded."""
    days = list(_days(recorded, span, at))
    if not days:
        raise _nothing(span)
    return reconcile(days, now=at or now)


def report(recorded: Recorded, sport: str, game_date: str, now: datetime, *, at: datetime | None = None) -> DailyReport:
    """The daily report of a date. Raises NothingRecorded."""
    span = Span(sport=sport, first=game_date, last=game_date)
    day = next(_days(recorded, span, at), None)
    if day is None:
        raise _nothing(span)
    return daily_report(*day, now=at or now)


def service_levels(recorded: Recorded, now: datetime, span: Span = EVERYTHING, *, at: datetime | None = None) -> Levels:
    """The metrics per week and season. Raises NothingRecorded."""
    days = list(_days(recorded, span, at))
    if not days:
        raise _nothing(span)
    streams = [(state.stream.partition("/")[0], state.stream) for state in recorded.controls()]
    sports = {state.sport for _events, state, _definition in days}
    controls = [(sport, _until(recorded, stream, at)) for sport, stream in streams if sport in sports]
    return levels(days, controls, now=at or now)


def _days(recorded: Recorded, span: Span, at: datetime | None) -> Iterator[Day]:
    """The dates of `span`, each with its events and the state they fold to."""
    for state, definition in recorded.days():
        if not span.holds(state.sport, state.game_date):
            continue
        stream = date_stream(state.sport, state.game_date)
        events = _until(recorded, stream, at)
        if at is None:
            yield events[: state.version], state, definition  # what came in since the head was read is not of it
        elif events:
            then = folded(stream, events)
            yield events, then, recorded.definition(stream, then.definition)


def _until(recorded: Recorded, stream: str, at: datetime | None) -> list[Event]:
    return [event for event in recorded.events(stream) if at is None or event.recorded_at <= at]


def folded(stream: str, events: list[Event]) -> DateState:
    """The state that the events of a date come to."""
    state = initial(stream)
    for event in events:
        state = evolve(state, event)
    return state


def _nothing(span: Span) -> NothingRecorded:
    dates = span.first if span.first == span.last else f"{span.first or 'the first'} to {span.last}"
    step = "`day list` shows what is there; `season open` opens the dates of a schedule."
    return NothingRecorded(f"nothing is recorded of {span.sport or 'any sport'} {dates}", next_step=step)
