"""Why a date is in the state it is in: the shortest chain of events and numbers that forced it, in plain sentences.

The chain is found backwards: the last transition of the present cycle, the evaluation behind it, the measures behind
that, the completions that made the phase ready. Nothing is guessed; what is not in the events is not said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from events.catalogue import Event, OperatorActed, StatusChanged
from projections.ahead import deadline_words
from projections.course import degraded, entered, others
from projections.day import by_urgency
from projections.options import Option, options
from projections.present import present_cycle
from projections.reasons import (
    Because,
    Ground,
    asked,
    commands,
    evaluation,
    expectation,
    of_event,
    readiness,
    standings,
)
from projections.trail import Trail
from projections.wording import counted, listed
from statemachine.deadlines import deadlines
from statemachine.decide import status_of
from statemachine.definition import Cycle, Definition
from statemachine.opening import opens_at
from statemachine.state import Alert, CycleState, open_alerts

AHEAD_MAX = 5
"""Deadlines named; the rest is in `day show` as it comes."""


class Explanation(Struct, frozen=True, kw_only=True):
    """Why. `headline` says the state and since when; `because` the chain, the nearest cause first; `alerts`, `heals`
    and `ahead` what was told, repaired, and comes next; `options` what a person can do now."""

    sport: str
    game_date: str
    status: str
    version: int
    since: datetime | None
    headline: str
    because: tuple[Because, ...]
    alerts: tuple[str, ...]
    heals: tuple[str, ...]
    ahead: tuple[str, ...]
    options: tuple[Option, ...]

    @property
    def text(self) -> str:
        """The whole as lines of plain text."""
        lines = [self.headline]
        options = [f"{option.command}  # {option.effect}" for option in self.options]
        for label, found in (
            ("because", [link.text + (f" (event {link.version})" if link.version else "") for link in self.because]),
            ("alert", self.alerts),
            ("heal", self.heals),
            ("next", self.ahead),
            ("you can", options),
        ):
            lines += [f"{label if place == 0 else '':>9} {line}" for place, line in enumerate(found)]
        return "\n".join(lines)


class Story(Struct, frozen=True, kw_only=True):
    """What is particular to a status: what the date is, since when, and why."""

    what: str
    since: datetime | None
    because: list[Because]


def explain(events: Sequence[Event], definition: Definition) -> Explanation:
    """Why the date whose events these are (all of them, in order) is in its present state. Raises ValueError where
    there are none."""
    ground = Ground(trail=Trail(events), definition=definition)
    state = ground.trail.state
    status, _reason = status_of(state, definition)
    story = _STORY[status](ground)
    since = f" since {ground.when(story.since)}" if story.since is not None else ""
    return Explanation(
        sport=state.sport,
        game_date=state.game_date,
        status=status,
        version=state.version,
        since=story.since,
        headline=f"{state.stream} {story.what}{since}.",
        because=(*story.because, *others(ground)),
        alerts=tuple(_alert(ground, alert) for alert in by_urgency(open_alerts(state))),
        heals=tuple(_heals(ground)),
        ahead=tuple(
            f"{ground.when(at)}: {deadline_words(name)}" for at, name in deadlines(state, definition)[:AHEAD_MAX]
        ),
        options=options(state, definition),
    )


# --- by status ----------------------------------------------------------------------------------------------------


def _present(ground: Ground) -> tuple[Cycle, CycleState]:
    name = present_cycle(ground.trail.state, ground.definition)
    assert name is not None, "a date whose status follows from a cycle has one that opened"
    return ground.definition.cycle_of[name], ground.trail.state.cycles[name]


def _scheduled(ground: Ground) -> Story:
    state, definition = ground.trail.state, ground.definition
    links = expectation(ground)
    for cycle in definition.cycles:
        at = ground.when(opens_at(state, definition, cycle))
        links.append(Because(text=f"{cycle.name} opens {at} with {cycle.phases[0]}"))
    return Story(what="is scheduled: no cycle has opened", since=None, because=links)


def _active(ground: Ground) -> Story:
    cycle, at = _present(ground)
    if at.state == "done":
        ahead = [c.name for c in ground.definition.cycles if c.name not in ground.trail.state.cycles]
        later = f"; {listed(ahead)} has yet to open" if ahead else ""
        return Story(what=f"is active: {cycle.name} is done{later}", since=at.since, because=entered(ground, cycle))
    assert at.phase is not None, "a cycle that opened is in some phase"
    kind = at.state.rpartition("_")[2]
    what = f"is active: {at.phase} ({cycle.name}) {_DOING[kind]}"
    if kind == "gate":
        gate = cycle.step_of[at.phase].gate or at.phase
        held = ground.trail.held_since(cycle.name) is not None
        known = _judged(ground, cycle, at.phase, gate) if held else readiness(ground, cycle, at.phase)
        links = asked(ground, gate) + known
    else:
        links = entered(ground, cycle) + commands(ground, cycle, at.phase) + standings(ground, cycle, at.phase)
    return Story(what=what, since=at.since, because=links)


_DOING = {
    "waiting": "is due and nobody has reported",
    "running": "is running",
    "gate": "is ready and its boundary is being measured",
}


def _blocked(ground: Ground) -> Story:
    cycle, at = _present(ground)
    assert at.phase is not None, "a blocked cycle is blocked in some phase"
    gate = cycle.step_of[at.phase].gate or at.phase
    since = ground.trail.held_since(cycle.name)
    links = _judged(ground, cycle, at.phase, gate)
    if since is not None and at.rechecks:
        last = ground.when(at.since) if at.since is not None else "unknown"
        links.append(of_event(since.event, f"looked at again {counted(at.rechecks, 'time')} since, last {last}"))
    held_at = since.event.recorded_at if since is not None else at.since
    return Story(what=f"is blocked at {gate} ({cycle.name})", since=held_at, because=links)


def _judged(ground: Ground, cycle: Cycle, phase: str, gate: str) -> list[Because]:
    found = ground.trail.evaluation(gate, cycle.name)
    links = [] if found is None else evaluation(ground, found)
    return links + readiness(ground, cycle, phase)


def _parked(ground: Ground) -> Story:
    cycle, at = _present(ground)
    phase = at.phase or cycle.phases[0]
    links = entered(ground, cycle)
    moved = ground.trail.move(cycle.name)
    gate = cycle.step_of[phase].gate
    if moved is not None and gate is not None and moved.data.source in (f"{phase}_gate", f"{phase}_blocked"):
        links += _judged(ground, cycle, phase, gate)
    else:
        links += commands(ground, cycle, phase) + standings(ground, cycle, phase)
    return Story(what=f"is parked in {phase} ({cycle.name}): it needs a person", since=at.since, because=links)


def _halted(ground: Ground) -> Story:
    found = ground.trail.last(OperatorActed, lambda data: data.command == "halt")
    links = [of_event(found.event, f"{found.event.actor} halted it: {found.data.reason}")] if found is not None else []
    opened = [f"{name} stood at {at.state}" for name, at in ground.trail.state.cycles.items()]
    links += [Because(text=listed(opened) if opened else "no cycle had opened")]
    return Story(what="is halted", since=found.event.recorded_at if found is not None else None, because=links)


def _no_games(ground: Ground) -> Story:
    changed = ground.trail.last(StatusChanged, lambda data: data.dest == "no_games")
    since = changed.event.recorded_at if changed is not None else None
    return Story(
        what="has no games: nothing is expected and nothing is missing", since=since, because=expectation(ground)
    )


def _complete(ground: Ground) -> Story:
    cycle, at = _present(ground)
    lacking = degraded(ground)
    what = "is complete, less than all of it" if lacking else "is complete"
    return Story(what=what, since=at.since, because=entered(ground, cycle) + lacking)


_STORY: dict[str, Callable[[Ground], Story]] = {
    "scheduled": _scheduled,
    "active": _active,
    "blocked": _blocked,
    "parked": _parked,
    "halted": _halted,
    "no_games": _no_games,
    "complete": _complete,
}


def _alert(ground: Ground, alert: Alert) -> str:
    about = "" if alert.subject == "-" else f" ({alert.subject})"
    text = f"{alert.cause}{about} {alert.severity}, raised {ground.when(alert.raised_at)}"
    if alert.delivered_at is not None:
        text += f", delivered {ground.when(alert.delivered_at)}"
    else:
        text += ", for the daily digest" if alert.severity == "info" else ", not delivered"
    if alert.acknowledged_at is not None:
        text += f", acknowledged {ground.when(alert.acknowledged_at)} by {alert.acknowledged_by}"
    return f"{text}: {alert.detail}"


def _heals(ground: Ground) -> list[str]:
    caps = {heal.name: heal.cap for heal in ground.definition.heals}
    lines = []
    for component, heal in sorted(ground.trail.state.heals.items()):
        text = component
        if heal.requested_at is not None:
            cap = caps.get(component.partition("/")[0])
            text += f" attempt {heal.attempt} of {cap if cap is not None else 'unknown'}"
            text += f" requested {ground.when(heal.requested_at)}"
            text += f" for {listed(heal.targets)}" if heal.targets else ""
            text += f": {heal.outcome or 'not judged yet'}"
        lines.append(text + (f"; not asked for again: {heal.suppressed}" if heal.suppressed is not None else ""))
    return lines
