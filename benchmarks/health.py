"""(d) Questions: the health of a whole season, warm and from nothing, and a long date as of an instant.

The store is a real SQLite file. The floor of each question is what no answer can do without: reading the rows with bare
sqlite3 and decoding them, to the states for a warm question and to plain dicts for one that folds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count, groupby
from pathlib import Path
from random import Random

import msgspec

from benchmarks.day import BEATS_MAX
from benchmarks.measuring import Ratio, Result, Series, Spent, in_turns, ratio, spent
from benchmarks.replay import STREAM, filled
from benchmarks.season import long_date, season
from benchmarks.tipoff import Confirming, facts_of, routing
from events.sqlite import SqliteStore
from events.sqlite_rows import events_in
from handlers.dispatch import dispatch
from handlers.recorded import is_control, is_date
from handlers.recorder import Recorder, Timed
from handlers.remembered import Remembered, rebuilt
from projections.health import Health, health
from statemachine.control import ControlState
from statemachine.definition import Definition
from statemachine.state import DateState
from statemachine.streams import DATE

WARM_MS = 50
REBUILD_MS = 2000
AS_OF_MS = 50

KEPT_PROGRESS = 4
"""One prediction message in so many is kept, so that 210 dates make about 100,000 events."""

SLOT = timedelta(minutes=30)
"""How often time passes while the season is lived through."""

QUERIES = 20
SEED = 7


def questions(definition: Definition, folder: Path, *, dates: int, events: int, rounds: int) -> list[Result]:
    """The health of a season of `dates`, and a date of `events` as of instants spread over its life."""
    return [
        _season(definition, folder, dates=dates, rounds=rounds),
        _past(definition, folder, events=events, rounds=rounds),
    ]


def _season(definition: Definition, folder: Path, *, dates: int, rounds: int) -> Result:
    path = folder / "season.sqlite"
    store = SqliteStore.open(path)
    live(store, definition, season(dates, definition))
    kept = Remembered(store)
    now = max(state.recorded_at for state in kept.states(is_date) if state.recorded_at is not None)

    def warm() -> Health:
        return _judged(list(kept.states(_asked)), definition, now)

    def cold() -> Health:
        return _judged(list(Remembered(store).states(_asked)), definition, now)

    def rebuild() -> Health:
        return _judged(list(rebuilt(store, wanted=_asked).values()), definition, now)

    assert warm() == cold() == rebuild(), "all three give the same answer"
    found = in_turns(
        {
            "warm": _once(warm),
            "heads not decoded yet": _once(cold),
            "floor of warm: heads read and decoded": _once(lambda: _heads_alone(path)),
            "from nothing": _once(rebuild),
            "floor of nothing: events read and decoded to dicts": _once(lambda: _events_alone(path)),
        },
        rounds=rounds,
    )
    total = sum(head.version for stream, head in store.heads() if is_date(stream))
    store.close()
    return Result(
        title=f"(d) health of a season: {dates} dates, {total:,} events",
        unit="question",
        series=list(found.values()),
        ratios=[
            *_limits("warm", found["warm"], WARM_MS),
            *_limits("from nothing", found["from nothing"], REBUILD_MS),
            Ratio(name="warm ÷ its floor", value=ratio(found["warm"], found["floor of warm: heads read and decoded"])),
            Ratio(
                name="from nothing ÷ its floor",
                value=ratio(found["from nothing"], found["floor of nothing: events read and decoded to dicts"]),
            ),
        ],
        notes=[
            "warm: the process has asked before; heads are read again, and decoded where they changed",
            "from nothing: every event of dates and control streams is read, decoded and folded, then judged",
        ],
    )


def _past(definition: Definition, folder: Path, *, events: int, rounds: int) -> Result:
    store = filled(long_date(events + BEATS_MAX, definition), definition, folder)
    bodies = [stored.body for stored in store.read(STREAM)]
    rng = Random(SEED)
    instants = [DATE_EVENT(body).recorded_at for body in rng.sample(bodies, QUERIES)]
    kept = Remembered(store)
    decode = msgspec.json.Decoder().decode

    def ask(remembered: Callable[[], Remembered]) -> None:
        for at in instants:
            remembered().as_of(STREAM, at)

    ask(lambda: kept)
    found = in_turns(
        {
            "asked before": lambda: spent(lambda: ask(lambda: kept), units=QUERIES),
            "asked first": lambda: spent(lambda: ask(lambda: Remembered(store)), units=QUERIES),
            "floor: all events decoded to dicts": _once(lambda: [decode(body) for body in bodies]),
        },
        rounds=rounds,
    )
    store.close()
    return Result(
        title=f"(d) a date of {len(bodies):,} events as of an instant",
        unit="question",
        series=list(found.values()),
        ratios=[
            *_limits("asked before", found["asked before"], AS_OF_MS),
            Ratio(
                name="asked first ÷ floor",
                value=ratio(found["asked first"], found["floor: all events decoded to dicts"]),
            ),
        ],
        notes=[
            f"{QUERIES} instants spread over the date's life; asked before: points of the past are kept",
            "asked first: a process that folds from the first event, each event held against the hash chain",
        ],
    )


class Recorded(msgspec.Struct):
    """As much of an event as says when it was recorded."""

    recorded_at: datetime


DATE_EVENT = msgspec.json.Decoder(Recorded).decode


def live(store: SqliteStore, definition: Definition, lines: Sequence[bytes]) -> None:
    """Let `lines` happen, slot by slot: commands leave and time passes in between."""
    recorder = Recorder(store, {definition.sport: definition})
    facts = facts_of(list(_thinned(lines)), routing(definition))
    facts.sort(key=lambda timed: timed[1])
    for slot, said in groupby(facts, key=_slot):
        recorder.record(list(said))
        dispatch(recorder, Confirming(), slot)
        recorder.tick(slot)
        dispatch(recorder, Confirming(), slot)


def _slot(timed: Timed) -> datetime:
    _fact, at = timed
    return at.replace(minute=0, second=0, microsecond=0) + SLOT * (1 + at.minute // 30)


def _thinned(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Without most of the messages about a single prediction."""
    numbers = count()
    for line in lines:
        if b'"prediction-re' not in line[:64] or next(numbers) % KEPT_PROGRESS == 0:
            yield line


def _asked(stream: str) -> bool:
    return is_date(stream) or is_control(stream)


def _judged(states: Sequence[object], definition: Definition, now: datetime) -> Health:
    days = [(state, definition) for state in states if isinstance(state, DateState)]
    return health(days, [state for state in states if isinstance(state, ControlState)], now=now)


def _once(work: Callable[[], object]) -> Callable[[], Spent]:
    return lambda: spent(work, units=1)


def _heads_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    decode = DATE.decode
    for stream, state in connection.execute("SELECT stream, state FROM heads").fetchall():
        if is_date(stream):
            decode(state)
    connection.close()


def _events_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    decode = msgspec.json.Decoder().decode
    for (packed,) in connection.execute("SELECT packed FROM events ORDER BY position"):
        for body, _hash in events_in(packed):
            decode(body)
    connection.close()


def _limits(name: str, measured: Series, milliseconds: float) -> list[Ratio]:
    """A limit in absolute time, held against the clock and against the processor: what else the machine does lengthens
    the first, and hardly the second."""
    return [
        Ratio(name=f"{name}, in ms", value=measured.us / 1000, target=milliseconds, at_most=True),
        Ratio(name=f"{name}, in ms of CPU", value=measured.cpu_us / 1000, target=milliseconds, at_most=True),
    ]
