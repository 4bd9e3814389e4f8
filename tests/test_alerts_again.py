"""Alerts that could not be told, are told again, or are not to be told for a while: what the history keeps of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import CommandFailed, CommandPublished, CommandRequested, Event, OperatorActed
from events.codec import encode
from statemachine.operators import CommandNotAllowed
from statemachine.state import Alert
from statemachine.suppression import EVERYTHING, Suppression, suppressed
from tests.driving import ControlDriver, Driver, nba
from tests.scenes import HOUR, MEASURED, MINUTE, OPENED, episode, raw_blocked

BLOCKED = "gate_blocked:raw_to_analytics"


def pages(events: list[Event], cause: str = "") -> list[CommandRequested]:
    commands = [event.data for event in events if isinstance(event.data, CommandRequested)]
    return [c for c in commands if c.kind == "alert" and c.payload["cause"].startswith(cause)]


def blocked(day: Driver) -> Alert:
    alert = episode(day.state, "gate_blocked", "raw_to_analytics")
    assert alert is not None
    return alert


def dead_letter() -> tuple[Driver, CommandRequested]:
    """The page of a blocked gate was refused for good."""
    day = raw_blocked()
    [page] = pages(day.events, "gate_blocked")
    day.refuse(page.command_id, MEASURED + MINUTE, error="slack: 404: no_service", permanent=True)
    return day, page


def test_a_page_that_is_refused_for_good_is_a_dead_letter_and_stays_one():
    day, _page = dead_letter()

    assert blocked(day).undeliverable == "slack: 404: no_service"
    day.until(MEASURED + 5 * HOUR)
    assert blocked(day).undeliverable == "slack: 404: no_service"
    assert blocked(day).delivered_at is None


def test_a_dead_letter_goes_out_again_under_the_same_id_because_a_person_asked():
    day, page = dead_letter()
    events = day.operator("resend", MEASURED + HOUR, target=BLOCKED, reason="the webhook is mended", actor="ana")

    assert isinstance(events[0].data, OperatorActed)
    assert events[0].actor == "ana"
    [again] = pages(events)
    assert (again.command_id, again.attempt) == (page.command_id, 2)
    assert (again.topic, again.payload) == (page.topic, page.payload)
    assert blocked(day).undeliverable is None

    day.give(CommandPublished(command_id=again.command_id, message_id="slack"), MEASURED + HOUR + MINUTE)
    assert blocked(day).delivered_at == MEASURED + HOUR + MINUTE


def test_the_same_refusal_of_a_second_try_is_a_dead_letter_again():
    day, page = dead_letter()
    day.operator("resend", MEASURED + HOUR, target="gate_blocked")
    day.refuse(page.command_id, MEASURED + HOUR + MINUTE, error="slack: 404: no_service", permanent=True)

    assert blocked(day).undeliverable is not None
    [third] = pages(day.operator("resend", MEASURED + 2 * HOUR, target="gate_blocked"))
    assert third.attempt == 3


@pytest.mark.parametrize(
    ("target", "said"), [("gate_blocked", "is on its way"), ("grading_late", "no alert"), (None, "no alert")]
)
def test_what_is_on_its_way_or_unknown_is_not_sent_again(target: str | None, said: str):
    day = raw_blocked()
    before = encode(day.state)

    with pytest.raises(CommandNotAllowed, match=said):
        day.operator("resend", MEASURED + MINUTE, target=target)
    assert encode(day.state) == before


def test_an_information_is_not_sent_for_nobody_was_paged():
    day = raw_blocked()
    day.until("2026-01-17T11:00Z")
    info = episode(day.state, "box_scores_incomplete")
    assert info is not None
    assert info.severity == "info"

    with pytest.raises(CommandNotAllowed, match="daily digest"):
        day.operator("resend", "2026-01-17T11:01Z", target="box_scores_incomplete")


def test_a_delivered_page_may_be_told_again_as_a_reminder():
    day = raw_blocked()
    day.confirm(MEASURED + MINUTE)

    [again] = pages(day.operator("resend", MEASURED + 4 * HOUR, target="gate_blocked", reason="unacknowledged"))

    assert again.attempt == 2


def test_a_louder_page_is_another_letter():
    day = raw_blocked()
    [quiet] = pages(day.events, "gate_blocked")
    day.refuse(quiet.command_id, MEASURED + MINUTE, permanent=True)
    day.measure("raw_to_analytics", MEASURED + HOUR, games_with_box_score=0, games_without_active_players=0)

    loud = pages(day.events, "gate_blocked")[-1]
    assert (quiet.topic, loud.topic) == ("alert:warning", "alert:critical")
    assert (blocked(day).undeliverable, loud.attempt) == (None, 1)


def test_a_sport_resends_its_own_alerts_under_their_ids():
    control = ControlDriver(nba())
    control.rejected("bad_date", OPENED)
    [page] = pages(control.events)
    with pytest.raises(CommandNotAllowed, match="on its way"):
        control.give(OperatorActed(command="resend", reason="r", target="messages_rejected"), OPENED + MINUTE)

    control.give(CommandFailed(command_id=page.command_id, error="410: gone", permanent=True), OPENED + MINUTE)
    alert = episode(control.state, "messages_rejected", "bad_date")
    assert alert is not None
    assert alert.undeliverable == "410: gone"
    resend = OperatorActed(command="resend", reason="mended", target="messages_rejected")
    [again] = pages(control.give(resend, OPENED + 2 * MINUTE, actor="ana"))

    assert (again.command_id, again.attempt, again.payload) == (page.command_id, 2, page.payload)
    control.give(CommandPublished(command_id=page.command_id, message_id="m"), OPENED + 3 * MINUTE)
    told = episode(control.state, "messages_rejected", "bad_date")
    assert told is not None
    assert (told.delivered_at, told.undeliverable) == (OPENED + 3 * MINUTE, None)


# --- suppression ------------------------------------------------------------------------------------------------------


def test_a_window_of_silence_is_an_event_with_its_actor_its_reason_and_its_end():
    control = ControlDriver(nba())
    until = OPENED + 2 * HOUR
    suppress = OperatorActed(command="suppress", reason="store maintenance", target="workflow_silent", until=until)
    control.give(suppress, OPENED, actor="ana")

    assert control.state.suppressions == {
        "workflow_silent": Suppression(target="workflow_silent", until=until, actor="ana", reason="store maintenance")
    }


def test_a_suppressed_alert_is_raised_and_asked_for_as_ever():
    quiet, loud = ControlDriver(nba()), ControlDriver(nba())
    quiet.give(OperatorActed(command="suppress", reason="r", until=OPENED + HOUR), OPENED)
    for control in (quiet, loud):
        control.rejected("bad_date", OPENED + MINUTE)

    assert len(pages(quiet.events)) == len(pages(loud.events)) == 1


def test_a_window_can_be_lifted_early_and_one_without_an_end_is_none():
    control = ControlDriver(nba())
    control.give(OperatorActed(command="suppress", reason="r", until=OPENED + HOUR), OPENED)
    lifted = OperatorActed(command="suppress", reason="done early", until=OPENED + MINUTE)
    control.give(lifted, OPENED + MINUTE)

    assert suppressed(control.state.suppressions, "workflow_silent:-", OPENED + MINUTE) is None
    for until in (None, OPENED):
        with pytest.raises(CommandNotAllowed, match="needs an end"):
            control.give(OperatorActed(command="suppress", reason="r", until=until), OPENED + 2 * MINUTE)


def test_a_sport_is_no_game_date_and_a_date_is_no_sport():
    control, day = ControlDriver(nba()), raw_blocked()

    with pytest.raises(CommandNotAllowed, match="no game date"):
        control.give(OperatorActed(command="halt", reason="r"), OPENED)
    with pytest.raises(CommandNotAllowed, match="for a sport"):
        day.operator("suppress", MEASURED + MINUTE)
    with pytest.raises(CommandNotAllowed, match="acknowledged, or none"):
        control.give(OperatorActed(command="acknowledge", reason="r", target="ticks_missed"), OPENED)


_targets = st.sampled_from(["gate_blocked", "gate_blocked:raw", "grading_late", EVERYTHING])


@given(
    st.dictionaries(_targets, st.integers(-5, 5)), st.sampled_from(["gate_blocked:raw", "gate_blocked:x", "other:-"])
)
def test_the_window_that_ends_last_holds_of_those_about_the_alert(ends: dict[str, int], key: str):
    known = {
        target: Suppression(target=target, until=OPENED + timedelta(hours=hours), actor="a", reason="r")
        for target, hours in ends.items()
    }
    about = {key, key.partition(":")[0], EVERYTHING}
    ahead = [hours for target, hours in ends.items() if target in about and hours > 0]

    found = suppressed(known, key, OPENED)

    assert (found is None) is (not ahead)
    assert found is None or found.until == OPENED + timedelta(hours=max(ahead))
