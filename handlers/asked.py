"""Questions and commands as people put them, whichever door they come through: what their words mean, or what is wrong.

The command line and the HTTP service read instants, versions and game dates alike and refuse the same things.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

DIGITS_MAX = 18


class Refused(Exception):
    """A command or question that cannot be answered as it was put, or not here."""

    code = "wrong_usage"

    def __init__(self, what: str, *, next_step: str) -> None:
        self.what, self.next_step = what, next_step
        super().__init__(what, next_step)

    def __str__(self) -> str:
        return f"{self.what}. {self.next_step}"


class CannotListen(Refused):
    """An address that was to be listened on cannot be."""

    code = "cannot_listen"


def instant(said: str, name: str) -> datetime:
    """The instant that `said` names; `name` is what the asker calls it. Raises Refused."""
    try:
        at = datetime.fromisoformat(said)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    step = "Give an RFC 3339 instant with its zone, such as 2026-01-17T12:00:00Z."
    raise Refused(f"{name} {said!r} is no instant", next_step=step)


def version_or_instant(said: str | None, name: str) -> int | datetime | None:
    """A point in a stream's history: a version (12) or an instant. Raises Refused."""
    if said is None:
        return None
    if said.isascii() and said.isdigit() and len(said) <= DIGITS_MAX:
        return int(said)
    return instant(said, name)


def game_date(said: str) -> str:
    """The game date that `said` is. Raises Refused."""
    try:
        day = date.fromisoformat(said)
    except ValueError:
        day = None
    if day is None or day.isoformat() != said:
        raise Refused(f"{said!r} is no game date", next_step="Give YYYY-MM-DD, such as 2026-01-16.")
    return said
