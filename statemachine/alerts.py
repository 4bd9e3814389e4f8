"""Alert episodes: raised once per (date, cause, subject), louder when they must be, resolved when the cause is gone.

Nothing here delivers; a raise of warning or above asks the edge to (a command of kind `alert`), once per severity.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from events.catalogue import AlertRaised, AlertResolved
from events.codec import derive_id
from events.values import Severity
from statemachine.calendar import span
from statemachine.definition import Definition, Step, in_force
from statemachine.gates import has_rows
from statemachine.on_date import table_measure
from statemachine.readiness import standing
from statemachine.state import Alert, DateState, alert_key, expected_count, has_no_games, is_quiet, open_alerts
from statemachine.telling import telling
from statemachine.turn import Turn
from statemachine.work import REOPENED

RANK: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}


def raise_alert(
    turn: Turn,
    cause: str,
    severity: Severity,
    detail: str,
    *,
    subject: str = "-",
    numbers: dict[str, float | None] | None = None,
) -> None:
    """Open an episode, or raise the severity of the open one; the same or a lower severity changes nothing. A date that
    is halted or has no games raises none (interface: alert causes)."""
    if is_quiet(turn.state):
        return
    key = alert_key(cause, subject)
    known = turn.state.alerts.get(key)
    if known is not None and known.resolved_at is None and RANK[known.severity] >= RANK[severity]:
        return
    raised = AlertRaised(cause=cause, subject=subject, severity=severity, detail=detail, numbers=numbers or {})
    turn.emit(raised)
    if RANK[severity] > (RANK[paged_severity(known)] if known is not None else 0):
        _deliver(turn, key, raised)


def paged_severity(alert: Alert) -> Severity:
    """The highest severity that the episode has reached: the one that was paged for last, unless it is info."""
    return max(alert.rises, key=RANK.__getitem__)


def page_id(state: DateState, alert: Alert) -> str:
    """The id of the command that pages for the episode at the severity it has reached."""
    return derive_id("alert", state.stream, alert_key(alert.cause, alert.subject), paged_severity(alert))


def page_again(turn: Turn, alert: Alert) -> None:
    """Ask for the page of the episode once more, under the id it had."""
    raised = AlertRaised(
        cause=alert.cause,
        subject=alert.subject,
        severity=paged_severity(alert),
        detail=alert.detail,
        numbers=alert.numbers,
    )
    _deliver(turn, alert_key(alert.cause, alert.subject), raised, attempt=alert.attempt + 1)


def _deliver(turn: Turn, key: str, raised: AlertRaised, *, attempt: int = 1) -> None:
    stream, game_date = turn.state.stream, turn.state.game_date
    command_id = derive_id("alert", stream, key, raised.severity)
    turn.emit(telling(stream, key, raised, command_id=command_id, game_date=game_date, attempt=attempt))


def resolve(turn: Turn, cause: str, reason: str, subject: str = "-") -> None:
    """Close the episode if it is open."""
    known = turn.state.alerts.get(alert_key(cause, subject))
    if known is not None and known.resolved_at is None:
        turn.emit(AlertResolved(cause=cause, subject=subject, reason=reason))


def resolve_what_is_gone(turn: Turn) -> None:
    """Close every open episode whose cause no longer holds; all that were about games, where none is expected."""
    for alert in open_alerts(turn.state):
        gone = _GONE.get(alert.cause)
        reason = gone(turn, alert) if gone is not None else None
        if has_no_games(turn.state):
            reason = "no game is expected any more"
        if reason is not None:
            resolve(turn, alert.cause, reason, alert.subject)


# --- what the figures say -----------------------------------------------------------------------------------------


def coverage(state: DateState, definition: Definition) -> float | None:
    """Box scores present ÷ games expected, as last measured; None where either is unknown; 1 where none is expected."""
    expected = expected_count(state)
    if expected == 0:
        return 1.0
    measure = definition.alerts.box_score_measure
    for seen in state.measures.values():
        found = seen.measures.get(measure)
        if found is not None and found.value is not None and expected:
            return found.value / expected
    return None


def phase_done(state: DateState, phase: str) -> bool:
    """True where any processor of the phase has completed, in whatever cycle."""
    return any(work.done_at is not None and key.split("/")[1] == phase for key, work in state.work.items())


def precompute_shortfall(state: DateState, definition: Definition, phase: str) -> tuple[int, list[str], list[str]]:
    """Completed, missing critical and missing processors of `phase`, whichever cycle completed them, with rows in its
    table counting as completed: of two records, either shows that the work was done (incidents 0.9)."""
    step = steps_of(definition, phase)
    done: set[str] = set()
    for cycle in definition.cycles:
        if phase in cycle.step_of:
            done.update(standing(state, definition, cycle.name, cycle.step_of[phase]).done)
    done.update(_with_rows(state, definition, step))
    expected = [name for name in step.expected if in_force(definition.processor_of[name], state.game_date)]
    missing = [name for name in expected if name not in done]
    return len(expected) - len(missing), [name for name in step.critical if name in missing], missing


def _with_rows(state: DateState, definition: Definition, step: Step) -> set[str]:
    seen = state.measures.get(step.gate or "")
    found: set[str] = set()
    for name in step.expected:
        table = definition.processor_of[name].table
        if seen is not None and table is not None:
            measure = seen.measures.get(table_measure(table))
            if measure is not None and has_rows(measure):
                found.add(name)
    return found


def steps_of(definition: Definition, phase: str) -> Step:
    """The step of `phase` in the first cycle that has it."""
    return next(cycle.step_of[phase] for cycle in definition.cycles if phase in cycle.step_of)


# --- when a cause is gone -----------------------------------------------------------------------------------------


def _box_scores(turn: Turn, _alert: Alert) -> str | None:
    ratio = coverage(turn.state, turn.definition)
    return "every expected game has its box score" if ratio is not None and ratio >= 1 else None


def _precompute(turn: Turn, _alert: Alert) -> str | None:
    _done, _critical, missing = precompute_shortfall(turn.state, turn.definition, "precompute")
    return None if missing else "all precompute processors are in"


def _done(phase: str) -> Callable[[Turn, Alert], str | None]:
    def gone(turn: Turn, _alert: Alert) -> str | None:
        return f"{phase} done" if phase_done(turn.state, phase) else None

    return gone


def _hand_off(turn: Turn, alert: Alert) -> str | None:
    waiting = [c for c in turn.state.cycles.values() if c.state == f"{alert.subject}_waiting"]
    return None if waiting or _given_up(turn, alert.subject) else f"{alert.subject} reported"


def _given_up(turn: Turn, phase: str) -> bool:
    """True where a cycle was parked in `phase` and no cycle has done any of it: to give up is not to move on."""
    parked = any(c.state == "parked" and c.phase == phase for c in turn.state.cycles.values())
    return parked and not phase_done(turn.state, phase)


def _stalled(turn: Turn, alert: Alert) -> str | None:
    phase = turn.definition.phase_of.get(alert.subject)
    if phase is None:
        return f"the definition has no {alert.subject} any more"
    if _given_up(turn, alert.subject):
        return None
    allowed = span(phase.stall_minutes)
    present = (f"{alert.subject}_waiting", f"{alert.subject}_running")
    silent = [c.progress_at or c.since for c in turn.state.cycles.values() if c.state in present]
    if any(since is not None and turn.now - since >= allowed for since in silent):
        return None
    return f"{alert.subject} moved on"


def _held(turn: Turn, alert: Alert) -> str | None:
    """A person has let the cycle past its gate: the gate holds nothing any more, whatever it last said."""
    found = [(cycle, turn.state.cycles.get(cycle.name)) for cycle in turn.definition.cycles]
    held = [(c, at.phase) for c, at in found if at and at.state.endswith(("_gate", "_blocked", "parked"))]
    gates = [cycle.step_of[phase].gate for cycle, phase in held if phase in cycle.step_of]
    return None if alert.subject in gates else f"{alert.subject} holds no cycle any more"


def _in_error(turn: Turn, alert: Alert) -> str | None:
    if alert.severity != "critical" or alert.subject in turn.definition.validators_of:
        return _out_of_use(turn, alert)
    return _held(turn, alert)


def _out_of_use(turn: Turn, alert: Alert) -> str | None:
    """Neither a gate nor a set of validators has the name any more: nobody would ever say that it passes."""
    known = alert.subject in turn.definition.gate_of or alert.subject in turn.definition.validators_of
    return None if known else f"the definition has no {alert.subject} any more"


def _pulse(turn: Turn, alert: Alert) -> str | None:
    for key, work in turn.state.work.items():
        if key.endswith(f"/{alert.subject}") and work.at is not None and work.at >= alert.raised_at:
            return f"{alert.subject} reported"
    return None


def _storm(turn: Turn, alert: Alert) -> str | None:
    rules = turn.definition.alerts
    over = runs_within(turn, alert.subject, span(rules.run_storm_minutes)) > rules.run_storm_runs
    return None if over else f"{alert.subject} is below the limit again"


def runs_within(turn: Turn, processor: str, span: timedelta) -> int:
    """Runs of `processor` for this date within `span` before now, in whatever cycle (at most `RECENT_RUNS_MAX`)."""
    since = (turn.now - span).timestamp()
    return sum(
        second > since
        for key, work in turn.state.work.items()
        if key.endswith(f"/{processor}")
        for second in work.run_seconds
    )


def _records(turn: Turn, alert: Alert) -> str | None:
    """The processor is complete, by what it said or by its rows; or what was taken back has its rows, late as it is."""
    processor = turn.definition.processor_of.get(alert.subject)
    if processor is None:
        return f"the definition has no {alert.subject} any more"
    if not any(w.status == REOPENED for key, w in turn.state.work.items() if key.endswith(f"/{alert.subject}")):
        return f"{alert.subject} is complete"
    steps = [cycle.step_of[processor.phase] for cycle in turn.definition.cycles if processor.phase in cycle.step_of]
    filled = any(alert.subject in _with_rows(turn.state, turn.definition, step) for step in steps)
    return f"the table of {alert.subject} has rows" if filled else None


_GONE: dict[str, Callable[[Turn, Alert], str | None]] = {
    "box_scores_incomplete": _box_scores,
    "precompute_incomplete": _precompute,
    "predictions_late": _done("predictions"),
    "grading_late": _done("grading"),
    "handoff_missed": _hand_off,
    "phase_stalled": _stalled,
    "gate_blocked": _held,
    "gate_warned": _out_of_use,
    "gate_error": _in_error,
    "processor_stale": _pulse,
    "processor_dead": _pulse,
    "processor_hung": _pulse,
    "run_storm": _storm,
    "records_disagree": _records,
}
