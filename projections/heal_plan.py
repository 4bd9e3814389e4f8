"""The heal plan of a date: what is missing or failed, in the order of the chain, and for each the exact repair.

It is a rehearsal of the core, not a second opinion: what may be asked for, of whom, by which command and why not now
are answered by the same functions that decide about it (`statemachine/heals.py`). Asking for a repair of the plan is
the operator's command `heal`; the core has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from msgspec import Struct

from events.catalogue import CommandRequested, Fact, OperatorActed
from events.values import Check, HealOutcome
from projections.day import phase_status
from projections.wording import listed
from statemachine import heals
from statemachine.deadlines import deadlines
from statemachine.definition import Cycle, Definition, Heal, in_force
from statemachine.state import CycleState, DateState, HealState, is_quiet, open_alerts, work_key
from statemachine.turn import Turn

Why = Literal[
    "cool_down", "cap", "permanent", "approval", "pending", "off", "games_not_played", "halted", "running", "upstream"
]
"""Why a repair is not asked for now. `running` and `upstream` only counsel patience; a person may ask all the same."""

PATIENCE: frozenset[Why] = frozenset({"running", "upstream", "approval"})
"""Reasons that do not stop a person who names the component."""

_PHASE_OF = {"precompute_incomplete": "precompute", "predictions_late": "predictions", "grading_late": "grading"}
OVERDUE = frozenset(_PHASE_OF)
"""Causes of open alerts that say that a phase should be done by now."""

NEVER: frozenset[Why] = frozenset({"cap", "permanent", "off"})
"""Reasons that no waiting ends."""


class Obstacle(Struct, frozen=True, kw_only=True):
    """A reason why a repair is not asked for now; `until` is when time ends it, None where time does not."""

    why: Why
    detail: str
    until: datetime | None = None


class Cost(Struct, frozen=True, kw_only=True):
    """What a repair costs, roughly, as the definition says: minutes its service is at work, rows it writes again, and
    on whose limit it draws. None is unknown."""

    minutes: int | None
    rows: int | None
    quota: str | None


class Repair(Struct, frozen=True, kw_only=True):
    """A repair. `place` is its place in the order; `command` is what would be sent, to the letter; `effect` what would
    show that it worked. `obstacles` is empty where it is ready; `attempts` of `cap` are used, and `last_outcome` is
    None where the last of them is not judged, or there was none."""

    place: int
    component: str
    phase: str
    targets: tuple[str, ...]
    cause: str
    call: str
    command: CommandRequested
    effect: str
    cost: Cost
    attempts: int
    cap: int
    last_outcome: HealOutcome | None
    obstacles: tuple[Obstacle, ...]

    @property
    def ready(self) -> bool:
        """True where nothing speaks against asking for it now."""
        return not self.obstacles

    @property
    def askable(self) -> bool:
        """True where a person may ask for it now, be it against advice."""
        return all(obstacle.why in PATIENCE for obstacle in self.obstacles)


class ByHand(Struct, frozen=True, kw_only=True):
    """What is missing and has no repair in the definition."""

    phase: str
    processors: tuple[str, ...]
    cause: str


class HealPlan(Struct, frozen=True, kw_only=True):
    """What to repair on a date, as of `at` and version `version`, the first things first."""

    sport: str
    game_date: str
    at: datetime
    version: int
    repairs: tuple[Repair, ...]
    by_hand: tuple[ByHand, ...]


def heal_plan(state: DateState, definition: Definition, *, now: datetime, actor: str = "plan") -> HealPlan:
    """The plan for a date at `now`. `actor` is who would ask; it stands in no command but as a reason."""
    turn = _rehearsal(state, definition, now, actor)
    order = {phase.name: place for place, phase in enumerate(definition.phases)}
    wanted = sorted(_wanted(turn), key=lambda want: order[want.phase])
    repairs: list[Repair] = []
    for want in wanted:
        before = sorted(
            {done.phase for done in repairs if order[done.phase] < order[want.phase]}, key=order.__getitem__
        )
        repairs += _repairs(turn, want, len(repairs), before)
    return HealPlan(
        sport=state.sport,
        game_date=state.game_date,
        at=turn.now,
        version=state.version,
        repairs=tuple(repairs),
        by_hand=tuple(_by_hand(turn)),
    )


def _rehearsal(state: DateState, definition: Definition, now: datetime, actor: str) -> Turn:
    """The turn in which a person would ask; nothing is emitted in it."""
    asked = OperatorActed(command="heal", reason="plan")
    fact = Fact(stream=state.stream, id="plan", occurred_at=now, correlation="plan", data=asked, actor=actor)
    return Turn(state, fact, now, definition)


# --- what is wanted -----------------------------------------------------------------------------------------------


class Wanted(Struct, frozen=True, kw_only=True):
    """A heal that there is reason for. `phase` is where its place in the order is."""

    heal: Heal
    phase: str
    cause: str
    patience: Obstacle | None = None


def _wanted(turn: Turn) -> Iterator[Wanted]:
    for heal in turn.definition.heals:
        if not in_force(heal, turn.state.game_date):
            continue
        found = _for_check(turn, heal) if heal.phase is None else _for_phase(turn, heal, heal.phase)
        if found is not None:
            yield found


def _for_check(turn: Turn, heal: Heal) -> Wanted | None:
    """Wanted where the last evaluation of its gate, in whatever cycle, did not pass its check."""
    records = [record for key, record in turn.state.gates.items() if key.partition("@")[0] == heal.gate]
    last = max(records, key=lambda record: record.at, default=None)
    check = next((check for check in last.evaluation.checks if check.check == heal.check), None) if last else None
    if check is None or check.verdict not in ("block", "warn"):
        return None
    return Wanted(heal=heal, phase=_phase_before(turn.definition, heal.gate), cause=_of_check(heal, check))


def _of_check(heal: Heal, check: Check) -> str:
    return f"{heal.gate}: {check.check} {check.verdict}s, {check.basis}"


def _phase_before(definition: Definition, gate: str | None) -> str:
    steps = (step for cycle in definition.cycles for step in cycle.steps)
    return next((step.phase for step in steps if step.gate == gate), definition.phases[0].name)


def _for_phase(turn: Turn, heal: Heal, phase: str) -> Wanted | None:
    """Wanted where the latest open cycle misses somebody of a phase that it has come to, or should have."""
    present = _present(turn, phase)
    if present is None:
        return None
    cycle, missing = present
    return Wanted(
        heal=heal,
        phase=phase,
        cause=_of_missing(turn, cycle, phase, missing),
        patience=_held(turn, cycle, phase) or _running(turn, cycle, phase),
    )


def _present(turn: Turn, phase: str) -> tuple[Cycle, tuple[str, ...]] | None:
    """The latest open cycle with `phase`, and whom it misses: where its machine has come to the phase, or is held
    before it although the phase, or one behind it, is overdue."""
    cycle = heals.latest_cycle(turn.state, turn.definition, phase)
    at = turn.state.cycles.get(cycle.name) if cycle is not None else None
    if cycle is None or at is None or at.state == "idle":
        return None
    step = cycle.step_of[phase]
    stands = turn.standing(cycle.name, step)
    ahead = phase_status(cycle, step, at, stands) in ("not_due", "ran_ahead")
    overdue = OVERDUE & {alert.cause for alert in open_alerts(turn.state)}
    behind = cycle.phases[cycle.phases.index(phase) :]
    if not stands.missing or (ahead and not any(_PHASE_OF[cause] in behind for cause in overdue)):
        return None
    return cycle, stands.missing


def _of_missing(turn: Turn, cycle: Cycle, phase: str, missing: tuple[str, ...]) -> str:
    said = []
    for name in missing:
        work = turn.state.work.get(work_key(cycle.name, phase, name))
        if work is None:
            said.append(f"{name} never reported")
        else:
            said.append(f"{name} {work.status}" + (f" ({work.error})" if work.error else ""))
    return f"{phase} ({cycle.name}): {listed(said)}"


def _held(turn: Turn, cycle: Cycle, phase: str) -> Obstacle | None:
    """That the cycle stands before the phase: it comes to it by itself when what holds it is mended."""
    at = turn.state.cycles.get(cycle.name) or CycleState()
    if at.phase not in cycle.phases or cycle.phases.index(at.phase) >= cycle.phases.index(phase):
        return None
    return Obstacle(why="upstream", detail=f"{cycle.name} is {at.state}; it comes to {phase} by itself after that")


def _running(turn: Turn, cycle: Cycle, phase: str) -> Obstacle | None:
    """That the phase is at work and not stalled: whoever is missing may be about to report."""
    prefix = f"stall:{cycle.name}:{phase}:"
    ahead = [at for at, name in deadlines(turn.state, turn.definition) if name.startswith(prefix) and at > turn.now]
    if not ahead:
        return None
    return Obstacle(why="running", detail=f"{phase} is at work; without progress it counts as stalled", until=ahead[0])


# --- what may be asked for ----------------------------------------------------------------------------------------


def _repairs(turn: Turn, want: Wanted, placed: int, before: list[str]) -> Iterator[Repair]:
    heal = want.heal
    for place, (component, targets) in enumerate(heals.components(heal, heals.targets_of(turn, heal)), placed + 1):
        known = turn.state.heals.get(component) or HealState()
        request = heals.Request(heal, component, targets, f"{turn.fact.actor}: {want.cause}", "", known.attempt + 1)
        command = heals.command_for(turn, request)
        yield Repair(
            place=place,
            component=component,
            phase=want.phase,
            targets=targets,
            cause=want.cause,
            call=_call(command),
            command=command,
            effect=_effect(heal, targets),
            cost=Cost(minutes=heal.cost_minutes, rows=heal.cost_rows, quota=heal.cost_quota),
            attempts=known.attempt,
            cap=heal.cap,
            last_outcome=known.outcome,
            obstacles=tuple(_obstacles(turn, want, known, before)),
        )


def _obstacles(turn: Turn, want: Wanted, known: HealState, before: list[str]) -> Iterator[Obstacle]:
    heal, state = want.heal, turn.state
    if is_quiet(state):
        yield Obstacle(why="halted", detail="the date is halted, or has no games")
    if heal.mode == "off":
        yield Obstacle(why="off", detail="the definition has it switched off")
    if not heals.may_start(state, turn.definition, heal, turn.now):
        until = heals.played_at(state, turn.definition)
        yield Obstacle(why="games_not_played", detail="no game of the date has been played", until=until)
    refused = heals.refusal(heal, known, turn.now, by_person=False)
    if refused is not None:
        yield Obstacle(why=refused.why, detail=refused.detail, until=refused.until)
    if before:
        yield Obstacle(why="upstream", detail=f"{listed(before)} first: what it reads is repaired there")
    if want.patience is not None:
        yield want.patience


def _call(command: CommandRequested) -> str:
    """Where the command goes, in words: `POST phase4 /process-date`, `publish to nba-grading-trigger`."""
    if not command.topic.startswith("http:"):
        return f"publish to {command.topic}"
    service, _, path = command.topic.removeprefix("http:").partition("/")
    return f"POST {service} /{path}"


def _effect(heal: Heal, targets: tuple[str, ...]) -> str:
    again = f"{listed(targets)} {'completes' if len(targets) == 1 else 'complete'} again"
    shown = f"{heal.check} of {heal.gate} passes" if heal.phase is None else again
    return f"healed when {shown}; judged by the data after {heal.verify_minutes} min"


def _by_hand(turn: Turn) -> Iterator[ByHand]:
    """What is missing in phases that no heal in force repairs."""
    repaired = {heal.phase for heal in turn.definition.heals if in_force(heal, turn.state.game_date)}
    for phase in turn.definition.phases:
        present = _present(turn, phase.name) if phase.name not in repaired else None
        if present is not None:
            cycle, missing = present
            cause = _of_missing(turn, cycle, phase.name, missing)
            yield ByHand(phase=phase.name, processors=missing, cause=cause)
