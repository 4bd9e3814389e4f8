"""Whether the validators can be run and believed: a table to look at, bounds that some number keeps, a way to mend it.

What a query itself may say is judged at the edge, where SQL is known (`handlers/warehouse/dialect.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from statemachine.definition import Definition
from statemachine.soundness.places import Finding, Place, Rule, taken, unknown, unknowns
from statemachine.soundness.probes import FILLED
from statemachine.soundness.values import bounds_agree
from statemachine.validator import Validator

BOUNDS = ("block_below", "warn_below", "block_above", "warn_above")

_BRACES = re.compile(r"\{(\w*)\}")


def _all(definition: Definition) -> Iterator[tuple[Place, Validator]]:
    for at, validator in enumerate(definition.validators):
        yield ("validators", at), validator


def _they_look_at_a_table(definition: Definition) -> Iterator[Finding]:
    for place, validator in _all(definition):
        name = validator.processor
        yield from unknown("processor", name, definition.processor_of, (*place, "processor"))
        known = definition.processor_of.get(name)
        if known is not None and known.table is None:
            yield (*place, "processor"), f"`{name}` has no `table` that could be looked at"


def _sets_have_names_of_their_own(definition: Definition) -> Iterator[Finding]:
    for processor in definition.validators_of:
        names = [(each.name, (*place, "name")) for place, each in _all(definition) if each.processor == processor]
        yield from taken(f"the validator name of {processor}", names)
        first = next(place for place, each in _all(definition) if each.processor == processor)
        if processor in definition.gate_of:
            yield (*first, "processor"), f"`{processor}` is a gate, too: what is said of one would be said of the other"


def _they_name_what_exists(definition: Definition) -> Iterator[Finding]:
    heals = [heal.name for heal in definition.heals]
    for place, validator in _all(definition):
        if validator.heal is not None:
            yield from unknown("heal", validator.heal, heals, (*place, "heal"))
        yield from unknowns("cycle", validator.cycles, definition.cycle_of, (*place, "cycles"))
        known = definition.processor_of.get(validator.processor)
        for index, name in enumerate(validator.cycles):
            cycle = definition.cycle_of.get(name)
            if known is not None and cycle is not None and known.phase not in cycle.phases:
                yield (
                    (*place, "cycles", index),
                    f"cycle {name} has no phase {known.phase}: its table is not written there",
                )


def _queries_look_at_their_table(definition: Definition) -> Iterator[Finding]:
    for place, validator in _all(definition):
        names = set(_BRACES.findall(validator.sql))
        for name in sorted(names.difference(FILLED)):
            why = "known are {table} and {date_column}"
            yield (*place, "sql"), f"there is nothing to fill into {{{name}}}: {why}"
        if "table" not in names:
            yield (*place, "sql"), "looks at the table of its processor, so it needs {table}"


def _they_say_what_is_wrong_and_what_to_do(definition: Definition) -> Iterator[Finding]:
    for place, validator in _all(definition):
        for key in ("counts", "remediation"):
            if not getattr(validator, key).strip():
                yield (*place, key), "says nothing: whoever is woken by it has only these words"


def _some_number_passes_and_some_does_not(definition: Definition) -> Iterator[Finding]:
    for place, validator in _all(definition):
        if all(getattr(validator, key) is None for key in BOUNDS):
            yield place, f"validator {validator.name} has no bound: it would pass whatever comes"
        yield from bounds_agree(validator, place, f"validator {validator.name}")


VALIDATOR_RULES: tuple[Rule, ...] = (
    _they_look_at_a_table,
    _sets_have_names_of_their_own,
    _they_name_what_exists,
    _queries_look_at_their_table,
)
BOUND_RULES: tuple[Rule, ...] = (_they_say_what_is_wrong_and_what_to_do, _some_number_passes_and_some_does_not)
"""The rules that refer to nothing else in the definition."""
