"""Questions over many dates, and what a date came to: season health, reconciliation, daily reports, service levels.

Each function asks `Recorded` and a projection, like those of `handlers/answers.py`; `at` asks as things were known
then, and judges them by that instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from msgspec import Struct

from events.catalogue import Event
from handlers.recorded import NothingRecorded, Recorded, judged_at
from projections.health import Health, health
from projections.heartbeats import Heartbeat, heartbeats
from projections.metrics import Levels, levels
from projections.reconciliation import Reconciliation, reconcile
from projections.report import DailyReport, daily_report
from statemachine.control import ControlState
from statemachine.definition import Definition
from statemachine.state import DateState

Day = tuple[list[Event], DateState, Definition]


class Span(Struct, frozen=True, kw_only=True):
    """Which dates are asked about: those of a sport (None: of all), from `first` to `last`, both included."""

    sport: str | None = None
    first: str = ""
    last: str = "9999"

    def has(self, stream: str) -> bool:
        """Whether a stream belongs to one of the dates: it is the date's own, or that of its heartbeats."""
        sport, _, rest = stream.partition("/")
        return self.sport in (None, sport) and self.first <= rest.partition("/")[0] <= self.last

    def concerns(self, control: ControlState) -> bool:
        """Whether a control stream is that of the sport."""
        return self.sport in (None, control.stream.partition("/")[0])


EVERYTHING = Span()


def season_health(recorded: Recorded, now: datetime, span: Span = EVERYTHING, *, at: datetime | None = None) -> Health:
    """Whether all is well on the dates of `span`, and with what concerns no single date of their sport."""
    controls = [state for state in recorded.controls(at) if span.concerns(state)]
    return health(recorded.days(at, among=span.has), controls, now=at or now)


def beats(recorded: Recorded, now: datetime, span: Span = EVERYTHING, *, at: datetime | None = None) -> list[Heartbeat]:
    """Every remembered run by its last heartbeat, the dead first. Raises TooMuchAsked."""
    return heartbeats(recorded.pulses(at, among=span.has), now=at or now)


def reconciliation(
    recorded: Recorded, now: datetime, span: Span = EVERYTHING, *, at: datetime | None = None
) -> Reconciliation:
    """From schedule to grades, date by date. Raises NothingRecorded, TooMuchAsked."""
    return reconcile(_days(recorded, span, at), now=at or now)


def report(
    recorded: Recorded, sport: str, game_date: str, now: datetime, *, at: int | datetime | None = None
) -> DailyReport:
    """The daily report of a date. Raises NothingRecorded, NoSuchVersion."""
    known = recorded.day(sport, game_date, at)
    if not known.state.version:
        raise NothingRecorded(f"nothing was known of {game_date} then", next_step="Ask for a later instant.")
    events = _events(recorded, known.state)
    return daily_report(events, known.state, known.definition, now=judged_at(known.state, now, at))


def service_levels(recorded: Recorded, now: datetime, span: Span = EVERYTHING, *, at: datetime | None = None) -> Levels:
    """The metrics per week and season. Raises NothingRecorded, TooMuchAsked."""
    days = list(_days(recorded, span, at))
    sports = {state.sport for _events, state, _definition in days}
    states = [(state.stream.partition("/")[0], state) for state in recorded.controls(at)]
    controls = [(sport, _events(recorded, state)) for sport, state in states if sport in sports]
    return levels(days, controls, now=at or now)


def _days(recorded: Recorded, span: Span, at: datetime | None) -> Iterator[Day]:
    """The dates of `span`, each with its events and the state they fold to. Raises NothingRecorded, TooMuchAsked."""
    days = list(recorded.days(at, among=span.has))
    if not days:
        raise _nothing(span)
    recorded.allow(sum(state.version for state, _definition in days))
    return ((_events(recorded, state), state, definition) for state, definition in days)


def _events(recorded: Recorded, state: DateState | ControlState) -> list[Event]:
    """The events that `state` was folded from; what came in since it was read is not of it."""
    return list(islice(recorded.events(state.stream), state.version))


def _nothing(span: Span) -> NothingRecorded:
    dates = span.first if span.first == span.last else f"{span.first or 'the first'} to {span.last}"
    step = "`day list` shows what is there; `season open` opens the dates of a schedule."
    return NothingRecorded(f"nothing is recorded of {span.sport or 'any sport'} {dates}", next_step=step)
