"""`rejected`: messages that could not be understood, and what their publishers have to fix."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from handlers.answers import rejections
from handlers.cli.arguments import In
from handlers.cli.problems import Exit
from handlers.cli.span import Then, instants
from handlers.cli.tables import table, when
from projections.rejected import Rejections


def rejected(*, at: Then = None, session: In) -> int:
    """Messages that could not be understood, by what was wrong with them; their bytes are kept."""
    _now, then = instants(session, None, at)
    with session.asking() as recorded:
        found = rejections(recorded, then)
    session.answer(found, lambda console: _print(console, found))
    return Exit.WARNING if found else Exit.HEALTHY


def _print(console: Console, found: list[Rejections]) -> None:
    rows = [
        (item.stream, item.topic, item.code, item.count, when(item.last_at), item.message_id, Text(item.reason))
        for item in found
    ]
    columns = ("stream", "topic", "code", "#count", "last", "message", "what to fix")
    console.print(table(*columns, rows=rows) if rows else "No message was rejected.")
