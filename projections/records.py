"""Two records of one truth, held against each other: what processors said, and what their tables hold.

Neither decides alone (incidents 0.9): rows that nobody claimed for a quarter of an hour are a completion that was lost,
a completion whose table stays empty is one that was never true. An error or an absent number is neither; it says
nothing. Which rows a completion claims follows from the order of events alone: those seen next, and unchanged since;
and where the core found that they are another cycle's (`statemachine/reconciling.py`), what it noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from events.catalogue import CompletionRecorded, Event, MeasuresObserved
from events.records import RECONCILED, CompletionReopened, Differing, DisagreementNoted
from events.values import Measure
from statemachine.completing import cycle_of
from statemachine.definition import Definition, Processor, in_force
from statemachine.on_date import table_measure
from statemachine.state import DateState, has_no_games
from statemachine.work import COUNTING


class Disagreement(Struct, frozen=True, kw_only=True):
    """Two records that differ about a processor.

    `since` is when the rows changed unclaimed, or were first missed behind a completion; from `due_at` on it is no
    longer a matter of time. `cycle` is the one that a completion told now of those rows would belong to, or the one of
    the completion; `rows` what the table held at the event `version`, and `completed_at` the last completion (null
    where there is none). `settled_at` is when the core settled it: it took the rows for the completion, or took the
    completion back."""

    sport: str
    game_date: str
    phase: str
    processor: str
    kind: Differing
    table: str
    rows: float
    cycle: str | None
    since: datetime
    due_at: datetime
    version: int
    completed_at: datetime | None
    settled_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """True once it has lasted, and while it is not settled."""
        return self.settled_at is None and now >= self.due_at


class Told(Struct, frozen=True, kw_only=True):
    """What is known of a processor and its table. `claiming` is true from a completion until rows are seen; `changed`
    is when rows changed that no completion claims, `emptied` when none were seen behind a completion, each with the
    version of the event that showed it; `lost_in` the cycle that the core missed a completion in, `settled_at` when it
    settled the one or the other."""

    completed_at: datetime | None = None
    cycle: str | None = None
    claiming: bool = False
    rows: float | None = None
    changed: tuple[datetime, int] | None = None
    emptied: tuple[datetime, int] | None = None
    lost_in: str | None = None
    settled_at: datetime | None = None


def disagreements(events: Sequence[Event], state: DateState, definition: Definition) -> tuple[Disagreement, ...]:
    """Every disagreement that stands after `events`, the whole history of a date whose folded state is `state`; in the
    order of the definition. Whether one is due, `is_due` says. A date without games has none."""
    if has_no_games(state):
        return ()
    watched = {p.name: p for p in definition.processors if p.table is not None and in_force(p, state.game_date)}
    told = tell(events, watched)
    found = [_judged(watched[name], told[name], state, definition) for name in watched if name in told]
    return tuple(item for item in found if item is not None)


def tell(events: Sequence[Event], watched: dict[str, Processor]) -> dict[str, Told]:
    """What `events` tell of each watched processor, by name; those of which they tell nothing are left out."""
    reader = {table_measure(p.table): name for name, p in watched.items() if p.table is not None}
    told: dict[str, Told] = {}
    measured = 0
    for event in events:
        data = event.data
        if isinstance(data, CompletionRecorded):
            if data.processor in watched and _counts(data):
                told[data.processor] = _completed(told.get(data.processor) or Told(), event, data)
        elif isinstance(data, MeasuresObserved):
            measured = event.version
            for name in reader.keys() & data.measures.keys():
                told[reader[name]] = _seen(told.get(reader[name]) or Told(), event, data.measures[name])
        elif isinstance(data, DisagreementNoted) and data.processor in watched:
            told[data.processor] = _noted(told.get(data.processor) or Told(), event, data, measured)
        elif isinstance(data, CompletionReopened) and data.processor in watched:
            told[data.processor] = replace(told[data.processor], settled_at=event.recorded_at)
    return told


def _counts(data: CompletionRecorded) -> bool:
    return data.status in COUNTING and data.record_count != 0


def _completed(before: Told, event: Event, data: CompletionRecorded) -> Told:
    at = event.recorded_at
    if data.wire_format == RECONCILED and event.causation is not None:
        return replace(before, completed_at=at, cycle=data.cycle, claiming=False, settled_at=at)
    return Told(completed_at=at, cycle=data.cycle, claiming=True, rows=before.rows)


def _noted(before: Told, event: Event, data: DisagreementNoted, measured: int) -> Told:
    if data.kind == "completion_without_rows":
        return before
    here = event.recorded_at, measured
    return replace(before, rows=data.rows, claiming=False, changed=here, lost_in=data.cycle, settled_at=None)


def _seen(before: Told, event: Event, measure: Measure) -> Told:
    if measure.value is None:
        return before  # an error, or not applicable: nothing is known that was not known
    here = event.recorded_at, event.version
    if measure.value <= 0:
        emptied = before.emptied or (here if before.completed_at is not None else None)
        settled_at = before.settled_at if before.emptied is not None else None
        return replace(before, rows=measure.value, changed=None, emptied=emptied, settled_at=settled_at)
    if measure.value == before.rows and not before.claiming:
        return before
    changed = None if before.claiming else here
    return replace(before, rows=measure.value, claiming=False, changed=changed, emptied=None, settled_at=None)


def _judged(processor: Processor, told: Told, state: DateState, definition: Definition) -> Disagreement | None:
    found = told.changed or told.emptied
    if found is None or told.rows is None or processor.table is None:
        return None
    since, version = found
    lost = told.changed is not None
    by_time = cycle_of(replace(state, cycles={}), definition, processor.phase, since)  # whichever has opened by now
    return Disagreement(
        sport=state.sport,
        game_date=state.game_date,
        phase=processor.phase,
        processor=processor.name,
        kind="rows_without_completion" if lost else "completion_without_rows",
        table=processor.table,
        rows=told.rows,
        cycle=(told.lost_in or by_time) if lost else told.cycle,
        since=since,
        due_at=since + timedelta(minutes=definition.reconcile_minutes),
        version=version,
        completed_at=told.completed_at,
        settled_at=told.settled_at,
    )
