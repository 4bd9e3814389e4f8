"""Heads as they are read back: the state of a stream, or the reason why this program must leave it alone.

An older program that met a state with fields it does not know would drop them, and write the rest back. So it refuses:
messages stay where they are, for the newer instances, and whoever asks is told what to do.
"""

from __future__ import annotations

from typing import Any

import msgspec

from events.store import Head, StateUnreadable
from statemachine.streams import decider_for


def state_in(stream: str, head: Head) -> Any:
    """The state in the head of `stream`. Raises StateUnreadable where a newer program wrote it, or it is damaged."""
    try:
        return decider_for(stream).decode(head.state)
    except msgspec.DecodeError as error:
        raise StateUnreadable(stream=stream, reason=str(error)) from error
