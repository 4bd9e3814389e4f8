"""A warehouse in memory, for properties that try thousands of exports: it keeps the same promises about rows
(`ExportContract` runs on it too) and cannot measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from events.values import Measure
from handlers.warehouse.engine import Batch, Checkpoint, Query
from handlers.warehouse.rows import EvaluationRow, EventRow
from handlers.warehouse.tables import EVENTS, GATE_EVALUATIONS, TABLES, VIEWS, staging_name

TYPES = {EVENTS.name: EventRow, GATE_EVALUATIONS.name: EvaluationRow}


class MemoryWarehouse:
    """Tables by name; a row by its event id."""

    name = "memory"

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {EVENTS.name: {}, GATE_EVALUATIONS.name: {}}
        self.staged: dict[str, bytes] = {}
        self.checkpoints: dict[str, Checkpoint] = {}

    def measure(self, queries: Sequence[Query]) -> list[Measure]:
        return [Measure(error="there is nothing to measure here") for _ in queries]

    def prepare(self) -> None:
        pass

    def checkpoint(self, origin: str) -> Checkpoint:
        return self.checkpoints.setdefault(origin, Checkpoint(origin=origin, position=0, hash=""))

    def stage(self, batch: Batch) -> None:
        for table, lines in ((EVENTS, batch.events), (GATE_EVALUATIONS, batch.evaluations)):
            self.staged[staging_name(table, batch)] = lines

    def merge(self, batch: Batch) -> None:
        for table in (EVENTS, GATE_EVALUATIONS):
            for line in self.staged[staging_name(table, batch)].splitlines():
                row = msgspec.structs.asdict(msgspec.json.decode(line, type=TYPES[table.name]))
                self.kept[table.name].setdefault(row["event_id"], row)
        self.checkpoints[batch.checkpoint.origin] = batch.checkpoint

    def discard(self, batch: Batch) -> None:
        for table in (EVENTS, GATE_EVALUATIONS):
            self.staged.pop(staging_name(table, batch), None)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Every row of the table that `SELECT * FROM tipoff.TABLE …` names, by stream and version."""
        table = sql.split("tipoff.")[1].split(maxsplit=1)[0]
        rows = sorted(self.kept[table].values(), key=lambda row: (row["stream"], row["version"]))
        return [
            {
                **row,
                **({"data": bytes(row["data"]).decode()} if "data" in row else {}),
                **({"checks": [msgspec.to_builtins(check) for check in row["checks"]]} if "checks" in row else {}),
            }
            for row in rows
        ]

    def close(self) -> None:
        pass


class MemoryPlace:
    """A warehouse in memory."""

    def __init__(self) -> None:
        self.warehouse = MemoryWarehouse()

    def run(self, statements: Sequence[str]) -> None:
        raise NotImplementedError(f"no SQL here: {statements[0]}")

    def tables(self) -> set[str]:
        return {*self.warehouse.staged, *(table.name for table in TABLES), *VIEWS}
