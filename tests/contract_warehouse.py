"""What every warehouse promises (`handlers/warehouse/engine.py`): one suite, run on DuckDB and on BigQuery.

A subclass gives the fixture `place`: a warehouse that is empty, and a way to put tables into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Protocol

import msgspec
import pytest

from events.catalogue import Event, GateEvaluated
from events.codec import GENESIS, chain, derive_id, encode
from events.memory import MemoryStore
from events.store import Commit, Head, Sealed, Store, Stored
from events.values import Measure, Verdict
from handlers.warehouse.engine import Query, Warehouse
from handlers.warehouse.export import Exporter
from handlers.warehouse.queries import queries_for
from handlers.warehouse.rows import place_of, portable
from handlers.warehouse.tables import TABLES, VIEWS
from tests.driving import nba
from tests.pipeline_tables import DATES, MEASURES, Tables, counted, statements
from tests.store_events import OTHER, STREAM, extend, ids, minutes
from tests.test_golden import a_night_that_a_person_let_pass

DAY = date(2026, 1, 16)


class Place(Protocol):
    """A warehouse, and what a test may do to it behind its back."""

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse under test."""

    def run(self, statements: Sequence[str]) -> None:
        """Run BigQuery statements."""

    def tables(self) -> set[str]:
        """Names of the tables and views of the export."""


def query(sql: str, **changes: Any) -> Query:
    """A question about 16 January."""
    fields = {"parameters": {"game_date": DAY, "sport": "nba"}, "timeout_seconds": 30, "bytes_max": 1_000_000_000}
    return Query(**{"measure": "m", "sql": sql, **fields, **changes})


def asked_alone(place: Place, sql: str, **changes: Any) -> Measure:
    """What one question is answered."""
    (answer,) = place.warehouse.measure([query(sql, **changes)])
    return answer


def agree(place: Place, found: Tables, days: Sequence[date] = DATES) -> None:
    """Every measure on every day is what counting by hand gives; what cannot be counted is an error."""
    place.run(statements(found))
    for day in days:
        queries = queries_for(nba(), MEASURES, day)
        answers = place.warehouse.measure([item for item in queries.values() if isinstance(item, Query)])
        by_hand = {name: value for name in MEASURES if (value := counted(found, name, day)) is not None}
        by_engine = {name: measure.value for name, measure in zip(queries, answers, strict=True) if not measure.error}
        assert by_engine == pytest.approx(by_hand, rel=1e-12)  # a share may be rounded in another order


