"""`levels`: which promises were kept, and how the pipeline was looked after, per week and season, against target."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from handlers.cli.arguments import In, Now, Sport
from handlers.cli.span import Dates, Then, instants, span_of
from handlers.cli.tables import percent, table, when
from handlers.reviews import service_levels
from projections.metrics import Levels, Metric, Period
from projections.wording import number

KEPT = {True: ("yes", "green"), False: ("no", "bold red"), None: ("?", "dim")}


def levels(dates: Dates = None, /, *, sport: Sport = None, now: Now = None, at: Then = None, session: In) -> int:
    """Service levels and metrics, per week and season; exit code 1 where a season misses a target."""
    span = span_of(session, sport, dates)
    present, then = instants(session, now, at)
    with session.asking() as recorded:
        found = service_levels(recorded, present, span, at=then)
    session.answer(found, lambda console: _print(console, found))
    return found.exit_code


def _print(console: Console, found: Levels) -> None:
    console.print(f"at {when(found.at)}", highlight=False)
    for season in found.periods:
        if season.kind == "season":
            _print_season(console, season)
            weeks = [item for item in found.periods if item.kind == "week" and item.sport == season.sport]
            rows = [(week.name, week.dates, *[shown(metric) for metric in week.metrics]) for week in weeks]
            names = [f"#{metric.name}" for metric in season.metrics]
            console.print(table("week", "#dates", *names, rows=rows))


def _print_season(console: Console, season: Period) -> None:
    rows = [
        (
            metric.name,
            shown(metric),
            f"{'below' if metric.below else 'at least'} {amount(metric.target, metric)}",
            Text(*KEPT[metric.kept]),
            number(metric.numerator),
            number(metric.denominator),
            metric.uncertain,
        )
        for metric in season.metrics
    ]
    columns = ("metric", "#value", "#target", "kept", "#numerator", "#denominator", "#uncertain")
    title = f"{season.sport} {season.first} to {season.last}, {season.dates} dates"
    console.print(table(*columns, rows=rows, title=title))


def shown(metric: Metric) -> Text:
    """The value of a metric; one that missed its target stands out."""
    if metric.value is None:
        return Text("?", style="dim")
    return Text(amount(metric.value, metric), style="red" if metric.kept is False else "")


def amount(value: float, metric: Metric) -> str:
    """A value in the unit of its metric."""
    if metric.unit == "share":
        return percent(value) or ""
    return f"{value:.1f} min" if metric.unit == "minutes" else f"{value:.1f} a day"
