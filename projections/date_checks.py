"""The health checks of a date: one small function each, and a table of them.

What an open alert says already is not said twice. Each check judges the state at `now` by itself, so it holds also
where no tick has come since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from projections.ahead import deadline_words
from projections.findings import GRADE, STATUS_OF, Finding, HealthStatus, of_alert
from projections.present import next_deadline, present_cycle
from projections.wording import instant, number
from statemachine.alerts import coverage
from statemachine.calendar import midnight_ending
from statemachine.definition import Definition
from statemachine.state import CycleState, DateState, GateRecord, expected_count, is_quiet, open_alerts


def date_findings(state: DateState, definition: Definition, now: datetime) -> list[Finding]:
    """Everything about the date that is not in order."""
    return [finding for check in CHECKS for finding in check(state, definition, now)]


def _found(
    state: DateState, check: str, status: HealthStatus, reason: str, next_step: str, *, since: datetime | None = None
) -> Finding:
    return Finding(
        sport=state.sport,
        game_date=state.game_date,
        check=check,
        status=status,
        reason=reason,
        next_step=next_step,
        since=since,
    )


def _alerted(state: DateState, *causes: str, subject: str = "-") -> HealthStatus:
    """How bad the open alerts of `causes` about `subject` say it is."""
    found = [STATUS_OF[a.severity] for a in open_alerts(state) if a.cause in causes and a.subject == subject]
    return max(found, key=GRADE.index, default="healthy")


def _alerts(state: DateState, _definition: Definition, _now: datetime) -> Iterator[Finding]:
    for alert in open_alerts(state):
        finding = of_alert(state.sport, state.game_date, alert)
        if finding is not None:
            yield finding


def _schedule(state: DateState, _definition: Definition, _now: datetime) -> Iterator[Finding]:
    if expected_count(state) is None:
        reason = "no schedule is known, so nobody can say what is missing"
        yield _found(state, "schedule", "unknown", reason, "publish the schedule of the date")


def _halted(state: DateState, _definition: Definition, _now: datetime) -> Iterator[Finding]:
    if state.halted:
        yield _found(state, "halted", "warning", "an operator halted the date", "`day act` with resume lets it go on")


def _cycles(state: DateState, definition: Definition, _now: datetime) -> Iterator[Finding]:
    if is_quiet(state) or state.status == "complete":
        return
    present = present_cycle(state, definition)
    for name, cycle in definition.cycle_of.items():
        at = state.cycles.get(name) or CycleState()
        if at.state == "parked":
            status: HealthStatus = "critical" if name == present else "warning"
            reason = f"{name} was given up in {at.phase} and needs a person"
            yield _found(
                state,
                "cycle",
                status,
                reason,
                f"`day act` with resume --target {name}, or leave it to the next cycle",
                since=at.since,
            )
        elif at.phase is not None and at.state == f"{at.phase}_blocked":
            gate = cycle.step_of[at.phase].gate or at.phase
            if _alerted(state, "gate_blocked", "gate_error", subject=gate) == "healthy":
                reason = f"{name} is held by {gate}"
                yield _found(state, "cycle", "critical", reason, "`day explain` says why", since=at.since)


def _gates(state: DateState, _definition: Definition, _now: datetime) -> Iterator[Finding]:
    latest: dict[str, GateRecord] = {}
    for record in sorted(state.gates.values(), key=lambda item: item.at):
        latest[record.evaluation.gate] = record
    for gate, record in latest.items():
        unread = [check.check for check in record.evaluation.checks if check.verdict == "error"]
        if unread and _alerted(state, "gate_error", subject=gate) == "healthy":
            reason = f"{gate} could not measure {', '.join(unread)}"
            yield _found(
                state,
                "gate",
                "unknown",
                reason,
                "make the measure readable, then `day act` to recheck",
                since=record.at,
            )


def _coverage(state: DateState, definition: Definition, now: datetime) -> Iterator[Finding]:
    midnight = midnight_ending(state.game_date, definition.timezone)
    bands = [b for b in definition.alerts.box_score_bands if now >= midnight + timedelta(hours=b.hours)]
    if is_quiet(state) or not expected_count(state) or not bands:
        return
    ratio = coverage(state, definition)
    if ratio is None:
        hours = min(band.hours for band in bands)
        reason = f"box scores were never measured, more than {hours} h after the date ended"
        yield _found(state, "coverage", "unknown", reason, "look at the probe of the boundary", since=midnight)
        return
    short = [STATUS_OF[band.severity] for band in bands if ratio < band.below]
    status: HealthStatus = max(short, key=GRADE.index, default="healthy")
    if GRADE.index(status) > GRADE.index(_alerted(state, "box_scores_incomplete")):
        reason = f"{number(ratio)} of the box scores are there"
        yield _found(state, "coverage", status, reason, "`day explain` says which repair was asked for", since=midnight)


def _overdue(state: DateState, definition: Definition, now: datetime) -> Iterator[Finding]:
    ahead = next_deadline(state, definition)
    if ahead is not None and ahead.at + timedelta(minutes=definition.alerts.tick_missed_minutes) < now:
        reason = f"nobody acted on the deadline of {instant(ahead.at)}: {deadline_words(ahead.name)}"
        next_step = "look at what calls `tick`: what is said of this date is as of then"
        yield _found(state, "ticks", "unknown", reason, next_step, since=ahead.at)


def _outbox(state: DateState, definition: Definition, now: datetime) -> Iterator[Finding]:
    allowed = timedelta(minutes=definition.alerts.hand_off_minutes)
    late = [sent for sent in state.sent.values() if sent.requested_at + allowed <= now]
    if late:
        kinds = ", ".join(sorted({sent.kind for sent in late}))
        oldest = min(sent.requested_at for sent in late)
        reason = f"{len(late)} commands are not confirmed ({kinds}), the oldest of {instant(oldest)}"
        yield _found(state, "outbox", "warning", reason, "look at the dispatcher and its channels", since=oldest)


CHECKS: tuple[Callable[[DateState, Definition, datetime], Iterator[Finding]], ...] = (
    _alerts,
    _schedule,
    _halted,
    _cycles,
    _gates,
    _coverage,
    _overdue,
    _outbox,
)
