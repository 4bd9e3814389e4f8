"""Native messages: CloudEvents 1.0 over Pub/Sub, binary (`ce-…` attributes, JSON data) and structured (one object).

A native message is held to its contract: every field that is missing or wrong is named, all of them at once, in one
rejection `bad_native`. What passes is read by the same readers as everything else.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable
from typing import Any, get_args

from msgspec import Struct

from events.catalogue import Fact, MeasuresObserved, SchedulePublished
from events.values import Game, GameStatus, Measure
from events.wire.body import decoded
from events.wire.completions import completion, started, take_phase
from events.wire.documents import heartbeat
from events.wire.inbound import Inbound
from events.wire.instants import instant
from events.wire.names import take_name
from events.wire.native_fields import FIELDS, problems
from events.wire.rejected import Rejection, shown
from events.wire.rows import workflow_decision

STRUCTURED = "application/cloudevents+json"
SPECVERSION = "1.0"

_NAMING = ("id", "source", "type")
"""Attributes that every event has as text."""

PROBLEMS_MAX = 50
"""Problems that one rejection spells out; the rest is counted."""


class CloudEvent(Struct, kw_only=True):
    """A native message, whichever mode it came in. `context` are its attributes but for `type` and `specversion`;
    `others` are those of the transport."""

    type: str
    data: dict[str, Any]
    context: dict[str, Any]
    others: dict[str, str]


def is_binary(attributes: dict[str, str]) -> bool:
    """True where the attributes say that the message is a CloudEvent."""
    return "ce-type" in attributes or _is_structured(attributes)


def _is_structured(attributes: dict[str, str]) -> bool:
    said, capitalised = attributes.get("content-type"), attributes.get("Content-Type")
    if said is not None and said.startswith(STRUCTURED):
        return True
    return capitalised is not None and capitalised.startswith(STRUCTURED)


def cloud_event(body: dict[str, Any], attributes: dict[str, str]) -> CloudEvent:
    """The event, its contract checked. Raises Rejection `bad_native` with all that is wrong."""
    structured = _is_structured(attributes) or "ce-type" not in attributes
    if structured:
        data, wrong, context = _structured_data(body)
        others, prefix = attributes, ""
    else:
        data, wrong, prefix = body, [], "ce-"
        context, others = {}, {}
        for key, said in attributes.items():
            name = key.removeprefix(prefix)
            if name == key:
                others[key] = said
            else:
                context[name] = said
    for key in _NAMING:
        given = context.get(key)
        if type(given) is not str or not given:
            wrong.append(f"`{prefix}{key}` is missing")
    version = context.pop("specversion", None)
    if version != SPECVERSION:
        wrong.append(f"`{prefix}specversion` is {shown(version)}: give {SPECVERSION}")
    kind: Any = context.pop("type", None)
    fields = FIELDS.get(kind) if type(kind) is str else None
    if fields is not None:
        wrong += problems(data, fields)
    elif kind:
        wrong.append(f"`{prefix}type` is {shown(kind)}: give one of {', '.join(FIELDS)}")
    if wrong:
        more = f"; and {len(wrong) - PROBLEMS_MAX} more" if len(wrong) > PROBLEMS_MAX else ""
        raise Rejection("bad_native", "; ".join(wrong[:PROBLEMS_MAX]) + more)
    return CloudEvent(type=kind, data=data, context=context, others=others)


def _structured_data(body: dict[str, Any]) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """The data of a structured event, what is wrong with it, and all else that the event says."""
    context = {key: said for key, said in body.items() if key != "data"}
    data = body.get("data")
    if data is None and type(body.get("data_base64")) is str:
        try:
            return decoded(b64decode(context.pop("data_base64"), validate=True)), [], context
        except (Rejection, binascii.Error, ValueError) as error:
            why = error.reason if isinstance(error, Rejection) else "not base64"
            return {}, [f"`data_base64`: {why}"], context
    if data is not None and type(data) is not dict:
        return {}, [f"`data` is {shown(data)}: give an object"], context
    return data or {}, [], context


def facts(event: CloudEvent, inbound: Inbound) -> list[Fact]:
    """The fact in a native message; `inbound` carries the event's data. Raises Rejection."""
    context = event.context
    inbound.identity = ("ce", context["source"], context["id"])
    said = context.get("time")
    inbound.said_at = instant(said, inbound.flags)
    if inbound.said_at is not None:
        del context["time"]
    elif said is not None:
        inbound.flags.append("bad_timestamp")
    inbound.around = {"ce": context}
    if event.others:
        inbound.around["attributes"] = event.others
    return [_READERS[event.type](event, inbound)]


