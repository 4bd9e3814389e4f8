"""Deadlines as their sources give them: the instant at once, the name in parts until somebody wants to read it.

Most deadlines are far ahead whenever they are asked for, and only the earliest is acted on; of the others only the
instant matters, and to write an instant into a name costs more than to compute it.
"""

from __future__ import annotations

from datetime import datetime

from statemachine.calendar import iso

Deadline = tuple[datetime, str]
"""When, and the name: `kind:argument:…`; the kind selects the reaction."""

Coming = tuple[datetime, str | tuple[object, ...]]
"""When, and the name or its parts."""


def written(name: str | tuple[object, ...]) -> str:
    """The name of a deadline, written out."""
    if isinstance(name, str):
        return name
    return ":".join([iso(part) if type(part) is datetime else str(part) for part in name])
