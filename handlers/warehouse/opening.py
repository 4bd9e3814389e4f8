"""Warehouses by name: `bigquery:PROJECT[/DATASET]`, `duckdb:PATH`, and nothing for none.

A process opens its warehouse once; what stands behind it (one BigQuery client) is shared by all who ask.
"""

from __future__ import annotations

import os
import re
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from handlers.warehouse.engine import Warehouse, WarehouseUnavailable
from handlers.warehouse.tables import DATASET

EMULATOR = "BIGQUERY_EMULATOR_HOST"
"""Where an emulator of BigQuery listens, as `http://HOST:PORT`; Google's client reads it."""

TAKES = "bigquery:PROJECT[/DATASET] or duckdb:PATH"
_PROJECT = re.compile(r"[a-z][a-z0-9-]{2,61}[a-z0-9]|[a-z0-9.-]+:[a-z][a-z0-9-]+")
_DATASET = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,1023}")


class WarehouseNameInvalid(ValueError):
    """The name is not one of a warehouse that this build can open."""

    code = "warehouse_name_invalid"

    def __init__(self, *, name: str, reason: str, next_step: str = f"Give {TAKES}.") -> None:
        self.name, self.reason, self.next_step = name, reason, next_step
        super().__init__(name, reason, next_step)

    def __str__(self) -> str:
        return f"warehouse {self.name!r}: {self.reason}. {self.next_step}"


class WarehouseName(Struct, frozen=True):
    """A warehouse's name, understood. `path` is that of a DuckDB file, `project` that of BigQuery."""

    path: Path | None = None
    project: str | None = None
    dataset: str = DATASET


def warehouse_name(name: str) -> WarehouseName:
    """The warehouse that `name` names. Raises WarehouseNameInvalid."""
    scheme, _, rest = name.partition(":")
    if scheme == "duckdb" and rest and "\0" not in rest:
        return WarehouseName(path=Path(rest).expanduser())
    if scheme == "bigquery":
        project, slash, dataset = rest.partition("/")
        if _PROJECT.fullmatch(project) and (_DATASET.fullmatch(dataset) if slash else True):
            return WarehouseName(project=project, dataset=dataset or DATASET)
        raise WarehouseNameInvalid(name=name, reason="project or dataset is not one")
    if scheme == "duckdb":
        raise WarehouseNameInvalid(name=name, reason="the path is missing")
    raise WarehouseNameInvalid(name=name, reason="it begins with no known kind of warehouse")


def open_warehouse(name: str) -> closing[Warehouse]:
    """The warehouse called `name`, to be used in a `with` statement that closes it. Raises WarehouseNameInvalid,
    WarehouseUnavailable. Each kind imports its client only when it is opened."""
    parsed = warehouse_name(name)
    if parsed.path is not None:
        from handlers.warehouse.in_duckdb import DuckDBWarehouse  # noqa: PLC0415 - a third of a second of start-up

        return closing(DuckDBWarehouse(parsed.path))
    assert parsed.project is not None
    return closing(_open_bigquery(name, parsed.project, parsed.dataset))


def _open_bigquery(name: str, project: str, dataset: str) -> Warehouse:
    try:
        from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from google.cloud import bigquery  # noqa: PLC0415

        from handlers.warehouse.in_bigquery import BigQueryWarehouse  # noqa: PLC0415
    except ImportError as error:
        next_step = "Install it: pip install 'tipoff[cloud]'."
        raise WarehouseNameInvalid(name=name, reason=f"{error.name} is not installed", next_step=next_step) from error
    try:
        # An emulator asks nobody who they are; where it is, the client reads by itself.
        nobody = AnonymousCredentials() if EMULATOR in os.environ else None
        return BigQueryWarehouse(bigquery.Client(project=project, credentials=nobody), dataset=dataset)
    except GoogleAuthError as error:
        next_step = "Log in: gcloud auth application-default login."
        raise WarehouseUnavailable(warehouse=name, reason=str(error), next_step=next_step) from error
