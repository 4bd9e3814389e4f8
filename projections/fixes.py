"""What mends a cause: the command to type where the state allows one, and in words what helps where it does not."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from projections.options import command_line
from projections.present import held
from statemachine.definition import Cycle, Definition, Heal, in_force
from statemachine.heals import may_start, refusal
from statemachine.state import DateState


class Fix(Struct, frozen=True, kw_only=True):
    """`command` as it is typed, null where none is allowed now; `effect` says what it does, or what helps instead."""

    command: str | None
    effect: str


def heals_in_force(state: DateState, definition: Definition) -> list[Heal]:
    """The repairs that may be asked for on this date."""
    return [heal for heal in definition.heals if heal.mode != "off" and in_force(heal, state.game_date)]


def heal_for_phase(state: DateState, definition: Definition, phase: str) -> Heal | None:
    """The repair of a phase that misses processors."""
    return next((heal for heal in heals_in_force(state, definition) if heal.phase == phase), None)


def heal_for_check(state: DateState, definition: Definition, gate: str, check: str) -> Heal | None:
    """The repair that is tied to a check of a gate."""
    return next((h for h in heals_in_force(state, definition) if (h.gate, h.check) == (gate, check)), None)


def fix(state: DateState, definition: Definition, heal: Heal | None, phase: str, now: datetime) -> Fix:
    """Asks for the repair `heal` where it may be asked for. Where it may not, it says why not, and either how the gate
    that holds the phase is judged again after a repair by hand, or where the exact call is shown."""
    if heal is None:
        return Fix(command=None, effect=f"the definition has no repair of {phase}: its service has to be run by hand")
    refused = _refused(state, definition, heal, now)
    if refused is None:
        effect = f"asks for {heal.name} and lets the data judge it within {heal.verify_minutes} min"
        return Fix(command=command_line(state, "heal", heal.name), effect=effect)
    for cycle, gate in held(state, definition):
        if state.cycles[cycle].phase == phase:
            again = recheck(state, gate, cycle)
            return Fix(command=again.command, effect=f"{refused}; once it is mended by hand, this {again.effect}")
    shown = f"python main.py heal plan {state.game_date} --sport {state.sport}"
    return Fix(command=shown, effect=f"{refused}; this shows the exact call, to be made by hand")


def recheck(state: DateState, gate: str, cycle: str) -> Fix:
    """Judges a gate that holds a cycle again."""
    effect = f"measures again and judges {gate} ({cycle}) anew"
    return Fix(command=command_line(state, "recheck", gate), effect=effect)


def _refused(state: DateState, definition: Definition, heal: Heal, now: datetime) -> str | None:
    """Why a person may not ask for `heal` now, by the rules of the core (design 8.9); None where they may."""
    if not may_start(state, definition, heal, now):
        return f"{heal.name} waits until a game can be over"
    known = [item for name, item in state.heals.items() if name.partition("/")[0] == heal.name]
    refusals = [found for item in known if (found := refusal(heal, item, now, by_person=True)) is not None]
    return f"{heal.name} may not be asked for: {refusals[0].detail}" if refusals else None


def behind(state: DateState, definition: Definition, phase: str) -> tuple[str, ...]:
    """The phases that wait because a cycle is held in `phase`."""
    found: list[str] = []
    for cycle, _gate in held(state, definition):
        if state.cycles[cycle].phase == phase:
            found += after(definition.cycle_of[cycle], phase)
    return tuple(dict.fromkeys(found))


def after(cycle: Cycle, phase: str) -> tuple[str, ...]:
    """The phases of a cycle behind `phase`."""
    return cycle.phases[cycle.phases.index(phase) + 1 :]
