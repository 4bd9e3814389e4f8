"""Health: is anything wrong, on any date, and what should be done? The worst check decides.

`unknown` is a status of its own and never healthy (design 8.6). Everything is judged at `now`, so a service whose ticks
stopped does not go on looking healthy; an old date that is still open counts as much as today's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from events.values import Severity
from projections.control_checks import control_findings
from projections.date_checks import date_findings
from projections.day import day_row
from projections.findings import GRADE, Finding, HealthStatus
from statemachine.control import ControlState
from statemachine.definition import Definition
from statemachine.state import DateState, open_alerts

Contract = Literal["expected", "running", "complete", "empty_ok", "degraded", "failed"]
"""What a date owes: nothing yet, at work, delivered, nothing and that is fine, less than all, given up."""

CONTRACTS: tuple[Contract, ...] = ("expected", "running", "complete", "empty_ok", "degraded", "failed")

EXIT_CODE: dict[HealthStatus, int] = {"healthy": 0, "warning": 1, "unknown": 1, "critical": 2}
"""Interface: exit codes. What is unknown is no reason to page, and never a reason to say that all is well."""


class DateHealth(Struct, frozen=True, kw_only=True):
    """A date in one row. `status` is its health, `pipeline` the status of the date itself."""

    sport: str
    game_date: str
    status: HealthStatus
    pipeline: str
    contract: Contract
    expected_games: int | None
    coverage: float | None
    blocked_by: tuple[str, ...]
    alerts: dict[Severity, int]


class Health(Struct, frozen=True, kw_only=True):
    """The whole. `findings` the worst first, then the oldest; `dates` by sport and date; `season` counts the dates by
    contract, for each sport. `exit_code` is 0 healthy, 1 warning or unknown, 2 critical."""

    status: HealthStatus
    exit_code: int
    at: datetime
    findings: tuple[Finding, ...]
    dates: tuple[DateHealth, ...]
    season: dict[str, dict[Contract, int]]


def health(days: Iterable[tuple[DateState, Definition]], controls: Iterable[ControlState], *, now: datetime) -> Health:
    """The health of all `days` and of the control streams of their sports, at `now`. Nothing to look at is unknown."""
    known = sorted(days, key=lambda day: day[0].stream)
    definitions = {definition.sport: definition for _state, definition in known}
    found = {state.stream: date_findings(state, definition, now) for state, definition in known}
    rows = tuple(_row(state, definition, found[state.stream]) for state, definition in known)
    findings = [finding for of_date in found.values() for finding in of_date]
    findings += control_findings(list(controls), definitions, now)
    status = worst(findings)
    return Health(
        status=status,
        exit_code=EXIT_CODE[status],
        at=now,
        findings=tuple(sorted(findings, key=_urgency)),
        dates=rows,
        season={sport: _season([row for row in rows if row.sport == sport]) for sport in sorted(definitions)},
    )


def worst(findings: Iterable[Finding]) -> HealthStatus:
    """The worst status of `findings`; healthy where there is none."""
    return max((finding.status for finding in findings), key=GRADE.index, default="healthy")


def _urgency(finding: Finding) -> tuple[int, bool, datetime | None, str, str, str]:
    unaged = finding.since is None
    return -GRADE.index(finding.status), unaged, finding.since, finding.sport, finding.game_date, finding.check


def _row(state: DateState, definition: Definition, findings: Sequence[Finding]) -> DateHealth:
    row = day_row(state, definition)
    return DateHealth(
        sport=row.sport,
        game_date=row.game_date,
        status=worst(findings),
        pipeline=row.status,
        contract=contract(state),
        expected_games=row.expected_games,
        coverage=row.coverage,
        blocked_by=row.blocked_by,
        alerts=row.alerts,
    )


def contract(state: DateState) -> Contract:
    """What the date owes (orchestration 9.14). Halted dates owe nothing, for nothing is asked of them; one whose heals
    are exhausted, or that waits for a person, has failed until somebody acts."""
    if state.status in ("no_games", "halted"):
        return "empty_ok"
    if state.status == "parked" or any(alert.cause == "heal_exhausted" for alert in open_alerts(state)):
        return "failed"
    if state.status == "blocked" or (state.status == "complete" and any(c.degraded for c in state.cycles.values())):
        return "degraded"
    return _CONTRACT[state.status]


_CONTRACT: dict[str, Contract] = {"scheduled": "expected", "active": "running", "complete": "complete"}


def _season(rows: Sequence[DateHealth]) -> dict[Contract, int]:
    contracts = [row.contract for row in rows]
    return {name: contracts.count(name) for name in CONTRACTS}
