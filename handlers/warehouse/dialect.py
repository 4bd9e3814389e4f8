"""What the SQL of a probe may say, and the same SQL for DuckDB.

One text serves BigQuery and DuckDB. The translation is right for most of SQL and silently wrong for some of it: a
division by zero is an error there and infinite here, weekdays count from 1 there and from 0 here. So a query may only
use what has been shown to count alike on both (`ALIKE`, held by a test that runs every construct on the two engines);
anything else is refused when the definition is loaded, not at six in the morning by a wrong number.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError, UnsupportedError

from statemachine.definition import Definition
from statemachine.soundness import Finding
from statemachine.soundness.places import Place
from statemachine.soundness.probes import ALL_TABLES

PARAMETERS = ("game_date", "sport")
"""What a probe is told. Always bound as parameters, never written into the text."""

ALIKE: frozenset[type[exp.Expr]] = frozenset(
    {
        *(exp.Select, exp.From, exp.Where, exp.Group, exp.Having, exp.Join, exp.Union, exp.Subquery, exp.With, exp.CTE),
        *(exp.Table, exp.TableAlias, exp.Column, exp.Identifier, exp.Alias, exp.Star, exp.Distinct, exp.Exists),
        *(exp.Literal, exp.Boolean, exp.Null, exp.Parameter, exp.Var, exp.Paren),
        *(exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
        *(exp.Count, exp.CountIf, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.SafeDivide, exp.Coalesce, exp.Case, exp.If),
        *(exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Lower, exp.Upper),
    }
)
"""Parts of a query that mean the same on both engines."""

INSTEAD: dict[type[exp.Expr], str] = {
    exp.Div: "`/`: dividing by zero is an error on one engine and infinite on the other; use SAFE_DIVIDE",
    exp.DayOfWeek: "DAYOFWEEK counts from 1 on one engine and from 0 on the other",
    exp.Extract: "EXTRACT: its parts differ, weekdays for one; bind what you compare with",
    exp.DateAdd: "DATE_ADD gives a date on one engine and an instant on the other; compare with @game_date as it is",
    exp.DateSub: "DATE_SUB gives a date on one engine and an instant on the other; compare with @game_date as it is",
    exp.Format: "FORMAT writes differently on the two engines",
    exp.Cast: "CAST rounds differently on the two engines",
    exp.Like: "LIKE escapes differently on the two engines; compare with =, or IN",
}
"""What people are most likely to try, and why not."""

_LINE = "is not known to count alike on BigQuery and DuckDB; docs/warehouse.md has what a query may use"


def dialect_findings(definition: Definition) -> Iterator[Finding]:
    """What is wrong with the SQL of the probes and of the validators."""
    queries: list[tuple[Place, str, bool]] = [
        *(
            (("probes", at, "sql"), probe.sql, probe.measure == ALL_TABLES)
            for at, probe in enumerate(definition.probes)
        ),
        *((("validators", at, "sql"), validator.sql, True) for at, validator in enumerate(definition.validators)),
    ]
    for place, sql, is_filled in queries:
        for message in dict.fromkeys(_wrong(sql, is_filled=is_filled)):
            yield place, message


def _wrong(sql: str, *, is_filled: bool) -> Iterator[str]:
    if is_filled:
        sql = filled(sql, table="dataset.name", date_column="game_date")
    if "{" in sql or "}" in sql:
        return  # said by the rule of what is filled in
    try:
        statements = sqlglot.parse(sql, read="bigquery")
    except SqlglotError as error:
        yield f"is not BigQuery SQL: {_first_line(error)}"
        return
    query = statements[0] if len(statements) == 1 else None
    if not isinstance(query, exp.Select):
        yield "has to be one SELECT"
        return
    yield from _refused(query)
    if len(query.expressions) != 1 or query.is_star or query.args.get("kind"):
        yield "has to give one number: one expression behind SELECT, and no *"
    yield from _parameters(query)
    yield from _tables(query)
    yield from _hidden_columns(query)


def _refused(query: exp.Select) -> Iterator[str]:
    for node in query.walk():
        kind = type(node)
        if kind in ALIKE:
            continue
        yield INSTEAD.get(kind) or f"{_called(node)} {_LINE}"
        return  # what stands around it and inside it is another matter
    counted = [count for count in query.find_all(exp.Distinct) if isinstance(count.parent, exp.Count)]
    if any(len(distinct.expressions) != 1 for distinct in counted):
        yield "COUNT(DISTINCT …) takes one column"


def _called(node: exp.Expr) -> str:
    """A part of a query as its author wrote it, in short."""
    if isinstance(node, exp.Anonymous):
        return str(node.name).upper()
    return str(node.sql_name()) if isinstance(node, exp.Func) else f"`{node.sql(dialect='bigquery')}`"


def _parameters(query: exp.Select) -> Iterator[str]:
    names = set(parameters_in(query))
    for name in sorted(names.difference(PARAMETERS)):
        yield f"there is no parameter @{name}: known are @game_date and @sport"
    if "game_date" not in names:
        yield "never looks at @game_date: it would count all dates"


def _tables(query: exp.Select) -> Iterator[str]:
    named = {cte.alias for cte in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        if not (table.name in named and not table.db) and (not table.db or table.catalog or not table.name):
            yield f"`{table.sql(dialect='bigquery')}` is not a table: `dataset.table`"


def _hidden_columns(query: exp.Select) -> Iterator[str]:
    """An alias that is also a column of GROUP BY means one of them here and the other there."""
    for select in query.find_all(exp.Select):
        group = select.args.get("group")
        grouped = {column.name for column in group.find_all(exp.Column)} if group is not None else set()
        for projection in select.expressions:
            if isinstance(projection, exp.Alias) and projection.alias in grouped:
                yield f"alias `{projection.alias}` is also a column of GROUP BY: give it another name"


def parameters_in(query: exp.Expr) -> list[str]:
    """Names of the parameters that a query reads, each once."""
    return list(dict.fromkeys(parameter.name for parameter in query.find_all(exp.Parameter)))


def filled(sql: str, *, table: str, date_column: str) -> str:
    """`sql` with the identifiers of one table in its braces, quoted. They were judged when the definition was loaded:
    letters, digits and `_`."""
    quoted = ".".join(f"`{part}`" for part in table.split("."))
    return sql.replace("{table}", quoted).replace("{date_column}", f"`{date_column}`")


@lru_cache(maxsize=256)
def parameters(sql: str) -> tuple[str, ...]:
    """Names of the parameters that a BigQuery text reads. Raises ValueError where it is none."""
    return tuple(parameters_in(_parsed(sql)))


@lru_cache(maxsize=256)
def for_duckdb(sql: str) -> str:
    """A BigQuery statement as DuckDB's. Raises ValueError where it is none, or DuckDB has no counterpart."""
    query = _parsed(sql)
    if isinstance(query, exp.Create):
        query.set("properties", None)  # partitions, clusters and descriptions are BigQuery's
        for column in query.find_all(exp.ColumnDef):
            column.set(
                "constraints", [c for c in column.constraints if isinstance(c.kind, exp.NotNullColumnConstraint)]
            )
    for countif in list(query.find_all(exp.CountIf)):  # DuckDB's gives NULL, not 0, where there is no row
        countif.replace(exp.Count(this=exp.Case(ifs=[exp.If(this=countif.this, true=exp.Literal.number(1))])))
    try:
        return query.sql(dialect="duckdb", unsupported_level=sqlglot.ErrorLevel.IMMEDIATE)
    except UnsupportedError as error:
        raise ValueError(f"DuckDB has no counterpart: {_first_line(error)}") from error


def _parsed(sql: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(sql, read="bigquery")
    except SqlglotError as error:
        raise ValueError(f"not BigQuery SQL: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
