"""When it happened, as the sender says it. An instant without a zone is UTC and flagged; one that cannot be read, or
none at all, gives way to the broker's publish time. Never a reason to reject a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

END_KEYS = ("completed_at", "processed_at", "finished_at", "recovery_timestamp")
"""Where the end of a run stands when `timestamp` is silent."""

START_KEYS = ("started_at", "start_time", "triggered_at")

NOTED_KEYS = (
    *("execution_timestamp", "decision_time", "validation_timestamp", "triggered_at", "requested_at"),
    *("detected_at", "confirmed_at", "updated_at", "updated", "timeCreated", "created_at"),
)
"""Where the instant of a row, a request or an object stands when `timestamp` is silent."""

AHEAD_SECONDS_MAX = 300
"""A sender whose instant lies further in our future has a wrong clock."""

_AHEAD_MAX = timedelta(seconds=AHEAD_SECONDS_MAX)
_SHORTEST = len("2026-01-16T12:00")  # shorter is a date, and a date is no instant
_LONGEST = 40


def instant(said: Any, flags: list[str]) -> datetime | None:
    """`said` as an instant in UTC, noting `naive_timestamp`; None where it is not one."""
    if type(said) is not str or not _SHORTEST <= len(said) <= _LONGEST:
        return None
    try:
        parsed = datetime.fromisoformat(said.removesuffix(" UTC"))
        if parsed.tzinfo is UTC:
            return parsed
        if parsed.tzinfo is None:
            if not said.endswith(" UTC"):
                note(flags, "naive_timestamp")
            return parsed.replace(tzinfo=UTC)
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def take_instant(
    body: dict[str, Any],
    keys: tuple[str, ...],
    flags: list[str],
    *,
    published_at: datetime,
    received_at: datetime,
) -> datetime:
    """When it happened: `timestamp`, else the first of `keys` that says something, else the publish time. What was used
    leaves `body`; what could not be read stays there, flagged `bad_timestamp`."""
    key = "timestamp"
    said = body.get(key)
    if said is None:
        key = next((key for key in keys if body.get(key) is not None), key)
        said = body.get(key)
    found = instant(said, flags)
    if found is not None:
        body.pop(key)
    else:
        if said is not None:
            note(flags, "bad_timestamp")
        found = published_at
    return checked(found, flags, received_at=received_at)


def checked(said: datetime, flags: list[str], *, received_at: datetime) -> datetime:
    """`said`, noting `clock_ahead` where it lies in the future."""
    if said - received_at > _AHEAD_MAX:
        note(flags, "clock_ahead")
    return said


def note(flags: list[str], flag: str) -> None:
    """Adds `flag` once."""
    if flag not in flags:
        flags.append(flag)
