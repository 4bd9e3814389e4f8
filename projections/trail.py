"""The trail of a date: its events in order, ready to be followed backwards from what is to what led there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from events.catalogue import CompletionRecorded, Event, GateEvaluated, PhaseMoved
from statemachine.evolve import evolve, initial
from statemachine.state import DateState

D = TypeVar("D", bound=Struct)


class Found(Struct, Generic[D], frozen=True):
    """An event with its data in the type that was looked for."""

    event: Event
    data: D


class Trail:
    """All events of a date, and the state after the last of them."""

    def __init__(self, events: Sequence[Event]) -> None:
        if not events:
            raise ValueError("a date without events has nothing to explain")
        self.events = events
        self._by_id = {event.id: event for event in events}
        self.state = self.state_at(events[-1].version)

    def state_at(self, version: int) -> DateState:
        """The state after the event at `version`."""
        state = initial(self.events[0].stream)
        for event in self.events:
            if event.version > version:
                break
            state = evolve(state, event)
        return state

    def back(self, kind: type[D], *, before: int | None = None) -> Iterator[Found[D]]:
        """The events of a kind up to version `before` (included), the last one first."""
        for event in reversed(self.events):
            if isinstance(event.data, kind) and (before is None or event.version <= before):
                yield Found(event, event.data)

    def last(
        self, kind: type[D], test: Callable[[Any], bool] = lambda _data: True, *, before: int | None = None
    ) -> Found[D] | None:
        """The last event of a kind whose data passes `test`, up to version `before` (included)."""
        return next((found for found in self.back(kind, before=before) if test(found.data)), None)

    def cause(self, event: Event) -> Event:
        """The input that `event` follows from; an input is its own cause."""
        return self._by_id.get(event.causation, event) if event.causation is not None else event

    def completion(self, event: Event) -> Event:
        """The completion that `event` follows from, the core's own where it made one of rows; else the input."""
        cause = self.cause(event)
        made = (e for e in self.events if e.causation == cause.id and isinstance(e.data, CompletionRecorded))
        return next(made, cause)

    def move(self, cycle: str, *, before: int | None = None) -> Found[PhaseMoved] | None:
        """The last transition of a cycle."""
        return self.last(PhaseMoved, lambda data: data.cycle == cycle, before=before)

    def held_since(self, cycle: str) -> Found[PhaseMoved] | None:
        """The transition with which the present block of `cycle` began, however often it was looked at since."""
        first = None
        for found in self.back(PhaseMoved):
            if found.data.cycle != cycle:
                continue
            if found.data.trigger == "hold":
                first = found
            elif found.data.trigger != "recheck":
                break
        return first

    def evaluation(self, gate: str, cycle: str, *, before: int | None = None) -> Found[GateEvaluated] | None:
        """The last evaluation of a gate in a cycle."""
        return self.last(GateEvaluated, lambda data: data.gate == gate and data.cycle == cycle, before=before)
