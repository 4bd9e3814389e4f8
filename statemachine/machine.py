"""The machine of a cycle: a transition table built from the definition, run by `transitions`.

`table(cycle)` is plain data; one `transitions.Machine` per cycle and definition serves every date, for the model it
moves is made for the decision and thrown away. Conditions are the guards, callbacks emit events. States of a phase:
`waiting` (commanded or due, nobody has reported), `running`, `gate` (ready, the boundary is being measured),
`blocked`; beside them `idle`, `done` and `parked` (needs a person).
"""

from __future__ import annotations

from typing import Any, cast

from msgspec import Struct
from transitions import Event, EventData, Machine, Transition

from events.catalogue import OperatorActed, PhaseMoved
from statemachine import heals
from statemachine.commands import trigger_phase
from statemachine.definition import Cycle, Definition, Step
from statemachine.judgement import ask_or_evaluate, judge_gate
from statemachine.opening import opens_at
from statemachine.readiness import Standing, has_reported, waits_met
from statemachine.state import CycleState, is_quiet
from statemachine.turn import Turn

AUTOMATIC = ("open", "report", "ready", "retry", "proceed", "hold")
"""Triggers that fire as soon as their guard holds; the others are fired by a deadline or a person."""


class Row(Struct, frozen=True):
    """A transition: in `source`, on `trigger`, if `guard` holds, to `dest`."""

    source: str
    trigger: str
    dest: str
    guard: str | None = None


def states(cycle: Cycle) -> list[str]:
    """All states of the cycle's machine."""
    return ["idle", *(f"{p}_{kind}" for p in cycle.phases for kind in KINDS), "done", "parked"]


KINDS = ("waiting", "running", "gate", "blocked")


def table(cycle: Cycle) -> list[Row]:
    """The transition table of `cycle`, complete: what is not in it cannot happen."""
    rows = [Row("idle", "open", f"{cycle.phases[0]}_waiting", "is_open"), Row("idle", "park", "parked")]
    for step in cycle.steps:
        rows += _step_rows(cycle, step)
    return rows


def _step_rows(cycle: Cycle, step: Step) -> list[Row]:
    waiting, running, gate, blocked = (f"{step.phase}_{kind}" for kind in KINDS)
    following = cycle.after(step.phase)
    onward = "done" if following is None else f"{following.phase}_waiting"
    rows = [Row(waiting, "report", running, "has_reported")]
    if step.gate is None:
        rows.append(Row(running, "ready", onward, "is_ready"))
    else:
        rows += [
            Row(running, "ready", gate, "is_ready"),
            Row(gate, "retry", waiting, "may_retry"),
            Row(gate, "proceed", onward, "gate_passes"),
            Row(gate, "hold", blocked, "gate_holds"),
            Row(gate, "override", onward),
            Row(gate, "reopen", running),
            Row(blocked, "recheck", gate),
            Row(blocked, "override", onward),
            Row(blocked, "reopen", running),
        ]
    present = (waiting, running) if step.gate is None else (waiting, running, gate, blocked)
    rows += [Row(state, "park", "parked") for state in present]
    rows.append(Row("parked", "resume", running, "parked_there"))
    return rows


def has_place(cycle: Cycle, at: CycleState) -> bool:
    """False where the table has no way on from where the cycle stands, for the definition changed under it. Such a
    cycle is displaced to `parked` when the definition is adopted: the one move whose source no table can know."""
    if at.state == "parked":
        return at.phase in cycle.phases
    return at.state == "done" or any(row.source == at.state for row in table(cycle))


class Running(Struct, frozen=True):
    """The table of a cycle, made ready to run: the library's machine, and by state the automatic triggers with their
    guards, in the order they are tried."""

    machine: Machine
    automatic: dict[str, list[tuple[str, str]]]


_RUNNING: dict[str, dict[str, Running]] = {}


def _running(definition: Definition, cycle: Cycle) -> Running:
    running = _RUNNING.get(definition.version)
    if running is None:
        running = _RUNNING[definition.version] = {c.name: Running(_build(c), _automatic(c)) for c in definition.cycles}
    return running[cycle.name]


def machine_for(definition: Definition, cycle: Cycle) -> Machine:
    """The machine of `cycle`, built once per definition version."""
    return _running(definition, cycle).machine


def _automatic(cycle: Cycle) -> dict[str, list[tuple[str, str]]]:
    guards: dict[tuple[str, str], str] = {}
    for row in table(cycle):
        if row.trigger in AUTOMATIC:
            assert row.guard is not None, "what moves by itself asks whether it may"
            guards[row.source, row.trigger] = row.guard
    return {
        state: [
            (trigger, guards[state, trigger]) for trigger in triggers_from(cycle, state) if (state, trigger) in guards
        ]
        for state in states(cycle)
    }


