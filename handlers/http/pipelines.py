"""Game dates: how they stand, what happened to them and why, and what a person asks of them."""

from __future__ import annotations

from asyncio import wrap_future
from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import get, post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta, Struct

from events.catalogue import Fact, OperatorActed
from handlers import answers
from handlers.answers import Acted, DateStatus
from handlers.asked import game_date as game_date_of
from handlers.http.asking import Asked, ask, known_sport, taking
from handlers.http.identity import ACTOR, NotAllowed, operators
from handlers.http.limits import COMMAND_BYTES_MAX
from handlers.http.parameters import After, At, From, GameDate, OfSport, Sport, Then, To, instant, of_date
from handlers.http.problems import Refusal
from handlers.http.schema import DATES, problems
from projections.day import DayRow, DayShow
from projections.explain import Explanation
from projections.timeline import TimelineEntry
from statemachine.streams import date_stream

REASON_CHARS_MAX = 2000
NAME_CHARS_MAX = 200

Statuses = Annotated[list[DateStatus] | None, QueryParameter(description="Only dates of these statuses.")]

Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person asks of a date. `target` is a gate, a game, an alert (`cause` or `cause:subject`), a component or a
    cycle; `reason` goes into the history. `actor` is who asks, where the service knows nobody by itself."""

    command: Literal["recheck", "waive", "override", "acknowledge", "heal", "halt", "resume"]
    reason: Annotated[str, Meta(pattern=r"\S", max_length=REASON_CHARS_MAX)]
    target: Name | None = None
    actor: Annotated[str, Meta(pattern=r"\S", max_length=NAME_CHARS_MAX)] | None = None


@get(
    "/v1/pipelines",
    operation_id="pipelines",
    tags=[DATES],
    summary="Every game date in a line",
    response_description="By sport and date.",
    responses=problems(400),
)
async def pipelines(
    request: Asked,
    *,
    sport: OfSport = None,
    from_: From = None,
    to: To = None,
    status: Statuses = None,
    at: Then = None,
) -> list[DayRow]:
    """What `tipoff day list --json` gives."""
    first = "" if from_ is None else game_date_of(from_)
    last = "9999-12-31" if to is None else game_date_of(to)
    then, statuses = instant(at), status or ()
    return await ask(
        request,
        lambda recorded: answers.day_rows(recorded, sport=sport, first=first, last=last, statuses=statuses, at=then),
        folds=then is not None,
    )


@get(
    "/v1/pipelines/{sport:str}/{game_date:str}",
    operation_id="pipeline",
    tags=[DATES],
    summary="How a date stands",
    response_description="Cycles, gates with their numbers, alerts, heals, the next deadline.",
    responses=problems(400, 404),
)
async def pipeline(request: Asked, sport: Sport, game_date: GameDate, at: At = None) -> DayShow:
    """What `tipoff day show --json` gives."""
    day, then = of_date(request, sport, game_date, at)
    return await ask(request, lambda recorded: answers.day(recorded, sport, day, then))


@get(
    "/v1/pipelines/{sport:str}/{game_date:str}/events",
    operation_id="events",
    tags=[DATES],
    summary="Everything that happened to a date",
    response_description="By version.",
    responses=problems(400, 404),
)
async def events(
    request: Asked, sport: Sport, game_date: GameDate, after: After = 0, at: At = None
) -> list[TimelineEntry]:
    """What `tipoff day timeline --json` gives, behind a version."""
    day, then = of_date(request, sport, game_date, at)
    return await ask(request, lambda recorded: answers.events(recorded, sport, day, then, after=after))


@get(
    "/v1/pipelines/{sport:str}/{game_date:str}/explain",
    operation_id="explain",
    tags=[DATES],
    summary="Why a date stands as it does",
    response_description="The shortest chain of events and numbers that forced it, and what can be done.",
    responses=problems(400, 404),
)
async def explain(request: Asked, sport: Sport, game_date: GameDate, at: At = None) -> Explanation:
    """What `tipoff day explain --json` gives."""
    day, then = of_date(request, sport, game_date, at)
    return await ask(request, lambda recorded: answers.explanation(recorded, sport, day, then))


async def json_only(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Lets in JSON alone: a browser asks before it sends that to a foreign service, and nothing else is read."""
    media_type = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refusal("unsupported_media_type", "Send JSON, as content-type: application/json.")


@post(
    "/v1/pipelines/{sport:str}/{game_date:str}/commands",
    guards=[operators, json_only],
    status_code=200,
    request_max_body_size=COMMAND_BYTES_MAX,
    operation_id="command",
    tags=[DATES],
    summary="Ask something of a date",
    response_description="Recorded, with what followed from it.",
    responses=problems(400, 401, 403, 404, 409, 413, 415),
)
async def command(request: Asked, sport: Sport, game_date: GameDate, data: JSONBody[Command]) -> Acted:
    """What `tipoff day act --json` gives. Recorded with the identity of who asks; what the state of the date does not
    allow is answered 409 and recorded nowhere."""
    service = taking(request)
    stream = date_stream(known_sport(request, sport), game_date_of(game_date))
    actor = _actor(request, data)
    said = OperatorActed(command=data.command, reason=data.reason.strip(), target=data.target)
    before = await ask(request, lambda recorded: recorded.day(sport, game_date).state.version)
    recorded_as: list[Fact] = []

    def facts(now: datetime) -> list[Fact]:
        recorded_as[:] = [answers.operator_fact(stream, before, said, actor, now)]
        return recorded_as

    await wrap_future(service.intake.record(facts))
    return await ask(request, lambda recorded: answers.acted(recorded, recorded_as[0], after=before))


def _actor(request: Asked, data: Command) -> str:
    """Who asks: whoever was verified; where nobody is asked for an identity, who they say they are."""
    known = request.state.get(ACTOR)
    said = data.actor.strip() if data.actor is not None else None
    if known is not None:
        if said not in (None, known):
            raise NotAllowed(f"{known} asks in the name of {said}", "Leave `actor` out.")
        return str(known)
    if said is None:
        raise Refusal("invalid_request", "`actor` is missing: say who asks, for this service does not know.")
    return said
