"""The demo's report: what Tipoff said of each date, what people found and when, and whether both records agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

from events.values import Severity
from handlers.cli.tables import cell, table
from handlers.demo_facts import Week
from handlers.demo_messages import PRECOMPUTE_TABLES
from handlers.demo_play import Files, Played
from handlers.demo_results import (
    LINES,
    PRECOMPUTE,
    RAW,
    Agreement,
    Day,
    Earlier,
    Repair,
    by_hand,
    check,
    completions_at_gate,
    evaluation,
    graded,
    promise,
    raised,
    raised_at,
    repairs,
)
from projections.day import day_show
from projections.service_levels import ServiceLevels
from statemachine.definition import Definition

TOLD_APART = ("box_scores_incomplete", "precompute_incomplete", "grading_late")
"""Alert causes that have columns of their own."""

TARGETS_MAX = 2
"""Targets of a repair that are named; of the others there is only the number."""

BY_HAND = {"rerun_precompute": "tables repaired", "rerun_grading": "graded"}
"""What people did that a component does."""

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


class Report(Struct, frozen=True, kw_only=True):
    """All that the report is made of."""

    week: Week
    definition: Definition
    files: Files
    played: Played
    days: Sequence[Day]
    levels: ServiceLevels
    earlier: Sequence[Earlier]
    agreed: Sequence[Agreement]


def print_report(report: Report, console: Console) -> None:
    """Print the whole report."""
    _heading(report, console)
    console.print(_gates(report))
    console.print(_alerts(report))
    console.print(_other_alerts(report), style="dim")
    console.print()
    for made in (_repairs(report), _levels(report), _earlier(report), _agreement(report)):
        console.print(made)
    _next(report, console)


def print_summary(report: Report, console: Console) -> None:
    """Print only what the gates decided and how much earlier that was than people found out."""
    console.print(Text("The week of 13 to 19 January 2026, replayed. Times are UTC.\n", "bold"))
    console.print(_gates(report))
    console.print(_earlier(report))


def _heading(report: Report, console: Console) -> None:
    counts, answers = report.played.counts, report.played.answers
    console.print(Text("Tipoff: the week of 13 to 19 January 2026, replayed", "bold"))
    console.print(
        f"{counts.lines - answers} messages as their publishers write them, {answers} answers to what the gates asked: "
        f"{counts.events:,} events, {counts.commands} commands, {counts.alerts} alerts. Times are UTC. What is "
        "recorded and what is reconstructed: examples/week-2026-01-13/README.md. Nobody carried out the commands, they "
        "went to a file; the messages are those of the old pipeline, which asked no gate.\n",
        style="dim",
    )


# --- what the gates decided ---------------------------------------------------------------------------------------


def _gates(report: Report) -> Table:
    columns = ("game date", "box scores", "raw → analytics", "precompute → predictions", "predictions", "graded")
    rows = [
        (
            _name(day.game_date),
            _coverage(day),
            _decision(day, RAW),
            _precompute(day, report.week, report.definition),
            _predictions(day, report),
            _graded(day, report.levels),
        )
        for day in report.days
    ]
    made = table(*columns, rows=rows, title="What the gates decided")
    return _with_note(
        made,
        "raw → analytics in the night after the games, precompute → predictions on the evening before them; in "
        "brackets: not recorded, supposed",
    )


def _with_note(made: Table, note: str) -> Table:
    made.caption, made.caption_justify = f"{note}\n", "left"
    return made


def _coverage(day: Day) -> str | None:
    covered = check(day, RAW, "box_score_coverage")
    return None if covered is None or covered.measured is None else f"{covered.basis}  {covered.measured:.3f}"


def _decision(day: Day, place: tuple[str, str]) -> Text:
    found = evaluation(day, *place)
    if found is None:
        return Text("not reached", "dim")
    at, evaluated = found
    return Text().append_text(cell(evaluated.outcome)).append(f"  {_when(at)}", "dim")


def _precompute(day: Day, week: Week, definition: Definition) -> Text:
    breaker, agree = check(day, PRECOMPUTE, "breaker"), check(day, PRECOMPUTE, "records_agree")
    completed, total = completions_at_gate(day, definition)
    text = _decision(day, PRECOMPUTE)
    if breaker is None or breaker.measured is None:
        return text
    supposed_tables, supposed_completions = supposed(week, day.game_date)
    tables = _doubted(f"{breaker.measured:.0f}/{total}", doubt=supposed_tables)
    text.append(f"\ntables {tables}, completions {_doubted(f'{completed}/{total}', doubt=supposed_completions)}")
    agreed = agree is not None and agree.verdict == "pass"
    return text if agreed else text.append("\ntwo records, two answers", "yellow")


def _doubted(said: str, *, doubt: bool) -> str:
    return f"({said})" if doubt else said


def supposed(week: Week, game_date: str) -> tuple[bool, bool]:
    """Whether the tables of a date, and its completions, are our reconstruction."""
    tables = (c for c in week.counts if c.game_date == game_date and c.name in PRECOMPUTE_TABLES.values())
    documents = (d for d in week.documents if d.game_date == game_date)
    return any(c.basis == "reconstructed" for c in tables), any(d.basis == "reconstructed" for d in documents)


def _predictions(day: Day, report: Report) -> Text:
    shown = day_show(day.state, report.definition, head_hash=day.head.hash)
    phases = [cycle.phases["predictions"] for cycle in shown.cycles.values() if "predictions" in cycle.phases]
    made = report.week.count(day.game_date, "predictions", day.events[-1].recorded_at)
    text = Text("?" if made is None else f"{made:,.0f}")
    return text.append("\nmade anyway", "red") if any(phase.status == "ran_ahead" for phase in phases) else text


def _graded(day: Day, levels: ServiceLevels) -> Text:
    found, level = graded(day), promise(levels, day.game_date, "grading")
    if found is None or level.achieved_at is None:
        return Text("never", "red")
    _at, done, of = found
    text = Text(f"{done / of:.1%} of {of:,.0f}")
    late = level.achieved_at - level.due_at
    return text.append(f"\n{_span(late)} late", "red") if late > timedelta() else text


# --- alerts, heals, service levels --------------------------------------------------------------------------------


def _alerts(report: Report) -> Table:
    columns = ("game date", "box scores: info", "warning", "critical", "precompute incomplete", "grading late")
    rows = [
        (
            _name(day.game_date),
            *(_raised(day, "box_scores_incomplete", severity) for severity in SEVERITIES),
            _raised(day, "precompute_incomplete"),
            _raised(day, "grading_late"),
        )
        for day in report.days
    ]
    return table(*columns, rows=rows, title="When alerts were raised")


def _raised(day: Day, cause: str, severity: Severity | None = None) -> str:
    at = raised_at(day, cause, severity)
    return "-" if at is None else _when(at)


def _other_alerts(report: Report) -> str:
    causes = Counter(alert.cause for day in report.days for alert in raised(day))
    others = [f"{cause} {number}" for cause, number in sorted(causes.items()) if cause not in TOLD_APART]
    return f"Also: {', '.join(others)}. Hand-offs and stalls: the old pipeline goes by its own clock."


def _repairs(report: Report) -> Table:
    rows = []
    for day in report.days:
        for place, repair in enumerate(repairs(day)):
            hand = by_hand(report.week, BY_HAND.get(repair.component, ""), day.game_date)
            rows.append(
                (
                    _name(day.game_date) if place == 0 else " ",
                    repair.component,
                    _when(repair.first_at),
                    repair.attempts,
                    _targets(repair),
                    "-" if hand is None else _when(hand),
                )
            )
    columns = ("game date", "component", "first", "#times", "what", "by hand")
    return table(*columns, rows=rows, title="Repairs asked for")


def _targets(repair: Repair) -> str:
    names = [name[9:].replace("_", "@") if name[:8].isdigit() else name for name in repair.targets]
    more = len(names) - TARGETS_MAX
    return ", ".join(names[:TARGETS_MAX]) + (f" and {more} more" if more > 0 else "")


def _levels(report: Report) -> Table:
    rows = [
        (
            level.level,
            f"{level.met} of {level.met + level.missed + level.unknown}",
            f"{level.target_share:.0%}",
            Text("met", "green") if level.kept else Text("missed", "red"),
        )
        for level in report.levels.levels
    ]
    return table("promise", "kept on", "target", "", rows=rows, title="Service levels of the week")


# --- beside people, and beside what is recorded -------------------------------------------------------------------


def _earlier(report: Report) -> Table:
    columns = ("game date", "finding", "seen at a gate", "alert", "people", "the alert is earlier by")
    rows = [
        (
            _name(item.game_date),
            item.what,
            "-" if item.gate_at is None else _when(item.gate_at),
            _when(item.alert_at),
            _when(item.people_at),
            Text(_span(item.by), "green"),
        )
        for item in report.earlier
    ]
    made = table(*columns, rows=rows, title="When people found out")
    return _with_note(
        made,
        "what is seen at a gate, or in a storm, rests on reconstructed times; the other alerts on the calendar alone",
    )


def _agreement(report: Report) -> Table:
    holding = sum(line.holds for line in report.agreed)
    title = f"Beside what is recorded: {holding} of {len(report.agreed)} agree"
    dates = [day.game_date for day in report.days]
    by_place = {(line.expected.line, line.expected.game_date): line for line in report.agreed}
    names = [name for name in LINES if any(line.expected.line == name for line in report.agreed)]
    rows = [(name.replace("_", " "), *(_mark(by_place.get((name, day))) for day in dates)) for name in names]
    return table("", *(_name(day) for day in dates), rows=rows, title=title)


def _mark(line: Agreement | None) -> Text:
    if line is None:
        return Text("not recorded", "dim")
    said, wanted = _short(line.said), _short(line.expected.expected)
    if line.holds:
        return Text("✓ ", "green").append(said, "default")
    return Text("✗ ", "bold red").append(f"{said}, recorded {wanted}")


def _short(said: str) -> str:
    """What was said; of an instant the day of the month and the time, for seven of them stand in a row."""
    return f"{datetime.fromisoformat(said):%d %H:%M}" if said.endswith("Z") else said


def _next(report: Report, console: Console) -> None:
    console.print(Text("To go on", "bold"))
    for command in _commands(f"--store {report.files.store_name}"):
        console.print(f"  .venv/bin/python main.py {command}", soft_wrap=True)
    console.print(f"The messages: {report.files.messages}. The commands: {report.files.commands}.", style="dim")


def _commands(store: str) -> Iterator[str]:
    yield f"day explain 2026-01-15 {store}"
    yield f"day show 2026-01-16 --at 2026-01-16T00:30:00Z {store}"
    yield f"day timeline 2026-01-18 {store}"
    yield f"alerts {store}"
    yield f"verify {store}"


# --- words --------------------------------------------------------------------------------------------------------

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _name(game_date: str) -> str:
    day = date.fromisoformat(game_date)
    return f"{_DAYS[day.weekday()]} {day.day} Jan"


def _when(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{utc.day} Jan {utc:%H:%M}"


def _span(span: timedelta) -> str:
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h {minutes} min" if days else f"{hours} h {minutes} min"