class Move(Transition):
    """The library's transition, without the kinds of callbacks that no cycle has and a log line about each: two thirds
    of what a move costs beside its callbacks. Table, sources and guards are the library's."""

    def execute(self, event_data: EventData) -> bool:
        """Take the transition if its guard holds: record it, move the model, and enter the state."""
        machine, model = event_data.machine, cast(CycleModel, event_data.model)
        if not model.guard_holds and not self._eval_conditions(event_data):
            return False
        assert self.dest is not None, "every row of the table leads somewhere"
        model.record(event_data)
        model.state = self.dest
        for callback in cast("list[str]", machine.states[self.dest].on_enter):
            getattr(model, callback)(event_data)
        return True


class Trigger(Event):
    """The library's event, likewise without the callbacks and log lines beside its transitions. A trigger that the
    table does not have in a state is nothing there."""

    def trigger(self, model: object, *args: Any, **kwargs: Any) -> bool:
        """Take the first transition from the state of the model whose guard holds; False where there is none."""
        event_data = EventData(None, self, self.machine, model, args, kwargs)
        for move in self.transitions.get(cast(CycleModel, model).state, ()):
            event_data.transition = move
            if move.execute(event_data):
                return True
        return False


class CycleMachine(Machine):
    """A machine whose transitions are moves."""

    transition_cls = Move
    event_cls = Trigger


def _build(cycle: Cycle) -> Machine:
    machine = CycleMachine(
        model=None,
        states=[{"name": name, "on_enter": _ENTER.get(name.rpartition("_")[2])} for name in states(cycle)],
        initial=None,
        auto_transitions=False,
        send_event=True,
    )
    for row in table(cycle):
        machine.add_transition(row.trigger, row.source, row.dest, conditions=row.guard)
    return machine


_ENTER = {"waiting": "on_waiting", "gate": "on_gate", "blocked": "on_blocked"}


_NOT_OPENED = CycleState()


