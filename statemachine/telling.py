"""The command that has an alert told: the page of an episode, the same again, a reminder of it. One shape for all, of
dates and of sports, for channels read it."""

from __future__ import annotations

from typing import Any

from events.catalogue import AlertRaised, CommandRequested
from statemachine.state import Alert


def telling(
    stream: str,
    key: str,
    said: AlertRaised | Alert,
    *,
    command_id: str,
    game_date: str,
    attempt: int = 1,
    beside: dict[str, Any] | None = None,
) -> CommandRequested:
    """Have the episode `key` of `stream` told as `said` has it, with what is to be said `beside`. An episode of a sport
    has the game date `-`."""
    payload = {
        "alert_key": key,
        "cause": said.cause,
        "subject": said.subject,
        "severity": said.severity,
        "sport": stream.partition("/")[0],
        "game_date": game_date,
        "detail": said.detail,
        "numbers": said.numbers,
    }
    return CommandRequested(
        command_id=command_id,
        kind="alert",
        topic=f"alert:{said.severity}",
        payload=payload | (beside or {}),
        ordering_key=stream,
        attempt=attempt,
    )
