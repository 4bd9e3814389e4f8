"""What the SQL of a probe may say: what both engines count alike, and nothing else."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from handlers.definitions import DefinitionErrors, load, parse, shipped
from handlers.warehouse.dialect import ALIKE, INSTEAD, dialect_findings, for_duckdb, parameters
from tests.contract_warehouse import asked_alone
from tests.definition_mistakes import NBA, line_of
from tests.test_warehouse_duckdb import DuckDBPlace

GRADED = "SELECT COUNT(*) FROM nba_predictions.prediction_accuracy WHERE"

REFUSED = {
    f"{GRADED} game_date = @game_day": "there is no parameter @game_day",
    f"{GRADED} TRUE": "never looks at @game_date",
    f"{GRADED} game_date == == @game_date": "is not BigQuery SQL",
    f"{GRADED} game_date = @game_date LIMIT 1": "`LIMIT 1` is not known to count alike",
    f"{GRADED} EXTRACT(DAYOFWEEK FROM @game_date) = 1": "EXTRACT: its parts differ",
    f"{GRADED} DATE_ADD(game_date, INTERVAL 1 DAY) = @game_date": "DATE_ADD gives a date on one engine",
    f"{GRADED} DATE_SUB(game_date, INTERVAL 1 DAY) = @game_date": "DATE_SUB gives a date on one engine",
    f"{GRADED} FORMAT('%t', game_date) = FORMAT('%t', @game_date)": "FORMAT writes differently",
    f"{GRADED} CAST(game_date AS STRING) = @sport AND game_date = @game_date": "CAST rounds differently",
    f"{GRADED} name LIKE 'a%' AND game_date = @game_date": "LIKE escapes differently",
    f"{GRADED} HLL_COUNT.EXTRACT(x) = 1 AND game_date = @game_date": "is not known to count alike",
    f"{GRADED} game_date = @game_date QUALIFY TRUE": "is not known to count alike",
    "SELECT ARRAY_AGG(x LIMIT 1) FROM a.b WHERE d = @game_date": "ARRAY_AGG is not known to count alike",
    "SELECT SUM(a) / COUNT(*) FROM a.b WHERE d = @game_date": "use SAFE_DIVIDE",
    "SELECT COUNT(DISTINCT a, b) FROM a.b WHERE d = @game_date": "COUNT(DISTINCT …) takes one column",
    "SELECT COUNT(*), 1 FROM a.b WHERE d = @game_date": "has to give one number",
    "SELECT AS STRUCT 1 FROM a.b WHERE d = @game_date": "has to give one number",
    "SELECT * FROM a.b WHERE d = @game_date": "has to give one number",
    "SELECT COUNT(*) FROM b WHERE d = @game_date": "`b` is not a table",
    "SELECT COUNT(*) FROM p.a.b WHERE d = @game_date": "`p.a.b` is not a table",
    "SELECT COUNT(*) FROM a.`b.csv` WHERE d = @game_date": "is not a table",
    "SELECT COUNT(*) FROM read_csv('b') WHERE d = @game_date": "READ_CSV is not known",
    "DELETE FROM a.b WHERE d = @game_date": "has to be one SELECT",
    "SELECT COUNT(*) FROM a.b WHERE d = @game_date; DROP TABLE a.b": "has to be one SELECT",
    "SELECT MAX(n) FROM (SELECT COUNT(*) AS g, 1 AS n FROM a.b WHERE d = @game_date GROUP BY g) AS x": (
        "alias `g` is also a column of GROUP BY"
    ),
}
"""Queries that one of the two engines would not run, or would count another number, and what is said of them."""


def with_graded(sql: str) -> str:
    """The NBA definition with another query for `graded`."""
    old = f'sql = "{GRADED} game_date = @game_date"'
    assert NBA.count(old) == 1
    return NBA.replace(old, f'sql = "{sql}"')


@pytest.mark.parametrize("sql", REFUSED)
def test_a_query_that_the_engines_count_differently_is_refused_when_the_definition_is_loaded(sql: str):
    text = with_graded(sql)
    with pytest.raises(DefinitionErrors) as caught:
        parse(text)

    errors = caught.value.errors
    assert [error for error in errors if REFUSED[sql] in error.message]
    assert {error.line for error in errors} == {line_of(text, f'sql = "{sql}"')}


def test_all_that_is_wrong_with_a_query_is_said_at_once():
    with pytest.raises(DefinitionErrors) as caught:
        parse(with_graded("SELECT ROUND(x) / 2 FROM b WHERE d = @day"))

    said = " ".join(error.message for error in caught.value.errors)
    assert len(caught.value.errors) == 4
    for part in ("use SAFE_DIVIDE", "`b` is not a table", "no parameter @day", "never looks at @game_date"):
        assert part in said


@pytest.mark.parametrize("name", shipped())
def test_the_queries_of_a_shipped_definition_are_sound_though_loading_does_not_judge_them_again(name: str):
    assert list(dialect_findings(load(name))) == []


ROWS = (
    "CREATE OR REPLACE TABLE asked.rows (d DATE, n INT64, x FLOAT64, s STRING, b BOOL)",
    "INSERT INTO asked.rows (d, n, x, s, b) VALUES (DATE '2026-01-16', 1, 0.5, 'Ä it''s', TRUE)".replace("''", "\\'"),
    "INSERT INTO asked.rows (d, n, x, s, b) VALUES (DATE '2026-01-16', 2, NULL, NULL, FALSE)",
    "INSERT INTO asked.rows (d, n, x, s, b) VALUES (DATE '2026-01-16', 2, 2.5, 'b', NULL), (NULL, 9, 9.5, 'B', TRUE)",
)
ALIKE_QUERIES = {
    "SELECT COUNT(*) FROM asked.rows WHERE d = @game_date": 3,
    "SELECT COUNT(DISTINCT n) FROM asked.rows WHERE d = @game_date": 2,
    "SELECT COUNTIF(x > 1) FROM asked.rows WHERE d = @game_date": 1,
    "SELECT COUNTIF(x > 1) FROM asked.rows WHERE d = @game_date AND FALSE": 0,
    "SELECT SUM(n) + AVG(x) - MIN(n) * MAX(n) FROM asked.rows WHERE d = @game_date": 4.5,
    "SELECT SUM(DISTINCT n) FROM asked.rows WHERE d = @game_date": 3,
    "SELECT SAFE_DIVIDE(SUM(n), 2) FROM asked.rows WHERE d = @game_date": 2.5,
    "SELECT COALESCE(SAFE_DIVIDE(SUM(n), 0), -1) FROM asked.rows WHERE d = @game_date": -1,
    "SELECT IF(COUNT(*) > 2, 10, 20) FROM asked.rows WHERE d = @game_date": 10,
    "SELECT SUM(CASE WHEN b THEN 1 WHEN NOT b THEN 10 ELSE 100 END) FROM asked.rows WHERE d = @game_date": 111,
    "SELECT COUNT(*) FROM asked.rows WHERE d = @game_date AND LOWER(s) = 'ä it\\'s'": 1,
    "SELECT COUNT(*) FROM asked.rows WHERE UPPER(s) = 'B' AND (d = @game_date OR d IS NULL)": 2,
    "SELECT COUNT(*) FROM asked.rows WHERE d = @game_date AND n IN (1, 3) AND x IS NOT NULL": 1,
    "SELECT COUNT(*) FROM asked.rows WHERE d = @game_date AND n NOT IN (1, NULL)": 0,
    "SELECT COUNT(*) FROM asked.rows WHERE d <= @game_date AND n BETWEEN 1 AND 2 AND n != 1": 2,
    "SELECT COUNT(*) FROM (SELECT n FROM asked.rows WHERE d = @game_date GROUP BY n HAVING COUNT(*) >= 2) AS g": 1,
    "SELECT MAX(m) FROM (SELECT n + 1 AS m FROM asked.rows WHERE d = @game_date) AS g": 3,
    "WITH some AS (SELECT n FROM asked.rows WHERE d = @game_date) SELECT COUNT(*) FROM some": 3,
    "SELECT COUNT(*) FROM asked.rows AS a JOIN asked.rows AS b ON a.n = b.n WHERE a.d = @game_date": 5,
    "SELECT COUNT(*) FROM asked.rows AS a LEFT JOIN asked.rows AS b ON a.s = b.s WHERE a.d = @game_date": 3,
    "SELECT COUNT(*) FROM (SELECT n FROM asked.rows WHERE d = @game_date UNION DISTINCT SELECT 7) AS u": 3,
    "SELECT COUNT(*) FROM asked.rows AS a WHERE EXISTS (SELECT 1 FROM asked.rows AS b WHERE b.n = a.n AND b.b)"
    " AND a.d = @game_date": 1,
    "SELECT MAX(n) FROM asked.rows WHERE d = @game_date AND @sport = 'nba'": 2,
    "SELECT -MAX(n) FROM asked.rows WHERE d = @game_date AND (n < 2 OR x IS NULL)": -2,
}
"""Every construct that is allowed, with what it counts."""


@pytest.mark.parametrize("sql", ALIKE_QUERIES)
def test_what_is_allowed_is_allowed_at_load(sql: str):
    assert parse(with_graded(sql.replace("\\", "\\\\"))).version


def test_duckdb_counts_what_is_allowed_as_said(tmp_path):
    place = DuckDBPlace(tmp_path / "warehouse.duckdb")
    place.run(ROWS)

    assert {sql: asked_alone(place, sql).value for sql in ALIKE_QUERIES} == ALIKE_QUERIES


def test_every_construct_that_is_allowed_has_been_shown_to_count_alike():
    used = {type(node) for sql in ALIKE_QUERIES for node in sqlglot.parse_one(sql, read="bigquery").walk()}
    inside = {exp.Var}  # how the parser keeps the names of parameters

    assert ALIKE - used - inside == set()
    assert not ALIKE & INSTEAD.keys()


def test_parameters_are_named_once_and_stay_parameters():
    sql = "SELECT COUNT(*) FROM a.b WHERE d = @game_date OR (e = @game_date AND s = @sport)"

    assert parameters(sql) == ("game_date", "sport")
    assert for_duckdb(sql).count("$game_date") == 2
    with pytest.raises(ValueError, match="not BigQuery SQL"):
        for_duckdb("SELECT (")
