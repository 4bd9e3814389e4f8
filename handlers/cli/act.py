"""`day act`: what a person asks of a date, with the name and the reason that go into its history."""

from __future__ import annotations

import getpass
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

from events.catalogue import OperatorActed
from handlers.answers import Acted, acted, operator_fact
from handlers.cli.arguments import Commands, Date, In, Now, Sport, game_date, now_of
from handlers.cli.problems import Exit, Refused
from handlers.cli.tables import table, when

Command = Annotated[
    Literal["recheck", "waive", "override", "acknowledge", "heal", "halt", "resume"], Parameter(help="What to do.")
]
Target = Annotated[str | None, Parameter(help="A gate, a game, an alert, a component or a cycle.")]
Actor = Annotated[str | None, Parameter(help="Who asks; by default the user of this machine.")]
Reason = Annotated[str, Parameter(help="Why; it goes into the history.")]


def act(
    date: Date,
    command: Command,
    /,
    *,
    reason: Reason,
    target: Target = None,
    actor: Actor = None,
    sport: Sport = None,
    now: Now = None,
    commands: Commands = None,
    session: In,
) -> int:
    """Act on a date: recheck, waive, override, acknowledge, heal, halt or resume."""
    why = reasoned(reason)
    ruling, at = session.sport(sport), now_of(session, now)
    day = game_date(session, ruling, date)
    data = OperatorActed(command=command, reason=why, target=target)
    with session.recording(create=False) as recorder, session.sending(recorder, commands) as send:
        recorded = session.recorded(recorder.store)
        before = recorded.day(ruling, day).state
        fact = operator_fact(before.stream, before.version, data, actor or user(), at)
        recorder.record([(fact, at)])
        send(at)
        answer = acted(recorded, fact, after=before.version)
    session.answer(answer, lambda console: print_acted(console, answer))
    return Exit.HEALTHY


def reasoned(reason: str) -> str:
    """What was given as the reason. Raises Refused where that is nothing."""
    if not reason.strip():
        raise Refused("--reason is empty", next_step="Say why; whoever reads the history will ask.")
    return reason.strip()


def user() -> str:
    """The name of the user of this machine. Raises Refused where there is none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise Refused("this user has no name here", next_step="Say who you are with --actor.") from error


def print_acted(console: Console, answer: Acted) -> None:
    """The events of an answer as a table."""
    rows = [(entry.version, when(entry.at), entry.type, entry.actor, entry.summary) for entry in answer.events]
    console.print(table("#version", "recorded at", "event", "by", "what", rows=rows, title=answer.stream))
