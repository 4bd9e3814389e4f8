"""Tables are looked at after they were written, judged by data, told with what to do, and hold nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.catalogue import AlertRaised, AlertResolved, CommandRequested, Event, GateEvaluated, PhaseMoved
from events.values import Measure, Severity, Verdict
from statemachine.deadlines import deadlines
from statemachine.definition import Definition
from statemachine.operators import CommandNotAllowed
from statemachine.validation import check, not_valid, severity_of
from statemachine.validator import Validation, Validator
from tests.driving import Driver, moment, nba

NIGHT = moment("2026-01-17T06:00Z")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TABLE = "team_defense_game_summary"
LOOK = NIGHT + 10 * MINUTE
"""Ten minutes after the table was written (definition: `after_minutes`)."""

GOOD = {"two_teams_a_game": 0, "no_duplicates": 0, "defensive_rating": 0} | {
    "points_allowed": 0,
    "final_games_present": 0,
    "known_teams": 0,
}


def written(definition: Definition | None = None) -> Driver:
    """A date with two games, whose team defence summary completed at `NIGHT`."""
    day = Driver(definition or nba())
    day.schedule("2026-01-16T12:00Z", "2026-01-17T00:00Z", "2026-01-17T03:00Z")
    day.tick("2026-01-17T05:20Z")
    day.complete("analytics", "TeamDefenseGameSummaryProcessor", NIGHT)
    return day


def looked(day: Driver, at: datetime = LOOK + MINUTE, **seen: float | str | None) -> list[Event]:
    """The answer of the warehouse about the table, good but for what is `seen`."""
    numbers = {f"{TABLE}.{name}": value for name, value in (GOOD | seen).items()}
    return day.measure(TABLE, at, **numbers)


def asked(events: list[Event]) -> list[CommandRequested]:
    """The commands that ask for the numbers of a table."""
    found = [event.data for event in events if isinstance(event.data, CommandRequested)]
    return [command for command in found if command.topic.startswith("validate:")]


def raised(events: list[Event]) -> list[tuple[str, str, str]]:
    """Cause, subject and severity of what was raised."""
    found = [event.data for event in events if isinstance(event.data, AlertRaised)]
    return [(data.cause, data.subject, data.severity) for data in found]


def evaluation(events: list[Event]) -> GateEvaluated:
    """The only evaluation among `events`."""
    (found,) = [event.data for event in events if isinstance(event.data, GateEvaluated)]
    return found


def looks(day: Driver) -> list[datetime]:
    """When the table is to be looked at."""
    return [at for at, name in deadlines(day.state, day.definition) if name.startswith(f"validate:{TABLE}:")]


# --- when a table is looked at --------------------------------------------------------------------------------------


def test_nobody_looks_at_a_table_that_nobody_has_written():
    day = Driver(nba())
    day.schedule("2026-01-16T12:00Z", "2026-01-17T00:00Z")
    day.complete("analytics", "TeamDefenseGameSummaryProcessor", NIGHT, status="failed")

    assert looks(day) == []


def test_ten_minutes_after_its_completion_the_numbers_of_a_table_are_asked_for_in_one_command():
    day = written()
    assert looks(day) == [LOOK]

    assert asked(day.tick(LOOK - MINUTE)) == []
    (command,) = asked(day.tick(LOOK))
    assert (command.kind, command.topic) == ("measure", f"validate:{TABLE}")
    assert command.payload["boundary"] == TABLE
    assert command.payload["measures"] == [validator.measure for validator in nba().validators_of[TABLE]]
    assert (command.cycle, command.phase) == ("overnight", "analytics")


def test_it_is_asked_for_once_however_often_the_clock_ticks_and_however_long_nobody_answers():
    day = written()
    commands = asked(day.until(NIGHT + 48 * HOUR))

    assert len([command for command in commands if command.topic.endswith(TABLE)]) == 1
    assert looks(day) == []


def test_runs_that_come_one_after_another_are_looked_at_every_ten_minutes_and_never_put_off():
    day = written()
    for minute in range(1, 61):
        now = NIGHT + minute * MINUTE
        if asked(day.tick(now)):
            looked(day, now)
        day.complete("analytics", "TeamDefenseGameSummaryProcessor", now)

    instants = [event.recorded_at for event in day.events if asked([event])]
    assert instants == [NIGHT + minutes * MINUTE for minutes in (10, 20, 30, 40, 50, 60)]


def test_a_table_that_is_written_again_is_looked_at_again():
    day = written()
    day.tick(LOOK)
    looked(day)
    day.complete("analytics", "TeamDefenseGameSummaryProcessor", NIGHT + 3 * HOUR)

    assert looks(day) == [NIGHT + 3 * HOUR]  # at once, and not at an instant that has gone by
    assert asked(day.tick(NIGHT + 3 * HOUR))


def test_a_table_is_validated_in_each_cycle_that_writes_it():
    day = Driver(nba())
    day.schedule("2026-01-15T12:00Z", "2026-01-17T00:00Z")
    for at in ("2026-01-15T23:00Z", "2026-01-16T16:30Z", "2026-01-17T12:00Z"):
        day.tick(at)
        day.complete("precompute", "TeamDefenseZoneAnalysisProcessor", at)
        day.until(moment(at) + HOUR)

    cycles = [command.cycle for command in asked(day.events)]
    assert cycles == ["tomorrow", "same_day", "overnight"]


def test_a_validator_is_asked_for_only_on_its_dates_and_in_its_cycles():
    day = Driver(nba(), "nba/2025-11-01")
    day.schedule("2025-11-01T12:00Z", "2025-11-01T23:00Z")
    day.complete("analytics", "TeamDefenseGameSummaryProcessor", "2025-11-01T15:00Z")  # of the same day: not overnight
    day.complete("precompute", "TeamDefenseZoneAnalysisProcessor", "2025-11-02T12:00Z")
    names = [name for command in asked(day.until("2025-11-02T14:00Z")) for name in command.payload["measures"]]

    assert [name for name in names if name.startswith(TABLE)] == []
    assert "team_defense_zone_analysis.teams" not in names
    assert "team_defense_zone_analysis.percentages" in names


@pytest.mark.parametrize("quiet", ["halted", "no games"])
def test_a_quiet_date_is_not_looked_at_and_says_nothing(quiet: str):
    day = written()
    if quiet == "halted":
        day.operator("halt", NIGHT + MINUTE)
    else:
        day.schedule(NIGHT + MINUTE, *[replace(game, status="postponed") for game in day.state.games.values()])

    assert asked(day.until(NIGHT + 12 * HOUR)) == []
    events = looked(day, NIGHT + 12 * HOUR, two_teams_a_game=1)
    assert [type(event.data).__name__ for event in events] == ["MeasuresObserved"]


# --- what it comes to -----------------------------------------------------------------------------------------------


def test_a_table_that_is_as_it_should_be_passes_and_nobody_is_told():
    day = written()
    day.tick(LOOK)
    events = looked(day)

    found = evaluation(events)
    assert (found.gate, found.cycle, found.mode) == (TABLE, "overnight", "warning")
    assert (found.outcome, found.blocking_outcome) == ("pass", "pass")
    assert {each.check: (each.measured, each.verdict) for each in found.checks} == dict.fromkeys(GOOD, (0.0, "pass"))
    assert raised(events) == []
    assert looks(day) == []


def test_what_is_out_of_bounds_is_recorded_with_its_bounds_and_told_with_what_to_do():
    day = written()
    day.tick(LOOK)
    events = looked(day, two_teams_a_game=1, defensive_rating=2)

    found = evaluation(events)
    assert (found.outcome, found.blocking_outcome) == ("warn", "block")
    seen = {each.check: (each.measured, each.warn, each.block, each.verdict) for each in found.checks}
    assert seen["two_teams_a_game"] == (1.0, None, 0.0, "block")
    assert seen["defensive_rating"] == (2.0, 0.0, None, "warn")
    (alert,) = [event.data for event in events if isinstance(event.data, AlertRaised)]
    assert (alert.cause, alert.subject, alert.severity) == ("gate_warned", TABLE, "critical")
    assert alert.numbers == {"two_teams_a_game": 1.0, "defensive_rating": 2.0}
    assert "games without exactly two teams: 1 (fails above 0). Run the team defence summary" in alert.detail
    assert "(heal rerun_analytics)" in alert.detail
    assert [command.topic for command in day.commands[-1:]] == ["alert:critical"]


def test_a_validator_holds_nothing_whatever_it_finds():
    day = written()
    before = dict(day.state.cycles)
    day.tick(LOOK)
    events = looked(day, LOOK, **dict.fromkeys(GOOD, 99))

    assert not [event for event in events if isinstance(event.data, PhaseMoved)]
    assert {name: at.state for name, at in day.state.cycles.items()} == {name: at.state for name, at in before.items()}


def test_an_error_is_no_pass_and_no_zero_it_is_told_as_one():
    day = written()
    day.tick(LOOK)
    events = looked(day, LOOK, **dict.fromkeys(GOOD, "no such table"))

    found = evaluation(events)
    assert {(each.measured, each.verdict, each.error) for each in found.checks} == {(None, "error", "no such table")}
    assert found.outcome == "warn"
    assert raised(events) == [("gate_error", TABLE, "warning")]
    assert "could not be measured: no such table" in day.state.alerts[f"gate_error:{TABLE}"].detail


def test_what_an_answer_leaves_out_is_an_error_and_an_older_number_does_not_stand_in_for_it():
    day = written()
    day.tick(LOOK)
    looked(day)
    day.complete("analytics", "TeamDefenseGameSummaryProcessor", NIGHT + HOUR)
    day.tick(NIGHT + HOUR)
    events = day.measure(TABLE, NIGHT + HOUR + MINUTE, **{f"{TABLE}.no_duplicates": 0})

    verdicts = {each.check: each.verdict for each in evaluation(events).checks}
    assert verdicts == {**dict.fromkeys(GOOD, "error"), "no_duplicates": "pass"}


def test_a_number_that_does_not_apply_is_skipped():
    day = written()
    day.tick(LOOK)
    found = evaluation(looked(day, defensive_rating=None))

    assert {each.check: each.verdict for each in found.checks}["defensive_rating"] == "skipped"
    assert found.outcome == "pass"


def test_a_table_that_did_not_pass_is_looked_at_again_until_its_cycle_parks():
    day = written()
    day.tick(LOOK)
    looked(day, LOOK, points_allowed=1)
    assert looks(day) == [LOOK + 2 * HOUR]

    for _ in range(40):
        if not looks(day):
            break
        (at,) = looks(day)
        assert asked(day.tick(at))
        looked(day, at, points_allowed=1)
    parks = nba().cycle_of["overnight"].park_hours * HOUR
    assert day.state.validations[TABLE] < moment("2026-01-17T05:15Z") + parks
    assert [alert for alert in raised(day.events) if alert[1] == TABLE] == [("gate_warned", TABLE, "warning")]


def test_what_was_told_is_resolved_when_a_later_look_passes():
    day = written()
    day.tick(LOOK)
    looked(day, LOOK, points_allowed=1, known_teams="denied")
    assert {name for name, alert in day.state.alerts.items() if alert.resolved_at is None} >= {
        f"gate_warned:{TABLE}",
        f"gate_error:{TABLE}",
    }
    day.tick(LOOK + 2 * HOUR)
    events = looked(day, LOOK + 2 * HOUR)

    resolved = {event.data.cause for event in events if isinstance(event.data, AlertResolved)}
    assert resolved == {"gate_warned", "gate_error"}


def test_an_error_leaves_open_what_was_out_of_bounds_before():
    day = written()
    day.tick(LOOK)
    looked(day, LOOK, two_teams_a_game=1)
    events = looked(day, LOOK + MINUTE, two_teams_a_game="denied")

    assert not [event for event in events if isinstance(event.data, AlertResolved)]
    assert raised(events) == [("gate_error", TABLE, "warning")]


def test_a_person_can_have_a_table_looked_at_now():
    day = written()
    (command,) = asked(day.operator("recheck", NIGHT + MINUTE, target=TABLE))
    assert command.topic == f"validate:{TABLE}"

    with pytest.raises(CommandNotAllowed, match="has written no table"):
        day.operator("recheck", NIGHT + MINUTE, target="player_daily_cache")


def test_an_episode_ends_when_the_definition_has_the_validators_no_more():
    day = written()
    day.tick(LOOK)
    looked(day, two_teams_a_game=1)
    day.definition = replace(day.definition, validators=())
    events = day.tick(NIGHT + 12 * HOUR)

    resolved = {e.data.subject: e.data.reason for e in day.events if isinstance(e.data, AlertResolved)}
    assert resolved[TABLE] == f"the definition has no {TABLE} any more"
    assert asked(events) == []


def test_the_remediation_is_there_where_people_look():
    day = written()
    day.tick(LOOK)
    looked(day, two_teams_a_game=1)

    assert [(validator.name, seen.measured) for validator, seen in not_valid(day.state, day.definition)] == [
        ("two_teams_a_game", 1.0)
    ]


# --- bounds ---------------------------------------------------------------------------------------------------------


def bounded(**fields: Any) -> Validator:
    """A validator with these bounds."""
    named = {"name": "v", "processor": "p", "counts": "things", "sql": "", "remediation": "mend them"}
    return Validator(**{**named, **fields})


@pytest.mark.parametrize(
    ("bounds", "at_it", "just_inside", "just_outside", "outside"),
    [
        ({"block_above": 0}, 0.0, -0.001, 0.001, "block"),
        ({"warn_above": 5}, 5.0, 4.999, 5.001, "warn"),
        ({"block_below": 30}, 30.0, 30.001, 29.999, "block"),
        ({"warn_below": 70}, 70.0, 70.001, 69.999, "warn"),
        ({"block_below": 50, "block_above": 600}, 600.0, 599.0, 601.0, "block"),
        ({"block_below": 50, "block_above": 600}, 50.0, 51.0, 49.0, "block"),
        ({"block_below": 0.5, "warn_below": 0.8}, 0.5, 0.501, 0.499, "block"),
        ({"block_above": 50, "warn_above": 5}, 50.0, 49.999, 50.001, "block"),
    ],
)
def test_a_bound_lets_itself_pass_and_nothing_beyond_it(
    bounds: dict[str, float], at_it: float, just_inside: float, just_outside: float, outside: Verdict
):
    validator = bounded(**bounds)
    inside = {check(validator, Measure(value=value)).verdict for value in (at_it, just_inside)}

    assert outside not in inside
    assert check(validator, Measure(value=just_outside)).verdict == outside


def test_a_check_says_the_bounds_of_the_side_on_which_the_number_lies():
    validator = bounded(block_below=30, block_above=40)

    assert [check(validator, Measure(value=value)).block for value in (29.0, 35.0, 41.0)] == [30, 30, 40]


@pytest.mark.parametrize(
    ("severity", "on_error", "value", "told"),
    [
        ("critical", "warn", 9.0, "critical"),
        ("critical", "warn", 2.0, "warning"),
        ("critical", "warn", None, "warning"),
        ("critical", "block", None, "critical"),
        ("warning", "block", 9.0, "warning"),
        ("info", "block", 9.0, "info"),
        ("info", "warn", None, "info"),
    ],
)
def test_a_failure_is_told_in_its_severity_and_the_rest_as_a_warning_at_most(
    severity: Severity, on_error: Any, value: float | None, told: Severity
):
    validator = bounded(severity=severity, on_error=on_error, warn_above=1, block_above=5)
    seen = check(validator, Measure(value=value) if value is not None else Measure(error="denied"))

    assert severity_of(validator, seen) == told


def with_policy(on_error: Any, severity: Severity = "critical") -> Definition:
    """The NBA definition with another policy for what cannot be counted in the table."""
    changed = (
        replace(each, on_error=on_error, severity=severity) if each.processor == TABLE else each
        for each in nba().validators
    )
    return replace(nba(), validators=tuple(changed))


@pytest.mark.parametrize(
    ("on_error", "told"),
    [("pass", []), ("warn", [("gate_error", TABLE, "warning")]), ("block", [("gate_error", TABLE, "critical")])],
)
def test_the_policy_of_a_validator_says_what_an_error_means(on_error: str, told: list[tuple[str, str, str]]):
    day = written(with_policy(on_error))
    day.tick(LOOK)
    events = looked(day, no_duplicates="denied")

    assert raised(events) == told
    assert {each.verdict for each in evaluation(events).checks} == {"pass", "error"}
    assert not [event for event in events if isinstance(event.data, AlertResolved)]


GRADE: tuple[Verdict, ...] = ("pass", "warn", "block")
LIMITS = st.none() | st.integers(-5, 5).map(float)


@given(st.tuples(LIMITS, LIMITS, LIMITS, LIMITS), st.floats(-9, 9), st.floats(-9, 9))
def test_further_out_is_never_better(limits: tuple[float | None, ...], one: float, other: float):
    block_below, warn_below, block_above, warn_above = limits
    low, high = sorted((one, other))
    upper = bounded(block_above=block_above, warn_above=warn_above)
    lower = bounded(block_below=block_below, warn_below=warn_below)

    def grade(validator: Validator, value: float) -> int:
        return GRADE.index(check(validator, Measure(value=value)).verdict)

    assert grade(upper, low) <= grade(upper, high)
    assert grade(lower, high) <= grade(lower, low)


@given(st.text(min_size=1), LIMITS, LIMITS)
def test_an_error_is_an_error_under_any_bounds(said: str, low: float | None, high: float | None):
    seen = check(bounded(block_below=low, block_above=high), Measure(error=said))

    assert (seen.verdict, seen.measured, seen.error) == ("error", None, said)


def test_the_definition_says_when_tables_are_looked_at():
    day = written(replace(nba(), validation=Validation(after_minutes=25, again_minutes=45)))
    assert looks(day) == [NIGHT + 25 * MINUTE]

    day.tick(NIGHT + 25 * MINUTE)
    looked(day, NIGHT + 25 * MINUTE, points_allowed=1)
    assert looks(day) == [NIGHT + 70 * MINUTE]
