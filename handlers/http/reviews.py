"""What came of dates: how each stage reached the next, how good a date is, which promises were kept, what each event
changed, and what is to be repaired.

Questions about a range fold all its events: they go one at a time, and each may fold so many (`handlers/reader.py`).
"""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from handlers import answers, healing, reviews
from handlers.http.asking import Asked, ask, service_of
from handlers.http.parameters import After, At, From, GameDate, OfSport, Sport, Then, To, instant, of_date, span
from handlers.http.schema import DATES, SEASON, problems
from projections.heal_plan import HealPlan
from projections.history import Step
from projections.metrics import Levels
from projections.reconciliation import Reconciliation
from projections.report import DailyReport

STEPS_MAX = 1000
"""Steps of a replay in one answer: each compares two states of a date."""

Limit = Annotated[int, QueryParameter(description="So many steps at most.", ge=1, le=STEPS_MAX)]


@get(
    "/v1/pipelines/{sport:str}/{game_date:str}/report",
    operation_id="report",
    tags=[DATES],
    summary="What a date came to",
    response_description="GOLD, SILVER or BRONZE, phase by phase; root causes with the command that mends each.",
    responses=problems(400, 404),
)
async def report(request: Asked, sport: Sport, game_date: GameDate, at: At = None) -> DailyReport:
    """What `tipoff report --json` gives."""
    day, then = of_date(request, sport, game_date, at)
    now = service_of(request).clock()
    return await ask(request, lambda recorded: reviews.report(recorded, sport, day, now, at=then))


@get(
    "/v1/pipelines/{sport:str}/{game_date:str}/replay",
    operation_id="replay",
    tags=[DATES],
    summary="What each event of a date changed",
    response_description="By version; what every event changes, as its time and its version, is left out.",
    responses=problems(400, 404),
)
async def replay(
    request: Asked, sport: Sport, game_date: GameDate, *, after: After = 0, limit: Limit = STEPS_MAX, at: At = None
) -> list[Step]:
    """What `tipoff replay --json` gives, up to a version or an instant. An answer of `limit` steps may have more behind
    it: ask with `after` the version of the last."""
    day, then = of_date(request, sport, game_date, at)
    return await ask(
        request,
        lambda recorded: answers.changes(recorded, sport, day, then, after=after, limit=limit),
        folds=True,
    )


@get(
    "/v1/pipelines/{sport:str}/{game_date:str}/heal-plan",
    operation_id="heal_plan",
    tags=[DATES],
    summary="What is to repair on a date, and how",
    response_description="In the order of the chain, each with its exact command; nothing is asked for.",
    responses=problems(400, 404),
)
async def heal_plan(request: Asked, sport: Sport, game_date: GameDate, at: At = None) -> HealPlan:
    """The one element of what `tipoff heal plan DATE --json` gives. `POST …/commands` with `heal` asks for a repair."""
    day, then = of_date(request, sport, game_date, at)
    now = service_of(request).clock()
    return await ask(request, lambda recorded: healing.plan(recorded, sport, day, now, at=then))


@get(
    "/v1/reconciliation",
    operation_id="reconciliation",
    tags=[SEASON],
    summary="From schedule to grades: how much of each stage arrived at the next",
    response_description="Date by date, and added up.",
    responses=problems(400, 404),
)
async def reconciliation(
    request: Asked, sport: OfSport = None, from_: From = None, to: To = None, at: Then = None
) -> Reconciliation:
    """What `tipoff reconcile --json` gives."""
    dates, then, now = span(request, sport, from_, to), instant(at), service_of(request).clock()
    return await ask(request, lambda recorded: reviews.reconciliation(recorded, now, dates, at=then), folds=True)


@get(
    "/v1/levels",
    operation_id="levels",
    tags=[SEASON],
    summary="Which promises were kept, and how the pipeline is looked after",
    response_description="Every metric per week and season, against target.",
    responses=problems(400, 404),
)
async def levels(request: Asked, sport: OfSport = None, from_: From = None, to: To = None, at: Then = None) -> Levels:
    """What `tipoff levels --json` gives."""
    dates, then, now = span(request, sport, from_, to), instant(at), service_of(request).clock()
    return await ask(request, lambda recorded: reviews.service_levels(recorded, now, dates, at=then), folds=True)
