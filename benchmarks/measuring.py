"""How figures are taken: what is compared runs in turns, round after round, in one process on one machine.

A ratio is the median of the ratios of each round, so that whatever disturbs the machine for longer than a round
disturbs both sides. Absolute figures are medians too, and mean little without the machine they were taken on.
"""

from __future__ import annotations

import gc
import os
import platform
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from msgspec import Struct

SYNCS = 200
SYNC_BYTES = 4096


class Spent(Struct, frozen=True):
    """What a run took, in seconds, for `units` of its work."""

    wall: float
    cpu: float
    units: int


class Series(Struct, frozen=True, kw_only=True):
    """One thing measured over all rounds: medians in microseconds per unit, and each round's."""

    name: str
    units: int
    us: float
    cpu_us: float
    rounds_us: list[float]


class Ratio(Struct, frozen=True, kw_only=True):
    """A comparison. `value` is held against `target`: at least it, or at most it."""

    name: str
    value: float
    target: float | None = None
    at_most: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the target is; None where there is none."""
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target


class Result(Struct, frozen=True, kw_only=True):
    """What one benchmark found."""

    title: str
    unit: str
    series: list[Series]
    ratios: list[Ratio] = []
    notes: list[str] = []


def spent(work: Callable[[], object], *, units: int) -> Spent:
    """What `work` takes. Garbage of earlier runs is collected first, and set-up is not looked at while it runs."""
    gc.collect()
    gc.freeze()
    took = moment(work, units=units)
    gc.unfreeze()
    return took


def moment(work: Callable[[], object], *, units: int = 1) -> Spent:
    """What `work` takes, for something so short that tidying up before it would be all there is to see."""
    wall, cpu = perf_counter(), process_time()
    work()
    return Spent(perf_counter() - wall, process_time() - cpu, units)


def in_turns(runs: Mapping[str, Callable[[], Spent]], *, rounds: int) -> dict[str, Series]:
    """Each run once a round, in their order."""
    found: dict[str, list[Spent]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return {name: series(name, measured) for name, measured in found.items()}


def series(name: str, measured: list[Spent]) -> Series:
    """The rounds of one run."""
    each = [item.wall / item.units * 1e6 for item in measured]
    cpu = [item.cpu / item.units * 1e6 for item in measured]
    return Series(name=name, units=measured[0].units, us=median(each), cpu_us=median(cpu), rounds_us=each)


def ratio(over: Series, under: Series) -> float:
    """How many times as long `over` takes as `under`."""
    return median(a / b for a, b in zip(over.rounds_us, under.rounds_us, strict=True))


def machine(folder: Path) -> dict[str, str]:
    """What the figures depend on and no program can change."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.release()}",
        "fsync of 4 KiB, median": f"{_sync_us(folder):.0f} µs",
        "load average": " ".join(f"{value:.1f}" for value in os.getloadavg()),
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for text in information.read_text().splitlines():
            if text.startswith("model name"):
                return text.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _sync_us(folder: Path) -> float:
    taken = []
    with (folder / "sync").open("wb") as file:
        for _ in range(SYNCS):
            file.write(b"\0" * SYNC_BYTES)
            file.flush()
            began = perf_counter()
            os.fsync(file.fileno())
            taken.append(perf_counter() - began)
    return median(taken) * 1e6
