"""`reconcile`: from the schedule to the grades, how much arrived, what is missing, where two records disagree."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from handlers.cli.arguments import In, Now, Sport
from handlers.cli.span import Dates, Then, instants, span_of
from handlers.cli.tables import COLOURS, cell, percent, table, when
from handlers.reviews import reconciliation
from projections.links import STAGES, Link
from projections.reconciliation import DateReconciliation, Reconciliation
from projections.wording import number


def reconcile(dates: Dates = None, /, *, sport: Sport = None, now: Now = None, at: Then = None, session: In) -> int:
    """From schedule to grades, date by date: coverage, missing games, completions against tables."""
    span = span_of(session, sport, dates)
    present, then = instants(session, now, at)
    with session.asking() as recorded:
        found = reconciliation(recorded, present, span, at=then)
    session.answer(found, lambda console: _print(console, found))
    return found.exit_code


def _print(console: Console, found: Reconciliation) -> None:
    console.print(Text.assemble(cell(found.status), f" at {when(found.at)}"))
    rows = [_row(item) for item in found.dates]
    rows.append(("", "", "all", *[share_cell(t.target_count, t.source_count, t.coverage, "") for t in found.totals]))
    targets = [f"{stage.target} of {stage.source}" for stage in STAGES]
    console.print(table("status", "sport", "date", *targets, "least at", "missing games", "records", rows=rows))
    print_records(console, found.dates)


def _row(item: DateReconciliation) -> tuple[object, ...]:
    links = {link.target: link for link in item.links}
    cells = [link_cell(links.get(stage.target)) for stage in STAGES]
    games = item.missing_games
    guess = " (a guess: the last to tip off)" if games.games and games.basis == "last_to_tip" else ""
    named = f"{', '.join(games.games) or '-'}{guess}"
    return item.status, item.sport, item.game_date, *cells, item.bottleneck or "-", Text(named), len(item.records)


def link_cell(link: Link | None) -> Text:
    """A link as `5 of 7, 71.4%`, coloured by its status; a word where there is no number."""
    if link is None:
        return Text("-")
    return share_cell(link.target_count, link.source_count, link.coverage, link.status)


def share_cell(part: float | None, whole: float | None, coverage: float | None, status: str) -> Text:
    """`5 of 7, 71.4%`; what is unknown is `?`, and the status stands where neither is known."""
    style = COLOURS.get(status, "red" if status == "error" else "")
    if part is None and whole is None and coverage is None:
        return Text(status.replace("_", " ") or "-", style=style or "dim")
    counts = f"{_count(part)} of {_count(whole)}"
    return Text(counts if coverage is None else f"{counts}, {percent(coverage)}", style=style)


def _count(value: float | None) -> str:
    return "?" if value is None else number(value)


def print_records(console: Console, dates: tuple[DateReconciliation, ...]) -> None:
    """Where what processors said and what their tables hold differ."""
    rows = [
        (
            *(item.kind, item.game_date, item.processor, item.table, item.rows, item.cycle or ""),
            *(item.since, item.due_at, item.settled_at),
        )
        for found in dates
        for item in found.records
    ]
    if rows:
        columns = ("records", "date", "processor", "table", "#rows", "cycle", "since", "counts from", "settled")
        console.print(table(*columns, rows=rows))
