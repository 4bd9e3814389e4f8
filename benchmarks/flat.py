"""(c) Flatness: what an event costs late in a long history, and what a tick costs with a whole season open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.day import BEATS_MAX, TEAMS
from benchmarks.job import BATCH
from benchmarks.measuring import Ratio, Result, Series, Spent, moment, ratio, series, spent
from benchmarks.replay import STREAM, filled
from benchmarks.season import FIRST_DATE, long_date
from benchmarks.tipoff import facts_of, routing
from events.catalogue import Fact, ProgressReported, SchedulePublished
from events.codec import derive_id
from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.values import Game
from handlers.recorder import Recorder, Timed
from statemachine.definition import Definition
from statemachine.streams import date_stream

FLAT_AT_MOST = 1.3
EARLY = 10
"""Events that a young stream has before it is measured."""

ALONE = 16
"""Events a round that are recorded one by one, in turns on the young stream and the old."""

EARLY_LINES = 100
"""So many lines of a date have that many about its own stream."""

TICKS = 10
LATER_DAYS = 100
"""How long ahead dates are opened, and how much later than the first the others are."""

_numbers = count()


def flat(definition: Definition, folder: Path, *, events: int, open_dates: int, rounds: int) -> Result:
    """An event on an old and on a young stream of one store; a tick in a store with few and with many open dates."""
    found = _events(definition, _new(folder), events=events, rounds=rounds)
    found |= _ticks(definition, folder, open_dates=open_dates, rounds=rounds)
    pairs = [
        ("the late event ÷ the early one, in a batch", "late, in a batch", "early, in a batch"),
        ("the late event ÷ the early one, alone", "late, alone", "early, alone"),
        (f"a tick with {open_dates} open dates ÷ with 1", f"tick, {open_dates} open", "tick, 1 open"),
        (f"an idle tick with {open_dates} open dates ÷ with 1", f"idle tick, {open_dates} open", "idle tick, 1 open"),
    ]
    return Result(
        title="(c) flatness",
        unit="event or tick",
        series=list(found.values()),
        ratios=[
            Ratio(name=name, value=ratio(found[over], found[under]), target=FLAT_AT_MOST, at_most=True)
            for name, over, under in pairs
        ],
        notes=[
            f"late: a date of {events} events or more; early: one with {EARLY}; the same kind of message, in one store",
            "a tick is measured where one date is due, an idle one where none is",
        ],
    )


def _events(definition: Definition, folder: Path, *, events: int, rounds: int) -> dict[str, Series]:
    store = filled(long_date(events + BEATS_MAX, definition), definition, folder)
    head = store.head(STREAM)
    assert head is not None, "the long date was stored"
    assert head.version >= events, "and is long enough"
    recorder = Recorder(store, {definition.sport: definition})
    now = datetime.combine(FIRST_DATE, time(), UTC) + timedelta(days=90)
    taken: dict[str, list[Spent]] = {}
    for number in range(rounds):
        day = FIRST_DATE - timedelta(days=1 + number)
        young = date_stream(definition.sport, day.isoformat())
        recorder.record(_first(young, long_date(EARLY_LINES, definition, day=day), definition))
        ages = {"early": young, "late": STREAM}
        for _ in range(ALONE):
            for age, stream in ages.items():
                one = _progress(stream, now, 1)
                taken.setdefault(f"{age}, alone", []).append(moment(partial(recorder.record, one)))
        for age, stream in ages.items():
            many = _progress(stream, now, BATCH)
            work = spent(partial(recorder.record, many), units=BATCH)
            taken.setdefault(f"{age}, in a batch", []).append(work)
    store.close()
    return {name: series(name, measured) for name, measured in taken.items()}


def _first(stream: str, lines: list[bytes], definition: Definition) -> list[Timed]:
    """What is said first about a date: with the definition that it adopts it makes `EARLY` events."""
    said = [timed for timed in facts_of(lines, routing(definition)) if timed[0].stream == stream]
    return said[: EARLY - 1]


def _progress(stream: str, now: datetime, number: int) -> list[Timed]:
    """New prediction messages for `stream`."""
    made = [next(_numbers) for _ in range(number)]
    return [
        (
            Fact(
                stream=stream,
                id=derive_id("flat", stream, str(each)),
                occurred_at=now,
                correlation=f"flat-{each}",
                data=ProgressReported(phase="predictions", published_name="prediction-ready", subject=f"player{each}"),
            ),
            now,
        )
        for each in made
    ]


def _tick_at(recorder: Recorder, instants: Sequence[datetime]) -> None:
    for instant in instants:
        recorder.tick(instant)


def _ticks(definition: Definition, folder: Path, *, open_dates: int, rounds: int) -> dict[str, Series]:
    instants = _deadlines(definition)
    taken: dict[str, list[Spent]] = {}
    for _ in range(rounds):
        for number in (1, open_dates):
            store = SqliteStore.open(_new(folder) / "ticks.sqlite")
            recorder = Recorder(store, {definition.sport: definition})
            recorder.record([_schedule(definition, place) for place in range(number)])
            busy = spent(partial(_tick_at, recorder, instants), units=len(instants))
            taken.setdefault(f"tick, {number} open", []).append(busy)
            idle = spent(partial(_tick_at, recorder, [instants[-1]] * BATCH), units=BATCH)
            taken.setdefault(f"idle tick, {number} open", []).append(idle)
            store.close()
    return {name: series(name, measured) for name, measured in taken.items()}


def _deadlines(definition: Definition) -> list[datetime]:
    """The first instants at which a date of which nobody reports anything is due."""
    store = MemoryStore()
    recorder = Recorder(store, {definition.sport: definition})
    recorder.record([_schedule(definition, 0)])
    found: list[datetime] = []
    while len(found) < TICKS:
        head = store.head(STREAM)
        assert head is not None, "the date was stored"
        assert head.next_deadline is not None, "and has deadlines ahead, for it has games"
        found.append(head.next_deadline)
        recorder.tick(head.next_deadline)
    return found


def _schedule(definition: Definition, place: int) -> Timed:
    """A date is opened long ahead: the one that will be due, or a later one."""
    day = FIRST_DATE + timedelta(days=LATER_DAYS + place if place else 0)
    opened = datetime.combine(FIRST_DATE, time(), UTC) - timedelta(days=LATER_DAYS)
    tip = datetime.combine(day, time(), UTC) + timedelta(days=1)
    games = tuple(
        Game(game_id=f"{day:%Y%m%d}_{away}_{home}", away=away, home=home, start_utc=tip)
        for away, home in zip(TEAMS[:8:2], TEAMS[1:8:2], strict=True)
    )
    fact = Fact(
        stream=date_stream(definition.sport, day.isoformat()),
        id=derive_id("flat-schedule", day.isoformat()),
        occurred_at=opened,
        correlation="flat",
        data=SchedulePublished(games=games),
    )
    return fact, opened


def _new(folder: Path) -> Path:
    here = folder / f"flat-{next(_numbers)}"
    here.mkdir()
    return here
