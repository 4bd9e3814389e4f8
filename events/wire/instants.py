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

BEAT_KEYS = ("timestamp", "updated_at")
"""Where the instant of a heartbeat stands when `last_heartbeat` is silent."""

AHEAD_MAX = timedelta(minutes=5)
"""A sender whose instant lies further in our future has a wrong clock."""

_SHORTEST = len("2026-01-16T12:00")  # shorter is a date, and a date is no instant
_LONGEST = 40

_parse = datetime.fromisoformat


def instant(said: Any, flags: list[str]) -> datetime | None:
    """`said` as an instant in UTC, noting `naive_timestamp`; None where it is not one."""
    if type(said) is not str or not _SHORTEST <= len(said) <= _LONGEST:
        return None
    try:
        parsed = _parse(said)
        zone = parsed.tzinfo
        if zone is UTC:
            return parsed
        if zone is None:
            note(flags, "naive_timestamp")
            return parsed.replace(tzinfo=UTC)
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        # The warehouse writes `2026-01-16 12:00:00 UTC`.
        return instant(f"{said[:-4]}+00:00", flags) if said.endswith(" UTC") else None


def note(flags: list[str], flag: str) -> None:
    """Adds `flag` once."""
    if flag not in flags:
        flags.append(flag)
