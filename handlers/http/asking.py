"""What the routes have in common: the service they belong to, how it is asked, and how it is told."""

from __future__ import annotations

from asyncio import wrap_future
from collections.abc import Callable
from typing import Any, TypeVar, cast

from litestar import Request

from handlers.http.problems import Refusal
from handlers.intake import IntakeClosed
from handlers.recorded import Recorded
from handlers.service import Service

T = TypeVar("T")

Asked = Request[Any, Any, Any]


def service_of(request: Asked) -> Service:
    """The service that a request is for."""
    return cast("Service", request.app.state.service)


def taking(request: Asked) -> Service:
    """The service, if it takes anything. Raises IntakeClosed once it stops."""
    service = service_of(request)
    if not service.taking:
        raise IntakeClosed
    return service


async def ask(request: Asked, question: Callable[[Recorded], T], *, folds: bool = False) -> T:
    """The answer to a question about what is recorded; `folds` says that it looks at the events of many dates. Raises
    ReaderBusy and what the question raises."""
    return await wrap_future(service_of(request).reader.ask(question, folds=folds))


def known_sport(request: Asked, sport: str) -> str:
    """`sport`, if there is a definition of it. Raises Refusal."""
    definitions = service_of(request).definitions
    if sport not in definitions:
        raise Refusal("unknown_sport", f"There is no definition of {sport!r}. Known: {', '.join(definitions)}.")
    return sport
