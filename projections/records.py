"""Two records of one truth, held against each other: what processors said, and what their tables hold.

Neither decides alone (incidents 0.9): rows that nobody claimed for a quarter of an hour are a completion that was lost,
a completion whose table stays empty is one that was never true. An error or an absent number is neither; it says
nothing. Which rows a completion claims follows from the order of events alone: those seen next, and unchanged since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from events.catalogue import CompletionRecorded, Event, MeasuresObserved
from events.values import Measure
from statemachine.calendar import received_when
from statemachine.definition import Definition, Processor, in_force
from statemachine.evolve import COUNTING
from statemachine.gates import table_measure
from statemachine.state import DateState, has_no_games

SETTLED = timedelta(minutes=15)
"""How long the two may differ before it is a disagreement: a message may be on its way, a load not committed yet."""

Kind = Literal["rows_without_completion", "completion_without_rows"]


class Disagreement(Struct, frozen=True, kw_only=True):
    """Two records that differ about a processor.

    `since` is when the rows changed unclaimed, or were first missed behind a completion; from `due_at` on it is no
    longer a matter of time. `cycle` is the one that a completion told now of those rows would belong to, or the one of
    the completion; `rows` what the table held at the event `version`, and `completed_at` the last completion (null
    where there is none)."""

    sport: str
    game_date: str
    phase: str
    processor: str
    kind: Kind
    table: str
    rows: float
    cycle: str | None
    since: datetime
    due_at: datetime
    version: int
    completed_at: datetime | None

    def is_due(self, now: datetime) -> bool:
        """True once it has lasted."""
        return now >= self.due_at


class Told(Struct, frozen=True, kw_only=True):
    """What is known of a processor and its table. `claiming` is true from a completion until rows are seen; `changed`
    is when rows changed that no completion claims, `emptied` when none were seen behind a completion, each with the
    version of the event that showed it."""

    completed_at: datetime | None = None
    cycle: str | None = None
    claiming: bool = False
    rows: float | None = None
    changed: tuple[datetime, int] | None = None
    emptied: tuple[datetime, int] | None = None


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
    for event in events:
        data = event.data
        if isinstance(data, CompletionRecorded):
            if data.processor in watched and _counts(data):
                told[data.processor] = _completed(told.get(data.processor) or Told(), event, data)
        elif isinstance(data, MeasuresObserved):
            for name in reader.keys() & data.measures.keys():
                told[reader[name]] = _seen(told.get(reader[name]) or Told(), event, data.measures[name])
    return told


def _counts(data: CompletionRecorded) -> bool:
    return data.status in COUNTING and data.record_count != 0


def _completed(before: Told, event: Event, data: CompletionRecorded) -> Told:
    return replace(before, completed_at=event.recorded_at, cycle=data.cycle, claiming=True, changed=None, emptied=None)


def _seen(before: Told, event: Event, measure: Measure) -> Told:
    if measure.value is None:
        return before  # an error, or not applicable: nothing is known that was not known
    here = event.recorded_at, event.version
    if measure.value <= 0:
        emptied = before.emptied or (here if before.completed_at is not None else None)
        return replace(before, rows=measure.value, changed=None, emptied=emptied)
    changed = before.changed
    if before.claiming:
        changed = None
    elif measure.value != before.rows:
        changed = here
    return replace(before, rows=measure.value, claiming=False, changed=changed, emptied=None)


def _judged(processor: Processor, told: Told, state: DateState, definition: Definition) -> Disagreement | None:
    found = told.changed or told.emptied
    if found is None or told.rows is None or processor.table is None:
        return None
    since, version = found
    lost = told.changed is not None
    when = received_when(state.game_date, since, definition.timezone)
    return Disagreement(
        sport=state.sport,
        game_date=state.game_date,
        phase=processor.phase,
        processor=processor.name,
        kind="rows_without_completion" if lost else "completion_without_rows",
        table=processor.table,
        rows=told.rows,
        cycle=definition.cycle_for(processor.phase, when) if lost else told.cycle,
        since=since,
        due_at=since + SETTLED,
        version=version,
        completed_at=told.completed_at,
    )
