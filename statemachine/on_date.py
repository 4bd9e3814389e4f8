"""Whom a step expects on a game date, and what is measured of them. It follows from the definition and the date alone,
and is asked several times in each decision, so it is worked out once for each date and definition version.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from statemachine.definition import CheckSpec, Definition, Gate, Step, in_force
from statemachine.state import work_key


class OnDate(Struct, frozen=True):
    """Whom a step expects on a date, and the row measure of each of them that has a table; of all processors of its
    phase, the keys under which the state keeps their work; which checks its gate makes, and what it has probed, with
    `table_rows.*` spelled out."""

    step: Step
    keys: dict[str, str]
    expected: tuple[str, ...]
    critical: tuple[str, ...]
    optional: tuple[str, ...]
    tables: dict[str, str]
    checks: tuple[CheckSpec, ...]
    probed: tuple[str, ...]


ON_DATES_MAX = 4096
"""How many steps on dates are kept: a season of 210 dates has some thousand."""

_ON_DATES: dict[tuple[str, str, str, str], OnDate] = {}


def on_date(definition: Definition, cycle: str, step: Step, game_date: str) -> OnDate:
    """What `step` of `cycle` is on a date."""
    asked = (definition.version, cycle, step.phase, game_date)
    known = _ON_DATES.get(asked)
    if known is None or known.step is not step:
        if len(_ON_DATES) >= ON_DATES_MAX:
            _ON_DATES.clear()
        known = _ON_DATES[asked] = _worked_out(definition, cycle, step, game_date)
    return known


def _worked_out(definition: Definition, cycle: str, step: Step, game_date: str) -> OnDate:
    expected, optional = (
        tuple([name for name in names if in_force(definition.processor_of[name], game_date)])
        for names in (step.expected, step.optional)
    )
    of = {name: definition.processor_of[name].table for name in expected}
    tables = {name: table_measure(table) for name, table in of.items() if table is not None}
    gate = definition.gate_of.get(step.gate or "")
    return OnDate(
        step=step,
        keys={p.name: work_key(cycle, step.phase, p.name) for p in definition.processors if p.phase == step.phase},
        expected=expected,
        critical=tuple([name for name in step.critical if name in expected]),
        optional=optional,
        tables=tables,
        checks=tuple([spec for spec in gate.checks if _applies(spec, cycle)]) if gate is not None else (),
        probed=_probed(gate, cycle, sorted(tables.values())) if gate is not None else (),
    )


def _probed(gate: Gate, cycle: str, tables: list[str]) -> tuple[str, ...]:
    """What `gate` has probed in `cycle`; what only checks of other cycles read is left out, for games that are yet to
    be played have no coverage."""
    names = [name for item in gate.measures for name in (tables if item == "table_rows.*" else [item])]
    read: set[str | None] = set()
    elsewhere: set[str | None] = set()
    for spec in gate.checks:
        (read if _applies(spec, cycle) else elsewhere).update((spec.measure, spec.of))
    return tuple([name for name in names if name in read or name not in elsewhere])


def _applies(spec: CheckSpec, cycle: str) -> bool:
    return not spec.cycles or cycle in spec.cycles


@lru_cache(maxsize=1024)
def table_measure(table: str) -> str:
    """The measure that counts the rows of `table` for the date (its dataset is left out)."""
    return f"table_rows.{table.rpartition('.')[2]}"
