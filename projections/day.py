"""A date as it stands: what `day show` and one line of `day list` say, computed from the folded state.

The JSON keys are a public shape (interface: command line); unknown is null, instants are UTC. "Not due yet", "missing",
"empty and that is fine" and "unknown" stay four different answers (design 6): a phase that is not due misses nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from events.values import Check, HealOutcome, Mode, Severity, Verdict
from projections.present import NextDeadline, held, next_deadline, present_cycle
from statemachine.alerts import RANK, coverage
from statemachine.definition import Cycle, Definition, Step
from statemachine.readiness import Standing, standing
from statemachine.state import Alert, CycleState, DateState, GateRecord, expected_count, open_alerts

PhaseStatus = Literal["not_due", "waiting", "running", "gate", "blocked", "done", "parked", "ran_ahead"]
"""`ran_ahead`: processors of the phase completed though the machine of the cycle has not reached it."""


class PhaseShow(Struct, frozen=True, kw_only=True):
    """A phase of a cycle. `completed` are all that completed, `missing` those it still expects, both in the order of
    the definition; `failed` those whose last word was a failure."""

    status: PhaseStatus
    completed: tuple[str, ...]
    missing: tuple[str, ...]
    failed: tuple[str, ...]


class CycleShow(Struct, frozen=True, kw_only=True):
    """A cycle: where its machine stands and why what it made is less than complete."""

    state: str
    phase: str | None
    degraded: tuple[str, ...]
    phases: dict[str, PhaseShow]


class GateShow(Struct, frozen=True, kw_only=True):
    """The last evaluation of a gate in a cycle, under the version of the definition that it used."""

    gate: str
    cycle: str
    outcome: Verdict
    mode: Mode
    evaluated_at: datetime
    definition: str
    checks: tuple[Check, ...]


class AlertShow(Struct, frozen=True, kw_only=True):
    """An episode. `rises` says when each severity was first reached."""

    cause: str
    subject: str
    severity: Severity
    raised_at: datetime
    delivered_at: datetime | None
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    detail: str
    rises: dict[Severity, datetime]


class HealShow(Struct, frozen=True, kw_only=True):
    """The last attempt of a repair; `attempt` 0 is one that was wanted and never asked for."""

    component: str
    attempt: int
    requested_at: datetime | None
    outcome: HealOutcome | None


class DayShow(Struct, frozen=True, kw_only=True):
    """A game date at one version of its stream; `hash` is that of its last event."""

    sport: str
    game_date: str
    status: str
    expected_games: int | None
    cycles: dict[str, CycleShow]
    gates: tuple[GateShow, ...]
    alerts: tuple[AlertShow, ...]
    heals: tuple[HealShow, ...]
    next_deadline: NextDeadline | None
    version: int
    hash: str


class DayRow(Struct, frozen=True, kw_only=True):
    """A game date in one line. `coverage` is box scores present ÷ games expected; `cycle` and `state` are those of the
    latest cycle that opened, None before the first; `blocked_by` the gates that hold a cycle; `alerts` the number of
    open episodes by severity."""

    sport: str
    game_date: str
    status: str
    expected_games: int | None
    coverage: float | None
    cycle: str | None
    state: str | None
    blocked_by: tuple[str, ...]
    alerts: dict[Severity, int]
    next_deadline: NextDeadline | None


def day_show(state: DateState, definition: Definition, *, head_hash: str) -> DayShow:
    """All there is to say of a date. `head_hash` is the chained hash of the event at `state.version`."""
    return DayShow(
        sport=state.sport,
        game_date=state.game_date,
        status=state.status,
        expected_games=expected_count(state),
        cycles={cycle.name: _cycle(state, definition, cycle) for cycle in definition.cycles},
        gates=tuple(_gate(record) for record in sorted(state.gates.values(), key=lambda record: record.at)),
        alerts=tuple(alert_show(alert) for alert in by_urgency(state.alerts.values())),
        heals=tuple(
            HealShow(component=component, attempt=heal.attempt, requested_at=heal.requested_at, outcome=heal.outcome)
            for component, heal in sorted(state.heals.items())
        ),
        next_deadline=next_deadline(state, definition),
        version=state.version,
        hash=head_hash,
    )


def day_row(state: DateState, definition: Definition) -> DayRow:
    """The date in one line."""
    cycle = present_cycle(state, definition)
    severities = [alert.severity for alert in open_alerts(state)]
    return DayRow(
        sport=state.sport,
        game_date=state.game_date,
        status=state.status,
        expected_games=expected_count(state),
        coverage=coverage(state, definition),
        cycle=cycle,
        state=state.cycles[cycle].state if cycle is not None else None,
        blocked_by=tuple(gate for _cycle, gate in held(state, definition)),
        alerts={severity: severities.count(severity) for severity in RANK},
        next_deadline=next_deadline(state, definition),
    )


def by_urgency(alerts: Iterable[Alert]) -> list[Alert]:
    """Open episodes first, the gravest first, the oldest first."""
    return sorted(alerts, key=lambda a: (a.resolved_at is not None, -RANK[a.severity], a.raised_at, a.cause, a.subject))


def alert_show(alert: Alert) -> AlertShow:
    """An episode as it is shown."""
    return AlertShow(
        cause=alert.cause,
        subject=alert.subject,
        severity=alert.severity,
        raised_at=alert.raised_at,
        delivered_at=alert.delivered_at,
        acknowledged_at=alert.acknowledged_at,
        resolved_at=alert.resolved_at,
        detail=alert.detail,
        rises=alert.rises,
    )


def _gate(record: GateRecord) -> GateShow:
    evaluation = record.evaluation
    return GateShow(
        gate=evaluation.gate,
        cycle=evaluation.cycle,
        outcome=evaluation.outcome,
        mode=evaluation.mode,
        evaluated_at=record.at,
        definition=evaluation.definition,
        checks=evaluation.checks,
    )


def _cycle(state: DateState, definition: Definition, cycle: Cycle) -> CycleShow:
    at = state.cycles.get(cycle.name) or CycleState()
    phases = {}
    for step in cycle.steps:
        stands = standing(state, definition, cycle.name, step)
        phases[step.phase] = _phase(stands, phase_status(cycle, step, at, stands))
    return CycleShow(state=at.state, phase=at.phase, degraded=at.degraded, phases=phases)


def _phase(stands: Standing, status: PhaseStatus) -> PhaseShow:
    others = tuple(sorted(name for name in stands.done if name not in stands.completed))
    return PhaseShow(
        status=status,
        completed=(*stands.completed, *others),
        missing=() if status == "not_due" else stands.missing,
        failed=stands.failed,
    )


def phase_status(cycle: Cycle, step: Step, at: CycleState, stands: Standing) -> PhaseStatus:
    """Where a phase of a cycle stands. What lies behind the machine is done, however it got past; what lies ahead is
    not due, or ran ahead."""
    if at.state == "done":
        return "done"
    here = cycle.phases.index(at.phase) if at.phase in cycle.phases else -1
    place = cycle.phases.index(step.phase)
    if place < here:
        return "done"
    if place == here:
        return _PRESENT[at.state.rpartition("_")[2]]
    return "ran_ahead" if stands.done else "not_due"


_PRESENT: dict[str, PhaseStatus] = {
    "waiting": "waiting",
    "running": "running",
    "gate": "gate",
    "blocked": "blocked",
    "parked": "parked",
}
