"""Validation: the tables of a date looked at after they were written, and judged. It tells, and holds nothing.

The set of a processor's validators is asked for by a command of kind `measure`, whose answer comes back as any measure
does, and is evaluated as an advisory gate of the processor's name: one `gate_evaluated` in mode `warning`. A number
that could not be counted is an error and never a pass; a question that nobody has answered is no evaluation at all,
and leaves open what the look before has found.
"""

from __future__ import annotations

from msgspec import Struct

from events.catalogue import GateEvaluated
from events.values import Check, Measure, Severity, Verdict
from statemachine.alerts import RANK, raise_alert, resolve
from statemachine.calendar import span
from statemachine.coming import Coming
from statemachine.commands import ask_measures
from statemachine.definition import Definition, in_force
from statemachine.gates import NOT_MEASURED, counting, in_mode, judge, worst
from statemachine.opening import parks_at
from statemachine.state import DateState, Work, is_quiet
from statemachine.turn import Turn
from statemachine.validator import VALIDATE, Validator

OUT_OF_BOUNDS = ("block", "warn")
"""Verdicts about a number that is there."""


# --- when -----------------------------------------------------------------------------------------------------------


def looks(state: DateState, definition: Definition) -> list[Coming]:
    """When each set is to be looked at next, as deadlines. Not one whose table nobody has written, nor one where all
    that was written has been looked at and passed, or the answer is awaited."""
    found: list[Coming] = []
    rules = definition.validation
    for processor, places in _places(state, definition).items():
        last = _last(state, places)
        if last is None:
            continue
        place, work = last
        asked = state.validations.get(processor)
        assert work.first_done_at is not None, "what is done was done at some instant"
        assert work.done_at is not None, "what was written was done"
        if asked is not None and work.done_at <= asked:
            record = state.gates.get(place.record)
            if record is None or record.at < asked or record.evaluation.outcome == "pass":
                continue
            due = asked + span(rules.again_minutes)
            if due >= parks_at(state, definition, definition.cycle_of[place.cycle]):
                continue
        elif asked is None or work.first_done_at > asked:
            due = work.first_done_at + span(rules.after_minutes)
        else:
            seen = state.measures.get(processor)
            answered = seen is not None and seen.at >= asked
            due = max(work.done_at, asked + span(rules.after_minutes if answered else rules.again_minutes))
        if place.validators:
            found.append((due, (f"{VALIDATE}{processor}", due)))
    return found


def written(state: DateState, definition: Definition, processor: str) -> tuple[Place, Work] | None:
    """Where `processor` completed last, and its work there; None where it never did."""
    return _last(state, _places(state, definition)[processor])


class Place(Struct, frozen=True):
    """A cycle in which a processor that has validators may write: the keys of its work there and of what was found
    last, and the validators that are for the cycle and the date."""

    cycle: str
    work: str
    record: str
    validators: tuple[Validator, ...]


def _last(state: DateState, places: tuple[Place, ...]) -> tuple[Place, Work] | None:
    """Where a processor completed last, and its work there; of places at the same instant, the first."""
    known, found, last = state.work, None, None
    for place in places:
        work = known.get(place.work)
        if work is not None and work.done_at is not None and (last is None or work.done_at > last):
            found, last = (place, work), work.done_at
    return found


DATES_KEPT_MAX = 1024
"""Of how many dates, under one definition each, the places are kept."""

_PLACES: dict[tuple[str, str], dict[str, tuple[Place, ...]]] = {}


def _places(state: DateState, definition: Definition) -> dict[str, tuple[Place, ...]]:
    """The places of each processor that has validators, the latest cycle first; built once per date and definition
    version, for every deadline of every date asks."""
    asked = definition.version, state.stream
    places = _PLACES.get(asked)
    if places is None:
        if len(_PLACES) >= DATES_KEPT_MAX:
            _PLACES.clear()
        places = _PLACES[asked] = {
            name: _places_of(definition, name, state.game_date) for name in definition.validators_of
        }
    return places


def _places_of(definition: Definition, processor: str, game_date: str) -> tuple[Place, ...]:
    keys = zip(definition.cycles, definition.work_keys[processor], strict=True)
    on_date = in_set(definition, processor, game_date)
    return tuple(
        Place(
            cycle=cycle.name,
            work=key,
            record=f"{processor}@{cycle.name}",
            validators=tuple(each for each in on_date if not each.cycles or cycle.name in each.cycles),
        )
        for cycle, key in reversed(list(keys))
    )


def in_set(definition: Definition, processor: str, game_date: str) -> tuple[Validator, ...]:
    """The validators of `processor` that are for the date, in whatever cycle."""
    return tuple(each for each in definition.validators_of.get(processor, ()) if in_force(each, game_date))


# --- asking ---------------------------------------------------------------------------------------------------------


def look(turn: Turn, processor: str) -> bool:
    """Ask for the numbers of a set, where its table was written; says whether there was anything to ask for."""
    found = written(turn.state, turn.definition, processor) if processor in turn.definition.validators_of else None
    if found is None:
        return False
    place, _work = found
    if not place.validators:
        return False
    phase = turn.definition.processor_of[processor].phase
    names = [each.measure for each in place.validators]
    ask_measures(turn, processor, names, cycle=place.cycle, phase=phase, topic=f"{VALIDATE}{processor}")
    return True


# --- judging --------------------------------------------------------------------------------------------------------


def on_measures(turn: Turn, boundary: str) -> None:
    """The numbers of a set have come: judge them, record it, and tell."""
    if boundary not in turn.definition.validators_of or is_quiet(turn.state):
        return
    evaluation = evaluate_set(turn.state, turn.definition, boundary)
    if evaluation is not None:
        turn.emit(evaluation)
        _tell(turn, evaluation)


