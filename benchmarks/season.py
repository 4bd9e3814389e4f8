"""A generated stretch of a season: what a pipeline says about consecutive game dates, in the order it says it.

Per date: the schedule, the day's scrapers and their raw loads, three cycles of analytics, precompute and predictions
(orchestration 1.7 has the clock), 450 prediction messages, heartbeats, measures, failures with their re-runs; and of
all that about 5 % once more. Dates overlap as they do in life: one night's box scores arrive among the next day's odds.
Promise: the same dates and seed make the same bytes on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from operator import itemgetter
from random import Random

from benchmarks import messages
from benchmarks.day import Day
from benchmarks.messages import Said
from statemachine.definition import Definition

SEED = 20251021
FIRST_DATE = date(2026, 1, 5)

DUPLICATE_SHARE = 0.05
REPUBLISHED_SHARE = 0.25
"""Share of the duplicates that carry a new message id, where the fact has a business key to be known by."""


def season(dates: int, definition: Definition, *, seed: int = SEED) -> list[bytes]:
    """The lines of `dates` consecutive game dates, by their publish times."""
    rng = Random(seed)
    said = [item for index in range(dates) for item in Day(rng, FIRST_DATE + timedelta(days=index), definition).said()]
    said.sort(key=lambda item: item.at)
    delivered = [(item.at, messages.line(item, message_id=str(10**15 + n)), item) for n, item in enumerate(said)]
    arriving = [(at, body) for at, body, _item in delivered]
    arriving += _duplicates(rng, delivered, next_id=10**15 + len(said))
    return [body for _at, body in sorted(arriving, key=itemgetter(0))]


def long_date(count: int, definition: Definition, *, day: date = FIRST_DATE, seed: int = SEED) -> list[bytes]:
    """The first `count` lines of a date whose predictions are made over and over: a day, then rounds of it."""
    rng = Random(seed)
    life = Day(rng, day, definition)
    said = sorted(life.said(), key=lambda item: item.at)
    rounds = 0
    while len(said) < count:
        rounds += 1
        said += sorted(life.round(rounds), key=lambda item: item.at)
    return [messages.line(item, message_id=str(10**15 + n)) for n, item in enumerate(said[:count])]


def _duplicates(
    rng: Random, delivered: list[tuple[datetime, bytes, Said]], *, next_id: int
) -> Iterator[tuple[datetime, bytes]]:
    """A redelivery is the same line again; a republication another id for the same content."""
    for at, body, item in delivered:
        if rng.random() >= DUPLICATE_SHARE:
            continue
        later = at + timedelta(seconds=rng.uniform(1, 600))
        if item.business_key and rng.random() < REPUBLISHED_SHARE:
            next_id += 1
            yield later, messages.line(item, message_id=str(next_id))
        else:
            yield later, body
