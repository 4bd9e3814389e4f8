"""Validators described as data: what a table has to be like, and what to do where it is not (robustness 6).

A validator is a number counted in the table of a processor, with bounds. All validators of a processor are its *set*;
the set is looked at together, as a gate in mode `warning` would be: it holds nothing.
"""

from __future__ import annotations

from functools import cached_property

from events.values import Severity
from statemachine.spec import OnError, Spec

VALIDATE = "validate:"
"""How the topics begin by which a set is asked for, and the names of the deadlines at which it is."""


class Validator(Spec, frozen=True, kw_only=True):
    """One number about the table of `processor`. `counts` says in words what `sql` counts: one BigQuery query that
    gives one number for `@game_date` (and `@sport`), in which `{table}` and `{date_column}` are those of the processor.

    The bounds say their side, as thresholds of a check do: `block_above = 0` lets 0 pass. A failure (`block`) is told
    in `severity`, a warning as a warning at most. `on_error` says what a number that could not be counted is: told in
    `severity` (`block`), as a warning (`warn`), or recorded and told to nobody (`pass`). `remediation` is what to do,
    in words; `heal` the component of the definition that repairs it, where one does. `cycles` limits it to tables
    written in some cycles; `since` and `until` bound the game dates it is for."""

    name: str
    processor: str
    counts: str
    sql: str
    remediation: str
    block_below: float | None = None
    warn_below: float | None = None
    block_above: float | None = None
    warn_above: float | None = None
    severity: Severity = "warning"
    on_error: OnError = "warn"
    heal: str | None = None
    cycles: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    timeout_seconds: int = 60
    bytes_max: int = 10_000_000_000

    @cached_property
    def measure(self) -> str:
        """The measure that it counts: `processor.name`."""
        return f"{self.processor}.{self.name}"


class Validation(Spec, frozen=True, kw_only=True):
    """When sets are looked at: `after_minutes` after the processor completed, and what it writes later that long after
    the look before; one that did not pass every `again_minutes` until its cycle parks."""

    after_minutes: int = 10
    again_minutes: int = 120
