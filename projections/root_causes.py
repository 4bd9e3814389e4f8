"""Root causes of what a date lacks, ranked by what they hold up, each with the command that mends it.

A cause is listed where it begins: what a held cycle has not come to yet is a consequence, and named as what the cause
holds. Every command can be typed as it stands but for `NAME` and `REASON`, and is one that the state allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from events.values import Check
from projections.causes import Case, Category, Impact, RootCause, cause
from projections.fixes import Fix, after, behind, fix, heal_for_check, heal_for_phase, heals_in_force, recheck
from projections.present import held
from projections.quality import done_of, expected_of, of_phase
from projections.sentences import check_words
from projections.wording import counted, listed, number
from statemachine.definition import Cycle, Definition
from statemachine.readiness import standing
from statemachine.state import CycleState, expected_count, is_quiet
from statemachine.validation import not_valid

WAITING = ("_waiting", "_running", "parked")
"""Ends of the states in which a cycle lacks processors."""


def root_causes(case: Case) -> tuple[RootCause, ...]:
    """The causes, those that hold up the most first, then those that cost the largest share, then in the order of the
    pipeline. A quiet date (halted, or without games) lacks nothing."""
    if is_quiet(case.state):
        return ()
    phases = [phase.name for phase in case.definition.phases]
    found = [item for find in FINDERS for item in find(case)]
    return tuple(
        sorted(
            found,
            key=lambda item: (
                -len(item.holds),
                -(item.impact_pct or 0.0),
                phases.index(item.phase) if item.phase in phases else -1,
                item.category,
                item.subject,
            ),
        )
    )


# --- what can be wrong --------------------------------------------------------------------------------------------


def _no_schedule(case: Case) -> Iterator[RootCause]:
    if expected_count(case.state) is None:
        command = f"python main.py season open FILE --sport {case.state.sport}"
        yield cause(
            "no_schedule",
            None,
            "schedule",
            "no schedule is known, so nobody can say what is missing",
            impact=Impact(1, 1, "schedules"),
            mend=Fix(command=command, effect="opens every date of the schedule in FILE, this one among them"),
            holds=tuple(phase.name for phase in case.definition.phases),
        )


def _box_scores(case: Case) -> Iterator[RootCause]:
    link = case.link_to("box_scores")
    if link is None or not link.missing_count:
        return
    tied = [heal_for_check(case.state, case.definition, *place) for place in _box_score_checks(case.definition)]
    heal = next((heal for heal in tied if heal is not None), None)
    named = listed(case.games.games) or counted(int(link.missing_count), "game")
    guess = " (the last to tip off)" if case.games.games and case.games.basis == "last_to_tip" else ""
    yield cause(
        "missing_box_scores",
        link.phase,
        case.definition.alerts.box_score_measure,
        f"no box score of {named}{guess}",
        impact=Impact(link.missing_count, link.source_count, "games"),
        mend=fix(case.state, case.definition, heal, link.phase, case.now),
        holds=behind(case.state, case.definition, link.phase),
    )


def _box_score_checks(definition: Definition) -> list[tuple[str, str]]:
    """Gate and name of every check that counts box scores."""
    counted_by = definition.alerts.box_score_measure
    return [
        (gate.name, check.name) for gate in definition.gates for check in gate.checks if check.measure == counted_by
    ]


def _gates(case: Case) -> Iterator[RootCause]:
    """Gates that hold a cycle for another reason than missing box scores, which are a cause of their own."""
    for cycle, gate in held(case.state, case.definition):
        record = case.state.gates.get(f"{gate}@{cycle}")
        for check in record.evaluation.checks if record is not None else ():
            about_box_scores = (gate, check.check) in _box_score_checks(case.definition)
            if check.verdict == "error" or (check.verdict == "block" and not about_box_scores):
                yield _at_gate(case, cycle, gate, check)


def _at_gate(case: Case, cycle: str, gate: str, check: Check) -> RootCause:
    state, definition = case.state, case.definition
    phase = state.cycles[cycle].phase or definition.cycle_of[cycle].phases[0]
    unread = check.verdict == "error"
    again = recheck(state, gate, cycle)
    tied = heal_for_check(state, definition, gate, check.check) or heal_for_phase(state, definition, phase)
    mend = again if unread else fix(state, definition, tied, phase, case.now)
    said = f"could not be measured: {check.error}" if unread else f"blocks: {check.basis}"
    return cause(
        "gate_unmeasured" if unread else "gate_held",
        phase,
        f"{gate}: {check.check}",
        f"{gate} ({cycle}) holds: {check.check} {said}",
        impact=Impact(1, 1, "gates"),
        mend=mend,
        holds=after(definition.cycle_of[cycle], phase),
    )


def _processors(case: Case) -> Iterator[RootCause]:
    """Who is missing where a cycle waits or was given up, by both records of what was done. A cycle that is behind
    lacks only what nobody made up for since, and holds nothing up; a phase that several wait for is told once, for the
    latest; and what grading lacks is told in predictions."""
    present = case.present
    told = {item.processor for item in case.records if item.kind == "rows_without_completion"}
    grades = case.link_to("grades")
    seen = {grades.phase} if grades is not None else set()
    for cycle in reversed(case.definition.cycles):
        at = case.state.cycles.get(cycle.name) or CycleState()
        if at.phase is None or at.phase in seen or not at.state.endswith(WAITING):
            continue
        seen.add(at.phase)
        stands = standing(case.state, case.definition, cycle.name, cycle.step_of[at.phase])
        made = told if cycle.name == present else told | done_of(case.state, case.definition, at.phase)
        failed = [name for name in stands.missing if name in stands.failed and name not in made]
        silent = [name for name in stands.missing if name not in stands.failed and name not in made]
        if failed:
            yield _absent(case, cycle, at.phase, failed, "processor_failed")
        if silent:
            yield _absent(case, cycle, at.phase, silent, "processor_missing")


def _absent(case: Case, cycle: Cycle, phase: str, names: list[str], category: Category) -> RootCause:
    errors = [work.error for key, work in of_phase(case.state, phase) if key.split("/")[2] in names and work.error]
    failure = f"failed: {errors[-1] if errors else 'it gave no reason'}"
    word = failure if category == "processor_failed" else "did not report"
    return cause(
        category,
        phase,
        listed(names),
        f"{phase} ({cycle.name}): {listed(names)} {word}",
        impact=Impact(len(names), len(expected_of(case.state, case.definition, phase)), "processors"),
        mend=case.repair(phase),
        holds=after(cycle, phase) if cycle.name == case.present else (),
    )


def _records(case: Case) -> Iterator[RootCause]:
    due: dict[tuple[str, str], list[str]] = {}
    for item in case.records:
        if item.is_due(case.now):
            due.setdefault((item.kind, item.phase), []).append(item.processor)
    for (kind, phase), names in due.items():
        if kind == "rows_without_completion":
            said = f"{phase}: rows and no completion of {listed(names)}"
            impact = Impact(len(names), None, "completions")
            mend = Fix(
                command=None, effect="only the message is lost: the rows count as soon as a cycle waits for them"
            )
            holds = _waiting_for(case, phase, names)
            yield cause("lost_completion", phase, listed(names), said, impact=impact, mend=mend, holds=holds)
        else:
            said = f"{phase}: completed without any rows: {listed(names)}"
            impact = Impact(len(names), len(expected_of(case.state, case.definition, phase)), "processors")
            yield cause("empty_completion", phase, listed(names), said, impact=impact, mend=case.repair(phase))


def _waiting_for(case: Case, phase: str, names: list[str]) -> tuple[str, ...]:
    """The phases behind `phase`, where the cycle that speaks for the date waits for one of `names`."""
    at = case.state.cycles.get(case.present or "") or CycleState()
    if case.present is None or at.phase != phase or not at.state.endswith(WAITING):
        return ()
    cycle = case.definition.cycle_of[case.present]
    missing = standing(case.state, case.definition, cycle.name, cycle.step_of[phase]).missing
    return after(cycle, phase) if set(missing) & set(names) else ()


def _grades(case: Case) -> Iterator[RootCause]:
    """Grades that are due and short."""
    link = case.link_to("grades")
    if link is None:
        return
    missing = link.missing_count if link.missing_count is not None else link.source_count
    of = f" of {number(link.source_count)}" if link.source_count is not None else ""
    yield cause(
        "not_graded",
        link.phase,
        link.phase,
        f"{number(missing)}{of} predictions are not graded",
        impact=Impact(missing or 0.0, link.source_count, "predictions"),
        mend=case.repair(link.phase),
    )


def _tables(case: Case) -> Iterator[RootCause]:
    """Tables that were written and are not as their validators want them."""
    for validator, of in not_valid(case.state, case.definition):
        phase = case.definition.processor_of[validator.processor].phase
        heals = heals_in_force(case.state, case.definition)
        heal = next((heal for heal in heals if heal.name == validator.heal), None)
        mend = fix(case.state, case.definition, heal, phase, case.now) if heal is not None else None
        yield cause(
            "table_not_valid",
            phase,
            validator.measure,
            f"the table of {validator.processor}: {check_words(of)}",
            impact=Impact(1, len(case.definition.validators_of[validator.processor]), "validators"),
            mend=Fix(
                command=mend.command if mend is not None else None,
                effect=f"{validator.remediation}; {mend.effect}" if mend is not None else validator.remediation,
            ),
        )


def _unmapped(case: Case) -> Iterator[RootCause]:
    definition = case.definition
    for name in case.state.unmapped:
        if not any(definition.resolve(phase.name, name) for phase in definition.phases):
            yield cause(
                "unmapped_processor",
                None,
                name,
                f"{name} is no name of the definition, so its completions count for nothing",
                impact=Impact(1, None, "names"),
                mend=Fix(
                    command=f"python main.py definition show {definition.name}",
                    effect="shows the processors; add the name to one of them as an alias, or as a new one",
                ),
            )


FINDERS: Sequence[Callable[[Case], Iterator[RootCause]]] = (
    _no_schedule,
    _box_scores,
    _gates,
    _processors,
    _records,
    _grades,
    _tables,
    _unmapped,
)
