"""What went wrong, for the one who typed the command: an exit code, a stable code, what and why, and what to do next.

Every error that the program expects has its line in `EXIT_CODES`; anything else is an internal error, which the edge
(`handlers/cli/app.py`) reports as such.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from cyclopts import CycloptsError
from msgspec import Struct

from events.codec import CorruptEvent
from events.store import CorruptStore, DuplicateEvent, StoreError
from handlers.asked import CannotListen, Refused
from handlers.definitions import DefinitionErrors
from handlers.export_format import ExportUnreadable
from handlers.portability import StoreConflict
from handlers.pubsub.unavailable import PubsubUnavailable
from handlers.schedule_file import ScheduleInvalid
from handlers.settings import SettingsInvalid
from handlers.stores import StoreNameInvalid
from handlers.warehouse.engine import WarehouseError
from handlers.warehouse.opening import WarehouseNameInvalid
from projections.history import NoSuchVersion
from statemachine.operators import CommandNotAllowed

__all__ = [
    "EXIT_CODES",
    "KNOWN",
    "ChannelUnavailable",
    "Exit",
    "InputUnreadable",
    "Problem",
    "Refused",
    "problem_of",
]


class Exit(IntEnum):
    """Exit codes (interface: command line; those from 64 on are those of sysexits.h)."""

    HEALTHY = 0
    WARNING = 1
    CRITICAL = 2
    USAGE = 64
    UNREADABLE = 65
    UNAVAILABLE = 69
    INTERNAL = 70
    INTERRUPTED = 130


class InputUnreadable(Refused):
    """A file that was named and cannot be read."""

    code = "input_unreadable"


class ChannelUnavailable(Refused):
    """The place where commands go cannot be written."""

    code = "channel_unavailable"


EXIT_CODES: tuple[tuple[type[Exception], Exit], ...] = (
    (InputUnreadable, Exit.UNREADABLE),
    (ChannelUnavailable, Exit.UNAVAILABLE),
    (PubsubUnavailable, Exit.UNAVAILABLE),
    (CannotListen, Exit.UNAVAILABLE),
    (Refused, Exit.USAGE),
    (CycloptsError, Exit.USAGE),
    (SettingsInvalid, Exit.USAGE),
    (StoreNameInvalid, Exit.USAGE),
    (WarehouseNameInvalid, Exit.USAGE),
    (WarehouseError, Exit.UNAVAILABLE),
    (StoreConflict, Exit.USAGE),
    (CommandNotAllowed, Exit.USAGE),
    (NoSuchVersion, Exit.USAGE),
    (DefinitionErrors, Exit.UNREADABLE),
    (ScheduleInvalid, Exit.UNREADABLE),
    (ExportUnreadable, Exit.UNREADABLE),
    (DuplicateEvent, Exit.UNREADABLE),
    (CorruptStore, Exit.UNAVAILABLE),
    (CorruptEvent, Exit.UNAVAILABLE),
    (StoreError, Exit.UNAVAILABLE),
)
"""The first line that fits an error counts."""

KNOWN: tuple[type[Exception], ...] = tuple(kind for kind, _code in EXIT_CODES)


class Problem(Struct, frozen=True, kw_only=True):
    """An error as it is told. `message` says what, why and mostly what to do; `next_step` is what to do on its own,
    null where the message is a list of things to mend; `details` are these things."""

    code: str
    message: str
    next_step: str | None
    exit_code: int
    details: tuple[Any, ...] = ()


def problem_of(error: Exception) -> Problem:
    """What an error of `KNOWN` means."""
    exit_code = next(code for kind, code in EXIT_CODES if isinstance(error, kind))
    message, next_step = str(error), getattr(error, "next_step", None)
    if isinstance(error, CycloptsError):
        next_step = "`--help`, also behind a verb, says what can be typed."
        message = f"{message.strip()} {next_step}"
    return Problem(
        code=getattr(error, "code", "wrong_usage"),
        message="\n".join([message, *getattr(error, "__notes__", ())]),
        next_step=next_step or None,
        exit_code=exit_code,
        details=_details(error),
    )


def _details(error: Exception) -> tuple[Any, ...]:
    if isinstance(error, DefinitionErrors):
        return tuple(error.errors)
    if isinstance(error, ScheduleInvalid):
        return tuple(error.faults)
    return ()
