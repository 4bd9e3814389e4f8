"""Validators from the file to a person: one more of them is an edit of a file, and a table with planted defects is told
at its minute with what to do. Real store, real recorder, real warehouse, the real command line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from events.catalogue import AlertRaised, AlertResolved, CompletionRecorded, Fact, Input, SchedulePublished
from events.codec import derive_id
from events.sqlite import SqliteStore
from events.store import Pending
from events.values import Game
from handlers.definitions import load
from handlers.dispatch import Answer, TransientFailure, dispatch
from handlers.recorder import Recorder
from handlers.warehouse.channel import ProbeChannel, takes
from statemachine.definition import Definition
from tests.command_line import Ran, tipoff
from tests.definition_mistakes import NBA
from tests.test_warehouse_duckdb import DuckDBPlace

STREAM = "nba/2026-01-16"
WRITTEN = datetime(2026, 1, 17, 6, 0, tzinfo=UTC)
TOLD = WRITTEN + timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
TABLE = "nba_analytics.team_defense_game_summary"

ONE_MORE = """
[[validators]]
name = "opponent_named"
processor = "team_defense_game_summary"
counts = "rows that do not say against whom"
sql = "SELECT COUNTIF(opponent_team_abbr IS NULL) FROM {table} WHERE {date_column} = @game_date"
block_above = 0
severity = "critical"
remediation = "Ask the schedule who played, and fill it in"
"""

GOOD = ["'WAS', 'SAC', 111.5, 104", "'SAC', 'WAS', 107.0, 101"]
NO_OPPONENT = ["'WAS', 'SAC', 111.5, 104", "'SAC', NULL, 107.0, 101"]
DEFECTS = [*NO_OPPONENT, "'SAC', 'WAS', 178.0, 101", "'LAL', 'WAS', 100.0, 100"]
"""Rows of one game: three teams, one of them twice, a rating beyond reason, and nobody against SAC."""


class OnlyProbes:
    """A way out for questions; whatever else leaves the house waits in the outbox."""

    def __init__(self, probes: ProbeChannel) -> None:
        self._probes = probes

    def send(self, batch: list[Pending]) -> list[Answer]:
        return [
            self._probes.send([pending])[0] if takes(pending.command) else TransientFailure("not here")
            for pending in batch
        ]


class House:
    """An embedded installation: a store, a warehouse, and a definition with one more validator than the shipped one."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "mine.toml"
        self.file.write_text(NBA + ONE_MORE)
        self.definition: Definition = load(self.file)
        self.place = DuckDBPlace(folder / "warehouse.duckdb")
        self.path = folder / "tipoff.db"
        self.recorder = Recorder(SqliteStore.open(self.path), {"nba": self.definition})
        self.now = WRITTEN
        probes = ProbeChannel(self.place.warehouse, {"nba": self.definition}, lambda: self.now)
        self.channel = OnlyProbes(probes)

    def table(self, rows: list[str]) -> None:
        """Let the table hold these rows of one game, and the schedule that game as final."""
        game = "DATE '2026-01-16', '20260116_WAS_SAC'"
        key = "game_date DATE, game_id STRING"
        columns = f"{key}, defending_team_abbr STRING, opponent_team_abbr STRING"
        self.place.run(
            [
                f"CREATE OR REPLACE TABLE nba_raw.nbac_schedule ({key}, game_status_text STRING)",
                f"INSERT INTO nba_raw.nbac_schedule (game_date, game_id, game_status_text) VALUES ({game}, 'Final')",
                f"CREATE OR REPLACE TABLE {TABLE} ({columns}, defensive_rating FLOAT64, points_allowed INT64)",
                f"INSERT INTO {TABLE} (game_date, game_id, defending_team_abbr, opponent_team_abbr, defensive_rating,"
                f" points_allowed) VALUES {', '.join(f'({game}, {row})' for row in rows)}",
            ]
        )

    def say(self, data: Input, at: datetime) -> None:
        fact = Fact(
            stream=STREAM, id=derive_id(str(at), type(data).__name__), occurred_at=at, correlation="c", data=data
        )
        self.recorder.record([(fact, at)])

    def write(self, at: datetime) -> None:
        """The processor says that it has written its table."""
        name = "TeamDefenseGameSummaryProcessor"
        self.say(CompletionRecorded(phase="analytics", published_name=name, status="success", run=str(at)), at)

    def until(self, end: datetime) -> None:
        """Every minute a tick, and whatever is asked is answered by the warehouse."""
        while self.now < end:
            self.now += MINUTE
            self.recorder.tick(self.now)
            dispatch(self.recorder, self.channel, self.now)

    def told(self, kind: type[AlertRaised] | type[AlertResolved] = AlertRaised) -> list[tuple[datetime, str, str]]:
        """When, which cause and what was said about the table."""
        events = [stored.event() for stored in self.recorder.store.read(STREAM)]
        found = [(event.recorded_at, event.data) for event in events if isinstance(event.data, kind)]
        return [
            (at, data.cause, data.detail if isinstance(data, AlertRaised) else data.reason)
            for at, data in found
            if data.subject == "team_defense_game_summary"
        ]

    def ask(self, *argv: str) -> Ran:
        """The command line, on this store, under this definition."""
        environ = {"TIPOFF_STORE": f"sqlite:{self.path}", "TIPOFF_DEFINITIONS": str(self.file)}
        environ["TIPOFF_WAREHOUSE"] = f"duckdb:{self.place.path}"
        return tipoff(*argv, environ=environ, clock=lambda: self.now)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    game = Game(game_id="20260116_WAS_SAC", start_utc=datetime(2026, 1, 17, 3, 0, tzinfo=UTC))
    house.say(SchedulePublished(games=(game,), source="league"), datetime(2026, 1, 12, 12, 0, tzinfo=UTC))
    yield house
    house.recorder.store.close()


