"""The same job on `DBOS` 3.4 with SQLite, as its documentation advises: a workflow a message.

The workflow's id is the message's key, so a second delivery starts nothing (its idempotency guide); the state is folded
by a transaction inside the workflow, which its SQLAlchemy datasource runs exactly once. Both SQLite files are put into
WAL mode beforehand, which DBOS itself does not do; `synchronous` stays at SQLite's default, FULL. A workflow is durable
when it returns, so there is no batch to acknowledge together.
"""

# mypy: ignore-errors
# The peers are not in the environment that mypy looks at.

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import sqlalchemy
from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource

from benchmarks.gist import gist, names_of
from benchmarks.job import Outcome
from statemachine.definition import Definition

TABLES = (
    "CREATE TABLE heard(id TEXT PRIMARY KEY, date TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE TABLE completed(date TEXT, phase TEXT, processor TEXT, PRIMARY KEY(date, phase, processor))",
)
HEAR = sqlalchemy.text("INSERT INTO heard(id, date, body) VALUES (:id, :date, :body)")
COMPLETE = sqlalchemy.text("INSERT OR IGNORE INTO completed(date, phase, processor) VALUES (:date, :phase, :processor)")


class DbosJob:
    """One workflow with one transaction a message."""

    name = "DBOS"

    def __init__(self, definition: Definition) -> None:
        self._names = names_of(definition)

    def open(self, folder: Path) -> None:
        """Start DBOS on empty databases in `folder`."""
        system, data = folder / "dbos-system.sqlite", folder / "dbos-data.sqlite"
        for file, statements in ((system, ()), (data, TABLES)):
            with closing(sqlite3.connect(file)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                for statement in statements:
                    connection.execute(statement)
        DBOS(config={"name": "benchmark", "system_database_url": f"sqlite:///{system}", "log_level": "ERROR"})
        self._data = SQLAlchemyDatasource.create(f"sqlite:///{data}")
        self._hear = _workflow(self._data)
        DBOS.launch()

    def take(self, lines: Sequence[bytes]) -> None:
        """Run the workflow of each message in `lines`."""
        for line in lines:
            said = gist(line, self._names)
            with SetWorkflowID(f"{said.date}/{said.key}"):
                self._hear(said.date, said.key, said.completes, said.body)

    def outcome(self) -> Outcome:
        """What the transactions stored."""
        with self._data.engine.connect() as connection:
            facts = connection.execute(sqlalchemy.text("SELECT count(*) FROM heard")).scalar_one()
            rows = connection.execute(sqlalchemy.text("SELECT date, phase, processor FROM completed")).all()
        return Outcome(facts=facts, completed=frozenset("/".join(row) for row in rows))

    def close(self) -> None:
        """Stop DBOS and forget its workflows."""
        DBOS.destroy(destroy_registry=True)
        self._data.engine.dispose()


def _workflow(data: SQLAlchemyDatasource) -> Callable[[str, str, tuple[str, str] | None, str], None]:
    @data.transaction
    def fold(date: str, key: str, completes: Sequence[str] | None, body: str) -> None:
        session = data.sql_session()
        session.execute(HEAR, {"id": f"{date}/{key}", "date": date, "body": body})
        if completes is not None:
            phase, processor = completes
            session.execute(COMPLETE, {"date": date, "phase": phase, "processor": processor})

    @DBOS.workflow()
    def hear(date: str, key: str, completes: tuple[str, str] | None, body: str) -> None:
        fold(date, key, completes, body)

    return hear
