"""(b) Replay: the state of a date with a long history, from its stored events."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.day import BEATS_MAX
from benchmarks.gist import gist, names_of
from benchmarks.job import BATCH, in_batches
from benchmarks.measuring import Ratio, Result, in_turns, ratio, spent
from benchmarks.season import FIRST_DATE, long_date
from benchmarks.tipoff import TipoffJob
from events.catalogue import Event
from events.sqlite import SqliteStore
from statemachine.definition import Definition
from statemachine.state import DateState
from statemachine.streams import DATE, fold

REPLAY_TIMES_EVENTSOURCING = 3
STREAM = f"nba/{FIRST_DATE.isoformat()}"


def replay(definition: Definition, folder: Path, *, events: int, rounds: int) -> Result:
    """Our fold of a stored stream, against decoding its events and against a peer's aggregate from the same lines."""
    from benchmarks import peer_eventsourcing

    lines = long_date(events + BEATS_MAX, definition)
    store = filled(lines, definition, folder)
    bodies = [stored.body for stored in store.read(STREAM)]
    decode = msgspec.json.Decoder(Event).decode
    application = peer_eventsourcing.application(folder)
    for batch in in_batches([gist(line, names_of(definition)) for line in lines], BATCH):
        application.hear_all(batch)
    aggregate_id = peer_eventsourcing.GameDate.create_id(FIRST_DATE.isoformat())
    version = application.repository.get(aggregate_id).version
    found = in_turns(
        {
            "tipoff": lambda: spent(lambda: folded(store), units=len(bodies)),
            "decoding alone": lambda: spent(lambda: [decode(body) for body in bodies], units=len(bodies)),
            "eventsourcing": lambda: spent(lambda: application.repository.get(aggregate_id), units=version),
        },
        rounds=rounds,
    )
    store.close()
    application.close()
    ours = found["tipoff"]
    return Result(
        title="(b) replay of a long stream",
        unit="event",
        series=list(found.values()),
        ratios=[
            Ratio(
                name="eventsourcing ÷ tipoff",
                value=ratio(found["eventsourcing"], ours),
                target=REPLAY_TIMES_EVENTSOURCING,
            ),
            Ratio(name="decoding alone ÷ tipoff", value=ratio(found["decoding alone"], ours)),
        ],
        notes=[
            f"{len(bodies)} events of one date; tipoff reads them from SQLite, holds each against the hash chain,"
            " decodes and folds it",
            f"eventsourcing: repository.get of the aggregate with {version} events, no cache, no snapshot",
        ],
    )


def filled(lines: list[bytes], definition: Definition, folder: Path) -> SqliteStore:
    """A store that holds what `lines` say."""
    job = TipoffJob(definition, [[] for _ in in_batches(lines, BATCH)])
    job.open(folder)
    for batch in in_batches(lines, BATCH):
        job.take(batch)
    return job.store


def folded(store: SqliteStore) -> DateState:
    """The state of the date, from its events, folded as the service folds them."""
    state = fold(STREAM, DATE.initial(STREAM), (stored.event() for stored in store.read(STREAM)))
    assert isinstance(state, DateState)
    return state
