"""Gates: from measures to verdicts, purely. Every comparison keeps what it saw and what it compared with (design 5).

An error is never a number: a measure that is absent or failed gives verdict `error`, and the check's own policy says
what that means. A measure that is present and null was not applicable and is `skipped`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from operator import itemgetter
from typing import Protocol

from msgspec import Struct

from events.catalogue import GateEvaluated
from events.values import Check, Measure, Mode, Severity, Verdict
from statemachine.definition import CheckSpec, Definition, Gate, Step
from statemachine.on_date import on_date
from statemachine.readiness import Standing, standing
from statemachine.spec import OnError
from statemachine.state import DateState, Work, expected_count

NOT_MEASURED = Measure(error="not measured")

MESSAGE_MEASURES = {
    "completion_pct": ("completion_pct",),
    "predictions": ("total_predictions", "completed_predictions"),
    "gradable": ("predictions_found",),
    "graded": ("graded_count",),
}
"""Measures that the completion messages of a phase carry themselves: name -> numbers that give it, first wins."""

VERDICT_OF_ERROR: dict[OnError, Verdict] = {"block": "error", "warn": "warn", "pass": "pass"}


class View(Struct, frozen=True):
    """All that the checks of one evaluation look at."""

    step: Step
    stands: Standing
    measures: dict[str, Measure]
    tables: dict[str, str]


def known_measures(state: DateState, work: Collection[Work], gate: Gate) -> dict[str, Measure]:
    """What is known at the boundary: what messages of the phase carried, whose `work` it is, and what was probed, of
    both the later, and the games that the schedule of the moment expects."""
    known: dict[str, Measure] = {}
    rows = [item.rows for item in work if item.rows is not None]
    if rows:
        known["scrape_records"] = Measure(value=float(min(rows)))
    games = [item.games for item in work if item.games is not None]
    known["scrape_games"] = Measure(value=float(max(games)) if games else None)
    seen = state.measures.get(gate.name)
    if seen is not None:
        known |= seen.measures
    for name, (at, measure) in _said(work).items():
        if seen is None or name not in seen.measures or at > seen.observed_at[name]:
            known[name] = measure
    expected = expected_count(state)
    if expected is not None:
        known["games_expected"] = Measure(value=float(expected))
    return known


def _said(work: Iterable[Work]) -> dict[str, tuple[datetime, Measure]]:
    """The measures that completions carried, each the latest, with its instant. Most carry none."""
    found: dict[str, tuple[datetime, Measure]] = {}
    done = [(item.done_at, item.numbers) for item in work if item.numbers and item.done_at is not None]
    for at, numbers in sorted(done, key=itemgetter(0)):
        for name, sources in MESSAGE_MEASURES.items():
            value = next((numbers[source] for source in sources if source in numbers), None)
            if value is not None:
                found[name] = at, Measure(value=value)
    return found


def evaluate(
    state: DateState, definition: Definition, cycle: str, step: Step, stands: Standing | None = None
) -> GateEvaluated:
    """The gate of `step` in `cycle`, evaluated on what is known now; `stands` where the caller has counted already."""
    assert step.gate is not None, "only a step with a gate is evaluated"
    gate = definition.gate_of[step.gate]
    mode = step.gate_mode or gate.mode
    stands = stands or standing(state, definition, cycle, step)
    names = on_date(definition, cycle, step, state.game_date)
    view = View(
        step=step,
        stands=stands,
        measures=known_measures(state, stands.reported.values(), gate),
        tables=names.tables,
    )
    checks = tuple([CHECKS[spec.kind](spec, view) for spec in names.checks]) if mode != "disabled" else ()
    blocking = _worst(checks, names.checks, gate)
    return GateEvaluated(
        gate=gate.name,
        cycle=cycle,
        mode=mode,
        outcome=in_mode(mode, blocking),
        blocking_outcome=blocking,
        checks=checks,
        definition=definition.version,
    )


def _worst(checks: tuple[Check, ...], specs: tuple[CheckSpec, ...], gate: Gate) -> Verdict:
    paired = zip(checks, specs, strict=False)
    return worst([counting(check, spec.on_error or gate.on_error) for check, spec in paired])


def counting(check: Check, on_error: OnError) -> Verdict:
    """The verdict that a check contributes: its own, or what its policy makes of an error."""
    return VERDICT_OF_ERROR[on_error] if check.verdict == "error" else check.verdict


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of `verdicts`; what was skipped counts for nothing, and nothing at all passes."""
    found = set(verdicts)
    for verdict in _WORST_FIRST:
        if verdict in found:
            return verdict
    return "pass"


