"""Reports: what a turn of a game date means for its sport, where the dates are counted together (`events/reports.py`).

A report follows from the states before and after and from what was decided between, and from nothing else; its id is
that of the event behind it, so a turn that is decided again reports the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from events.catalogue import Event, Fact, HealRequested, HealResolved, Input
from events.codec import derive_id
from events.reports import DateNoted, HealNoted, NameNoted
from statemachine.state import DateState, has_no_games


def reports(before: DateState, events: Sequence[Event], after: DateState, stream: str) -> list[Fact]:
    """What `events`, a turn that led from `before` to `after`, tell the sport, whose stream is `stream`."""
    found = [_fact(stream, event, 0, said, event.recorded_at) for event, said in _of_heals(after.game_date, events)]
    last = events[-1]
    said = [*_of_names(before, events, after), *_of_date(before, after)]
    return found + [_fact(stream, last, number, data, last.recorded_at) for number, data in enumerate(said, 1)]


def _of_heals(game_date: str, events: Sequence[Event]) -> Iterator[tuple[Event, Input]]:
    for event in events:
        data = event.data
        if isinstance(data, HealRequested):
            yield event, HealNoted(game_date=game_date, component=data.component, attempt=data.attempt)
        elif isinstance(data, HealResolved):
            said = HealNoted(game_date=game_date, component=data.component, attempt=data.attempt, outcome=data.outcome)
            yield event, said


def _of_names(before: DateState, events: Sequence[Event], after: DateState) -> Iterator[Input]:
    for name in after.unmapped if after.unmapped is not before.unmapped else ():
        if name not in before.unmapped:
            phase = str(getattr(events[0].data, "phase", ""))
            yield NameNoted(game_date=after.game_date, phase=phase, published_name=name)


def _of_date(before: DateState, after: DateState) -> Iterator[Input]:
    expects = _expects(after)
    if expects is not None and expects != _expects(before):
        yield DateNoted(game_date=after.game_date, expects=expects)


def _expects(state: DateState) -> bool | None:
    """Whether games are expected; None where no schedule is known."""
    return not has_no_games(state) if state.scheduled else None


def _fact(stream: str, event: Event, number: int, data: Input, at: datetime) -> Fact:
    return Fact(
        stream=stream,
        id=derive_id(event.id, "report", str(number)),
        occurred_at=at,
        correlation=event.correlation,
        data=data,
        actor="tipoff",
    )
