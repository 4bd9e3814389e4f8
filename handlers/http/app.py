"""The application: routes, problems, description; around it the edge that limits, counts and logs."""

from __future__ import annotations

from typing import cast

from litestar import Litestar
from litestar.datastructures import State

from handlers.http import arriving, pipelines, probes, reviews, season
from handlers.http.edge import App, Edge
from handlers.http.identity import Doors
from handlers.http.limits import COMMAND_BYTES_MAX, Limits
from handlers.http.problems import answer
from handlers.http.schema import description
from handlers.metrics import Metrics
from handlers.service import Service

ROUTES = (
    arriving.push,
    arriving.tick,
    season.health,
    pipelines.pipelines,
    pipelines.pipeline,
    pipelines.events,
    pipelines.explain,
    reviews.report,
    reviews.replay,
    reviews.heal_plan,
    pipelines.command,
    reviews.reconciliation,
    reviews.levels,
    season.heartbeats,
    season.alerts,
    season.failed_alerts,
    season.digest,
    season.heals,
    season.heal_plans,
    season.rejected,
    probes.healthz,
    probes.readyz,
    probes.metrics,
)


def make(service: Service, *, doors: Doors, limits: Limits, metrics: Metrics, version: str) -> App:
    """The ASGI application of `service`. It is made before the service starts, and serves while it runs."""
    inner = Litestar(
        route_handlers=ROUTES,
        exception_handlers={Exception: answer},
        openapi_config=description(version, doors),
        request_max_body_size=COMMAND_BYTES_MAX,
        logging_config=None,
        state=State({"service": service, "doors": doors, "metrics": metrics}),
    )
    return Edge(cast("App", inner), limits, metrics)
