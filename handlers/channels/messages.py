"""What a person is told: the cause, the date, since when, the numbers, what to do and what to type.

Several alerts of one cause are one message that counts; nothing of them is left out of the document, and what does not
fit into a text is counted in it. A message knows nothing of the channel that carries it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from events.catalogue import CommandRequested
from events.codec import derive_id
from events.store import Pending
from events.values import Severity
from projections.findings import NEXT_STEP
from projections.wording import counted, instant, number
from statemachine.reminders import opened_at
from statemachine.state import Alert

RUNBOOK = "docs/runbook.md"
"""Where the runbook is, unless setting TIPOFF_RUNBOOK_URL says otherwise."""

NO_DATE = "-"

DATES_MAX = 3
"""Dates for which a message spells out the commands; for the others they are the same."""


class About(Struct, frozen=True, kw_only=True):
    """What is known of an alert beside its command: the episode, as it is now, and the league's zone."""

    alert: Alert | None = None
    zone: str = "UTC"


class Message(Struct, frozen=True, kw_only=True):
    """A message. `title` is one line; `parts` are paragraphs, the ones to leave out last first; `document` is the whole
    as JSON; `key` is the same for the same message however often it is sent."""

    key: str
    severity: Severity
    title: str
    parts: tuple[str, ...]
    next_step: str = ""
    link: str = ""
    commands: tuple[str, ...] = ()
    document: dict[str, Any] = {}


def alert_message(items: Sequence[tuple[Pending, About]], *, runbook: str) -> Message:
    """One message about alerts of one sport, cause and severity."""
    commands = [pending.command for pending, _about in items]
    said = commands[0].payload
    cause, sport, severity = str(said["cause"]), str(said["sport"]), said["severity"]
    next_step, link = NEXT_STEP.get(cause, "`tipoff alerts` shows the episode"), f"{runbook}#{cause}"
    typed = tuple(_typed(commands))
    document = {
        "type": "tipoff.alert",
        "severity": severity,
        "cause": cause,
        "sport": sport,
        "count": len(items),
        "episodes": [_episode(pending.command, about.alert) for pending, about in items],
        "next_step": next_step,
        "runbook": link,
        "commands": typed,
    }
    ids = [f"{command.command_id}/{command.attempt}" for command in commands]
    return Message(
        key=commands[0].command_id if len(ids) == 1 else derive_id("message", *ids),
        severity=severity,
        title=f"{_kind(commands)}{severity}: {cause}, {sport}{_what(commands)}",
        parts=tuple(_part(pending.command, about) for pending, about in items),
        next_step=next_step,
        link=link,
        commands=typed,
        document=document,
    )


def _kind(commands: Sequence[CommandRequested]) -> str:
    """A message of nothing but reminders says so first; one that holds a page is a page."""
    numbers = {int(command.payload.get("reminder", 0)) for command in commands}
    if 0 in numbers:
        return ""
    return f"reminder {numbers.pop()}: " if len(numbers) == 1 else "reminders: "


def _what(commands: Sequence[CommandRequested]) -> str:
    """Of one alert its date and subject; of several how many there are."""
    if len(commands) == 1:
        said = commands[0].payload
        date = "" if said["game_date"] == NO_DATE else f" {said['game_date']}"
        return date + ("" if said["subject"] == "-" else f" ({said['subject']})")
    dates = sorted({str(c.payload["game_date"]) for c in commands} - {NO_DATE})
    of = f" on {counted(len(dates), 'date')}, {dates[0]} to {dates[-1]}" if len(dates) > 1 else ""
    return f": {counted(len(commands), 'alert')}{of or (' ' + dates[0] if dates else '')}"


def _part(command: CommandRequested, about: About) -> str:
    said, alert = command.payload, about.alert
    name = " ".join(str(said[key]) for key in ("game_date", "subject") if said[key] != "-") or str(said["sport"])
    since = f", since {instant(alert.raised_at, about.zone)}" if alert is not None else ""
    figures = {**(alert.numbers if alert is not None else {}), **said.get("numbers", {})}
    lines = [f"{name}{since}", str(said["detail"])]
    if figures:
        lines.append("numbers: " + ", ".join(f"{key} {number(value)}" for key, value in figures.items()))
    lines += _notes(command, alert, about.zone)
    return "\n".join(lines)


def _notes(command: CommandRequested, alert: Alert | None, zone: str) -> Iterator[str]:
    if command.payload.get("reminder"):
        yield f"reminder {command.payload['reminder']}, open since {_open_since(command, alert, zone)}"
    if command.attempt > 1:
        yield f"told again, for the {_nth(command.attempt)} time"
    if alert is not None and alert.resolved_at is not None:
        yield f"resolved meanwhile, {instant(alert.resolved_at, zone)}"
    if alert is not None and alert.acknowledged_at is not None:
        yield f"acknowledged by {alert.acknowledged_by}, {instant(alert.acknowledged_at, zone)}"


def _open_since(command: CommandRequested, alert: Alert | None, zone: str) -> str:
    """When the episode last opened, and how long it was open when the reminder was asked for."""
    since = opened_at(alert) if alert is not None else datetime.fromisoformat(str(command.payload["open_since"]))
    return f"{instant(since, zone)} and taken on by nobody"


def _nth(count: int) -> str:
    return {2: "second", 3: "third"}.get(count, f"{count}th")


def _episode(command: CommandRequested, alert: Alert | None) -> dict[str, Any]:
    said = command.payload
    return {
        "command_id": command.command_id,
        "attempt": command.attempt,
        "reminder": said.get("reminder", 0),
        "game_date": said["game_date"],
        "subject": said["subject"],
        "detail": said["detail"],
        "numbers": said.get("numbers", {}),
        "raised_at": alert.raised_at if alert is not None else None,
        "resolved_at": alert.resolved_at if alert is not None else None,
    }


def _typed(commands: Sequence[CommandRequested]) -> Iterator[str]:
    """The commands to type, for the first dates."""
    sport = commands[0].payload["sport"]
    by_date = {str(command.payload["game_date"]): str(command.payload["alert_key"]) for command in commands}
    for date, key in sorted(by_date.items())[:DATES_MAX]:
        if date == NO_DATE:
            yield "tipoff health"
            yield "tipoff alerts"
        else:
            yield f"tipoff day explain {date} --sport {sport}"
            yield f"tipoff heal plan {date} --sport {sport}"
            yield f'tipoff day act {date} acknowledge --target "{key}" --sport {sport} --reason "…"'


class Line(Struct, frozen=True):
    """Something to say under a heading."""

    heading: str
    text: str


def plain_message(
    title: str, lines: Sequence[Line], *, key: str, at: datetime, kind: str, commands: tuple[str, ...] = ()
) -> Message:
    """A message that is no alert: a digest, or a test. `kind` names it in the document."""
    parts = tuple(f"{line.heading}\n{line.text}" if line.heading else line.text for line in lines)
    document = {"type": f"tipoff.{kind}", "at": at, "title": title, "parts": parts, "commands": commands}
    return Message(key=key, severity="info", title=title, parts=parts, commands=commands, document=document)


def trial_message(at: datetime) -> Message:
    """The message of a test that a person asked for."""
    line = Line("", f"A test of Tipoff at {instant(at)}: alerts arrive here. Nothing is wrong.")
    return plain_message("test: alerts arrive here", [line], key=derive_id("test", str(at)), at=at, kind="test")
