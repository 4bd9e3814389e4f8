"""The rules of alerts about what repeats: repairs that come in patterns, and episodes that nobody takes on.

They are parts of `[alerts]` in a definition; one that says nothing of them has neither.
"""

from __future__ import annotations

from typing import Literal

from statemachine.spec import Spec


class Reminder(Spec, frozen=True, kw_only=True):
    """An episode of `severity` that was told and that nobody has taken on is told again after `minutes`, and after as
    many again, `at_most` so often."""

    severity: Literal["warning", "critical"]
    minutes: int
    at_most: int = 3


class HealPatterns(Spec, frozen=True, kw_only=True):
    """When many repairs of one component, over all dates of the sport, are a fault of their own: `in_an_hour` or
    `in_a_day` of them, or more than `failing_above` of a day's judged ones without effect, of at least `judged_min`."""

    in_an_hour: int = 3
    in_a_day: int = 10
    failing_above: float = 0.2
    judged_min: int = 5
