"""Reminders: what was told and nobody took on is told again, after a time, so often and no more; and it says so."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.catalogue import CommandFailed, CommandPublished, CommandRequested, Event, OperatorActed
from events.reports import AlertReminded
from events.values import Severity
from statemachine.alert_rules import Reminder
from statemachine.reminders import due_at
from statemachine.state import Alert
from statemachine.streams import CONTROL, DATE, encode_state
from tests.driving import ControlDriver, Driver, nba
from tests.scenes import GOOD_RAW, HOUR, MEASURED, MINUTE, OPENED, House, episode, raw_blocked, scheduled

RULES = (Reminder(severity="warning", minutes=240, at_most=2), Reminder(severity="critical", minutes=60, at_most=6))
BLOCKED = "gate_blocked:raw_to_analytics"
TOLD = MEASURED + MINUTE


def test_the_shipped_rules_are_those_of_these_tests():
    assert nba().alerts.reminders == RULES


def reminders(events: list[Event], cause: str = "") -> list[CommandRequested]:
    """The commands that remind, in order."""
    commands = [event.data for event in events if isinstance(event.data, CommandRequested)]
    return [c for c in commands if c.payload.get("reminder") and c.payload["cause"].startswith(cause)]


def at(events: list[Event], cause: str) -> list[datetime]:
    """When each reminder was asked for."""
    return [e.recorded_at for e in events if isinstance(e.data, AlertReminded) and e.data.cause == cause]


def told() -> Driver:
    """A gate blocks with a warning, and a minute later a person has the page."""
    day = raw_blocked()
    day.confirm(TOLD)
    return day


def watched(day: Driver, end: datetime, *, confirms: bool = True) -> None:
    """Time passes hour by hour, and what was asked for leaves the house."""
    now = TOLD
    while now < end:
        now = min(now + 30 * MINUTE, end)
        day.until(now)
        if confirms:
            day.confirm(now)


# --- when -------------------------------------------------------------------------------------------------------------


def test_a_warning_is_reminded_of_after_four_hours_and_after_four_more_and_then_no_more():
    day = told()
    watched(day, TOLD + 40 * HOUR)

    assert at(day.events, "gate_blocked") == [TOLD + 4 * HOUR, TOLD + 8 * HOUR]
    assert [command.payload["reminder"] for command in reminders(day.events, "gate_blocked")] == [1, 2]


def test_a_critical_is_reminded_of_every_hour_six_times():
    day = scheduled()
    day.until("2026-01-16T17:00Z")
    late = day.state.recorded_at
    assert late is not None
    day.confirm(late)
    for hour in range(1, 20):
        day.until(late + hour * HOUR)
        day.confirm(late + hour * HOUR)

    found = at(day.events, "predictions_late")
    assert found == [late + hour * HOUR for hour in range(1, 7)]


def test_a_reminder_is_no_second_page_it_says_which_it_is_and_since_when_the_episode_is_open():
    day = told()
    watched(day, TOLD + 9 * HOUR)
    first, second = reminders(day.events, "gate_blocked")
    [page] = [
        c for c in day.commands if c.kind == "alert" and c.payload["alert_key"] == BLOCKED and c not in (first, second)
    ]

    assert len({page.command_id, first.command_id, second.command_id}) == 3
    assert first.topic == page.topic
    assert {**page.payload, "reminder": 1, "open_since": "2026-01-17T06:11:00Z"} == first.payload
    assert second.payload["reminder"] == 2


def test_a_page_that_is_on_its_way_is_not_overtaken_and_a_reminder_that_is_has_no_follower():
    day = raw_blocked()
    day.until(MEASURED + 20 * HOUR)
    assert at(day.events, "gate_blocked") == []

    day = told()
    watched(day, TOLD + 40 * HOUR, confirms=False)
    assert at(day.events, "gate_blocked") == [TOLD + 4 * HOUR]
    day.confirm(TOLD + 41 * HOUR)
    day.until(TOLD + 60 * HOUR)
    assert at(day.events, "gate_blocked") == [TOLD + 4 * HOUR, TOLD + 45 * HOUR]


@pytest.mark.parametrize("ends", ["acknowledge", "resolve", "halt"])
def test_nobody_is_reminded_of_what_is_taken_on_over_or_of_a_date_that_is_halted(ends: str):
    day = told()
    if ends == "resolve":
        day.measure("raw_to_analytics", TOLD + HOUR, **GOOD_RAW)
    else:
        day.operator(ends, TOLD + HOUR, target="gate_blocked" if ends == "acknowledge" else None)
    watched(day, TOLD + 40 * HOUR)

    assert at(day.events, "gate_blocked") == []


def test_an_acknowledgement_after_the_first_reminder_is_the_end_of_them():
    day = told()
    watched(day, TOLD + 5 * HOUR)
    day.operator("acknowledge", TOLD + 5 * HOUR, target=BLOCKED)
    watched(day, TOLD + 40 * HOUR)

    assert at(day.events, "gate_blocked") == [TOLD + 4 * HOUR]


def test_a_rise_is_told_by_its_own_page_and_begins_the_count_anew():
    day = told()
    day.measure("raw_to_analytics", TOLD + HOUR, games_with_box_score=0, games_without_active_players=0)
    day.confirm(TOLD + HOUR)
    watched(day, TOLD + 5 * HOUR)

    found = [c.payload for c in reminders(day.events, "gate_blocked")]
    assert [(said["severity"], said["reminder"]) for said in found] == [("critical", n) for n in (1, 2, 3, 4)]
    assert {said["open_since"] for said in found} == {"2026-01-17T06:11:00Z"}


def test_a_cause_that_comes_back_pages_no_second_time_and_is_reminded_of_from_when_it_came_back():
    day = told()
    day.measure("raw_to_analytics", TOLD + HOUR, **GOOD_RAW)
    before = len(day.commands)
    day.give(OperatorActed(command="acknowledge", reason="old", target=BLOCKED), TOLD + HOUR)
    alert = episode(day.state, "gate_blocked", "raw_to_analytics")
    assert alert is not None
    assert alert.resolved_at == TOLD + HOUR
    back = replace(alert, resolved_at=None, acknowledged_at=None, opened_at=TOLD + 10 * HOUR)

    assert due_at(back, RULES) == TOLD + 14 * HOUR
    assert len(day.commands) == before


def test_nobody_is_reminded_of_a_storm_that_is_over_and_has_not_been_looked_at_since():
    day = told()
    for number in range(60):
        day.start("raw", "NbacGamebookProcessor", TOLD + number * MINUTE / 2, run=f"storm-{number}")
    day.confirm(TOLD + 30 * MINUTE)
    day.until(TOLD + 3 * HOUR)

    assert at(day.events, "run_storm") == []
    storm = episode(day.state, "run_storm", "p2_nbacom_gamebook_pdf")
    assert storm is not None
    assert storm.resolved_at is not None


def test_a_dead_letter_is_reminded_of_only_after_it_was_told():
    day = raw_blocked()
    [page] = [c for c in day.commands if c.kind == "alert" and c.payload["alert_key"] == BLOCKED]
    day.refuse(page.command_id, TOLD, permanent=True)
    day.until(TOLD + 20 * HOUR)
    assert at(day.events, "gate_blocked") == []

    day.operator("resend", TOLD + 20 * HOUR, target=BLOCKED)
    day.confirm(TOLD + 20 * HOUR)
    day.until(TOLD + 24 * HOUR)
    assert at(day.events, "gate_blocked") == [TOLD + 24 * HOUR]


def test_a_reminder_that_is_refused_is_a_dead_letter_unless_nobody_wants_it_any_more():
    open_, over = told(), told()
    for day in (open_, over):
        day.until(TOLD + 4 * HOUR)
    over.operator("acknowledge", TOLD + 4 * HOUR + MINUTE, target=BLOCKED)
    for day in (open_, over):
        [command] = reminders(day.events, "gate_blocked")
        day.refuse(command.command_id, TOLD + 5 * HOUR, error="404: no_service", permanent=True)

    found = [episode(day.state, "gate_blocked", "raw_to_analytics") for day in (open_, over)]
    assert [alert.undeliverable for alert in found if alert is not None] == ["404: no_service", None]
    assert [alert.delivered_at for alert in found if alert is not None] == [TOLD, TOLD], "the page was told"


def test_a_definition_without_reminders_reminds_of_nothing():
    day = raw_blocked(replace(nba(), alerts=replace(nba().alerts, reminders=())))
    day.confirm(TOLD)
    watched(day, TOLD + 40 * HOUR)

    assert reminders(day.events) == []


SINCE = ("delivered_at", "acknowledged_at", "resolved_at", "opened_at", "reminded_at")
MOMENTS = st.fixed_dictionaries({name: st.none() | st.integers(0, 500) for name in SINCE})


@given(st.sampled_from(["info", "warning", "critical"]), MOMENTS, st.integers(0, 7))
def test_a_reminder_is_due_a_whole_interval_after_the_last_telling_or_never(
    severity: Severity, minutes: dict[str, int | None], count: int
):
    instants = {name: OPENED + minute * MINUTE for name, minute in minutes.items() if minute is not None}
    alert = Alert(
        cause="c",
        subject="s",
        severity=severity,
        raised_at=OPENED,
        detail="",
        rises={severity: OPENED},
        reminders=count,
        **instants,  # type: ignore[arg-type]
    )
    due = due_at(alert, RULES)

    limit = {"info": 0, "warning": 2, "critical": 6}[severity]
    on_its_way = count > 0 and "reminded_at" not in instants
    over = {"acknowledged_at", "resolved_at"} & instants.keys()
    assert (due is None) is bool(count >= limit or "delivered_at" not in instants or over or on_its_way)
    if due is not None:
        last = max(instants["delivered_at"], instants.get("reminded_at") or instants.get("opened_at") or OPENED)
        assert due == last + (240 if severity == "warning" else 60) * MINUTE


# --- of a sport -------------------------------------------------------------------------------------------------------


def rejected(*, told_at: datetime | None = OPENED) -> ControlDriver:
    """A message was rejected, which is a warning of the sport."""
    control = ControlDriver(nba())
    control.rejected("bad_date", OPENED)
    if told_at is not None:
        answered(control, told_at)
    return control


def answered(control: ControlDriver, now: datetime) -> None:
    """Every page of the stream that nobody has answered leaves the house."""
    asked = [e.data for e in control.events if isinstance(e.data, CommandRequested)]
    done = {e.data.command_id for e in control.events if isinstance(e.data, CommandPublished)}
    for command in asked:
        if command.command_id not in done:
            control.give(CommandPublished(command_id=command.command_id, message_id="m"), now)


def test_a_sport_reminds_of_its_own_alerts():
    control = rejected()
    for hour in range(1, 30):
        control.until(OPENED + hour * HOUR)
        answered(control, OPENED + hour * HOUR)

    found = reminders(control.events)
    assert at(control.events, "messages_rejected") == [OPENED + 4 * HOUR, OPENED + 8 * HOUR]
    assert [(c.payload["game_date"], c.payload["reminder"]) for c in found] == [("-", 1), ("-", 2)]
    alert = episode(control.state, "messages_rejected", "bad_date")
    assert alert is not None
    assert (alert.delivered_at, alert.reminded_at) == (OPENED, OPENED + 8 * HOUR)


@pytest.mark.parametrize("target", [None, "messages_rejected", "messages_rejected:bad_date", "workflow_silent"])
def test_nobody_is_reminded_while_a_window_of_silence_holds_and_then_once(target: str | None):
    control = rejected()
    until = OPENED + 30 * HOUR
    control.give(OperatorActed(command="suppress", reason="r", target=target, until=until), OPENED + HOUR, actor="ana")
    control.until(OPENED + 31 * HOUR)

    expected = OPENED + 4 * HOUR if target == "workflow_silent" else until
    assert at(control.events, "messages_rejected") == [expected]


def test_a_sport_takes_a_reminder_that_nobody_wants_for_told_and_one_that_is_refused_for_a_dead_letter():
    for acknowledged in (False, True):
        control = rejected()
        control.until(OPENED + 4 * HOUR)
        if acknowledged:
            act = OperatorActed(command="acknowledge", reason="seen", target="messages_rejected")
            control.give(act, OPENED + 4 * HOUR, actor="ana")
        [command] = reminders(control.events)
        control.give(CommandFailed(command_id=command.command_id, error="404", permanent=True), OPENED + 5 * HOUR)
        alert = episode(control.state, "messages_rejected", "bad_date")
        assert alert is not None
        assert alert.undeliverable == (None if acknowledged else "404")


# --- the laws ---------------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.sampled_from(["tick", "told", "acknowledge", "good", "bad"])), max_size=25
    )
)
def test_however_time_is_cut_reminders_are_bounded_numbered_and_of_open_episodes_only(steps: list[tuple[int, str]]):
    day, now = raw_blocked(), MEASURED
    for gap, what in steps:
        now += gap * MINUTE
        day.until(now)
        alert = episode(day.state, "gate_blocked", "raw_to_analytics")
        assert alert is not None
        if what == "told":
            day.confirm(now)
        elif what == "acknowledge" and alert.acknowledged_at is None:
            day.operator("acknowledge", now, target=BLOCKED)
        elif what in ("good", "bad"):
            missing: dict[str, Any] = GOOD_RAW if what == "good" else GOOD_RAW | {"games_with_box_score": 1}
            day.measure("raw_to_analytics", now, **missing)

    commands = reminders(day.events)
    assert len({command.command_id for command in commands}) == len(commands)
    assert all(command.attempt == 1 for command in commands)
    state = DATE.initial(day.stream)
    for event in day.events:
        if isinstance(event.data, AlertReminded):
            before = state.alerts[f"{event.data.cause}:{event.data.subject}"]
            assert before.resolved_at is None
            assert before.acknowledged_at is None
            assert before.delivered_at is not None
            assert event.data.number == before.reminders + 1 <= 6
        state = DATE.evolve(DATE.decode(encode_state(state)), event)
    assert encode_state(state) == encode_state(day.state)
    assert [name for name in day.state.elapsed if name.startswith("remind")] == []


def test_the_control_stream_keeps_nothing_of_reminders_that_were_acted_on():
    control = rejected()
    for hour in range(1, 20):
        control.until(OPENED + hour * HOUR)
        answered(control, OPENED + hour * HOUR)

    assert control.state.elapsed == ()
    assert encode_state(CONTROL.decode(encode_state(control.state))) == encode_state(control.state)


def test_the_house_tells_a_reminder_once_though_it_stumbles_over_it_again():
    house = House()
    house.deliver("nba-phase2-raw-complete", b"{", OPENED)
    house.flush(OPENED)
    house.until(OPENED + 9 * HOUR)

    sent = [p.command.payload for p in house.sent if p.command.payload.get("reminder")]
    assert [said["reminder"] for said in sent] == [1, 2]
    assert {said["cause"] for said in sent} == {"messages_rejected"}
