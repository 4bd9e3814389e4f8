"""Messages for the tests of `events.wire`: one well-formed example of each kind, to change, and ways to read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from events.catalogue import CompletionRecorded, Event, Fact, MessageRejected
from events.codec import decode, encode
from events.wire import Delivery, Routing, read

EASTERN = ZoneInfo("America/New_York")
ROUTING = Routing(
    zones={"nba": EASTERN, "mlb": EASTERN},
    topics={
        "prediction-request-prod": "nba",
        "prediction-ready": "nba",
        "firestore:phase4_completion": "nba",
        "firestore:processor_heartbeats": "nba",
        "http:": "nba",
    },
)
NOON = datetime(2026, 1, 20, 17, 0, tzinfo=UTC)
"""Noon in New York on 20 January 2026."""

RAW_TOPIC = "nba-phase2-raw-complete"
ANALYTICS_TOPIC = "nba-phase3-analytics-complete"
PREDICTIONS_TOPIC = "nba-phase5-predictions-complete"


def v2(**changes: Any) -> dict[str, Any]:
    """A unified completion; a change to `...` removes the key."""
    body = {
        "processor_name": "TeamOffenseGameSummaryProcessor",
        "phase": "phase_3_analytics",
        "execution_id": "run-7f3a",
        "correlation_id": "scr-0119-01",
        "game_date": "2026-01-19",
        "output_table": "team_offense_game_summary",
        "output_dataset": "nba_analytics",
        "status": "success",
        "record_count": 18,
        "records_failed": 0,
        "timestamp": "2026-01-20T11:04:31+00:00",
        "duration_seconds": 38.2,
        "trigger_source": "pubsub",
        "metadata": {"is_incremental": False, "entities_total": 18},
    } | changes
    return {key: value for key, value in body.items() if value is not ...}


def predictions(metadata: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A completion of the prediction coordinator."""
    return v2(
        processor_name="PredictionCoordinator",
        phase="phase_5_predictions",
        record_count=51,
        metadata=metadata,
        **changes,
    )


def native(ce_type: str, data: Any, **attributes: str) -> Delivery:
    """A native message in binary mode."""
    context = {"ce-id": "e-1", "ce-source": "/analytics", "ce-specversion": "1.0", "ce-type": ce_type}
    return delivery(data, topic="nba-tipoff", attributes={**context, "ce-time": "2026-01-20T11:04:31Z", **attributes})


def native_completion(**changes: Any) -> dict[str, Any]:
    """The data of a native completion that says what `v2()` says."""
    body = {
        "sport": "nba",
        "game_date": "2026-01-19",
        "phase": "analytics",
        "processor_name": "team_offense_game_summary",
        "execution_id": "run-7f3a",
        "status": "success",
        "record_count": 18,
    } | changes
    return {key: value for key, value in body.items() if value is not ...}


def delivery(
    body: Any,
    *,
    topic: str = ANALYTICS_TOPIC,
    message_id: str = "m-1",
    attributes: dict[str, str] | None = None,
    published_at: datetime = NOON,
) -> Delivery:
    """`body` as published, at noon if nothing is said: bytes as they are, anything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(
        topic=topic, message_id=message_id, published_at=published_at, attributes=attributes or {}, data=data
    )


def facts(body: Any, *, topic: str = ANALYTICS_TOPIC, received_at: datetime = NOON) -> list[Fact]:
    """The facts in one message."""
    message = body if isinstance(body, Delivery) else delivery(body, topic=topic)
    return read(message, ROUTING, received_at=received_at)


def fact(body: Any, *, topic: str = ANALYTICS_TOPIC, received_at: datetime = NOON) -> Fact:
    """The only fact in one message."""
    (found,) = facts(body, topic=topic, received_at=received_at)
    return found


def completion(body: Any, *, topic: str = ANALYTICS_TOPIC, received_at: datetime = NOON) -> CompletionRecorded:
    """The completion in one message; shows the rejection where it was rejected."""
    data = fact(body, topic=topic, received_at=received_at).data
    assert isinstance(data, CompletionRecorded), data
    return data


def rejection(body: Any, *, topic: str = ANALYTICS_TOPIC) -> MessageRejected:
    """The rejection of one message."""
    data = fact(body, topic=topic).data
    assert isinstance(data, MessageRejected), data
    return data


def assert_storable(found: Fact) -> None:
    """A fact survives the way into the store and back."""
    event = Event(
        stream=found.stream,
        version=1,
        id=found.id,
        occurred_at=found.occurred_at,
        recorded_at=NOON,
        correlation=found.correlation,
        data=found.data,
    )
    assert decode(encode(event)) == event
