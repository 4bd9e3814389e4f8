"""What follows where two records of one truth disagree, what processors said and what their tables hold, part of the
catalogue (`events/catalogue.py`). Both are decisions on the stream of a date.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

RECONCILED = "reconciled"
"""The `wire_format` of a completion that nobody said and that its rows show: the only one that is a decision."""

Differing = Literal["rows_without_completion", "completion_without_rows"]


class DisagreementNoted(Struct, frozen=True, kw_only=True, tag_field="type", tag="disagreement_noted"):
    """The measure of a table and what its processor said in a cycle do not agree. `rows` is what `measure` counted; the
    measures that showed it are the cause of the event. Noted again where the rows have changed: they are new then."""

    kind: Differing
    cycle: str
    phase: str
    processor: str
    measure: str
    rows: float


class CompletionReopened(Struct, frozen=True, kw_only=True, tag_field="type", tag="completion_reopened"):
    """A completion was never true: its table was empty at `since`, behind it, and is empty still. The processor is
    missing again; where `passed`, its phase had gone on, which stays as it is and is degraded by it."""

    cycle: str
    phase: str
    processor: str
    measure: str
    since: datetime
    passed: bool


Records = DisagreementNoted | CompletionReopened
"""What the core concludes of the two records."""
