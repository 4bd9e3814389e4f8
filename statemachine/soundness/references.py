"""Names that exist and are unique, references that lead somewhere: the rules about who is called what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from statemachine.definition import PLACEHOLDERS, CommandSpec, Definition, Gate, Step
from statemachine.soundness.places import (
    Finding,
    Place,
    Rule,
    checks,
    did_you_mean,
    steps,
    taken,
    unknown,
    unknowns,
)

NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Canonical names. They become parts of stream keys and ids, where other marks separate (`cycle/phase/processor`)."""

TABLE_ROWS = "table_rows."
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_TABLE_CHECKS = ("tables", "tables_of_completed", "records_agree")


# --- names ---------------------------------------------------------------------------------------------------------


def _names_are_words(definition: Definition) -> Iterator[Finding]:
    for kind in ("phases", "processors", "cycles", "gates", "heals", "service_levels", "validators"):
        for at, item in enumerate(getattr(definition, kind)):
            yield from _word(item.name, (kind, at, "name"))
    for place, _gate, check in checks(definition):
        yield from _word(check.name, (*place, "name"))
    for place, _cycle, step in steps(definition):
        for index, wait in enumerate(step.waits):
            yield from _word(wait.reason, (*place, "waits", index, "reason"))
    yield from _word(definition.name, ("name",))
    yield from _word(definition.sport, ("sport",))


def _word(name: str, place: Place) -> Iterator[Finding]:
    if not NAME.fullmatch(name):
        yield place, f"`{name}` is not a name: small letters, digits and _ only, a letter first"


def _names_are_unique(definition: Definition) -> Iterator[Finding]:
    for kind, what in (
        ("phases", "the phase name"),
        ("processors", "the processor name"),
        ("cycles", "the cycle name"),
        ("gates", "the gate name"),
        ("heals", "the heal name"),
        ("service_levels", "the service level name"),
    ):
        items = enumerate(getattr(definition, kind))
        yield from taken(what, [(item.name, (kind, at, "name")) for at, item in items])
    for at, gate in enumerate(definition.gates):
        names = [(check.name, ("gates", at, "checks", i, "name")) for i, check in enumerate(gate.checks)]
        yield from taken("the check name", names)
    for place, _cycle, step in steps(definition):
        reasons = [(wait.reason, (*place, "waits", i, "reason")) for i, wait in enumerate(step.waits)]
        yield from taken("the reason", reasons)


def _vocabularies_do_not_overlap(definition: Definition) -> Iterator[Finding]:
    names: list[tuple[str, Place]] = []
    words: list[tuple[str, Place]] = []
    topics: list[tuple[str, Place]] = []
    for at, phase in enumerate(definition.phases):
        names.append((phase.name, ("phases", at, "name")))
        words += [(name, ("phases", at, "names", i)) for i, name in enumerate(phase.names)]
        topics += [(phase.complete_topic, ("phases", at, "complete_topic"))] if phase.complete_topic else []
    yield from (item for item in taken("the phase word", [*names, *words]) if item[0][-1] != "name")
    yield from taken("the topic", topics)


def _aliases_name_one_processor(definition: Definition) -> Iterator[Finding]:
    def owner(place: Place) -> str:
        return definition.processors[int(place[1])].name

    for phase in dict.fromkeys(processor.phase for processor in definition.processors):
        names: list[tuple[str, Place]] = []
        others: list[tuple[str, Place]] = []
        for at, processor in enumerate(definition.processors):
            if processor.phase == phase:
                place = ("processors", at)
                names.append((processor.name, (*place, "name")))
                others += [(processor.class_name, (*place, "class_name"))] if processor.class_name else []
                others += [(alias, (*place, "aliases", i)) for i, alias in enumerate(processor.aliases)]
        found = taken(f"in phase {phase}, the name", [*names, *others], owner)
        yield from (item for item in found if item[0][-1] != "name")


# --- references ----------------------------------------------------------------------------------------------------


