"""Whether the numbers, times and thresholds of a definition can be meant.

A threshold that no value can cross, a wait that can never be the one that is met, a window that is empty: each is a
mistake that would otherwise show only on the date on which it matters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from statemachine.definition import CheckSpec, Definition, Due, Heal, Probe, Processor, Step, Wait
from statemachine.gates import Bounds
from statemachine.soundness.places import Finding, Place, Rule, checks, steps, taken
from statemachine.validator import Validator

SEVERITIES = ("info", "warning", "critical")
DUE_DAYS_MAX = 7
NUMBER_MAX = 2**53
"""Beyond it, machines no longer agree on a number; `nan` and `inf` are beyond it, too."""

SIGNED = ("opens_minutes",)
"""The only whole numbers that may be negative: a cycle may open before its anchor."""

THRESHOLDS = ("block_below", "warn_below", "critical_below", "block_above", "warn_above")

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


# --- numbers, dates and times in general ---------------------------------------------------------------------------


def _numbers_are_numbers(definition: Definition) -> Iterator[Finding]:
    yield from _numbers(msgspec.to_builtins(definition), ())


def _numbers(value: Any, place: Place) -> Iterator[Finding]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, (*place, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _numbers(item, (*place, index))
    elif isinstance(value, int | float) and not abs(value) <= NUMBER_MAX:
        yield place, f"{value} is not a number that anything can be compared with"
    elif isinstance(value, int | float) and value < 0 and place[-1] not in SIGNED and "payload" not in place:
        yield place, f"{value} is below zero"


def _zone_exists(definition: Definition) -> Iterator[Finding]:
    try:
        ZoneInfo(definition.timezone)
    except (KeyError, ValueError, OSError):
        yield ("timezone",), f"there is no time zone `{definition.timezone}`: give an IANA name, like America/New_York"


def _topics_are_of_the_sport(definition: Definition) -> Iterator[Finding]:
    for topic, sport in definition.topics.items():
        if sport != definition.sport:
            yield ("topics", topic), f"`{sport}` is not the sport of this definition: {definition.sport}"


def _dates_bound_something(definition: Definition) -> Iterator[Finding]:
    bounded: list[tuple[Place, Processor | Heal | Probe | Validator]] = [
        *((("processors", at), processor) for at, processor in enumerate(definition.processors)),
        *((("heals", at), heal) for at, heal in enumerate(definition.heals)),
        *((("probes", at), probe) for at, probe in enumerate(definition.probes)),
        *((("validators", at), validator) for at, validator in enumerate(definition.validators)),
    ]
    for place, item in bounded:
        wrong = list(_no_dates(item, place))
        yield from wrong
        if not wrong and item.since is not None and item.until is not None and item.since >= item.until:
            yield (*place, "until"), f"`until` {item.until} is not after `since` {item.since}: no date is left"


def _no_dates(item: Processor | Heal | Probe | Validator, place: Place) -> Iterator[Finding]:
    for key in ("since", "until"):
        text = getattr(item, key)
        if text is not None and not _is_date(text):
            yield (*place, key), f"`{text}` is not a date: YYYY-MM-DD, without quotes"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _deadlines_are_times(definition: Definition) -> Iterator[Finding]:
    rules = definition.alerts
    dues: list[tuple[Place, Due | None]] = [
        (("alerts", "precompute_due"), rules.precompute_due),
        (("alerts", "predictions_due"), rules.predictions_due),
        (("alerts", "grading_due"), rules.grading_due),
        *((("service_levels", at, "due"), level.due) for at, level in enumerate(definition.service_levels)),
    ]
    for place, due in dues:
        if due is not None and not _CLOCK.fullmatch(due.at):
            yield (*place, "at"), f'`{due.at}` is not a time of day: "HH:MM", from "00:00" to "23:59"'
        if due is not None and due.days > DUE_DAYS_MAX:
            yield (*place, "days"), f"{due.days} days after the game date is no deadline: at most {DUE_DAYS_MAX}"


def _spans_are_not_empty(definition: Definition) -> Iterator[Finding]:
    named = ("game_minutes", "reconcile_minutes")
    positive: list[tuple[Place, float]] = [((key,), getattr(definition, key)) for key in named]
    for at, phase in enumerate(definition.phases):
        positive.append((("phases", at, "stall_minutes"), phase.stall_minutes))
    for at, cycle in enumerate(definition.cycles):
        positive.append((("cycles", at, "park_hours"), cycle.park_hours))
    for at, gate in enumerate(definition.gates):
        positive.append((("gates", at, "measure_timeout_minutes"), gate.measure_timeout_minutes))
        positive += [(("gates", at, "recheck_minutes", i), m) for i, m in enumerate(gate.recheck_minutes)]
    for at, heal in enumerate(definition.heals):
        positive += [(("heals", at, key), getattr(heal, key)) for key in ("cap", "cool_down_minutes", "verify_minutes")]
    queries: list[tuple[Place, Probe | Validator]] = [
        *((("probes", at), probe) for at, probe in enumerate(definition.probes)),
        *((("validators", at), validator) for at, validator in enumerate(definition.validators)),
    ]
    for place, query in queries:
        positive += [((*place, key), getattr(query, key)) for key in ("timeout_seconds", "bytes_max")]
    positive.append((("validation", "again_minutes"), definition.validation.again_minutes))
    for key, value in msgspec.structs.asdict(definition.client).items():
        positive += [(("client", key), value)] if not isinstance(value, bool) else []
    for place, number in positive:
        if number == 0:
            yield place, "0 leaves no room: it has to be above zero"
    client = definition.client
    if client.backoff_base_seconds > client.backoff_max_seconds:
        longer = f"{client.backoff_base_seconds:g} s is more than backoff_max_seconds, {client.backoff_max_seconds:g} s"
        yield ("client", "backoff_base_seconds"), f"the first wait of {longer}"


# --- steps and waits -----------------------------------------------------------------------------------------------


def _steps_can_be_ready(definition: Definition) -> Iterator[Finding]:
    parks = {cycle.name: cycle.park_hours * 60 for cycle in definition.cycles}
    for at, cycle in enumerate(definition.cycles):
        if not cycle.steps:
            yield ("cycles", at), f"cycle {cycle.name} has no steps"
    for place, cycle_name, step in steps(definition):
        if not step.expected:
            yield (*place, "expected"), "a step expects at least one processor"
        if not step.waits:
            yield (*place, "waits"), "a step needs at least one wait: without it the phase is never ready"
        for index, wait in enumerate(step.waits):
            here = (*place, "waits", index)
            impossible = list(_wait_is_possible(wait, step, parks[cycle_name], here))
            yield from impossible
            earlier = next((w for w in step.waits if w is not wait and _always_first(w, wait, step)), None)
            if earlier is not None and not impossible:
                yield here, f"`{wait.reason}` can never be the one that is met: `{earlier.reason}` always is before it"


def _wait_is_possible(wait: Wait, step: Step, park_minutes: int, here: Place) -> Iterator[Finding]:
    if wait.at_least > len(step.expected) > 0:
        yield (*here, "at_least"), f"{wait.at_least} of {len(step.expected)} expected processors can never complete"
    if wait.at_least == 0 or (wait.share is not None and not 0 < wait.share <= 1):
        key = "at_least" if wait.at_least == 0 else "share"
        yield (*here, key), "a wait asks for one processor or more, a share for more than 0 and at most 1"
    if wait.minutes >= park_minutes > 0:
        yield (*here, "minutes"), f"the cycle is parked after {park_minutes} minutes, before this wait can be met"


def _always_first(one: Wait, other: Wait, step: Step) -> bool:
    """True where `one` is met whenever `other` is, and no later: the field's tier 1 after `all_complete` (B9)."""
    order = (one.minutes, one.strict), (other.minutes, other.strict)
    asks_less = _needed(one, step) <= _needed(other, step) and (not one.criticals or other.criticals)
    same_clock = one.since in (other.since, "first") or one.minutes == 0
    sooner = order[0] < order[1] or (order[0] == order[1] and step.waits.index(one) < step.waits.index(other))
    return asks_less and same_clock and sooner


