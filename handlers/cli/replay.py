"""`replay`: a date's history folded event by event, with what each changed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from handlers.answers import changes
from handlers.asked import version_or_instant
from handlers.cli.arguments import Date, In, Sport, game_date
from handlers.cli.problems import Exit, Refused
from handlers.cli.session import Session
from handlers.cli.tables import when
from projections.history import Step

AfterStep = Annotated[int, Parameter(name="--after", help="Begin behind this version.")]
UntilStep = Annotated[str | None, Parameter(name="--until", help="Stop at a version (12) or an instant.")]
StepByStep = Annotated[bool, Parameter(name="--step", help="Wait for Enter after each event.", negative="")]


def replay(
    date: Date,
    /,
    *,
    sport: Sport = None,
    after: AfterStep = 0,
    until: UntilStep = None,
    step: StepByStep = False,
    session: In,
) -> int:
    """Fold a date's events one by one and show what each changed."""
    if step and (session.options.json or not session.console.is_terminal or not sys.stdin.isatty()):
        raise Refused("--step waits for a key and there is no terminal", next_step="Leave --step away.")
    ruling = session.sport(sport)
    day = game_date(session, ruling, date)
    if after < 0:
        raise Refused(f"--after {after} is no version", next_step="Give 0 or more.")
    with session.asking() as recorded:
        found = changes(recorded, ruling, day, version_or_instant(until, "--until"), after=after)
    session.answer(found, lambda console: _print(console, found, session, wait=step))
    return Exit.HEALTHY


def _print(console: Console, found: Sequence[Step], session: Session, *, wait: bool) -> None:
    for step in found:
        console.print(Text.assemble((f"{step.version:>5}  {step.type}", "bold"), f"  {when(step.recorded_at)}"))
        for change in step.changes:
            console.print(Text(f"       {change}"), soft_wrap=True)
        if wait:
            session.errors.print("Enter for the next event, Ctrl-C to stop", style="dim")
            sys.stdin.readline()
    console.print(f"{len(found)} events")
