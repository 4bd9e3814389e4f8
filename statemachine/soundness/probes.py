"""Whether the probes count what the gates ask for: every measure, on every date once, in tables that are named well.

What a query itself may say is judged at the edge, where SQL is known (`handlers/warehouse/dialect.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from statemachine.definition import Definition, Probe
from statemachine.soundness.places import Finding, Rule, unknown

TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*")
COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""Identifiers that are filled into queries. They stand between quotes there, and still may hold no others."""

ALL_TABLES = "table_rows.*"
FILLED = ("table", "date_column")
FIRST, LAST = "0000", "9999"
"""Before and after all dates, as text."""

_BRACES = re.compile(r"\{(\w*)\}")


def _probes_count_what_is_asked_for(definition: Definition) -> Iterator[Finding]:
    asked = {name for gate in definition.gates for name in gate.measures}
    for at, probe in enumerate(definition.probes):
        yield from unknown("measure", probe.measure, asked, ("probes", at, "measure"))


def _what_is_asked_for_is_counted(definition: Definition) -> Iterator[Finding]:
    counted = {probe.measure for probe in definition.probes}
    for at, gate in enumerate(definition.gates):
        for index, name in enumerate(gate.measures):
            if counted and gate.probe and name not in counted:
                yield ("gates", at, "measures", index), f"no probe counts `{name}`: add one, or no probes at all"


def _a_date_has_one_probe(definition: Definition) -> Iterator[Finding]:
    for (_, one), (at, other) in combinations(enumerate(definition.probes), 2):
        if one.measure == other.measure and _overlap(one, other):
            yield ("probes", at, "measure"), f"`{one.measure}` has another probe for some of the same game dates"


def _overlap(one: Probe, other: Probe) -> bool:
    begins = max(one.since or FIRST, other.since or FIRST)
    return begins < min(one.until or LAST, other.until or LAST)


def _braces_are_filled(definition: Definition) -> Iterator[Finding]:
    for at, probe in enumerate(definition.probes):
        place = ("probes", at, "sql")
        names = set(_BRACES.findall(probe.sql))
        known = FILLED if probe.measure == ALL_TABLES else ()
        why = "known are {table} and {date_column}" if known else f"only the probe of `{ALL_TABLES}` is filled in"
        for name in sorted(names.difference(known)):
            yield place, f"there is nothing to fill into {{{name}}}: {why}"
        for name in known:
            if name not in names:
                yield place, f"counts each table of the registry, so it needs {{{name}}}"


def _tables_are_named_well(definition: Definition) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for at, processor in enumerate(definition.processors):
        if not COLUMN.fullmatch(processor.date_column):
            yield ("processors", at, "date_column"), f"`{processor.date_column}` is not the name of a column"
        if processor.table is None:
            continue
        if not TABLE.fullmatch(processor.table):
            yield ("processors", at, "table"), f"`{processor.table}` is not a table: `dataset.table`"
        measure = processor.table.rpartition(".")[2]
        if first.setdefault(measure, processor.table) != processor.table:
            yield ("processors", at, "table"), f"`table_rows.{measure}` counts {first[measure]} already"


PROBE_RULES: tuple[Rule, ...] = (
    _probes_count_what_is_asked_for,
    _what_is_asked_for_is_counted,
    _a_date_has_one_probe,
    _braces_are_filled,
    _tables_are_named_well,
)
