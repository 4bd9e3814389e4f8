"""Two records of one truth: rows nobody claimed are a lost completion, a completion without rows was never true, and
what could not be measured says nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.values import Status
from projections.records import Disagreement, disagreements
from tests.driving import Driver, moment, nba

PROCESSOR, TABLE = "player_daily_cache", "table_rows.player_daily_cache"
OPENS = moment("2026-01-15T22:10Z")

Said = float | str | None
"""What happened to the processor: `"done"`, `"failed"` or `"empty"` completions, an `"error"` or nothing (None) where
its table was measured, or a number of rows."""

said = st.lists(st.sampled_from(["done", "done", "failed", "empty", "error", None, 0.0, 7.0, 7.0, 9.0]), max_size=8)


def told(*happened: Said, games: int = 1) -> Driver:
    """A date on which that happened, one thing a minute."""
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", *["2026-01-17T00:00Z"] * games)
    for number, what in enumerate(happened):
        at = OPENS + timedelta(minutes=number)
        if what in ("done", "failed", "empty"):
            status: Status = "failed" if what == "failed" else "success"
            driver.complete("precompute", PROCESSOR, at, status=status, record_count=0 if what == "empty" else 7)
        else:
            driver.measure("precompute_to_predictions", at, **{TABLE: "timeout" if what == "error" else what})
    return driver


def found(driver: Driver) -> list[Disagreement]:
    return list(disagreements(driver.events, driver.state, driver.definition))


@given(said)
def test_a_processor_disagrees_in_one_way_at_most(happened: list[Said]):
    assert len(found(told(*happened))) <= 1


@given(said)
def test_a_completion_claims_the_rows_that_are_there_and_those_seen_next(happened: list[Said]):
    assert found(told(*happened, "done")) == []
    assert found(told(*happened, "done", 11.0)) == []


@given(said)
def test_what_could_not_be_measured_and_what_failed_say_nothing(happened: list[Said]):
    silent = ("error", None, "failed", "empty")
    heard = [what for what in happened if what not in silent]

    kinds = [(item.kind, item.rows) for item in found(told(*happened))]

    assert kinds == [(item.kind, item.rows) for item in found(told(*heard))]


@given(said)
def test_rows_that_stay_the_same_do_not_grow_young(happened: list[Said]):
    driver, again = told(*happened, 11.0), told(*happened, 11.0, 11.0, 11.0)

    assert [(item.since, item.version) for item in found(again)] == [(i.since, i.version) for i in found(driver)]


@pytest.mark.parametrize(
    ("happened", "kind", "since"),
    [
        ((7.0,), "rows_without_completion", 0),
        ((7.0, 9.0), "rows_without_completion", 1),
        (("done", 7.0, 9.0), "rows_without_completion", 2),
        (("failed", 7.0), "rows_without_completion", 1),
        (("empty", 7.0), "rows_without_completion", 1),
        (("done", 0.0), "completion_without_rows", 1),
        (("done", 7.0, 0.0, 0.0), "completion_without_rows", 2),
        (("done", 0.0, 7.0), None, None),
        ((0.0,), None, None),
        ((), None, None),
    ],
)
def test_the_two_records_are_told_apart_by_their_order(happened: tuple[Said, ...], kind: str | None, since: int | None):
    result = found(told(*happened))

    assert [item.kind for item in result] == ([kind] if kind is not None else [])
    assert [item.since for item in result] == ([OPENS + timedelta(minutes=since)] if since is not None else [])


def test_a_disagreement_counts_from_a_quarter_of_an_hour_on():
    (item,) = found(told(7.0))

    assert item.due_at == item.since + timedelta(minutes=15)
    assert not item.is_due(item.due_at - timedelta(microseconds=1))
    assert item.is_due(item.due_at)


def test_a_lost_completion_names_rows_table_event_and_the_cycle_it_would_have_been_of():
    driver = told(7.0)

    (item,) = found(driver)

    assert (item.phase, item.processor, item.cycle) == ("precompute", PROCESSOR, "tomorrow")
    assert (item.table, item.rows, item.completed_at) == ("nba_precompute.player_daily_cache", 7, None)
    assert driver.events[item.version - 1].recorded_at == item.since


def test_an_empty_completion_names_when_and_in_which_cycle_it_was_said():
    (item,) = found(told("done", 0.0))

    assert (item.rows, item.completed_at, item.cycle) == (0, OPENS, "tomorrow")


def test_completions_lost_on_31_january_are_found_by_their_rows():
    """Incident I9: two of five analytics tables were written and never reported, and precompute never started."""
    driver = Driver(nba(), "nba/2026-01-31")
    driver.schedule("2026-01-30T12:00Z", *["2026-02-01T00:00Z"] * 6)
    for name in ("team_offense_game_summary", "team_defense_game_summary", "upcoming_player_game_context"):
        driver.complete("analytics", name, "2026-02-01T11:00Z", record_count=12)
    rows = {"table_rows.player_game_summary": 212.0, "table_rows.team_offense_game_summary": 12.0}
    rows |= {"table_rows.upcoming_team_game_context": 12.0, "table_rows.team_defense_game_summary": 12.0}
    driver.measure("analytics_to_precompute", "2026-02-01T15:05Z", **rows)

    lost = {item.processor: (item.rows, item.cycle) for item in found(driver)}

    assert lost == {"player_game_summary": (212, "overnight"), "upcoming_team_game_context": (12, "overnight")}


def test_a_date_without_games_has_nothing_to_disagree_about():
    assert found(told("done", 0.0, games=0)) == []
