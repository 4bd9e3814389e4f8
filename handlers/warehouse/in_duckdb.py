"""The warehouse in a DuckDB file: the embedded home. The same SQL texts as on BigQuery, transpiled.

The file is opened for each piece of work and closed behind it, because DuckDB lets either one process write or many
read; whoever finds it taken is told that it is unavailable and comes again. Queries reach nothing but the file.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from events.values import Measure
from handlers.warehouse.dialect import for_duckdb, parameters
from handlers.warehouse.engine import (
    Batch,
    Checkpoint,
    Query,
    WarehouseRefused,
    WarehouseUnavailable,
    error_of,
    measure_of,
)
from handlers.warehouse.tables import (
    DATASET,
    Column,
    Table,
    begin_checkpoint,
    ddl,
    merge_parameters,
    merge_statements,
    read_checkpoint,
    staged,
    staging_name,
)

ISOLATED: dict[str, Any] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "TimeZone": "UTC",
}
"""A query may read tables of the file, and no other file, network or extension."""

TYPES = {
    "STRING": "VARCHAR",
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMPTZ",
    "JSON": "JSON",
}
"""DuckDB's names of the types that our columns have."""

_open_files: dict[Path, threading.RLock] = {}
_opening = threading.Lock()


class DuckDBWarehouse:
    """A Warehouse in the file at `path`, made by the first export. Our tables are in the schema `dataset`."""

    def __init__(self, path: Path, *, dataset: str = DATASET) -> None:
        self.path = path
        self.dataset = dataset
        self.name = f"duckdb:{path}"
        with _opening:
            self._lock = _open_files.setdefault(path.absolute(), threading.RLock())

    # measuring

    def measure(self, queries: Sequence[Query]) -> list[Measure]:
        """See Warehouse."""
        if not queries:
            return []
        with self._opened(read_only=True) as connection:
            return [_measured(connection, query) for query in queries]

    # exporting

    def prepare(self) -> None:
        """See Warehouse."""
        with self._opened(read_only=False) as connection:
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{self.dataset}"')
            for statement in ddl(self.dataset).values():
                connection.execute(for_duckdb(statement))

    def checkpoint(self, origin: str) -> Checkpoint:
        """See Warehouse."""
        values = {"origin": origin}
        with self._opened(read_only=False) as connection:
            row = connection.execute(for_duckdb(read_checkpoint(self.dataset)), values).fetchone()
            if row is None:
                connection.execute(for_duckdb(begin_checkpoint(self.dataset)), values)
        position, last = row or (0, "")
        return Checkpoint(origin=origin, position=position, hash=last)

    def stage(self, batch: Batch) -> None:
        """See Warehouse."""
        with self._opened(read_only=False) as connection:
            for table, lines in staged(batch):
                name = f'"{self.dataset}"."{staging_name(table, batch)}"'
                text = f"[{','.join(lines.decode().splitlines())}]"
                rows = f"unnest(from_json_strict($rows, '{_structure(table)}'), max_depth := 2)"
                connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT {rows}", {"rows": text})

    def merge(self, batch: Batch) -> None:
        """See Warehouse."""
        values = merge_parameters(batch)
        with self._opened(read_only=False) as connection:
            connection.begin()
            for statement in merge_statements(batch, self.dataset):
                bound = {name: values[name] for name in parameters(statement)}
                connection.execute(for_duckdb(statement), bound)
            connection.commit()

    def discard(self, batch: Batch) -> None:
        """See Warehouse."""
        with self._opened(read_only=False) as connection:
            for table, _lines in staged(batch):
                connection.execute(f'DROP TABLE IF EXISTS "{self.dataset}"."{staging_name(table, batch)}"')

    # reading

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """See Warehouse."""
        with self._opened(read_only=True) as connection:
            result = connection.execute(for_duckdb(sql))
            names = [column[0] for column in result.description or ()]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def close(self) -> None:
        """See Warehouse: nothing stays open."""

    @contextmanager
    def _opened(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._lock:
            try:
                connection = duckdb.connect(self.path, read_only=read_only, config=ISOLATED)
            except duckdb.Error as error:
                raise self._unavailable(error) from error
            try:
                yield connection
            except duckdb.IOException as error:
                raise self._unavailable(error) from error
            except duckdb.Error as error:
                reason = error_of(error).error or ""
                raise WarehouseRefused(warehouse=self.name, reason=reason) from error
            finally:
                connection.close()

    def _unavailable(self, error: duckdb.Error) -> WarehouseUnavailable:
        reason = str(error).partition("\n")[0]
        step = "It is made by the first `tipoff warehouse export`; while one process writes, no other reads: retry."
        return WarehouseUnavailable(warehouse=self.name, reason=reason, next_step=step)


def _measured(connection: duckdb.DuckDBPyConnection, query: Query) -> Measure:
    """What `query` counted. DuckDB bills nothing, so `bytes_max` bounds nothing here; the time does."""
    stopped = threading.Timer(query.timeout_seconds, connection.interrupt)
    stopped.start()
    try:
        bound = {name: query.parameters[name] for name in parameters(query.sql)}
        rows = connection.execute(for_duckdb(query.sql), bound).fetchall()
    except duckdb.InterruptException:
        return error_of(f"no answer within {query.timeout_seconds} s")
    except (duckdb.Error, ValueError, KeyError) as error:
        return error_of(error)
    finally:
        stopped.cancel()
    return measure_of(rows)


def _structure(table: Table) -> str:
    """The shape of a list of rows, as `from_json` takes it."""
    return msgspec.json.encode([{column.name: _type(column) for column in table.columns}]).decode()


def _type(column: Column) -> Any:
    return [{field.name: _type(field) for field in column.fields}] if column.fields else TYPES[column.type]
