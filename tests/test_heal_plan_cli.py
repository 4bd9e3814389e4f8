"""`heal plan`, `heal apply` and `heal history` as they are typed; and the patterns that many repairs make."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from projections.heal_history import HealEntry, patterns
from tests.command_line import evening, evening_lines, tipoff, written
from tests.outbound import NOON

DATE = "2026-01-16"
AT_SEVEN = ("--now", "2026-01-17T12:00:00Z")
MORNING = "2026-01-17T12:00:00Z"


@pytest.fixture(scope="module")
def blocked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store in which a date is blocked at its raw gate since the night; it is seven in the morning."""
    return evening(tmp_path_factory.mktemp("blocked"), until=MORNING)


def fresh(folder: Path) -> str:
    return evening(folder, until=MORNING)


def events(store: str, kind: str) -> list[dict[str, object]]:
    entries = tipoff("day", "timeline", DATE, "--json", "--store", store).json
    return [entry for entry in entries if entry["type"] == kind]


def test_a_plan_is_a_dry_run(blocked: str):
    before = len(tipoff("day", "timeline", DATE, "--json", "--store", blocked).json)
    ran = tipoff("heal", "plan", DATE, *AT_SEVEN, "--store", blocked)

    assert ran.code == 1
    assert "1. rescrape_bdl_box_scores: 2 of 3 attempts used" in ran.out
    assert '"scraper_name":"bdl_box_scores"' in ran.out
    assert "cool_down: not before" in ran.out
    assert len(tipoff("day", "timeline", DATE, "--json", "--store", blocked).json) == before


def test_a_plan_in_json_has_the_exact_command(blocked: str):
    [plan] = tipoff("heal", "plan", DATE, *AT_SEVEN, "--json", "--store", blocked).json
    first = plan["repairs"][0]

    assert (plan["sport"], plan["game_date"], plan["at"]) == ("nba", DATE, MORNING)
    assert first["command"]["topic"] == "nba-scraper-trigger"
    assert first["command"]["payload"]["date"] == DATE
    assert first["obstacles"][0]["why"] == "cool_down"
    assert first["obstacles"][0]["until"] == "2026-01-17T14:12:00Z"
    assert first["cost"] == {"minutes": 2, "rows": 210, "quota": first["cost"]["quota"]}


def test_without_a_date_the_plan_is_that_of_every_date_with_something_to_repair(blocked: str):
    found = tipoff("heal", "plan", *AT_SEVEN, "--json", "--store", blocked).json

    assert [plan["game_date"] for plan in found] == [DATE]


def test_where_nothing_is_due_the_plan_is_empty_and_healthy(tmp_path: Path):
    store = evening_of_publishing(tmp_path / "early")
    ran = tipoff("heal", "plan", DATE, "--store", store, "--now", "2026-01-12T13:00:00Z")

    assert (ran.code, ran.out.strip()) == (0, "There is nothing to repair.")


def evening_of_publishing(folder: Path) -> str:
    """A store that knows the schedule and nothing else."""
    folder.mkdir()
    name = f"sqlite:{folder / 'tipoff.db'}"
    ran = tipoff(
        "ingest", written(folder / "schedule.jsonl", evening_lines()[0]), "--clock", "publish", "--store", name
    )
    assert ran.code == 0, ran
    return name


def test_what_has_no_attempt_left_is_critical(tmp_path: Path):
    store = evening(tmp_path)
    ran = tipoff("heal", "plan", DATE, "--now", "2026-01-18T06:00:00Z", "--store", store)

    assert ran.code == 2
    assert "cap: 3 of 3 attempts used" in ran.out


def test_nothing_that_is_not_ready_is_applied_and_the_refusal_says_why(blocked: str):
    ran = tipoff("heal", "apply", DATE, "--reason", "now", "--actor", "ana", *AT_SEVEN, "--store", blocked)

    assert ran.code == 64
    assert "rescrape_bdl_box_scores: cool_down" in ran.err
    assert "upstream" in ran.err


def test_a_component_that_is_named_is_asked_for_against_advice_with_who_and_why(tmp_path: Path):
    store = fresh(tmp_path)
    ran = tipoff(
        *("heal", "apply", DATE, "rerun_predictions", "--reason", "the tables are empty", "--actor", "ana"),
        *(*AT_SEVEN, "--json", "--store", store),
    )

    [applied] = ran.json["applied"]
    assert (ran.code, applied["component"], applied["refused"]) == (0, "rerun_predictions", None)
    [acted] = events(store, "operator_acted")
    assert (acted["actor"], acted["summary"]) == ("ana", "operator: heal rerun_predictions: the tables are empty")
    commands = (tmp_path / "tipoff.db.commands.jsonl").read_text().splitlines()
    sent = next(c for c in map(json.loads, commands) if c["command_id"] == applied["command_id"])
    assert (sent["topic"], sent["payload"]["game_date"]) == ("http:phase5/start", DATE)


