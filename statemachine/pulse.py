"""The pulse stream of a date: heartbeats beside the decisions, so that beats never contend with them (design 4).

Its state keeps one current row per (processor, run). What it concludes — a run went stale, is dead, hangs, is back — is
told to the date's stream as `pulse_changed`; a beat of a run that has ended changes nothing (design 8.8). A run hangs
that beats and whose progress does not move: a thread that beats proves a process, not its work (robustness 2.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from events.catalogue import BeatRecorded, DeadlineElapsed, DefinitionAdopted, Event, Fact, PulseChanged, Ticked
from statemachine.coming import Deadline
from statemachine.definition import Definition
from statemachine.naming import snake
from statemachine.turn import Working

RUNS_MAX = 500
"""Runs remembered per date; the oldest ended ones are forgotten first."""


Condition = Literal["stale", "dead", "back", "hung"]


class Beat(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The current row of a run: `condition` is `running`, `hung`, `stale`, `dead` or `ended`; `beat_at` the latest beat
    as received, for the sender's clock may be skewed; `said_at` is the latest instant that the sender gave. `progress`
    last moved at `moved_at`, as received."""

    published_name: str
    beat_at: datetime
    condition: str = "running"
    run: str | None = None
    processor: str | None = None
    progress: int | None = None
    total: int | None = None
    said_at: datetime | None = None
    moved_at: datetime | None = None


