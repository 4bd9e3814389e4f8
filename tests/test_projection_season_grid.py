"""The season's calendar: a week is exactly as bad as its worst date, and what is not recorded has no cell."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from projections.findings import GRADE, HealthStatus
from projections.season_grid import CONTRACTS, Contract, unrecorded, weeks, worst_contract


class Dated(Struct, frozen=True, kw_only=True):
    sport: str
    game_date: str
    status: HealthStatus
    contract: Contract


FIRST = date(2025, 12, 22)

dates = st.lists(
    st.builds(
        Dated,
        sport=st.sampled_from(["nba", "mlb"]),
        game_date=st.integers(0, 40).map(lambda days: (FIRST + timedelta(days=days)).isoformat()),
        status=st.sampled_from(GRADE),
        contract=st.sampled_from(CONTRACTS),
    ),
    unique_by=lambda item: (item.sport, item.game_date),
)


@given(dates)
def test_a_week_is_the_worst_of_its_dates_and_every_date_stands_in_one(listed: list[Dated]):
    found = weeks(listed)

    cells = {
        (week.sport, (date.fromisoformat(week.monday) + timedelta(days=place)).isoformat()): contract
        for week in found
        for place, contract in enumerate(week.days)
        if contract is not None
    }
    assert cells == {(item.sport, item.game_date): item.contract for item in listed}
    for week in found:
        inside = [i for i in listed if i.sport == week.sport and week.monday <= i.game_date <= sunday(week.monday)]
        assert week.contract == max((i.contract for i in inside), key=CONTRACTS.index)
        assert week.status == max((i.status for i in inside), key=GRADE.index)


def sunday(monday: str) -> str:
    return (date.fromisoformat(monday) + timedelta(days=6)).isoformat()


@given(dates)
def test_weeks_come_by_sport_and_then_by_time(listed: list[Dated]):
    order = [(week.sport, week.monday) for week in weeks(listed)]

    assert order == sorted(set(order))


@given(st.sets(st.integers(0, 60)))
def test_days_that_were_never_opened_are_counted_between_the_first_and_the_last(days: set[int]):
    opened = [(FIRST + timedelta(days=day)).isoformat() for day in days]

    inside = range(min(days, default=0), max(days, default=-1) + 1)
    assert unrecorded(opened) == len(set(inside) - days)


@pytest.mark.parametrize(
    ("good", "bad"),
    [("complete", "running"), ("running", "degraded"), ("degraded", "unknown"), ("unknown", "failed")],
)
def test_what_nobody_knows_is_worse_than_a_nuisance_and_better_than_a_failure(good: Contract, bad: Contract):
    assert worst_contract([good, bad, good]) == bad


def test_a_week_is_named_as_iso_names_it_across_the_turn_of_the_year():
    turn = Dated(sport="nba", game_date="2026-01-01", status="healthy", contract="complete")

    (week,) = weeks([turn])

    assert (week.week, week.monday) == ("2026-W01", "2025-12-29")
    assert week.days == (None, None, None, "complete", None, None, None)
