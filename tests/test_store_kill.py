"""kill -9 with real processes: what was acknowledged is there, whole, without gaps, and the next process goes on.

Run as a program this file is the writer: `python test_store_kill.py PATH SEED DIE_AT` appends until it is killed, says
what it tries and what was acknowledged, and kills itself before statement DIE_AT where that is not 0.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from itertools import count
from pathlib import Path

import msgspec
import pytest

from events.codec import GENESIS, chain
from events.sqlite import SqliteStore
from tests.conftest import ROOT
from tests.store_events import command, commit, ids, minutes, open_merging

STREAMS = [f"nba/2026-01-{day}" for day in range(13, 20)]
ROUNDS = 6
FRESH_IDS_MAX = 40
"""So low that kills also meet the merging of the index of ids."""


def write_until_killed(path: Path, *, seed: int, die_at: int) -> None:
    chance = random.Random(seed)
    store, connection = open_merging(path, fresh_ids_max=FRESH_IDS_MAX)
    statements = count(1)

    def die(_: str) -> None:
        if next(statements) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    connection.set_trace_callback(die if die_at else None)
    for number in count():
        batch = {stream: ids(*[(seed, number, stream, n) for n in range(chance.randint(1, 8))]) for stream in STREAMS}
        for stream in chance.sample(STREAMS, chance.randint(0, len(STREAMS) - 1)):
            del batch[stream]
        say("try", batch)
        store.append(
            [
                commit(stream, *events, onto=store.head(stream), deadline=minutes(number), outbox=[command(events[0])])
                for stream, events in batch.items()
            ]
        )
        say("ack", batch)


def say(word: str, batch: dict[str, list[str]]) -> None:
    print(word, msgspec.json.encode(batch).decode(), flush=True)


class Writer:
    """The other process, and what it said until it was killed."""

    def __init__(self, path: Path, *, seed: int, die_at: int = 0) -> None:
        self.command = [sys.executable, __file__, str(path), str(seed), str(die_at)]
        self.said: dict[str, list[dict[str, list[str]]]] = {"try": [], "ack": []}

    def run_until_killed(self, *, acknowledged: int | None = None) -> None:
        """Kill it as soon as `acknowledged` batches were; it has gone on in the meantime, to wherever it is."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(self.command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.endswith("}\n"):
                    word, _, batch = line.partition(" ")
                    self.said[word].append(msgspec.json.decode(batch))
                if len(self.said["ack"]) == acknowledged:
                    process.kill()
        assert process.returncode == -signal.SIGKILL


def check(path: Path, writers: list[Writer]) -> None:
    """Then: every acknowledged batch is there, every other one whole or not at all, and the chains are whole."""
    with closing(SqliteStore.open(path, create=False)) as store:
        store.check_file()
        stored: dict[str, list[str]] = {}
        for stream, head in store.heads():
            previous, seen = GENESIS, 0
            for event in store.read(stream):
                previous, seen = chain(previous, event.body), seen + 1
                assert (event.version, event.hash) == (seen, previous)
            assert (head.version, head.hash) == (seen, previous)
            stored[stream] = [event.event().id for event in store.read(stream)]
        known = {(stream, id) for stream, events in stored.items() for id in events}
        pending = {entry.command.command_id for entry in store.pending(limit=1_000_000)}
    assert sum(map(len, stored.values())) == len(known)
    for writer in writers:
        acknowledged = len(writer.said["ack"])
        for number, batch in enumerate(writer.said["try"]):
            events = {(stream, id) for stream, named in batch.items() for id in named}
            commands = {command(named[0]).command_id for named in batch.values()}
            assert events <= known or (number >= acknowledged and not events & known)
            assert commands <= pending if events <= known else not commands & pending


def test_a_writer_killed_at_any_moment_loses_nothing_it_acknowledged(tmp_path: Path):
    path, chance, writers = tmp_path / "tipoff.db", random.Random(20260116), []
    for seed in range(ROUNDS):
        writers.append(Writer(path, seed=seed))
        writers[-1].run_until_killed(acknowledged=chance.randint(1, 60))
        check(path, writers)


@pytest.mark.parametrize("die_at", random.Random(7).sample(range(8, 400), ROUNDS))
def test_a_writer_killed_before_any_statement_loses_nothing_it_acknowledged(tmp_path: Path, die_at: int):
    path = tmp_path / "tipoff.db"
    writer, successor = Writer(path, seed=1, die_at=die_at), Writer(path, seed=2)
    writer.run_until_killed()
    successor.run_until_killed(acknowledged=3)
    check(path, [writer, successor])


if __name__ == "__main__":
    write_until_killed(Path(sys.argv[1]), seed=int(sys.argv[2]), die_at=int(sys.argv[3]))
