"""Reports: what a turn of a game date means for its sport, where the dates are counted together (`events/reports.py`).

A report follows from the states before and after and from what was decided between, and from nothing else; its id is
that of the event behind it, so a turn that is decided again reports the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from events.catalogue import Event, Fact, HealRequested, HealResolved, Input
from events.codec import derive_id
from events.reports import DateNoted, HealNoted, NameNoted
from statemachine.state import DateState, has_no_games


def reports(
    before: DateState, events: Sequence[Event], after: DateState, told_to: Callable[[str], str]
) -> Sequence[Fact]:
    """What `events`, a turn that led from `before` to `after`, tell the sport, whose stream `told_to` names."""
    if (
        after.unmapped is before.unmapped
        and after.games is before.games
        and after.waived is before.waived
        and after.heals is before.heals
    ):
        return ()  # the usual turn: nothing has changed of which a sport hears
    stream = told_to(after.sport)
    found = [
        _fact(stream, event, 0, _of_heal(after.game_date, event.data), event.recorded_at)
        for event in events
        if type(event.data) in _HEALS
    ]
    last = events[-1]
    said = [*_of_names(before, events, after), *_of_date(before, after)]
    return found + [_fact(stream, last, number, data, last.recorded_at) for number, data in enumerate(said, 1)]


_HEALS = (HealRequested, HealResolved)


def _of_heal(game_date: str, data: Any) -> HealNoted:
    outcome = data.outcome if type(data) is HealResolved else None
    return HealNoted(game_date=game_date, component=data.component, attempt=data.attempt, outcome=outcome)


def _of_names(before: DateState, events: Sequence[Event], after: DateState) -> list[Input]:
    if after.unmapped is before.unmapped:
        return []
    phase = str(getattr(events[0].data, "phase", ""))
    return [
        NameNoted(game_date=after.game_date, phase=phase, published_name=name)
        for name in after.unmapped
        if name not in before.unmapped
    ]


def _of_date(before: DateState, after: DateState) -> list[Input]:
    if after.games is before.games and after.waived is before.waived:
        return []
    expects = _expects(after)
    if expects is None or expects == _expects(before):
        return []
    return [DateNoted(game_date=after.game_date, expects=expects)]


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
