"""`day`: game dates, one or all: how they stand, what happened, and why."""

from __future__ import annotations

from typing import Annotated, get_args

from cyclopts import App, Parameter
from rich.console import Console
from rich.text import Text

from handlers import answers
from handlers.answers import DateStatus
from handlers.asked import version_or_instant
from handlers.cli.act import act
from handlers.cli.arguments import At, Date, In, Sport, game_date
from handlers.cli.day_text import print_day
from handlers.cli.problems import Exit, Refused
from handlers.cli.span import Then, instants
from handlers.cli.tables import cell, percent, table, when
from projections.day import DayRow
from projections.timeline import TimelineEntry
from statemachine.alerts import RANK

app = App(name="day", help="Game dates: how they stand, what happened, and why.")
app.command(act, name="act")

STATUSES = get_args(DateStatus)

From = Annotated[str | None, Parameter(name="--from", help="First game date.")]
To = Annotated[str | None, Parameter(help="Last game date.")]
Statuses = Annotated[
    tuple[str, ...], Parameter(name="--status", help=f"Only these: {', '.join(STATUSES)}.", negative="")
]


@app.command(name="list")
def list_(
    *,
    sport: Sport = None,
    from_: From = None,
    to: To = None,
    status: Statuses = (),
    at: Then = None,
    session: In,
) -> int:
    """Every game date in a line."""
    _now, then = instants(session, None, at)
    wanted = None if sport is None else session.sport(sport)
    ruling = session.sport(sport)
    first = "" if from_ is None else game_date(session, ruling, from_)
    last = "9999" if to is None else game_date(session, ruling, to)
    for name in status:
        if name not in STATUSES:
            raise Refused(f"--status {name!r} is none", next_step=f"Give one of {', '.join(STATUSES)}.")
    with session.asking() as recorded:
        rows = answers.day_rows(recorded, sport=wanted, first=first, last=last, statuses=status, at=then)
    session.answer(rows, lambda console: _print_rows(console, rows))
    return Exit.HEALTHY


@app.command
def show(date: Date, /, *, sport: Sport = None, at: At = None, session: In) -> int:
    """How a date stands: cycles, gates with their numbers, alerts, heals, the next deadline."""
    ruling = session.sport(sport)
    with session.asking() as recorded:
        shown = answers.day(recorded, ruling, game_date(session, ruling, date), version_or_instant(at, "--at"))
    session.answer(shown, lambda console: print_day(console, shown))
    worst = max((RANK[alert.severity] for alert in shown.alerts if alert.resolved_at is None), default=-1)
    if worst >= RANK["critical"]:
        return Exit.CRITICAL
    return Exit.WARNING if worst >= RANK["warning"] else Exit.HEALTHY


@app.command(name="timeline")
def timeline_(date: Date, /, *, sport: Sport = None, at: At = None, session: In) -> int:
    """Everything that happened to a date, event by event."""
    ruling = session.sport(sport)
    with session.asking() as recorded:
        entries = answers.events(recorded, ruling, game_date(session, ruling, date), version_or_instant(at, "--at"))
    session.answer(entries, lambda console: print_timeline(console, entries))
    return Exit.HEALTHY


@app.command(name="explain")
def explain_(date: Date, /, *, sport: Sport = None, at: At = None, session: In) -> int:
    """Why a date stands as it does: the shortest chain of events and numbers that forced it."""
    ruling = session.sport(sport)
    day = game_date(session, ruling, date)
    with session.asking() as recorded:
        explanation = answers.explanation(recorded, ruling, day, version_or_instant(at, "--at"))
    session.answer(explanation, lambda console: console.print(explanation.text, soft_wrap=True, markup=False))
    return Exit.HEALTHY


def print_timeline(console: Console, entries: list[TimelineEntry]) -> None:
    """The entries as a table; a decision stands below its input."""
    rows = [
        (
            entry.version,
            when(entry.at),
            Text(f"{'' if entry.caused_by is None else '  '}{entry.type}"),
            entry.actor,
            Text(entry.summary),
        )
        for entry in entries
    ]
    console.print(table("#version", "recorded at", "event", "by", "what", rows=rows))


def _print_rows(console: Console, rows: list[DayRow]) -> None:
    lines = [
        (
            row.sport,
            row.game_date,
            row.status,
            row.expected_games,
            percent(row.coverage),
            f"{row.cycle}: {row.state}" if row.cycle is not None else "",
            row.blocked_by,
            ", ".join(f"{count} {severity}" for severity, count in row.alerts.items() if count),
            cell("") if row.next_deadline is None else when(row.next_deadline.at),
        )
        for row in rows
    ]
    columns = ("sport", "date", "status", "#games", "#coverage", "cycle", "blocked by", "open alerts", "next deadline")
    console.print(table(*columns, rows=lines))
