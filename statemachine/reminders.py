"""Reminders: an episode that was told and that nobody has taken on is told again, after a time and a bounded number of
times (`[alerts] reminders` of a definition).

A reminder is no second page (design 8.10): it says that it is one, which one, and since when the episode is open. It is
counted from when the last telling left the house, so one that waits in a channel, or is held back by a suppression, is
followed by no other. An episode that is acknowledged or resolved is never reminded of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from msgspec.structs import replace

from events.catalogue import CommandRequested
from events.codec import derive_id
from events.reports import AlertReminded
from statemachine.alert_rules import Reminder
from statemachine.calendar import span
from statemachine.coming import Deadline
from statemachine.state import Alert, Sent
from statemachine.telling import telling

REMIND = "remind:"
"""How the names of the deadlines begin at which a reminder is due: `remind:SEVERITY:NUMBER:CAUSE:SUBJECT`."""


def opened_at(alert: Alert) -> datetime:
    """When the episode last opened."""
    return alert.opened_at or alert.raised_at


def due_at(alert: Alert, rules: tuple[Reminder, ...]) -> datetime | None:
    """When the next reminder of the episode is due; None where none will be, as things are."""
    if alert.resolved_at is not None or alert.acknowledged_at is not None:
        return None
    if alert.delivered_at is None or alert.undeliverable is not None:
        return None
    rule = next((rule for rule in rules if rule.severity == alert.severity), None)
    if rule is None or alert.reminders >= rule.at_most:
        return None
    if alert.reminders and alert.reminded_at is None:
        return None  # the last one is on its way
    told_at = max(alert.delivered_at, alert.reminded_at or opened_at(alert), alert.rises[alert.severity])
    return told_at + span(rule.minutes)


def deadlines(
    alerts: Mapping[str, Alert], rules: tuple[Reminder, ...], sent: Collection[Sent] = ()
) -> Iterator[Deadline]:
    """When which reminder is due; none of those episodes whose page, or last reminder, is still to leave. One that
    `sent` holds is told by nothing else."""
    for key, alert in alerts.items() if rules else ():
        due = due_at(alert, rules)
        if due is not None and not any(each.kind == "alert" and each.subject == key for each in sent):
            yield due, f"{REMIND}{alert.severity}:{alert.reminders + 1}:{key}"


def reminder(alert: Alert, *, stream: str, key: str, game_date: str) -> tuple[AlertReminded, CommandRequested]:
    """The next reminder of the episode `key` of `stream`: that it is due, and the command that tells it."""
    number = alert.reminders + 1
    command_id = reminder_id(stream, key, replace(alert, reminders=number))
    due = AlertReminded(
        cause=alert.cause, subject=alert.subject, severity=alert.severity, number=number, command_id=command_id
    )
    beside = {"reminder": number, "open_since": f"{opened_at(alert):%Y-%m-%dT%H:%M:%SZ}"}
    return due, telling(stream, key, alert, command_id=command_id, game_date=game_date, beside=beside)


def reminder_id(stream: str, key: str, alert: Alert) -> str:
    """The id of the command that tells the last reminder of the episode."""
    return derive_id("reminder", stream, key, alert.severity, str(opened_at(alert)), str(alert.reminders))


# --- what the fold makes of it ------------------------------------------------------------------------------------


def counted(alert: Alert, data: AlertReminded) -> Alert:
    """The episode, of which a reminder was asked for."""
    return replace(alert, reminders=data.number, reminded_at=None)


def told(alert: Alert, at: datetime) -> Alert:
    """The episode, whose last reminder has left the house."""
    return replace(alert, reminded_at=at)


def refused(alert: Alert, at: datetime, error: str) -> Alert:
    """The episode, whose last reminder was not taken and never will be: a dead letter, unless nobody wants it more."""
    if alert.resolved_at is not None or alert.acknowledged_at is not None:
        return replace(alert, reminded_at=at)
    return replace(alert, undeliverable=error)
