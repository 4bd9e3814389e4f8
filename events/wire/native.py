"""Native messages: CloudEvents 1.0 over Pub/Sub, binary (`ce-…` attributes, JSON data) and structured (one object).

A native message is held to its contract: every field that is missing or wrong is named, all of them at once, in one
rejection `bad_native`. What passes is read by the same readers as everything else.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from events.catalogue import Fact, MeasuresObserved, SchedulePublished
from events.values import Game, Measure
from events.wire.completions import completion, started
from events.wire.delivery import UNDECODABLE
from events.wire.documents import heartbeat
from events.wire.inbound import Inbound
from events.wire.instants import instant
from events.wire.names import take_name
from events.wire.native_fields import FIELDS, problems
from events.wire.rejected import Rejection, shown
from events.wire.rows import workflow_decision
from events.wire.words import phase_of

STRUCTURED = "application/cloudevents+json"
SPECVERSION = "1.0"
_CONTENT_TYPES = ("content-type", "Content-Type")


class CloudEvent(Struct, kw_only=True):
    """The context attributes, whichever mode they came in; `about` holds those without a meaning here."""

    id: str
    source: str
    type: str
    time: Any
    data: dict[str, Any]
    about: dict[str, Any]


def is_native(body: dict[str, Any], attributes: dict[str, str]) -> bool:
    """True for a CloudEvent in either mode."""
    return "specversion" in body or (bool(attributes) and ("ce-type" in attributes or _is_structured(attributes)))


def _is_structured(attributes: dict[str, str]) -> bool:
    return any(attributes.get(key, "").startswith(STRUCTURED) for key in _CONTENT_TYPES)


def cloud_event(body: dict[str, Any], attributes: dict[str, str]) -> CloudEvent:
    """The event, its contract checked. Raises Rejection `bad_native` with all that is wrong."""
    structured = "specversion" in body or _is_structured(attributes)
    if structured:
        context = {key: said for key, said in body.items() if key not in {"data", "data_base64"}}
        data, wrong = _structured_data(body)
        prefix = ""
    else:
        context = {key[3:]: said for key, said in attributes.items() if key.startswith("ce-")}
        data, wrong, prefix = body, [], "ce-"
    taken = {key: context.pop(key, None) for key in ("id", "source", "type", "time", "specversion")}
    for key in ("id", "source", "type"):
        if type(taken[key]) is not str or not taken[key]:
            wrong.append(f"`{prefix}{key}` is missing")
    if taken["specversion"] != SPECVERSION:
        wrong.append(f"`{prefix}specversion` is {shown(taken['specversion'])}: give {SPECVERSION}")
    fields = FIELDS.get(taken["type"]) if type(taken["type"]) is str else None
    if fields is not None:
        wrong += problems(data, fields)
    elif taken["type"]:
        wrong.append(f"`{prefix}type` is {shown(taken['type'])}: give one of {', '.join(FIELDS)}")
    if wrong:
        raise Rejection("bad_native", "; ".join(wrong))
    about = {"source": taken["source"], **context}
    return CloudEvent(
        id=taken["id"], source=taken["source"], type=taken["type"], time=taken["time"], data=data, about=about
    )


def _structured_data(body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    data: Any = body.get("data")
    if data is None and type(body.get("data_base64")) is str:
        try:
            data = msgspec.json.decode(b64decode(body["data_base64"], validate=True))
        except (*UNDECODABLE, binascii.Error, ValueError):
            return {}, ["`data_base64` is not JSON in base64"]
    if data is not None and type(data) is not dict:
        return {}, [f"`data` is {shown(data)}: give an object"]
    return data or {}, []


def facts(event: CloudEvent, inbound: Inbound) -> list[Fact]:
    """The fact in a native message; `inbound` carries the event's data. Raises Rejection."""
    inbound.identity = ("ce", event.source, event.id)
    inbound.said_at = instant(event.time, inbound.flags)
    if event.time is not None and inbound.said_at is None:
        inbound.flags.append("bad_timestamp")
    return [_READERS[event.type](event, inbound)]


def _completed(event: CloudEvent, inbound: Inbound) -> Fact:
    inbound.body["ce"] = event.about
    return completion(inbound, "native")


def _started(event: CloudEvent, inbound: Inbound) -> Fact:
    inbound.body["ce"] = event.about
    said_date = inbound.take_date()
    phase = phase_of(inbound.body.pop("phase")) or ""
    return started(inbound, "native", phase, take_name(inbound.body), said_date)


def _heartbeat(event: CloudEvent, inbound: Inbound) -> Fact:
    return heartbeat(inbound, "native")


def _workflow(event: CloudEvent, inbound: Inbound) -> Fact:
    return workflow_decision(inbound)


def _schedule(event: CloudEvent, inbound: Inbound) -> Fact:
    body = inbound.body
    game_date, _ = inbound.take_date()
    data = SchedulePublished(
        games=tuple(_game(said) for said in body["games"]),
        partial=body.get("partial") is True,
        as_of=instant(body.get("as_of"), inbound.flags),
        source=event.source,
    )
    return _noted(inbound, game_date, data)


def _game(said: dict[str, Any]) -> Game:
    return Game(
        game_id=said["game_id"],
        away=said.get("away") or "",
        home=said.get("home") or "",
        start_utc=instant(said.get("start_utc"), []),
        status=said.get("status") or "scheduled",
        moved_to=said.get("moved_to"),
    )


def _measures(event: CloudEvent, inbound: Inbound) -> Fact:
    body = inbound.body
    game_date, basis = inbound.take_date()
    data = MeasuresObserved(
        boundary=body["boundary"],
        measures={name: _measure(said) for name, said in body["measures"].items()},
        source=event.source,
        date_basis=basis,
    )
    return _noted(inbound, game_date, data)


def _measure(said: dict[str, Any]) -> Measure:
    value = said.get("value")
    return Measure(value=None if value is None else float(value), error=said.get("error"))


def _noted(inbound: Inbound, game_date: str, data: SchedulePublished | MeasuresObserved) -> Fact:
    occurred_at = inbound.take_instant()
    correlation = inbound.take_correlation()
    return inbound.fact(f"{inbound.sport}/{game_date}", data, occurred_at=occurred_at, correlation=correlation)


_READERS: dict[str, Callable[[CloudEvent, Inbound], Fact]] = {
    "tipoff.schedule.published": _schedule,
    "tipoff.processor.started": _started,
    "tipoff.processor.completed": _completed,
    "tipoff.heartbeat": _heartbeat,
    "tipoff.measures.observed": _measures,
    "tipoff.workflow.decided": _workflow,
}
