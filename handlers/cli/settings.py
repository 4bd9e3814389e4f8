"""`settings`: every environment name that is read, its value, where that comes from, and what it means."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from handlers.cli.arguments import In
from handlers.cli.problems import Exit
from handlers.cli.tables import table
from handlers.settings import Shown, shown


def settings(*, session: In) -> int:
    """Every setting with its value, source and meaning; secrets are masked."""
    found = shown(session.environ)
    session.answer(found, lambda console: _print(console, found))
    unknown = [item.name for item in found if not item.known]
    if unknown:
        session.note(f"unknown to this version: {', '.join(unknown)}")
    return Exit.WARNING if unknown else Exit.HEALTHY


def _print(console: Console, found: list[Shown]) -> None:
    rows = [(item.name, Text(item.value or "-"), item.source, Text(item.meaning)) for item in found]
    console.print(table("name", "value", "source", "meaning", rows=rows))
