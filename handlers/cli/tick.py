"""`tick`: time passes, once."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from rich.console import Console

from handlers.cli.arguments import Commands, In, Now, now_of
from handlers.cli.problems import Exit
from handlers.cli.tables import facts


class Answer(Struct, frozen=True, kw_only=True):
    """What a tick came to; `streams` are those that were due."""

    now: datetime
    streams: tuple[str, ...]
    events: int
    commands: int
    alerts: int


def tick(*, now: Now = None, commands: Commands = None, session: In) -> int:
    """Let time pass: what is due is decided, and pending commands leave."""
    at = now_of(session, now)
    with session.recording(create=False) as recorder, session.sending(recorder, commands) as send:
        tally = recorder.tick(at)
        streams = tuple(sorted(tally.streams))
        tally.add(send(at))
    answer = Answer(now=at, streams=streams, events=tally.events, commands=tally.commands, alerts=tally.alerts)
    session.answer(answer, lambda console: _print(console, answer))
    return Exit.HEALTHY


def _print(console: Console, answer: Answer) -> None:
    console.print(facts(*[(name, getattr(answer, name)) for name in answer.__struct_fields__]))
