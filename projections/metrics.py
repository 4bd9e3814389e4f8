"""Service levels and how the pipeline is looked after, per week and per season, against target: docs/metrics.md.

Every metric is one number over another, and both add up: a season is the sum of its weeks. Where there is nothing to
divide by, the value is null, never 0 and never 100 %. All of it is computed from events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, get_args

from msgspec import Struct

from projections.metric_parts import Control, Day, Operational, Part, of_control, of_date, of_promises
from projections.season_grid import monday_of, week_name
from projections.service_levels import Promise, service_levels
from statemachine.definition import Definition

Unit = Literal["share", "minutes", "per_day"]


class Target(Struct, frozen=True):
    """What a metric should reach: at least `value`, or where `below` less than it."""

    value: float
    unit: Unit
    below: bool = False

    def kept(self, value: float) -> bool:
        """Whether `value` is good enough."""
        return value < self.value if self.below else value >= self.value


TARGETS: dict[Operational, Target] = {
    "time_to_detect": Target(30, "minutes", below=True),
    "time_to_resolve": Target(120, "minutes", below=True),
    "false_positive_rate": Target(0.10, "share", below=True),
    "automatic_recovery_rate": Target(0.50, "share"),
    "zero_touch_days": Target(0.80, "share"),
    "perfect_days": Target(0.60, "share"),
    "alerts_per_day": Target(5, "per_day", below=True),
}
"""Targets of the field (robustness 9)."""


class Metric(Struct, frozen=True, kw_only=True):
    """`value` is `numerator` ÷ `denominator`, null where that is 0; `kept` says whether it reaches the target, null
    where there is no value. `uncertain` counts what is in it without being known: what that is depends on the metric
    (docs/metrics.md)."""

    name: str
    unit: Unit
    numerator: float
    denominator: float
    uncertain: int
    value: float | None
    target: float
    below: bool
    kept: bool | None


class Period(Struct, frozen=True, kw_only=True):
    """A week (`2026-W03`) or the season (`FIRST/LAST`, its first and last recorded date), with every metric, those of
    the definition first."""

    sport: str
    kind: Literal["week", "season"]
    name: str
    first: str
    last: str
    dates: int
    metrics: tuple[Metric, ...]


class Levels(Struct, frozen=True, kw_only=True):
    """Every period, by sport the season and then its weeks, and the promises of each date behind the service levels.
    `exit_code` is 0 where every season keeps every target that can be judged, else 1."""

    at: datetime
    exit_code: int
    periods: tuple[Period, ...]
    promises: tuple[Promise, ...]


def levels(days: Iterable[Day], controls: Iterable[Control] = (), *, now: datetime) -> Levels:
    """The metrics of all `days`, each with all its events and its folded state, and of the control streams of their
    sports, as they stand at `now`."""
    known = sorted(days, key=lambda day: day[1].stream)
    definitions = {definition.sport: definition for _events, _state, definition in known}
    promises = service_levels(known, now=now).promises
    parts = [*of_promises(promises)]
    for day in known:
        parts += of_date(day, now)
    for sport, events in controls:
        if sport in definitions:
            parts += of_control(definitions[sport], events, now)
    periods = [period for sport in sorted(definitions) for period in _periods(definitions[sport], known, parts)]
    kept = [metric.kept for period in periods if period.kind == "season" for metric in period.metrics]
    return Levels(at=now, exit_code=int(False in kept), periods=tuple(periods), promises=promises)


def metric_targets(definition: Definition) -> dict[str, Target]:
    """Every metric of a pipeline with its target, the service levels of its definition first."""
    promised = {level.name: Target(level.target_share, "share") for level in definition.service_levels}
    return promised | {name: TARGETS[name] for name in get_args(Operational)}


def _periods(definition: Definition, days: Sequence[Day], parts: Iterable[Part]) -> Iterator[Period]:
    sport = definition.sport
    dates = [state.game_date for _events, state, _definition in days if state.sport == sport]
    mine = [part for part in parts if part.sport == sport]
    yield _period(definition, "season", f"{min(dates)}/{max(dates)}", dates, mine)
    for monday in sorted({monday_of(part.game_date) for part in mine} | {monday_of(day) for day in dates}):
        of_week = [day for day in dates if monday_of(day) == monday]
        within = [part for part in mine if monday_of(part.game_date) == monday]
        bounds = of_week or [monday.isoformat(), (monday + timedelta(days=6)).isoformat()]
        yield _period(definition, "week", week_name(monday), bounds, within, dates=len(of_week))


def _period(
    definition: Definition,
    kind: Literal["week", "season"],
    name: str,
    bounds: Sequence[str],
    parts: Sequence[Part],
    *,
    dates: int | None = None,
) -> Period:
    return Period(
        sport=definition.sport,
        kind=kind,
        name=name,
        first=min(bounds),
        last=max(bounds),
        dates=len(bounds) if dates is None else dates,
        metrics=tuple(_metric(metric, target, parts) for metric, target in metric_targets(definition).items()),
    )


def _metric(name: str, target: Target, parts: Iterable[Part]) -> Metric:
    mine = [part for part in parts if part.metric == name]
    numerator = sum(part.numerator for part in mine)
    denominator = sum(part.denominator for part in mine)
    value = numerator / denominator if denominator else None
    return Metric(
        name=name,
        unit=target.unit,
        numerator=numerator,
        denominator=denominator,
        uncertain=sum(part.uncertain for part in mine),
        value=value,
        target=target.value,
        below=target.below,
        kept=target.kept(value) if value is not None else None,
    )
