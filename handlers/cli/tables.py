"""Tables and words that many answers share: plain, aligned, and without a word for what is unknown but `?`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich import box
from rich.table import Table
from rich.text import Text

COLOURS = {
    "critical": "bold red",
    "warning": "yellow",
    "info": "cyan",
    "block": "bold red",
    "error": "bold red",
    "warn": "yellow",
    "pass": "green",
    "blocked": "bold red",
    "parked": "bold red",
    "failed": "red",
    "halted": "yellow",
    "unknown": "yellow",
    "complete": "green",
    "healthy": "green",
    "done": "green",
}
"""Colours of words that say how something stands; others have none."""


def table(*columns: str, rows: Iterable[Sequence[object]], title: str | None = None) -> Table:
    """A table. A column whose name begins with `#` is a number and stands to the right."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        number = column.startswith("#")
        made.add_column(column.removeprefix("#"), justify="right" if number else "left", overflow="fold")
    for row in rows:
        made.add_row(*[cell(value) for value in row])
    return made


def cell(value: object) -> Text:
    """A value as it stands in a table: unknown is `?`, nothing is `-`."""
    if value is None:
        return Text("?", style="dim")
    if isinstance(value, Text):
        return value
    if isinstance(value, datetime):
        return Text(when(value))
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, float):
        return Text(f"{value:g}")
    if isinstance(value, tuple | list):
        return Text(", ".join(str(item) for item in value) or "-")
    text = str(value)
    return Text(text or "-", style=COLOURS.get(text, ""))


def when(at: datetime | None) -> str:
    """An instant, UTC, to the second."""
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%SZ")


def percent(share: float | None) -> str | None:
    """A share in per cent."""
    return None if share is None else f"{share:.1%}"


def facts(*pairs: tuple[str, object]) -> Table:
    """Names and values, one pair a line."""
    made = Table.grid(padding=(0, 2))
    for name, value in pairs:
        made.add_row(Text(name, style="dim"), cell(value))
    return made
