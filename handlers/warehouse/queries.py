"""From the measures of a boundary to queries: which probe counts what on a date, in which table.

A measure that no probe counts is an error from the start; it is told like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from events.values import Measure
from handlers.warehouse.dialect import filled
from handlers.warehouse.engine import Query
from statemachine.definition import Definition, Probe, in_force
from statemachine.on_date import table_measure
from statemachine.soundness.probes import ALL_TABLES
from statemachine.validator import Validator

TABLE_ROWS = ALL_TABLES.removesuffix("*")


def measures_of(definition: Definition, boundary: str, game_date: str) -> list[str]:
    """Every measure that the gate `boundary` reads in some cycle, with `table_rows.*` spelled out. Measures that
    messages carry and no probe counts are left out."""
    gate = definition.gate_of[boundary]
    steps = [step for cycle in definition.cycles for step in cycle.steps if step.gate == boundary]
    processors = [definition.processor_of[name] for step in steps for name in step.expected]
    tables = sorted({table_measure(p.table) for p in processors if p.table is not None and in_force(p, game_date)})
    counted = {probe.measure for probe in definition.probes}
    names = [name for item in gate.measures for name in (tables if item == ALL_TABLES else [item])]
    return [name for name in names if gate.probe or name in counted]


def queries_for(
    definition: Definition, measures: Iterable[str], game_date: date, *, job_id: str | None = None
) -> dict[str, Query | Measure]:
    """What to ask for each measure; an error where nothing can be asked. Job ids begin with `job_id`: the same
    command asks the same questions."""
    return {name: _query(definition, name, game_date, job_id) for name in measures}


def _query(definition: Definition, measure: str, game_date: date, job_id: str | None) -> Query | Measure:
    validator = next((each for each in definition.validators if each.measure == measure), None)
    if validator is not None:
        return _validating(definition, validator, game_date, job_id)
    wanted = ALL_TABLES if measure.startswith(TABLE_ROWS) else measure
    probe = _probe(definition, measure, game_date) or _probe(definition, wanted, game_date)
    if probe is None:
        return Measure(error=f"no probe counts {measure} on {game_date}")
    sql = probe.sql
    if probe.measure == ALL_TABLES:
        processor = next((p for p in definition.processors if p.table and table_measure(p.table) == measure), None)
        if processor is None or processor.table is None:
            return Measure(error=f"no processor has the table of {measure}")
        sql = filled(sql, table=processor.table, date_column=processor.date_column)
    return Query(
        measure=measure,
        sql=sql.strip(),
        parameters={"game_date": game_date, "sport": definition.sport},
        timeout_seconds=probe.timeout_seconds,
        bytes_max=probe.bytes_max,
        job_id=None if job_id is None else f"{job_id}-{measure.replace('.', '-')}",
    )


def _validating(definition: Definition, validator: Validator, game_date: date, job_id: str | None) -> Query | Measure:
    processor = definition.processor_of[validator.processor]
    if processor.table is None or not in_force(validator, game_date.isoformat()):
        return Measure(error=f"no validator counts {validator.measure} on {game_date}")
    return Query(
        measure=validator.measure,
        sql=filled(validator.sql, table=processor.table, date_column=processor.date_column).strip(),
        parameters={"game_date": game_date, "sport": definition.sport},
        timeout_seconds=validator.timeout_seconds,
        bytes_max=validator.bytes_max,
        job_id=None if job_id is None else f"{job_id}-{validator.measure.replace('.', '-')}",
    )


def _probe(definition: Definition, measure: str, game_date: date) -> Probe | None:
    day = game_date.isoformat()
    return next((probe for probe in definition.probes if probe.measure == measure and in_force(probe, day)), None)
