"""Outbound HTTP: calls that are never made too early, too often, or again after a refusal.

`OutboundClient` makes a call, waits and tries again as the definition's `[client]` says; `SharedBreakers` is the
breaker of each domain, one for all instances; `HttpChannel` is the way out for commands whose topic begins with
`http:`. Waiting, the clock and chance are behind `Time`, so that every rule about time is tested without waiting
(robustness 1).
"""

from handlers.outbound.breakers import NoBreakers, SharedBreakers
from handlers.outbound.client import Call, OutboundClient, Reply
from handlers.outbound.services import HttpChannel
from handlers.outbound.waiting import Time, WallTime

__all__ = [
    "Call",
    "HttpChannel",
    "NoBreakers",
    "OutboundClient",
    "Reply",
    "SharedBreakers",
    "Time",
    "WallTime",
]