class PulseState(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The folded state of a pulse stream; `runs` by `processor|run`."""

    stream: str
    version: int = 0
    definition: str = ""
    recorded_at: datetime | None = None
    runs: dict[str, Beat] = field(default_factory=dict)
    recent: tuple[str, ...] = ()


def initial(stream: str) -> PulseState:
    """The state before the first event."""
    return PulseState(stream=stream)


def row_key(published_name: str, run: str | None) -> str:
    """The key of a run's current row."""
    return f"{snake(published_name)}|{run or '-'}"


def changed(state: PulseState, event: Event) -> PulseState:
    """The state with what `event` changes by itself."""
    runs, definition, data = state.runs, state.definition, event.data
    if isinstance(data, BeatRecorded):
        runs = _beaten(runs, event, data)
    elif isinstance(data, PulseChanged):
        key = row_key(data.published_name, data.run)
        condition = "running" if data.condition == "back" else data.condition
        runs = {**runs, key: replace(runs[key], condition=condition)}
    elif isinstance(data, DefinitionAdopted):
        definition = data.definition
    return replace(state, runs=runs, definition=definition)


def _beaten(runs: dict[str, Beat], event: Event, data: BeatRecorded) -> dict[str, Beat]:
    key = row_key(data.published_name, data.run)
    before = runs.get(key)
    if before is not None and before.condition == "ended":
        return runs
    newer = before is None or before.said_at is None or data.beat_at > before.said_at
    moved = data.progress is not None and (before is None or _moves(data.progress, before.progress, newer=newer))
    beat = Beat(
        published_name=data.published_name,
        beat_at=event.recorded_at,
        condition="ended" if data.ended is not None else (before.condition if before is not None else "running"),
        run=data.run,
        processor=data.processor,
        progress=data.progress if moved or before is None else before.progress,
        total=data.total if newer or before is None else before.total,
        said_at=data.beat_at if newer or before is None else before.said_at,
        moved_at=event.recorded_at if moved or before is None else before.moved_at,
    )
    after = _without_oldest(runs) if len(runs) >= RUNS_MAX and key not in runs else runs.copy()
    after[key] = beat
    return after


def _moves(progress: int, before: int | None, *, newer: bool) -> bool:
    """More is progress whenever it is heard; less is a run that begins again, unless an old beat comes late."""
    return before is None or progress > before or (newer and progress != before)


def _without_oldest(runs: dict[str, Beat]) -> dict[str, Beat]:
    oldest = min(runs, key=lambda key: (runs[key].condition != "ended", runs[key].beat_at, key))
    return {key: beat for key, beat in runs.items() if key != oldest}


def decide(state: PulseState, fact: Fact, now: datetime, definition: Definition) -> list[Event]:
    """The events that `fact` causes: a beat, and what it brings back; a tick, and what has gone stale or died."""
    return [] if fact.id in state.recent else decide_and_fold(state, fact, now, definition)[0]


def decide_and_fold(
    state: PulseState, fact: Fact, now: datetime, definition: Definition, last: Event | None = None
) -> tuple[list[Event], PulseState]:
    """What `decide` gives for an input that the caller knows to be new, and the state after it."""
    working = Working(state, fact, now, definition, last, changed)
    data = fact.data
    if isinstance(data, BeatRecorded):
        processor = definition.resolve(data.phase or "", data.published_name) or snake(data.published_name)
        key = row_key(data.published_name, data.run)
        before = state.runs.get(key)
        working.emit(replace(data, processor=processor))
        if before is not None and data.ended is None and _is_back(before, working.state.runs[key]):
            working.emit(_changed(before, "back"))
    elif isinstance(data, Ticked):
        _tick(working, data, definition)
    else:
        working.emit(data)
    return working.events, working.state


def _is_back(before: Beat, after: Beat) -> bool:
    """A silent run is back with any beat, one that hangs only with one that moves its progress."""
    return before.condition in ("stale", "dead") or (before.condition == "hung" and before.moved_at != after.moved_at)


def _tick(working: Working[PulseState], data: Ticked, definition: Definition) -> None:
    due = [item for item in deadlines(working.state, definition) if item[0] <= working.now]
    if due:
        working.emit(data)
    for instant, name in due:
        condition, _, key = name.partition(":")
        beat = working.state.runs.get(key)
        if beat is None or beat.condition in (condition, "dead", "ended"):
            continue
        if condition == "hung" and beat.condition != "running":
            continue
        working.emit(DeadlineElapsed(name=name, due_at=instant))
        if condition == "hung":
            working.emit(replace(_changed(beat, "hung"), still_since=beat.moved_at))
            continue
        together = _silent_together(working.state, beat, definition)
        working.emit(replace(_changed(beat, "dead" if condition == "dead" else "stale"), together=together))


def _silent_together(state: PulseState, beat: Beat, definition: Definition) -> int:
    """How many runs of the phase of `beat` fell silent with it, itself included; 0 where one of them beat on."""
    known = definition.processor_of.get(beat.processor or "")
    if known is None:
        return 0
    phase_of = {name: processor.phase for name, processor in definition.processor_of.items()}
    others = [b for b in state.runs.values() if phase_of.get(b.processor or "") == known.phase]
    interval = timedelta(seconds=definition.alerts.beat_interval_seconds)
    if any(other.beat_at > beat.beat_at + interval for other in others):
        return 0
    return sum(abs(other.beat_at - beat.beat_at) <= interval and other.condition != "ended" for other in others)


def _changed(beat: Beat, condition: Condition) -> PulseChanged:
    return PulseChanged(
        published_name=beat.published_name,
        condition=condition,
        last_beat_at=beat.beat_at,
        run=beat.run,
        processor=beat.processor,
    )


def deadlines(state: PulseState, definition: Definition) -> list[Deadline]:
    """When which run hangs, goes stale (300 s) or dies (900 s without a beat), the earliest first. At the threshold
    itself the worse state holds (orchestration 12)."""
    return sorted((at, f"{condition}:{key}") for at, condition, key in _coming(state, definition))


def next_deadline(state: PulseState, definition: Definition) -> datetime | None:
    """The instant of the first of `deadlines`."""
    return min([at for at, _condition, _key in _coming(state, definition)], default=None)


def _coming(state: PulseState, definition: Definition) -> Iterator[tuple[datetime, str, str]]:
    rules = definition.alerts
    stale, dead = timedelta(seconds=rules.beat_stale_seconds), timedelta(seconds=rules.beat_dead_seconds)
    hung = timedelta(seconds=rules.beat_hung_seconds) if rules.beat_hung_seconds is not None else None
    for key, beat in state.runs.items():
        if beat.condition == "running" and hung is not None and beat.progress is not None:
            yield (beat.moved_at or beat.beat_at) + hung, "hung", key
        if beat.condition in ("running", "hung"):
            yield beat.beat_at + stale, "stale", key
        if beat.condition in ("running", "hung", "stale"):
            yield beat.beat_at + dead, "dead", key
