"""The events of outbound calls and their breakers, part of the catalogue (`events/catalogue.py`).

They stand on the stream of a domain that we call (`client/api.example.com/breaker`), never on that of a date.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from events.values import BreakerPosition


class CallAsked(Struct, frozen=True, kw_only=True, tag_field="type", tag="call_asked"):
    """A client asked a breaker that was open to let one `call` through, and it may (on the stream of the breaker)."""

    call: str


class CallAnswered(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="call_answered"):
    """What an outbound call came to, where that makes a difference to its breaker. `ok` is any answer of a service that
    lives, be it a refusal; `failed` is 429, 5xx, a time-out or no connection. `retry_at` is what Retry-After asks."""

    call: str
    outcome: Literal["ok", "failed"]
    status: int | None = None
    error: str = ""
    retry_at: datetime | None = None


class BreakerMoved(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="breaker_moved"):
    """The breaker of a domain moved. `until` ends an open time, or the wait for the answer of `probe`, the one call
    that a half-open breaker lets through."""

    source: BreakerPosition
    dest: BreakerPosition
    reason: str
    until: datetime | None = None
    probe: str | None = None


Calls = CallAsked | CallAnswered
"""What clients say of their calls; `BreakerMoved` is what follows."""
