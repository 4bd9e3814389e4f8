"""Arguments that several verbs take, with their help, and what the text of each may say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from cyclopts import Parameter

from handlers.cli.problems import Refused
from handlers.cli.session import Session
from statemachine.calendar import league_date

In = Annotated[Session, Parameter(parse=False)]
"""The session a verb runs in; not typed by anyone."""

Date = Annotated[str, Parameter(help="Game date, YYYY-MM-DD; also today, yesterday, tomorrow in the league's zone.")]
Sport = Annotated[str | None, Parameter(help="Sport; by default that of the first definition (nba).")]
At = Annotated[str | None, Parameter(help="Show it as it was known at a version (12) or an instant.")]
Now = Annotated[str | None, Parameter(help="The instant to take for now, such as 2026-01-17T12:00:00Z.")]
Commands = Annotated[str | None, Parameter(help="File that commands are written to, one JSON line each.")]
InputFile = Annotated[str, Parameter(help="File to read; - is standard input.")]

DIGITS_MAX = 18

_WORDS = {"today": 0, "yesterday": -1, "tomorrow": 1}


def instant(said: str, option: str) -> datetime:
    """The instant that `said` names. Raises Refused."""
    try:
        at = datetime.fromisoformat(said)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    step = "Give an RFC 3339 instant with its zone, such as 2026-01-17T12:00:00Z."
    raise Refused(f"{option} {said!r} is no instant", next_step=step)


def now_of(session: Session, said: str | None) -> datetime:
    """The instant that counts as now."""
    return session.clock() if said is None else instant(said, "--now")


def version_or_instant(said: str | None, option: str) -> int | datetime | None:
    """What `--at` and `--until` may say. Raises Refused."""
    if said is None:
        return None
    if said.isascii() and said.isdigit() and len(said) <= DIGITS_MAX:
        return int(said)
    return instant(said, option)


def game_date(session: Session, sport: str, said: str) -> str:
    """The game date that `said` names. Raises Refused."""
    if said in _WORDS:
        today = league_date(session.clock(), session.definitions[sport].timezone)
        return (date.fromisoformat(today) + timedelta(days=_WORDS[said])).isoformat()
    try:
        day = date.fromisoformat(said)
    except ValueError:
        day = None
    if day is None or day.isoformat() != said:
        raise Refused(f"{said!r} is no game date", next_step="Give YYYY-MM-DD, such as 2026-01-16.")
    return said
