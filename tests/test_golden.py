"""Golden histories: committed once, replayed on every run. Same events, same bytes, whatever the code has become
(design 8.12). A history that no longer replays is a break of the storage format or of `decide`: the first is never
right, the second is written anew on purpose with TIPOFF_WRITE_GOLDEN=1 and reviewed as a diff.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from events.catalogue import Event, Fact, is_input
from events.codec import GENESIS, chain, decode, encode
from statemachine.decide import decide
from statemachine.definition import decode_definition
from statemachine.evolve import evolve, initial
from tests.conftest import ROOT
from tests.driving import Driver, nba

FOLDER = ROOT / "tests" / "golden"

ANALYTICS = ["TeamOffenseGameSummaryProcessor", "TeamDefenseGameSummaryProcessor", "PlayerGameSummaryProcessor"]
ALL_ANALYTICS = [*ANALYTICS, "AsyncUpcomingPlayerGameContextProcessor", "UpcomingTeamGameContextProcessor"]
SCRAPERS = ["bdl_box_scores", "nbac_player_boxscore", "nbac_gamebook_pdf"]
RAW = ["BdlBoxscoresProcessor", "NbacGamebookProcessor", "NbacPlayerBoxscoreProcessor", "OddsApiGameLinesProcessor"]
PRECOMPUTE = list(nba().cycle_of["overnight"].step_of["precompute"].expected)
TABLES = {
    f"table_rows.{name}": 10
    for name in (
        *("player_game_summary", "team_offense_game_summary", "team_defense_game_summary"),
        *("upcoming_player_game_context", "upcoming_team_game_context"),
    )
}
PRECOMPUTE_TABLES = {
    f"table_rows.{name}": 10
    for name in (
        *("player_daily_cache", "player_shot_zone_analysis", "player_composite_factors"),
        *("team_defense_zone_analysis", "ml_feature_store_v2"),
    )
}


def played(stream: str = "nba/2026-01-16") -> Driver:
    day = Driver(nba(), stream)
    day.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z", "2026-01-17T03:00Z")
    day.until("2026-01-17T05:15Z")
    day.complete_all("scrape", SCRAPERS, "2026-01-17T06:06Z")
    day.complete_all("raw", RAW, "2026-01-17T06:10Z")
    return day


def a_good_night() -> Driver:
    day = played()
    day.measure("raw_to_analytics", "2026-01-17T06:11Z", games_with_box_score=2, games_without_active_players=0)
    day.confirm("2026-01-17T06:12Z")
    day.complete_all("analytics", ALL_ANALYTICS, "2026-01-17T06:20Z", row_basis="rows")
    numbers = {"games_in_analytics": 2, "players": 40, "players_with_minutes": 40, "null_rate_pct": 0.5}
    day.measure("analytics_to_precompute", "2026-01-17T06:21Z", **numbers, **TABLES)
    day.complete_all("precompute", PRECOMPUTE, "2026-01-17T06:40Z")
    clean = {"players_expected": 40, "players_with_clean_features": 38, "feature_quality_avg": 78.9}
    day.measure("precompute_to_predictions", "2026-01-17T06:41Z", **clean, **PRECOMPUTE_TABLES)
    graded = {"predictions_found": 100, "graded_count": 95}
    day.complete("grading", "Phase5BGrading", "2026-01-17T16:00Z", extra=graded)
    day.until("2026-01-18T12:00Z")
    return day


def a_night_that_a_person_let_pass() -> Driver:
    day = played()
    day.measure("raw_to_analytics", "2026-01-17T06:11Z", games_with_box_score=1, games_without_active_players="timeout")
    day.until("2026-01-17T12:00Z")
    day.operator("acknowledge", "2026-01-17T12:01Z", target="gate_blocked", reason="on it")
    day.operator("override", "2026-01-17T12:30Z", target="raw_to_analytics", reason="the gamebook is complete")
    day.complete_all("analytics", ANALYTICS, "2026-01-17T12:40Z", status="failed", error_message="no module")
    day.until("2026-01-19T12:00Z")
    return day


def a_date_without_games() -> Driver:
    day = Driver(nba(), "nba/2026-02-13")
    day.schedule("2026-01-10T12:00Z", source="league")
    day.until("2026-02-20T00:00Z")
    return day


HISTORIES: dict[str, tuple[Callable[[], Driver], str]] = {
    "good_night": (a_good_night, "complete"),
    "overridden_night": (a_night_that_a_person_let_pass, "active"),
    "no_games": (a_date_without_games, "no_games"),
}


def lines_of(driver: Driver) -> list[bytes]:
    """A header with the definition and the final hash, then the events as stored."""
    bodies = [encode(event) for event in driver.events]
    previous = GENESIS
    for body in bodies:
        previous = chain(previous, body)
    header = {"definition": nba().content.decode(), "hash": previous, "events": len(bodies)}
    return [json.dumps(header).encode(), *bodies, encode(driver.state)]


def golden(name: str) -> list[bytes]:
    path: Path = FOLDER / f"{name}.jsonl"
    if os.environ.get("TIPOFF_WRITE_GOLDEN") == "1":
        path.write_bytes(b"\n".join(lines_of(HISTORIES[name][0]())) + b"\n")
    return path.read_bytes().splitlines()


@pytest.mark.parametrize("name", HISTORIES)
def test_a_golden_history_folds_to_the_same_bytes_under_the_same_hash(name: str):
    header, *bodies, final = golden(name)
    said = json.loads(header)
    events = [decode(body) for body in bodies]
    state, previous = initial(events[0].stream), GENESIS
    for body, event in zip(bodies, events, strict=True):
        assert encode(event) == body
        previous = chain(previous, body)
        state = evolve(state, event)
    assert previous == said["hash"]
    assert len(bodies) == said["events"]
    assert encode(state) == final


@pytest.mark.parametrize("name", HISTORIES)
def test_a_golden_history_decided_again_gives_the_same_events(name: str):
    header, *bodies, _final = golden(name)
    definition = decode_definition(json.loads(header)["definition"])
    events = [decode(body) for body in bodies]
    state = initial(events[0].stream)
    for group in groups(events):
        first = group[0]
        fact = Fact(
            stream=first.stream,
            id=first.id,
            occurred_at=first.occurred_at,
            correlation=first.correlation,
            data=first.data,  # type: ignore[arg-type]
            actor=first.actor,
        )
        again = decide(state, fact, first.recorded_at, definition)
        assert [encode(event) for event in again] == [encode(event) for event in group]
        for event in group:
            state = evolve(state, event)


def groups(events: list[Event]) -> list[list[Event]]:
    """Each input with the decisions it caused."""
    found: list[list[Event]] = []
    for event in events:
        if is_input(event):
            found.append([])
        found[-1].append(event)
    return found


@pytest.mark.parametrize("name", HISTORIES)
def test_a_golden_history_ends_as_its_name_says(name: str):
    status = HISTORIES[name][1]
    assert json.loads(golden(name)[-1]).get("status", "scheduled") == status
