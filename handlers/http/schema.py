"""The description of the service (OpenAPI), made from the handlers and their types, and completed here: what Pub/Sub
sends, the problems that a route may answer with their header fields, and who is asked for an identity."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import msgspec
from litestar import Request
from litestar.enums import OpenAPIMediaType
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import OpenAPIRenderPlugin

from handlers.http.identity import Doors
from handlers.http.problems import AGAIN, KINDS, MEDIA_TYPE, TYPE_PREFIX, Problem

MESSAGES, DATES, SEASON, PLATFORM = "messages", "dates", "season", "platform"

COMMON = (408, 429, 500, 503)
"""Statuses that any route may answer."""

UNAUTHORIZED = 401
FIRST_PROBLEM = 400

_PUSH_BODY = {
    "description": (
        "The envelope that Pub/Sub sends. A body that is none is stored as a rejected message, whole, and "
        "acknowledged: to send it again would not mend it."
    ),
    "required": False,
    "content": {
        "application/json": {
            "schema": {},
            "example": {
                "message": {
                    "data": "eyJwcm9jZXNzb3JfbmFtZSI6ICJCZGxCb3hzY29yZXNQcm9jZXNzb3IifQ==",
                    "messageId": "15",
                    "publishTime": "2026-01-17T06:10:00Z",
                    "attributes": {"origin": "scraper"},
                },
                "subscription": "projects/p/subscriptions/nba-phase2-raw-complete-push",
            },
        }
    },
}


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems that a route may answer: these, and those that any may."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            description="; ".join(f"`{code}`: {kind.title}" for code, kind in KINDS.items() if kind.status == status),
            media_type=MEDIA_TYPE,
            generate_examples=False,
        )
        for status in (*statuses, *COMMON)
    }


def description(version: str, doors: Doors) -> OpenAPIConfig:
    """How the service is described at /schema."""
    return OpenAPIConfig(
        title="Tipoff",
        version=version,
        description=f"Game dates of data pipelines. Problems are RFC 9457, their types `{TYPE_PREFIX}CODE`.",
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=[_Completed(doors)],
    )


class _Completed(OpenAPIRenderPlugin):
    """Serves the completed description."""

    def __init__(self, doors: Doors) -> None:
        super().__init__(path="/", media_type=OpenAPIMediaType.OPENAPI_JSON)
        self._doors = doors
        self._rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The description as JSON, made once."""
        if self._rendered is None:
            plain = msgspec.json.decode(self.render_json(request, openapi_schema))
            self._rendered = msgspec.json.encode(completed(plain, self._doors))
        return self._rendered


def completed(document: dict[str, Any], doors: Doors) -> dict[str, Any]:
    """`document`, with all that the handlers' types do not say."""
    document = deepcopy(document)
    asked = {"push": doors.push, "tick": doors.tick, "command": doors.operator}
    for operation in _operations(document):
        _complete_problems(operation["responses"])
        if operation["operationId"] == "push":
            operation["requestBody"] = _PUSH_BODY
        if asked.get(operation["operationId"]) is not None:
            operation["security"] = [{"bearer": []}]
        elif operation["operationId"] in asked:
            for status in ("401", "403"):
                operation["responses"].pop(status, None)
    command = document["components"]["schemas"]["Command"]
    command["additionalProperties"] = False
    if doors.operator is None:
        _require_actor(command)
    document["components"]["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An OIDC token of Google; for operators also a token of the settings.",
        }
    }
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                yield operation


def _require_actor(command: dict[str, Any]) -> None:
    """Who asks has to be said where nobody is asked for an identity."""
    actor = command["properties"]["actor"]
    (said,) = (kind for kind in actor.pop("oneOf") if kind["type"] != "null")
    actor.update(said)
    command["required"] = sorted([*command["required"], "actor"])


def _complete_problems(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        fields = {}
        if int(status) in AGAIN:
            fields["Retry-After"] = {"description": "Seconds.", "required": True, "schema": {"type": "integer"}}
        if int(status) == UNAUTHORIZED:
            fields["WWW-Authenticate"] = {"required": True, "schema": {"type": "string"}}
        if int(status) >= FIRST_PROBLEM and fields:
            response["headers"] = fields
