"""`day act`: what a person asks of a date, with the name and the reason that go into its history."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import Annotated, Literal

from cyclopts import Parameter
from msgspec import Struct
from rich.console import Console

from events.catalogue import Fact, OperatorActed
from events.codec import derive_id
from handlers.cli.arguments import Commands, Date, In, Now, Sport, game_date, now_of
from handlers.cli.problems import Exit, Refused
from handlers.cli.recorded import Recorded
from handlers.cli.tables import table, when
from projections.timeline import TimelineEntry, timeline

Command = Annotated[
    Literal["recheck", "waive", "override", "acknowledge", "heal", "halt", "resume"], Parameter(help="What to do.")
]
Target = Annotated[str | None, Parameter(help="A gate, a game, an alert, a component or a cycle.")]
Actor = Annotated[str | None, Parameter(help="Who asks; by default the user of this machine.")]
Reason = Annotated[str, Parameter(help="Why; it goes into the history.")]


class Answer(Struct, frozen=True, kw_only=True):
    """What was recorded: the command itself, and what followed from it."""

    stream: str
    version: int
    events: list[TimelineEntry]


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
    if not reason.strip():
        raise Refused("--reason is empty", next_step="Say why; whoever reads the history will ask.")
    ruling, at = session.sport(sport), now_of(session, now)
    day = game_date(session, ruling, date)
    data = OperatorActed(command=command, reason=reason.strip(), target=target)
    with session.recording(create=False) as recorder, session.sending(recorder, commands) as send:
        recorded = Recorded(session, recorder.store)
        before = recorded.day(ruling, day).state
        recorder.record([(_fact(before.stream, before.version, data, actor or _user(), at), at)])
        send(at)
        entries = timeline(stored.event() for stored in recorder.store.read(before.stream, after=before.version))
    answer = Answer(stream=before.stream, version=entries[-1].version, events=entries)
    session.answer(answer, lambda console: _print(console, answer))
    return Exit.HEALTHY


def _fact(stream: str, version: int, data: OperatorActed, actor: str, at: datetime) -> Fact:
    return Fact(
        stream=stream,
        id=derive_id("operator", stream, version, actor, data.command, data.target, data.reason, at.isoformat()),
        occurred_at=at,
        correlation=f"operator:{actor}",
        data=data,
        actor=actor,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise Refused("this user has no name here", next_step="Say who you are with --actor.") from error


def _print(console: Console, answer: Answer) -> None:
    rows = [(entry.version, when(entry.at), entry.type, entry.actor, entry.summary) for entry in answer.events]
    console.print(table("#version", "recorded at", "event", "by", "what", rows=rows, title=answer.stream))