class MeasuringContract:
    """What questions are answered."""

    def test_a_question_is_answered_with_its_number(self, place: Place):
        place.run(["CREATE OR REPLACE TABLE asked.t (d DATE, n INT64)"])
        place.run(["INSERT INTO asked.t (d, n) VALUES (DATE '2026-01-16', 3), (DATE '2026-01-16', 4), (NULL, 5)"])

        assert asked_alone(place, "SELECT SUM(n) FROM asked.t WHERE d = @game_date") == Measure(value=7.0)
        assert asked_alone(place, "SELECT COUNT(*) FROM asked.t WHERE d = @game_date AND @sport = 'mlb'").value == 0.0

    def test_what_gives_no_number_is_an_error_and_never_zero(self, place: Place):
        place.run(["CREATE OR REPLACE TABLE asked.t (d DATE, n INT64, s STRING)"])
        without = [
            asked_alone(place, "SELECT AVG(n) FROM asked.t WHERE d = @game_date"),
            asked_alone(place, "SELECT SAFE_DIVIDE(COUNT(*), COUNT(n)) FROM asked.t WHERE d = @game_date"),
            asked_alone(place, "SELECT n FROM asked.t WHERE d = @game_date"),
            asked_alone(place, "SELECT COALESCE(MAX(s), 'none') FROM asked.t WHERE d = @game_date"),
            asked_alone(place, "SELECT n FROM asked.nothing_here WHERE d = @game_date"),
            asked_alone(place, "SELECT n FROM nowhere.t WHERE d = @game_date"),
            asked_alone(place, "SELECT COUNT(nobody) FROM asked.t WHERE d = @game_date"),
            asked_alone(place, "SELECT COUNT(*) FROM asked.t WHERE"),
        ]

        assert [(answer.value, bool(answer.error)) for answer in without] == [(None, True)] * len(without)
        assert "NULL" in str(without[0].error)
        assert "nothing_here" in str(without[4].error)

    def test_a_question_that_fails_fails_alone(self, place: Place):
        place.run(["CREATE OR REPLACE TABLE asked.t (d DATE)"])
        good, bad = "SELECT COUNT(*) FROM asked.t WHERE d = @game_date", "SELECT n FROM asked.gone WHERE d = @game_date"

        answers = place.warehouse.measure([query(good), query(bad), query(good)])

        assert [answer.value for answer in answers] == [0.0, None, 0.0]
        assert place.warehouse.measure([]) == []

    def test_a_value_that_looks_like_sql_stays_a_value(self, place: Place):
        place.run(["CREATE OR REPLACE TABLE asked.t (s STRING)", "INSERT INTO asked.t (s) VALUES ('x')"])
        parameters: dict[str, date | str] = {"sport": "x' OR TRUE; DROP TABLE asked.t; --"}

        for _ in range(2):
            sql = "SELECT COUNT(*) FROM asked.t WHERE s = @sport"
            assert asked_alone(place, sql, parameters=parameters).value == 0.0


class ExportContract:
    """How rows come in."""

    def test_every_event_is_a_row_with_what_was_stored(self, place: Place):
        store = evaluated()
        done = Exporter(store, place.warehouse).run()

        assert done.events == len(list(store.read_all()))
        assert exported(place) == wanted(store)
        assert evaluations(place) == wanted_evaluations(store)
        assert done.evaluations == len(evaluations(place)) > 0

    def test_a_second_export_goes_on_where_the_first_one_ended(self, place: Place):
        store = MemoryStore()
        extend(store, STREAM, *ids(*range(5)))
        Exporter(store, place.warehouse).run()
        extend(store, OTHER, *ids(*range(5, 8)))
        done = Exporter(store, place.warehouse).run()

        assert (done.events, done.resumed, done.position) == (3, True, 8)
        assert exported(place) == wanted(store)

    def test_another_store_and_an_older_state_of_the_same_are_told_from_what_was_exported(self, place: Place):
        store, older, other = MemoryStore(), MemoryStore(), MemoryStore()
        for one in (store, older):
            extend(one, STREAM, *ids(*range(3)))
        extend(store, STREAM, *ids(*range(3, 6)))
        extend(older, OTHER, *ids(*range(6, 12)))
        extend(other, "nba/2026-01-20", *ids("other"))
        for one in (store, older, other):
            assert Exporter(one, place.warehouse).run().resumed is False

        both = {**wanted(store), **wanted(older), **wanted(other)}
        assert {id: row["hash"] for id, row in exported(place).items()} == {id: r["hash"] for id, r in both.items()}

    def test_an_empty_store_exports_nothing_and_says_so(self, place: Place):
        done = Exporter(MemoryStore(), place.warehouse).run()

        assert (done.events, done.position) == (0, None)
        assert exported(place) == {}

    def test_nothing_staged_is_left_behind(self, place: Place):
        Exporter(evaluated(), place.warehouse, batch_events_max=80).run()

        assert place.tables() == {*(table.name for table in TABLES), *VIEWS}


KNOWN_COLUMNS = (
    *("validation_id", "game_date", "phase_name", "is_valid", "mode", "issues", "metrics", "timestamp"),
    *("validation_timestamp", "validation_type", "severity", "message", "expected_value", "actual_value"),
    *("threshold", "details"),
)
"""What dashboards read, of the nested form and of the flat one (orchestration 4.7)."""

