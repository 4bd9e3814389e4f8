"""`verify`: a whole store held against its own rules."""

from __future__ import annotations

from msgspec import Struct
from rich.console import Console
from rich.text import Text

from handlers.cli.arguments import In
from handlers.cli.problems import Exit
from handlers.cli.tables import facts, table
from handlers.verification import Finding, Verified
from handlers.verification import verify as verified


class Answer(Struct, frozen=True, kw_only=True):
    """What was looked at and what was found; `decided` are the inputs that were decided again."""

    store: str
    clean: bool
    streams: int
    events: int
    decided: int
    findings: tuple[Finding, ...]


def verify(*, session: In) -> int:
    """Check hash chains, folds, decisions and the outbox of a whole store."""
    with session.reading() as store, session.watch("events") as watch:
        found = verified(store, progress=watch)
    session.answer(_answer(session.store, found), lambda console: _print(console, found))
    return Exit.HEALTHY if found.clean else Exit.CRITICAL


def _answer(store: str, found: Verified) -> Answer:
    return Answer(
        store=store,
        clean=found.clean,
        streams=found.streams,
        events=found.events,
        decided=found.decided,
        findings=found.findings,
    )


def _print(console: Console, found: Verified) -> None:
    console.print(facts(("streams", found.streams), ("events", found.events), ("inputs decided again", found.decided)))
    if found.clean:
        console.print("Everything holds: chains, folds, decisions, deadlines and the outbox.")
        return
    rows = [(item.kind, item.stream or "", item.version or "", Text(item.message)) for item in found.findings]
    console.print(table("finding", "stream", "#version", "what does not hold", rows=rows))
