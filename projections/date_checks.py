"""The health checks of a date: one small function each, and a table of them.

What an open alert says already is not said twice. Each check judges the state at `now` by itself, so it holds also
where no tick has come since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from projections.ahead import deadline_words
from projections.findings import GRADE, STATUS_OF, Finding, HealthStatus, of_alert
from projections.present import present_cycle
from projections.wording import instant, number
from statemachine.alerts import coverage
from statemachine.calendar import midnight_ending
from statemachine.coming import Deadline
from statemachine.deadlines import deadlines
from statemachine.definition import Definition
from statemachine.state import Alert, CycleState, DateState, GateRecord, expected_count, is_quiet, open_alerts


class Look(Struct, frozen=True, kw_only=True):
    """A date as the checks see it at `now`: what several of them ask of its state is worked out once, for a season of
    dates is looked at in one go. `ahead` are its deadlines, the earliest first; `alerts` the open ones."""

    state: DateState
    definition: Definition
    now: datetime
    game_date: str
    quiet: bool
    expected: int | None
    coverage: float | None
    alerts: tuple[Alert, ...]
    ahead: tuple[Deadline, ...]


def look(state: DateState, definition: Definition, now: datetime) -> Look:
    """The date as it is looked at now."""
    return Look(
        state=state,
        definition=definition,
        now=now,
        game_date=state.game_date,
        quiet=is_quiet(state),
        expected=expected_count(state),
        coverage=coverage(state, definition),
        alerts=tuple(open_alerts(state)),
        ahead=tuple(deadlines(state, definition)),
    )


def date_findings(seen: Look) -> list[Finding]:
    """Everything about the date that is not in order."""
    return [finding for check in CHECKS for finding in check(seen)]


def _found(
    seen: Look, check: str, status: HealthStatus, reason: str, next_step: str, *, since: datetime | None = None
) -> Finding:
    return Finding(
        sport=seen.state.sport,
        game_date=seen.game_date,
        check=check,
        status=status,
        reason=reason,
        next_step=next_step,
        since=since,
    )


def _alerted(seen: Look, *causes: str, subject: str = "-") -> HealthStatus:
    """How bad the open alerts of `causes` about `subject` say it is."""
    found = [STATUS_OF[a.severity] for a in seen.alerts if a.cause in causes and a.subject == subject]
    return max(found, key=GRADE.index, default="healthy")


def _alerts(seen: Look) -> Iterator[Finding]:
    for alert in seen.alerts:
        finding = of_alert(seen.state.sport, seen.game_date, alert)
        if finding is not None:
            yield finding


def _schedule(seen: Look) -> Iterator[Finding]:
    if seen.expected is None:
        reason = "no schedule is known, so nobody can say what is missing"
        yield _found(seen, "schedule", "unknown", reason, "publish the schedule of the date")


def _halted(seen: Look) -> Iterator[Finding]:
    if seen.state.halted:
        yield _found(seen, "halted", "warning", "an operator halted the date", "`day act` with resume lets it go on")


def _cycles(seen: Look) -> Iterator[Finding]:
    state = seen.state
    if seen.quiet or state.status == "complete":
        return
    present = present_cycle(state, seen.definition)
    for name, cycle in seen.definition.cycle_of.items():
        at = state.cycles.get(name) or CycleState()
        if at.state == "parked":
            status: HealthStatus = "critical" if name == present else "warning"
            reason = f"{name} was given up in {at.phase} and needs a person"
            yield _found(
                seen,
                "cycle",
                status,
                reason,
                f"`day act` with resume --target {name}, or leave it to the next cycle",
                since=at.since,
            )
        elif at.phase is not None and at.state == f"{at.phase}_blocked":
            gate = cycle.step_of[at.phase].gate or at.phase
            if _alerted(seen, "gate_blocked", "gate_error", subject=gate) == "healthy":
                reason = f"{name} is held by {gate}"
                yield _found(seen, "cycle", "critical", reason, "`day explain` says why", since=at.since)


def _gates(seen: Look) -> Iterator[Finding]:
    latest: dict[str, GateRecord] = {}
    for record in sorted(seen.state.gates.values(), key=lambda item: item.at):
        latest[record.evaluation.gate] = record
    for gate, record in latest.items():
        unread = [check.check for check in record.evaluation.checks if check.verdict == "error"]
        if unread and _alerted(seen, "gate_error", subject=gate) == "healthy":
            reason = f"{gate} could not measure {', '.join(unread)}"
            yield _found(
                seen,
                "gate",
                "unknown",
                reason,
                "make the measure readable, then `day act` to recheck",
                since=record.at,
            )


def _coverage(seen: Look) -> Iterator[Finding]:
    if seen.quiet or not seen.expected:
        return
    midnight = midnight_ending(seen.game_date, seen.definition.timezone)
    bands = [b for b in seen.definition.alerts.box_score_bands if seen.now >= midnight + timedelta(hours=b.hours)]
    if not bands:
        return
    ratio = seen.coverage
    if ratio is None:
        hours = min(band.hours for band in bands)
        reason = f"box scores were never measured, more than {hours} h after the date ended"
        yield _found(seen, "coverage", "unknown", reason, "look at the probe of the boundary", since=midnight)
        return
    short = [STATUS_OF[band.severity] for band in bands if ratio < band.below]
    status: HealthStatus = max(short, key=GRADE.index, default="healthy")
    if GRADE.index(status) > GRADE.index(_alerted(seen, "box_scores_incomplete")):
        reason = f"{number(ratio)} of the box scores are there"
        yield _found(seen, "coverage", status, reason, "`day explain` says which repair was asked for", since=midnight)


def _overdue(seen: Look) -> Iterator[Finding]:
    if not seen.ahead:
        return
    due, name = seen.ahead[0]
    if due + timedelta(minutes=seen.definition.alerts.tick_missed_minutes) < seen.now:
        reason = f"nobody acted on the deadline of {instant(due)}: {deadline_words(name)}"
        next_step = "look at what calls `tick`: what is said of this date is as of then"
        yield _found(seen, "ticks", "unknown", reason, next_step, since=due)


def _outbox(seen: Look) -> Iterator[Finding]:
    allowed = timedelta(minutes=seen.definition.alerts.hand_off_minutes)
    late = [sent for sent in seen.state.sent.values() if sent.requested_at + allowed <= seen.now]
    if late:
        kinds = ", ".join(sorted({sent.kind for sent in late}))
        oldest = min(sent.requested_at for sent in late)
        reason = f"{len(late)} commands are not confirmed ({kinds}), the oldest of {instant(oldest)}"
        yield _found(seen, "outbox", "warning", reason, "look at the dispatcher and its channels", since=oldest)


CHECKS: tuple[Callable[[Look], Iterator[Finding]], ...] = (
    _alerts,
    _schedule,
    _halted,
    _cycles,
    _gates,
    _coverage,
    _overdue,
    _outbox,
)
