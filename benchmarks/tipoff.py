"""Our job: lines to facts to events, durable in SQLite when a batch is acknowledged.

A day is more than its messages: ticks open cycles and let deadlines pass, and the broker confirms commands. `rehearsed`
lives through the lines once in memory, minute by minute as `tipoff ingest --clock publish` does, and hands out what the
clock and the broker said, so that the measured run decides about the same inputs and makes the same history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.job import Outcome
from events.catalogue import (
    CommandPublished,
    DefinitionAdopted,
    DefinitionPublished,
    Fact,
    PulseChanged,
    Ticked,
    is_input,
)
from events.memory import MemoryStore
from events.reports import DateNoted, HealNoted, NameNoted
from events.sqlite import SqliteStore
from events.store import Pending, Store
from events.wire import Routing, from_line, read
from handlers.dispatch import Answer, Sent, dispatch
from handlers.recorder import Recorder, Tally, Timed
from statemachine.definition import Definition
from statemachine.streams import CONTROL, DATE, decider_for

OURS = (
    CommandPublished,
    DateNoted,
    DefinitionAdopted,
    DefinitionPublished,
    HealNoted,
    NameNoted,
    PulseChanged,
    Ticked,
)
"""Inputs that no message brought."""

MINUTE = timedelta(minutes=1)


class Confirming:
    """A channel that takes every command at once."""

    def send(self, batch: list[Pending]) -> list[Answer]:
        """Confirm the batch under the commands' own ids."""
        return [Sent(message_id=pending.command.command_id) for pending in batch]


def routing(definition: Definition) -> Routing:
    """Where messages of the generated season belong."""
    topics = {**definition.topics, "firestore:": definition.sport}
    return Routing({definition.sport: ZoneInfo(definition.timezone)}, topics)


def facts_of(lines: Sequence[bytes], routing: Routing) -> list[Timed]:
    """The facts in `lines`, each with its publish time as the clock."""
    facts: list[Timed] = []
    for line in lines:
        delivery = from_line(line)
        now = delivery.published_at
        for fact in read(delivery, routing, received_at=now):
            facts.append((fact, now))  # noqa: PERF401 (most messages say one thing: a list each costs more)
    return facts


def rehearsed(lines: Sequence[bytes], definition: Definition) -> list[Timed]:
    """What the clock and the broker say while `lines` are lived through."""
    return _said_by_us(lived(lines, definition))


def lived(lines: Sequence[bytes], definition: Definition) -> Store:
    """A store that took `lines` one by one, with a tick at every minute that needed one."""
    store = MemoryStore()
    recorder = Recorder(store, {definition.sport: definition})
    ticked = datetime.min.replace(tzinfo=UTC)
    for fact, now in facts_of(lines, routing(definition)):
        ticked = _let_time_pass(recorder, ticked, now)
        recorder.record([(fact, now)])
        dispatch(recorder, Confirming(), now)
    return store


def _let_time_pass(recorder: Recorder, ticked: datetime, until: datetime) -> datetime:
    """Tick at each minute after `ticked` and before `until` at which something is due; the last of them."""
    while (due := recorder.store.next_due()) is not None:
        minute = due.replace(second=0, microsecond=0)
        minute = max(minute + MINUTE if minute < due else minute, ticked + MINUTE)
        if minute >= until:
            break
        recorder.tick(minute)
        dispatch(recorder, Confirming(), minute)
        ticked = minute
    return ticked


def is_control(stream: str) -> bool:
    """True for the stream that is about no date. Its tick every quarter of an hour is the price of a day, not of a
    message, and is left out."""
    return decider_for(stream) is CONTROL


def _said_by_us(store: Store) -> list[Timed]:
    events = [stored.event() for stored in store.read_all()]
    return [
        (
            Fact(
                stream=event.stream,
                id=event.id,
                occurred_at=event.occurred_at,
                correlation=event.correlation,
                data=event.data,
                actor=event.actor,
            ),
            event.recorded_at,
        )
        for event in events
        if is_input(event) and isinstance(event.data, Ticked | CommandPublished) and not is_control(event.stream)
    ]


def during(batches: Iterable[Sequence[bytes]], aside: Sequence[Timed]) -> list[list[Timed]]:
    """What of `aside` was said up to the last message of each batch."""
    left = deque(aside)
    parts: list[list[Timed]] = []
    for batch in batches:
        until = max(from_line(line).published_at for line in batch)
        part: list[Timed] = []
        while left and left[0][1] <= until:
            part.append(left.popleft())
        parts.append(part)
    return parts


class TipoffJob:
    """The whole path: wire formats, machine and gates, group commit with `synchronous=FULL`."""

    name = "tipoff"

    def __init__(self, definition: Definition, aside: Sequence[Sequence[Timed]]) -> None:
        self._definition = definition
        self._routing = routing(definition)
        self._aside = iter(aside)
        self.tally = Tally()

    def open(self, folder: Path) -> None:
        """Make an empty store in `folder`."""
        self.store = SqliteStore.open(folder / "tipoff.sqlite")
        self.recorder = Recorder(self.store, {self._definition.sport: self._definition})

    def take(self, lines: Sequence[bytes]) -> None:
        """Store what `lines` say, and what clock and broker said meanwhile, in one commit."""
        facts = facts_of(lines, self._routing)
        self.tally.add(self.recorder.record(sorted([*facts, *next(self._aside)], key=itemgetter(1))))

    def outcome(self) -> Outcome:
        """What messages became, without what clock and broker said; completions as the committed states have them."""
        facts = sum(
            is_input(event) and not isinstance(event.data, OURS)
            for event in (stored.event() for stored in self.store.read_all())
        )
        dates = [stream for stream in self.store.streams() if decider_for(stream) is DATE]
        completed = {
            f"{stream.partition('/')[2]}/{key.partition('/')[2]}"
            for stream in dates
            for key, work in self.recorder.state(stream).work.items()
            if work.done_at is not None
        }
        return Outcome(facts=facts, completed=frozenset(completed))

    def close(self) -> None:
        """Close the store."""
        self.store.close()