def _completed(event: CloudEvent, inbound: Inbound) -> Fact:
    return completion(inbound, "native")


def _started(event: CloudEvent, inbound: Inbound) -> Fact:
    said_date = inbound.take_date()
    phase = take_phase(inbound, None)
    return started(inbound, "native", phase, take_name(inbound.body), said_date)


def _heartbeat(event: CloudEvent, inbound: Inbound) -> Fact:
    return heartbeat(inbound, "native")


def _workflow(event: CloudEvent, inbound: Inbound) -> Fact:
    return workflow_decision(inbound, "native")


def _schedule(event: CloudEvent, inbound: Inbound) -> Fact:
    body = inbound.body
    game_date, basis = inbound.take_date()
    occurred_at = inbound.take_instant()
    games = body.pop("games")
    partial = body.pop("partial", None) is True
    as_of = instant(body.pop("as_of", None), inbound.flags)
    _keep_beyond(body, "games", {said["game_id"]: said for said in games}, Game)
    data = SchedulePublished(
        games=tuple(_game(said) for said in games),
        partial=partial,
        as_of=as_of,
        source=event.context["source"],
        wire_format="native",
        date_basis=basis,
        flags=tuple(inbound.flags),
        extra=body,
    )
    return inbound.fact(f"{inbound.sport}/{game_date}", data, occurred_at)


_GAME_STATUS: dict[str, GameStatus] = {status: status for status in get_args(GameStatus)}
"""The text itself, once: msgspec leaves out a default by identity, and equal values must make equal bytes."""


def _game(said: dict[str, Any]) -> Game:
    return Game(
        game_id=said["game_id"],
        away=said.get("away") or "",
        home=said.get("home") or "",
        start_utc=instant(said.get("start_utc"), []),
        status=_GAME_STATUS[said.get("status") or "scheduled"],
        moved_to=said.get("moved_to"),
    )


def _measures(event: CloudEvent, inbound: Inbound) -> Fact:
    body = inbound.body
    game_date, basis = inbound.take_date()
    occurred_at = inbound.take_instant()
    boundary, measures = body.pop("boundary"), body.pop("measures")
    _keep_beyond(body, "measures", measures, Measure)
    data = MeasuresObserved(
        boundary=boundary,
        measures={name: Measure(value=said.get("value"), error=said.get("error")) for name, said in measures.items()},
        source=event.context["source"],
        wire_format="native",
        date_basis=basis,
        flags=tuple(inbound.flags),
        extra=body,
    )
    return inbound.fact(f"{inbound.sport}/{game_date}", data, occurred_at)


def _keep_beyond(body: dict[str, Any], key: str, entries: dict[str, dict[str, Any]], kind: type[Struct]) -> None:
    """Leaves under `key` what `entries` say beyond the fields of `kind`, by the entry's name."""
    fields = frozenset(kind.__struct_fields__)
    beyond = {
        name: {word: value for word, value in said.items() if word not in fields}
        for name, said in entries.items()
        if not fields.issuperset(said)
    }
    if beyond:
        body[key] = beyond


_READERS: dict[str, Callable[[CloudEvent, Inbound], Fact]] = {
    "tipoff.schedule.published": _schedule,
    "tipoff.processor.started": _started,
    "tipoff.processor.completed": _completed,
    "tipoff.heartbeat": _heartbeat,
    "tipoff.measures.observed": _measures,
    "tipoff.workflow.decided": _workflow,
}
