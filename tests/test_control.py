"""The control stream: silence of the controller, rejected messages, our own ticks (incident I2, design 8.7)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from events.catalogue import AlertRaised, AlertResolved, CommandPublished, CommandRequested
from statemachine.state import Alert
from tests.driving import ControlDriver, moment, nba

LAST = moment("2026-01-23T04:20Z")


def after(minutes: float):
    return LAST + timedelta(minutes=minutes)


def raised(control: ControlDriver, cause: str) -> list[tuple[str, str]]:
    data = [event.data for event in control.events]
    return [(item.subject, item.severity) for item in data if isinstance(item, AlertRaised) and item.cause == cause]


def only_alert(control: ControlDriver, cause: str) -> Alert:
    (alert,) = [alert for alert in control.state.alerts.values() if alert.cause == cause]
    return alert


@pytest.mark.parametrize(
    ("minutes", "severities"),
    [(59, []), (60, ["warning"]), (119, ["warning"]), (120, ["warning", "critical"]), (360, ["warning", "critical"])],
)
def test_silence_of_the_controller_warns_after_60_minutes_and_is_critical_after_120(minutes, severities):
    control = ControlDriver(nba())
    control.decided("betting_lines", LAST)
    control.until(after(minutes))
    assert raised(control, "workflow_silent") == [("-", severity) for severity in severities]


def test_the_outage_of_45_hours_is_critical_two_hours_after_the_last_decision_and_ends_with_the_next():
    control = ControlDriver(nba())
    control.decided("betting_lines", LAST)
    control.until("2026-01-25T01:34Z")
    alert = only_alert(control, "workflow_silent")
    assert alert.rises == {"warning": moment("2026-01-23T05:20Z"), "critical": moment("2026-01-23T06:20Z")}
    control.decided("morning_operations", "2026-01-25T01:35Z")
    assert only_alert(control, "workflow_silent").resolved_at == moment("2026-01-25T01:35Z")


def test_any_workflow_that_decides_ends_the_silence_and_starts_the_clock_again():
    control = ControlDriver(nba())
    control.decided("betting_lines", LAST)
    control.until(after(61))
    control.decided("morning_operations", after(62))
    control.until(after(62 + 59))
    assert raised(control, "workflow_silent") == [("-", "warning")]
    control.until(after(62 + 60))
    assert raised(control, "workflow_silent") == [("-", "warning")] * 2


def test_rejected_messages_page_once_per_reason_and_day():
    control = ControlDriver(nba())
    for minutes in (0, 1, 2):
        control.rejected("not_json", after(minutes))
    control.rejected("bad_count", after(3))
    assert raised(control, "messages_rejected") == [("not_json", "warning"), ("bad_count", "warning")]
    assert control.state.rejected == {"not_json": 3, "bad_count": 1}
    control.rejected("not_json", after(24 * 60))
    assert raised(control, "messages_rejected")[2:] == [("not_json", "warning")]


def test_ticks_are_recorded_every_quarter_of_an_hour_and_a_gap_is_said_and_resolved():
    control = ControlDriver(nba())
    control.decided("betting_lines", LAST)
    for minutes in range(1, 46):
        control.tick(after(minutes))
    ticks = [event.recorded_at for event in control.events if type(event.data).__name__ == "Ticked"]
    assert ticks == [after(1), after(16), after(31)]
    assert raised(control, "ticks_missed") == []

    control.tick(after(31 + 21))
    assert raised(control, "ticks_missed") == [("-", "warning")]
    control.tick(after(31 + 21 + 15))
    assert any(isinstance(event.data, AlertResolved) and event.data.cause == "ticks_missed" for event in control.events)


def test_a_page_is_delivered_when_its_command_is_confirmed():
    control = ControlDriver(nba())
    control.rejected("not_json", LAST)
    (command,) = [event.data for event in control.events if isinstance(event.data, CommandRequested)]
    assert only_alert(control, "messages_rejected").delivered_at is None
    control.give(CommandPublished(command_id=command.command_id, message_id="m"), after(1))
    assert only_alert(control, "messages_rejected").delivered_at == after(1)
