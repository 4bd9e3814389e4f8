"""What a cause of trouble is: what it is about, what it costs, what waits behind it, and what mends it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from projections.fixes import Fix, fix, heal_for_phase
from projections.links import Link
from projections.missing_games import MissingGames
from projections.present import present_cycle
from projections.records import Disagreement
from statemachine.definition import Definition
from statemachine.state import DateState

Category = Literal[
    "no_schedule",
    "missing_box_scores",
    "gate_unmeasured",
    "gate_held",
    "processor_failed",
    "processor_missing",
    "empty_completion",
    "lost_completion",
    "not_graded",
    "table_not_valid",
    "unmapped_processor",
]


class RootCause(Struct, frozen=True, kw_only=True):
    """Something that went wrong, and what to do.

    `impact_count` of `impact_total` `unit` are lost by it, `impact_pct` in per cent (null where the whole is unknown);
    `holds` are the phases that wait behind it. `command` is what to type, null where nothing can be typed now;
    `effect` says what it does, or why there is none and what helps instead."""

    category: Category
    phase: str | None
    subject: str
    description: str
    impact_count: float
    impact_total: float | None
    impact_pct: float | None
    unit: str
    holds: tuple[str, ...]
    command: str | None
    effect: str


class Impact(Struct, frozen=True):
    """What a cause costs: so many of so many of a unit."""

    count: float
    total: float | None
    unit: str


class Case(Struct, frozen=True, kw_only=True):
    """What there is to find causes in."""

    state: DateState
    definition: Definition
    now: datetime
    links: tuple[Link, ...]
    games: MissingGames
    records: tuple[Disagreement, ...]

    @property
    def present(self) -> str | None:
        """The cycle that speaks for the date."""
        return present_cycle(self.state, self.definition)

    def link_to(self, target: str) -> Link | None:
        """The link of the chain that ends at `target`, where it is due and short."""
        return next((li for li in self.links if li.target == target and li.status in ("warning", "error")), None)

    def repair(self, phase: str) -> Fix:
        """What mends the processors of a phase."""
        heal = heal_for_phase(self.state, self.definition, phase)
        return fix(self.state, self.definition, heal, phase, self.now)


def cause(
    category: Category,
    phase: str | None,
    subject: str,
    description: str,
    *,
    impact: Impact,
    mend: Fix,
    holds: tuple[str, ...] = (),
) -> RootCause:
    """A cause with the words and the command that belong to it."""
    return RootCause(
        category=category,
        phase=phase,
        subject=subject,
        description=description,
        impact_count=impact.count,
        impact_total=impact.total,
        impact_pct=100 * impact.count / impact.total if impact.total else None,
        unit=impact.unit,
        holds=holds,
        command=mend.command,
        effect=mend.effect,
    )
