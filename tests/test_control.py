"""What concerns no single date: silence of the controller and of our own clock, rejections, definitions (design 6)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import pytest
from msgspec import structs

from events.catalogue import (
    AlertRaised,
    AlertResolved,
    CommandPublished,
    CommandRequested,
    ComponentObserved,
    DefinitionPublished,
    Event,
    OperatorActed,
    Ticked,
)
from events.reports import NameNoted
from tests.driving import ControlDriver, nba
from tests.scenes import HOUR, MINUTE, OPENED, episode


def raised(events: list[Event], cause: str) -> list[tuple[str, str]]:
    return [
        (event.data.severity, event.data.subject)
        for event in events
        if isinstance(event.data, AlertRaised) and event.data.cause == cause
    ]


def ticking(control: ControlDriver, minutes: int) -> list[Event]:
    """A tick a minute."""
    start = control.state.recorded_at or OPENED
    return [event for minute in range(1, minutes + 1) for event in control.tick(start + minute * MINUTE)]


# --- our own house ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["channel", "store"])
def test_a_part_of_the_house_that_stops_working_pages_once_and_is_resolved_when_it_works(
    kind: Literal["channel", "store"],
):
    control = ControlDriver(nba())
    broken = ComponentObserved(kind=kind, name="topics", available=False, detail="permission denied")
    works = ComponentObserved(kind=kind, name="topics", available=True, detail="it takes commands again")

    assert control.give(works, OPENED) == []  # it was never broken
    first = control.give(broken, OPENED + MINUTE)
    again = control.give(broken, OPENED + 2 * MINUTE)
    elsewhere = control.give(structs.replace(broken, name="slack"), OPENED + 2 * MINUTE)
    back = control.give(works, OPENED + 3 * MINUTE)

    cause = f"{kind}_unavailable"
    assert raised(first, cause) == [("critical", "topics")]
    assert again == []
    assert raised(elsewhere, cause) == [("critical", "slack")]
    assert [event.data.subject for event in back if isinstance(event.data, AlertResolved)] == ["topics"]
    assert raised(control.give(broken, OPENED + 4 * MINUTE), cause) == [("critical", "topics")]


# --- the controller --------------------------------------------------------------------------------------------------


def test_a_controller_that_stops_deciding_is_told_after_an_hour_and_again_louder_after_two_and_then_no_more():
    control = ControlDriver(nba())
    control.decided("morning_operations", OPENED)

    events = ticking(control, 45 * 60)

    assert raised(events, "workflow_silent") == [("warning", "-"), ("critical", "-")]
    alert = episode(control.state, "workflow_silent")
    assert alert is not None
    assert alert.rises == {"warning": OPENED + HOUR, "critical": OPENED + 2 * HOUR}


def test_each_rise_of_the_silence_is_delivered_once_under_its_own_id():
    control = ControlDriver(nba())
    control.decided("morning_operations", OPENED)

    commands = [event.data for event in ticking(control, 300) if isinstance(event.data, CommandRequested)]

    pages = [(command.topic, command.payload["cause"]) for command in commands]
    assert pages == [("alert:warning", "workflow_silent"), ("alert:critical", "workflow_silent")]
    assert len({command.command_id for command in commands}) == 2


def test_a_decision_of_any_workflow_ends_the_silence_and_the_next_one_is_a_new_episode():
    control = ControlDriver(nba())
    control.decided("morning_operations", OPENED)
    ticking(control, 70)

    ended = control.decided("betting_lines", OPENED + 71 * MINUTE)
    assert [event.data.cause for event in ended if isinstance(event.data, AlertResolved)] == ["workflow_silent"]
    again = ticking(control, 60)

    assert raised(again, "workflow_silent") == [("warning", "-")]
    alert = episode(control.state, "workflow_silent")
    assert alert is not None
    assert alert.raised_at == OPENED + 131 * MINUTE


def test_a_sport_whose_controller_never_said_anything_is_not_called_silent():
    control = ControlDriver(nba())
    control.rejected("not_json", OPENED)

    assert raised(ticking(control, 300), "workflow_silent") == []


def test_the_outage_of_january_would_have_been_told_forty_three_hours_earlier():
    control = ControlDriver(nba())
    last = OPENED.replace(month=1, day=23, hour=4, minute=20)
    control.decided("post_game_window_2", last)
    control.until(last + timedelta(minutes=2714))

    alert = episode(control.state, "workflow_silent")
    assert alert is not None
    assert alert.rises["warning"].strftime("%d %H:%M") == "23 05:20"
    assert alert.rises["critical"].strftime("%d %H:%M") == "23 06:20"


# --- our own clock ---------------------------------------------------------------------------------------------------


def test_of_our_ticks_one_in_fifteen_minutes_is_recorded():
    control = ControlDriver(nba())
    control.rejected("not_json", OPENED)

    recorded = [event for event in ticking(control, 60) if isinstance(event.data, Ticked)]

    assert [event.recorded_at - OPENED for event in recorded] == [minute * MINUTE for minute in (1, 16, 31, 46)]


@pytest.mark.parametrize(("gap", "alerts"), [(20, 0), (21, 1), (600, 1)])
def test_a_gap_between_our_ticks_is_told_with_its_length(gap: int, alerts: int):
    control = ControlDriver(nba())
    control.rejected("not_json", OPENED)
    control.tick(OPENED + MINUTE)

    events = control.tick(OPENED + (1 + gap) * MINUTE)

    assert len(raised(events, "ticks_missed")) == alerts
    alert = episode(control.state, "ticks_missed")
    assert alert is None or f"no tick for {gap} min" in alert.detail


def test_ticks_that_arrive_again_end_the_alert():
    control = ControlDriver(nba())
    control.rejected("not_json", OPENED)
    control.tick(OPENED + MINUTE)
    control.tick(OPENED + HOUR)
    control.tick(OPENED + HOUR + 15 * MINUTE)

    alert = episode(control.state, "ticks_missed")
    assert alert is not None
    assert alert.resolved_at == OPENED + HOUR + 15 * MINUTE


# --- rejections ------------------------------------------------------------------------------------------------------


def test_a_reason_for_rejecting_is_told_once_a_league_day_and_every_rejection_is_counted():
    control = ControlDriver(nba())
    noon = OPENED.replace(hour=17)
    for hour in (0, 1, 2, 11, 12, 13):
        control.rejected("bad_date", noon + hour * HOUR)
    control.rejected("not_json", noon + 14 * HOUR)

    assert raised(control.events, "messages_rejected") == [
        ("warning", "bad_date"),
        ("warning", "bad_date"),
        ("warning", "not_json"),
    ]
    assert control.state.rejected == {"bad_date": 6, "not_json": 1}
    days = [event.recorded_at for event in control.events if isinstance(event.data, AlertRaised)]
    assert days[1] == noon + 12 * HOUR, "midnight in New York is the edge: 05:00 UTC"


# --- names without a processor ----------------------------------------------------------------------------------------


def met(control: ControlDriver, at: datetime, name: str = "MysteryProcessor", game_date: str = "2026-01-16") -> None:
    control.give(NameNoted(game_date=game_date, phase="raw", published_name=name), at)


def test_a_name_is_told_once_a_league_day_however_many_dates_meet_it():
    control = ControlDriver(nba())
    noon = OPENED.replace(hour=17)
    for number in range(30):
        met(control, noon + number * MINUTE, game_date=f"2025-12-{number + 1:02}")
    met(control, noon + HOUR, "OtherProcessor")
    met(control, noon + 12 * HOUR)

    told = [e for e in control.events if isinstance(e.data, AlertRaised)]
    assert raised(control.events, "unmapped_processor") == [
        ("warning", "MysteryProcessor"),
        ("warning", "OtherProcessor"),
        ("warning", "MysteryProcessor"),
    ]
    assert told[-1].recorded_at == noon + 12 * HOUR, "midnight in New York is the edge: 05:00 UTC"
    pages = [e.data for e in control.events if isinstance(e.data, CommandRequested)]
    assert len({page.command_id for page in pages}) == len(pages) == 3
    assert "2025-12-01" in pages[0].payload["detail"]


def test_a_definition_that_knows_the_name_ends_it_and_a_name_that_is_known_by_then_is_not_told():
    control = ControlDriver(nba())
    met(control, OPENED)
    met(control, OPENED, "OtherProcessor")
    first = nba().processors[0]
    known = structs.replace(first, aliases=(*first.aliases, "MysteryProcessor"), phase="scrape")
    control.definition = structs.replace(nba(), processors=(known, *nba().processors[1:]))
    met(control, OPENED + 25 * HOUR, "nbac_gamebook_pdf")

    ended = [e.data.subject for e in control.events if isinstance(e.data, AlertResolved)]
    assert ended == ["MysteryProcessor"]
    assert len(raised(control.events, "unmapped_processor")) == 2


# --- definitions, people, deliveries ---------------------------------------------------------------------------------


def test_the_text_of_a_definition_is_published_once():
    control = ControlDriver(nba())
    text = DefinitionPublished(definition="nba@1", content="{}")
    control.give(text, OPENED)

    assert control.give(text, OPENED + MINUTE) == []
    assert control.state.definitions == ("nba@1",)


def test_an_alert_of_the_sport_is_acknowledged_by_a_person_and_delivered_by_its_channel():
    control = ControlDriver(nba())
    control.rejected("bad_date", OPENED)
    command = next(event.data for event in control.events if isinstance(event.data, CommandRequested))

    control.give(CommandPublished(command_id=command.command_id, message_id="m"), OPENED + MINUTE)
    acknowledged = OperatorActed(command="acknowledge", reason="seen", target="messages_rejected")
    control.give(acknowledged, OPENED + 2 * MINUTE, actor="ann")

    alert = episode(control.state, "messages_rejected", "bad_date")
    assert alert is not None
    assert (alert.delivered_at, alert.acknowledged_at) == (OPENED + MINUTE, OPENED + 2 * MINUTE)
    assert alert.acknowledged_by == "ann"
