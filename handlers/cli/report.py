"""`report`: what a date came to: GOLD, SILVER or BRONZE, phase by phase, and what to do about what it lacks."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from handlers.cli.arguments import Date, In, Now, Sport, game_date
from handlers.cli.reconcile import link_cell
from handlers.cli.span import Point, present_and_point
from handlers.cli.tables import facts, percent, table, when
from handlers.reviews import report as report_of
from projections.report import DailyReport
from projections.wording import listed, number

STYLES = {"GOLD": "bold green", "SILVER": "bold", "BRONZE": "bold red"}


def report(date: Date, /, *, sport: Sport = None, now: Now = None, at: Point = None, session: In) -> int:
    """The daily report of a date: its quality, its links, its root causes, and the command for each."""
    ruling = session.sport(sport)
    present, then = present_and_point(session, now, at)
    with session.asking() as recorded:
        found = report_of(recorded, ruling, game_date(session, ruling, date), present, at=then)
    session.answer(found, lambda console: _print(console, found))
    return found.exit_code


def _print(console: Console, found: DailyReport) -> None:
    tier = Text(found.tier or "no tier", style=STYLES.get(found.tier or "", "dim"))
    share = f" {percent(found.coverage)}" if found.coverage is not None else ""
    console.print(Text.assemble((f"{found.sport} {found.game_date} ", "bold"), tier, share, f" at {when(found.at)}"))
    console.print(
        facts(
            ("health", found.status),
            ("date", f"{found.pipeline} ({found.contract})"),
            ("expected games", found.expected_games),
            ("least at", found.bottleneck or "-"),
        )
    )
    _print_phases(console, found)
    _print_causes(console, found)
    promises = [
        (item.level, item.outcome, when(item.due_at), when(item.achieved_at), _hours(item.margin_hours))
        for item in found.promises
    ]
    console.print(table("promise", "outcome", "due", "achieved", "#margin in hours", rows=promises))


def _print_phases(console: Console, found: DailyReport) -> None:
    link_of = {link.phase: link for link in found.links}
    rows = [
        (
            phase.phase,
            Text(phase.tier or ("unknown" if phase.due else "not due"), style=STYLES.get(phase.tier or "", "dim")),
            percent(phase.coverage),
            f"{phase.processors_done} of {phase.processors_expected}",
            listed(phase.missing) or "-",
            link_cell(link_of.get(phase.phase)),
        )
        for phase in found.phases
    ]
    grades = link_of.get("grading")
    if grades is not None and found.phases:
        rows.append((grades.phase, Text("-"), percent(grades.coverage), "", "", link_cell(grades)))
    console.print(table("phase", "tier", "#coverage", "#processors", "missing", "#data", rows=rows))


def _print_causes(console: Console, found: DailyReport) -> None:
    if not found.root_causes:
        console.print("Nothing is missing that was due.")
        return
    console.print(Text("Root causes", style="bold"))
    for place, cause in enumerate(found.root_causes, 1):
        share = f" ({cause.impact_pct:.1f}%)" if cause.impact_pct is not None else ""
        of = f" of {number(cause.impact_total)}" if cause.impact_total is not None else ""
        console.print(f"{place}. {cause.description}", soft_wrap=True, markup=False)
        cost = f"{number(cause.impact_count)}{of} {cause.unit}{share}"
        held = f"; holds {listed(cause.holds)}" if cause.holds else ""
        console.print(f"   costs {cost}{held}", soft_wrap=True, markup=False)
        console.print(f"   {cause.effect}", soft_wrap=True, markup=False)
        if cause.command is not None:
            console.print(Text(f"   {cause.command}", style="cyan"), soft_wrap=True)


def _hours(margin: float | None) -> str | None:
    return None if margin is None else f"{margin:+.1f}"