PHASE_NAMES = {
    "scrape_to_raw": "phase1_to_phase2",
    "raw_to_analytics": "phase2_to_phase3",
    "analytics_to_precompute": "phase3_to_phase4",
    "precompute_to_predictions": "phase4_to_phase5",
    "predictions_to_publishing": "phase5_to_phase6",
    "grading": "grading",
}


class ViewContract:
    """What dashboards see."""

    def test_every_evaluation_is_a_row_in_the_columns_that_dashboards_know(self, place: Place):
        store = evaluated()
        Exporter(store, place.warehouse).run()
        rows = place.warehouse.rows(f"SELECT * FROM {dataset_of(place)}.phase_boundary_validations")
        found = {row["validation_id"]: row for row in rows}

        assert len(rows) == len(found) == len(wanted_evaluations(store))
        for said in wanted_evaluations(store):
            row = found[said["event_id"]]
            assert [name for name in KNOWN_COLUMNS if name not in row] == []
            assert (row["game_date"], row["mode"]) == (said["game_date"], said["mode"])
            assert row["phase_name"] == PHASE_NAMES[said["gate"]]
            assert row["timestamp"] == row["validation_timestamp"] == said["evaluated_at"]
            assert row["is_valid"] is (said["blocking_outcome"] not in ("block", "error"))
            assert row["severity"] == _severity(said["checks"])
            issues = {issue["message"].partition(":")[0] for issue in row["issues"]}
            assert issues == {check["check"] for check in said["checks"] if check["verdict"] in GRAVITY}

    def test_the_gravest_issue_and_the_counts_of_games_are_told_as_dashboards_read_them(self, place: Place):
        Exporter(evaluated(), place.warehouse).run()
        (row, *_) = place.warehouse.rows(
            f"SELECT * FROM {dataset_of(place)}.phase_boundary_validations"
            " WHERE gate = 'raw_to_analytics' ORDER BY validation_timestamp"
        )
        metrics = plain(row["metrics"])

        assert (row["validation_type"], row["is_valid"]) == ("game_count", False)
        assert (row["actual_value"], row["expected_value"], row["threshold"]) == (1.0, 2.0, 0.8)
        assert (metrics["actual_game_count"], metrics["expected_game_count"]) == (1.0, 2.0)
        assert (metrics["game_count_actual"], metrics["game_count_expected"]) == (1.0, 2.0)
        assert metrics["quality_score"] is None

    def test_the_summary_counts_valid_and_invalid_ones_of_the_last_thirty_days(self, place: Place):
        (clock,) = place.warehouse.rows("SELECT CURRENT_DATE('America/New_York') AS today")
        recent, old = clock["today"] - timedelta(days=2), clock["today"] - timedelta(days=40)
        found = [evaluations_on(recent, "pass", "block", "error"), evaluations_on(old, "pass")]
        Exporter(store_of(found), place.warehouse).run()
        (row,) = place.warehouse.rows(f"SELECT * FROM {dataset_of(place)}.phase_validation_summary")

        assert (row["game_date"], row["phase_name"], row["mode"]) == (recent, "phase2_to_phase3", "blocking")
        assert (row["valid_count"], row["invalid_count"], row["total_validations"]) == (1, 2, 3)
        assert row["success_rate_pct"] == pytest.approx(100 / 3)
        assert row["last_validation_time"] == found[0][-1].recorded_at


def evaluations_on(day: date, *outcomes: Verdict) -> list[Event]:
    """Evaluations of one gate on a date, a minute apart."""
    return [
        Event(
            stream=f"nba/{day}",
            version=version,
            id=derive_id(str(day), str(version)),
            occurred_at=minutes(version),
            recorded_at=minutes(version),
            correlation="c",
            data=GateEvaluated(
                gate="raw_to_analytics",
                cycle="overnight",
                mode="blocking",
                outcome=outcome,
                blocking_outcome=outcome,
                checks=(),
                definition="nba@0",
            ),
        )
        for version, outcome in enumerate(outcomes, 1)
    ]


