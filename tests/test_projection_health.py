"""Health: the worst check decides, unknown is never healthy, and every finding says what to do."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from projections.awaited import Awaited
from projections.findings import GRADE
from projections.health import EXIT_CODE, Health, contract, date_health, health
from projections.history import as_of
from projections.season_grid import CONTRACTS
from statemachine.control import ControlState
from statemachine.deadlines import deadlines
from statemachine.state import DateState, GateRecord, is_quiet, open_alerts
from statemachine.streams import DATE, encode_state
from tests.driving import ControlDriver, Driver, Moment, moment, nba
from tests.projection_dates import blocked_date, good_date
from tests.projection_histories import histories


def ticking(at: Moment) -> ControlState:
    """A control stream whose last tick was just now."""
    control = ControlDriver(nba())
    control.tick(at)
    return control.state


def judged(*drivers: Driver, now: Moment, controls: list[ControlState] | None = None) -> Health:
    days = [(driver.state, driver.definition) for driver in drivers]
    return health(days, [ticking(now)] if controls is None else controls, now=moment(now))


def checks(result: Health) -> dict[str, str]:
    return {finding.check: finding.status for finding in result.findings}


@settings(max_examples=40)
@given(histories(), st.integers(0, 3000))
def test_health_is_never_better_than_what_is_open_or_unknown(driver: Driver, later: int):
    assert driver.state.recorded_at is not None
    now = driver.state.recorded_at + timedelta(minutes=later)

    result = judged(driver, now=now)

    severities = {alert.severity for alert in open_alerts(driver.state)}
    if "critical" in severities:
        assert result.status == "critical"
    if "warning" in severities or driver.state.halted or not driver.state.scheduled:
        assert result.status != "healthy"
    if any(check.verdict == "error" for gate in latest(driver) for check in gate.evaluation.checks):
        assert result.status != "healthy"


def latest(driver: Driver) -> list[GateRecord]:
    found: dict[str, GateRecord] = {}
    for record in sorted(driver.state.gates.values(), key=lambda item: item.at):
        found[record.evaluation.gate] = record
    return list(found.values())


@settings(max_examples=40)
@given(st.lists(histories(), max_size=3), st.integers(0, 3000))
def test_the_worst_finding_decides_and_everything_bad_says_what_to_do(drivers: list[Driver], later: int):
    now = moment("2026-01-17T06:00Z") + timedelta(minutes=later)

    result = judged(*drivers, now=now)

    worst = max((finding.status for finding in result.findings), key=GRADE.index, default="healthy")
    assert result.status == worst
    assert result.exit_code == EXIT_CODE[worst]
    assert all(finding.reason and finding.next_step for finding in result.findings)
    order = [GRADE.index(finding.status) for finding in result.findings]
    assert order == sorted(order, reverse=True)
    assert [row.game_date for row in result.dates] == ["2026-01-16"] * len(drivers)


@settings(max_examples=30)
@given(histories())
def test_every_date_has_one_contract_and_the_season_counts_each_date_once(driver: Driver):
    result = judged(driver, now="2026-01-17T06:00Z")

    (row,) = result.dates
    assert row.contract in CONTRACTS
    assert sum(result.season["nba"].values()) == 1
    assert result.season["nba"][row.contract] == 1
    if is_quiet(driver.state):
        assert row.contract == "empty_ok"
    elif any(finding.status == "unknown" for finding in result.findings if finding.game_date != "-"):
        assert row.contract in ("unknown", "failed")
    assert contract(driver.state) in CONTRACTS


@settings(max_examples=40)
@given(histories(), st.integers(0, 3000))
def test_the_health_of_a_fold_is_that_of_its_head(driver: Driver, later: int):
    assert driver.state.recorded_at is not None
    now = driver.state.recorded_at + timedelta(minutes=later)

    folded = as_of(driver.stream, driver.events).state
    stored = DATE.decode(encode_state(driver.state))

    assert isinstance(folded, DateState)
    assert health([(folded, driver.definition)], [], now=now) == health([(stored, driver.definition)], [], now=now)


@settings(max_examples=40)
@given(st.lists(histories(), min_size=1, max_size=4), st.integers(0, 3000))
def test_the_whole_is_as_bad_as_its_worst_week_and_a_week_as_its_worst_date(drivers: list[Driver], later: int):
    now = moment("2026-01-17T06:00Z") + timedelta(minutes=later)
    days = [(on(driver, day), driver.definition) for day, driver in enumerate(drivers)]

    result = health(days, [ticking(now)], now=now)

    of_dates = [row.status for row in result.dates]
    of_control = [finding.status for finding in result.findings if finding.game_date == "-"]
    assert max((week.status for week in result.weeks), key=GRADE.index) == max(of_dates, key=GRADE.index)
    assert result.status == max([*of_dates, *of_control], key=GRADE.index)
    assert sum(result.season["nba"].values()) == len(drivers)


def on(driver: Driver, days: int) -> DateState:
    """The state of a date, as if it were of another day."""
    day = (date(2026, 1, 12) + timedelta(days=4 * days)).isoformat()
    return replace(driver.state, stream=f"nba/{day}")


@settings(max_examples=60)
@given(histories(), st.integers(0, 3000))
def test_a_date_waits_for_its_next_event_until_a_deadline_of_its_own(driver: Driver, later: int):
    assert driver.state.recorded_at is not None
    row, _findings = date_health(
        driver.state, driver.definition, now=driver.state.recorded_at + timedelta(minutes=later)
    )

    ahead = {name: at for at, name in deadlines(driver.state, driver.definition)}
    if row.awaits is None:
        assert is_quiet(driver.state) or all(cycle.state == "done" for cycle in driver.state.cycles.values())
    elif row.awaits.name is not None:
        assert ahead[row.awaits.name] == row.awaits.by
    else:
        assert row.state == "parked"
    if row.awaits is not None and row.awaits.who:
        assert row.awaits.who == row.missing


def test_a_date_on_which_all_went_well_is_healthy_and_complete():
    driver = good_date()

    result = judged(driver, now="2026-01-17T06:56Z")

    assert driver.state.status == "complete"
    assert (result.status, result.exit_code, result.findings) == ("healthy", 0, ())
    assert result.season == {"nba": dict.fromkeys(CONTRACTS, 0) | {"complete": 1}}
    assert result.dates[0].coverage == 1
    assert (result.dates[0].awaits, result.dates[0].age_hours, result.dates[0].missing) == (None, None, ())


def test_nothing_to_look_at_is_unknown():
    result = health([], [], now=moment("2026-01-17T06:00Z"))

    assert (result.status, result.exit_code) == ("unknown", 1)


def test_a_blocked_date_is_as_bad_as_its_alert_and_explained():
    driver = blocked_date()
    driver.until("2026-01-17T11:17Z")

    result = judged(driver, now="2026-01-17T11:17Z")

    finding = next(f for f in result.findings if f.check == "alert:gate_blocked")
    assert (finding.status, finding.since) == ("warning", moment("2026-01-17T11:16Z"))
    assert "recheck, waive or override" in finding.next_step
    (row,) = result.dates
    assert (row.contract, row.cycle, row.phase, row.state) == ("degraded", "overnight", "raw", "raw_blocked")
    assert row.blocked_by == ("raw_to_analytics",)
    assert row.awaits == Awaited(
        what="raw_to_analytics (overnight) to pass",
        who=(),
        name="recheck:overnight:raw:2026-01-17T11:16:00+00:00",
        by=moment("2026-01-17T11:46Z"),
    )
    assert row.open_since == moment("2026-01-15T22:00Z")
    assert row.age_hours == pytest.approx(37 + 17 / 60)


def test_a_date_that_waits_names_who_owes_what_and_until_when():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")
    driver.until("2026-01-17T02:15Z")
    driver.complete("scrape", "nbac_gamebook_pdf", "2026-01-17T02:20Z")

    row, _findings = date_health(driver.state, driver.definition, now=moment("2026-01-17T02:21Z"))

    assert row.missing == ("bdl_box_scores", "nbac_player_boxscore")
    assert row.awaits is not None
    assert (row.awaits.what, row.awaits.who) == ("the rest of scrape (overnight)", row.missing)
    assert row.awaits.by == moment("2026-01-17T02:50Z")


def test_a_date_whose_cycles_are_all_ahead_waits_for_the_first_to_open():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")

    row, _findings = date_health(driver.state, driver.definition, now=moment("2026-01-10T13:00Z"))

    assert (row.contract, row.cycle, row.open_since, row.age_hours) == ("expected", None, None, None)
    assert row.awaits is not None
    assert (row.awaits.what, row.awaits.by) == ("tomorrow opens with analytics", moment("2026-01-15T22:00Z"))


def test_a_date_that_nobody_acted_on_in_time_is_unknown():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")

    assert checks(judged(driver, now="2026-01-15T22:05Z")) == {}
    late = judged(driver, now="2026-01-15T22:06Z")
    assert checks(late) == {"ticks": "unknown"}
    assert late.dates[0].contract == "unknown"


def test_box_scores_that_were_never_measured_are_unknown_and_not_complete():
    driver = good_date()
    state = driver.state
    driver.state = type(state)(**{n: getattr(state, n) for n in state.__struct_fields__ if n != "measures"})

    result = judged(driver, now="2026-01-17T11:00Z")

    assert checks(result)["coverage"] == "unknown"


@pytest.mark.parametrize(
    ("present", "hours", "status"),
    [
        (10, 24, None),
        (9, 24, None),
        (8, 11, None),
        (8, 12, "warning"),
        (4, 23, "warning"),
        (4, 24, "critical"),
        (5, 24, "warning"),
    ],
)
def test_coverage_is_judged_by_its_band_also_where_no_tick_came(present: int, hours: int, status: str | None):
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", *["2026-01-17T00:00Z"] * 10)
    driver.measure("raw_to_analytics", "2026-01-17T05:01Z", games_with_box_score=present)

    result = judged(driver, now=moment("2026-01-17T05:00Z") + timedelta(hours=hours))

    assert checks(result).get("coverage") == status


def test_an_old_date_that_is_open_weighs_as_much_as_todays():
    old = Driver(nba(), "nba/2025-12-01")
    old.schedule("2025-11-01T12:00Z", "2025-12-02T00:00Z")
    old.until("2026-01-17T06:00Z")

    result = judged(old, good_date(), now="2026-01-17T06:56Z")

    assert result.status == "critical"
    assert result.findings[0].game_date == "2025-12-01"
    assert [(row.game_date, row.status) for row in result.dates] == [
        ("2025-12-01", "critical"),
        ("2026-01-16", "healthy"),
    ]


def test_a_command_that_does_not_leave_the_house_is_found():
    driver = blocked_date()

    assert checks(judged(driver, now="2026-01-17T11:40Z"))["outbox"] == "warning"
    driver.confirm("2026-01-17T11:40Z")
    assert "outbox" not in checks(judged(driver, now="2026-01-17T11:40Z"))


def test_a_halted_date_owes_nothing_and_is_not_forgotten():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")
    driver.operator("halt", "2026-01-11T12:00Z")

    result = judged(driver, now="2026-01-20T12:00Z")

    assert checks(result) == {"halted": "warning"}
    assert result.dates[0].contract == "empty_ok"


@pytest.mark.parametrize(("silent", "status"), [(59, None), (60, "warning"), (119, "warning"), (120, "critical")])
def test_a_controller_that_stops_deciding_is_found_also_without_ticks(silent: int, status: str | None):
    control = ControlDriver(nba())
    control.decided("betting_lines", "2026-01-17T06:00Z")

    result = judged(good_date(), now=moment("2026-01-17T06:00Z") + timedelta(minutes=silent), controls=[control.state])

    assert checks(result).get("workflows") == status


def test_the_silence_that_an_alert_tells_of_is_not_told_twice():
    control = ControlDriver(nba())
    control.decided("betting_lines", "2026-01-17T06:00Z")
    control.until("2026-01-17T07:00Z")

    found = checks(judged(good_date(), now="2026-01-17T07:00Z", controls=[control.state]))

    assert found["alert:workflow_silent"] == "warning"
    assert "workflows" not in found


def test_our_own_ticks_that_stopped_make_all_unknown():
    control = ControlDriver(nba())
    control.tick("2026-01-17T06:00Z")

    assert "ticks" not in checks(judged(good_date(), now="2026-01-17T06:20Z", controls=[control.state]))
    assert checks(judged(good_date(), now="2026-01-17T06:21Z", controls=[control.state])) == {"ticks": "unknown"}


def test_a_sport_without_a_control_stream_is_unknown():
    assert judged(good_date(), now="2026-01-17T06:56Z", controls=[]).status == "unknown"


def test_rejected_messages_are_a_warning_for_whoever_publishes():
    control = ControlDriver(nba())
    control.tick("2026-01-17T06:50Z")
    control.rejected("not_json", "2026-01-17T06:50Z", reason="cut short")

    result = judged(good_date(), now="2026-01-17T06:56Z", controls=[control.state])

    assert [(f.check, f.status, f.game_date) for f in result.findings] == [("alert:messages_rejected", "warning", "-")]
    assert "cut short" in result.findings[0].reason
