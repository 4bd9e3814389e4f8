"""`python -m benchmarks.counted`: machine instructions per ingested message, counted by valgrind.

A clock on a shared machine wavers by more than most steps bring; a count repeats to a few in a thousand, whatever else
runs. It is no time: hashing executes many instructions quickly, following pointers few of them slowly. So a change is
judged by it, and a promise is held against the clock (`python -m benchmarks`).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory, mkdtemp
from typing import Annotated

from cyclopts import App, Parameter

from benchmarks.floor import FloorJob
from benchmarks.job import BATCH, Job, in_batches
from benchmarks.season import season
from benchmarks.tipoff import TipoffJob, during, rehearsed
from handlers import definitions

DATES = 3
"""Enough for overlapping dates, few enough to wait for, as valgrind takes fifty times as long."""

_COLLECTED = re.compile(r"Collected : (\d+)")

app = App(name="python -m benchmarks.counted", help="Instructions per ingested message (benchmarks/README.md).")


@app.default
def run(*, dates: Annotated[int, Parameter(help="Game dates to ingest.")] = DATES) -> None:
    """Count tipoff and its floor, half a minute each, and print both."""
    if which("valgrind") is None:
        sys.exit("valgrind, which counts, is not installed: install the package valgrind")
    counts = {name: counted(name, dates) for name in ("tipoff", "floor")}
    for name, count in counts.items():
        print(f"{name:7} {count:10,.0f} instructions per message")
    print(f"floor ÷ tipoff {counts['floor'] / counts['tipoff']:.3f}")


def counted(name: str, dates: int) -> float:
    """Instructions per message of one ingest, its store made and closed."""
    print(f"counting {name} …", file=sys.stderr)
    valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        [*valgrind, sys.executable, "-m", "benchmarks.counted", "child", name, str(dates)],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=True,
        capture_output=True,
        text=True,
    )
    found = _COLLECTED.search(done.stderr)
    assert found is not None, f"valgrind says what it collected: {done.stderr[-500:]}"
    return int(found[1]) / int(done.stdout)


@app.command(show=False)
def child(name: str, dates: int) -> None:
    """The process that is counted; prints the number of messages."""
    definition = definitions.load("nba")
    lines = season(dates, definition)
    aside = during(in_batches(lines, BATCH), rehearsed(lines, definition))
    make: dict[str, Callable[[], Job]] = {"tipoff": lambda: TipoffJob(definition, aside), "floor": FloorJob}
    with TemporaryDirectory() as folder:
        _ingest(make[name](), lines, Path(mkdtemp(dir=folder)))  # what is remembered for good is remembered by now
        _counting("on")
        _ingest(make[name](), lines, Path(mkdtemp(dir=folder)))
        _counting("off")
    print(len(lines))


def _counting(on_or_off: str) -> None:
    subprocess.run(["callgrind_control", f"--instr={on_or_off}", str(os.getpid())], check=True, capture_output=True)


def _ingest(job: Job, lines: Sequence[bytes], folder: Path) -> None:
    job.open(folder)
    for batch in in_batches(lines, BATCH):
        job.take(batch)
    job.close()


if __name__ == "__main__":
    app()
