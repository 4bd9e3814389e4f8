"""`alerts`: the episodes that are open, or all of them."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from handlers.cli.arguments import In
from handlers.cli.problems import Exit
from handlers.cli.recorded import Recorded
from handlers.cli.tables import table, when
from projections.episodes import Episode, episodes
from statemachine.alerts import RANK

All = Annotated[bool, Parameter(name="--all", help="Resolved episodes too.", negative="")]


def alerts(*, all_: All = False, session: In) -> int:
    """Alert episodes, the gravest first; the exit code is that of the gravest open one."""
    with session.reading() as store:
        recorded = Recorded(session, store)
        found = episodes([*(state for state, _definition in recorded.days()), *recorded.controls()])
    open_ = [episode for episode in found if episode.resolved_at is None]
    shown = found if all_ else open_
    session.answer(shown, lambda console: _print(console, shown))
    worst = max((RANK[episode.severity] for episode in open_), default=-1)
    if worst >= RANK["critical"]:
        return Exit.CRITICAL
    return Exit.WARNING if worst >= RANK["warning"] else Exit.HEALTHY


def _print(console: Console, shown: list[Episode]) -> None:
    rows = [
        (
            episode.severity,
            episode.sport,
            episode.game_date,
            episode.cause,
            episode.subject,
            when(episode.raised_at),
            when(episode.delivered_at),
            when(episode.acknowledged_at),
            when(episode.resolved_at),
            Text(episode.detail),
        )
        for episode in shown
    ]
    columns = ("severity", "sport", "date", "cause", "subject", "raised", "delivered", "acknowledged", "resolved")
    console.print(table(*columns, "detail", rows=rows) if rows else "No alert is open.")
