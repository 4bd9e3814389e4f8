"""What concerns all dates: health, heartbeats, alerts, repairs, messages that were not understood."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from handlers import answers, healing, reviews
from handlers.channels.telling import digest_of
from handlers.http.asking import Asked, ask, known_sport, service_of
from handlers.http.parameters import From, OfSport, Then, To, instant, span
from handlers.http.schema import SEASON, problems
from projections.digest import Digest, dead_letters
from projections.episodes import Episode
from projections.heal_history import HealHistory
from projections.heal_plan import HealPlan
from projections.health import Health
from projections.heartbeats import Heartbeat
from projections.rejected import Rejections

HOURS_MAX = 366 * 24
"""How far back a digest may look: a year."""

All = Annotated[bool, QueryParameter(name="all", description="Resolved episodes too.")]
Hours = Annotated[int, QueryParameter(description="How far back.", ge=1, le=HOURS_MAX)]


@get(
    "/v1/health",
    operation_id="health",
    tags=[SEASON],
    summary="Is anything wrong, and what should be done?",
    response_description="The worst finding decides; `status` says it, not the status of the answer.",
    responses=problems(400, 404),
)
async def health(request: Asked, sport: OfSport = None, from_: From = None, to: To = None, at: Then = None) -> Health:
    """What `tipoff health --json` gives. The health of the pipeline that is watched; that of the service is /readyz."""
    dates, then, now = span(request, sport, from_, to), instant(at), service_of(request).clock()
    return await ask(
        request, lambda recorded: reviews.season_health(recorded, now, dates, at=then), folds=then is not None
    )


@get(
    "/v1/heartbeats",
    operation_id="heartbeats",
    tags=[SEASON],
    summary="Every run by its last heartbeat",
    response_description="The dead first.",
    responses=problems(400, 404),
)
async def heartbeats(
    request: Asked, sport: OfSport = None, from_: From = None, to: To = None, at: Then = None
) -> list[Heartbeat]:
    """What `tipoff heartbeats --json` gives."""
    dates, then, now = span(request, sport, from_, to), instant(at), service_of(request).clock()
    return await ask(request, lambda recorded: reviews.beats(recorded, now, dates, at=then), folds=then is not None)


@get(
    "/v1/alerts",
    operation_id="alerts",
    tags=[SEASON],
    summary="Alert episodes",
    response_description="The open ones first, the gravest first.",
    responses=problems(400),
)
async def alerts(request: Asked, all_: All = False, at: Then = None) -> list[Episode]:
    """What `tipoff alerts --json` gives."""
    then = instant(at)
    found = await ask(request, lambda recorded: answers.alert_episodes(recorded, then), folds=then is not None)
    return found if all_ else [episode for episode in found if episode.resolved_at is None]


@get(
    "/v1/alerts/failed",
    operation_id="failed_alerts",
    tags=[SEASON],
    summary="Alerts that could not be told",
    response_description="Episodes that their channels refused for good.",
    responses=problems(400),
)
async def failed_alerts(request: Asked, at: Then = None) -> list[Episode]:
    """What `tipoff alerts failed --json` gives; `tipoff alerts resend` tells them again."""
    then = instant(at)
    found = await ask(request, lambda recorded: answers.alert_episodes(recorded, then), folds=then is not None)
    return dead_letters(found)


@get(
    "/v1/alerts/digest",
    operation_id="digest",
    tags=[SEASON],
    summary="What is open, came and went, was repaired, could not be told",
    response_description="Of the last hours.",
    responses=problems(400),
)
async def digest(request: Asked, hours: Hours = 24, at: Then = None) -> Digest:
    """What `tipoff alerts digest --json` gives."""
    then, now = instant(at), service_of(request).clock()
    return await ask(request, lambda recorded: digest_of(recorded, now=now, hours=hours, at=then), folds=True)


@get(
    "/v1/heals",
    operation_id="heals",
    tags=[SEASON],
    summary="What was repaired: by whom, why, and whether it worked",
    response_description="The latest first, and what the repairs say together.",
    responses=problems(400),
)
async def heals(request: Asked, at: Then = None) -> HealHistory:
    """What `tipoff heal history --json` gives."""
    then, now = instant(at), service_of(request).clock()
    return await ask(request, lambda recorded: healing.history(recorded, now, at=then), folds=True)


@get(
    "/v1/heals/plan",
    operation_id="heal_plans",
    tags=[SEASON],
    summary="What is to repair, and how, on every date that needs it",
    response_description="The oldest date first; nothing is asked for.",
    responses=problems(400, 404),
)
async def heal_plans(request: Asked, sport: OfSport = None, at: Then = None) -> list[HealPlan]:
    """What `tipoff heal plan --json` gives."""
    of = None if sport is None else known_sport(request, sport)
    then, now = instant(at), service_of(request).clock()
    return await ask(request, lambda recorded: healing.plans(recorded, now, sport=of, at=then), folds=then is not None)


@get(
    "/v1/rejected",
    operation_id="rejected",
    tags=[SEASON],
    summary="Messages that could not be understood",
    response_description="By what was wrong with them, the latest first.",
    responses=problems(400),
)
async def rejected(request: Asked, at: Then = None) -> list[Rejections]:
    """What `tipoff rejected --json` gives: what publishers have to fix. The messages themselves are kept."""
    then = instant(at)
    return await ask(request, lambda recorded: answers.rejections(recorded, then), folds=True)