class CycleModel:
    """The model of one cycle during one turn: its guards read the turn's state, its callbacks emit to the turn. `step`
    is that of the present phase; `guard_holds` says that the guard of what is fired was asked just before."""

    def __init__(self, turn: Turn, cycle: Cycle) -> None:
        self.turn = turn
        self.cycle = cycle
        at = self.at
        self.state = at.state
        self.step: Step = cycle.step_of.get(at.phase or "") or cycle.steps[0]
        self.running = _running(turn.definition, cycle)
        self.reason = ""
        self.guard_holds = False

    @property
    def at(self) -> CycleState:
        """The recorded state of the cycle."""
        return self.turn.state.cycles.get(self.cycle.name, _NOT_OPENED)

    def fire(self, trigger: str, reason: str = "", *, guard_holds: bool = False) -> bool:
        """Take the transition for `trigger` if the table has one and its guard holds; never on a quiet date."""
        if is_quiet(self.turn.state):
            return False
        self.reason, self.guard_holds = reason, guard_holds
        event = self.running.machine.events.get(trigger)
        return event is not None and event.trigger(self)

    def settle(self) -> None:
        """Fire the automatic triggers until none moves. Bounded: each pass goes forward along the chain, and a retry is
        counted."""
        for _ in range(8 * len(self.cycle.steps) + 8):
            trigger = self._holding(self.running.automatic.get(self.state, []))
            if trigger is None or not self.fire(trigger, self.reason, guard_holds=True):
                return
        raise AssertionError(f"{self.turn.state.stream} {self.cycle.name}: the table has a loop at {self.state}")

    def _holding(self, automatic: list[tuple[str, str]]) -> str | None:
        """The first trigger whose guard holds: asked before the machine, which costs ten times as much. A guard that
        holds may say the reason."""
        self.reason = ""
        for trigger, guard in automatic:
            if getattr(self, guard)(None):
                return trigger
        return None

    # guards

    def is_open(self, _event: Any) -> bool:
        """The cycle's opening instant has come."""
        return self.turn.now >= opens_at(self.turn.state, self.turn.definition, self.cycle)

    def has_reported(self, _event: Any) -> bool:
        """Somebody of the phase has started, progressed or completed: at any time, or since the retry."""
        at = self.at
        if at.progress_at is not None and at.since is not None and at.progress_at > at.since:
            return True
        return at.counted_from is None and has_reported(
            self.turn.state, self.turn.definition, self.cycle.name, self.step
        )

    def is_ready(self, _event: Any) -> bool:
        """One of the step's waits is met."""
        holding = waits_met(self.step, self.turn.standing(self.cycle.name, self.step), self.at)
        if not holding or holding[0].at > self.turn.now:
            return False
        self.reason = holding[0].reason
        return True

    def may_retry(self, _event: Any) -> bool:
        """The gate found too little and the phase may be commanded again."""
        evaluation = self.turn.evaluations.get(self.cycle.name)
        if evaluation is None or evaluation.blocking_outcome != "block":
            return False
        return self.at.retries < self.turn.definition.gate_of[evaluation.gate].retries

    def parked_there(self, event: Any) -> bool:
        """The cycle was parked in the phase that the transition leads to."""
        return bool(event.transition.dest == f"{self.at.phase}_running")

    def gate_passes(self, _event: Any) -> bool:
        """The gate was evaluated and lets pass."""
        evaluation = self.turn.evaluations.get(self.cycle.name)
        return evaluation is not None and evaluation.outcome in ("pass", "warn", "skipped")

    def gate_holds(self, _event: Any) -> bool:
        """The gate was evaluated and holds."""
        evaluation = self.turn.evaluations.get(self.cycle.name)
        return evaluation is not None and evaluation.outcome in ("block", "error")

    # callbacks

    def record(self, event: Any) -> None:
        """Record the transition before the model moves."""
        source, dest, trigger = event.transition.source, event.transition.dest, event.event.name
        stands = self.turn.standing(self.cycle.name, self.step) if source != "idle" else None
        phase = dest.rpartition("_")[0] or self.step.phase
        missing = () if stands is None or phase != self.step.phase else stands.missing + stands.missing_optional
        self.turn.emit(
            PhaseMoved(
                cycle=self.cycle.name,
                source=source,
                trigger=trigger,
                dest=dest,
                phase=phase,
                reason=self.reason or self._why(trigger),
                missing=missing,
                degraded=self._degraded(trigger, stands, onward=phase != self.step.phase or dest == "done"),
            )
        )
        if phase != self.step.phase:
            self.step = self.cycle.step_of[phase]

    def on_waiting(self, event: Any) -> None:
        """A phase is due: command it, unless the chain begins here and the schedule starts it."""
        if event.event.name != "open":
            place = self.cycle.phases.index(self.step.phase)
            previous = self.cycle.steps[place - 1] if place else None
            trigger_phase(
                self.turn, self.cycle.name, self.step, previous, reason=self.reason or self._why(event.event.name)
            )

    def on_gate(self, event: Any) -> None:
        """The boundary is reached: evaluate it if its measures are fresh, else ask for them. Those of a phase that was
        looked at while it waited are of another time than its completions."""
        self.turn.evaluations.pop(self.cycle.name, None)
        said = self.turn.fact.data
        forced = isinstance(said, OperatorActed) and said.command == "recheck"
        forced = forced or (event.event.name == "ready" and self.at.looks > 0)
        ask_or_evaluate(self.turn, self.cycle, self.step, forced=forced)

    def on_measures(self) -> None:
        """The measures asked for have come: evaluate, whatever they leave out."""
        if not is_quiet(self.turn.state):
            judge_gate(self.turn, self.cycle, self.step)

    def on_blocked(self, _event: Any) -> None:
        """The gate holds: want what is missing repaired."""
        heals.missing_in(self.turn, self.cycle.name, self.step, f"{self.step.gate} blocked")

    def _why(self, trigger: str) -> str:
        evaluation = self.turn.evaluations.get(self.cycle.name)
        if trigger in ("proceed", "hold", "retry") and evaluation is not None:
            return f"{evaluation.gate} {evaluation.outcome}"
        return trigger

    def _degraded(self, trigger: str, stands: Standing | None, *, onward: bool) -> tuple[str, ...]:
        if not onward or stands is None:
            return ()
        reasons = [f"{self.step.phase} without {name}" for name in stands.missing]
        evaluation = self.turn.evaluations.get(self.cycle.name)
        if trigger == "proceed" and evaluation is not None and evaluation.outcome == "warn":
            reasons += [f"{evaluation.gate}: {c.check} {c.verdict}" for c in evaluation.checks if c.verdict != "pass"]
        if trigger == "override":
            reasons.append(f"{self.step.gate} overridden by {self.turn.fact.actor}")
        return tuple(reasons)


def triggers_from(cycle: Cycle, state: str) -> tuple[str, ...]:
    """The automatic triggers that the table has in `state`, in the order they are tried."""
    kind = state.rpartition("_")[2]
    return _TRIGGERS.get(kind, ())


_TRIGGERS = {"idle": ("open",), "waiting": ("report",), "running": ("ready",), "gate": AUTOMATIC[3:]}
"""The automatic triggers by kind of state."""


def settle_cycle(turn: Turn, cycle: Cycle) -> None:
    """Let the machine of `cycle` go as far as it can on the state of the turn."""
    CycleModel(turn, cycle).settle()
