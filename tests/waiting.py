"""Waiting for what other threads and processes do: by a condition and a deadline, never by a guess of how long."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

import pytest

T = TypeVar("T")

LOOK_SECONDS = 0.005


def until(
    condition: Callable[[], T],
    *,
    seconds: float = 20.0,
    what: str | Callable[[], object] = "",
    every_seconds: float = LOOK_SECONDS,
) -> T:
    """The first true answer of `condition`; fails the test where there is none in time. What is dear to ask is asked
    less often; what is not there can be looked at for the message."""
    end, never = monotonic() + seconds, Event()
    while not (found := condition()):
        if monotonic() > end:
            pytest.fail(f"not within {seconds:g} s: {(what() if callable(what) else what) or condition}")
        never.wait(every_seconds)
    return found
