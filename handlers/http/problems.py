"""What went wrong, for whoever sent the request: one problem document (RFC 9457) for every error there is.

`type` is stable, `detail` says what to do next. An error that the service expects has its line in `KINDS`; anything
else is an internal error, which is logged with its traceback and answered without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec import Struct

from handlers.reader import ReaderBusy

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:tipoff:problem:"

RETRY_AFTER_SECONDS = 5
"""When to come again after a refusal that passes: a commit takes milliseconds, a locked store seconds."""

INTERNAL = "internal"
AGAIN = frozenset({429, 503})
"""Statuses that say when to come again."""


class Kind(Struct, frozen=True):
    """A kind of problem."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "invalid_request": Kind(400, "The request is not understood"),
    "wrong_usage": Kind(400, "The request is not understood"),
    "too_much_asked": Kind(400, "The question is about too much"),
    "unidentified": Kind(401, "Who asks is not known"),
    "not_allowed": Kind(403, "Who asks may not do this"),
    "no_such_route": Kind(404, "There is no such route"),
    "unknown_sport": Kind(404, "There is no such sport here"),
    "nothing_recorded": Kind(404, "Nothing is recorded of it"),
    "no_such_version": Kind(404, "The history has not come that far"),
    "method_not_allowed": Kind(405, "The route does not take this method"),
    "body_too_slow": Kind(408, "The request did not arrive in time"),
    "command_not_allowed": Kind(409, "The state of the date does not allow it"),
    "body_too_large": Kind(413, "The request is too large"),
    "unsupported_media_type": Kind(415, "The request is in no format that is read"),
    "rate_limited": Kind(429, "This client asks too often"),
    INTERNAL: Kind(500, "A mistake of Tipoff"),
    "not_ready": Kind(503, "Not ready"),
    "store_unavailable": Kind(503, "The store is not available"),
    "corrupt_store": Kind(503, "The store is damaged"),
    "wrong_expected_version": Kind(503, "Others write to the same date"),
    "intake_full": Kind(503, "More arrives than can be stored"),
    "intake_closed": Kind(503, "The service is stopping"),
    "reader_busy": Kind(503, "More is asked than can be answered"),
    "overloaded": Kind(503, "More requests than can be served"),
    "timed_out": Kind(503, "It took too long"),
    "certificates_unavailable": Kind(503, "Tokens cannot be verified"),
}
"""Kinds of problems by code, which is the end of their `type`."""

DETAILS: Mapping[str, str] = {
    "nothing_recorded": "Nothing is recorded of this date, or nothing was then. `GET /v1/pipelines` lists what is.",
    "store_unavailable": "The store cannot be read or written now, and nothing was stored. Send it again.",
    "corrupt_store": "The store is not what was written, and nothing was stored. The service's log says where.",
    "wrong_expected_version": "Others appended first, several times in a row; nothing was stored. Send it again.",
}
"""What is said instead of an error's own words, which name files, servers and verbs of the command line."""


class Fault(Struct, frozen=True, kw_only=True):
    """Something in a request that is not as it has to be: where, and why."""

    key: str
    message: str


class Problem(Struct, frozen=True, kw_only=True):
    """A problem document. `errors` are the faults of a request that is not understood, and what a service that is not
    ready lacks."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[Fault, ...] = ()


class Refusal(Exception):
    """Ends a request with a problem."""

    def __init__(self, code: str, detail: str, *, errors: tuple[Fault, ...] = ()) -> None:
        self.code, self.detail, self.errors = code, detail, errors
        super().__init__(code, detail)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


def problem(code: str, detail: str, errors: tuple[Fault, ...] = ()) -> Problem:
    """The document of a problem of that code."""
    kind = KINDS[code]
    return Problem(type=TYPE_PREFIX + code, title=kind.title, status=kind.status, detail=detail, errors=errors)


def headers_of(found: Problem) -> dict[str, str]:
    """Header fields that go with a problem."""
    headers = {"content-type": MEDIA_TYPE}
    if found.status in AGAIN:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    if found.status == 401:  # noqa: PLR2004 - the status that this field belongs to
        headers["www-authenticate"] = 'Bearer realm="tipoff"'
    return headers


def problem_of(error: Exception) -> Problem:
    """What an error means for whoever sent the request."""
    if isinstance(error, Refusal):
        return problem(error.code, error.detail, error.errors)
    if isinstance(error, HTTPException):
        return _of_framework(error)
    code = getattr(error, "code", INTERNAL)
    if code in KINDS and code != INTERNAL:
        return problem(code, DETAILS.get(code, str(error)))
    detail = "It is logged, and nothing that was acknowledged is lost. Please report it with the time it happened."
    return problem(INTERNAL, detail)


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The answer to a request that `error` ended; what is our fault is logged."""
    found = problem_of(error)
    log = structlog.get_logger("http").bind(method=request.method, path=request.url.path)
    if found.status == KINDS[INTERNAL].status:
        log.error("internal_error", error=f"{type(error).__name__}: {error}", exc_info=error)
    elif found.status == KINDS["not_ready"].status and not isinstance(error, ReaderBusy):
        log.warning("unavailable", code=found.type.removeprefix(TYPE_PREFIX), error=str(error))
    headers = headers_of(found) | dict(getattr(error, "headers", None) or {})
    return Response(
        msgspec.json.encode(found), status_code=found.status, headers=headers, media_type=headers.pop("content-type")
    )


_OF_FRAMEWORK: Mapping[int, tuple[str, str]] = {
    404: ("no_such_route", "`GET /schema` lists the routes."),
    405: ("method_not_allowed", "The Allow field of this answer has the methods that the route takes."),
    413: ("body_too_large", "docs/http.md has the limits; put what is larger into storage and send where it is."),
    415: ("unsupported_media_type", "Send JSON, as content-type: application/json."),
}


def _of_framework(error: HTTPException) -> Problem:
    """An error that the framework raised before any handler of ours was called."""
    if error.status_code in _OF_FRAMEWORK:
        return problem(*_OF_FRAMEWORK[error.status_code])
    if error.status_code >= KINDS[INTERNAL].status:
        return problem_of(Exception())
    extra = error.extra if isinstance(error.extra, list) else []
    faults = tuple(
        Fault(key=str(item.get("key", "body")).rstrip("_"), message=str(item.get("message", ""))) for item in extra
    )
    return problem("invalid_request", "`errors` says what is wrong; `GET /schema` has what is expected.", faults)
