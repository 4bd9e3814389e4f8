"""An explanation names the events and numbers that forced the state, whatever the state is, and what can be done."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from events.catalogue import Fact, GateEvaluated, OperatorActed
from events.values import Check
from projections.explain import Explanation, explain
from projections.wording import number
from statemachine.decide import decide, status_of
from statemachine.evolve import evolve, initial
from statemachine.state import expected_games
from tests.driving import Driver, nba
from tests.projection_dates import LOADERS, RAW, SCRAPERS, blocked_date
from tests.projection_histories import histories


def why(driver: Driver) -> Explanation:
    return explain(driver.events, driver.definition)


def because(driver: Driver) -> str:
    return "\n".join(link.text for link in why(driver).because)


@settings(max_examples=25)
@given(histories(), st.data())
def test_every_state_of_every_history_is_explained_and_every_link_is_an_event(driver: Driver, data: st.DataObject):
    version = data.draw(st.integers(1, len(driver.events)))
    events = driver.events[:version]

    explanation = explain(events, driver.definition)

    state = initial(driver.stream)
    for event in events:
        state = evolve(state, event)
    assert explanation.status == status_of(state, driver.definition)[0]
    assert explanation.version == version
    assert explanation.because
    at = {event.version: event.recorded_at for event in events}
    assert all(link.at == at[link.version] for link in explanation.because if link.version is not None)
    assert explanation.text.startswith(f"{driver.stream} ")


@settings(max_examples=40)
@given(
    expected=st.integers(1, 9),
    present=st.integers(0, 9),
    inactive=st.integers(0, 3),
    at=st.sampled_from(["2026-01-17T11:16Z", "2026-01-17T11:24Z"]),
)
def test_a_block_names_the_number_of_every_check_that_failed(expected: int, present: int, inactive: int, at: str):
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", *["2026-01-17T03:00Z"] * expected)
    driver.until("2026-01-17T06:00Z")
    driver.complete_all("scrape", SCRAPERS, "2026-01-17T10:50Z")
    driver.complete_all("raw", LOADERS, "2026-01-17T11:15Z")
    driver.measure("raw_to_analytics", at, games_with_box_score=present, games_without_active_players=inactive)
    assume(driver.state.status == "blocked")

    text = because(driver)

    failing = failed_checks(driver)
    assert failing
    for check in failing:
        assert check.measured is not None
        assert f"{check.check} is {number(check.measured, check.block)}" in text


def failed_checks(driver: Driver) -> list[Check]:
    found = [e.data for e in driver.events if isinstance(e.data, GateEvaluated) and e.data.gate == "raw_to_analytics"]
    return [check for check in found[-1].checks if check.verdict == "block"]


def test_a_block_is_told_with_its_chain_from_the_gate_back_to_the_schedule():
    explanation = why(blocked_date())

    assert explanation.headline == (
        "nba/2026-01-16 is blocked at raw_to_analytics (overnight) since 2026-01-17 11:16 UTC (06:16 EST)."
    )
    said = [link.text for link in explanation.because]
    assert said[0] == "raw_to_analytics blocks: box_score_coverage is 0.714 (5 of 7), below 0.8"
    assert said[1] == "7 games expected by the schedule of 2026-01-10 12:00 UTC (07:00 EST)"
    assert said[2] == "measured 2026-01-17 11:16 UTC (06:16 EST) by probe: games_with_box_score 5"
    assert said[3].startswith("the gate ran because p2_odds_game_lines was the last of 4 required to complete")


def test_the_links_of_a_block_are_the_events_that_say_so():
    driver = blocked_date()
    by_version = {event.version: event for event in driver.events}

    links = [link for link in why(driver).because if link.version is not None]

    kinds = [type(by_version[link.version].data).__name__ for link in links if link.version is not None]
    assert kinds[:4] == ["GateEvaluated", "SchedulePublished", "MeasuresObserved", "CompletionRecorded"]


def test_a_block_lists_alert_heal_what_comes_next_and_what_a_person_can_do():
    driver = blocked_date()
    driver.confirm("2026-01-17T11:17Z")

    explanation = why(driver)

    alert = next(line for line in explanation.alerts if line.startswith("gate_blocked"))
    assert "warning, raised 2026-01-17 11:16 UTC (06:16 EST), delivered 2026-01-17 11:17 UTC" in alert
    assert explanation.heals == (
        "rescrape_bdl_box_scores attempt 1 of 3 requested 2026-01-17 11:16 UTC (06:16 EST)"
        " for game_6, game_7: not judged yet",
    )
    assert "2026-01-17 11:46 UTC (06:46 EST): raw (overnight) is looked at again" in explanation.ahead
    verbs = [option.command.split()[5] for option in explanation.options]
    assert verbs[:3] == ["recheck", "waive", "override"]


@settings(max_examples=40)
@given(histories())
def test_what_is_offered_is_allowed(driver: Driver):
    state, definition = driver.state, driver.definition
    for option in why(driver).options:
        words = option.command.split()
        target = words[words.index("--target") + 1] if "--target" in words else None
        if target == "GAME":
            target = expected_games(state)[0].game_id
        asked = OperatorActed(command=words[5], reason="asked for", target=target)  # type: ignore[arg-type]
        assert state.recorded_at is not None
        fact = Fact(stream=state.stream, id="asked", occurred_at=state.recorded_at, correlation="c", data=asked)
        assert decide(state, fact, state.recorded_at, definition)


def test_a_block_that_was_looked_at_again_is_as_old_as_its_first_hold():
    driver = blocked_date()
    driver.until("2026-01-17T13:00Z")

    explanation = why(driver)

    assert "since 2026-01-17 11:16 UTC" in explanation.headline
    assert any("looked at again 2 times since" in link.text for link in explanation.because)


def test_a_measure_that_failed_is_told_as_an_error_and_never_as_a_number():
    driver = blocked_date()
    driver.measure("raw_to_analytics", "2026-01-17T11:20Z", games_with_box_score="timeout")

    assert "box_score_coverage could not be measured: games_with_box_score: timeout" in because(driver)
    assert "games_with_box_score not measured: timeout" in because(driver)


def test_a_question_that_nobody_answered_is_the_reason():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T03:00Z")
    driver.until("2026-01-17T06:00Z")
    driver.complete_all("scrape", SCRAPERS, "2026-01-17T06:05Z")
    driver.complete_all("raw", LOADERS, "2026-01-17T06:10Z")
    driver.until("2026-01-17T06:25Z")

    assert "raw_to_analytics errors: box_score_coverage could not be measured" in because(driver)
    assert "raw_to_analytics was to be measured since 2026-01-17 06:10 UTC" in because(driver)
    assert "the request has not left the house" in because(driver)


def test_a_phase_that_went_on_without_somebody_names_the_missing():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T03:00Z")
    driver.until("2026-01-17T06:00Z")
    driver.complete_all("scrape", SCRAPERS, "2026-01-17T06:05Z")
    driver.complete_all("raw", LOADERS[:3], "2026-01-17T06:10Z")
    driver.until("2026-01-17T06:41Z")

    assert "the gate ran with 3 of 4 complete, for the wait was over (deadline_exceeded)" in because(driver)
    assert f"missing: {RAW[0]}" in because(driver)


def test_nothing_cannot_be_explained():
    with pytest.raises(ValueError, match="without events"):
        explain([], nba())
