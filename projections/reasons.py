"""Links of an explanation: each finds, backwards from a point of the trail, the events and numbers that forced it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from events.catalogue import (
    CommandPublished,
    CommandRequested,
    CompletionRecorded,
    Event,
    GateEvaluated,
    MeasuresObserved,
    OperatorActed,
    PhaseMoved,
    SchedulePublished,
)
from events.records import RECONCILED, CompletionReopened, DisagreementNoted
from events.values import Check
from projections.sentences import check_words, measure_words, sentence
from projections.trail import Found, Trail
from projections.wording import counted, instant, listed
from statemachine.definition import Cycle, Definition
from statemachine.gates import MESSAGE_MEASURES
from statemachine.on_date import on_date
from statemachine.readiness import standing
from statemachine.state import OFF_DATE, Work, expected_count

NOT_IN_ORDER = ("block", "error", "warn")


class Because(Struct, frozen=True, kw_only=True):
    """A link of the chain: the event at `version`, recorded at `at`, and what it says; both None for what follows from
    the absence of events."""

    text: str
    version: int | None = None
    at: datetime | None = None


class Ground(Struct, frozen=True, kw_only=True):
    """What the links stand on."""

    trail: Trail
    definition: Definition

    def when(self, at: datetime) -> str:
        """An instant in UTC and league time."""
        return instant(at, self.definition.timezone)


def of_event(event: Event, text: str) -> Because:
    """A link to `event`."""
    return Because(text=text, version=event.version, at=event.recorded_at)


def evaluation(ground: Ground, found: Found[GateEvaluated]) -> list[Because]:
    """What a gate saw: each check that was not in order, then where its numbers come from."""
    data = found.data
    bad = [check for check in data.checks if check.verdict in NOT_IN_ORDER]
    links = [of_event(found.event, f"{data.gate} {check.verdict}s: {check_words(check)}") for check in bad]
    if not bad:
        said = f"{data.gate} {data.outcome}: all {counted(len(data.checks), 'check')} in order"
        links = [of_event(found.event, said if data.mode != "disabled" else f"{data.gate} is disabled")]
    return links + _sources(ground, found, bad)


def _sources(ground: Ground, found: Found[GateEvaluated], bad: list[Check]) -> list[Because]:
    names = _measures_of(ground, found.data, [check.check for check in bad])
    before = found.event.version
    said: dict[int, tuple[Found[MeasuresObserved], list[str]]] = {}
    links: list[Because] = []
    for name in names:
        measured = _measured(ground, found.data.gate, name, before=before)
        if name == "games_expected":
            links += expectation(ground, before=before)
        elif measured is not None:
            said.setdefault(measured.event.version, (measured, []))[1].append(name)
        else:
            links += _carried(ground, found, name)
    for measured, seen in said.values():
        words = listed(measure_words(name, measured.data.measures[name]) for name in seen)
        by = f" by {measured.data.source}" if measured.data.source else ""
        links.append(of_event(measured.event, f"measured {ground.when(measured.event.recorded_at)}{by}: {words}"))
    if any("not measured" in (check.error or "") for check in bad):
        links += asked(ground, found.data.gate, before=before)
    return links


def _measured(ground: Ground, boundary: str, name: str, *, before: int) -> Found[MeasuresObserved] | None:
    return ground.trail.last(
        MeasuresObserved, lambda data: data.boundary == boundary and name in data.measures, before=before
    )


def _measures_of(ground: Ground, data: GateEvaluated, checks: list[str]) -> list[str]:
    gate = ground.definition.gate_of.get(data.gate)
    cycle = ground.definition.cycle_of.get(data.cycle)
    names: dict[str, None] = {}
    for spec in gate.checks if gate is not None else ():
        if spec.name not in checks:
            continue
        names |= dict.fromkeys(name for name in (spec.measure, spec.of) if name is not None)
        step = next((item for item in cycle.steps if item.gate == data.gate), None) if cycle is not None else None
        if spec.kind.startswith("tables") and step is not None:
            game_date = ground.trail.state.game_date
            names |= dict.fromkeys(on_date(ground.definition, data.cycle, step, game_date).tables.values())
    return list(names)


def _carried(ground: Ground, found: Found[GateEvaluated], name: str) -> list[Because]:
    """The completion that carried a number itself, or nothing."""
    sources = MESSAGE_MEASURES.get(name, ())
    said = ground.trail.last(
        CompletionRecorded,
        lambda data: data.cycle == found.data.cycle and any(source in data.extra for source in sources),
        before=found.event.version,
    )
    if said is None:
        return []
    numbers = listed(f"{source} {said.data.extra[source]}" for source in sources if source in said.data.extra)
    text = f"{said.data.processor or said.data.published_name} said {numbers} {ground.when(said.event.recorded_at)}"
    return [of_event(said.event, text)]


def expectation(ground: Ground, *, before: int | None = None) -> list[Because]:
    """How many games are expected, and who said so: the last publication or waiver that counts."""
    state = ground.trail.state if before is None else ground.trail.state_at(before)
    count = expected_count(state)
    if count is None:
        return [Because(text="no schedule is known, so nobody can say how many games are expected")]
    published = ground.trail.last(SchedulePublished, lambda data: data.disregarded is None, before=before)
    off = [f"{game.game_id} {game.status}" for game in state.games.values() if game.status in OFF_DATE]
    text = f"{counted(count, 'game')} expected by the schedule"
    links = []
    if published is not None:
        text += f" of {ground.when(published.event.recorded_at)}" + (f", with {listed(off)}" if off else "")
        links.append(of_event(published.event, text))
    for waived in ground.trail.back(OperatorActed, before=before):
        if waived.data.command == "waive":
            text = f"{waived.event.actor} waived {waived.data.target}: {waived.data.reason}"
            links.append(of_event(waived.event, text))
    return links


def asked(ground: Ground, boundary: str, *, before: int | None = None) -> list[Because]:
    """When the boundary was asked to be measured, and whether anybody took the question."""
    found = ground.trail.last(
        CommandRequested,
        lambda data: data.kind == "measure" and data.payload.get("boundary") == boundary,
        before=before,
    )
    if found is None:
        return [Because(text=f"nobody was asked to measure {boundary}")]
    text = f"{boundary} was to be measured since {ground.when(found.event.recorded_at)}"
    return [of_event(found.event, text + _sent(ground, found))]


def _sent(ground: Ground, found: Found[CommandRequested]) -> str:
    taken = ground.trail.last(CommandPublished, lambda data: data.command_id == found.data.command_id)
    if taken is None:
        return "; the request has not left the house"
    return f"; the request was taken {ground.when(taken.event.recorded_at)}"


def readiness(ground: Ground, cycle: Cycle, phase: str, *, before: int | None = None) -> list[Because]:
    """Why a phase went to its gate: the completion that made it ready, or the wait that ended, and who was missing."""
    found = ground.trail.last(
        PhaseMoved,
        lambda data: data.cycle == cycle.name and data.trigger == "ready" and data.source == f"{phase}_running",
        before=before,
    )
    if found is None:
        return []
    state = ground.trail.state_at(found.event.version)
    stands = standing(state, ground.definition, cycle.name, cycle.step_of[phase])
    cause = ground.trail.completion(found.event)
    if isinstance(cause.data, CompletionRecorded):
        name = cause.data.processor or cause.data.published_name
        place = "the last" if not stands.missing else f"number {len(stands.completed)}"
        text = f"the gate ran because {name} was {place} of {stands.expected} required to complete"
    else:
        text = f"the gate ran with {len(stands.completed)} of {stands.expected} complete, for the wait was over"
    links = [of_event(cause, f"{text} ({found.data.reason}), {ground.when(found.event.recorded_at)}")]
    if stands.missing or stands.missing_optional:
        optional = [f"{name} (optional)" for name in stands.missing_optional]
        now = standing(ground.trail.state, ground.definition, cycle.name, cycle.step_of[phase])
        since = [name for name in (*stands.missing, *stands.missing_optional) if name in now.done]
        text = f"missing: {listed([*stands.missing, *optional])}"
        links.append(of_event(found.event, text + (f"; come since: {listed(since)}" if since else "")))
    return links


def standings(ground: Ground, cycle: Cycle, phase: str) -> list[Because]:
    """Who of a phase has reported and who has not, now; and where their tables say otherwise."""
    stands = standing(ground.trail.state, ground.definition, cycle.name, cycle.step_of[phase])
    text = f"{len(stands.completed)} of {stands.expected} complete"
    text += f": {listed(stands.completed)}" if stands.completed else ""
    text += f"; missing: {listed(stands.missing)}" if stands.missing else ""
    text += f"; optional and not there: {listed(stands.missing_optional)}" if stands.missing_optional else ""
    links = [Because(text=text + (f"; failed: {listed(stands.failed)}" if stands.failed else ""))]
    return links + _by_their_rows(ground, cycle, phase, stands.done)


def _by_their_rows(ground: Ground, cycle: Cycle, phase: str, done: Mapping[str, Work]) -> list[Because]:
    """What the tables of a phase have shown beside what its processors said: the last of it for each of them."""
    links: dict[str, Because] = {}
    for event in reversed(ground.trail.events):
        data = event.data
        if not isinstance(data, CompletionRecorded | CompletionReopened | DisagreementNoted):
            continue
        name = data.processor
        if (data.cycle, data.phase) != (cycle.name, phase) or name is None or name in links:
            continue
        made = isinstance(data, CompletionRecorded) and data.wire_format == RECONCILED
        stands = (made and name in done) or (isinstance(data, CompletionReopened) and name not in done)
        noted = isinstance(data, DisagreementNoted) and name in ground.trail.state.disagreements
        links[name] = of_event(event, sentence(data) if stands or noted else "")
    return [link for link in reversed(links.values()) if link.text]


def commands(ground: Ground, cycle: Cycle, phase: str) -> list[Because]:
    """Who was asked to do the phase, when, and how many of the commands left the house."""
    found = ground.trail.last(
        CommandRequested, lambda data: data.kind == "trigger" and data.cycle == cycle.name and data.phase == phase
    )
    if found is None:
        return [Because(text=f"nobody is commanded to do {phase}: its own schedule starts it")]
    wanted = ground.trail.state.cycles[cycle.name].commands
    taken = {said.data.command_id for said in ground.trail.back(CommandPublished)}
    again = f", attempt {found.data.attempt}" if found.data.attempt > 1 else ""
    text = f"{phase} was commanded on {found.data.topic}{again} {ground.when(found.event.recorded_at)}"
    confirmed = sum(command in taken for command in wanted)
    return [of_event(found.event, f"{text}; {confirmed} of {counted(len(wanted), 'command')} confirmed as published")]
