"""Events as rows of the warehouse: what each column holds. One JSON line a row, the same bytes for both engines."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from events.catalogue import Event, GateEvaluated, type_of
from events.codec import encode
from events.store import Stored
from events.values import Check, Mode, Verdict

INTEGER_MAX = 2**63 - 1
"""Whole numbers beyond it, either side, are kept as text: a load refuses all rows for one of them."""

_LONG_NUMBER = re.compile(rb"\d{19}")


class EventRow(Struct, frozen=True, kw_only=True):
    """A row of `events`."""

    event_id: str
    stream: str
    sport: str
    game_date: date | None
    version: int
    type: str
    schema_version: int
    occurred_at: datetime
    recorded_at: datetime
    correlation: str
    causation: str | None
    actor: str
    data: msgspec.Raw
    hash: str
    position: int


class EvaluationRow(Struct, frozen=True, kw_only=True):
    """A row of `gate_evaluations`."""

    event_id: str
    stream: str
    sport: str
    game_date: date | None
    version: int
    gate: str
    cycle: str
    mode: Mode
    outcome: Verdict
    blocking_outcome: Verdict
    definition: str
    evaluated_at: datetime
    correlation: str
    causation: str | None
    checks: tuple[Check, ...]


def event_row(stored: Stored, event: Event) -> EventRow:
    """The row of an event, as it was stored."""
    sport, game_date = place_of(stored.stream)
    return EventRow(
        event_id=event.id,
        stream=stored.stream,
        sport=sport,
        game_date=game_date,
        version=stored.version,
        type=type_of(event.data),
        schema_version=event.schema,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        correlation=event.correlation,
        causation=event.causation,
        actor=event.actor,
        data=msgspec.Raw(portable(encode(event.data))),
        hash=stored.hash,
        position=stored.position,
    )


def evaluation_row(stored: Stored, event: Event, data: GateEvaluated) -> EvaluationRow:
    """The row of a gate's evaluation."""
    sport, game_date = place_of(stored.stream)
    return EvaluationRow(
        event_id=event.id,
        stream=stored.stream,
        sport=sport,
        game_date=game_date,
        version=stored.version,
        gate=data.gate,
        cycle=data.cycle,
        mode=data.mode,
        outcome=data.outcome,
        blocking_outcome=data.blocking_outcome,
        definition=data.definition,
        evaluated_at=event.recorded_at,
        correlation=event.correlation,
        causation=event.causation,
        checks=data.checks,
    )


def place_of(stream: str) -> tuple[str, date | None]:
    """Sport and game date of a stream; control streams have no date."""
    sport, _, rest = stream.partition("/")
    try:
        return sport, date.fromisoformat(rest.partition("/")[0])
    except ValueError:
        return sport, None


def portable(data: bytes) -> bytes:
    """JSON without numbers that a warehouse cannot hold: publishers send what they like, and one of them would stop the
    export of all that comes after it."""
    if not _LONG_NUMBER.search(data):
        return data
    return msgspec.json.encode(_bounded(msgspec.json.decode(data)))


def _bounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_bounded(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > INTEGER_MAX:
        return str(value)
    return value
