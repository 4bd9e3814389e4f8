"""Time as a client needs it, and how long it waits between two tries.

A wait is never longer than the cap and never shorter than what a service asked for; between the two, chance spreads the
clients of one service. The cap comes before chance, so that clients that have reached it do not march in step
(robustness 1.1: a cap after jitter made a synchronised herd, and a two-sided jitter returned 10 % early).
"""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime
from typing import Protocol

from statemachine.definition import ClientRules

SPREAD_MAX = 0.1
"""How much longer than a service asked for a wait may be, as a share of it."""


class Interrupted(Exception):
    """The wait ended before its time, because the service is stopping. Nothing may be called."""


class Time(Protocol):
    """The clock, waiting and chance. Implementations: `WallTime`; `tests/outbound.py` has one whose clock goes on by
    what is waited."""

    def now(self) -> datetime:
        """The instant, with a zone."""

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass. Raises Interrupted."""

    def chance(self) -> float:
        """A number from 0 to below 1."""


class WallTime:
    """The machine's time. `stop` ends every wait at once, now and from then on."""

    def __init__(self) -> None:
        self._stopping = threading.Event()

    def now(self) -> datetime:
        """The instant, UTC."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass. Raises Interrupted."""
        if self._stopping.wait(seconds):
            raise Interrupted

    def chance(self) -> float:
        """A number from 0 to below 1."""
        return random.random()

    def stop(self) -> None:
        """End every wait."""
        self._stopping.set()


def backoff_seconds(retry: int, *, base: float, rules: ClientRules, chance: float) -> float:
    """The wait before the `retry`-th retry (1, 2, …): twice as long each time, up to the cap, and then between half of
    that and all of it."""
    doubled = base * 2.0 ** min(retry - 1, 64)
    return min(doubled, rules.backoff_max_seconds) * (0.5 + 0.5 * chance)


def wait_seconds(
    retry: int, *, base: float, rules: ClientRules, chance: float, asked: float | None = None
) -> float | None:
    """The wait before the `retry`-th retry, after a reply that asked for `asked` seconds; None where that is longer
    than the cap, and so nothing that one waits for here: the call is put off instead."""
    backoff = backoff_seconds(retry, base=base, rules=rules, chance=chance)
    if asked is None:
        return backoff
    if asked > rules.backoff_max_seconds:
        return None
    return min(max(asked * (1 + SPREAD_MAX * chance), backoff), rules.backoff_max_seconds)
