"""Validators run now, for a look: what tables are like, judged as the core would. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from msgspec import Struct

from events.values import Severity, Verdict
from handlers.warehouse.channel import measured
from handlers.warehouse.engine import Warehouse
from handlers.warehouse.queries import queries_for
from statemachine.alerts import RANK
from statemachine.definition import Definition
from statemachine.gates import counting, worst
from statemachine.validation import bounds_words, check, in_set, is_told, severity_of


class Looked(Struct, frozen=True, kw_only=True):
    """What a validator saw. `severity` is how loud it would be told, null where it would not be; `heal` repairs it."""

    validator: str
    counts: str
    value: float | None
    bounds: str
    verdict: Verdict
    severity: Severity | None
    error: str | None
    remediation: str
    heal: str | None


class Table(Struct, frozen=True, kw_only=True):
    """The set of a processor. `outcome` is what the set would do if it could block."""

    processor: str
    table: str
    outcome: Verdict
    validators: tuple[Looked, ...]


class Validated(Struct, frozen=True, kw_only=True):
    """The tables of a date, as they are now."""

    sport: str
    game_date: str
    warehouse: str
    tables: tuple[Table, ...]

    @property
    def severity(self) -> Severity | None:
        """How loud the worst of it would be told; None where nobody would be told."""
        found = [each.severity for table in self.tables for each in table.validators]
        return max((severity for severity in found if severity is not None), key=RANK.__getitem__, default=None)


def validate(warehouse: Warehouse, definition: Definition, game_date: str, processors: Sequence[str]) -> Validated:
    """The sets of `processors` on a date, whatever cycle wrote their tables. Raises WarehouseUnavailable."""
    sets = {name: in_set(definition, name, game_date) for name in processors}
    names = [each.measure for found in sets.values() for each in found]
    answers = measured(warehouse, queries_for(definition, names, date.fromisoformat(game_date)))
    tables = []
    for name, found in sets.items():
        checks = [(each, check(each, answers[each.measure])) for each in found]
        tables.append(
            Table(
                processor=name,
                table=definition.processor_of[name].table or "",
                outcome=worst(counting(of, each.on_error) for each, of in checks),
                validators=tuple(
                    Looked(
                        validator=each.name,
                        counts=each.counts,
                        value=of.measured,
                        bounds=bounds_words(each),
                        verdict=of.verdict,
                        severity=severity_of(each, of) if is_told(each, of) else None,
                        error=of.error,
                        remediation=each.remediation,
                        heal=each.heal,
                    )
                    for each, of in checks
                ),
            )
        )
    return Validated(sport=definition.sport, game_date=game_date, warehouse=warehouse.name, tables=tuple(tables))
