"""The warehouse in BigQuery: the cloud home.

A query has a deterministic job id, a time and a byte limit: asked again after a crash, it is the same job, and its
answer is fetched instead of paid for twice. Rows come in by load jobs into staging tables of their own, and become
visible by one transaction that also moves the checkpoint. Nothing is retried in here; whoever asked
decides when to ask again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from time import monotonic
from typing import Any, cast

from google.api_core import exceptions as google
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from requests import exceptions as http

from events.values import Measure
from handlers.warehouse.dialect import parameters
from handlers.warehouse.engine import (
    Batch,
    Checkpoint,
    Query,
    WarehouseError,
    WarehouseRefused,
    WarehouseUnavailable,
    error_of,
    measure_of,
)
from handlers.warehouse.tables import (
    DATASET,
    Column,
    begin_checkpoint,
    ddl,
    merge_parameters,
    merge_statements,
    read_checkpoint,
    staged,
    staging_name,
)

CALL_SECONDS = 20.0
"""How long one call of the API may take; a query has its own time."""

WRITE_SECONDS = 300.0
"""How long a load job, a merge or a statement of DDL may take."""

IN_FLIGHT_MAX = 40
"""Queries that run at once: a project may run 100 for all its purposes."""

STAGING_DAYS = 1
"""A staging table that a crash left behind is gone after this."""

JOB_TRIES_MAX = 3
"""How often a question is asked under a new id because its job failed of something that passes."""

PASSING = frozenset({"backendError", "internalError", "jobBackendError", "jobInternalError", "rateLimitExceeded"})
"""Reasons of a failed job that may not be there the next time."""

UNAVAILABLE = (
    *(google.ServerError, google.TooManyRequests, google.RetryError),
    *(http.ConnectionError, http.Timeout, GoogleAuthError),
)
"""Nothing was answered. Anything else that Google raises is an answer."""

CONCURRENT = "concurrent update"
"""What BigQuery says of a transaction that another one has overtaken."""

ONCE: Any = None
"""Google's client repeats calls for minutes unless it is told not to."""

TYPES: dict[type, str] = {str: "STRING", int: "INT64", date: "DATE"}