def test_the_same_repair_is_not_asked_for_twice(tmp_path: Path):
    store = fresh(tmp_path)
    typed = ("heal", "apply", DATE, "rerun_predictions", "--reason", "r", "--actor", "ana", *AT_SEVEN, "--store", store)
    first, second = tipoff(*typed), tipoff(*typed)

    assert (first.code, second.code) == (0, 1)
    assert "the last attempt is not judged yet" in second.out
    assert len(events(store, "operator_acted")) == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("apply", DATE, "rerun_everything", "--reason", "r"), "not in the plan of 2026-01-16"),
        (("apply", DATE, "--reason", " "), "--reason is empty"),
        (("plan", "2026-03-01"), "nothing is recorded of nba/2026-03-01"),
        (("plan", "16 Jan"), "is no game date"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_to_do(blocked: str, typed: tuple[str, ...], said: str):
    ran = tipoff("heal", *typed, "--store", blocked)

    assert ran.code == 64
    assert said in ran.err


def test_the_history_says_who_why_what_and_whether_it_worked(tmp_path: Path):
    store = fresh(tmp_path)
    tipoff(
        *("heal", "apply", DATE, "rerun_predictions", "--reason", "empty", "--actor", "ana", *AT_SEVEN),
        *("--store", store),
    )
    ran = tipoff("heal", "history", "--now", "2026-01-17T12:30:00Z", "--json", "--store", store)

    latest, *others = ran.json["entries"]
    assert (latest["by"], latest["component"], latest["outcome"]) == ("ana", "rerun_predictions", None)
    assert latest["cause"] == "ana: empty"
    assert {(entry["by"], entry["component"]) for entry in others} >= {(None, "rescrape_bdl_box_scores")}
    assert {entry["outcome"] for entry in others if entry["component"].startswith("rescrape")} == {"no_effect"}


def test_a_history_before_anything_was_repaired_is_empty(tmp_path: Path):
    store = evening_of_publishing(tmp_path / "early")
    ran = tipoff("heal", "history", "--now", "2026-01-13T00:00:00Z", "--store", store)

    assert (ran.code, ran.out.strip()) == (0, "Nothing was ever repaired.")


# --- patterns ---------------------------------------------------------------------------------------------------------

ENTRY = HealEntry(
    sport="nba",
    game_date=DATE,
    component="c",
    attempt=1,
    requested_at=NOON,
    by=None,
    cause="x",
    targets=(),
    command_id="id",
)


def entries(*, minutes: list[int], outcomes: str = "") -> list[HealEntry]:
    """Repairs so many minutes ago; `h`ealed, `n`o effect, `f`ailed, else not judged."""
    said = {"h": "healed", "n": "no_effect", "f": "failed"}
    return [
        replace(
            ENTRY,
            requested_at=NOON - timedelta(minutes=ago),
            outcome=said.get(outcomes[number]) if number < len(outcomes) else None,
        )
        for number, ago in enumerate(minutes)
    ]


def named(*found: HealEntry) -> list[str]:
    return [pattern.name for pattern in patterns(found, now=NOON)]


@pytest.mark.parametrize(
    ("minutes", "outcomes", "expected"),
    [
        ([0, 30], "", []),
        ([0, 30, 59], "", ["many_in_an_hour"]),
        ([0, 30, 60], "", []),
        ([90 * number for number in range(9)], "", []),
        ([90 * number for number in range(10)], "", ["many_in_a_day"]),
        ([160 * number for number in range(10)], "", []),
        ([200 * number for number in range(5)], "hhhhn", []),
        ([200 * number for number in range(5)], "hhhnf", ["failing"]),
        ([200 * number for number in range(4)], "nnnn", []),
        ([90 * number for number in range(1, 15)], "hhhhhhhhhhhnnn", ["failing", "many_in_a_day"]),
    ],
)
def test_three_in_an_hour_ten_in_a_day_and_more_than_a_fifth_without_effect_are_patterns(
    minutes: list[int], outcomes: str, expected: list[str]
):
    assert named(*entries(minutes=minutes, outcomes=outcomes)) == expected


@given(st.lists(st.integers(0, 3000), max_size=40), st.text("hnf-", max_size=40))
def test_the_patterns_are_the_graver_first_and_old_repairs_make_none(minutes: list[int], outcomes: str):
    found = entries(minutes=minutes, outcomes=outcomes)
    young = [entry for entry in found if entry.requested_at > NOON - timedelta(days=1)]

    severities = [pattern.severity for pattern in patterns(found, now=NOON)]
    assert patterns(found, now=NOON) == patterns(young, now=NOON)
    assert severities == sorted(severities)
