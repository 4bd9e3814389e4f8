"""`tick`: time passes, once."""

from __future__ import annotations

from rich.console import Console

from handlers.answers import TickDone, tick_done
from handlers.cli.arguments import Commands, In, Now, now_of
from handlers.cli.problems import Exit
from handlers.cli.tables import facts


def tick(*, now: Now = None, commands: Commands = None, session: In) -> int:
    """Let time pass: what is due is decided, and pending commands leave."""
    at = now_of(session, now)
    with session.recording(create=False) as recorder, session.sending(recorder, commands) as send:
        answer = tick_done(recorder.tick(at), at, sent=send(at))
    session.answer(answer, lambda console: _print(console, answer))
    return Exit.HEALTHY


def _print(console: Console, answer: TickDone) -> None:
    console.print(facts(*[(name, getattr(answer, name)) for name in answer.__struct_fields__]))
