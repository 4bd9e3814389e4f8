"""The recorded week of January 2026 through the projections: health, reconciliation, quality and service levels say of
it what its records say. Expected values come from the field's record (incidents I1; the oracle of the week), not from
the program."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from events.store import Store
from handlers import definitions
from handlers.demo_facts import load_week
from handlers.demo_play import files_in, fresh_store, play
from handlers.recorded import Recorded
from handlers.reviews import Span, reconciliation, report, season_health, service_levels
from handlers.stores import open_store
from projections.metrics import Metric
from projections.reconciliation import DateReconciliation
from tests.command_line import tipoff
from tests.driving import moment

END = moment("2026-01-21T05:15Z")
"""Behind the last deadline of the week's last date."""

DATES = [f"2026-01-{day}" for day in range(13, 20)]

GAMES = dict(zip(DATES, (7, 7, 9, 6, 9, 6, 9), strict=True))
BOX_SCORES = dict(zip(DATES, (5, 5, 1, 5, 7, 4, 8), strict=True))
PREDICTIONS = dict(zip(DATES, (295, 285, 2193, 1328, 313, 1680, 615), strict=True))
GRADED = {"2026-01-13": 271, "2026-01-14": 261, "2026-01-15": 1964, "2026-01-16": 1232}
"""Incident I1, its table of dates."""


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a store in which the week happened."""
    files = files_in(tmp_path_factory.mktemp("week"))
    with fresh_store(files) as store:
        play(load_week(), store, definitions.load("nba", {}), files)
    return files.store_name


@pytest.fixture(scope="module")
def store(name: str) -> Iterator[Store]:
    with open_store(name, create=False, read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def recorded(store: Store) -> Recorded:
    return Recorded(store, {"nba": definitions.load("nba", {})})


@pytest.fixture(scope="module")
def reconciled(recorded: Recorded) -> dict[str, DateReconciliation]:
    return {item.game_date: item for item in reconciliation(recorded, END).dates}


@pytest.fixture(scope="module")
def oracle(shared_data: Path) -> dict[str, dict[str, str]]:
    with (shared_data / "oracle_2026-01-13_19.csv").open(encoding="utf-8", newline="") as file:
        return {row["game_date"]: row for row in csv.DictReader(file)}


def link(found: DateReconciliation, target: str) -> Any:
    return next(item for item in found.links if item.target == target)


# --- reconciliation -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("game_date", DATES)
def test_box_scores_and_grades_are_those_of_the_record(reconciled: dict[str, DateReconciliation], game_date: str):
    found = reconciled[game_date]
    box_scores, grades = link(found, "box_scores"), link(found, "grades")

    assert (box_scores.source_count, box_scores.target_count) == (GAMES[game_date], BOX_SCORES[game_date])
    assert (grades.source_count, grades.target_count) == (PREDICTIONS[game_date], GRADED.get(game_date))
    assert (grades.status == "error") == (game_date not in GRADED)


def test_the_week_lost_eighteen_box_scores(recorded: Recorded):
    total = next(item for item in reconciliation(recorded, END).totals if item.target == "box_scores")

    assert (total.source_count, total.target_count, total.missing_count) == (53, 35, 18)
    assert {status: count for status, count in total.dates.items() if count} == {"warning": 2, "error": 5}


def test_the_missing_games_are_the_ones_that_had_no_box_score(
    reconciled: dict[str, DateReconciliation], shared_data: Path
):
    missing: dict[str, set[str]] = {game_date: set() for game_date in DATES}
    with (shared_data / "box_score_presence_2026-01-13_19.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["bdl_boxscore_present"] == "0":
                missing[row["game_date_et"]].add(row["alt_game_id"])

    assert {day: set(found.missing_games.games) for day, found in reconciled.items()} == missing


def test_coverage_is_that_of_the_oracle(reconciled: dict[str, DateReconciliation], oracle: dict[str, dict[str, str]]):
    for game_date, row in oracle.items():
        assert link(reconciled[game_date], "box_scores").coverage == pytest.approx(float(row["coverage"]), abs=0.0005)


def test_lost_completions_are_what_tables_had_and_completion_records_had_not(
    recorded: Recorded, oracle: dict[str, dict[str, str]]
):
    """As it stood on the evening of each date, before anybody repaired a table."""
    judged = 0
    for game_date, row in oracle.items():
        if not row["phase4_tables"] or not row["phase4_completion_record"]:
            continue
        tables, completions = (int(row[name][0]) for name in ("phase4_tables", "phase4_completion_record"))
        at = moment(f"{game_date}T23:59Z")
        (found,) = reconciliation(recorded, at, Span(first=game_date, last=game_date), at=at).dates
        lost = [item.processor for item in found.records if item.kind == "rows_without_completion"]
        assert len(lost) == tables - completions, game_date
        judged += 1
    assert judged == 4


def test_the_tables_repaired_by_hand_are_found_without_a_completion(reconciled: dict[str, DateReconciliation]):
    """16 January: two tables on the evening of the 19th; 18 January: all five on the morning of the 20th."""
    repaired = {
        game_date: {item.processor: item.rows for item in reconciled[game_date].records}
        for game_date in ("2026-01-16", "2026-01-18")
    }

    assert repaired["2026-01-16"] == {"player_daily_cache": 119, "player_composite_factors": 119}
    assert repaired["2026-01-18"] == {
        "player_daily_cache": 124,
        "player_shot_zone_analysis": 445,
        "player_composite_factors": 144,
        "ml_feature_store": 170,
        "team_defense_zone_analysis": 30,
    }


# --- quality ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("game_date", [day for day in DATES if BOX_SCORES[day] / GAMES[day] < 0.75])
def test_a_date_that_lost_more_than_a_quarter_of_its_box_scores_is_bronze(recorded: Recorded, game_date: str):
    found = report(recorded, "nba", game_date, END)

    assert found.tier == "BRONZE"
    assert found.coverage == pytest.approx(BOX_SCORES[game_date] / GAMES[game_date])


def test_a_date_is_as_good_as_it_is_known_to_be(recorded: Recorded):
    """16 January: 3 of 5 precompute tables until the repair of the 19th; 5 of 6 box scores for good."""
    before = report(recorded, "nba", "2026-01-16", END, at=moment("2026-01-19T12:00Z"))
    after = report(recorded, "nba", "2026-01-16", END)

    assert (before.tier, after.tier) == ("BRONZE", "SILVER")
    assert before.coverage == pytest.approx(3 / 5)
    assert after.coverage == pytest.approx(5 / 6)


def test_the_first_cause_of_a_held_date_is_its_box_scores_with_what_they_hold(recorded: Recorded):
    (cause, *_others) = report(recorded, "nba", "2026-01-15", END).root_causes

    assert (cause.category, cause.impact_count, cause.impact_total) == ("missing_box_scores", 8, 9)
    assert cause.holds == ("analytics", "precompute", "grading")


def test_the_missing_table_of_the_sixteenth_is_named_on_its_evening(recorded: Recorded):
    at = moment("2026-01-16T00:30Z")

    (cause,) = report(recorded, "nba", "2026-01-16", at, at=at).root_causes

    assert (cause.category, cause.holds) == ("gate_held", ("predictions", "publishing"))
    assert "critical without rows: player_daily_cache" in cause.description


# --- service levels -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def season(recorded: Recorded) -> dict[str, Metric]:
    found = service_levels(recorded, END)
    return {metric.name: metric for period in found.periods if period.kind == "season" for metric in period.metrics}


@pytest.mark.parametrize(
    ("level", "kept"), [("grading", 0), ("predictions", 7), ("precompute", 6), ("box_score_coverage", 0)]
)
def test_the_promises_of_the_week_are_those_of_the_record(season: dict[str, Metric], level: str, kept: int):
    """No date was graded in time, and none had 90 % of its box scores; on the 18th 1 of 5 precompute tables was there
    (the 19th had 3 by completions)."""
    assert (season[level].numerator, season[level].denominator) == (kept, 7)


def test_no_date_went_by_itself_and_none_was_perfect(season: dict[str, Metric]):
    assert (season["zero_touch_days"].value, season["perfect_days"].value) == (0, 0)


def test_what_took_people_days_to_find_is_seen_within_the_target(season: dict[str, Metric]):
    """MTTD was 48 to 72 hours (robustness 9); the first alert comes within half an hour on the average."""
    found = season["time_to_detect"]

    assert found.kept
    assert found.value is not None
    assert found.value < 30


def test_nobody_carried_the_repairs_out_so_what_is_open_counts_with_its_age(season: dict[str, Metric]):
    found = season["time_to_resolve"]

    assert found.kept is False
    assert found.uncertain >= 7  # the box scores of each of the seven dates never came
    assert season["automatic_recovery_rate"].uncertain == found.uncertain


# --- health -------------------------------------------------------------------------------------------------------


def test_the_morning_after_a_date_it_is_known_to_be_short(recorded: Recorded):
    """14 January 11:05 UTC: 5 of 7 box scores; people found out on the 19th."""
    found = season_health(recorded, END, at=moment("2026-01-14T11:05Z"))

    row = next(item for item in found.dates if item.game_date == "2026-01-13")
    assert (row.contract, row.blocked_by) == ("degraded", ("raw_to_analytics",))
    assert row.coverage == pytest.approx(5 / 7)
    assert found.exit_code > 0
    assert max(item.game_date for item in found.dates) == "2026-01-19"


def test_the_oldest_open_date_is_as_visible_as_the_last(recorded: Recorded):
    found = season_health(recorded, moment("2026-03-01T12:00Z"))

    failed = [row for row in found.dates if row.contract == "failed"]
    repaired = "2026-01-16"  # its tables were filled by hand on the 19th, and its night went on by them
    assert [row.game_date for row in failed] == [day for day in DATES if day != repaired]
    assert next(row.contract for row in found.dates if row.game_date == repaired) == "degraded"
    assert failed[0].age_hours is not None
    assert failed[0].age_hours > 47 * 24
    assert Counter(finding.game_date for finding in found.findings)["2026-01-13"] > 0


@pytest.mark.parametrize("verb", ["health", "reconcile", "levels"])
def test_a_range_has_the_dates_it_names_and_no_others(name: str, verb: str):
    said = tipoff(verb, "2026-01-15..2026-01-17", "--now", END.isoformat(), "--store", name, "--json").json

    rows = said["promises"] if verb == "levels" else said["dates"]
    assert {row["game_date"] for row in rows} == {"2026-01-15", "2026-01-16", "2026-01-17"}


def test_what_was_known_then_is_what_a_store_that_ended_then_would_say(recorded: Recorded, store: Store):
    at = datetime.fromisoformat("2026-01-17T12:00:00+00:00")
    known = {state.stream: state for state, _definition in recorded.days(at)}

    for stream, state in known.items():
        events = [stored.event() for stored in store.read(stream)]
        assert state.version == sum(event.recorded_at <= at for event in events)
    assert set(known) <= set(store.streams())
