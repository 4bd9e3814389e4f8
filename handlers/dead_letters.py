"""What becomes of a dead letter: it is recorded through the door that every message takes, or dropped with a name and a
reason. Either way it is in the store before it leaves the broker.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from events.catalogue import Fact, MessageRejected, type_of
from events.codec import derive_id
from events.wire import Delivery, Routing, read
from events.wire.rejected import Rejection, rejected
from handlers.recorder import Recorder, Tally

DROPPED = "dropped_by_operator"
"""The code under which a dropped message is kept among the rejected ones."""

Outcome = Literal["recorded", "duplicate", "rejected", "nothing"]


def replay(recorder: Recorder, routing: Routing, delivery: Delivery, now: datetime) -> Outcome:
    """Record a message as if it had just been delivered, and say what that came to; `nothing` is a probe. Raises what
    `Recorder.record` raises."""
    facts = read(delivery, routing, received_at=now)
    tally = recorder.record([(fact, now) for fact in facts])
    if not facts:
        return "nothing"
    if tally.rejected:
        return "rejected"
    return "recorded" if tally.accepted else "duplicate"


def drop(recorder: Recorder, routing: Routing, delivery: Delivery, *, actor: str, reason: str, now: datetime) -> Tally:
    """Record that somebody gave a message up, with its bytes. Raises what `Recorder.record` raises."""
    return recorder.record([(dropped(delivery, routing, actor=actor, reason=reason, now=now), now)])


def dropped(delivery: Delivery, routing: Routing, *, actor: str, reason: str, now: datetime) -> Fact:
    """The fact that `actor` gave a message up, on the control stream of its sport. Who drops it twice has dropped it
    once."""
    facts = read(delivery, routing, received_at=now)
    sport = next((fact.stream.partition("/")[0] for fact in facts), None)
    fact = rejected(delivery, Rejection(DROPPED, f"dropped by {actor}: {reason}"), sport=sport)
    return replace(fact, id=derive_id("dropped", delivery.topic, delivery.message_id), occurred_at=now, actor=actor)


def reads_as(delivery: Delivery, routing: Routing, now: datetime) -> str:
    """What a message would be stored as now, in a word or two: why it died, or that nothing is wrong with it."""
    facts = read(delivery, routing, received_at=now)
    said = []
    for fact in facts:
        data = fact.data
        said.append(
            f"rejected ({data.code}: {data.reason})"
            if isinstance(data, MessageRejected)
            else f"{type_of(data)} of {fact.stream}"
        )
    return "; ".join(said) or "nothing (a probe)"
