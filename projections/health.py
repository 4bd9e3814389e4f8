"""Health: is anything wrong, on any date, and what should be done? The worst check decides.

`unknown` is a status of its own and never healthy (design 8.6). Everything is judged at `now`, so a service whose ticks
stopped does not go on looking healthy; an old date that is still open counts as much as today's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from events.values import Severity
from projections.awaited import Awaited, awaited
from projections.control_checks import control_findings
from projections.date_checks import Look, date_findings, look
from projections.findings import GRADE, Finding, HealthStatus
from projections.present import held, present_cycle
from projections.season_grid import CONTRACTS, Contract, Week, unrecorded, weeks
from statemachine.alerts import RANK
from statemachine.control import ControlState
from statemachine.definition import Definition
from statemachine.readiness import standing
from statemachine.state import DateState, open_alerts

EXIT_CODE: dict[HealthStatus, int] = {"healthy": 0, "warning": 1, "unknown": 1, "critical": 2}
"""Interface: exit codes. What is unknown is no reason to page, and never a reason to say that all is well."""


class DateHealth(Struct, frozen=True, kw_only=True):
    """A date in one row. `status` is its health, `pipeline` the status of the date itself, `contract` what it owes.

    `cycle`, `phase` and `state` are those of the cycle that speaks for the date (null before the first opens);
    `blocked_by` the gates that hold it, `missing` the processors that its present phase waits for, `degraded` why what
    was made is less than complete. `open_since` is when its first cycle opened and `age_hours` how long ago that is,
    null where nothing is open; `awaits` is what should happen next and by when."""

    sport: str
    game_date: str
    status: HealthStatus
    pipeline: str
    contract: Contract
    expected_games: int | None
    coverage: float | None
    cycle: str | None
    phase: str | None
    state: str | None
    blocked_by: tuple[str, ...]
    missing: tuple[str, ...]
    degraded: tuple[str, ...]
    alerts: dict[Severity, int]
    open_since: datetime | None
    age_hours: float | None
    awaits: Awaited | None


class Health(Struct, frozen=True, kw_only=True):
    """The whole. `findings` the worst first, then the oldest; `dates` by sport and date; `season` counts the dates by
    contract, for each sport; `weeks` is the season's calendar; `unrecorded` counts, for each sport, the days between
    its first and last date that were never opened. `exit_code` is 0 healthy, 1 warning or unknown, 2 critical."""

    status: HealthStatus
    exit_code: int
    at: datetime
    findings: tuple[Finding, ...]
    dates: tuple[DateHealth, ...]
    season: dict[str, dict[Contract, int]]
    weeks: tuple[Week, ...]
    unrecorded: dict[str, int]


def health(days: Iterable[tuple[DateState, Definition]], controls: Iterable[ControlState], *, now: datetime) -> Health:
    """The health of all `days` and of the control streams of their sports, at `now`. Nothing to look at is unknown."""
    looks = [look(state, definition, now) for state, definition in days]
    looks.sort(key=lambda seen: seen.state.stream)
    definitions = {seen.definition.sport: seen.definition for seen in looks}
    found = [date_findings(seen) for seen in looks]
    rows = tuple([_row(seen, of_date) for seen, of_date in zip(looks, found, strict=True)])
    findings = [finding for of_date in found for finding in of_date]
    findings += control_findings(list(controls), definitions, now)
    status = worst(findings)
    by_sport = {sport: [row for row in rows if row.sport == sport] for sport in sorted(definitions)}
    return Health(
        status=status,
        exit_code=EXIT_CODE[status],
        at=now,
        findings=tuple(sorted(findings, key=_urgency)),
        dates=rows,
        season={sport: _season(of_sport) for sport, of_sport in by_sport.items()},
        weeks=weeks(rows),
        unrecorded={sport: unrecorded(row.game_date for row in of_sport) for sport, of_sport in by_sport.items()},
    )


def date_health(state: DateState, definition: Definition, *, now: datetime) -> tuple[DateHealth, tuple[Finding, ...]]:
    """One date, and what was found about it, the worst first."""
    seen = look(state, definition, now)
    found = date_findings(seen)
    return _row(seen, found), tuple(sorted(found, key=_urgency))


def worst(findings: Iterable[Finding]) -> HealthStatus:
    """The worst status of `findings`; healthy where there is none."""
    return max((finding.status for finding in findings), key=GRADE.index, default="healthy")


def _urgency(finding: Finding) -> tuple[int, bool, datetime | None, str, str, str]:
    unaged = finding.since is None
    return -GRADE.index(finding.status), unaged, finding.since, finding.sport, finding.game_date, finding.check


def _row(seen: Look, findings: Sequence[Finding]) -> DateHealth:
    state, definition = seen.state, seen.definition
    name = present_cycle(state, definition)
    at = state.cycles[name] if name is not None else None
    since = _open_since(state)
    severities = [alert.severity for alert in seen.alerts]
    return DateHealth(
        sport=state.sport,
        game_date=seen.game_date,
        status=worst(findings),
        pipeline=state.status,
        contract=contract(state, findings),
        expected_games=seen.expected,
        coverage=seen.coverage,
        cycle=name,
        phase=at.phase if at is not None else None,
        state=at.state if at is not None else None,
        blocked_by=tuple([gate for _cycle, gate in held(state, definition)]),
        missing=_missing(state, definition, name),
        degraded=tuple(dict.fromkeys(reason for cycle in state.cycles.values() for reason in cycle.degraded)),
        alerts={severity: severities.count(severity) for severity in RANK},
        open_since=since,
        age_hours=(seen.now - since) / timedelta(hours=1) if since is not None else None,
        awaits=awaited(state, definition, seen.ahead),
    )


def _open_since(state: DateState) -> datetime | None:
    if state.status in ("scheduled", "complete", "no_games"):
        return None
    return min((at.opened_at for at in state.cycles.values() if at.opened_at is not None), default=None)


def _missing(state: DateState, definition: Definition, name: str | None) -> tuple[str, ...]:
    """Whom the present phase of the cycle waits for; a phase that is behind waits for nobody."""
    at = state.cycles[name] if name is not None else None
    if name is None or at is None or at.phase is None or at.state == "done":
        return ()
    return standing(state, definition, name, definition.cycle_of[name].step_of[at.phase]).missing


def contract(state: DateState, findings: Iterable[Finding] = ()) -> Contract:
    """What the date owes (orchestration 9.14). Halted dates owe nothing, for nothing is asked of them; one whose heals
    are exhausted, or that waits for a person, has failed until somebody acts. Where `findings` say that something about
    the date is unknown, so is what it owes, unless it has failed anyway."""
    if state.status in ("no_games", "halted"):
        return "empty_ok"
    if state.status == "parked" or any(alert.cause == "heal_exhausted" for alert in open_alerts(state)):
        return "failed"
    if any(finding.status == "unknown" for finding in findings):
        return "unknown"
    if state.status == "blocked" or (state.status == "complete" and any(c.degraded for c in state.cycles.values())):
        return "degraded"
    return _CONTRACT[state.status]


_CONTRACT: dict[str, Contract] = {"scheduled": "expected", "active": "running", "complete": "complete"}


def _season(rows: Sequence[DateHealth]) -> dict[Contract, int]:
    contracts = [row.contract for row in rows]
    return {name: contracts.count(name) for name in CONTRACTS}