class BigQueryWarehouse:
    """A Warehouse in the project of `client`. Our tables are in `dataset`, those that are measured wherever a query
    says. One client serves a process: it is safe to use from several threads."""

    def __init__(self, client: bigquery.Client, *, dataset: str = DATASET) -> None:
        self.client = client
        self.dataset = dataset
        self.name = f"bigquery:{client.project}/{dataset}"

    # measuring

    def measure(self, queries: Sequence[Query]) -> list[Measure]:
        """See Warehouse."""
        found: list[Measure] = []
        for first in range(0, len(queries), IN_FLIGHT_MAX):
            began, some = monotonic(), queries[first : first + IN_FLIGHT_MAX]
            jobs = [self._started(query) for query in some]
            found += [self._finished(job, query, began) for job, query in zip(jobs, some, strict=True)]
        return found

    def _started(self, query: Query) -> bigquery.QueryJob | Measure:
        """The job of a query: a new one, or the one that has been asked the same before."""
        try:
            bound = _bound({name: query.parameters[name] for name in parameters(query.sql)})
        except (ValueError, KeyError) as error:
            return error_of(error)
        config = bigquery.QueryJobConfig(
            query_parameters=bound,
            maximum_bytes_billed=query.bytes_max,
            job_timeout_ms=query.timeout_seconds * 1000,
            use_query_cache=False,
            labels={"tipoff": "probe"},
        )
        for attempt in range(1, JOB_TRIES_MAX + 1):
            job_id: Any = None if query.job_id is None else query.job_id + ("" if attempt == 1 else f"-{attempt}")
            try:
                with self._asking():
                    return self.client.query(
                        query.sql, config, job_id, retry=ONCE, timeout=CALL_SECONDS, job_retry=ONCE
                    )
            except google.Conflict:
                with self._asking():
                    job: Any = self.client.get_job(job_id, retry=ONCE, timeout=CALL_SECONDS)
                if not _passes(job):
                    return cast("bigquery.QueryJob", job)
            except google.GoogleAPICallError as error:
                return _refusal(error)
        return error_of(f"the job failed {JOB_TRIES_MAX} times of something that should pass: see {query.job_id}")

    def _finished(self, job: bigquery.QueryJob | Measure, query: Query, began: float) -> Measure:
        if isinstance(job, Measure):
            return job
        left = max(1.0, began + query.timeout_seconds - monotonic())
        try:
            rows = job.result(timeout=left, retry=ONCE, job_retry=ONCE)
            return measure_of([row.values() for row in rows])
        except FutureTimeout:
            with self._asking():
                job.cancel(retry=ONCE, timeout=CALL_SECONDS)
            return error_of(f"no answer within {query.timeout_seconds} s")
        except (google.GoogleAPICallError, *UNAVAILABLE) as error:
            failed = job.error_result is not None and not _passes(job)
            if failed or not isinstance(error, UNAVAILABLE):
                return _refusal(error)
            raise self._unavailable(error) from error

    # exporting

    def prepare(self) -> None:
        """See Warehouse. The dataset itself is not made: where data lives is the operator's decision."""
        for statement in ddl(self.dataset).values():
            self._run(statement)

    def checkpoint(self, origin: str) -> Checkpoint:
        """See Warehouse."""
        rows = self._run(read_checkpoint(self.dataset), {"origin": origin})
        if not rows:
            self._run(begin_checkpoint(self.dataset), {"origin": origin})
        position, last = (rows[0]["position"], rows[0]["hash"]) if rows else (0, "")
        return Checkpoint(origin=origin, position=position, hash=last)

    def stage(self, batch: Batch) -> None:
        """See Warehouse. Two load jobs at most."""
        for table, lines in staged(batch):
            place = self._table(staging_name(table, batch))
            place.schema = [_field(column) for column in table.columns]
            place.expires = datetime.now(UTC) + timedelta(days=STAGING_DAYS)
            config = bigquery.LoadJobConfig(
                schema=place.schema,
                source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
                write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
                labels={"tipoff": "export"},
            )
            with self._writing():
                self.client.create_table(place, exists_ok=True, retry=ONCE, timeout=CALL_SECONDS)
                job = self.client.load_table_from_file(
                    BytesIO(lines), place, num_retries=0, job_config=config, timeout=CALL_SECONDS
                )
                job.result(timeout=WRITE_SECONDS, retry=ONCE)

    def merge(self, batch: Batch) -> None:
        """See Warehouse."""
        statements = ["BEGIN TRANSACTION", *merge_statements(batch, self.dataset), "COMMIT TRANSACTION"]
        self._run(";\n".join(statements) + ";", merge_parameters(batch))

    def discard(self, batch: Batch) -> None:
        """See Warehouse."""
        for table, _lines in staged(batch):
            with self._writing():
                place = self._table(staging_name(table, batch))
                self.client.delete_table(place, not_found_ok=True, retry=ONCE, timeout=CALL_SECONDS)

    # reading

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """See Warehouse."""
        return [dict(row.items()) for row in self._run(sql)]

    def close(self) -> None:
        """See Warehouse."""
        self.client.close()

    # inside

    def _run(self, sql: str, values: dict[str, Any] | None = None) -> list[Any]:
        config = bigquery.QueryJobConfig(query_parameters=_bound(values or {}), labels={"tipoff": "export"})
        with self._writing():
            job = self.client.query(sql, config, retry=ONCE, timeout=CALL_SECONDS, job_retry=ONCE)
            return list(job.result(timeout=WRITE_SECONDS, retry=ONCE, job_retry=ONCE))

    def _table(self, name: str) -> bigquery.Table:
        return bigquery.Table(f"{self.client.project}.{self.dataset}.{name}")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Whatever is no answer becomes WarehouseUnavailable; answers that are errors pass."""
        try:
            yield
        except UNAVAILABLE as error:
            raise self._unavailable(error) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """As `_asking`; answers that are errors become WarehouseRefused."""
        try:
            with self._asking():
                yield
        except FutureTimeout as error:
            raise self._unavailable(f"no answer within {WRITE_SECONDS:g} s") from error
        except google.GoogleAPICallError as error:
            reason = _refusal(error).error or ""
            if CONCURRENT in reason:
                step = "Another export is under way; this one goes on where that one ends: retry."
                raise WarehouseUnavailable(warehouse=self.name, reason=reason, next_step=step) from error
            raise WarehouseRefused(warehouse=self.name, reason=reason) from error

    def _unavailable(self, error: object) -> WarehouseError:
        step = None
        if isinstance(error, GoogleAuthError):
            step = "Check the service account, or log in: gcloud auth application-default login."
        return WarehouseUnavailable(warehouse=self.name, reason=error_of(error).error or "", next_step=step)


def _passes(job: bigquery.QueryJob) -> bool:
    """True for a job that failed of something that may not be there the next time."""
    return job.error_result is not None and job.error_result.get("reason") in PASSING


def _refusal(error: Exception) -> Measure:
    """What BigQuery says, without the numbers of the call."""
    return error_of(str(getattr(error, "message", error)).partition("; reason:")[0])


def _bound(values: dict[str, Any]) -> list[bigquery.ScalarQueryParameter]:
    return [bigquery.ScalarQueryParameter(name, TYPES[type(value)], value) for name, value in values.items()]


def _field(column: Column) -> bigquery.SchemaField:
    if column.fields:
        return bigquery.SchemaField(column.name, "RECORD", mode="REPEATED", fields=[_field(f) for f in column.fields])
    return bigquery.SchemaField(column.name, column.type, mode="NULLABLE" if column.null else "REQUIRED")
