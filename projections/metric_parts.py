"""What each date, and each control stream, adds to the metrics: pairs of numbers, added up later by period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from events.catalogue import CommandRequested, CompletionRecorded, Event, HealRequested
from projections.incidents import Incident, incidents, is_by_hand
from projections.service_levels import Promise, promised_at
from statemachine.calendar import league_date
from statemachine.definition import Definition
from statemachine.state import DateState, has_no_games

Operational = Literal[
    "time_to_detect",
    "time_to_resolve",
    "false_positive_rate",
    "automatic_recovery_rate",
    "zero_touch_days",
    "perfect_days",
    "alerts_per_day",
]
"""The metrics beside the service levels of the definition, which go by their own names."""


class Part(Struct, frozen=True, kw_only=True):
    """What one date, or one event of a control stream, adds to a metric."""

    sport: str
    game_date: str
    metric: str
    numerator: float
    denominator: float
    uncertain: int = 0


Day = tuple[Sequence[Event], DateState, Definition]
Control = tuple[str, Sequence[Event]]
"""A sport and the events of its control stream."""


def of_promises(promises: Iterable[Promise]) -> Iterator[Part]:
    """A promise that is due counts once; one that nobody can judge is not counted as kept."""
    for item in promises:
        if item.outcome in ("met", "missed", "unknown"):
            yield Part(
                sport=item.sport,
                game_date=item.game_date,
                metric=item.level,
                numerator=float(item.outcome == "met"),
                denominator=1.0,
                uncertain=int(item.outcome == "unknown"),
            )


def of_date(day: Day, now: datetime) -> Iterator[Part]:
    """What happened to a date, and whether it went by itself."""
    events, state, definition = day
    sport, game_date = state.sport, state.game_date
    found = incidents(events, definition, state)
    yield from _of_incidents(sport, game_date, found, now)
    begun = game_date <= league_date(now, definition.timezone)
    yield _part(sport, game_date, "alerts_per_day", float(_pages(events)), float(begun))
    settled = settles_at(state, definition)
    if has_no_games(state) or state.halted or settled is None or now < settled:
        return
    untouched = state.status == "complete" and not any(is_by_hand(event) for event in events)
    perfect = untouched and not found and not any(_is_second_try(event) for event in events)
    perfect = perfect and not any(cycle.degraded for cycle in state.cycles.values())
    yield _part(sport, game_date, "zero_touch_days", float(untouched), 1.0)
    yield _part(sport, game_date, "perfect_days", float(perfect), 1.0)


def of_control(definition: Definition, events: Sequence[Event], now: datetime) -> Iterator[Part]:
    """What concerns no single date counts on the day in the league's zone on which it was said."""
    sport, zone = definition.sport, definition.timezone
    for event in events:
        if _is_page(event):
            yield _part(sport, league_date(event.recorded_at, zone), "alerts_per_day", 1.0, 0.0)
    for incident in incidents(events, definition):
        yield from _of_incidents(sport, league_date(incident.alerted_at, zone), [incident], now)


def _of_incidents(sport: str, game_date: str, found: Iterable[Incident], now: datetime) -> Iterator[Part]:
    for item in found:
        yield _part(sport, game_date, "false_positive_rate", float(item.false_alarm), 1.0)
        if item.false_alarm:
            continue
        known = item.began_at is not None
        minutes = _minutes(item.began_at, item.alerted_at)
        yield _part(sport, game_date, "time_to_detect", minutes, float(known), uncertain=int(not known))
        is_open = item.resolved_at is None
        lasted = _minutes(item.alerted_at, item.resolved_at or now)
        yield _part(sport, game_date, "time_to_resolve", lasted, 1.0, uncertain=int(is_open))
        alone = not is_open and not item.by_hand
        yield _part(sport, game_date, "automatic_recovery_rate", float(alone), 1.0, uncertain=int(is_open))


def _part(
    sport: str, game_date: str, metric: Operational, numerator: float, denominator: float, *, uncertain: int = 0
) -> Part:
    return Part(
        sport=sport,
        game_date=game_date,
        metric=metric,
        numerator=numerator,
        denominator=denominator,
        uncertain=uncertain,
    )


def _minutes(since: datetime | None, until: datetime) -> float:
    return max(0.0, (until - since) / timedelta(minutes=1)) if since is not None else 0.0


def _pages(events: Iterable[Event]) -> int:
    return sum(_is_page(event) for event in events)


def _is_page(event: Event) -> bool:
    return isinstance(event.data, CommandRequested) and event.data.kind == "alert"


def _is_second_try(event: Event) -> bool:
    data = event.data
    return isinstance(data, HealRequested) or (isinstance(data, CompletionRecorded) and data.status == "failed")


def settles_at(state: DateState, definition: Definition) -> datetime | None:
    """The instant at which the last promise about the date is due; before it nobody can say how the date went. None
    for a pipeline that promises nothing."""
    return max((promised_at(level, state, definition) for level in definition.service_levels), default=None)
