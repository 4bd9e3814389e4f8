"""Each status is explained by what led to it: who waits for whom, who halted it and why, what was lost on the way."""

from __future__ import annotations

import pytest

from projections.explain import Explanation, explain
from tests.driving import Driver, nba
from tests.projection_dates import ANALYTICS, LOADERS, SCRAPERS, blocked_date


def why(driver: Driver) -> Explanation:
    return explain(driver.events, driver.definition)


def because(driver: Driver) -> str:
    return "\n".join(link.text for link in why(driver).because)


def test_a_scheduled_date_says_when_what_opens():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z", "2026-01-17T03:00Z")

    assert "is scheduled" in why(driver).headline
    assert "2 games expected" in because(driver)
    assert "overnight opens 2026-01-17 05:15 UTC (00:15 EST) with scrape" in because(driver)


def test_a_date_without_a_schedule_says_that_nobody_knows():
    driver = Driver(nba())
    driver.complete("raw", "BdlBoxscoresProcessor", "2026-01-14T06:00Z")

    assert "no schedule is known" in because(driver)


def test_a_waiting_phase_says_who_commanded_it_and_who_is_missing():
    driver = blocked_date()
    driver.measure("raw_to_analytics", "2026-01-17T11:20Z", games_with_box_score=7)

    assert "is active: analytics (overnight) is due and nobody has reported" in why(driver).headline
    assert "analytics was commanded on nba-phase3-trigger" in because(driver)
    assert "0 of 1 command confirmed as published" in because(driver)
    assert f"0 of 5 complete; missing: {', '.join(ANALYTICS)}" in because(driver)


def test_a_boundary_that_is_being_measured_says_who_was_asked():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T03:00Z")
    driver.until("2026-01-17T06:00Z")
    driver.complete_all("scrape", SCRAPERS, "2026-01-17T06:05Z")
    driver.complete_all("raw", LOADERS, "2026-01-17T06:10Z")

    assert "raw (overnight) is ready and its boundary is being measured" in why(driver).headline
    assert "was the last of 4 required to complete" in because(driver)


def test_a_parked_date_says_what_it_waited_for_and_how_to_resume():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T03:00Z")
    driver.until("2026-01-25T00:00Z")

    explanation = why(driver)

    assert "is parked in scrape (overnight): it needs a person" in explanation.headline
    assert "0 of 3 complete; missing: bdl_box_scores" in because(driver)
    assert any(option.command.split()[5] == "resume" for option in explanation.options)


def test_a_halted_date_says_who_halted_it_and_why():
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T03:00Z")
    driver.operator("halt", "2026-01-12T12:00Z", reason="arena flooded", actor="night shift")

    explanation = why(driver)

    assert explanation.headline == "nba/2026-01-16 is halted since 2026-01-12 12:00 UTC (07:00 EST)."
    assert explanation.because[0].text == "night shift halted it: arena flooded"
    assert explanation.ahead == ()
    assert [option.command.split()[5] for option in explanation.options] == ["resume"]


@pytest.mark.parametrize(("games", "said"), [(0, "0 games expected"), (1, "operator waived game_1: asked for")])
def test_a_date_with_no_games_says_who_took_them_off(games: int, said: str):
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", *["2026-01-17T03:00Z"] * games)
    if games:
        driver.operator("waive", "2026-01-12T12:00Z", target="game_1")

    assert why(driver).status == "no_games"
    assert said in because(driver)


def test_an_override_makes_a_complete_date_say_that_it_is_less_than_all():
    driver = blocked_date()
    driver.operator("override", "2026-01-17T11:30Z", target="raw_to_analytics", reason="known", actor="night shift")
    driver.complete_all("analytics", ANALYTICS, "2026-01-17T12:00Z")
    driver.until("2026-01-17T12:15Z")
    driver.operator("override", "2026-01-17T12:16Z", target="analytics_to_precompute")
    driver.complete_all(
        "precompute", [p.name for p in nba().processors if p.phase == "precompute"], "2026-01-17T12:30Z"
    )
    driver.until("2026-01-17T12:45Z")
    driver.complete(
        "grading", "phase5b_grading", "2026-01-17T13:00Z", extra={"graded_count": 9, "predictions_found": 10}
    )

    assert "is complete, less than all of it" in why(driver).headline
    assert "overnight is degraded: raw_to_analytics overridden by night shift" in because(driver)


def test_a_cycle_that_was_given_up_beside_the_present_one_is_not_forgotten():
    driver = blocked_date()

    assert "beside it tomorrow is parked in analytics" in because(driver)