def test_planted_defects_are_told_at_their_minute_with_what_to_do(house: House):
    house.table(DEFECTS)
    house.write(WRITTEN)
    house.until(TOLD - MINUTE)
    assert house.told() == []

    house.until(TOLD)
    ((at, cause, detail),) = house.told()
    assert (at, cause) == (TOLD, "gate_warned")
    assert "games without exactly two teams: 1 (fails above 0)" in detail
    assert "teams with more than one row in a game: 1 (fails above 0)" in detail
    assert "rows with a defensive rating below 80 or above 150: 1 (warns above 0)" in detail
    assert "opponent_named fails: rows that do not say against whom: 1 (fails above 0)" in detail
    assert "Ask the schedule who played, and fill it in" in detail
    assert "points_allowed" not in detail
    waiting = [pending.command for pending in house.recorder.store.pending() if pending.command.kind == "alert"]
    (page,) = [command for command in waiting if command.payload["subject"] == "team_defense_game_summary"]
    assert (page.topic, page.payload["detail"]) == ("alert:critical", detail)


def test_a_table_that_is_mended_resolves_what_was_told(house: House):
    house.table(NO_OPPONENT)
    house.write(WRITTEN)
    house.until(TOLD)
    assert len(house.told()) == 1

    house.table(GOOD)
    house.write(TOLD + MINUTE)
    house.until(TOLD + 30 * MINUTE)
    ((at, cause, _reason),) = house.told(AlertResolved)
    assert cause == "gate_warned"
    assert at <= TOLD + 11 * MINUTE


def test_a_good_table_is_told_to_nobody(house: House):
    house.table(GOOD)
    house.write(WRITTEN)
    house.until(TOLD + 180 * MINUTE)

    assert house.told() == []
    assert house.recorder.state(STREAM).gates["team_defense_game_summary@overnight"].evaluation.outcome == "pass"


def test_a_table_that_is_not_there_is_an_error_at_the_same_minute_and_no_pass(house: House):
    house.write(WRITTEN)
    house.until(TOLD)

    ((at, cause, detail),) = house.told()
    assert (at, cause) == (TOLD, "gate_error")
    assert "could not be measured: Catalog Error" in detail
    checks = house.recorder.state(STREAM).gates["team_defense_game_summary@overnight"].evaluation.checks
    assert {(each.verdict, each.measured) for each in checks} == {("error", None)}


