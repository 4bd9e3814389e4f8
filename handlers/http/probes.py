"""What platforms ask: does it run, can it work, what does it count?"""

from __future__ import annotations

from asyncio import timeout, wrap_future
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from litestar import get
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST

from events.store import StoreError
from handlers.http.asking import Asked, ask, service_of
from handlers.http.problems import Fault, Refusal
from handlers.http.schema import PLATFORM, problems
from handlers.intake import IntakeClosed, IntakeFull
from handlers.metrics import Metrics
from handlers.reader import ReaderBusy
from handlers.service import Service

READY_SECONDS = 2.0
"""How long store and intake may take to show that they work."""


class Alive(Struct, frozen=True, kw_only=True):
    """The service runs."""

    alive: bool = True


class Ready(Struct, frozen=True, kw_only=True):
    """The service can take messages and answer questions."""

    ready: bool = True


@get(
    "/healthz",
    operation_id="healthz",
    tags=[PLATFORM],
    summary="Does it run?",
    response_description="It runs.",
    responses=problems(),
)
async def healthz() -> Alive:
    """Looks at nothing: a service that answers runs."""
    return Alive()


@get(
    "/readyz",
    operation_id="readyz",
    tags=[PLATFORM],
    summary="Can it work?",
    response_description="It can.",
    responses=problems(),
)
async def readyz(request: Asked) -> Ready:
    """The store can be reached, the recording thread records and subscriptions are open; else 503, with all that is
    missing in `errors`."""
    service = service_of(request)
    lacking = []
    if not service.taking:
        lacking.append(Fault(key="service", message="it is stopping, or has not begun"))
    if not service.listening:
        lacking.append(Fault(key="pull", message="messages do not come in from every subscription"))
    for part, look in _looks(service):
        try:
            async with timeout(READY_SECONDS):
                await wrap_future(look())
        except TimeoutError:
            lacking.append(Fault(key=part, message=f"no answer within {READY_SECONDS:g} s"))
        except (StoreError, IntakeFull, IntakeClosed, ReaderBusy) as error:
            lacking.append(Fault(key=part, message=getattr(error, "reason", str(error))))
    if lacking:
        raise Refusal("not_ready", "`errors` says what is missing.", errors=tuple(lacking))
    return Ready()


def _looks(service: Service) -> Iterator[tuple[str, Callable[[], Future[object]]]]:
    yield "store", lambda: service.reader.ask(lambda recorded: recorded.next_due())
    yield "intake", lambda: service.intake.ask(lambda _recorder: None)


@get(
    "/metrics",
    operation_id="metrics",
    tags=[PLATFORM],
    summary="What it counts, for Prometheus",
    response_description="In Prometheus' text format.",
    media_type=CONTENT_TYPE_LATEST,
    responses=problems(),
)
async def metrics(request: Asked) -> bytes:
    """Figures that need the store are NaN where it cannot be read."""
    service, found = service_of(request), request.app.state.metrics
    assert isinstance(found, Metrics), "the app is made with its metrics"
    now = service.clock()
    try:
        async with timeout(READY_SECONDS):
            await ask(request, lambda recorded: found.look(recorded, now))
    except (StoreError, ReaderBusy, TimeoutError):
        found.unknown()
    return found.text()