def _needed(wait: Wait, step: Step) -> int:
    share = math.ceil(wait.share * len(step.expected)) if wait.share is not None and wait.share < math.inf else 0
    return max(share, min(wait.at_least, len(step.expected)))


# --- gates ---------------------------------------------------------------------------------------------------------


def _gates_check_something(definition: Definition) -> Iterator[Finding]:
    silent = {phase.name for phase in definition.phases if not phase.commands}
    for at, gate in enumerate(definition.gates):
        place = ("gates", at)
        if not gate.checks:
            yield place, f"gate {gate.name} has no checks: it would pass whatever comes"
        if not gate.recheck_minutes:
            yield (*place, "recheck_minutes"), "a block has to be looked at again: give at least one number of minutes"
        if gate.probe and not gate.measures and any(check.measure for check in gate.checks):
            yield (*place, "measures"), f"gate {gate.name} probes, and says no measures to probe for"
        closes = [step.phase for _place, _cycle, step in steps(definition) if step.gate == gate.name]
        for phase in silent.intersection(closes) if gate.retries else ():
            yield (*place, "retries"), f"phase {phase} has no commands, so it cannot be commanded again"


def _checks_fit_their_kind(definition: Definition) -> Iterator[Finding]:
    needs = {"ratio": ("measure", "of"), "value": ("measure",), "tables": ("at_least",)}
    takes = {**needs, "ratio": ("measure", "of", *THRESHOLDS), "value": ("measure", *THRESHOLDS)}
    takes["critical_processors"] = THRESHOLDS
    for place, _gate, check in checks(definition):
        for key in needs.get(check.kind, ()):
            if getattr(check, key) is None:
                yield place, f"check {check.name}: kind {check.kind} needs `{key}`"
        for key in ("measure", "of", "at_least", *THRESHOLDS):
            if getattr(check, key) is not None and key not in takes.get(check.kind, ()):
                yield (*place, key), f"kind {check.kind} does not read `{key}`"
        if "block_below" in takes.get(check.kind, ()) and all(getattr(check, key) is None for key in THRESHOLDS):
            yield place, f"check {check.name} has no threshold: it would pass whatever comes"


