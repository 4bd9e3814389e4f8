"""When something was achieved: the coverage of a date over time, and the instant at which a phase was done.

Completions and rows are two records of one truth, and either shows that the work was done (incidents 0.9); where
several processors are counted, the earlier of the two is the processor's instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from events.catalogue import Event, MeasuresObserved, OperatorActed, SchedulePublished
from statemachine.alerts import coverage, precompute_shortfall
from statemachine.definition import Cycle, Definition, in_force
from statemachine.evolve import evolve, initial
from statemachine.gates import has_rows, known_measures
from statemachine.on_date import table_measure
from statemachine.readiness import standing
from statemachine.state import DateState, expected_count


class Covered(Struct, frozen=True, kw_only=True):
    """Box scores present and games expected as they became known at `at`; `ratio` is the one over the other."""

    at: datetime
    present: float
    expected: float
    ratio: float


class Trace(Struct, frozen=True, kw_only=True):
    """What only the events tell: the coverage each time it was measured or expected anew, and the first instant at
    which each table was seen with rows."""

    coverage: tuple[Covered, ...]
    rows_at: dict[str, datetime]


def trace(events: Sequence[Event], definition: Definition) -> Trace:
    """The trace of one date's events, in order."""
    covered: list[Covered] = []
    rows_at: dict[str, datetime] = {}
    state = initial(events[0].stream) if events else initial("-/-")
    for event in events:
        data = event.data
        if not isinstance(data, SchedulePublished | MeasuresObserved | OperatorActed):
            continue  # nothing else changes what is expected or present
        state = evolve(state, event)
        ratio, expected = coverage(state, definition), expected_count(state)
        if ratio is not None and expected:
            present = round(ratio * expected, 6)
            found = Covered(at=event.recorded_at, present=present, expected=float(expected), ratio=ratio)
            covered.append(found)
        if isinstance(data, MeasuresObserved):
            for name, measure in data.measures.items():
                if name.startswith("table_rows.") and has_rows(measure):
                    rows_at.setdefault(name, event.recorded_at)
    return Trace(coverage=tuple(covered), rows_at=rows_at)


def phase_done_at(
    state: DateState, definition: Definition, seen: Trace, phase: str, at_least: int | None = None
) -> datetime | None:
    """When `phase` was done in whatever cycle: at its first completion that counts, or where `at_least` processors are
    asked for (or all, where fewer are expected), at the last of the first so many. None where it was not."""
    if at_least is None:
        done = [work.first_done_at for key, work in state.work.items() if key.split("/")[1] == phase]
        return min((at for at in done if at is not None), default=None)
    instants = sorted(at for at in _by_processor(state, definition, seen, phase) if at is not None)
    wanted = min(at_least, len(_expected(state, definition, phase)))
    return instants[wanted - 1] if 0 < wanted <= len(instants) else None


def _by_processor(state: DateState, definition: Definition, seen: Trace, phase: str) -> list[datetime | None]:
    return [_processor_done_at(state, definition, seen, phase, name) for name in _expected(state, definition, phase)]


def _processor_done_at(state: DateState, definition: Definition, seen: Trace, phase: str, name: str) -> datetime | None:
    table = definition.processor_of[name].table
    instants = [state.work[key].first_done_at for key in state.work if key.split("/")[1:] == [phase, name]]
    instants.append(seen.rows_at.get(table_measure(table)) if table is not None else None)
    return min((at for at in instants if at is not None), default=None)


def _expected(state: DateState, definition: Definition, phase: str) -> list[str]:
    names = [name for cycle in _cycles(definition, phase) for name in cycle.step_of[phase].expected]
    return [name for name in dict.fromkeys(names) if in_force(definition.processor_of[name], state.game_date)]


def _cycles(definition: Definition, phase: str) -> list[Cycle]:
    return [cycle for cycle in definition.cycles if phase in cycle.step_of]


def phase_numbers(
    state: DateState, definition: Definition, phase: str
) -> tuple[dict[str, float | None], datetime | None]:
    """The figures of a phase as last known and when they became known: its processors, and what its gate compares, a
    ratio with its share (`graded`, `gradable`, `graded_share`)."""
    done, _critical, missing = precompute_shortfall(state, definition, phase)
    numbers: dict[str, float | None] = {
        "processors_done": float(done),
        "processors_expected": float(done + len(missing)),
    }
    known_at: list[datetime] = []
    for cycle in _cycles(definition, phase):
        figures, at = _gate_numbers(state, definition, cycle, phase)
        for name, value in figures.items():
            if numbers.get(name) is None:
                numbers[name] = value
        known_at += [at] if at is not None else []
    return numbers, max(known_at, default=None)


def _gate_numbers(
    state: DateState, definition: Definition, cycle: Cycle, phase: str
) -> tuple[dict[str, float | None], datetime | None]:
    step = cycle.step_of[phase]
    if step.gate is None:
        return {}, None
    gate = definition.gate_of[step.gate]
    work = standing(state, definition, cycle.name, step).reported.values()  # what the gate looks at
    known = known_measures(state, work, gate)
    numbers: dict[str, float | None] = {}
    for check in gate.checks:
        names = [name for name in (check.measure, check.of) if name is not None]
        values = [known[name].value if name in known else None for name in names]
        numbers |= dict(zip(names, values, strict=True))
        if check.kind == "ratio":
            numbers[f"{check.name}_share"] = _ratio(*values)
    seen = state.measures.get(gate.name)
    instants = [] if seen is None else [at for name, at in seen.observed_at.items() if name in numbers]
    instants += [item.done_at for item in work if item.numbers and item.done_at is not None]
    return numbers, max(instants, default=None)


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
