"""The tables and views of the export: their columns, their DDL, and how staged rows get into them.

This is the one place that knows the columns. The files in `deploy/bigquery/` are written from here
(`tipoff warehouse ddl deploy/bigquery`), and a test holds them to it. Columns are only ever added.
"""

from __future__ import annotations

from datetime import date
from importlib import resources
from typing import Any

from msgspec import Struct

from handlers.warehouse.engine import Batch

DATASET = "tipoff"

NO_DATE = date(1, 1, 1)
"""Stands for the game dates of a batch that has none: no row has it."""


class Column(Struct, frozen=True):
    """A column: its BigQuery type, what it means, and whether it may be NULL. `fields` make it a repeated record."""

    name: str
    type: str
    meaning: str
    null: bool = False
    fields: tuple[Column, ...] = ()


class Table(Struct, frozen=True, kw_only=True):
    """A table. `key` is the column that a row is known by; a table that is partitioned is so by `game_date`."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: str
    partitioned: bool = True
    clustered: tuple[str, ...] = ()


_WHERE = (
    Column("stream", "STRING", "the stream: `sport/game_date`, with `/pulse` behind it, or `sport/control`"),
    Column("sport", "STRING", "first part of the stream"),
    Column("game_date", "DATE", "date in the league's zone; NULL on control streams", null=True),
    Column("version", "INT64", "place in the stream: 1, 2, 3 without gaps"),
)

EVENTS = Table(
    name="events",
    meaning="Every event, each once. The store is the truth; this is its copy.",
    key="event_id",
    clustered=("sport", "type"),
    columns=(
        Column("event_id", "STRING", "unique over all streams"),
        *_WHERE,
        Column("type", "STRING", "kind of event, such as `completion_recorded`"),
        Column("schema_version", "INT64", "version of the fields in `data`"),
        Column("occurred_at", "TIMESTAMP", "when it happened, as its sender says"),
        Column("recorded_at", "TIMESTAMP", "when it was recorded; never decreasing within a stream"),
        Column("correlation", "STRING", "what it belongs to"),
        Column("causation", "STRING", "the event that caused it; NULL for what came from outside", null=True),
        Column("actor", "STRING", "who said or decided it"),
        Column("data", "JSON", "its fields"),
        Column("hash", "STRING", "of its bytes and of the hash before it in the stream"),
        Column("position", "INT64", "place in the store"),
    ),
)

_CHECK = (
    Column("check", "STRING", "name of the check", null=True),
    Column("measured", "FLOAT64", "what was compared; NULL where nothing could be", null=True),
    Column("warn", "FLOAT64", "where it warns", null=True),
    Column("block", "FLOAT64", "where it blocks", null=True),
    Column("verdict", "STRING", "pass, warn, block, error or skipped", null=True),
    Column("basis", "STRING", "what the comparison rests on", null=True),
    Column("error", "STRING", "why it could not be measured", null=True),
)

GATE_EVALUATIONS = Table(
    name="gate_evaluations",
    meaning="Every evaluation of a gate, passes too, with each check's number and thresholds.",
    key="event_id",
    clustered=("sport", "gate"),
    columns=(
        Column("event_id", "STRING", "the event `gate_evaluated`"),
        *_WHERE,
        Column("gate", "STRING", "name of the gate"),
        Column("cycle", "STRING", "tomorrow, same_day or overnight"),
        Column("mode", "STRING", "disabled, warning or blocking"),
        Column("outcome", "STRING", "what it did: pass, warn, block, error or skipped"),
        Column("blocking_outcome", "STRING", "what it would have done in mode blocking"),
        Column("definition", "STRING", "version of the definition it was decided under"),
        Column("evaluated_at", "TIMESTAMP", "when"),
        Column("correlation", "STRING", "what it belongs to"),
        Column("causation", "STRING", "the input that caused it", null=True),
        Column("checks", "RECORD", "one for each check", fields=_CHECK),
    ),
)

CHECKPOINTS = Table(
    name="export_checkpoints",
    meaning="How far each store was exported; written in one step with the rows it speaks of.",
    key="origin",
    partitioned=False,
    columns=(
        Column("origin", "STRING", "hash of the first event of the store"),
        Column("position", "INT64", "everything up to here is in the tables"),
        Column("hash", "STRING", "of the event at that position"),
        Column("updated_at", "TIMESTAMP", "when"),
    ),
)

TABLES = (EVENTS, GATE_EVALUATIONS, CHECKPOINTS)
VIEWS = ("phase_boundary_validations", "phase_validation_summary")
"""Views by name, in the order in which they can be made; their text is `NAME.sql` beside this file."""


# --- DDL -----------------------------------------------------------------------------------------------------------


def ddl(dataset: str = DATASET) -> dict[str, str]:
    """Statements that make the tables and views in `dataset`, by name, in the order in which they can be run."""
    tables = {table.name: create_table(table, dataset) for table in TABLES}
    return tables | {name: create_view(name, dataset) for name in VIEWS}


def create_table(table: Table, dataset: str) -> str:
    """The statement that makes `table` where it is missing."""
    columns = ",\n".join(f"  {_column(column)}" for column in table.columns)
    lines = [f"CREATE TABLE IF NOT EXISTS `{dataset}.{table.name}` (\n{columns}\n)"]
    if table.partitioned:
        lines.append("PARTITION BY game_date")
    if table.clustered:
        lines.append(f"CLUSTER BY {', '.join(table.clustered)}")
    lines.append(f'OPTIONS (description = "{table.meaning}")')
    return "\n".join(lines) + ";\n"


def _column(column: Column) -> str:
    if column.fields:
        inner = ", ".join(f"`{field.name}` {field.type}" for field in column.fields)
        return f'`{column.name}` ARRAY<STRUCT<{inner}>> OPTIONS (description = "{column.meaning}")'
    required = "" if column.null else " NOT NULL"
    return f'`{column.name}` {column.type}{required} OPTIONS (description = "{column.meaning}")'


def create_view(name: str, dataset: str) -> str:
    """The statement that makes the view `name`, or gives it its present text."""
    return f"CREATE OR REPLACE VIEW `{dataset}.{name}` AS\n{view_query(name, dataset)};\n"


def view_query(name: str, dataset: str) -> str:
    """The query behind the view `name`."""
    text = (resources.files("handlers.warehouse") / f"{name}.sql").read_text("utf-8")
    return text.replace("{dataset}", dataset).strip()


# --- from staged rows to the tables --------------------------------------------------------------------------------


def staging_name(table: Table, batch: Batch) -> str:
    """Where the rows of `batch` wait. Each batch has tables of its own, so that two exporters never mix theirs."""
    return f"staging_{table.name}_{batch.id}"


def staged(batch: Batch) -> list[tuple[Table, bytes]]:
    """The tables that `batch` has rows for, with these."""
    both = ((EVENTS, batch.events), (GATE_EVALUATIONS, batch.evaluations))
    return [(table, rows) for table, rows in both if rows]


def merge_statements(batch: Batch, dataset: str) -> list[str]:
    """What makes the staged rows visible, each once, and moves the checkpoint: the statements of one transaction. Two
    exporters that meet both move the checkpoint, so only one of their transactions can commit."""
    return [_move_checkpoint(dataset), *(_insert_new(table, batch, dataset) for table, _rows in staged(batch))]


def merge_parameters(batch: Batch) -> dict[str, Any]:
    """The parameters of `merge_statements`."""
    checkpoint = batch.checkpoint
    return {
        "first": batch.first or NO_DATE,
        "last": batch.last or NO_DATE,
        "origin": checkpoint.origin,
        "position": checkpoint.position,
        "hash": checkpoint.hash,
    }


def _insert_new(table: Table, batch: Batch, dataset: str) -> str:
    """Rows whose key is not there yet. Only the partitions of the batch's own dates are read for it."""
    names = ", ".join(f"`{column.name}`" for column in table.columns)
    return (
        f"INSERT INTO `{dataset}.{table.name}` ({names})\n"
        f"SELECT {names} FROM `{dataset}.{staging_name(table, batch)}` AS staged\n"
        f"WHERE NOT EXISTS (\n"
        f"  SELECT 1 FROM `{dataset}.{table.name}` AS known WHERE known.{table.key} = staged.{table.key}\n"
        "  AND (known.game_date BETWEEN @first AND @last OR known.game_date IS NULL)\n"
        ")"
    )


def _move_checkpoint(dataset: str) -> str:
    return (
        f"UPDATE `{dataset}.{CHECKPOINTS.name}`\n"
        "SET position = @position, hash = @hash, updated_at = CURRENT_TIMESTAMP()\n"
        "WHERE origin = @origin"
    )


def read_checkpoint(dataset: str) -> str:
    """The query for the checkpoint of `@origin`."""
    return f"SELECT position, hash FROM `{dataset}.{CHECKPOINTS.name}` WHERE origin = @origin ORDER BY position LIMIT 1"


def begin_checkpoint(dataset: str) -> str:
    """The statement that begins the checkpoint of `@origin`, so that every merge has a row to move."""
    return (
        f"INSERT INTO `{dataset}.{CHECKPOINTS.name}` (origin, position, hash, updated_at)\n"
        "VALUES (@origin, 0, '', CURRENT_TIMESTAMP())"
    )
