"""Where the time of an ingested message goes, stage by stage, each on what the stage before it made.

The stages are the parts of a recorder's work called one by one over whole batches. Every batch is walked through
several times and its least disturbed walk counts, for a busy machine can only add. Figures are CPU time, but for
`insert and sync`, which waits for the disk. The recorder's own bookkeeping is in none of them; `evolve` and `insert`
are parts of `decide` and `insert and sync`, named to be told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from msgspec import Struct

from benchmarks.job import BATCH, in_batches
from benchmarks.tipoff import routing
from events.catalogue import CommandRequested, Event
from events.codec import GENESIS, chain, encode
from events.sqlite import SqliteStore
from events.store import Commit, Head, Sealed
from events.wire import from_line, read
from handlers.recorder import Timed
from statemachine.definition import Definition
from statemachine.folded import folded, stamped
from statemachine.streams import adoption, decider_for, encode_state

PARTS = ("evolve", "insert")
"""Stages that are inside another one."""


class Drafted(Struct):
    """What a batch made of one stream: its new events and the state after them."""

    before: Any
    state: Any
    hash: str
    events: list[Event]


class Walk:
    """One walk through the stages; `seconds` per stage, one entry per batch."""

    def __init__(self, definition: Definition, folder: Path) -> None:
        self.definition = definition
        self.routing = routing(definition)
        self.states: dict[str, Any] = {}
        self.last_hash: dict[str, str] = {}
        self.known: set[str] = set()
        self.stores = {mode: SqliteStore.open(folder / f"{mode}.sqlite") for mode in ("OFF", "FULL")}
        self.stores["OFF"]._connection.execute("PRAGMA synchronous = OFF")
        self.seconds: dict[str, list[float]] = {}

    @contextmanager
    def stage(self, name: str, clock: Callable[[], float] = process_time) -> Iterator[None]:
        """Count what happens inside as `name`."""
        began = clock()
        yield
        self.seconds.setdefault(name, []).append(clock() - began)

    def batch(self, lines: Sequence[bytes], aside: Sequence[Timed]) -> None:
        """Take a batch through all stages."""
        with self.stage("from_line"):
            deliveries = [from_line(line) for line in lines]
        with self.stage("read"):
            facts = [
                (fact, delivery.published_at)
                for delivery in deliveries
                for fact in read(delivery, self.routing, received_at=delivery.published_at)
            ]
        new = self.without_duplicates(sorted([*facts, *aside], key=itemgetter(1)))
        with self.stage("decide"):
            drafts = self.decide(new)
        with self.stage("evolve"):
            for draft in drafts.values():
                fold(draft)
        with self.stage("encode"):
            bodies = [[encode(event) for event in draft.events] for draft in drafts.values()]
        with self.stage("hash"):
            hashes = [chained(draft.hash, body) for draft, body in zip(drafts.values(), bodies, strict=True)]
        with self.stage("head"):
            heads = [self.head(stream, draft.state) for stream, draft in drafts.items()]
        with self.stage("seal"):
            commits = [sealed(*parts) for parts in zip(drafts.items(), bodies, hashes, heads, strict=True)]
        with self.stage("insert"):
            self.stores["OFF"].append(commits)
        with self.stage("insert and sync", perf_counter):
            self.stores["FULL"].append(commits)
        self.last_hash.update({commit.stream: commit.head.hash for commit in commits})

    def without_duplicates(self, facts: list[Timed]) -> list[Timed]:
        """The facts that were not heard before."""
        kept = []
        for fact, now in facts:
            if fact.id not in self.known:
                self.known.add(fact.id)
                kept.append((fact, now))
        return kept

    def decide(self, facts: list[Timed]) -> dict[str, Drafted]:
        """Events of a batch by stream."""
        drafts: dict[str, Drafted] = {}
        for fact, now in facts:
            stream = fact.stream
            decider: Any = decider_for(stream)
            draft = drafts.get(stream)
            if draft is None:
                draft = drafts[stream] = self.draft(stream, decider)
            if not draft.state.definition:
                asked = adoption(stream, 0, self.definition, now)
                draft.events, draft.state = decider.decide_and_fold(draft.state, asked, now, self.definition)
            last = draft.events[-1] if draft.events else None
            events, draft.state = decider.decide_and_fold(draft.state, fact, now, self.definition, last)
            draft.events += events
        for draft in drafts.values():
            if draft.events:
                draft.state = stamped(draft.state, draft.events)
        self.states.update({stream: draft.state for stream, draft in drafts.items()})
        return {stream: draft for stream, draft in drafts.items() if draft.events}

    def draft(self, stream: str, decider: Any) -> Drafted:
        """The stream as the batch before left it."""
        state = self.states.get(stream) or decider.initial(stream)
        return Drafted(before=state, state=state, hash=self.last_hash.get(stream, GENESIS), events=[])

    def head(self, stream: str, state: Any) -> tuple[bytes, Any]:
        """What goes into the head: the state's bytes and its next deadline."""
        decider: Any = decider_for(stream)
        return encode_state(state), decider.next_deadline(state, self.definition)


def fold(draft: Drafted) -> None:
    """The events of a draft on the state before them, as deciding has done already."""
    decider: Any = decider_for(draft.before.stream)
    folded(decider.changed, draft.before, draft.events)


def chained(previous: str, bodies: list[bytes]) -> list[str]:
    """The hashes of `bodies`, behind `previous`."""
    return [previous := chain(previous, body) for body in bodies]


def sealed(item: tuple[str, Drafted], bodies: list[bytes], hashes: list[str], head: tuple[bytes, Any]) -> Commit:
    """The commit of a draft."""
    stream, draft = item
    events = [
        Sealed(event.id, event.version, body, hash)
        for event, body, hash in zip(draft.events, bodies, hashes, strict=True)
    ]
    state, deadline = head
    return Commit(
        stream=stream,
        expected_version=draft.before.version,
        events=events,
        head=Head(version=events[-1].version, hash=events[-1].hash, state=state, next_deadline=deadline),
        outbox=[event.data for event in draft.events if isinstance(event.data, CommandRequested)],
    )


def measure(
    lines: Sequence[bytes], definition: Definition, aside: Sequence[Sequence[Timed]], folder: Path, *, rounds: int
) -> dict[str, float]:
    """Microseconds a message by stage; `aside` is what clock and broker say during each batch."""
    best: dict[str, list[float]] = {}
    for number in range(rounds):
        here = folder / f"stages-{number}"
        here.mkdir()
        walk = Walk(definition, here)
        for batch, said in zip(in_batches(lines, BATCH), aside, strict=True):
            walk.batch(batch, said)
        for store in walk.stores.values():
            store.close()
        for name, seconds in walk.seconds.items():
            known = best.setdefault(name, seconds)
            best[name] = [min(pair) for pair in zip(known, seconds, strict=True)]
    return {name: sum(seconds) / len(lines) * 1e6 for name, seconds in best.items()}
