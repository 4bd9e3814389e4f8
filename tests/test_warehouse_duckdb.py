"""DuckDB keeps what a warehouse promises, and what belongs to a file: who holds it, what a query may reach."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.warehouse.dialect import for_duckdb
from handlers.warehouse.engine import Query, WarehouseUnavailable
from handlers.warehouse.in_duckdb import DuckDBWarehouse
from handlers.warehouse.queries import queries_for
from tests.contract_warehouse import ExportContract, MeasuringContract, ViewContract, agree, asked_alone, query
from tests.driving import nba
from tests.pipeline_tables import COLUMNS, DATES, Tables, statements, tables

SCHEMAS = ("asked", "nba_raw", "nba_analytics", "nba_precompute", "nba_predictions")


class DuckDBPlace:
    """A DuckDB file with the schemas of a pipeline."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warehouse = DuckDBWarehouse(path)
        with duckdb.connect(path) as connection:
            for schema in SCHEMAS:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")

    def run(self, statements: Sequence[str]) -> None:
        with duckdb.connect(self.path) as connection:
            connection.begin()
            for statement in statements:
                connection.execute(for_duckdb(statement))
            connection.commit()

    def tables(self) -> set[str]:
        with duckdb.connect(self.path) as connection:
            found = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tipoff'"
            return {name for (name,) in connection.execute(found).fetchall()}


@pytest.fixture
def place(tmp_path: Path) -> DuckDBPlace:
    return DuckDBPlace(tmp_path / "warehouse.duckdb")


class TestMeasuring(MeasuringContract):
    pass


class TestExport(ExportContract):
    pass


class TestViews(ViewContract):
    pass


@settings(max_examples=25)  # each makes ten tables in a file of its own
@given(tables(), st.sampled_from(DATES))
def test_a_measure_is_what_counting_by_hand_gives(found: Tables, day: date):
    with TemporaryDirectory() as folder:
        agree(DuckDBPlace(Path(folder) / "warehouse.duckdb"), found, [day])


def test_a_query_that_takes_too_long_is_stopped_and_is_an_error(place: DuckDBPlace):
    place.run(["CREATE TABLE asked.n AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, 20000)) AS n"])
    endless = (
        "SELECT SUM(a.n * b.n * c.n) FROM asked.n AS a, asked.n AS b, asked.n AS c WHERE DATE '2026-01-16' = @game_date"
    )

    answer = asked_alone(place, endless, timeout_seconds=1)

    assert answer.error == "no answer within 1 s"


def test_a_query_reaches_nothing_outside_of_the_file(place: DuckDBPlace, tmp_path: Path):
    (tmp_path / "secret.csv").write_text("n\n1\n")

    answer = asked_alone(place, f"SELECT COUNT(*) FROM `{tmp_path / 'secret.csv'}` WHERE @sport = 'nba'")

    assert "disabled" in str(answer.error)


def test_a_file_that_is_missing_or_somebody_elses_is_unavailable_and_no_number(tmp_path: Path):
    missing = DuckDBWarehouse(tmp_path / "missing.duckdb")
    foreign = tmp_path / "foreign.duckdb"
    foreign.write_bytes(b"no database" * 1000)

    for warehouse in (missing, DuckDBWarehouse(foreign)):
        with pytest.raises(WarehouseUnavailable, match="is unavailable") as caught:
            warehouse.measure([query("SELECT 1 FROM asked.t WHERE @game_date IS NULL")])
        assert caught.value.code == "warehouse_unavailable"
    assert not (tmp_path / "missing.duckdb").exists()


def players(place: DuckDBPlace, listed: Sequence[tuple[str, str | None]]) -> tuple[float | None, float | None]:
    """Players, and those with minutes, of three rows, one of them with minutes, where a roster lists these."""
    empty: Tables = {name: [] for name in COLUMNS}
    row = {"game_date": DATES[0], "game_id": "20260116_WAS_SAC", "points": 0, "usage_rate": 0.0}
    summary = [{**row, "player_lookup": f"p{number}", "minutes_played": 30.0 * (number == 1)} for number in (1, 2, 3)]
    roster = [{**row, "player_lookup": name, "player_status": status} for name, status in listed]
    tables = {**empty, "nba_analytics.player_game_summary": summary, "nba_raw.nbac_gamebook_player_stats": roster}
    place.run(statements(tables))
    queries = queries_for(nba(), ("players", "players_with_minutes"), DATES[0])
    one, other = place.warehouse.measure([item for item in queries.values() if isinstance(item, Query)])
    return one.value, other.value


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([("p1", "active"), ("p2", "inactive"), ("p3", "dnp")], 1.0),
        ([("p1", "active"), ("p2", "active"), ("p3", "dnp")], 2.0),
        ([("p1", "active"), ("p2", "inactive"), ("p2", "active"), ("p3", None)], 3.0),
        ([], 3.0),
    ],
    ids=["who sat out is no player", "who was active and has no minutes is", "on two rosters", "no roster"],
)
def test_a_player_is_whoever_has_a_row_and_was_not_said_to_sit_out(
    place: DuckDBPlace, listed: list[tuple[str, str | None]], expected: float
):
    """On 31 January 2026 there were 212 rows for 118 players; a count of rows would have blocked a whole date."""
    assert players(place, listed) == (expected, 1.0)
