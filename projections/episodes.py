"""Every alert episode of dates and control streams, in the order in which a person should look at them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from events.values import Severity
from statemachine.alerts import RANK
from statemachine.control import ControlState
from statemachine.reminders import opened_at
from statemachine.state import DateState


class Episode(Struct, frozen=True, kw_only=True):
    """The life of one alert. `game_date` is `-` for what concerns no single date. `attempt` counts how often its page
    was asked for; `undeliverable` says why it can never be delivered as it is: it is a dead letter. `opened_at` is when
    it last opened, `reminders` how often it was asked to be told again since, `reminded_at` when that last happened."""

    sport: str
    game_date: str
    cause: str
    subject: str
    severity: Severity
    detail: str
    numbers: dict[str, float | None]
    raised_at: datetime
    rises: dict[Severity, datetime]
    delivered_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    attempt: int
    undeliverable: str | None
    opened_at: datetime
    reminders: int
    reminded_at: datetime | None


def episodes(states: Iterable[DateState | ControlState]) -> list[Episode]:
    """All episodes: the open ones first, the gravest first, the oldest first."""
    found = [episode for state in states for episode in _of(state)]
    return sorted(
        found,
        key=lambda e: (
            e.resolved_at is not None,
            -RANK[e.severity],
            e.raised_at,
            e.sport,
            e.game_date,
            e.cause,
            e.subject,
        ),
    )


def _of(state: DateState | ControlState) -> Iterable[Episode]:
    for alert in state.alerts.values():
        yield Episode(
            sport=state.stream.partition("/")[0],
            game_date=state.game_date if isinstance(state, DateState) else "-",
            cause=alert.cause,
            subject=alert.subject,
            severity=alert.severity,
            detail=alert.detail,
            numbers=alert.numbers,
            raised_at=alert.raised_at,
            rises=alert.rises,
            delivered_at=alert.delivered_at,
            acknowledged_at=alert.acknowledged_at,
            acknowledged_by=alert.acknowledged_by,
            resolved_at=alert.resolved_at,
            attempt=alert.attempt,
            undeliverable=alert.undeliverable,
            opened_at=opened_at(alert),
            reminders=alert.reminders,
            reminded_at=alert.reminded_at,
        )
