"""A turn: the working of one decision. It folds each event as it emits it, so every rule sees the state of the moment.

A turn has no memory beyond its decision; what it emitted is all that remains.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic

from msgspec import Struct

from events.catalogue import Data, Event, Fact, GateEvaluated, type_of
from events.codec import CURRENT_SCHEMA, derive_id
from statemachine.definition import Definition, Step
from statemachine.evolve import changed
from statemachine.folded import S
from statemachine.readiness import Standing, counted_from, standing
from statemachine.state import DateState, Work


class Working(Struct, Generic[S], gc=False):
    """The state while deciding about `fact`, the events so far, and `now`: given, never the wall's, and never before
    what the stream has recorded already. `last` is the last event, where the state does not tell its version and
    instant yet; it lacks what every event changes until it is `stamped`."""

    state: S
    fact: Fact
    now: datetime
    definition: Definition
    last: Event | None
    fold: Callable[[S, Event], S]
    events: list[Event] = []

    def __post_init__(self) -> None:
        recorded_at = (self.last or self.state).recorded_at
        if recorded_at is not None and self.now <= recorded_at:
            self.now = recorded_at

    def emit(self, data: Data) -> None:
        """Append an event and fold it. The first is the input itself; those after it name it as their cause."""
        fact, state, now, index = self.fact, self.state, self.now, len(self.events)
        version = (self.last or state).version + 1
        schema = CURRENT_SCHEMA.get(type_of(data), 1) if CURRENT_SCHEMA else 1
        if index == 0:
            event = Event(
                stream=state.stream,
                version=version,
                id=fact.id,
                occurred_at=fact.occurred_at,
                recorded_at=now,
                correlation=fact.correlation,
                actor=fact.actor,
                data=data,
                schema=schema,
            )
        else:
            event = Event(
                stream=state.stream,
                version=version,
                id=derive_id(fact.id, str(index)),
                occurred_at=now,
                recorded_at=now,
                correlation=fact.correlation,
                causation=fact.id,
                actor="tipoff",
                data=data,
                schema=schema,
            )
        self.last = event
        self.events.append(event)
        self.state = self.fold(state, event)


class Turn(Working[DateState]):
    """The working of a decision about a game date: `evaluations` are the gates judged in it, by cycle; `progressed`
    says that a completion counted, so that alerts and heals are looked at again whatever else follows; `stood` is what
    `standing` has counted."""

    last: Event | None = None
    fold: Callable[[DateState, Event], DateState] = changed
    evaluations: dict[str, GateEvaluated] = {}
    progressed: bool = False
    stood: dict[tuple[str, str], tuple[dict[str, Work], datetime | None, Standing]] = {}

    def standing(self, cycle: str, step: Step) -> Standing:
        """Who of `step` has completed in `cycle`. Guards, callbacks and gates of a turn all ask, so it is counted anew
        only where work was recorded in between, or other work counts."""
        state, asked = self.state, (cycle, step.phase)
        since = counted_from(state, cycle, step)
        known = self.stood.get(asked)
        if known is None or known[0] is not state.work or known[1] != since:
            known = self.stood[asked] = state.work, since, standing(state, self.definition, cycle, step)
        return known[2]
