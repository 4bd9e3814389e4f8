"""`health` in words and tables: the season as a calendar, then what needs somebody, the worst first."""

from __future__ import annotations

from datetime import date, timedelta

from rich.console import Console
from rich.text import Text

from handlers.cli.tables import cell, table, when
from projections.awaited import Awaited
from projections.findings import Finding
from projections.health import DateHealth, Health
from projections.season_grid import CONTRACTS, DAYS, Contract, Week

SIGNS: dict[Contract, tuple[str, str]] = {
    "empty_ok": ("-", "dim"),
    "complete": ("o", "green"),
    "expected": (".", ""),
    "running": (">", "cyan"),
    "degraded": ("!", "yellow"),
    "unknown": ("?", "magenta"),
    "failed": ("X", "bold red"),
}
"""What a date looks like in the calendar: one sign, told apart without colours too."""

DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MARGIN = 6
"""Columns before the first week of the calendar."""


def print_health(console: Console, found: Health, *, every_finding: bool) -> None:
    """All that `health` says."""
    console.print(Text.assemble(cell(found.status), f" at {when(found.at)}"))
    for sport, contracts in found.season.items():
        counts = ", ".join(f"{contracts[name]} {name}" for name in CONTRACTS if contracts[name])
        dates = [row.game_date for row in found.dates if row.sport == sport]
        console.print(f"{sport} {min(dates)} to {max(dates)}: {counts}", markup=False)
        for line in calendar([week for week in found.weeks if week.sport == sport]):
            console.print(line, soft_wrap=True)
        if found.unrecorded[sport]:
            console.print(f"{found.unrecorded[sport]} days between them are not recorded: `season open` opens them")
    if found.dates:
        console.print(legend(), soft_wrap=True)
    if every_finding:
        rows = [
            (item.status, item.sport, item.game_date, item.check, when(item.since), item.reason, item.next_step)
            for item in found.findings
        ]
        console.print(table("status", "sport", "date", "check", "since", "why", "what to do", rows=rows))
    elif found.findings:
        _print_dates(console, found)


def calendar(weeks: list[Week]) -> list[Text]:
    """A line for the months and one for each day of the week; a column is a week, those without a date included."""
    days_of = {date.fromisoformat(week.monday): week.days for week in weeks}
    count = (max(days_of) - min(days_of)).days // DAYS + 1
    mondays = [min(days_of) + timedelta(days=DAYS * number) for number in range(count)]
    lines = [_months(mondays)]
    for place, name in enumerate(DAY_NAMES):
        line = Text(f"{name:<{MARGIN}}", style="dim")
        for monday in mondays:
            day = days_of[monday][place] if monday in days_of else None
            sign, style = SIGNS[day] if day is not None else (" ", "")
            line.append(f"{sign} ", style=style or "none")
        line.rstrip()
        lines.append(line)
    return lines


def _months(mondays: list[date]) -> Text:
    """The name of each month above its first week, where there is room for it."""
    line = " " * MARGIN
    for column, monday in enumerate(mondays):
        begins = column == 0 or mondays[column - 1].month != monday.month
        place = MARGIN + 2 * column
        if begins and len(line) <= place:
            line = f"{line:<{place}}{MONTHS[monday.month - 1]} "
    return Text(line.rstrip(), style="dim")


def legend() -> Text:
    """What the signs mean."""
    line = Text(" " * MARGIN)
    for contract in CONTRACTS:
        sign, style = SIGNS[contract]
        line.append(sign, style=style or "none")
        line.append(f" {contract}   ")
    return line.append("blank: not recorded")


def _print_dates(console: Console, found: Health) -> None:
    """A line for each date that is not healthy, and for what concerns none, by its worst finding."""
    row_of = {(row.sport, row.game_date): row for row in found.dates}
    findings: dict[tuple[str, str], list[Finding]] = {}
    for item in found.findings:
        findings.setdefault((item.sport, item.game_date), []).append(item)
    rows = [_row(items, row_of.get(key)) for key, items in findings.items()]
    columns = ("status", "sport", "date", "contract", "stands", "open for", "why", "what to do", "waits for")
    console.print(table(*columns, rows=rows))


def _row(items: list[Finding], row: DateHealth | None) -> tuple[object, ...]:
    worst = items[0]
    more = f" (and {len(items) - 1} more: --all)" if len(items) > 1 else ""
    stands: tuple[object, ...] = ("", "", "")
    if row is not None:
        stood = f"{row.cycle}: {row.state}" if row.cycle is not None else row.pipeline
        stands = (row.contract, stood, age(row.age_hours))
    waits = awaited_words(row.awaits) if row is not None else ""
    return worst.status, worst.sport, worst.game_date, *stands, Text(worst.reason + more), Text(worst.next_step), waits


def awaited_words(awaits: Awaited | None) -> Text:
    """What should happen next, who owes it, and until when."""
    if awaits is None:
        return Text("-")
    who = f": {', '.join(awaits.who)}" if awaits.who else ""
    by = f", by {when(awaits.by)}" if awaits.by is not None else ""
    return Text(f"{awaits.what}{who}{by}")


def age(hours: float | None) -> str:
    """How long something has been, in days and hours; nothing where it is not."""
    if hours is None:
        return ""
    days, rest = divmod(int(hours), 24)
    return f"{days} d {rest} h" if days else f"{rest} h"
