"""(a) Durable ingest: lines in, acknowledged batches out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Literal

from benchmarks.floor import FloorJob
from benchmarks.job import BATCH, Job, Outcome, in_batches
from benchmarks.measuring import Ratio, Result, Spent, in_turns, ratio, spent
from benchmarks.season import season
from benchmarks.tipoff import TipoffJob, during, rehearsed
from statemachine.definition import Definition

DBOS_MESSAGES = 200
"""Enough for a workflow a message, which takes milliseconds; its figure is scaled per message."""

EVENTSOURCING_MESSAGES = 24 * BATCH
"""So many where it saves each, which takes a good part of a millisecond. They are the lightest of the season, for dates
have begun to overlap only a little; so tipoff is run over just these, too, and held against the peer by that."""

TIMES = {"eventsourcing, documented": 15.0}
INGEST_SHARE_OF_FLOOR = 0.20

TIPOFF, TIPOFF_FIRST, FLOOR = "tipoff", "tipoff, the first", "floor"

SAVING_EACH: tuple[Literal["documented", "one instance", "uncopied"], ...] = ("documented", "one instance", "uncopied")
"""The ways of the peer that save each message."""

_PEERS = {
    "eventsourcing, batched": TIPOFF,
    **{f"eventsourcing, {way}": TIPOFF_FIRST for way in SAVING_EACH},
    "DBOS": TIPOFF_FIRST,
}
"""Each peer, and the run of ours over the same messages, or the nearest to them."""


class Disagreement(Exception):
    """Two jobs stored different things from the same lines: they did not do the same job."""


def ingest(definition: Definition, folder: Path, *, dates: int, rounds: int) -> Result:
    """All jobs over the same lines."""
    from benchmarks.peer_dbos import DbosJob
    from benchmarks.peer_eventsourcing import EventsourcingJob, Way

    lines = season(dates, definition)
    aside = during(in_batches(lines, BATCH), rehearsed(lines, definition))
    few, some = lines[:DBOS_MESSAGES], lines[:EVENTSOURCING_MESSAGES]

    def tipoff() -> TipoffJob:
        return TipoffJob(definition, aside)

    def peer(way: Way) -> Callable[[], Job]:
        return lambda: EventsourcingJob(definition, way=way)

    agreed = {len(part): stored(tipoff(), part, folder) for part in (lines, some, few)}
    jobs: dict[str, tuple[Callable[[], Job], Sequence[bytes]]] = {
        TIPOFF: (tipoff, lines),
        FLOOR: (FloorJob, lines),
        "eventsourcing, batched": (peer("batched"), lines),
        TIPOFF_FIRST: (tipoff, some),
        **{f"eventsourcing, {way}": (peer(way), some) for way in SAVING_EACH},
        "DBOS": (lambda: DbosJob(definition), few),
    }
    runs = {name: _run(make, part, folder, agreed) for name, (make, part) in jobs.items()}
    found = in_turns(runs, rounds=rounds)
    return Result(
        title="(a) durable ingest",
        unit="message",
        series=list(found.values()),
        ratios=[
            Ratio(name="floor ÷ tipoff", value=ratio(found[FLOOR], found[TIPOFF]), target=INGEST_SHARE_OF_FLOOR),
            *(
                Ratio(name=f"{name} ÷ {ours}", value=ratio(found[name], found[ours]), target=TIMES.get(name))
                for name, ours in _PEERS.items()
            ),
        ],
        notes=[
            f"{len(lines)} messages of {dates} game dates, {agreed[len(lines)].facts} distinct facts, in batches of"
            f" {BATCH}; beside them {sum(map(len, aside))} ticks and confirmations that only tipoff decides about",
            f"the first: {len(some)} of these, where eventsourcing saves each message; DBOS: {len(few)}",
        ],
    )


_numbers = count()


def stored(job: Job, lines: Sequence[bytes], folder: Path) -> Outcome:
    """What `job` makes of `lines`."""
    job.open(_new(folder))
    for batch in in_batches(lines, BATCH):
        job.take(batch)
    outcome = job.outcome()
    job.close()
    return outcome


def _run(
    make: Callable[[], Job], lines: Sequence[bytes], folder: Path, agreed: dict[int, Outcome]
) -> Callable[[], Spent]:
    def run() -> Spent:
        job = make()
        job.open(_new(folder))
        batches = list(in_batches(lines, BATCH))
        took = spent(lambda: _take_all(job, batches), units=len(lines))
        outcome = job.outcome()
        job.close()
        refuse_disagreement(job.name, outcome, agreed[len(lines)])
        return took

    return run


def _take_all(job: Job, batches: Sequence[Sequence[bytes]]) -> None:
    for batch in batches:
        job.take(batch)


def refuse_disagreement(name: str, outcome: Outcome, agreed: Outcome) -> None:
    """Raise Disagreement unless `outcome` is what was `agreed`, as far as the job folds anything."""
    if outcome.facts != agreed.facts:
        raise Disagreement(f"{name} stored {outcome.facts} facts, not {agreed.facts}")
    if outcome.completed is not None and agreed.completed is not None and outcome.completed != agreed.completed:
        raise Disagreement(f"{name} differs in {sorted(outcome.completed ^ agreed.completed)[:5]}")


def _new(folder: Path) -> Path:
    here = folder / f"ingest-{next(_numbers)}"
    here.mkdir()
    return here
