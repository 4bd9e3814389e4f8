"""Does the store answer, and how fast? Read only: a write would be history (docs/decisions/0013-deployment.md)."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import perf_counter

from handlers.doctor.diagnosis import Diagnosis
from handlers.doctor.installation import Installation
from statemachine.streams import control_stream

READS = 5
UNKNOWN = "unknown"
"""The sport of what tells none; its control stream is as good to read as any, be it there or not."""

SLOW_SECONDS = 1.0
"""A read above which the store counts as slow: a tick reads every stream that is due."""


def look_at_store(installation: Installation) -> Iterator[Diagnosis]:
    """Open it, and read one head several times over; the first read pays for the connection."""
    name = installation.store
    if installation.store_name.scheme == "memory":
        detail = "a store in memory belongs to its process"
        yield Diagnosis(
            check="store", subject=name, outcome="fail", detail=detail, next_step="Name the store with --store."
        )
        return
    with installation.open() as store:
        times = []
        for _ in range(READS):
            began = perf_counter()
            store.head(control_stream(UNKNOWN))
            times.append(perf_counter() - began)
        empty = next(iter(store.heads()), None) is None
    first, typical = times[0], median(times[1:])
    numbers = {"first_read_ms": round(first * 1000, 3), "read_ms": round(typical * 1000, 3)}  # a file takes some µs
    detail = f"reads take {typical * 1000:.2f} ms, the first took {first * 1000:.2f} ms"
    if empty:
        step = "Open the season: `tipoff season open FILE`; or look whether this is the right store."
        yield Diagnosis(
            check="store",
            subject=name,
            outcome="warn",
            detail=f"{detail}; it is empty",
            numbers=numbers,
            next_step=step,
        )
    elif typical > SLOW_SECONDS:
        step = "Look at the region of the database, at its usage and at the disk."
        yield Diagnosis(check="store", subject=name, outcome="warn", detail=detail, numbers=numbers, next_step=step)
    else:
        yield Diagnosis(check="store", subject=name, outcome="ok", detail=detail, numbers=numbers)
