"""`heartbeats`: every remembered run and how long ago it last beat."""

from __future__ import annotations

from rich.console import Console

from handlers.cli.arguments import In, Now, Sport
from handlers.cli.problems import Exit
from handlers.cli.span import Dates, Then, instants, span_of
from handlers.cli.tables import table, when
from handlers.reviews import beats
from projections.heartbeats import Heartbeat


def heartbeats(dates: Dates = None, /, *, sport: Sport = None, now: Now = None, at: Then = None, session: In) -> int:
    """Runs by their last heartbeat, the dead first."""
    span = span_of(session, sport, dates)
    present, then = instants(session, now, at)
    with session.asking() as recorded:
        found = beats(recorded, present, span, at=then)
    session.answer(found, lambda console: _print(console, found))
    conditions = {beat.condition for beat in found}
    if "dead" in conditions:
        return Exit.CRITICAL
    return Exit.WARNING if conditions & {"stale", "hung"} else Exit.HEALTHY


def _print(console: Console, found: list[Heartbeat]) -> None:
    rows = [
        (
            beat.condition,
            beat.sport,
            beat.game_date,
            beat.processor,
            beat.run or "",
            when(beat.beat_at),
            f"{beat.age_seconds:.0f} s",
            "" if beat.progress is None else f"{beat.progress} of {'?' if beat.total is None else beat.total}",
        )
        for beat in found
    ]
    columns = ("condition", "sport", "date", "processor", "run", "last beat", "#age", "#progress")
    console.print(table(*columns, rows=rows) if rows else "No run has sent a heartbeat.")
