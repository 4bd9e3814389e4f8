"""The course of a date's cycles: how each came to where it stands, and what was lost on the way."""

from __future__ import annotations

from events.catalogue import PhaseMoved
from projections.present import present_cycle
from projections.reasons import Because, Ground, of_event
from projections.trail import Found
from statemachine.definition import Cycle


def entered(ground: Ground, cycle: Cycle) -> list[Because]:
    """The transition that brought the cycle where it is, and the input behind it."""
    found = ground.trail.move(cycle.name)
    if found is None:
        return []
    data = found.data
    text = f"{cycle.name} went from {data.source} to {data.dest} by {data.trigger}"
    return [of_event(found.event, text + (f" ({data.reason})" if data.reason != data.trigger else ""))]


def degraded(ground: Ground) -> list[Because]:
    """Every reason why what the cycles made is less than complete, with the transition that brought it."""
    links = []
    for name, at in ground.trail.state.cycles.items():
        for reason in at.degraded:
            found = _firstdegraded(ground, name, reason)
            text = f"{name} is degraded: {reason}"
            links.append(of_event(found.event, text) if found is not None else Because(text=text))
    return links


def _firstdegraded(ground: Ground, cycle: str, reason: str) -> Found[PhaseMoved] | None:
    return ground.trail.last(PhaseMoved, lambda data: data.cycle == cycle and reason in data.degraded)


def others(ground: Ground) -> list[Because]:
    """Cycles beside the present one that are held or given up: their work is not done either."""
    state = ground.trail.state
    if state.halted:
        return []
    present = present_cycle(state, ground.definition)
    links = []
    for name, at in state.cycles.items():
        if name != present and (at.state == "parked" or at.state.endswith("_blocked")):
            word = "parked" if at.state == "parked" else "blocked"
            since = f" since {ground.when(at.since)}" if at.since is not None else ""
            found = ground.trail.move(name)
            text = f"beside it {name} is {word} in {at.phase}{since}"
            links.append(of_event(found.event, text) if found is not None else Because(text=text))
    return links
