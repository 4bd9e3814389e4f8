"""What happens at a gate: evaluate what is fresh or ask for it, record the evaluation, raise, resolve and heal."""

from __future__ import annotations

from events.catalogue import GateEvaluated
from statemachine import heals
from statemachine.alerts import raise_alert, resolve
from statemachine.calendar import span
from statemachine.commands import ask_measures
from statemachine.definition import Cycle, Gate, Step
from statemachine.gates import block_severity, evaluate
from statemachine.on_date import on_date
from statemachine.turn import Turn


def ask_or_evaluate(turn: Turn, cycle: Cycle, step: Step, *, forced: bool = False) -> None:
    """Evaluate the gate of `step` at once where its measures are fresh or none are probed; else ask for them."""
    assert step.gate is not None, "only a step with a gate comes here"
    gate = turn.definition.gate_of[step.gate]
    if not gate.probe or (step.gate_mode or gate.mode) == "disabled":
        judge_gate(turn, cycle, step)
        return
    names = list(on_date(turn.definition, cycle.name, step, turn.state.game_date).probed)
    if not forced and are_fresh(turn, gate, names):
        judge_gate(turn, cycle, step)
    else:
        ask_measures(turn, gate.name, names, cycle=cycle.name, phase=step.phase)


def are_fresh(turn: Turn, gate: Gate, names: list[str]) -> bool:
    """True where the boundary was measured, and nothing known of `names` is older than `measure_age_minutes`. What is
    not known at all is no reason to ask again: whoever measured did not say it."""
    seen = turn.state.measures.get(gate.name)
    instants = [] if seen is None else [seen.observed_at[name] for name in names if name in seen.observed_at]
    return bool(instants) and turn.now - min(instants) <= span(gate.measure_age_minutes)


def judge_gate(turn: Turn, cycle: Cycle, step: Step) -> None:
    """Evaluate, record, and draw the consequences that are not the machine's."""
    evaluation = evaluate(turn.state, turn.definition, cycle.name, step, turn.standing(cycle.name, step))
    turn.emit(evaluation)
    turn.evaluations[cycle.name] = evaluation
    _alert(turn, evaluation)
    heals.after_evaluation(turn, evaluation)


def _alert(turn: Turn, evaluation: GateEvaluated) -> None:
    gate = evaluation.gate
    outcome = evaluation.outcome
    bad = [check for check in evaluation.checks if check.verdict not in ("pass", "skipped")]
    detail = "; ".join([f"{check.check} {check.verdict}: {check.error or check.basis}" for check in bad])
    numbers = {check.check: check.measured for check in bad}
    if outcome == "block":
        severity = block_severity(evaluation, turn.definition.gate_of[gate])
        raise_alert(turn, "gate_blocked", severity, detail, subject=gate, numbers=numbers)
    elif evaluation.blocking_outcome in ("pass", "warn"):
        resolve(turn, "gate_blocked", f"{gate} {outcome}", gate)
    if "error" in [check.verdict for check in bad]:
        severity = "critical" if outcome == "error" else "warning"
        raise_alert(turn, "gate_error", severity, detail, subject=gate, numbers=numbers)
    else:
        resolve(turn, "gate_error", f"{gate} could be measured", gate)
    if outcome == "warn":
        raise_alert(turn, "gate_warned", "warning", detail, subject=gate, numbers=numbers)
    elif outcome == "pass":
        resolve(turn, "gate_warned", f"{gate} passes", gate)
