"""A diagnosis: what one look at one part of an installation found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct, field

Outcome = Literal["ok", "skipped", "warn", "fail"]

GRADE: Sequence[Outcome] = ("ok", "skipped", "warn", "fail")
"""From good to bad. What was skipped is no illness; its reason is said all the same."""

NOTHING = "-"


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What `check` found about `subject` (`-`: the installation as a whole). `numbers` names its units; a number that
    could not be had is None, never 0. `next_step` is None where there is nothing to do."""

    check: str
    subject: str = NOTHING
    outcome: Outcome
    detail: str
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    next_step: str | None = None


class Check(Struct, frozen=True, kw_only=True):
    """A look to take. `needs` names checks without whose success this one can find out nothing."""

    name: str
    look: Callable[[], Iterable[Diagnosis]]
    needs: tuple[str, ...] = ()


class Report(Struct, frozen=True, kw_only=True):
    """All diagnoses in the order of their checks, and the gravest of them as `status`."""

    status: Outcome
    at: datetime
    store: str
    diagnoses: list[Diagnosis]


def gravest(diagnoses: Iterable[Diagnosis]) -> Outcome:
    """The worst outcome; what was skipped does not count."""
    outcomes: list[Outcome] = [item.outcome for item in diagnoses if item.outcome != "skipped"]
    return max(outcomes, key=GRADE.index, default="ok")
