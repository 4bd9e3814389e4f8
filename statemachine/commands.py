"""Commands: payloads from the definition's templates, with ids that depend on what is commanded and nothing else.

The same phase of the same cycle is commanded under the same id however often it is decided, by whatever message
(design 8.3); consumers see it as the `command_id` attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.catalogue import CommandRequested
from events.codec import derive_id
from statemachine.calendar import iso, next_date
from statemachine.definition import Step
from statemachine.turn import Turn
from statemachine.work import PROBE


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """`template` with its placeholders replaced, for which `values` are named as they stand in it, in braces; a text
    that is one placeholder takes the value with its type."""
    if isinstance(template, str):
        if "{" not in template:
            return template
        return values[template] if template in values else _filled(template, values)
    if isinstance(template, dict):
        return {key: fill(item, values) for key, item in template.items()}
    return [fill(item, values) for item in template] if isinstance(template, list | tuple) else template


def _filled(text: str, values: Mapping[str, Any]) -> str:
    for placeholder, value in values.items():
        if placeholder in text:
            text = text.replace(placeholder, str(value))
    return text


def common_values(turn: Turn, *, cycle: str, reason: str) -> dict[str, Any]:
    """What every template can say."""
    state = turn.state
    return {
        "{sport}": state.sport,
        "{game_date}": state.game_date,
        "{next_date}": next_date(state.game_date),
        "{correlation}": state.correlation or turn.fact.correlation,
        "{now}": iso(turn.now),
        "{event}": turn.fact.id,
        "{cycle}": cycle,
        "{reason}": reason,
    }


def previous_values(turn: Turn, cycle: str, previous: Step | None) -> dict[str, Any]:
    """What a template can say of the phase before the one it starts."""
    if previous is None:
        names = ("{expected}", "{completed}", "{missing}", "{missing_tables}")
        return {**{name: [] for name in names}, "{completed_count}": 0, "{missing_count}": 0}
    stands = turn.standing(cycle, previous)
    tables = [turn.definition.processor_of[name].table for name in stands.missing]
    return {
        "{expected}": [*stands.completed, *stands.missing],
        "{completed}": list(stands.completed),
        "{completed_count}": len(stands.completed),
        "{missing}": list(stands.missing),
        "{missing_count}": len(stands.missing),
        "{missing_tables}": [table for table in tables if table is not None],
    }


def trigger_phase(turn: Turn, cycle: str, step: Step, previous: Step | None, *, reason: str, attempt: int = 1) -> None:
    """Command `step`'s phase: one command a spec, or one for each processor of the phase before."""
    retries = turn.state.cycles[cycle].retries
    values = common_values(turn, cycle=cycle, reason=reason) | previous_values(turn, cycle, previous)
    values["{attempt}"] = attempt
    stream = turn.state.stream
    for spec in turn.definition.phase_of[step.phase].commands:
        fan_out = spec.per == "previous_processor" and previous is not None
        for target in values["{expected}"] if fan_out else ("",):
            turn.emit(
                CommandRequested(
                    command_id=derive_id("trigger", stream, cycle, step.phase, spec.topic, target, str(retries)),
                    kind="trigger",
                    topic=spec.topic,
                    payload=fill(spec.payload, {**values, "{target}": target}),
                    ordering_key=stream,
                    cycle=cycle,
                    phase=step.phase,
                    attempt=attempt,
                )
            )


def ask_measures(
    turn: Turn,
    boundary: str,
    names: list[str],
    *,
    cycle: str | None = None,
    phase: str | None = None,
    topic: str | None = None,
) -> None:
    """Ask the edge to measure a boundary; the answer comes back as `measures_observed`. Asked twice in one turn for the
    same cycle it is one question."""
    state, command_id = turn.state, derive_id("measure", turn.fact.id, cycle or "", boundary)
    if command_id in state.sent:
        return
    turn.emit(
        CommandRequested(
            command_id=command_id,
            kind="measure",
            topic=topic or probe_topic(boundary),
            payload={"sport": state.sport, "game_date": state.game_date, "boundary": boundary, "measures": names},
            ordering_key=state.stream,
            cycle=cycle,
            phase=phase,
        )
    )


def probe_topic(boundary: str) -> str:
    """Where the edge is asked to measure `boundary`."""
    return f"{PROBE}{boundary}"


def asked_already(turn: Turn, boundary: str) -> bool:
    """True where this turn has asked to measure `boundary`: a late tick meets several reasons to, one is enough."""
    topic = probe_topic(boundary)
    return any(isinstance(event.data, CommandRequested) and event.data.topic == topic for event in turn.events)
