"""What comes in: messages that Pub/Sub pushes, and time."""

from __future__ import annotations

from asyncio import wrap_future

from litestar import post

from events.wire import Unreadable, from_push
from handlers.answers import TickDone, tick_done
from handlers.http.asking import Asked, taking
from handlers.http.identity import pushers, tickers
from handlers.http.limits import PUSH_BYTES_MAX
from handlers.http.schema import MESSAGES, problems


@post(
    "/v1/pubsub/push",
    guards=[pushers],
    status_code=204,
    request_max_body_size=PUSH_BYTES_MAX,
    operation_id="push",
    tags=[MESSAGES],
    summary="Take a message that Pub/Sub pushes",
    response_description="Stored, known already, or not understood and stored whole. Acknowledged.",
    responses=problems(401, 403),
)
async def push(request: Asked) -> None:
    """Answers 204 once the message is stored, durably: as what it says, as a duplicate, or, if it cannot be understood,
    whole with the reason (`GET /v1/rejected`). Anything else acknowledges nothing; Pub/Sub sends it again."""
    service = taking(request)
    body = await request.body()
    try:
        arrival = service.intake.deliver(from_push(body, received_at=service.clock()))
    except Unreadable as error:
        arrival = service.intake.refuse(body, error)
    await wrap_future(arrival)


@post(
    "/v1/tick",
    guards=[tickers],
    status_code=200,
    operation_id="tick",
    tags=[MESSAGES],
    summary="Let time come",
    response_description="What was due is decided.",
    responses=problems(401, 403),
)
async def tick(request: Asked) -> TickDone:
    """What is due at the service's now is decided. For a scheduler, where the service does not tick by itself."""
    service = taking(request)
    now = service.clock()
    return tick_done(await wrap_future(service.intake.tick()), now)
