"""How good a date is: GOLD with everything, SILVER from three quarters on, BRONZE below (robustness 5.10).

Phases 2 to 6 are judged, and a date is as good as its worst one. What is not due yet and what nobody measured has no
tier: a date is never GOLD because nobody looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from projections.links import Link, due_at
from statemachine.definition import Definition, in_force
from statemachine.gates import has_rows
from statemachine.on_date import table_measure
from statemachine.state import DateState, Work, has_no_games

Tier = Literal["GOLD", "SILVER", "BRONZE"]

SILVER_FROM = 0.75
"""Coverage from which on a phase is SILVER; GOLD is all of it."""

JUDGED = ("raw", "analytics", "precompute", "predictions", "publishing")
"""Phases 2 to 6, by name; scraping shows in raw, and grading comes when the date is over."""


class PhaseQuality(Struct, frozen=True, kw_only=True):
    """A phase of a date. `coverage` is the lowest share known of it: of its processors, by completion or by rows, and
    of what its link of the chain counts; null where nothing is known or, before `due_at`, not everything is there.
    `processors_done` counts those of `processors_expected` that are in; `missing` names the others."""

    phase: str
    tier: Tier | None
    coverage: float | None
    due: bool
    processors_done: int
    processors_expected: int
    missing: tuple[str, ...]
    failed: tuple[str, ...]
    data_coverage: float | None
    due_at: datetime | None


def phases(
    state: DateState, definition: Definition, links: Iterable[Link], *, now: datetime
) -> tuple[PhaseQuality, ...]:
    """Every judged phase of the pipeline, in its order; none for a date without games."""
    if has_no_games(state):
        return ()
    link_of = {link.phase: link for link in links}
    names = [phase.name for phase in definition.phases if phase.name in JUDGED]
    return tuple([_phase(name, state, definition, link_of.get(name), now) for name in names])


def _phase(phase: str, state: DateState, definition: Definition, link: Link | None, now: datetime) -> PhaseQuality:
    expected = expected_of(state, definition, phase)
    done = done_of(state, definition, phase)
    missing = tuple([name for name in expected if name not in done])
    due = due_at(state, definition, phase)
    is_due = due is not None and now >= due
    coverage = _coverage(len(expected) - len(missing), len(expected), link, is_due=is_due)
    return PhaseQuality(
        phase=phase,
        tier=tier(coverage),
        coverage=coverage,
        due=is_due,
        processors_done=len(expected) - len(missing),
        processors_expected=len(expected),
        missing=missing,
        failed=tuple([name for name in missing if _failed(state, phase, name)]),
        data_coverage=link.coverage if link is not None else None,
        due_at=due,
    )


def _coverage(done: int, expected: int, link: Link | None, *, is_due: bool) -> float | None:
    """The lowest of what is known; more than all is not better than all. A link whose count is unknown leaves the
    phase unknown, unless something else shows that it is short."""
    shares = [done / expected] if expected else []
    if link is not None and link.coverage is not None:
        shares.append(min(link.coverage, 1.0))
    lowest = min(shares, default=None)
    blind = link is not None and link.status == "unknown"
    if lowest is None or (lowest < 1 and not is_due):
        return None
    return None if blind and lowest >= SILVER_FROM else lowest


def tier(coverage: float | None) -> Tier | None:
    """The tier of a coverage; null where that is unknown."""
    if coverage is None:
        return None
    if coverage >= 1:
        return "GOLD"
    return "SILVER" if coverage >= SILVER_FROM else "BRONZE"


def date_tier(judged: Sequence[PhaseQuality]) -> tuple[Tier | None, float | None]:
    """The tier and coverage of a date: those of its worst phase. Null while a phase is unknown or not due, unless one
    is BRONZE already: whatever the others turn out to be, the worst decides."""
    known = [phase.coverage for phase in judged if phase.coverage is not None]
    lowest = min(known, default=None)
    if len(known) < len(judged) and tier(lowest) != "BRONZE":
        return None, None
    return tier(lowest), lowest


def expected_of(state: DateState, definition: Definition, phase: str) -> tuple[str, ...]:
    """The processors that any cycle expects of the phase on this date, in the order of the definition."""
    names = [name for cycle in definition.cycles if phase in cycle.step_of for name in cycle.step_of[phase].expected]
    return tuple([n for n in dict.fromkeys(names) if in_force(definition.processor_of[n], state.game_date)])


def done_of(state: DateState, definition: Definition, phase: str) -> set[str]:
    """The processors of the phase that are in: by a completion in whatever cycle, or by rows in their table, for
    either record shows that the work was done (incidents 0.9)."""
    done = {key.split("/")[2] for key, work in of_phase(state, phase) if work.done_at is not None}
    tables = {table_measure(p.table): p.name for p in definition.processors if p.phase == phase and p.table}
    for seen in state.measures.values():
        done.update([tables[name] for name in tables.keys() & seen.measures.keys() if has_rows(seen.measures[name])])
    return done


def of_phase(state: DateState, phase: str) -> list[tuple[str, Work]]:
    """The work of a phase in whatever cycle, by its key."""
    return [(key, work) for key, work in state.work.items() if key.split("/")[1] == phase]


def _failed(state: DateState, phase: str, name: str) -> bool:
    return any(work.status == "failed" for key, work in of_phase(state, phase) if key.endswith(f"/{name}"))
