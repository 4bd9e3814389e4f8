"""What a warehouse promises, whoever implements it: BigQuery in the cloud, a DuckDB file when embedded.

Implementations: `in_bigquery.py`, `in_duckdb.py`. One contract suite, `tests/contract_warehouse.py`, runs on both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct

from events.values import Measure

ERROR_LENGTH_MAX = 300
"""Characters of an engine's error that a measure keeps."""


class Query(Struct, frozen=True, kw_only=True):
    """One number to be counted. `sql` is BigQuery SQL, `parameters` are bound to it. `job_id` makes asking again cost
    nothing: the same id is the same question (None: a question that is asked once)."""

    measure: str
    sql: str
    parameters: dict[str, date | str]
    timeout_seconds: int
    bytes_max: int
    job_id: str | None = None


class Checkpoint(Struct, frozen=True, kw_only=True):
    """How far the store whose first event has the hash `origin` was exported: up to the event `hash` at `position`,
    which is 0 for a store that was not."""

    origin: str
    position: int
    hash: str


class Batch(Struct, frozen=True, kw_only=True):
    """Rows that become visible together, as JSON lines, and the checkpoint that holds once they are. `id` follows from
    the rows; `first` and `last` are their game dates, None where no row has one."""

    id: str
    events: bytes
    events_count: int
    evaluations: bytes
    evaluations_count: int
    first: date | None
    last: date | None
    checkpoint: Checkpoint


class WarehouseError(Exception):
    """Base of what a warehouse raises. `code` is stable; `next_step` is for the operator."""

    code = "warehouse_error"
    next_step = "Retry: what was exported is exported, and nothing is exported twice."

    def __init__(self, *, warehouse: str, reason: str, next_step: str | None = None) -> None:
        self.warehouse, self.reason = warehouse, reason
        self.next_step = next_step or type(self).next_step
        super().__init__(warehouse, reason, self.next_step)

    def __str__(self) -> str:
        return f"warehouse {self.warehouse} {self._what}: {self.reason}. {self.next_step}"

    @property
    def _what(self) -> str:
        return "failed"


class WarehouseUnavailable(WarehouseError):
    """Nothing can be asked of it now. That says nothing about any number."""

    code = "warehouse_unavailable"

    @property
    def _what(self) -> str:
        return "is unavailable"


class WarehouseRefused(WarehouseError):
    """It answers, and refuses: rights, a table of another shape, rows it cannot read."""

    code = "warehouse_refused"
    next_step = "`tipoff warehouse ddl` shows the tables as they have to be; check them, and the rights of the account."

    @property
    def _what(self) -> str:
        return "refuses"


class Warehouse(Protocol):
    """A place to measure and to export to. Every method but `close` may raise WarehouseUnavailable; those that write
    may raise WarehouseRefused. Safe to use from several threads."""

    @property
    def name(self) -> str:
        """`bigquery:PROJECT/DATASET` or `duckdb:PATH`."""

    def measure(self, queries: Sequence[Query]) -> list[Measure]:
        """What each query counted, in their order: a value, or the error that stood in its way. A query that fails
        fails alone."""

    def prepare(self) -> None:
        """Make the tables and views that are missing. Changes none that is there, but for the text of views."""

    def checkpoint(self, origin: str) -> Checkpoint:
        """How far the store with that origin was exported; one that never was begins at position 0 by this."""

    def stage(self, batch: Batch) -> None:
        """Load the rows beside the tables, where nobody reads them. Again with the same batch: the same rows."""

    def merge(self, batch: Batch) -> None:
        """In one step: insert each staged row whose event id is not there yet, and move the checkpoint. Where two
        merge in the same instant, one of them is told that the warehouse is unavailable, and nothing of it holds."""

    def discard(self, batch: Batch) -> None:
        """Remove what was staged. Idempotent."""

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What a BigQuery query gives, row by row."""

    def close(self) -> None:
        """Release files and connections. Idempotent."""


def measure_of(rows: Sequence[Sequence[Any]]) -> Measure:
    """The measure that an answer is: one finite number, and else an error; never a number made up for one."""
    if len(rows) != 1 or len(rows[0]) != 1:
        return Measure(error=f"the query gave {len(rows)} rows, not one number")
    value = rows[0][0]
    if value is None:
        return Measure(error="the query gave NULL: there was nothing to count from")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        return Measure(error=f"the query gave {value!r}, which is no number"[:ERROR_LENGTH_MAX])
    return Measure(value=float(value))


def error_of(text: object) -> Measure:
    """A measure that could not be made, with the first line of why."""
    line = str(text).strip().partition("\n")[0]
    return Measure(error=line[:ERROR_LENGTH_MAX] or "the query failed without a word")
