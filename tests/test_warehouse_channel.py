"""Probes as a way out: a command is answered with measures, an error is no number, an outage is not silence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import CommandRequested, DefinitionAdopted, Fact, GateEvaluated, MeasuresObserved, Ticked
from events.codec import derive_id
from events.memory import MemoryStore
from events.store import Pending
from events.values import Measure
from handlers.dispatch import PermanentFailure, Sent, TransientFailure, dispatch
from handlers.recorder import Recorder
from handlers.warehouse.channel import ProbeChannel, job_id, takes
from handlers.warehouse.engine import Query, Warehouse
from handlers.warehouse.in_duckdb import DuckDBWarehouse
from handlers.warehouse.queries import measures_of, queries_for
from statemachine.definition import Definition
from tests.driving import nba
from tests.pipeline_tables import counted, mixed, statements
from tests.test_golden import played
from tests.test_warehouse_duckdb import DuckDBPlace

NOON = datetime(2026, 1, 17, 12, 0, tzinfo=UTC)
STREAM = "nba/2026-01-16"


def asks(*measures: str, boundary: str = "raw_to_analytics", name: str = "one", **payload: Any) -> Pending:
    """The command that asks for these measures of 16 January."""
    said = {"sport": "nba", "game_date": "2026-01-16", "boundary": boundary, "measures": list(measures)}
    command = CommandRequested(
        command_id=derive_id("command", name),
        kind="measure",
        topic=f"probe:{boundary}",
        payload={key: value for key, value in (said | payload).items() if value is not ...},
        ordering_key=STREAM,
    )
    return Pending(STREAM, command)


def channel(warehouse: Warehouse, clock: list[datetime] | None = None) -> ProbeChannel:
    times = clock or [NOON]
    return ProbeChannel(warehouse, {"nba": nba()}, lambda: times[-1])


def told(answer: Any) -> dict[str, Measure]:
    """The measures of an answer."""
    assert isinstance(answer, Sent)
    (fact,) = answer.facts
    assert isinstance(fact.data, MeasuresObserved)
    return fact.data.measures


@pytest.fixture
def place(tmp_path: Path) -> DuckDBPlace:
    place = DuckDBPlace(tmp_path / "warehouse.duckdb")
    place.run(statements(mixed()))
    return place


def test_a_command_is_answered_with_what_it_asks_for(place: DuckDBPlace):
    pending = asks("games_with_box_score", "games_without_active_players")
    (answer,) = channel(place.warehouse).send([pending])

    day = date(2026, 1, 16)
    assert told(answer) == {
        name: Measure(value=counted(mixed(), name, day))
        for name in ("games_with_box_score", "games_without_active_players")
    }
    assert isinstance(answer, Sent)
    (fact,) = answer.facts
    assert (fact.stream, fact.occurred_at, fact.correlation) == (STREAM, NOON, pending.command.command_id)
    assert answer.message_id == job_id(pending.command)


def test_the_same_command_gives_the_same_fact_id_and_the_same_job_ids(place: DuckDBPlace):
    first, again = (channel(place.warehouse).send([asks("players")])[0] for _ in range(2))
    other = channel(place.warehouse).send([asks("players", name="two")])[0]

    assert first == again
    assert isinstance(first, Sent)
    assert isinstance(other, Sent)
    assert first.facts[0].id != other.facts[0].id
    ids = {query.job_id for query in asked(nba(), "players", "table_rows.player_daily_cache").values()}
    assert ids == {"tipoff-probe-x-players", "tipoff-probe-x-table_rows-player_daily_cache"}


def asked(definition: Definition, *measures: str) -> dict[str, Query]:
    found = queries_for(definition, measures, date(2026, 1, 16), job_id="tipoff-probe-x")
    return {name: query for name, query in found.items() if isinstance(query, Query)}


def test_what_cannot_be_counted_is_an_error_beside_what_can(place: DuckDBPlace):
    place.run(["DROP TABLE nba_raw.bdl_player_boxscores"])
    wanted = ("games_with_box_score", "games_without_active_players", "table_rows.nobody", "unheard_of")
    measures = told(channel(place.warehouse).send([asks(*wanted)])[0])

    assert [measures[name].value is None for name in wanted] == [True, False, True, True]
    assert "bdl_player_boxscores" in str(measures["games_with_box_score"].error)
    assert measures["table_rows.nobody"].error == "no processor has the table of table_rows.nobody"
    assert measures["unheard_of"].error == "no probe counts unheard_of on 2026-01-16"


def test_rows_of_a_table_are_counted_by_the_column_that_holds_its_date(place: DuckDBPlace):
    query = asked(nba(), "table_rows.player_daily_cache")["table_rows.player_daily_cache"]
    assert query.sql == "SELECT COUNT(*) FROM `nba_precompute`.`player_daily_cache` WHERE `cache_date` = @game_date"


def test_a_source_is_counted_until_it_is_switched_off_and_its_successor_from_then_on():
    before, after = (queries_for(nba(), ["games_with_box_score"], date(2026, 1, day)) for day in (27, 28))

    assert "bdl_player_boxscores" in str(before)
    assert "nbac_player_boxscores" in str(after)


@pytest.mark.parametrize(
    "payload", [{"sport": "nhl"}, {"game_date": "soon"}, {"game_date": ...}, {"measures": None}, {"boundary": 7}]
)
def test_a_command_that_nobody_can_answer_is_refused_for_good(place: DuckDBPlace, payload: dict[str, Any]):
    bad, good = asks("players", **payload), asks("players", name="good")
    answers = channel(place.warehouse).send([bad, good])

    assert isinstance(answers[0], PermanentFailure)
    assert isinstance(answers[1], Sent)


def test_a_warehouse_that_is_away_is_asked_again_until_the_gate_waits_no_more(tmp_path: Path):
    clock = [NOON]
    probe = channel(DuckDBWarehouse(tmp_path / "missing.duckdb"), clock)
    wait = timedelta(minutes=nba().gate_of["raw_to_analytics"].measure_timeout_minutes)

    for moment in (NOON, NOON + wait / 2, NOON + wait - timedelta(seconds=1)):
        clock.append(moment)
        assert isinstance(probe.send([asks("games_with_box_score")])[0], TransientFailure)
    clock.append(NOON + wait)
    measures = told(probe.send([asks("games_with_box_score")])[0])

    assert measures["games_with_box_score"].value is None
    assert "is unavailable" in str(measures["games_with_box_score"].error)


def test_a_warehouse_that_comes_back_answers_with_numbers(place: DuckDBPlace, tmp_path: Path):
    hidden = tmp_path / "hidden.duckdb"
    place.path.rename(hidden)
    probe = channel(place.warehouse)
    assert isinstance(probe.send([asks("players")])[0], TransientFailure)

    hidden.rename(place.path)
    assert told(probe.send([asks("players")])[0])["players"].value is not None


class Answering:
    """A warehouse that answers each question with the next of the given measures."""

    name = "duckdb:answering"

    def __init__(self, measures: Sequence[Measure]) -> None:
        self.measures = list(measures)

    def measure(self, queries: Sequence[Query]) -> list[Measure]:
        return [self.measures.pop(0) for _ in queries]


@given(st.lists(st.one_of(st.floats(0, 100), st.text(min_size=1)), min_size=2, max_size=2))
def test_an_error_of_the_warehouse_is_never_a_number(said: list[float | str]):
    names = ["games_with_box_score", "games_without_active_players"]
    answers = [Measure(value=item) if isinstance(item, float) else Measure(error=item) for item in said]
    warehouse: Any = Answering(answers)

    assert told(channel(warehouse).send([asks(*names)])[0]) == dict(zip(names, answers, strict=True))


def test_only_commands_that_measure_are_for_this_way():
    command = asks("players").command
    assert takes(command)
    assert not takes(CommandRequested(**{**fields(command), "kind": "trigger"}))
    assert not takes(CommandRequested(**{**fields(command), "topic": "nba-phase3-trigger"}))


def fields(command: CommandRequested) -> dict[str, Any]:
    return {name: getattr(command, name) for name in command.__struct_fields__}


def test_a_gate_decides_on_what_the_warehouse_counted(place: DuckDBPlace):
    """From the command in the outbox to the evaluation, through the real recorder and dispatch."""
    recorder = Recorder(MemoryStore(), {"nba": nba()})
    play_until_gate(recorder)
    for _ in range(2):
        dispatch(recorder, channel(place.warehouse), NOON)

    events = [stored.event().data for stored in recorder.store.read_all()]
    evaluation = next(data for data in reversed(events) if isinstance(data, GateEvaluated))
    coverage = next(check for check in evaluation.checks if check.check == "box_score_coverage")
    box_scores = counted(mixed(), "games_with_box_score", date(2026, 1, 16))
    assert box_scores is not None
    assert coverage.basis.startswith(f"{box_scores:g} of ")
    assert evaluation.gate == "raw_to_analytics"


def play_until_gate(recorder: Recorder) -> None:
    """A date whose raw phase is complete, so that its boundary has to be measured."""
    for event in played().events:
        if isinstance(event.data, Ticked):
            recorder.tick(event.recorded_at)
        elif event.causation is None and not isinstance(event.data, DefinitionAdopted):
            recorder.record([(as_fact(event), event.recorded_at)])


def as_fact(event: Any) -> Fact:
    """The fact that an input was."""
    names = ("stream", "id", "occurred_at", "correlation", "data", "actor")
    return Fact(**{name: getattr(event, name) for name in names})


def test_measures_of_a_boundary_are_those_of_its_gate_with_its_tables_by_name():
    names = measures_of(nba(), "analytics_to_precompute", "2026-01-16")

    assert "games_in_analytics" in names
    assert "table_rows.team_offense_game_summary" in names
    assert "table_rows.*" not in names
    assert measures_of(nba(), "predictions_to_publishing", "2026-01-16") == ["predictions"]