def evaluate_set(state: DateState, definition: Definition, processor: str) -> GateEvaluated | None:
    """The set of `processor` on what is known of its table since it was written; None where nobody wrote it."""
    found = written(state, definition, processor)
    if found is None:
        return None
    place, work = found
    known = [(each, _known(state, each, work)) for each in place.validators]
    judged = tuple(check(each, measure) for each, measure in known)
    blocking = worst(counting(of, each.on_error) for (each, _), of in zip(known, judged, strict=True))
    return GateEvaluated(
        gate=processor,
        cycle=place.cycle,
        mode="warning",
        outcome=in_mode("warning", blocking),
        blocking_outcome=blocking,
        checks=judged,
        definition=definition.version,
    )


def _known(state: DateState, validator: Validator, work: Work) -> Measure:
    """What was counted since the table was written; an older number says nothing of the rows that are there now."""
    seen = state.measures.get(validator.processor)
    if seen is None or validator.measure not in seen.measures:
        return NOT_MEASURED
    if work.done_at is not None and seen.observed_at[validator.measure] < work.done_at:
        return NOT_MEASURED
    return seen.measures[validator.measure]


def check(validator: Validator, measure: Measure) -> Check:
    """One validator on one number, with the bounds of the side on which the number lies."""
    verdict: Verdict
    if measure.error is not None:
        verdict = "error"
    elif measure.value is None:
        verdict = "skipped"
    else:
        verdict = judge(measure.value, validator)
    warn, block = _bounds(validator, measure.value)
    return Check(
        check=validator.name,
        measured=measure.value,
        warn=warn,
        block=block,
        verdict=verdict,
        basis=validator.counts,
        error=measure.error,
    )


def _bounds(validator: Validator, value: float | None) -> tuple[float | None, float | None]:
    """Where it warns and blocks: above, where `value` lies beyond an upper bound or there is none from below."""
    upper = (validator.warn_above, validator.block_above)
    lower = (validator.warn_below, validator.block_below)
    beyond = value is not None and any(limit is not None and value > limit for limit in upper)
    return upper if beyond or lower == (None, None) else lower


def not_valid(state: DateState, definition: Definition) -> list[tuple[Validator, Check]]:
    """The validators that the last look at their table found out of bounds, or could not count, and what it saw."""
    found = []
    for processor, validators in definition.validators_of.items():
        records = [state.gates[key] for key in _keys(definition, processor) if key in state.gates]
        last = max(records, key=lambda record: record.at, default=None)
        checks = {each.check: each for each in last.evaluation.checks} if last is not None else {}
        found += [
            (each, checks[each.name]) for each in validators if each.name in checks and is_told(each, checks[each.name])
        ]
    return found


def _keys(definition: Definition, processor: str) -> list[str]:
    return [f"{processor}@{cycle.name}" for cycle in definition.cycles]


def is_told(validator: Validator, of: Check) -> bool:
    """Whether anybody is told of a check: it is out of bounds, or in error and its policy does not pass that."""
    return of.verdict in OUT_OF_BOUNDS or (of.verdict == "error" and validator.on_error != "pass")


# --- telling --------------------------------------------------------------------------------------------------------


def _tell(turn: Turn, evaluation: GateEvaluated) -> None:
    processor = evaluation.gate
    specs = {each.name: each for each in turn.definition.validators_of[processor]}
    found = [(specs[each.check], each) for each in evaluation.checks if is_told(specs[each.check], each)]
    bad = [item for item in found if item[1].verdict in OUT_OF_BOUNDS]
    unread = [item for item in found if item[1].verdict == "error"]
    _raise(turn, "gate_warned", processor, bad)
    _raise(turn, "gate_error", processor, unread)
    if evaluation.outcome == "pass":
        resolve(turn, "gate_warned", f"the table of {processor} passes", processor)
    if not unread:
        resolve(turn, "gate_error", f"the table of {processor} could be measured", processor)


def _raise(turn: Turn, cause: str, processor: str, found: list[tuple[Validator, Check]]) -> None:
    if found:
        severity = max((severity_of(*item) for item in found), key=RANK.__getitem__)
        detail = " | ".join(_words(*item) for item in found)
        numbers = {each.check: each.measured for _validator, each in found}
        raise_alert(turn, cause, severity, detail, subject=processor, numbers=numbers)


def severity_of(validator: Validator, of: Check) -> Severity:
    """How loud a check that is not in order is: its own severity for a failure, a warning at most for the rest."""
    grave = of.verdict == "block" or (of.verdict == "error" and validator.on_error == "block")
    return validator.severity if grave or validator.severity == "info" else "warning"


def _words(validator: Validator, of: Check) -> str:
    if of.error is not None:
        said = f"{of.check} could not be measured: {of.error}"
    else:
        said = f"{of.check} {'fails' if of.verdict == 'block' else 'warns'}: {validator.counts}: {of.measured:g}"
        said += f" ({bounds_words(validator)})"
    heal = f" (heal {validator.heal})" if validator.heal is not None else ""
    return f"{said}. {validator.remediation}{heal}"


def bounds_words(validator: Validator) -> str:
    """The bounds as people read them: `warns below 30, fails above 600`."""
    keys = ("warn_below", "block_below", "warn_above", "block_above")
    words = ("warns below", "fails below", "warns above", "fails above")
    limits = [(word, getattr(validator, key)) for key, word in zip(keys, words, strict=True)]
    return ", ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)