_WORST_FIRST: tuple[Verdict, ...] = ("block", "error", "warn")


def in_mode(mode: Mode, blocking: Verdict) -> Verdict:
    """What a gate does in `mode` where it would do `blocking` in mode `blocking`."""
    if mode == "disabled":
        return "skipped"
    return "warn" if mode == "warning" and blocking in ("block", "error") else blocking


def block_severity(evaluation: GateEvaluated, gate: Gate) -> Severity:
    """How loud a block is: a warning only if every blocked check stayed above its `critical_below`."""
    specs = {spec.name: spec for spec in gate.checks}
    for check in evaluation.checks:
        limit = specs[check.check].critical_below
        if check.verdict == "block" and (limit is None or check.measured is None or check.measured < limit):
            return "critical"
    return "warning"


# --- the kinds of checks ------------------------------------------------------------------------------------------


class Bounds(Protocol):
    """The thresholds that a number is compared with."""

    @property
    def block_below(self) -> float | None:
        """Below this it blocks."""

    @property
    def warn_below(self) -> float | None:
        """Below this it warns."""

    @property
    def block_above(self) -> float | None:
        """Above this it blocks."""

    @property
    def warn_above(self) -> float | None:
        """Above this it warns."""


def judge(value: float, spec: Bounds) -> Verdict:
    """`value` against the thresholds of `spec`; the names of the thresholds say which side is meant."""
    if spec.block_below is not None and value < spec.block_below:
        return "block"
    if spec.block_above is not None and value > spec.block_above:
        return "block"
    if spec.warn_below is not None and value < spec.warn_below:
        return "warn"
    if spec.warn_above is not None and value > spec.warn_above:
        return "warn"
    return "pass"


def _check(spec: CheckSpec, verdict: Verdict, measured: float | None, basis: str, error: str | None = None) -> Check:
    return Check(
        check=spec.name,
        measured=measured,
        warn=spec.warn_below if spec.warn_below is not None else spec.warn_above,
        block=spec.block_below if spec.block_below is not None else spec.block_above,
        verdict=verdict,
        basis=basis,
        error=error,
    )


def _read(view: View, name: str | None) -> Measure:
    return view.measures.get(name or "", NOT_MEASURED)


def _value(spec: CheckSpec, view: View) -> Check:
    measure = _read(view, spec.measure)
    if measure.error is not None:
        return _check(spec, "error", None, f"{spec.measure}", f"{spec.measure}: {measure.error}")
    if measure.value is None:
        return _check(spec, "skipped", None, f"{spec.measure} does not apply")
    return _check(spec, judge(measure.value, spec), measure.value, f"{spec.measure} = {measure.value:g}")


def _ratio(spec: CheckSpec, view: View) -> Check:
    part, whole = _read(view, spec.measure), _read(view, spec.of)
    basis = f"{spec.measure} of {spec.of}"
    if whole.error is None and whole.value == 0:
        return _check(spec, "pass", None, f"{spec.of} is 0: nothing expected")
    for name, measure in ((spec.measure, part), (spec.of, whole)):
        if measure.error is not None:
            return _check(spec, "error", None, basis, f"{name}: {measure.error}")
    if part.value is None or whole.value is None:
        return _check(spec, "skipped", None, f"{basis} does not apply")
    ratio = part.value / whole.value
    basis = f"{part.value:g} of {whole.value:g}"
    if ratio > 1:
        return _check(spec, "warn", ratio, f"{basis}: more than expected")
    return _check(spec, judge(ratio, spec), ratio, basis)


