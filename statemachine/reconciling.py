"""Two records of one truth, brought together: what processors said, and what their tables hold (incidents 0.9, I9).

Rows that nobody claims for `reconcile_minutes` become a completion with their provenance. A completion whose table is
empty, and empty still so long after, is taken back. Neither record decides at once, and what could not be measured
decides nothing. What is not yet due, or over, or not expected on the date, is left alone.

Where a phase waits for somebody without an end, its tables are asked for: nothing else would ever show a message that
was lost. Each question comes later than the one before, as a gate's looks do, and ends with the phase.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from events.catalogue import CompletionRecorded, MeasuresObserved
from events.records import RECONCILED, CompletionReopened, Differing, DisagreementNoted
from events.values import Measure
from statemachine import heals
from statemachine.alerts import raise_alert
from statemachine.calendar import span
from statemachine.coming import Coming
from statemachine.commands import ask_measures, asked_already
from statemachine.completing import cycle_of, progressed
from statemachine.definition import Cycle, Definition, Gate, Processor, Step
from statemachine.machine import CycleModel
from statemachine.on_date import on_date, table_measure
from statemachine.readiness import Standing, waits_met
from statemachine.soundness.probes import ALL_TABLES
from statemachine.state import CycleState, DateState, Disagreement, is_quiet, work_key
from statemachine.turn import Turn
from statemachine.work import LOOK, RECONCILE

LOST: Differing = "rows_without_completion"
EMPTY: Differing = "completion_without_rows"

OVER = ("idle", "done", "parked")
"""States of a cycle in which it misses nobody: before it opens, when it is over, and when a person has it."""


class Finding(Struct, frozen=True):
    """What a measure shows of a processor that its completions do not, or the other way round."""

    kind: Differing
    processor: Processor
    cycle: Cycle
    rows: float


class Place(Struct, frozen=True):
    """The cycle in which a completion of a phase would count, and who has completed in it."""

    cycle: Cycle
    stands: Standing


# --- what measures show ---------------------------------------------------------------------------------------------


def compare(turn: Turn, data: MeasuresObserved) -> list[Finding]:
    """Where the tables that `data` counts and the completions so far differ. Asked before `data` is folded, for which
    rows are new follows from what was counted before."""
    if is_quiet(turn.state):
        return []
    known = readers(turn.definition)
    places: dict[str, Place | None] = {}
    found: list[Finding] = []
    for name, measure in data.measures.items():
        processor = known.get(name)
        if processor is None or measure.value is None:
            continue
        phase = processor.phase
        if phase not in places:
            places[phase] = _at_work(turn, phase)
        place = places[phase]
        item = _compared(turn, processor, place, measure.value) if place is not None else None
        if item is not None:
            found.append(item)
    return found


_READERS: dict[str, dict[str, Processor]] = {}


def readers(definition: Definition) -> dict[str, Processor]:
    """The processor of each table, by the measure that counts its rows; kept per definition version."""
    known = _READERS.get(definition.version)
    if known is None:
        known = {table_measure(p.table): p for p in definition.processors if p.table is not None}
        _READERS[definition.version] = known
    return known


def _compared(turn: Turn, processor: Processor, place: Place, rows: float) -> Finding | None:
    """What `rows` show of `processor`; None also where nobody misses it, for it is not expected there on the date."""
    name, cycle, stands = processor.name, place.cycle, place.stands
    done = name in stands.done
    if done == (rows > 0) or name not in (stands.completed if done else stands.missing):
        return None
    if done:
        return Finding(EMPTY, processor, cycle, rows)
    if name in stands.reported and stands.reported[name].status == "failed":
        return None
    noted = turn.state.disagreements.get(name)
    known = noted is not None and (noted.kind, noted.cycle) == (LOST, cycle.name)
    return Finding(LOST, processor, cycle, rows) if known or _are_news(turn, processor, place, rows) else None


def _at_work(turn: Turn, phase: str) -> Place | None:
    """Where a completion of `phase` would count now: in the cycle that it belongs to at this time, once that has come
    to the phase and as long as it is at work."""
    name = cycle_of(turn.state, turn.definition, phase, turn.now)
    at = turn.state.cycles.get(name or "")
    if name is None or at is None:
        return None
    cycle = turn.definition.cycle_of[name]
    step = _come_to(cycle, at, phase)
    return Place(cycle, turn.standing(name, step)) if step is not None else None


def _come_to(cycle: Cycle, at: CycleState, phase: str) -> Step | None:
    """The step of `phase`, where `cycle` is at work and has come to it."""
    step = cycle.step_of.get(phase)
    if step is None or at.state in OVER or at.phase not in cycle.phases:
        return None
    return step if cycle.phases.index(phase) <= cycle.phases.index(at.phase) else None


def _are_news(turn: Turn, processor: Processor, place: Place, rows: float) -> bool:
    """True where `rows` are the work of this cycle as far as anybody can tell. Rows that were there before are not, and
    those that another cycle has claimed need others of the phase at work in this one, as long as no measure says that
    they are older. What was there is not known behind an error."""
    state = turn.state
    before = _counted(state, table_measure(processor.table or ""))
    if before is not None and before[1].value == rows:
        return False
    seen_at = before[0] if before is not None and before[1].value is not None else None
    others = [cycle.name for cycle in turn.definition.cycles if cycle.name != place.cycle.name]
    elsewhere = (state.work.get(work_key(name, processor.phase, processor.name)) for name in others)
    claims = [work.done_at for work in elsewhere if work is not None and work.done_at is not None]
    if not any(seen_at is None or at > seen_at for at in claims):
        return True
    behind_error = before is not None and before[1].value is None
    return not behind_error and bool(place.stands.done)


def _counted(state: DateState, name: str) -> tuple[datetime, Measure] | None:
    """The last count of a table, at whatever boundary, and when; an error that stands for it is one, too."""
    found = [(seen.observed_at[name], seen.measures[name]) for seen in state.measures.values() if name in seen.measures]
    return max(found, key=lambda item: item[0], default=None)


# --- what follows ---------------------------------------------------------------------------------------------------


def conclude(turn: Turn, found: list[Finding]) -> None:
    """Note what is new, and act on what has lasted."""
    for item in found:
        noted = turn.state.disagreements.get(item.processor.name)
        same = noted is not None and (noted.kind, noted.cycle) == (item.kind, item.cycle.name)
        if noted is None or not same or (item.kind == LOST and noted.rows != item.rows):
            _note(turn, item)
        elif turn.now - noted.since >= span(turn.definition.reconcile_minutes):
            (complete if item.kind == LOST else reopen)(turn, item.processor.name, noted)


def _note(turn: Turn, item: Finding) -> None:
    turn.emit(
        DisagreementNoted(
            kind=item.kind,
            cycle=item.cycle.name,
            phase=item.processor.phase,
            processor=item.processor.name,
            measure=table_measure(item.processor.table or ""),
            rows=item.rows,
        )
    )


def complete(turn: Turn, processor: str, noted: Disagreement) -> None:
    """Make the completion that nobody said, with what it rests on; it does all that a completion does."""
    since = noted.since.isoformat()
    turn.emit(
        CompletionRecorded(
            phase=noted.phase,
            published_name=processor,
            status="success",
            processor=processor,
            cycle=noted.cycle,
            record_count=max(1, int(noted.rows)),
            row_basis="rows",
            output_table=turn.definition.processor_of[processor].table,
            wire_format=RECONCILED,
            extra={"measure": noted.measure, "measured_by": noted.seen, "rows": noted.rows, "since": since},
        )
    )
    minutes = turn.definition.reconcile_minutes
    detail = f"{processor}: {noted.rows:g} rows since {since} and no completion for {minutes} min: taken as complete"
    raise_alert(turn, "records_disagree", "info", detail, subject=processor, numbers={"rows": noted.rows})
    progressed(turn, noted.cycle, noted.phase, processor, first=True)


def reopen(turn: Turn, processor: str, noted: Disagreement) -> None:
    """Take a completion back. Where its phase has gone on, that stays as it is, and is told; else the processor is
    missing again, and its repair is asked for."""
    cycle = turn.definition.cycle_of[noted.cycle]
    at = turn.state.cycles[noted.cycle]
    passed = at.phase != noted.phase
    turn.emit(
        CompletionReopened(
            cycle=noted.cycle,
            phase=noted.phase,
            processor=processor,
            measure=noted.measure,
            since=noted.since,
            passed=passed,
        )
    )
    went_on = f"; {noted.phase} ({noted.cycle}) has gone on with it" if passed else ""
    detail = f"{processor}: completed, and its table is empty since {noted.since.isoformat()}{went_on}"
    raise_alert(turn, "records_disagree", "warning", detail, subject=processor, numbers={"rows": 0.0})
    if passed:
        return
    for heal in turn.definition.heals:
        if heal.phase == noted.phase:
            heals.want(turn, heal, (processor,), f"{processor} completed without rows", noted.cycle)
    model = CycleModel(turn, cycle)
    model.fire("reopen", f"{processor} completed without rows")
    model.settle()


# --- when -----------------------------------------------------------------------------------------------------------


def deadlines(state: DateState, definition: Definition) -> Iterator[Coming]:
    """When each disagreement is due: once it has lasted, then as long as there is somebody to ask."""
    for name, noted in state.disagreements.items():
        due = _due(state, definition, name, noted)
        if due is not None:
            yield due, (f"{RECONCILE}{name}", noted.cycle, noted.asked, noted.since)


def _due(state: DateState, definition: Definition, name: str, noted: Disagreement) -> datetime | None:
    cycle, at = definition.cycle_of.get(noted.cycle), state.cycles.get(noted.cycle)
    step = _come_to(cycle, at, noted.phase) if cycle is not None and at is not None else None
    if step is None or name not in step.expected:
        return None
    gate = _asked_at(definition, step)
    if gate is None and _has_to_be_seen_again(state, name, noted):
        return None
    if noted.asked_at is None:
        return noted.since + span(definition.reconcile_minutes)
    steps = gate.recheck_minutes if gate is not None else ()
    return noted.asked_at + span(steps[noted.asked - 1]) if noted.asked <= len(steps) else None


def _has_to_be_seen_again(state: DateState, name: str, noted: Disagreement) -> bool:
    """True where one count is not enough: an empty table may be full by now, and a run that is still at work may still
    be writing. Rows that are there without a run stay."""
    work = state.work.get(work_key(noted.cycle, noted.phase, name))
    return noted.kind == EMPTY or (work is not None and work.status == "started")


def _asked_at(definition: Definition, step: Step) -> Gate | None:
    """The gate at which the tables of `step` are asked for; None where nobody can be asked."""
    gate = definition.gate_of.get(step.gate or "")
    return gate if gate is not None and gate.probe else None


def due(turn: Turn, name: str) -> None:
    """A disagreement has lasted: act on it, or ask whether it stands."""
    noted = turn.state.disagreements[name]
    cycle = turn.definition.cycle_of[noted.cycle]
    if not _has_to_be_seen_again(turn.state, name, noted):
        complete(turn, name, noted)
    elif turn.state.cycles[noted.cycle].state != f"{noted.phase}_gate":  # there it is asked for already
        _ask(turn, cycle, cycle.step_of[noted.phase], noted.measure)


def next_look(definition: Definition, cycle: Cycle, at: CycleState, progress: datetime) -> Coming | None:
    """When the tables of a phase that waits without an end are asked for again; the first time is when it stalls, and
    one that has moved since is looked at when it stalls again."""
    gate = definition.gate_of.get(cycle.step_of[at.phase or ""].gate or "")
    if at.looked_at is None or at.looked_at < progress or gate is None:
        return None
    minutes = gate.recheck_minutes[min(at.looks, len(gate.recheck_minutes)) - 1]
    name = (f"{LOOK}{cycle.name}", at.phase, at.looks, at.looked_at)
    return at.looked_at + span(minutes), name


def look(turn: Turn, cycle: Cycle, step: Step) -> None:
    """Ask for the tables of a phase that waits for somebody without an end. One that time alone brings to its gate is
    measured there."""
    gate = _asked_at(turn.definition, step)
    at, stands = turn.state.cycles[cycle.name], turn.standing(cycle.name, step)
    if gate is None or ALL_TABLES not in gate.measures or waits_met(step, stands, at):
        return
    if any(turn.definition.processor_of[name].table is not None for name in stands.missing):
        _ask(turn, cycle, step)


def _ask(turn: Turn, cycle: Cycle, step: Step, *beside: str) -> None:
    """Ask for all that the boundary measures, and for `beside`; once in a turn."""
    gate = _asked_at(turn.definition, step)
    if gate is None or asked_already(turn, gate.name):
        return
    probed = on_date(turn.definition, cycle.name, step, turn.state.game_date).probed
    wanted = list(dict.fromkeys((*probed, *beside)))
    ask_measures(turn, gate.name, wanted, cycle=cycle.name, phase=step.phase)