def _processors_refer_to_what_exists(definition: Definition) -> Iterator[Finding]:
    for at, processor in enumerate(definition.processors):
        place = ("processors", at)
        yield from unknown("phase", processor.phase, definition.phase_of, (*place, "phase"))
        names = definition.processor_of
        yield from unknowns("processor", processor.depends_on, names, (*place, "depends_on"))


def _nothing_waits_for_itself(definition: Definition) -> Iterator[Finding]:
    graph = {name: list(dict.fromkeys(p.depends_on)) for name, p in definition.processor_of.items()}
    indices = {processor.name: at for at, processor in enumerate(definition.processors)}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            ring: list[str] = error.args[1][::-1]  # graphlib names who is waited for before who waits
            turn = min(range(len(ring) - 1), key=lambda at: indices[ring[at]])
            ring = [*ring[turn:-1], *ring[: turn + 1]]
            yield ("processors", indices[ring[0]], "depends_on"), f"depends on itself: {' → '.join(ring)}"
            graph[ring[0]].remove(ring[1])
        else:
            return


def _steps_refer_to_what_exists(definition: Definition) -> Iterator[Finding]:
    for place, _cycle, step in steps(definition):
        yield from unknown("phase", step.phase, definition.phase_of, (*place, "phase"))
        for key in ("expected", "critical", "optional"):
            yield from _step_names(definition, step, key, (*place, key))
        if step.gate is not None:
            yield from unknown("gate", step.gate, definition.gate_of, (*place, "gate"))
        elif step.gate_mode is not None:
            yield (*place, "gate_mode"), "a mode without a gate: name the gate, or leave the mode out"


def _step_names(definition: Definition, step: Step, key: str, place: Place) -> Iterator[Finding]:
    names: tuple[str, ...] = getattr(step, key)
    yield from unknowns("processor", names, definition.processor_of, place)
    for index, name in enumerate(names):
        processor = definition.processor_of.get(name)
        if processor is not None and processor.phase != step.phase:
            yield (*place, index), f"`{name}` belongs to phase {processor.phase}, not to {step.phase}"
        if key == "critical" and processor is not None and name not in step.expected:
            yield (*place, index), f"`{name}` is critical and not expected: add it to `expected`"
        if key == "optional" and name in step.expected:
            yield (*place, index), f"`{name}` is expected and optional at once"


def _cycles_share_out_the_day(definition: Definition) -> Iterator[Finding]:
    received = [(cycle.received, ("cycles", at, "received")) for at, cycle in enumerate(definition.cycles)]
    yield from taken("received", received)
    for at, cycle in enumerate(definition.cycles):
        phases = [(step.phase, ("cycles", at, "steps", i, "phase")) for i, step in enumerate(cycle.steps)]
        yield from taken("within a cycle, the phase", phases)


def _everything_is_used(definition: Definition) -> Iterator[Finding]:
    used = {step.phase for _place, _cycle, step in steps(definition)}
    closed = {step.gate for _place, _cycle, step in steps(definition)}
    for at, phase in enumerate(definition.phases):
        if phase.name not in used:
            yield ("phases", at), f"no cycle has the phase {phase.name}: its messages would belong nowhere"
    for at, gate in enumerate(definition.gates):
        if gate.name not in closed:
            yield ("gates", at), f"no step closes with the gate {gate.name}: it would never be evaluated"


def _checks_refer_to_what_exists(definition: Definition) -> Iterator[Finding]:
    for place, gate, check in checks(definition):
        for key in ("measure", "of"):
            name = getattr(check, key)
            if name is not None and not _measured(name, gate):
                near = did_you_mean(name, gate.measures)
                yield (*place, key), f"`{name}` is not among the `measures` of {gate.name}{near}"
        if check.kind in _TABLE_CHECKS and not any(name.startswith(TABLE_ROWS) for name in gate.measures):
            yield (*place, "kind"), f"{check.kind} looks at tables: `measures` of {gate.name} needs `table_rows.*`"
        yield from unknowns("cycle", check.cycles, definition.cycle_of, (*place, "cycles"))
        for index, name in enumerate(check.cycles):
            cycle = definition.cycle_of.get(name)
            if cycle is not None and all(step.gate != gate.name for step in cycle.steps):
                yield (*place, "cycles", index), f"cycle {name} never comes to the gate {gate.name}"