def _critical_processors(spec: CheckSpec, view: View) -> Check:
    missing = view.stands.missing_critical
    critical = [name for name in view.step.critical if name in (*view.stands.completed, *missing)]
    share = 1.0 if not critical else (len(critical) - len(missing)) / len(critical)
    basis = f"missing {', '.join(missing)}" if missing else f"all {len(critical)} completed"
    return _check(spec, judge(share, spec), share, basis)


def _tables_of_completed(spec: CheckSpec, view: View) -> Check:
    tables = {name: view.tables[name] for name in view.stands.completed if name in view.tables}
    rows = {name: _read(view, table) for name, table in tables.items()}
    empty = [name for name, measure in rows.items() if measure.error is None and not has_rows(measure)]
    if empty:
        return _check(spec, "block", float(len(rows) - len(empty)), f"no rows from {', '.join(empty)}")
    unread = [f"{tables[name]}: {measure.error}" for name, measure in rows.items() if measure.error is not None]
    if unread:
        return _check(spec, "error", None, f"{len(rows)} tables of completed processors", "; ".join(unread))
    return _check(spec, "pass", float(len(rows)), f"all {len(rows)} tables of completed processors have rows")


def _tables(spec: CheckSpec, view: View) -> Check:
    full, empty, unread = _rows_of(view)
    critical = [name for name in view.step.critical if name in view.tables]
    needed = spec.at_least or 0
    total = len(view.tables)
    basis = f"{len(full)} of {total} tables have rows, at least {needed} needed"
    lacking = [name for name in critical if name in empty]
    if lacking or len(full) + len(unread) < needed:
        why = f"; critical without rows: {', '.join(lacking)}" if lacking else ""
        return _check(spec, "block", float(len(full)), basis + why)
    if len(full) < needed or any(name in unread for name in critical):
        return _check(spec, "error", float(len(full)), basis, f"unread: {', '.join(unread)}")
    missing = f"; without rows: {', '.join((*empty, *unread))}" if len(full) < total else ""
    return _check(spec, "warn" if missing else "pass", float(len(full)), basis + missing)


def has_rows(measure: Measure) -> bool:
    """True where rows were counted; some say a number below zero where there are none (orchestration 4.4)."""
    return measure.value is not None and measure.value > 0


def _rows_of(view: View) -> tuple[list[str], list[str], list[str]]:
    full: list[str] = []
    empty: list[str] = []
    unread: list[str] = []
    for name, table in view.tables.items():
        measure = _read(view, table)
        (unread if measure.error is not None else full if has_rows(measure) else empty).append(name)
    return full, empty, unread


def _records_agree(spec: CheckSpec, view: View) -> Check:
    full, _empty, unread = _rows_of(view)
    total = len(view.tables)
    if len(unread) == total:
        return _check(spec, "skipped", None, "no table was read")
    completed = [name for name in view.stands.completed if name in view.tables]
    silent = [name for name in full if name not in completed]
    hollow = [name for name in completed if name not in full and name not in unread]
    differences = len(silent) + len(hollow)
    basis = f"tables {len(full)}/{total}, completions {len(completed)}/{total}"
    if silent:
        basis += f"; rows without a completion: {', '.join(silent)}"
    if hollow:
        basis += f"; completion without rows: {', '.join(hollow)}"
    return _check(spec, "warn" if differences else "pass", float(differences), basis)


CHECKS: dict[str, Callable[[CheckSpec, View], Check]] = {
    "value": _value,
    "ratio": _ratio,
    "critical_processors": _critical_processors,
    "tables_of_completed": _tables_of_completed,
    "tables": _tables,
    "records_agree": _records_agree,
}
