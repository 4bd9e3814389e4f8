"""Do the store, the service and this program speak of the same thing?

A rollout changes the program, the definition or both, instance by instance. What is stored stays readable by whoever
comes later, not by whoever came before; and while instances decide under two definitions, streams change theirs to and
fro. Both are seen in what was recorded last: control streams are touched by every recorded tick.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from events.catalogue import DefinitionAdopted, Event
from events.codec import CorruptEvent
from events.store import Store
from handlers.doctor.diagnosis import Diagnosis
from handlers.doctor.installation import Installation
from statemachine.definition import Definition
from statemachine.streams import CONTROL, control_stream, decider_for

LAST_EVENTS = 100
"""Events read of each stream that is looked at, from its end."""

ROLLOUT_HOURS = 2
"""A rollout takes less than this; definitions that alternate for longer are two installations."""

RETURNS_ALLOWED = 1
"""A definition may come back once: that is a rollback."""


def look_at_schema(installation: Installation) -> Iterator[Diagnosis]:
    """Whether this program can read every head, and the last events of the streams that are busy now."""
    heads, unreadable = 0, list[str]()
    with installation.open() as store:
        for stream, head in store.heads():
            heads += 1
            try:
                decider_for(stream).decode(head.state)
            except msgspec.MsgspecError as error:
                unreadable.append(f"state of {stream}: {error}")
        events = 0
        for stream in installation.busy:
            try:
                events += len(_last_events(store, stream))
            except CorruptEvent as error:
                unreadable.append(f"event in {stream}: {error.reason}")
    numbers = {"heads": float(heads), "events": float(events), "unreadable": float(len(unreadable))}
    if unreadable:
        yield Diagnosis(
            check="schema",
            outcome="fail",
            detail=f"{len(unreadable)} cannot be read, first: {unreadable[0]}",
            numbers=numbers,
            next_step="A newer program wrote it: use that one. If none did, `tipoff verify` says what is damaged.",
        )
        return
    yield Diagnosis(
        check="schema",
        outcome="ok",
        detail=f"{heads} states and the last {events} events are readable",
        numbers=numbers,
    )


def look_at_definitions_in_force(installation: Installation) -> Iterator[Diagnosis]:
    """Under which definition each sport is decided, against the one that is loaded here."""
    now = installation.clock()
    with installation.open() as store:
        for sport, definition in installation.definitions.items():
            head = store.head(control_stream(sport))
            if head is None:
                detail = "nothing was decided under any definition yet"
                yield Diagnosis(check="definition_in_force", subject=sport, outcome="skipped", detail=detail)
                continue
            busy = installation.busy_in(sport)
            recent = [(stream, _returns(_last_events(store, stream), now)) for stream in busy]
            yield _judged(sport, definition, CONTROL.decode(head.state).definition, recent)


def _judged(sport: str, ours: Definition, theirs: str, recent: list[tuple[str, int]]) -> Diagnosis:
    stream, returns = max(recent, key=lambda item: item[1])
    numbers = {"returns": float(returns)}
    if returns > RETURNS_ALLOWED:
        return Diagnosis(
            check="definition_in_force",
            subject=sport,
            outcome="warn",
            detail=f"{stream} has changed its definition to and fro {returns} times within {ROLLOUT_HOURS} h",
            numbers=numbers,
            next_step=(
                "Two definitions are at work. Nothing is decided twice, but gates may answer by turns: finish the"
                " rollout or roll it back, and look for a second installation on this store."
            ),
        )
    if theirs != ours.version:
        return Diagnosis(
            check="definition_in_force",
            subject=sport,
            outcome="warn",
            detail=f"decided under {theirs}; loaded here is {ours.version}",
            numbers=numbers,
            next_step="Give this the settings and overrides of the service, or wait for the rollout to end.",
        )
    return Diagnosis(check="definition_in_force", subject=sport, outcome="ok", detail=theirs, numbers=numbers)


def _returns(events: Iterable[Event], now: datetime) -> int:
    """How often a definition came back that another had followed."""
    since = now - timedelta(hours=ROLLOUT_HOURS)
    adopted = [
        event.data.definition
        for event in events
        if isinstance(event.data, DefinitionAdopted) and event.recorded_at >= since
    ]
    return sum(version in adopted[:place] for place, version in enumerate(adopted))


def _last_events(store: Store, stream: str) -> list[Event]:
    """The last events of a stream. Raises CorruptEvent."""
    head = store.head(stream)
    after = 0 if head is None else max(0, head.version - LAST_EVENTS)
    return [stored.event() for stored in store.read(stream, after=after)]
