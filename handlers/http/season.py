"""What concerns all dates: health, heartbeats, alerts, messages that were not understood."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from handlers import answers
from handlers.http.asking import Asked, ask, service_of
from handlers.http.schema import SEASON, problems
from projections.episodes import Episode
from projections.health import Health
from projections.heartbeats import Heartbeat
from projections.rejected import Rejections

All = Annotated[bool, QueryParameter(name="all", description="Resolved episodes too.")]


@get(
    "/v1/health",
    operation_id="health",
    tags=[SEASON],
    summary="Is anything wrong, and what should be done?",
    response_description="The worst finding decides; `status` says it, not the status of the answer.",
    responses=problems(),
)
async def health(request: Asked) -> Health:
    """What `tipoff health --json` gives. The health of the pipeline that is watched; that of the service is /readyz."""
    now = service_of(request).clock()
    return await ask(request, lambda recorded: answers.whole_health(recorded, now))


@get(
    "/v1/heartbeats",
    operation_id="heartbeats",
    tags=[SEASON],
    summary="Every run by its last heartbeat",
    response_description="The dead first.",
    responses=problems(),
)
async def heartbeats(request: Asked) -> list[Heartbeat]:
    """What `tipoff heartbeats --json` gives."""
    now = service_of(request).clock()
    return await ask(request, lambda recorded: answers.beats(recorded, now))


@get(
    "/v1/alerts",
    operation_id="alerts",
    tags=[SEASON],
    summary="Alert episodes",
    response_description="The open ones first, the gravest first.",
    responses=problems(400),
)
async def alerts(request: Asked, all_: All = False) -> list[Episode]:
    """What `tipoff alerts --json` gives."""
    found = await ask(request, answers.alert_episodes)
    return found if all_ else [episode for episode in found if episode.resolved_at is None]


@get(
    "/v1/rejected",
    operation_id="rejected",
    tags=[SEASON],
    summary="Messages that could not be understood",
    response_description="By what was wrong with them, the latest first.",
    responses=problems(),
)
async def rejected(request: Asked) -> list[Rejections]:
    """What `tipoff rejected --json` gives: what publishers have to fix. The messages themselves are kept."""
    return await ask(request, answers.rejections)
