"""The shipped definitions say what the design and the field say, and their identity is their content."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.definitions import load, parse, shipped
from handlers.toml_source import read_toml
from statemachine.definition import Definition, decode_definition, in_force
from tests.conftest import ROOT
from tests.definition_mistakes import NBA

WEEK = ("2026-01-13", "2026-01-19")

BOUNDARIES = [
    "scrape_to_raw",
    "raw_to_analytics",
    "analytics_to_precompute",
    "precompute_to_predictions",
    "predictions_to_publishing",
    "grading",
]


@pytest.fixture(scope="module")
def nba() -> Definition:
    return load("nba")


@pytest.fixture(scope="module")
def mlb() -> Definition:
    return load("mlb")


def test_gates_have_the_names_of_the_boundaries(nba) -> None:
    assert [gate.name for gate in nba.gates] == BOUNDARIES


@pytest.mark.parametrize(
    ("gate", "check", "limits"),
    [
        ("scrape_to_raw", "games_plausible", {"block_above": 30}),
        ("raw_to_analytics", "box_score_coverage", {"warn_below": 1, "block_below": 0.8, "critical_below": 0.5}),
        ("raw_to_analytics", "active_players", {"block_above": 0}),
        ("analytics_to_precompute", "game_coverage", {"block_below": 0.8}),
        ("analytics_to_precompute", "minutes_coverage", {"warn_below": 0.9, "block_below": 0.8}),
        ("analytics_to_precompute", "null_rate", {"warn_above": 5, "block_above": 50}),
        ("precompute_to_predictions", "breaker", {"at_least": 3}),
        ("precompute_to_predictions", "clean_features", {"block_below": 0.6}),
        ("precompute_to_predictions", "feature_quality", {"warn_below": 70, "block_below": 65}),
        ("predictions_to_publishing", "completion", {"block_below": 80}),
        ("predictions_to_publishing", "prediction_count", {"block_below": 10}),
        ("grading", "graded", {"block_below": 0.7}),
    ],
)
def test_thresholds_are_those_of_the_design(nba, gate: str, check: str, limits: dict[str, float]) -> None:
    spec = next(item for item in nba.gate_of[gate].checks if item.name == check)

    assert {name: getattr(spec, name) for name in limits} == limits


def test_only_the_first_and_the_last_gate_of_the_chain_let_everything_through(nba) -> None:
    assert [gate.name for gate in nba.gates if gate.mode == "warning"] == ["scrape_to_raw", "grading"]


def test_the_cycles_open_when_the_field_runs_them(nba) -> None:
    opens = {cycle.name: (cycle.opens, cycle.opens_minutes) for cycle in nba.cycles}

    assert opens == {
        "tomorrow": ("midnight", -(24 + 7) * 60),
        "same_day": ("midnight", -(13 * 60 + 30)),
        "overnight": ("last_tip", 2 * 60 + 15),
    }


def test_precompute_waits_for_five_then_four_then_three_then_whatever_there_is(nba) -> None:
    for cycle in nba.cycles:
        waits = cycle.step_of["precompute"].waits
        assert [(wait.at_least, wait.minutes, wait.strict) for wait in waits[1:]] == [
            (4, 60, True),
            (3, 120, True),
            (1, 240, True),
        ]
        assert (waits[0].share, waits[0].minutes) == (1.0, 0)


def test_a_source_that_was_switched_off_is_not_expected_from_that_date_on(nba) -> None:
    raw = nba.cycle_of["overnight"].step_of["raw"]

    def expected(game_date: str) -> set[str]:
        return {name for name in raw.expected if in_force(nba.processor_of[name], game_date)}

    assert expected("2026-01-27") - expected("2026-01-28") == {"p2_bdl_box_scores"}
    assert expected("2026-01-28") == {"p2_odds_game_lines", "p2_nbacom_gamebook_pdf", "p2_nbacom_boxscores"}


@pytest.mark.parametrize("game_date", [*WEEK, "2026-01-27", "2026-01-28", "2026-03-08"])
def test_exactly_one_heal_answers_for_missing_box_scores_and_its_scraper_is_in_service(nba, game_date: str) -> None:
    heals = [heal for heal in nba.heals if heal.check == "box_score_coverage" and in_force(heal, game_date)]

    assert len(heals) == 1
    scraper = nba.resolve("scrape", heals[0].command.payload["scraper_name"])
    assert in_force(nba.processor_of[scraper], game_date)


def test_every_known_name_is_known(nba, shared_data) -> None:
    known = json.loads((shared_data / "processor_aliases.json").read_text())
    phases = {"phase2": "raw", "phase3": "analytics", "phase4": "precompute"}
    unmapped = [
        (name, alias)
        for key, phase in phases.items()
        for name, aliases in known[key].items()
        for alias in (name.split(" ")[0], *aliases)
        if nba.resolve(phase, alias) != name.split(" ")[0]
    ]

    assert unmapped == []


def test_every_completion_of_the_field_finds_its_phase_and_processor(nba, shared_data) -> None:
    shapes = [json.loads(line) for line in (shared_data / "message_shapes.jsonl").read_text().splitlines()]
    said = [shape["data"] for shape in shapes if {"processor_name", "phase", "status"} <= shape["data"].keys()]
    phases = {word: phase.name for phase in nba.phases for word in (phase.name, *phase.names)}

    assert len(said) > 8
    assert [
        data["processor_name"] for data in said if not nba.resolve(phases[data["phase"]], data["processor_name"])
    ] == []


@pytest.mark.parametrize(
    ("phase", "kind", "left_out"),
    [
        ("analytics", "phase3.trigger.orchestrator", set()),
        ("precompute", "phase4.trigger.per_table", {"data_freshness_verified", "minutes_coverage_pct"}),
        ("predictions", "phase5.trigger.orchestrator", {"data_freshness_verified", "table_row_counts"}),
        ("publishing", "phase6.export_trigger.orchestrator", {"upstream_batch_id", "upstream_predictions"}),
        ("grading", "grading.trigger.scheduler", set()),
    ],
)
def test_commands_keep_the_topic_and_the_keys_that_consumers_read(nba, shared_data, phase, kind, left_out) -> None:
    shapes = [json.loads(line) for line in (shared_data / "message_shapes.jsonl").read_text().splitlines()]
    shape = next(item for item in shapes if item["kind"] == kind)
    [command] = nba.phase_of[phase].commands

    assert command.topic == shape["topic"]
    assert shape["data"].keys() - command.payload.keys() == left_out


def test_nothing_about_a_sport_stands_in_code(nba, mlb) -> None:
    assert shipped() == ("mlb", "nba")
    assert nba.version != mlb.version
    assert [cycle.name for cycle in mlb.cycles] == ["same_day", "overnight"]
    assert [phase.name for phase in mlb.phases] == ["analytics", "precompute", "predictions", "grading"]
    assert mlb.resolve("analytics", "MlbPitcherGameSummaryProcessor") == "pitcher_game_summary"
    assert mlb.gate_of["predictions_to_grading"].checks[0].block_below == 5


@pytest.mark.parametrize("name", shipped())
def test_a_definition_comes_back_from_its_canonical_bytes(name: str) -> None:
    definition = load(name)

    again = decode_definition(definition.content)

    assert again == definition
    assert (again.content, again.version) == (definition.content, definition.version)


def statements(text: str) -> list[tuple[str, list[str]]]:
    """The sections of a TOML file: each header with its statements, comments and blank lines left out."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    gathered = ""
    for line in text.splitlines():
        gathered += line + "\n"
        try:
            empty = not tomllib.loads(gathered)
        except tomllib.TOMLDecodeError:
            continue  # the statement goes on
        if gathered.startswith("["):
            sections.append((gathered, []))
        elif not empty:
            sections[-1][1].append(gathered)
        gathered = ""
    return sections


