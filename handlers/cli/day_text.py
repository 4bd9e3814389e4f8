"""`day show` in words and tables."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from events.values import Check
from handlers.cli.tables import COLOURS, cell, facts, table, when
from projections.day import CycleShow, DayShow


def print_day(console: Console, day: DayShow) -> None:
    """All that `day show` says."""
    console.print(Text.assemble((f"{day.sport} {day.game_date}", "bold"), "  ", cell(day.status)))
    ahead = day.next_deadline
    console.print(
        facts(
            ("expected games", day.expected_games),
            ("next deadline", "-" if ahead is None else f"{when(ahead.at)}  {ahead.name}"),
            ("version", f"{day.version}  {day.hash[:12]}"),
        )
    )
    for name, cycle in day.cycles.items():
        _print_cycle(console, name, cycle)
    _print_gates(console, day)
    if day.alerts:
        rows = [
            (alert.cause, alert.subject, alert.severity, when(alert.raised_at), *_life(alert), Text(alert.detail))
            for alert in day.alerts
        ]
        columns = ("cause", "subject", "severity", "raised", "delivered", "acknowledged", "resolved", "detail")
        console.print(table(*columns, rows=rows, title="Alerts"))
    if day.heals:
        heals = [(heal.component, heal.attempt, when(heal.requested_at), heal.outcome) for heal in day.heals]
        console.print(table("component", "#attempt", "requested", "outcome", rows=heals, title="Heals"))


def _life(alert: object) -> list[str]:
    return [when(getattr(alert, f"{word}_at")) for word in ("delivered", "acknowledged", "resolved")]


def _print_cycle(console: Console, name: str, cycle: CycleShow) -> None:
    rows = [
        (phase, shown.status, shown.completed, shown.missing, shown.failed) for phase, shown in cycle.phases.items()
    ]
    columns = ("phase", "status", "completed", "missing", "failed")
    console.print(table(*columns, rows=rows, title=f"Cycle {name}: {cycle.state}"))
    for reason in cycle.degraded:
        console.print(f"  degraded: {reason}", markup=False)


def _print_gates(console: Console, day: DayShow) -> None:
    for gate in day.gates:
        title = Text.assemble(
            (f"Gate {gate.gate} ({gate.cycle}): ", "bold"),
            (gate.outcome, COLOURS.get(gate.outcome, "")),
            f"  {gate.mode}, {when(gate.evaluated_at)}, {gate.definition}",
        )
        rows = [_check(check) for check in gate.checks]
        console.print(title)
        console.print(table("check", "#measured", "#warns at", "#blocks at", "verdict", "basis", rows=rows))


def _check(check: Check) -> tuple[object, ...]:
    basis = check.basis if check.error is None else f"{check.basis}: {check.error}"
    limits = [Text("-") if limit is None else cell(limit) for limit in (check.warn, check.block)]
    return check.check, check.measured, *limits, check.verdict, Text(basis)
