"""`health`: is anything wrong, on any date, and what should be done?"""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from handlers.cli.arguments import In, Now, now_of
from handlers.cli.recorded import Recorded
from handlers.cli.tables import cell, table, when
from projections.health import Health
from projections.health import health as health_of


def health(*, now: Now = None, session: In) -> int:
    """Whether all is well, and what to do where it is not; the exit code says it too."""
    at = now_of(session, now)
    with session.reading() as store:
        recorded = Recorded(session, store)
        found = health_of(recorded.days(), recorded.controls(), now=at)
    session.answer(found, lambda console: _print(console, found))
    return found.exit_code


def _print(console: Console, found: Health) -> None:
    console.print(Text.assemble(cell(found.status), f" at {when(found.at)}"))
    for sport, contracts in found.season.items():
        counts = ", ".join(f"{count} {name}" for name, count in contracts.items() if count)
        console.print(f"{sport}: {counts}", markup=False)
    if found.findings:
        rows = [
            (item.status, item.sport, item.game_date, item.check, when(item.since), item.reason, item.next_step)
            for item in found.findings
        ]
        console.print(table("status", "sport", "date", "check", "since", "why", "what to do", rows=rows))