SECTIONS = statements(NBA)


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_comments_and_blank_lines_do_not_change_the_version(chance) -> None:
    lines = []
    for header, body in SECTIONS:
        lines += [header, *chance.sample(body, len(body)), chance.choice(["", "# a remark\n", "\n\n"])]

    assert parse("".join(lines)).version == load("nba").version


@pytest.mark.parametrize("change", ["game_minutes = 136", "game_minutes = 1350"])
def test_any_change_of_content_changes_the_version(nba, change: str) -> None:
    assert parse(NBA.replace("game_minutes = 135", change)).version != nba.version


def test_the_version_is_the_same_under_any_hash_seed(nba) -> None:
    code = "from handlers.definitions import load; print(load('nba').version)"
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == nba.version


@settings(max_examples=30)
@given(st.dictionaries(st.integers(0, 900), st.sampled_from(["# a remark", ""]), max_size=30))
def test_every_place_keeps_its_line_wherever_lines_are_put_in(extra: dict[int, str]) -> None:
    lines = []
    for number, line in enumerate(NBA.splitlines()):
        lines += [extra[number]] if number in extra else []
        lines.append(line)
    before, after = read_toml(NBA), read_toml("\n".join(lines))

    assert {place: NBA.splitlines()[line - 1] for place, line in before.lines.items()} == {
        place: lines[line - 1] for place, line in after.lines.items()
    }


def test_lines_are_those_of_tables_keys_items_and_keys_of_items() -> None:
    text = (
        '[a]\nb.c = 1\n"d e" = [\n  # remark\n  { f = 2 },\n  3,\n]\n[[g]]\n[[g.h]]\n[g.h.i]\nj = 4\n[[g]]\n[[g.h]]\n'
    )

    lines = read_toml(text).lines

    assert lines[("a", "b", "c")] == 2
    assert lines[("a", "d e", 0, "f")] == 5
    assert lines[("a", "d e", 1)] == 6
    assert (lines[("g", 0)], lines[("g", 0, "h", 0)], lines[("g", 0, "h", 0, "i", "j")]) == (8, 9, 11)
    assert (lines[("g", 1)], lines[("g", 1, "h", 0)]) == (12, 13)
