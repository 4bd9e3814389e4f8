"""`season open`: every date of a schedule, before its first message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

from cyclopts import App, Parameter
from msgspec import Struct
from rich.console import Console

from handlers.asked import instant
from handlers.cli.arguments import In, InputFile, Sport
from handlers.cli.problems import Exit
from handlers.cli.session import Session
from handlers.cli.tables import facts, table
from handlers.recorder import Recorder
from handlers.schedule_file import read_schedule
from handlers.season import Change, Plan, carry_out, plan

app = App(name="season", help="Open the dates of a season.")

CHANGES_SHOWN = 40

AsOf = Annotated[
    str | None,
    Parameter(help="When the schedule was known, and the instant it is recorded at; by default now."),
]
DryRun = Annotated[bool, Parameter(help="Say what would change and store nothing.", negative="")]


class Answer(Struct, frozen=True, kw_only=True):
    """What a schedule changed, or with `dry_run` would change. `opened` are dates that got their first schedule,
    `unchanged` the number of those that stay, `disregarded` dates whose schedule in force is newer."""

    sport: str
    first: str
    last: str
    dates: int
    games: int
    as_of: datetime
    dry_run: bool
    opened: tuple[str, ...]
    unchanged: int
    changes: tuple[Change, ...]
    disregarded: tuple[str, ...]
    events: int


@app.command(name="open")
def open_(file: InputFile, /, *, sport: Sport = None, as_of: AsOf = None, dry_run: DryRun = False, session: In) -> int:
    """Open every date of a schedule (CSV or JSON); again, to append only what changed."""
    ruling = session.definitions[session.sport(sport)]
    with session.input(file) as stream:
        data = b"".join(iter(lambda: stream.read1(1 << 20), b""))
    schedule = read_schedule(data, source=file, sport=ruling.sport, zone=ruling.timezone)
    now = session.clock() if as_of is None else instant(as_of, "--as-of")
    known_at = (schedule.as_of or now) if as_of is None else now
    with _recording(session, dry_run=dry_run) as recorder:
        planned, wanted = plan(recorder.store, schedule, sport=ruling.sport, as_of=known_at)
        events = 0 if dry_run else carry_out(recorder, wanted, now=now).events
    return _answer(session, planned, known_at, events, dry_run=dry_run)


@contextmanager
def _recording(session: Session, *, dry_run: bool) -> Iterator[Recorder]:
    """A recorder; for a dry run on a store that is only read, and need not be there."""
    if not dry_run:
        with session.recording(create=True) as recorder:
            yield recorder
        return
    with session.reading_if_there() as store:
        yield Recorder(store, session.definitions)


def _answer(session: Session, planned: Plan, as_of: datetime, events: int, *, dry_run: bool) -> int:
    shown = {name: getattr(planned, name) for name in planned.__struct_fields__}
    answer = Answer(**shown, as_of=as_of, dry_run=dry_run, events=events)
    session.answer(answer, lambda console: _print(console, answer))
    if answer.disregarded:
        count = len(answer.disregarded)
        session.note(f"{count} dates have a newer schedule (--as-of is older than it); theirs stays in force.")
    return Exit.WARNING if answer.disregarded else Exit.HEALTHY


def _print(console: Console, answer: Answer) -> None:
    counts = Counter(change.kind for change in answer.changes)
    console.print(
        facts(
            ("season", f"{answer.sport}, {answer.first} to {answer.last}"),
            ("dates", answer.dates),
            ("games", answer.games),
            ("would be opened" if answer.dry_run else "opened", len(answer.opened)),
            ("unchanged", answer.unchanged),
            ("changes", ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "none"),
            ("disregarded", len(answer.disregarded)),
            ("events", answer.events),
        )
    )
    if answer.changes:
        shown = answer.changes[:CHANGES_SHOWN]
        console.print(table("date", "change", rows=[(change.game_date, change.text) for change in shown]))
    if len(answer.changes) > CHANGES_SHOWN:
        console.print(f"and {len(answer.changes) - CHANGES_SHOWN} more; --json lists them all")
