"""Retry-After, as seconds or as an HTTP date (RFC 9110, 10.2.3): how long a service asks us to stay away."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

ASKED_SECONDS_MAX = 366 * 24 * 3600.0
"""What asks for more than a year is taken as a year: no instant lies beyond it."""


def retry_after_seconds(header: str | None, *, now: datetime, date: str | None = None) -> float | None:
    """Seconds from `now` that `header` asks for, at least 0; None where it says nothing that can be understood.

    `date` is the reply's own Date header: a date is asked for on the service's clock, so of the two ways to count it
    the longer one holds, and a clock of ours that runs ahead does not bring us back early. Fractions of a second, which
    some services send, are kept; a negative number is no Retry-After.
    """
    text = (header or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return _until(text, now, date)
    return min(seconds, ASKED_SECONDS_MAX) if seconds >= 0 else None


def _until(text: str, now: datetime, date: str | None) -> float | None:
    until = _instant(text)
    if until is None:
        return None
    said = _instant(date or "")
    asked = max(0.0, (until - now).total_seconds(), (until - said).total_seconds() if said is not None else 0.0)
    return min(asked, ASKED_SECONDS_MAX)


def _instant(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
