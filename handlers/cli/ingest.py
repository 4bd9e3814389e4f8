"""`ingest`: recorded deliveries from a file or a pipe."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from msgspec import Struct
from rich.console import Console

from events.store import StoreError
from handlers.asked import instant
from handlers.cli.arguments import Commands, In, InputFile
from handlers.cli.problems import Exit, Refused
from handlers.cli.session import STDIN, Session
from handlers.cli.tables import facts
from handlers.ingest import Ingested, Ingestion, PublishClock, on_wall_clock
from handlers.lines import Readable, lines_of

Clock = Annotated[
    Literal["wall", "publish"],
    Parameter(help="publish takes each message's publish time for now, with ticks in between."),
]
Until = Annotated[str | None, Parameter(help="With --clock publish: let time go on to this instant.")]


class Answer(Struct, frozen=True, kw_only=True):
    """What was ingested; `clock_at` is where the publish clock stands at the end."""

    lines: int
    accepted: int
    duplicate: int
    rejected: int
    probes: int
    late: int
    ticks: int
    events: int
    commands: int
    alerts: int
    clock_at: datetime | None


def ingest(
    file: InputFile, /, *, clock: Clock = "wall", until: Until = None, commands: Commands = None, session: In
) -> int:
    """Store deliveries: JSON lines, each a topic and a message."""
    end = None if until is None else instant(until, "--until")
    if end is not None and clock == "wall":
        raise Refused("--until has no meaning on the wall clock", next_step="Add --clock publish.")
    with (
        session.input(file) as stream,
        session.recording(create=True) as recorder,
        session.sending(recorder, commands) as send,
        session.watch("lines", _lines_in(file)) as watch,
    ):
        ingestion = Ingestion(recorder, send)

        def each() -> None:
            watch(ingestion.counts.lines)

        try:
            if clock == "wall":
                on_wall_clock(ingestion, lines_of(stream), session.clock, each=each)
                at = None
            else:
                replayed = PublishClock(ingestion, recorder.store, each=each)
                at = _replay(stream, replayed, end, session)
        except StoreError as error:
            done = f"{ingestion.counts.lines} lines were stored before"
            error.add_note(f"{done}; run the same command again: what is stored already is skipped.")
            raise
    return _answer(session, ingestion.counts, at)


def _replay(stream: Readable, clock: PublishClock, until: datetime | None, session: Session) -> datetime | None:
    for batch in lines_of(stream):
        for line in batch:
            clock.take(line)
    clock.finish(until, fallback=session.clock())
    return clock.at


def _lines_in(file: str) -> int | None:
    """How many lines a file has, for the progress bar; None for what cannot be read twice."""
    path = Path(file)
    if file == STDIN or not path.is_file():
        return None
    with path.open("rb") as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))


def _answer(session: Session, counts: Ingested, clock_at: datetime | None) -> int:
    answer = Answer(**{name: getattr(counts, name) for name in counts.__slots__}, clock_at=clock_at)
    session.answer(answer, lambda console: _print(console, answer))
    if counts.rejected:
        session.note("Some lines were not understood and are kept whole: `tipoff rejected` says what to fix.")
    if counts.late:
        session.note(f"{counts.late} lines were published before what the clock had reached; they count from there.")
    return Exit.WARNING if counts.rejected else Exit.HEALTHY


def _print(console: Console, answer: Answer) -> None:
    shown = [name for name in answer.__struct_fields__ if name != "clock_at" or answer.clock_at is not None]
    console.print(facts(*[(name.replace("_", " "), getattr(answer, name)) for name in shown]))
