"""Deadlines: the instants at which absence becomes a fact, computed from the state, and what each of them does.

`deadlines` is a pure function of state and definition; the store keeps the earliest per stream (`next_deadline`), so a
tick touches only streams that are due, and acts on what is `due_now` until nothing is. A deadline that has been acted
on is remembered by name (`DateState.elapsed`) or disappears because the state moved on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter

from events.catalogue import DeadlineElapsed
from statemachine import heals, reconciling, reminders, validation
from statemachine.alerts import coverage, phase_done, precompute_shortfall, raise_alert, resolve_what_is_gone
from statemachine.calendar import midnight_ending, span, wall_instant
from statemachine.coming import Coming, Deadline, written
from statemachine.commands import ask_measures, asked_already, trigger_phase
from statemachine.definition import Cycle, Definition, Due, Step
from statemachine.judgement import judge_gate
from statemachine.machine import CycleModel, settle_cycle
from statemachine.opening import opens_at, parks_at
from statemachine.readiness import Standing, standing, waits_met
from statemachine.state import CycleState, DateState, expected_count, is_quiet
from statemachine.turn import Turn

PROBE_AHEAD = timedelta(minutes=5)
"""How long before a box-score band the boundary is measured again, so that the band judges what is, not what was."""

Counting = Callable[[str, Step], Standing]
"""Who has completed in which step of which cycle, as `readiness.standing` counts it."""


def deadlines(state: DateState, definition: Definition) -> list[Deadline]:
    """All deadlines still ahead or due and not acted on, the earliest first."""
    return _not_acted_on(state, _all(state, definition))


def next_deadline(state: DateState, definition: Definition) -> datetime | None:
    """The instant of the first of `deadlines`, for which names are written only until one was not acted on."""
    for at, name in sorted(_all(state, definition), key=itemgetter(0)):
        if written(name) not in state.elapsed:
            return at
    return None


def due_now(turn: Turn) -> list[Deadline]:
    """Those of `deadlines` whose instant has come."""
    return _not_acted_on(turn.state, _all(turn.state, turn.definition, turn.standing), until=turn.now)


def _not_acted_on(state: DateState, found: list[Coming], until: datetime | None = None) -> list[Deadline]:
    ahead, elapsed = [], state.elapsed  # a few, of which a set costs more to build than it saves
    for at, parts in found:
        if until is None or at <= until:
            name = written(parts)
            if name not in elapsed:
                ahead.append((at, name))
    return sorted(ahead)


def _all(state: DateState, definition: Definition, counting: Counting | None = None) -> list[Coming]:
    """What the state waits for, acted on or not, in no order; `counting` where the caller may have counted already."""
    if is_quiet(state):
        return []
    counting = counting or partial(standing, state, definition)
    found: list[Coming] = [*_of_date(state.game_date, definition)]
    for cycle in definition.cycles:
        found += _of_cycle(state, definition, cycle, counting)
    found += validation.looks(state, definition)
    if state.heals:
        found += _of_heals(state, definition)
    if state.alerts:
        found += reminders.deadlines(state.alerts, definition.alerts.reminders, state.sent.values())
    if state.disagreements:
        found += reconciling.deadlines(state, definition)
    return found


def _of_heals(state: DateState, definition: Definition) -> Iterator[Coming]:
    specs = {heal.name: heal for heal in definition.heals}
    for component, heal in state.heals.items():
        spec = specs.get(component.partition("/")[0])
        if spec is None or heal.requested_at is None:
            continue
        if heal.outcome is None:
            due = heal.requested_at + span(spec.verify_minutes)
            yield due, ("heal", component, heal.attempt)
            if spec.measure_minutes:
                yield due - span(spec.measure_minutes), ("verify", component, heal.attempt)
        elif heal.outcome != "healed" and spec.phase is not None:
            due = heal.requested_at + span(spec.cool_down_minutes)
            yield due, ("heal_again", component, heal.attempt)


def _of_cycle(state: DateState, definition: Definition, cycle: Cycle, counting: Counting) -> Iterable[Coming]:
    at = state.cycles.get(cycle.name) or CycleState()
    if at.state in ("done", "parked"):
        return ()
    again = () if at.resumed_at is None else (at.resumed_at,)
    opens = opens_at(state, definition, cycle) if at.state == "idle" else None
    park = parks_at(state, definition, cycle, opens), ("park", cycle.name, *again)
    if opens is not None:
        return park, (opens, ("open", cycle.name))
    phase, _, kind = at.state.rpartition("_")
    return park, *_IN_KIND[kind](definition, cycle, at, phase, counting)


def _present(definition: Definition, cycle: Cycle, at: CycleState, phase: str, counting: Counting) -> Iterator[Coming]:
    assert at.since is not None, "a cycle that opened has been in its state since some instant"
    step = cycle.step_of[phase]
    progress = at.progress_at or at.since
    yield progress + span(definition.phase_of[phase].stall_minutes), ("stall", cycle.name, phase, progress)
    stands = counting(cycle.name, step)
    met = waits_met(step, stands, at)
    for ready in met:
        yield ready.at, ("ready", cycle.name, phase, at.retries, ready.reason, len(stands.completed))
    look = reconciling.next_look(definition, cycle, at, progress) if at.looks and not met else None
    if look is not None:
        yield look
    if at.state.endswith("_waiting") and at.commands and at.sends <= definition.alerts.resend_max:
        due = (at.commanded_at or at.since) + span(definition.alerts.hand_off_minutes)
        yield due, ("handoff", cycle.name, phase, at.retries, at.sends)


def _measuring(
    definition: Definition, cycle: Cycle, at: CycleState, phase: str, _counting: Counting
) -> Iterator[Coming]:
    gate = definition.gate_of[cycle.step_of[phase].gate or ""]
    assert at.since is not None
    yield at.since + span(gate.measure_timeout_minutes), ("measure", cycle.name, phase, at.since)


def _held(definition: Definition, cycle: Cycle, at: CycleState, phase: str, _counting: Counting) -> Iterator[Coming]:
    gate = definition.gate_of[cycle.step_of[phase].gate or ""]
    assert at.since is not None
    minutes = gate.recheck_minutes[min(at.rechecks, len(gate.recheck_minutes) - 1)]
    yield at.since + span(minutes), ("recheck", cycle.name, phase, at.since)


_IN_KIND: dict[str, Callable[[Definition, Cycle, CycleState, str, Counting], Iterator[Coming]]] = {
    "waiting": _present,
    "running": _present,
    "gate": _measuring,
    "blocked": _held,
}

DATES_KEPT_MAX = 4096
"""Of how many dates, under one definition each, the deadlines that follow from the calendar alone are kept."""

_OF_DATES: dict[tuple[str, str], tuple[Deadline, ...]] = {}


def _of_date(game_date: str, definition: Definition) -> tuple[Deadline, ...]:
    """What follows from the calendar alone, computed once per date and definition version."""
    known = _OF_DATES.get((definition.version, game_date))
    if known is None:
        if len(_OF_DATES) >= DATES_KEPT_MAX:
            _OF_DATES.clear()
        known = _OF_DATES[definition.version, game_date] = tuple(_of_calendar(game_date, definition))
    return known


def _of_calendar(game_date: str, definition: Definition) -> Iterator[Deadline]:
    rules = definition.alerts
    midnight = midnight_ending(game_date, definition.timezone)
    for band in rules.box_score_bands:
        due = midnight + span(60 * band.hours)
        yield due - PROBE_AHEAD, f"probe:{band.hours}"
        yield due, f"box_scores:{band.hours}"
    for name, when in (
        ("precompute_due", rules.precompute_due),
        ("predictions_due", rules.predictions_due),
        ("grading_due", rules.grading_due),
    ):
        if when is not None:
            yield due_instant(game_date, definition, when), name


def due_instant(game_date: str, definition: Definition, due: Due) -> datetime:
    """The instant of a wall-clock deadline for a date."""
    return wall_instant(game_date, due.days, due.at, definition.timezone)


# --- what a deadline does -----------------------------------------------------------------------------------------


def elapse(turn: Turn, deadline: Deadline) -> bool:
    """Record that the deadline came, and react; says whether that may have brought others about, or made them void."""
    due, name = deadline
    turn.emit(DeadlineElapsed(name=name, due_at=due))
    kind, *arguments = name.split(":", 3)
    before = len(turn.events)
    _REACTION[kind](turn, arguments)
    return kind not in _ONLY_ASKING and len(turn.events) > before


_ONLY_ASKING = frozenset({"probe", "validate", "verify"})
"""Kinds that ask for numbers and no more, for whose question nothing else waits. A table is looked at again after each
write, so most ticks are about these."""


def _settle(turn: Turn, arguments: list[str]) -> None:
    settle_cycle(turn, turn.definition.cycle_of[arguments[0]])


def _park(turn: Turn, arguments: list[str]) -> None:
    cycle = turn.definition.cycle_of[arguments[0]]
    CycleModel(turn, cycle).fire("park", f"not done {cycle.park_hours} h after it opened")


def _stall(turn: Turn, arguments: list[str]) -> None:
    cycle, phase = turn.definition.cycle_of[arguments[0]], arguments[1]
    minutes = turn.definition.phase_of[phase].stall_minutes
    step = cycle.step_of[phase]
    stands = turn.standing(cycle.name, step)
    detail = f"{phase} ({cycle.name}): no progress for {minutes} min; {len(stands.completed)} of {stands.expected} in"
    if stands.missing:
        detail += f"; missing {', '.join(stands.missing)}"
    raise_alert(turn, "phase_stalled", "warning", detail, subject=phase, numbers={"minutes": float(minutes)})
    heals.missing_in(turn, cycle.name, step, f"{phase} stalled")
    reconciling.look(turn, cycle, step)


def _look(turn: Turn, arguments: list[str]) -> None:
    cycle = turn.definition.cycle_of[arguments[0]]
    reconciling.look(turn, cycle, cycle.step_of[arguments[1]])


def _reconcile(turn: Turn, arguments: list[str]) -> None:
    reconciling.due(turn, arguments[0])


def _hand_off(turn: Turn, arguments: list[str]) -> None:
    cycle, phase = turn.definition.cycle_of[arguments[0]], arguments[1]
    at = turn.state.cycles[cycle.name]
    minutes = turn.definition.alerts.hand_off_minutes
    confirmed = "published" if at.commanded_at is not None else "requested, not confirmed as published"
    detail = f"{phase} ({cycle.name}): {confirmed} and nobody reported for {minutes} min"
    raise_alert(turn, "handoff_missed", "warning", detail, subject=phase, numbers={"minutes": float(minutes)})
    place = cycle.phases.index(phase)
    if at.sends <= turn.definition.alerts.resend_max and place:
        trigger_phase(
            turn, cycle.name, cycle.steps[place], cycle.steps[place - 1], reason="hand_off_missed", attempt=at.sends + 1
        )


def _measure(turn: Turn, arguments: list[str]) -> None:
    cycle, phase = turn.definition.cycle_of[arguments[0]], arguments[1]
    judge_gate(turn, cycle, cycle.step_of[phase])
    CycleModel(turn, cycle).settle()


def _recheck(turn: Turn, arguments: list[str]) -> None:
    model = CycleModel(turn, turn.definition.cycle_of[arguments[0]])
    if model.fire("recheck", "time to look again"):
        model.settle()


def _probe(turn: Turn, _arguments: list[str]) -> None:
    measure = turn.definition.alerts.box_score_measure
    for gate in turn.definition.gates:
        seen = turn.state.measures.get(gate.name)
        at = seen.observed_at.get(measure) if seen is not None else None
        young = at is not None and turn.now - at < PROBE_AHEAD
        if gate.probe and measure in gate.measures and not young and not asked_already(turn, gate.name):
            ask_measures(turn, gate.name, [measure])


def _box_scores(turn: Turn, arguments: list[str]) -> None:
    band = next(b for b in turn.definition.alerts.box_score_bands if str(b.hours) == arguments[0])
    ratio = coverage(turn.state, turn.definition)
    if ratio is not None and ratio >= band.below:
        return
    expected = expected_count(turn.state)
    known = "never measured" if ratio is None else f"{ratio:.1%} of {expected} games"
    detail = f"box scores {known}, {band.hours} h after the date ended (below {band.below:.0%})"
    numbers: dict[str, float | None] = {"coverage": ratio, "expected": None if expected is None else float(expected)}
    raise_alert(turn, "box_scores_incomplete", band.severity, detail, numbers=numbers)


def _precompute(turn: Turn, _arguments: list[str]) -> None:
    done, critical, missing = precompute_shortfall(turn.state, turn.definition, "precompute")
    if not missing:
        return
    severe = done < turn.definition.alerts.precompute_at_least or bool(critical)
    detail = f"precompute {done} of {done + len(missing)}; missing {', '.join(missing)}"
    numbers: dict[str, float | None] = {"done": float(done), "expected": float(done + len(missing))}
    raise_alert(turn, "precompute_incomplete", "critical" if severe else "warning", detail, numbers=numbers)
    for cycle in turn.definition.cycles:
        at = turn.state.cycles.get(cycle.name)
        if at is not None and at.phase == "precompute" and at.state not in ("done", "parked"):
            heals.missing_in(turn, cycle.name, cycle.step_of["precompute"], "precompute due")


def _late(cause: str, phase: str) -> Callable[[Turn, list[str]], None]:
    def react(turn: Turn, _arguments: list[str]) -> None:
        if not phase_done(turn.state, phase):
            raise_alert(turn, cause, "critical", f"{phase} not done by {turn.now.isoformat()}")

    return react


def _look_at_heal(turn: Turn, arguments: list[str]) -> None:
    """Measure again before a repair is judged, so that it is judged by what is, not by what was."""
    name = arguments[0].partition("/")[0]
    heal = next(item for item in turn.definition.heals if item.name == name)
    if heal.gate is not None and not asked_already(turn, heal.gate):
        ask_measures(turn, heal.gate, heals.measures_of(turn.definition, heal))


def _remind(turn: Turn, arguments: list[str]) -> None:
    """Nobody is reminded of what is over and only has not been looked at since."""
    resolve_what_is_gone(turn)
    state, key = turn.state, arguments[-1]
    if state.alerts[key].resolved_at is None:
        for data in reminders.reminder(state.alerts[key], stream=state.stream, key=key, game_date=state.game_date):
            turn.emit(data)


def _validate(turn: Turn, arguments: list[str]) -> None:
    validation.look(turn, arguments[0])


def _verify_heal(turn: Turn, arguments: list[str]) -> None:
    heals.overdue(turn, arguments[0])


def _heal_again(turn: Turn, arguments: list[str]) -> None:
    name = arguments[0].partition("/")[0]
    heal = next(item for item in turn.definition.heals if item.name == name)
    for cycle in turn.definition.cycles:
        at = turn.state.cycles.get(cycle.name)
        if at is not None and at.phase == heal.phase and at.state not in ("done", "parked"):
            heals.missing_in(turn, cycle.name, cycle.step_of[at.phase or ""], "still missing")


_REACTION: dict[str, Callable[[Turn, list[str]], None]] = {
    "open": _settle,
    "ready": _settle,
    "park": _park,
    "stall": _stall,
    "handoff": _hand_off,
    "measure": _measure,
    "recheck": _recheck,
    "probe": _probe,
    "box_scores": _box_scores,
    "precompute_due": _precompute,
    "predictions_due": _late("predictions_late", "predictions"),
    "grading_due": _late("grading_late", "grading"),
    "verify": _look_at_heal,
    "heal": _verify_heal,
    "heal_again": _heal_again,
    "validate": _validate,
    "reconcile": _reconcile,
    "look": _look,
    "remind": _remind,
}
