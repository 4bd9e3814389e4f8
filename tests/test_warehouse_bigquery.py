"""BigQuery keeps what a warehouse promises, and what belongs to a service far away: jobs, rights, a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from handlers.warehouse.engine import WarehouseRefused, WarehouseUnavailable
from handlers.warehouse.export import Exporter
from handlers.warehouse.in_bigquery import BigQueryWarehouse
from tests.bigquery_emulator import PROJECT
from tests.contract_warehouse import (
    ExportContract,
    MeasuringContract,
    ViewContract,
    agree,
    asked_alone,
    evaluated,
    evaluations,
    exported,
    query,
)
from tests.emulators import free_port
from tests.pipeline_tables import DATES, mixed
from tests.test_warehouse_dialect import ALIKE_QUERIES, ROWS
from tests.test_warehouse_duckdb import SCHEMAS, DuckDBPlace

_DATASETS = count(1)


class BigQueryPlace:
    """A dataset of its own on the emulator, and those of a pipeline."""

    def __init__(self, url: str) -> None:
        nobody = AnonymousCredentials()
        self.client = bigquery.Client(project=PROJECT, credentials=nobody, client_options={"api_endpoint": url})
        self.dataset = f"tipoff_{next(_DATASETS)}"
        self.warehouse = BigQueryWarehouse(self.client, dataset=self.dataset)
        for schema in (self.dataset, *SCHEMAS):
            self.client.create_dataset(schema, exists_ok=True)

    def run(self, statements: Sequence[str]) -> None:
        self.client.query(";\n".join(statements) + ";").result()

    def tables(self) -> set[str]:
        return {table.table_id for table in self.client.list_tables(self.dataset)}


@pytest.fixture
def place(bigquery_url: str) -> Iterator[BigQueryPlace]:
    place = BigQueryPlace(bigquery_url)
    with closing(place.warehouse):
        yield place


class TestMeasuring(MeasuringContract):
    pass


class TestExport(ExportContract):
    pass


class TestViews(ViewContract):
    pass


@pytest.mark.timeout(400)  # every measure of two dates, of an emulator that answers a few questions a second
def test_a_measure_is_what_counting_by_hand_and_the_other_engine_give(place: BigQueryPlace, tmp_path: Path):
    agree(place, mixed(), [DATES[0], DATES[2]])
    agree(DuckDBPlace(tmp_path / "warehouse.duckdb"), mixed())


def test_both_engines_hold_the_same_rows_after_the_same_export(place: BigQueryPlace, tmp_path: Path):
    store, other = evaluated(), DuckDBPlace(tmp_path / "warehouse.duckdb")
    for warehouse in (place.warehouse, other.warehouse):
        Exporter(store, warehouse).run()

    assert exported(place) == exported(other)
    assert evaluations(place) == evaluations(other)


def test_a_question_asked_again_under_its_id_is_one_job_with_one_answer(place: BigQueryPlace):
    place.run(["CREATE OR REPLACE TABLE asked.again (d DATE)"])
    sql, job_id = "SELECT COUNT(*) FROM asked.again WHERE @game_date IS NOT NULL", f"{place.dataset}-once"
    first = asked_alone(place, sql, job_id=job_id)
    place.run(["INSERT INTO asked.again (d) VALUES (NULL)"])

    assert asked_alone(place, sql, job_id=job_id) == first
    assert asked_alone(place, sql, job_id=f"{job_id}-anew").value == 1.0
    assert len([job for job in place.client.list_jobs() if job.job_id.startswith(job_id)]) == 2


def test_a_question_that_was_refused_is_refused_again_under_its_id(place: BigQueryPlace):
    sql, job_id = "SELECT COUNT(*) FROM asked.never_there WHERE d = @game_date", f"{place.dataset}-refused"
    first = asked_alone(place, sql, job_id=job_id)

    assert "never_there" in str(first.error)
    assert asked_alone(place, sql, job_id=job_id) == first


def test_a_query_carries_its_limits_to_the_server(place: BigQueryPlace):
    place.run(["CREATE OR REPLACE TABLE asked.limits (d DATE)"])
    job_id = f"{place.dataset}-limits"
    sql = "SELECT COUNT(*) FROM asked.limits WHERE d = @game_date"
    place.warehouse.measure([query(sql, job_id=job_id, timeout_seconds=7, bytes_max=12345)])

    job: Any = place.client.get_job(job_id)
    assert job.maximum_bytes_billed == 12345
    assert job._properties["configuration"]["jobTimeoutMs"] == "7000"
    assert job.use_query_cache is False


def test_a_warehouse_that_nobody_answers_for_is_unavailable_and_no_number():
    client = bigquery.Client(
        project=PROJECT,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": f"http://127.0.0.1:{free_port()}"},
    )
    nowhere = BigQueryWarehouse(client)

    with closing(nowhere), pytest.raises(WarehouseUnavailable, match="bigquery:test/tipoff is unavailable"):
        nowhere.measure([query("SELECT 1")])
    with pytest.raises(WarehouseUnavailable):
        nowhere.prepare()


def test_a_dataset_that_is_missing_is_a_refusal_that_names_it(place: BigQueryPlace):
    warehouse = BigQueryWarehouse(place.client, dataset="not_there")

    with pytest.raises(WarehouseRefused, match="not_there") as caught:
        warehouse.prepare()
    assert "tipoff warehouse ddl" in caught.value.next_step


def test_what_a_probe_may_say_counts_on_bigquery_as_on_duckdb(place: BigQueryPlace):
    place.run(ROWS)
    answers = place.warehouse.measure([query(sql) for sql in ALIKE_QUERIES])

    assert dict(zip(ALIKE_QUERIES, [answer.value for answer in answers], strict=True)) == ALIKE_QUERIES
