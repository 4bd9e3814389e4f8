"""`python -m benchmarks.cloud`: the service on Google's emulators, against bare writes by the same clients.

What is compared runs in turns on the same emulators with the same messages. An emulator is not the cloud: its latencies
say nothing, the ratios say what the service adds. Operations are counted, and hold in the cloud too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import machine
from benchmarks.path import Passage, bare, documents, ours, rows
from benchmarks.season import season
from benchmarks.tipoff import facts_of, routing
from events.firestore import FirestoreStore
from events.wire import Delivery, from_line
from handlers import definitions
from handlers.emulators import FIRESTORE, PUBSUB, command, running
from handlers.pubsub.broker import Broker
from handlers.pubsub.drift import plan
from handlers.pubsub.project import existing, take
from handlers.pubsub.wanted import is_topic, wanted
from handlers.recorder import Recorder
from handlers.stores import open_store
from statemachine.definition import Definition

PACE = 40.0
"""Messages a second of the paced run: well below what either side can, so that nothing queues."""

LONE, TOGETHER = 1, 50
"""Events that come one by one, and as many as a busy minute brings."""

app = App(name="python -m benchmarks.cloud", help="The service on Google's emulators (benchmarks/README.md).")
_projects = count(1)


class Compared(Struct, frozen=True, kw_only=True):
    """A home: the service and the floor, round by round, paced and as fast as it goes."""

    home: str
    paced: list[tuple[Passage, Passage]]
    flooded: list[tuple[Passage, Passage]]


class Operations(Struct, frozen=True, kw_only=True):
    """Documents read and written for 1,000 events."""

    design: str
    reads: float
    writes: float


@app.default
def run(
    *,
    rounds: Annotated[int, Parameter(help="How often each side runs.")] = 3,
    messages: Annotated[int, Parameter(help="Messages of a run.")] = 600,
    json: Annotated[bool, Parameter(help="One JSON document instead of tables.")] = False,
) -> None:
    """Measure, and print what was found."""
    definition = definitions.load("nba")
    lines = season(2, definition)
    day = [delivery for delivery in map(from_line, lines) if is_topic(delivery.topic)][:messages]
    with TemporaryDirectory() as made, emulators(Path(made)):
        folder = Path(made)
        about = machine(folder)
        compared = [compare(home, folder, definition, day, rounds) for home in ("sqlite", "firestore")]
        operations = [
            tipoff_operations("tipoff, events that come alone", definition, lines, LONE),
            tipoff_operations(f"tipoff, {TOGETHER} that come together", definition, lines, TOGETHER),
            replaced_operations(definition, lines),
        ]
    if json:
        print(msgspec.json.encode({"machine": about, "homes": compared, "operations": operations}).decode())
    else:
        print_tables(about, compared, operations)


@contextmanager
def emulators(folder: Path) -> Iterator[None]:
    """Both emulators, and the environment by which clients find them."""
    with ExitStack() as stack:
        for emulator in (FIRESTORE, PUBSUB):
            host = stack.enter_context(running(command(emulator), folder / f"{emulator.variable}.log"))
            os.environ[emulator.variable] = host
        yield


def compare(home: str, folder: Path, definition: Definition, day: Sequence[Delivery], rounds: int) -> Compared:
    """The service and the floor in turns."""
    found: dict[float | None, list[tuple[Passage, Passage]]] = {PACE: [], None: []}
    for number in range(rounds):
        for pace, pairs in found.items():
            print(f"measuring {home}, round {number + 1}, {'paced' if pace else 'flooded'} …", file=sys.stderr)
            pairs.append((_ours(home, folder, definition, day, pace), _bare(home, folder, definition, day, pace)))
    return Compared(home=home, paced=found[PACE], flooded=found[None])


def _project() -> str:
    return f"tipoff-benchmark-{next(_projects)}"


@contextmanager
def _broker(definition: Definition) -> Iterator[Broker]:
    broker = Broker(_project())
    try:
        want = wanted([definition])
        for step in plan(want, existing(broker, want)).steps:
            take(broker, step)
        yield broker
    finally:
        broker.close()


def _ours(home: str, folder: Path, definition: Definition, day: Sequence[Delivery], pace: float | None) -> Passage:
    project = _project()
    name = f"firestore:{project}" if home == "firestore" else f"sqlite:{folder / project}.db"
    with open_store(name, create=True) as store, _broker(definition) as broker:
        return ours(store, broker, definition, day, pace)


def _bare(home: str, folder: Path, definition: Definition, day: Sequence[Delivery], pace: float | None) -> Passage:
    project = _project()
    place = documents(project) if home == "firestore" else rows(folder / f"{project}.db")
    with place as write, _broker(definition) as broker:
        return bare(write, broker, definition, day, pace)


def tipoff_operations(design: str, definition: Definition, lines: Sequence[bytes], together: int) -> Operations:
    """What the store reads and writes, warm, for 1,000 events."""
    with open_store(f"firestore:{_project()}", create=True) as store:
        assert isinstance(store, FirestoreStore)
        recorder = Recorder(store, {definition.sport: definition})
        facts = facts_of(lines, routing(definition))[:600]
        recorder.record(facts[:100])  # warm
        before = msgspec.structs.replace(store.operations)
        events = 0
        for at in range(100, len(facts), together):
            events += recorder.record(facts[at : at + together]).events
        per = 1000 / events
        after = store.operations
        return Operations(
            design=design, reads=(after.reads - before.reads) * per, writes=(after.writes - before.writes) * per
        )


def replaced_operations(definition: Definition, lines: Sequence[bytes]) -> Operations:
    """What a transaction for each message reads and writes that reads the date's document, adds to it and writes it
    back: the design that this one replaces, with nobody else writing."""
    from google.cloud import firestore

    client = firestore.Client(project=_project())
    reads = writes = 0

    @firestore.transactional
    def complete(transaction: Any, document: Any, name: str) -> None:
        nonlocal reads, writes
        reads += 1
        writes += 1
        known = document.get(transaction=transaction).to_dict() or {}
        transaction.set(document, known | {name: True})

    facts = facts_of(lines, routing(definition))[:200]
    for fact, _now in facts:
        complete(client.transaction(), client.document(f"completions/{fact.stream.replace('/', ':')}"), fact.id)
    client.close()
    per = 1000 / len(facts)
    return Operations(design="a transaction for each message (replaced)", reads=reads * per, writes=writes * per)


def print_tables(about: dict[str, str], compared: list[Compared], operations: list[Operations]) -> None:
    """Everything that was found."""
    console = Console()
    console.print(", ".join(f"{name}: {value}" for name, value in about.items()), highlight=False)
    table = Table(title="medians of the rounds, and of their ratios service ÷ floor")
    for column in ("home", "what", "service", "floor", "ratio"):
        table.add_column(column, justify="left" if column in ("home", "what") else "right")
    for item in compared:
        for what, pairs, pick in MEASURED:
            mine, floor = zip(*((pick(a), pick(b)) for a, b in pairs(item)), strict=True)
            ratio = median(a / b for a, b in zip(mine, floor, strict=True))
            table.add_row(item.home, what, f"{median(mine):,.1f}", f"{median(floor):,.1f}", f"{ratio:.2f}")
    console.print(table)
    costs = Table(title="documents for 1,000 events")
    for column in ("design", "read", "written"):
        costs.add_column(column, justify="left" if column == "design" else "right")
    for cost in operations:
        costs.add_row(cost.design, f"{cost.reads:,.0f}", f"{cost.writes:,.0f}")
    console.print(costs)


Pairs = list[tuple[Passage, Passage]]
MEASURED: tuple[tuple[str, Callable[[Compared], Pairs], Callable[[Passage], float]], ...] = (
    ("publish to durable, p50 ms", lambda item: item.paced, lambda way: way.stored.p50),
    ("publish to durable, p99 ms", lambda item: item.paced, lambda way: way.stored.p99),
    ("decision to command in hand, p50 ms", lambda item: item.paced, lambda way: way.commanded.p50),
    ("decision to command in hand, p99 ms", lambda item: item.paced, lambda way: way.commanded.p99),
    ("messages a second, flooded", lambda item: item.flooded, lambda way: way.per_second),
)

if __name__ == "__main__":
    app()
