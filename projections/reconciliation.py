"""Reconciliation: from the schedule to the grades, how much of each stage arrived at the next, and what is missing.

Every figure comes from events: the schedule of the moment, measures, and numbers that completions carried. A stage
before its due instant is not missing, one that nobody measured is unknown, and more than all is as odd as less.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from events.catalogue import Event
from projections.links import LINK_GRADE, STAGES, Link, LinkStatus, Stage, links, share, worst_link
from projections.missing_games import MissingGames, missing_games
from projections.records import Disagreement, disagreements
from statemachine.definition import Definition
from statemachine.state import DateState

EXIT_CODE: dict[LinkStatus, int] = {"empty_ok": 0, "ok": 0, "not_due": 0, "warning": 1, "unknown": 1, "error": 2}
"""Interface: exit codes."""


class DateReconciliation(Struct, frozen=True, kw_only=True):
    """A date from schedule to grades. `bottleneck` is the target of the link that lets the least through, null where
    none is short; `missing_games` are the games without box score, and `records` where what processors said and what
    their tables hold differ: those that are due count as a warning."""

    sport: str
    game_date: str
    status: LinkStatus
    links: tuple[Link, ...]
    bottleneck: str | None
    missing_games: MissingGames
    records: tuple[Disagreement, ...]


class LinkTotal(Struct, frozen=True, kw_only=True):
    """A link over a range: how many dates have which status, and the counts added up over the dates where both are
    known. `coverage` is null where nothing is known."""

    source: str
    target: str
    unit: str
    dates: dict[LinkStatus, int]
    source_count: float
    target_count: float
    missing_count: float
    coverage: float | None


class Reconciliation(Struct, frozen=True, kw_only=True):
    """A range of dates, by sport and date, and the links added up. `exit_code` is 0 where all is in order or not due,
    1 for warnings and unknowns, 2 for errors."""

    status: LinkStatus
    exit_code: int
    at: datetime
    dates: tuple[DateReconciliation, ...]
    totals: tuple[LinkTotal, ...]


Day = tuple[Sequence[Event], DateState, Definition]


def reconcile(days: Iterable[Day], *, now: datetime) -> Reconciliation:
    """All `days`, each with all its events and its folded state, as they stand at `now`."""
    dates = tuple([reconcile_date(*day, now=now) for day in sorted(days, key=lambda day: day[1].stream)])
    status = worst_link(date.status for date in dates)
    return Reconciliation(
        status=status,
        exit_code=EXIT_CODE[status],
        at=now,
        dates=dates,
        totals=tuple([_total(stage, dates) for stage in STAGES]),
    )


def reconcile_date(
    events: Sequence[Event], state: DateState, definition: Definition, *, now: datetime
) -> DateReconciliation:
    """One date at `now`."""
    chain = links(state, definition, now=now)
    records = disagreements(events, state, definition)
    short = [link for link in chain if link.status in ("warning", "error") and (link.coverage or 0) < 1]
    least = min(short, key=lambda link: link.coverage or 0, default=None)
    missing = next((link.missing_count for link in chain if link.target == "box_scores"), None)
    lasting: list[LinkStatus] = ["warning" for item in records if item.is_due(now)]
    return DateReconciliation(
        sport=state.sport,
        game_date=state.game_date,
        status=worst_link([*(link.status for link in chain), *lasting]),
        links=chain,
        bottleneck=least.target if least is not None else None,
        missing_games=missing_games(events, state, int(missing or 0)),
        records=records,
    )


def _total(stage: Stage, dates: Sequence[DateReconciliation]) -> LinkTotal:
    found = [link for date in dates for link in date.links if link.target == stage.target]
    counted = [link for link in found if link.source_count is not None and link.target_count is not None]
    source = sum(link.source_count or 0 for link in counted)
    target = sum(link.target_count or 0 for link in counted)
    statuses = [link.status for link in found]
    return LinkTotal(
        source=stage.source,
        target=stage.target,
        unit=stage.unit,
        dates={status: statuses.count(status) for status in LINK_GRADE},
        source_count=source,
        target_count=target,
        missing_count=sum(link.missing_count or 0 for link in counted),
        coverage=share(source, target),
    )