def test_whoever_asks_is_told_what_to_do(house: House):
    house.table(NO_OPPONENT)
    house.write(WRITTEN)
    house.until(TOLD)
    house.recorder.store.close()
    remedy = "Ask the schedule who played, and fill it in"

    shown = house.ask("day", "show", "2026-01-16", "--json").json
    gate = next(gate for gate in shown["gates"] if gate["gate"] == "team_defense_game_summary")
    assert (gate["cycle"], gate["outcome"], gate["mode"]) == ("overnight", "warn", "warning")
    verdicts = {each["check"]: (each["measured"], each["block"], each["verdict"]) for each in gate["checks"]}
    assert verdicts["opponent_named"] == (1.0, 0.0, "block")
    assert verdicts["two_teams_a_game"] == (0.0, 0.0, "pass")
    assert any(remedy in alert["detail"] for alert in shown["alerts"])
    health = house.ask("health", "--json")
    assert remedy in health.out
    assert health.code == 2
    explained = house.ask("day", "explain", "2026-01-16", "--json").json
    assert any(remedy in alert for alert in explained["alerts"])
    assert any("recheck --target team_defense_game_summary" in option["command"] for option in explained["options"])
    causes = house.ask("report", "2026-01-16", "--json").json["root_causes"]
    (cause,) = [cause for cause in causes if cause["category"] == "table_not_valid"]
    assert (cause["subject"], cause["phase"]) == ("team_defense_game_summary.opponent_named", "analytics")
    assert remedy in cause["effect"]


# --- the command line -----------------------------------------------------------------------------------------------


def test_the_definition_is_checked_and_shown_with_the_validator_that_was_added(house: House):
    assert house.ask("definition", "check", str(house.file), "--json").json["validators"] == 26
    shown = house.ask("definition", "show", str(house.file)).out
    assert "rows that do not say against whom" in shown


@pytest.mark.parametrize(
    ("rows", "code", "failed"),
    [
        (GOOD, 0, set()),
        (["'WAS', 'SAC', 60.0, 104", GOOD[1]], 1, {"defensive_rating"}),
        (NO_OPPONENT, 2, {"opponent_named"}),
        ([GOOD[0]], 2, {"two_teams_a_game"}),
    ],
)
def test_validators_run_on_demand_and_end_with_the_gravest_of_them(house: House, rows, code, failed):
    house.table(rows)
    ran = house.ask("warehouse", "validate", "2026-01-16", "team_defense_game_summary", "--json")

    assert ran.code == code
    (table,) = ran.json["tables"]
    assert {each["validator"] for each in table["validators"] if each["verdict"] != "pass"} == failed
    assert all(each["remediation"] for each in table["validators"])
    assert table["table"] == TABLE


def test_a_run_on_demand_records_nothing_and_says_what_it_cannot_count(house: House):
    before = house.recorder.store.head(STREAM)
    ran = house.ask("warehouse", "validate", "2026-01-16", "--json")

    assert ran.code == 1
    seen = [each for table in ran.json["tables"] for each in table["validators"]]
    assert len(seen) == 26
    assert {(each["value"], each["verdict"], each["severity"]) for each in seen} == {(None, "error", "warning")}
    assert all(each["error"] for each in seen)
    assert house.recorder.store.head(STREAM) == before
    text = house.ask("warehouse", "validate", "2026-01-16", "team_defense_game_summary").out
    assert "opponent_named: Ask the schedule who played, and fill it in" in text


def test_a_processor_without_validators_is_refused_with_those_that_have_some(house: House):
    ran = house.ask("warehouse", "validate", "2026-01-16", "player_game_summary")

    assert ran.code == 64
    assert "has no validators of 'player_game_summary'" in ran.err
    assert "player_daily_cache" in ran.err