def _thresholds_agree(definition: Definition) -> Iterator[Finding]:
    for place, _gate, check in checks(definition):
        yield from bounds_agree(check, place, f"check {check.name}")
        yield from _within_reach(check, place)
        if check.critical_below is not None and check.block_below is None:
            yield (*place, "critical_below"), "says how grave a block is, and the check never blocks below anything"


def bounds_agree(bounds: Bounds, place: Place, what: str) -> Iterator[Finding]:
    """Findings where a block hides a warning, or a lower bound lies above an upper one; `what` has the bounds."""
    block, warn = bounds.block_below, bounds.warn_below
    if block is not None and warn is not None and block > warn:
        yield (*place, "warn_below"), f"blocks below {block:g} already, so it never only warns below {warn:g}"
    block, warn = bounds.block_above, bounds.warn_above
    if block is not None and warn is not None and block < warn:
        yield (*place, "warn_above"), f"blocks above {block:g} already, so it never only warns above {warn:g}"
    lows = [limit for limit in (bounds.block_below, bounds.warn_below) if limit is not None]
    highs = [limit for limit in (bounds.block_above, bounds.warn_above) if limit is not None]
    if lows and highs and max(lows) > min(highs):
        yield place, f"{what} lets nothing pass: below {max(lows):g} and above {min(highs):g} is everything"


def _within_reach(check: CheckSpec, place: Place) -> Iterator[Finding]:
    top = 100 if (check.measure or "").endswith("_pct") else None
    if check.kind in ("ratio", "critical_processors"):
        top = 1
    for key in THRESHOLDS:
        limit = getattr(check, key)
        if top is not None and limit is not None and limit > top:
            yield (*place, key), f"{limit:g} is more than the value can be: this is 0 to {top}"


# --- alerts and service levels -------------------------------------------------------------------------------------


def _bands_rise(definition: Definition) -> Iterator[Finding]:
    bands = list(enumerate(definition.alerts.box_score_bands))
    for at, band in bands:
        place = ("alerts", "box_score_bands", at)
        if not 0 < band.below <= 1:
            yield (*place, "below"), f"{band.below:g} is not a share of the expected games: more than 0, at most 1"
        for _, earlier in bands[:at]:
            if band.hours <= earlier.hours:
                yield (*place, "hours"), f"bands go on in time: {band.hours} h does not come after {earlier.hours} h"
                break
            if SEVERITIES.index(band.severity) < SEVERITIES.index(earlier.severity):
                yield (*place, "severity"), f"severity only rises: {band.severity} after {earlier.severity}"
                break


def _silence_grows_graver(definition: Definition) -> Iterator[Finding]:
    rules = definition.alerts
    pairs = ("beat_stale_seconds", "beat_dead_seconds"), ("silent_warning_minutes", "silent_critical_minutes")
    for lower, upper in pairs:
        if getattr(rules, lower) >= getattr(rules, upper):
            yield ("alerts", upper), f"`{upper}` has to be more than `{lower}`, {getattr(rules, lower)}"


def _service_levels_promise_something(definition: Definition) -> Iterator[Finding]:
    for at, level in enumerate(definition.service_levels):
        place = ("service_levels", at)
        by_phase = (level.phase is not None, level.due is not None)
        by_coverage = (level.coverage is not None, level.hours is not None)
        if not (all(by_phase) or all(by_coverage)) or (any(by_phase) and any(by_coverage)):
            yield place, "a service level is either `phase` and `due`, or `coverage` and `hours`"
        if level.at_least_processors is not None and level.phase is None:
            yield (*place, "at_least_processors"), "counts the processors of a `phase`, and none is named"
        for key in ("target_share", "coverage"):
            share = getattr(level, key)
            if share is not None and not 0 < share <= 1:
                yield (*place, key), f"{share:g} is not a share: more than 0, at most 1"


def _workflows_are_named_once(definition: Definition) -> Iterator[Finding]:
    names = [(name, ("control_workflows", at)) for at, name in enumerate(definition.control_workflows)]
    yield from taken("the workflow", names)


VALUE_RULES: tuple[Rule, ...] = (
    _numbers_are_numbers,
    _zone_exists,
    _topics_are_of_the_sport,
    _dates_bound_something,
    _deadlines_are_times,
    _spans_are_not_empty,
    _steps_can_be_ready,
    _gates_check_something,
    _checks_fit_their_kind,
    _thresholds_agree,
    _bands_rise,
    _silence_grows_graver,
    _service_levels_promise_something,
    _workflows_are_named_once,
)
