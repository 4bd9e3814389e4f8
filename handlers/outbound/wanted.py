"""Whether a repair is still wanted when it can be sent at last.

A service that is away for a night finds three attempts of one repair in the outbox in the morning. The data has judged
the older ones by then; to send them would start the same work three times (incident I4).
"""

from __future__ import annotations

from events.store import Pending
from handlers.outbound.breakers import UNRECORDED, Asking
from handlers.outbound.services import Unwanted
from statemachine.state import DateState


def judged_already(asking: Asking) -> Unwanted:
    """Tells why a heal is not to be sent any more: its attempt is judged, or a later one took its place. What cannot be
    found out is sent."""

    def why(pending: Pending) -> str | None:
        if pending.command.kind != "heal":
            return None
        try:
            state = asking(lambda recorder: recorder.state(pending.stream))
        except UNRECORDED:
            return None
        return _why(state, pending.command.command_id) if isinstance(state, DateState) else None

    return why


def _why(state: DateState, command_id: str) -> str | None:
    for heal in state.heals.values():
        if heal.command_id == command_id:
            return f"attempt {heal.attempt} was judged {heal.outcome} before" if heal.outcome is not None else None
    return "a later attempt took its place"
