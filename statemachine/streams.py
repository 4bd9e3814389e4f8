"""The kinds of streams and their deciders: one registry, so that whoever records or replays needs no cases.

A decider is `initial`, `evolve`, `decide`, `deadlines` and the canonical bytes of its state (design 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic

import msgspec

from events.catalogue import DefinitionAdopted, Event, Fact, PulseChanged
from events.codec import derive_id
from statemachine import breaker, control, deadlines, decide, evolve, pulse
from statemachine.breaker import BreakerState
from statemachine.coming import Deadline
from statemachine.control import ControlState
from statemachine.definition import Definition
from statemachine.folded import S, folded, stamped
from statemachine.pulse import PulseState
from statemachine.reports import reports
from statemachine.state import DateState

_encode = msgspec.msgpack.Encoder().encode


class Decider(msgspec.Struct, Generic[S], frozen=True):
    """The pure rules of one kind of stream. `changed` is the state with what an event changes by itself, and
    `decide_and_fold` gives such a state: what every event changes is still to be `stamped` on it. `next_deadline` is
    the earliest instant at which a tick would make a difference, that of the first of `deadlines`. `follow_ups` is what
    a turn, its events between the states before and after, means for other streams: a pulse tells its date what it
    concluded, a date tells its sport."""

    kind: str
    state_type: type[S]
    initial: Callable[[str], S]
    changed: Callable[[S, Event], S]
    decide: Callable[[S, Fact, datetime, Definition], list[Event]]
    decide_and_fold: Callable[[S, Fact, datetime, Definition, Event | None], tuple[list[Event], S]]
    deadlines: Callable[[S, Definition], Sequence[Deadline]]
    next_deadline: Callable[[S, Definition], datetime | None]
    follow_ups: Callable[[S, Sequence[Event], S], Sequence[Fact]]

    def evolve(self, state: S, event: Event) -> S:
        """The state after `event`."""
        return stamped(self.changed(state, event), (event,))

    def decode(self, state: bytes) -> S:
        """The state in its canonical bytes. Raises msgspec.DecodeError, of which ValidationError is one."""
        return msgspec.msgpack.decode(state, type=self.state_type)


def control_stream(sport: str) -> str:
    """The name of a sport's control stream."""
    return f"{sport}/control"


def date_stream(sport: str, game_date: str) -> str:
    """The name of a game date's stream."""
    return f"{sport}/{game_date}"


def breaker_stream(domain: str) -> str:
    """The name of the stream of a domain's breaker; `domain` is host and port."""
    return f"client/{domain}/breaker"


def _told_to_sport(before: DateState, events: Sequence[Event], after: DateState) -> Sequence[Fact]:
    return reports(before, events, after, control_stream)


def _told_to_date(_before: PulseState, events: Sequence[Event], _after: PulseState) -> Sequence[Fact]:
    return [
        Fact(
            stream=event.stream.removesuffix("/pulse"),
            id=derive_id(event.id, "follow-up"),
            occurred_at=event.recorded_at,
            correlation=event.correlation,
            data=event.data,
            actor="tipoff",
        )
        for event in events
        if type(event.data) is PulseChanged
    ]


def _told_to_nobody(_before: object, _events: Sequence[Event], _after: object) -> Sequence[Fact]:
    return ()


def _first_of(deadlines: Callable[[S, Definition], Sequence[Deadline]]) -> Callable[[S, Definition], datetime | None]:
    def next_deadline(state: S, definition: Definition) -> datetime | None:
        ahead = deadlines(state, definition)
        return ahead[0][0] if ahead else None

    return next_deadline


DATE = Decider(
    *("date", DateState, evolve.initial, evolve.changed, decide.decide, decide.decide_and_fold),
    *(deadlines.deadlines, deadlines.next_deadline, _told_to_sport),
)
PULSE = Decider(
    *("pulse", PulseState, pulse.initial, pulse.changed, pulse.decide, pulse.decide_and_fold),
    *(pulse.deadlines, pulse.next_deadline, _told_to_date),
)
CONTROL = Decider(
    *("control", ControlState, control.initial, control.changed, control.decide, control.decide_and_fold),
    *(control.deadlines, _first_of(control.deadlines), _told_to_nobody),
)
BREAKER = Decider(
    *("breaker", BreakerState, breaker.initial, breaker.changed, breaker.decide, breaker.decide_and_fold),
    *(breaker.deadlines, _first_of(breaker.deadlines), _told_to_nobody),
)

State = DateState | PulseState | ControlState | BreakerState


def decider_for(
    stream: str,
) -> Decider[DateState] | Decider[PulseState] | Decider[ControlState] | Decider[BreakerState]:
    """The decider of `stream`, by its name: `nba/2026-01-16`, `nba/2026-01-16/pulse`, `nba/control`, and
    `client/api.example.com/breaker` for a domain that we call."""
    if stream.endswith("/pulse"):
        return PULSE
    if stream.endswith("/breaker"):
        return BREAKER
    return CONTROL if stream.endswith("/control") else DATE


def fold(stream: str, state: State, events: Iterable[Event]) -> State:
    """The state of `stream` after all `events`, which go on from `state`: what its `evolve` gives one by one."""
    decider: Any = decider_for(stream)
    return folded(decider.changed, state, events)


def adoption(stream: str, version: int, definition: Definition, now: datetime) -> Fact:
    """The fact that `stream`, at `version`, goes on under `definition`."""
    return Fact(
        stream=stream,
        id=derive_id("definition", stream, str(version), definition.version),
        occurred_at=now,
        correlation=definition.version,
        data=DefinitionAdopted(definition=definition.version),
        actor="tipoff",
    )


def encode_state(state: State) -> bytes:
    """The canonical bytes of a state: MessagePack, for a head is written anew with each commit."""
    return _encode(state)
