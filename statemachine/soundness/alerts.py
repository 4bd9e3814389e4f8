"""Whether the rules about what repeats can be meant: patterns of repairs, reminders, and runs that hang."""

from __future__ import annotations

from collections.abc import Iterator

from statemachine.definition import Definition
from statemachine.heal_patterns import TRIES_MAX
from statemachine.soundness.places import Finding, Rule

PATTERNS = ("alerts", "heal_patterns")


def _patterns_can_be_seen(definition: Definition) -> Iterator[Finding]:
    rules = definition.alerts.heal_patterns
    if rules is None:
        return
    for key in ("in_an_hour", "in_a_day", "judged_min"):
        number = getattr(rules, key)
        if number == 0:
            yield (*PATTERNS, key), "0 leaves no room: it has to be above zero"
        elif number > TRIES_MAX:
            yield (*PATTERNS, key), f"{number} can never be seen: the last {TRIES_MAX} repairs are remembered"
    if rules.in_a_day < rules.in_an_hour:
        yield (*PATTERNS, "in_a_day"), f"{rules.in_a_day} in a day is less than {rules.in_an_hour} in an hour"
    if not rules.failing_above < 1:
        yield (*PATTERNS, "failing_above"), f"{rules.failing_above:g} can never be exceeded: a share is at most 1"


def _reminders_are_of_one_kind_each(definition: Definition) -> Iterator[Finding]:
    rules = definition.alerts.reminders
    for at, rule in enumerate(rules):
        place = ("alerts", "reminders", at)
        if rule.severity in [earlier.severity for earlier in rules[:at]]:
            yield (*place, "severity"), f"reminders of `{rule.severity}` are said twice"
        for key in ("minutes", "at_most"):
            if getattr(rule, key) == 0:
                yield (*place, key), "0 leaves no room: it has to be above zero"


def _hanging_takes_longer_than_a_beat(definition: Definition) -> Iterator[Finding]:
    rules = definition.alerts
    if rules.beat_hung_seconds is not None and rules.beat_hung_seconds <= rules.beat_interval_seconds:
        between = f"between two beats, {rules.beat_interval_seconds} s apart, nothing can be seen to move"
        yield ("alerts", "beat_hung_seconds"), between


ALERT_RULES: tuple[Rule, ...] = (
    _patterns_can_be_seen,
    _reminders_are_of_one_kind_each,
    _hanging_takes_longer_than_a_beat,
)
