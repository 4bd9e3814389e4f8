"""Breakers in a store: verified, exported and imported like any other stream, and taken for no game date."""

from __future__ import annotations

from pathlib import Path

from events.calls import CallAnswered
from events.sqlite import SqliteStore
from handlers.outbound.breakers import SharedBreakers, of
from handlers.recorder import Recorder
from statemachine.streams import breaker_stream
from tests.command_line import evening, tipoff
from tests.driving import nba
from tests.outbound import NOON

DOMAIN = "127.0.0.1:8080"


def tripped(folder: Path) -> str:
    """A store in which an evening happened and a service failed until its breaker opened."""
    name = evening(folder, until="2026-01-17T07:00:00Z")
    store = SqliteStore.open(folder / "tipoff.db")
    shared = SharedBreakers(of(Recorder(store, {"nba": nba()})))
    for number in range(nba().client.breaker_threshold):
        shared.tell(DOMAIN, CallAnswered(call=str(number), outcome="failed", status=503, error="503"), NOON)
    assert shared.state(DOMAIN).position == "open"
    store.close()
    return name


def test_a_store_with_breakers_holds_its_own_rules_and_survives_the_way_out_and_in(tmp_path: Path):
    store, copy = tripped(tmp_path), f"sqlite:{tmp_path / 'copy.db'}"
    exported, again = tmp_path / "one.jsonl", tmp_path / "two.jsonl"

    assert tipoff("verify", "--store", store).code == 0
    assert tipoff("export", exported, "--store", store).code == 0
    assert tipoff("import", exported, "--store", copy).code == 0
    assert tipoff("export", again, "--store", copy).code == 0
    assert breaker_stream(DOMAIN) in exported.read_text()
    assert exported.read_bytes() == again.read_bytes()


def test_a_breaker_is_no_game_date(tmp_path: Path):
    store = tripped(tmp_path)

    assert {row["game_date"] for row in tipoff("day", "list", "--json", "--store", store).json} == {"2026-01-16"}
    for verb in (("health",), ("alerts",), ("heartbeats",), ("heal", "plan"), ("alerts", "digest"), ("rejected",)):
        assert tipoff(*verb, "--store", store).code in (0, 1, 2), verb
