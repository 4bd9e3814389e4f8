"""The small values that events are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

Status = Literal["success", "partial", "no_data", "failed", "skipped"]
Verdict = Literal["pass", "warn", "block", "error", "skipped"]
Severity = Literal["info", "warning", "critical"]
Mode = Literal["disabled", "warning", "blocking"]
GameStatus = Literal["scheduled", "live", "final", "postponed", "moved", "cancelled"]
CommandKind = Literal["trigger", "measure", "heal", "alert"]
HealOutcome = Literal["healed", "no_effect", "failed"]
BreakerPosition = Literal["closed", "open", "half_open"]

NO_SUBJECT = "-"
"""The subject of an alert that is about nothing in particular. Whoever means it takes this very object: msgspec leaves
out a default by identity, and equal events have to be the same bytes."""


class Game(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A game of a date. `start_utc` is the tip-off; `moved_to` is the game date it went to, where it moved."""

    game_id: str
    away: str = ""
    home: str = ""
    start_utc: datetime | None = None
    status: GameStatus = "scheduled"
    moved_to: str | None = None


class Measure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number seen at a phase boundary, or the error that stood in its way; never an error turned into a number."""

    value: float | None = None
    error: str | None = None

    def __post_init__(self) -> None:
        """A count given as an integer is the same number, and has to be the same bytes."""
        value: object = self.value
        if isinstance(value, int):
            force_setattr(self, "value", float(value))


class Check(Struct, frozen=True, kw_only=True):
    """One comparison inside a gate, with all that is needed to judge it again (design 5)."""

    check: str
    measured: float | None
    warn: float | None
    block: float | None
    verdict: Verdict
    basis: str
    error: str | None = None
