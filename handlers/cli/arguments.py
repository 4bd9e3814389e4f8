"""Arguments that several verbs take, with their help, and what the text of each may say."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from cyclopts import Parameter

from handlers import asked
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

_WORDS = {"today": 0, "yesterday": -1, "tomorrow": 1}


def now_of(session: Session, said: str | None) -> datetime:
    """The instant that counts as now."""
    return session.clock() if said is None else asked.instant(said, "--now")


def game_date(session: Session, sport: str, said: str) -> str:
    """The game date that `said` names. Raises Refused."""
    if said in _WORDS:
        today = league_date(session.clock(), session.definitions[sport].timezone)
        return (date.fromisoformat(today) + timedelta(days=_WORDS[said])).isoformat()
    return asked.game_date(said)
