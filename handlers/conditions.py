"""What the edges learn about themselves: a store, a channel or a subscription that broke, or that works again.

It goes in by the same door as a message does, onto the control stream of a sport, where an alert comes of it
(`store_unavailable`, `channel_unavailable`). Said once for each change: the id is made of what was seen and when.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from events.catalogue import ComponentObserved, Fact
from events.codec import derive_id
from statemachine.streams import control_stream


def observed(
    kind: Literal["store", "channel"], name: str, sport: str, *, works: bool, detail: str, at: datetime, actor: str
) -> Fact:
    """The fact that a component of ours works or does not since `at`; `detail` says why, for people."""
    stream = control_stream(sport)
    return Fact(
        stream=stream,
        id=derive_id("component", stream, name, str(works), at.isoformat()),
        occurred_at=at,
        correlation=f"{kind}:{name}",
        data=ComponentObserved(kind=kind, name=name, available=works, detail=detail),
        actor=actor,
    )