def _measured(name: str, gate: Gate) -> bool:
    return name in gate.measures or (name.startswith(TABLE_ROWS) and TABLE_ROWS + "*" in gate.measures)


def _heals_have_an_occasion(definition: Definition) -> Iterator[Finding]:
    for at, heal in enumerate(definition.heals):
        place = ("heals", at)
        if (heal.phase is None) == (heal.gate is None):
            yield place, "a heal answers either to `gate` and `check`, or to the missing processors of a `phase`"
        if heal.phase is not None:
            yield from unknown("phase", heal.phase, definition.phase_of, (*place, "phase"))
        if (heal.gate is None) != (heal.check is None):
            yield place, "`gate` and `check` go together"
        elif heal.gate is not None and heal.check is not None:
            yield from unknown("gate", heal.gate, definition.gate_of, (*place, "gate"))
            known = [check.name for _place, gate, check in checks(definition) if gate.name == heal.gate]
            if heal.gate in definition.gate_of:
                yield from unknown(f"check of {heal.gate}", heal.check, known, (*place, "check"))


def _promises_have_their_phase(definition: Definition) -> Iterator[Finding]:
    rules = definition.alerts
    for phase in ("precompute", "predictions", "grading"):
        if getattr(rules, f"{phase}_due") is not None and phase not in definition.phase_of:
            yield ("alerts", f"{phase}_due"), f"there is no phase {phase} that could be late"
    probed = {name for gate in definition.gates for name in gate.measures if gate.probe}
    wanted = rules.box_score_bands or any(level.coverage is not None for level in definition.service_levels)
    if wanted and rules.box_score_measure not in probed:
        yield ("alerts", "box_score_measure"), f"no gate that probes measures `{rules.box_score_measure}`"
    for at, level in enumerate(definition.service_levels):
        if level.phase is not None:
            yield from unknown("phase", level.phase, definition.phase_of, ("service_levels", at, "phase"))


def _commands_can_be_filled(definition: Definition) -> Iterator[Finding]:
    for place, command, pers in _commands(definition):
        if not command.topic:
            yield (*place, "topic"), "a command needs a topic"
        if command.per not in pers:
            yield (*place, "per"), f"{command.per} has no meaning here: {' or '.join(pers)}"
        for inner, name in _placeholders(command.payload, (*place, "payload")):
            if name not in PLACEHOLDERS:
                near = did_you_mean(name, PLACEHOLDERS)
                yield inner, f"there is no placeholder {{{name}}}{near or ': ' + ', '.join(sorted(PLACEHOLDERS))}"


def _commands(definition: Definition) -> Iterator[tuple[Place, CommandSpec, tuple[str, ...]]]:
    for at, phase in enumerate(definition.phases):
        for index, command in enumerate(phase.commands):
            yield ("phases", at, "commands", index), command, ("once", "previous_processor")
    for at, heal in enumerate(definition.heals):
        yield ("heals", at, "command"), heal.command, ("once", "target")


def _placeholders(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield from ((place, name) for name in _PLACEHOLDER.findall(value))
    elif isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _placeholders(item, (*place, key))


REFERENCE_RULES: tuple[Rule, ...] = (
    _names_are_words,
    _names_are_unique,
    _vocabularies_do_not_overlap,
    _aliases_name_one_processor,
    _processors_refer_to_what_exists,
    _nothing_waits_for_itself,
    _steps_refer_to_what_exists,
    _cycles_share_out_the_day,
    _everything_is_used,
    _checks_refer_to_what_exists,
    _heals_have_an_occasion,
    _promises_have_their_phase,
    _commands_can_be_filled,
)
