"""Patterns of repairs: three of a component in an hour, ten in a day, more than a fifth without effect (robustness
3.2); told by the sport, for only there are the repairs of all dates.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.catalogue import (
    AlertRaised,
    AlertResolved,
    CommandRequested,
    DeadlineElapsed,
    Event,
    OperatorActed,
    SchedulePublished,
)
from events.reports import HealNoted
from events.values import HealOutcome
from handlers.healing import history
from handlers.recorded import Recorded
from statemachine.alert_rules import HealPatterns
from statemachine.heal_patterns import DAY, HOUR, TRIES_MAX, Try, over_at, patterns, remembered
from statemachine.streams import CONTROL, encode_state
from tests.driving import ControlDriver, games, moment, nba
from tests.scenes import MINUTE, OPENED, PUBLISHED, House, episode

RULES = HealPatterns()
COMPONENT = "rerun_precompute"

OUTCOMES: list[HealOutcome | None] = ["healed", "no_effect", "failed", None]

TRIES = st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(OUTCOMES)), max_size=30)


def tries(*minutes: int, outcomes: str = "") -> tuple[Try, ...]:
    """Repairs at so many minutes; `h`ealed, `n`o effect, else not judged."""
    said: dict[str, HealOutcome] = {"h": "healed", "n": "no_effect"}
    return tuple(
        Try(
            game_date="2026-01-16",
            component=COMPONENT,
            attempt=number,
            at=OPENED + minute * MINUTE,
            outcome=said.get(outcomes[number : number + 1]),
        )
        for number, minute in enumerate(minutes)
    )


def made(drawn: list[tuple[int, HealOutcome | None]]) -> tuple[Try, ...]:
    return tuple(
        Try(game_date="d", component=COMPONENT, attempt=number, at=OPENED + minute * MINUTE, outcome=outcome)
        for number, (minute, outcome) in enumerate(sorted(drawn, key=lambda item: item[0]))
    )


def names(found: tuple[Try, ...], minute: int, rules: HealPatterns = RULES) -> list[str]:
    return [pattern.name for pattern in patterns(found, rules, OPENED + minute * MINUTE)]


# --- the boundaries ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "outcomes", "now", "expected"),
    [
        ((0, 30), "", 30, []),
        ((0, 30, 59), "", 59, ["many_in_an_hour"]),
        ((0, 30, 60), "", 60, []),
        ((0, 30, 59), "", 60, []),
        (tuple(range(0, 1440, 160)), "", 1439, []),
        (tuple(range(0, 1440, 144)), "", 1439, ["many_in_a_day"]),
        (tuple(range(0, 1440, 144)), "", 1440, []),
        ((0, 200, 400, 600, 800), "hhhhn", 900, []),
        ((0, 200, 400, 600, 800), "hhhnn", 900, ["failing"]),
        ((0, 200, 400, 600), "nnnn", 900, []),
        ((0, 200, 400, 600, 800), "nnnn", 900, []),
        (tuple(range(0, 900, 90)), "hhhhhhhhnn", 900, ["many_in_a_day"]),
        (tuple(range(0, 900, 90)), "hhhhhhhnnn", 900, ["failing", "many_in_a_day"]),
    ],
)
def test_each_pattern_begins_at_its_number_and_ends_when_the_oldest_is_an_hour_or_a_day_old(
    at: tuple[int, ...], outcomes: str, now: int, expected: list[str]
):
    assert names(tries(*at, outcomes=outcomes), now) == expected


def test_the_numbers_are_those_of_the_definition():
    strict = HealPatterns(in_an_hour=1, in_a_day=2, failing_above=0.0, judged_min=1)

    assert names(tries(0, 90, outcomes="n"), 90, strict) == ["failing", "many_in_a_day", "many_in_an_hour"]


@given(TRIES, st.integers(0, 6000))
def test_a_pattern_is_of_a_day_the_graver_first_and_needs_as_many_as_its_rule_says(
    drawn: list[tuple[int, HealOutcome | None]], minute: int
):
    found, now = made(drawn), OPENED + minute * MINUTE
    young = tuple(item for item in found if now - DAY < item.at <= now)
    said = {pattern.name: pattern for pattern in patterns(found, RULES, now)}

    assert patterns(young, RULES, now) == list(said.values())
    hour = [item for item in young if item.at > now - HOUR]
    assert ("many_in_an_hour" in said) is (len(hour) >= 3)
    assert ("many_in_a_day" in said) is (len(young) >= 10)
    judged = [item.outcome for item in young if item.outcome is not None]
    failed = len(judged) - judged.count("healed")
    assert ("failing" in said) is (len(judged) >= 5 and 5 * failed > len(judged))


@given(TRIES, st.integers(0, 6000))
def test_a_pattern_is_over_at_the_first_instant_at_which_none_is_left(
    drawn: list[tuple[int, HealOutcome | None]], minute: int
):
    found, now = made(drawn), OPENED + minute * MINUTE
    over = over_at(found, RULES, now)

    assert over >= now
    assert patterns(found, RULES, over) == []
    steps = int((over - now) / MINUTE)
    for step in range(min(steps, 200)):
        assert patterns(found, RULES, now + step * MINUTE) != []


def test_what_is_remembered_is_bounded_and_an_outcome_is_of_its_own_attempt():
    found: tuple[Try, ...] = ()
    for number in range(2 * TRIES_MAX):
        found = remembered(found, HealNoted(game_date="d", component="c", attempt=number), OPENED + number * MINUTE)
    last = 2 * TRIES_MAX - 1
    judged = remembered(found, HealNoted(game_date="d", component="c", attempt=last, outcome="healed"), OPENED)
    forgotten = remembered(judged, HealNoted(game_date="d", component="c", attempt=0, outcome="failed"), OPENED)

    assert len(found) == TRIES_MAX
    assert [item.attempt for item in judged if item.outcome == "healed"] == [last]
    assert forgotten == judged


# --- the episode ------------------------------------------------------------------------------------------------------


def noted(number: int, component: str = COMPONENT, outcome: HealOutcome | None = None) -> HealNoted:
    return HealNoted(game_date=f"2025-12-{number:02}", component=component, attempt=1, outcome=outcome)


def pages(events: list[Event]) -> list[dict[str, Any]]:
    return [event.data.payload for event in events if isinstance(event.data, CommandRequested)]


def test_a_storm_of_repairs_is_one_page_for_each_severity_that_counts_and_it_ends_by_itself():
    control = ControlDriver(nba())
    for number in range(12):
        control.give(noted(number + 1), OPENED + number * 10 * MINUTE)

    said = pages(control.events)
    assert [(page["severity"], page["subject"]) for page in said] == [("warning", COMPONENT), ("critical", COMPONENT)]
    assert "3 repairs in an hour" in said[0]["detail"]
    assert "10 repairs in a day" in said[1]["detail"]
    assert [page["numbers"]["many_in_an_hour"] for page in said] == [3.0, 6.0], "a page has the numbers of its alert"
    alert = episode(control.state, "heal_pattern", COMPONENT)
    assert alert is not None
    assert alert.numbers == {"many_in_a_day": 10.0, "many_in_an_hour": 6.0}

    control.until(OPENED + 2 * DAY)
    after = episode(control.state, "heal_pattern", COMPONENT)
    assert after is not None
    assert after.resolved_at == OPENED + DAY + 20 * MINUTE, "the third of twelve is a day old: nine are left"
    assert [event.data.cause for event in control.events if isinstance(event.data, AlertResolved)] == ["heal_pattern"]


def test_a_repair_that_works_after_all_ends_the_pattern_of_those_that_do_not():
    control = ControlDriver(nba())
    for number in range(8):
        control.give(noted(number + 1), OPENED + number * 90 * MINUTE)
    for number, outcome in enumerate(["no_effect", "no_effect", "healed", "healed", "healed", "healed"]):
        control.give(noted(number + 1, outcome=outcome), OPENED + (700 + number) * MINUTE)  # type: ignore[arg-type]
    open_ = episode(control.state, "heal_pattern", COMPONENT)
    for number in (7, 8):
        control.give(noted(number, outcome="healed"), OPENED + 710 * MINUTE)
    still = episode(control.state, "heal_pattern", COMPONENT)
    for number in (9, 10):
        control.give(noted(number), OPENED + (711 + number) * MINUTE)
        control.give(noted(number, outcome="healed"), OPENED + 740 * MINUTE)

    assert open_ is not None
    assert open_.severity == "critical"
    assert still is not None
    assert still.resolved_at is None, "two of eight"
    ended = episode(control.state, "heal_pattern", COMPONENT)
    assert ended is not None
    assert ended.resolved_at is None, "two of ten are a fifth, and ten are a pattern of their own"
    assert ended.detail.startswith(COMPONENT)


def test_the_targets_of_a_repair_are_one_component_and_other_components_are_another():
    control = ControlDriver(nba())
    for number, component in enumerate(["heal/a", "heal/b", "heal/c", "other/a", "other/b"]):
        control.give(noted(number + 1, component), OPENED + number * MINUTE)

    assert [alert.subject for alert in control.state.alerts.values()] == ["heal"]


def test_a_definition_that_says_nothing_of_patterns_tells_of_none():
    definition = replace(nba(), alerts=replace(nba().alerts, heal_patterns=None))
    control = ControlDriver(definition)
    for number in range(12):
        control.give(noted(number + 1), OPENED + number * MINUTE)

    assert control.state.alerts == {}


@given(st.lists(st.tuples(st.integers(1, 200), st.sampled_from(OUTCOMES)), max_size=20))
def test_an_episode_is_open_exactly_while_there_is_a_pattern_and_no_tick_is_spent_twice(
    drawn: list[tuple[int, HealOutcome | None]],
):
    control, now = ControlDriver(nba()), OPENED
    for number, (gap, outcome) in enumerate(drawn):
        now += gap * MINUTE
        control.until(now)
        control.give(noted(number + 1), now)
        if outcome is not None:
            control.give(noted(number + 1, outcome=outcome), now)
        alert = episode(control.state, "heal_pattern", COMPONENT)
        is_open = alert is not None and alert.resolved_at is None
        assert is_open is bool(patterns(control.state.heals[COMPONENT], RULES, now))
    control.until(now + 3 * DAY)
    alert = episode(control.state, "heal_pattern", COMPONENT)

    assert alert is None or alert.resolved_at is not None
    overs = [event for event in control.events if isinstance(event.data, DeadlineElapsed) and "over" in event.data.name]
    assert len(overs) <= 2 * len(drawn)
    assert encode_state(CONTROL.decode(encode_state(control.state))) == encode_state(control.state)


# --- over all dates, through the whole house --------------------------------------------------------------------------


DATES = ("2026-01-12", "2026-01-13", "2026-01-14")
FIRST = moment("2026-01-17T12:00Z")


@pytest.fixture
def house() -> House:
    """Three dates that have been played, each of which a person has had repaired, ten minutes apart."""
    made = House()
    for game_date in DATES:
        made.give(SchedulePublished(games=games(f"{game_date}T23:00Z")), PUBLISHED, stream=f"nba/{game_date}")
    for number, game_date in enumerate(DATES):
        act = OperatorActed(command="heal", reason="again", target=COMPONENT)
        made.give(act, FIRST + number * 10 * MINUTE, stream=f"nba/{game_date}", actor="ana", id=f"heal-{number}")
    return made


def test_repairs_of_several_dates_are_one_pattern_of_their_sport(house: House):
    events = house.events("nba/control")
    told = [
        (event.data.cause, event.data.subject, event.recorded_at)
        for event in events
        if isinstance(event.data, AlertRaised)
    ]
    noted = [
        (event.data.game_date, event.causation, event.actor) for event in events if isinstance(event.data, HealNoted)
    ]

    assert told == [("heal_pattern", COMPONENT, FIRST + 20 * MINUTE)]
    assert noted == [(game_date, None, "tipoff") for game_date in DATES]


def test_what_a_date_reports_is_known_by_its_event_however_often_it_is_told(house: House):
    before = house.events("nba/control")
    for number, game_date in enumerate(DATES):
        act = OperatorActed(command="heal", reason="again", target=COMPONENT)
        house.give(act, FIRST + HOUR, stream=f"nba/{game_date}", actor="ana", id=f"heal-{number}")

    assert house.events("nba/control") == before


def test_the_history_of_repairs_says_what_the_alert_says(house: House):
    recorded = Recorded(house.store, {"nba": house.definition})

    for minute in (20, 59, 60, 61):
        now = FIRST + minute * MINUTE
        house.until(now)
        said = [(pattern.component, pattern.severity) for pattern in history(recorded, now).patterns]
        open_ = [
            (alert.subject, alert.severity)
            for alert in house.recorder.state("nba/control").alerts.values()
            if alert.cause == "heal_pattern" and alert.resolved_at is None
        ]
        assert said == open_
        assert bool(said) is (minute < 60)
