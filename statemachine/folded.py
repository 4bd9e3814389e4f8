"""What the states of all kinds of streams have in common, and what every event changes in them.

No event's own changes depend on these (law c), so they are written once for all events that are folded, or committed,
together: that is a third of the work of a fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from msgspec.structs import replace

from events.catalogue import Event
from statemachine.state import RECENT_INPUTS_MAX


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


def folded(changed: Callable[[S, Event], S], state: S, events: Iterable[Event]) -> S:
    """The state after all `events`, of which `changed` tells what each changes by itself."""
    last = None
    inputs: list[str] = []
    for last in events:
        state = changed(state, last)
        if last.causation is None:
            inputs.append(last.id)
    return state if last is None else _with(state, last, inputs)


def stamped(state: S, events: Sequence[Event]) -> S:
    """`state`, which has what each of `events`, at least one, changes by itself, with what every event changes."""
    return _with(state, events[-1], [event.id for event in events if event.causation is None])


def _with(state: S, last: Event, inputs: Sequence[str]) -> S:
    recent = (*state.recent, *inputs)[-RECENT_INPUTS_MAX:] if inputs else state.recent
    return replace(state, version=last.version, recorded_at=last.recorded_at, recent=recent)  # type: ignore[type-var]
