"""A turn: the working of one decision. It folds each event as it emits it, so every rule sees the state of the moment.

A turn has no memory beyond its decision; what it emitted is all that remains.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from events.catalogue import Data, Event, Fact, GateEvaluated, type_of
from events.codec import CURRENT_SCHEMA, derive_id
from statemachine.definition import Definition
from statemachine.evolve import evolve
from statemachine.state import DateState


class Folded(Protocol):
    """What the states of all kinds of streams have in common."""

    @property
    def stream(self) -> str:
        """The stream's name."""

    @property
    def version(self) -> int:
        """How many events were folded."""

    @property
    def definition(self) -> str:
        """The version of the definition in force."""

    @property
    def recorded_at(self) -> datetime | None:
        """When the last event was recorded."""

    @property
    def recent(self) -> tuple[str, ...]:
        """Ids of the last inputs."""


S = TypeVar("S", bound=Folded)


class Working(Generic[S]):
    """The state while deciding about `fact`, the events so far, and `now`: given, never the wall's, and never before
    what the stream has recorded already."""

    __slots__ = ("definition", "events", "fact", "fold", "now", "state")

    def __init__(
        self, state: S, fact: Fact, now: datetime, definition: Definition, *, fold: Callable[[S, Event], S]
    ) -> None:
        self.state = state
        self.fact = fact
        self.now = now if state.recorded_at is None or now > state.recorded_at else state.recorded_at
        self.definition = definition
        self.fold = fold
        self.events: list[Event] = []

    def emit(self, data: Data) -> None:
        """Append an event and fold it. The first is the input itself; those after it name it as their cause."""
        fact, state, index = self.fact, self.state, len(self.events)
        event = Event(
            stream=state.stream,
            version=state.version + 1,
            id=fact.id if index == 0 else derive_id(fact.id, index),
            occurred_at=fact.occurred_at if index == 0 else self.now,
            recorded_at=self.now,
            correlation=fact.correlation,
            causation=None if index == 0 else fact.id,
            actor=fact.actor if index == 0 else "tipoff",
            data=data,
            schema=CURRENT_SCHEMA.get(type_of(data), 1) if CURRENT_SCHEMA else 1,
        )
        self.events.append(event)
        self.state = self.fold(state, event)


class Turn(Working[DateState]):
    """The working of a decision about a game date: `evaluations` are the gates judged in it, by cycle; `progressed`
    says that what is complete has changed, so that alerts, heals and the date's status are looked at again."""

    __slots__ = ("evaluations", "progressed")

    def __init__(self, state: DateState, fact: Fact, now: datetime, definition: Definition) -> None:
        super().__init__(state, fact, now, definition, fold=evolve)
        self.evaluations: dict[str, GateEvaluated] = {}
        self.progressed = False
