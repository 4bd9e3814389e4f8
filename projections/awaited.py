"""What a date waits for next, and the instant at which its absence becomes a fact.

A deadline alone says when somebody will notice; an operator also wants to know what should have happened by then, and
who owes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from projections.present import present_cycle
from statemachine.coming import Deadline
from statemachine.definition import Cycle, Definition
from statemachine.readiness import standing
from statemachine.state import CycleState, DateState, is_quiet


class Awaited(Struct, frozen=True, kw_only=True):
    """The next expected event of a date: `what`, owed by `who` (processors; empty where it is not theirs), and the
    deadline `name` that comes at `by` if it does not. `by` and `name` are null where nobody watches for it: a date that
    was given up waits for a person without an end."""

    what: str
    who: tuple[str, ...]
    name: str | None
    by: datetime | None


def awaited(state: DateState, definition: Definition, ahead: Sequence[Deadline]) -> Awaited | None:
    """What the date waits for; None where nothing is owed. `ahead` are its deadlines, the earliest first."""
    if is_quiet(state):
        return None
    name = present_cycle(state, definition)
    if name is not None and state.cycles[name].state != "done":
        return _of_cycle(state, definition, definition.cycle_of[name], ahead)
    for cycle in definition.cycles:
        if cycle.name not in state.cycles:
            first = _first(ahead, (f"open:{cycle.name}",))
            return _made(f"{cycle.name} opens with {cycle.phases[0]}", (), first)
    return None


def _of_cycle(state: DateState, definition: Definition, cycle: Cycle, ahead: Sequence[Deadline]) -> Awaited:
    at = state.cycles[cycle.name]
    if at.phase is None or at.state == "parked":
        return Awaited(what=f"a person: {cycle.name} was given up in {at.phase}", who=(), name=None, by=None)
    kind = at.state.rpartition("_")[2]
    missing = standing(state, definition, cycle.name, cycle.step_of[at.phase]).missing
    mine = tuple(f"{deadline}:{cycle.name}" for deadline in _DEADLINES[kind])
    who = missing if kind in ("waiting", "running") else ()
    return _made(_words(cycle, at, kind), who, _first(ahead, mine))


def _words(cycle: Cycle, at: CycleState, kind: str) -> str:
    assert at.phase is not None, "asked of a cycle that is in some phase"
    gate = cycle.step_of[at.phase].gate or at.phase
    return {
        "waiting": f"the first report of {at.phase} ({cycle.name})",
        "running": f"the rest of {at.phase} ({cycle.name})",
        "gate": f"the measures of {gate} ({cycle.name})",
        "blocked": f"{gate} ({cycle.name}) to pass",
    }[kind]


_DEADLINES = {
    "waiting": ("handoff", "stall", "ready", "park"),
    "running": ("ready", "stall", "park"),
    "gate": ("measure", "park"),
    "blocked": ("recheck", "park"),
}
"""Kinds of deadlines that are about what a cycle waits for, by the kind of its state."""


def _first(ahead: Sequence[Deadline], prefixes: tuple[str, ...]) -> Deadline | None:
    """The earliest deadline whose name is, or begins with, one of `prefixes`."""
    return next(((at, name) for at, name in ahead if any(f"{name}:".startswith(f"{p}:") for p in prefixes)), None)


def _made(what: str, who: tuple[str, ...], deadline: Deadline | None) -> Awaited:
    at, name = deadline or (None, None)
    return Awaited(what=what, who=who, name=name, by=at)
