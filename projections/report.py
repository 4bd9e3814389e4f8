"""The daily report of a date: how good it is, how far it came from schedule to grades, what went wrong, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from events.catalogue import Event
from projections.causes import Case, RootCause
from projections.findings import HealthStatus
from projections.health import EXIT_CODE, date_health
from projections.links import Link
from projections.missing_games import MissingGames
from projections.quality import PhaseQuality, Tier, date_tier, phases
from projections.reconciliation import reconcile_date
from projections.records import Disagreement
from projections.root_causes import root_causes
from projections.season_grid import Contract
from projections.service_levels import Promise, service_levels
from statemachine.definition import Definition
from statemachine.state import DateState


class DailyReport(Struct, frozen=True, kw_only=True):
    """A date at `at`. `tier` and `coverage` are those of its worst phase, null while a phase that is not bad already
    is unknown or not due, and for a date without games, which has nothing to be good at (`contract` says so).
    `exit_code` is that of its health."""

    sport: str
    game_date: str
    at: datetime
    status: HealthStatus
    exit_code: int
    pipeline: str
    contract: Contract
    expected_games: int | None
    tier: Tier | None
    coverage: float | None
    phases: tuple[PhaseQuality, ...]
    links: tuple[Link, ...]
    bottleneck: str | None
    missing_games: MissingGames
    records: tuple[Disagreement, ...]
    promises: tuple[Promise, ...]
    root_causes: tuple[RootCause, ...]


def daily_report(events: Sequence[Event], state: DateState, definition: Definition, *, now: datetime) -> DailyReport:
    """The report of a date from all its events and its folded state, as it stands at `now`."""
    row, _findings = date_health(state, definition, now=now)
    reconciled = reconcile_date(events, state, definition, now=now)
    judged = phases(state, definition, reconciled.links, now=now)
    tier, coverage = date_tier(judged)
    case = Case(
        state=state,
        definition=definition,
        now=now,
        links=reconciled.links,
        games=reconciled.missing_games,
        records=reconciled.records,
    )
    return DailyReport(
        sport=row.sport,
        game_date=row.game_date,
        at=now,
        status=row.status,
        exit_code=EXIT_CODE[row.status],
        pipeline=row.pipeline,
        contract=row.contract,
        expected_games=row.expected_games,
        tier=tier,
        coverage=coverage,
        phases=judged,
        links=reconciled.links,
        bottleneck=reconciled.bottleneck,
        missing_games=reconciled.missing_games,
        records=reconciled.records,
        promises=service_levels([(events, state, definition)], now=now).promises,
        root_causes=root_causes(case),
    )