GRAVITY = ("block", "error", "warn")


def _severity(checks: list[dict[str, Any]]) -> str:
    verdicts = {check["verdict"] for check in checks}
    worst = next((verdict for verdict in GRAVITY if verdict in verdicts), None)
    return {"block": "error", "error": "error", "warn": "warning", None: "info"}[worst]


def evaluated() -> Store:
    """A store in which gates were evaluated: the golden history of a good night."""
    return store_of([a_night_that_a_person_let_pass().events])


def store_of(histories: Sequence[Sequence[Any]]) -> MemoryStore:
    """A store that holds these histories, each of one stream."""
    store = MemoryStore()
    for events in histories:
        previous, sealed = GENESIS, []
        for event in events:
            previous = chain(previous, encode(event))
            sealed.append(Sealed(event.id, event.version, encode(event), previous))
        head = Head(version=len(events), hash=previous, state=b"{}")
        store.append([Commit(stream=events[0].stream, expected_version=0, events=sealed, head=head)])
    return store


# --- what is in the tables, and what should be ----------------------------------------------------------------------


def exported(place: Place) -> dict[str, dict[str, Any]]:
    """Rows of `events` by event id; fails where one is there twice."""
    dataset = dataset_of(place)
    rows = place.warehouse.rows(f"SELECT * FROM {dataset}.events")
    assert len({row["event_id"] for row in rows}) == len(rows), "an event is there twice"
    return {row["event_id"]: {**row, "data": plain(row["data"])} for row in rows}


def evaluations(place: Place) -> list[dict[str, Any]]:
    """Rows of `gate_evaluations`, by version."""
    return place.warehouse.rows(f"SELECT * FROM {dataset_of(place)}.gate_evaluations ORDER BY stream, version")


def dataset_of(place: Place) -> str:
    name = place.warehouse.name
    return name.rpartition("/")[2] if name.startswith("bigquery") else "tipoff"


def plain(data: Any) -> Any:
    """JSON as a value: one engine hands it out as text."""
    return msgspec.json.decode(data) if isinstance(data, str) else data


def wanted(store: Store) -> dict[str, dict[str, Any]]:
    """What `events` has to hold, made from the stored bytes alone."""
    return {row["event_id"]: row for row in map(_wanted, store.read_all())}


def _wanted(stored: Stored) -> dict[str, Any]:
    event, body = stored.event(), msgspec.json.decode(stored.body)
    sport, _, rest = stored.stream.partition("/")
    day = rest.partition("/")[0]
    return {
        "event_id": body["id"],
        "stream": stored.stream,
        "sport": sport,
        "game_date": None if day == "control" else date.fromisoformat(day),
        "version": stored.version,
        "type": body["data"]["type"],
        "schema_version": body.get("schema", 1),
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "correlation": body["correlation"],
        "causation": body.get("causation"),
        "actor": body.get("actor", "pipeline"),
        "data": msgspec.json.decode(portable(msgspec.json.encode(body["data"]))),
        "hash": stored.hash,
        "position": stored.position,
    }


def wanted_evaluations(store: Store) -> list[dict[str, Any]]:
    """What `gate_evaluations` has to hold."""
    found = []
    for stored in store.read_all():
        event = stored.event()
        if isinstance(event.data, GateEvaluated):
            names = ("gate", "cycle", "mode", "outcome", "blocking_outcome", "definition")
            said = {name: getattr(event.data, name) for name in names}
            sport, game_date = place_of(stored.stream)
            found.append(
                {
                    "event_id": event.id,
                    "stream": stored.stream,
                    "sport": sport,
                    "game_date": game_date,
                    "version": event.version,
                    **said,
                    "evaluated_at": event.recorded_at,
                    "correlation": event.correlation,
                    "causation": event.causation,
                    "checks": [msgspec.to_builtins(check) for check in event.data.checks],
                }
            )
    return sorted(found, key=lambda row: (row["stream"], row["version"]))
