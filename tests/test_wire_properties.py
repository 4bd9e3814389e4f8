"""What `read` promises about any message at all."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import MessageRejected
from events.wire import STORED_BYTES_MAX, Delivery, Unreadable, from_line, from_push, read, rejected_line
from tests.wire_messages import (
    ANALYTICS_TOPIC,
    NOON,
    PREDICTIONS_TOPIC,
    RAW_TOPIC,
    ROUTING,
    assert_storable,
    delivery,
    fact,
    facts,
    native,
    native_completion,
    predictions,
    v2,
)

WORDS = (
    *("success", "complete", "FAILED", "running", "no_data", "auto_heal_pending", "nonsense"),
    *("phase_3_analytics", "phase5", "5b", "grading", "phase2_to_phase3", "nba", "mlb", "None"),
    *("2026-01-16", "20260116", "2026-02-30", "today", "AUTO", "2026-01-16T05:00:00Z", "2026-01-16T05:00:00"),
    *("gs://bucket/x/2026-01-16/f.json", "batch_2026-01-19_1", "RUN", "raw_data_loaded", "auto_retry", "175", "-1"),
    *("tipoff.heartbeat", "tipoff.processor.completed", "1.0", "raw_to_analytics"),
)
KEYS = (
    *("processor_name", "scraper_name", "source_table", "output_table", "name", "gcs_path", "bucket"),
    *("phase", "status", "success", "execution_id", "run_id", "batch_id", "correlation_id", "sport"),
    *("game_date", "analysis_date", "target_date", "start_date", "end_date", "timestamp", "started_at"),
    *("record_count", "records_failed", "duration_seconds", "error_message", "metadata", "games", "row_basis"),
    *("last_heartbeat", "progress", "total", "event_type", "recovery", "player_lookup", "predictions_generated"),
    *("workflow_name", "action", "original_date", "new_date", "game_id", "phase_name", "triggered_by"),
    *("game_dates", "export_types", "force", "published", "completion_pct", "summary", "expected_players"),
    *("_triggered", "_completed_count", "specversion", "id", "source", "type", "data", "measures", "boundary"),
    *("failure_reason", "status_message", "message", "workflow", "reason", "context", "ce", "attributes", "document"),
    *("updated_at", "confirmed_at", "row_count", "graded_count", "reason", "new_date"),
)
TOPICS = (
    *(RAW_TOPIC, ANALYTICS_TOPIC, PREDICTIONS_TOPIC, "nba-phase4-trigger", "nba-scraper-trigger"),
    *("prediction-ready", "firestore:phase4_completion/2026-01-16", "firestore:processor_heartbeats/x"),
    *("bigquery:nba_orchestration.workflow_decisions", "http:/process-date", "somewhere", ""),
)

scalars = (
    st.sampled_from(WORDS)
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner),
    max_leaves=6,
)
bodies = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), values, max_size=8)
attributes = st.dictionaries(
    st.sampled_from(("ce-type", "ce-id", "ce-source", "ce-specversion", "ce-time", "content-type", "game_date", "x")),
    st.sampled_from((*WORDS, "application/cloudevents+json")) | st.text(max_size=10),
    max_size=6,
)
topics = st.sampled_from(TOPICS) | st.text(max_size=20)

UNDERSTOOD: list[Delivery] = [
    delivery(v2()),
    delivery(v2(status="failed", record_count=0, error_message="no")),
    delivery(predictions({"expected_players": 51, "completed_players": 40, "completion_pct": 78.4})),
    delivery({"source_table": "player_game_summary", "analysis_date": "2026-01-19", "success": True}),
    delivery({"scraper_name": "s", "gcs_path": "gs://b/x/2026-01-19/f.json", "status": "success"}, topic="nba-x"),
    delivery({"bucket": "b", "name": "x/2026-01-19/f.json"}, topic="nba-x"),
    delivery(
        {"processor_name": "P", "data_date": "2026-01-19", "last_heartbeat": "2026-01-20T11:00:00Z"}, topic="nba-h"
    ),
    delivery({"player_lookup": "a", "game_date": "2026-01-19", "predictions_generated": 7}, topic="prediction-ready"),
    delivery({"game_date": "2026-01-19"}, topic="nba-predictions-trigger"),
    delivery({"workflow_name": "betting_lines", "action": "SKIP"}, topic="nba-decisions"),
    delivery({"original_date": "2026-01-24", "new_date": "2026-01-25", "game_id": "20260124_GSW_MIN"}, topic="nba-x"),
    native("tipoff.processor.completed", native_completion()),
]
"""One message of each family."""

ALSO_UNDERSTOOD: list[Delivery] = [
    delivery(v2(status="running", started_at="2026-01-20T11:00:00Z")),
    delivery(v2(status="complete", record_count=..., row_count=9)),
    delivery({"workflow": "betting_lines", "action": "skip", "reason": "no games"}, topic="nba-decisions"),
    delivery({"processor_name": "P", "date": "2026-01-19", "last_heartbeat": None, "status": "done"}, topic="nba-h"),
    delivery({"event_type": "raw_data_loaded", "source_table": "t", "success": True, "game_date": "2026-01-19"}),
    delivery({"event_type": "error", "phase": "phase_2", "processor_name": "P", "game_date": "2026-01-19"}),
    delivery({"game_dates": ["2026-01-18", "2026-01-19"], "gap_type": "boxscore"}, topic="nba-boxscore-gaps-detected"),
    delivery({"published": 51, "batch_id": "batch_2026-01-19_1"}, topic="nba-x"),
    delivery({"x": {"status": "success", "execution_id": "1"}}, topic="firestore:phase4_completion/2026-01-16"),
]
"""Messages whose facts are several, or depend on the order of their keys."""


@given(st.binary(max_size=300), topics, attributes)
def test_any_bytes_give_storable_facts_and_never_an_error(data: bytes, topic: str, about: dict[str, str]) -> None:
    message = delivery(data, topic=topic, attributes=about)

    for found in read(message, ROUTING, received_at=NOON):
        assert_storable(found)


@given(bodies, topics, attributes)
def test_any_object_gives_storable_facts_and_never_an_error(
    body: dict[str, Any], topic: str, about: dict[str, str]
) -> None:
    found = read(delivery(body, topic=topic, attributes=about), ROUTING, received_at=NOON)

    assert found
    assert len({one.id for one in found}) == len(found)
    for one in found:
        assert_storable(one)


@given(st.sampled_from(UNDERSTOOD), bodies)
def test_no_change_to_a_good_message_makes_an_error(message: Delivery, changes: dict[str, Any]) -> None:
    body = json.loads(message.data) | changes
    changed = delivery(body, topic=message.topic, attributes=message.attributes)

    for found in read(changed, ROUTING, received_at=NOON):
        assert_storable(found)


@given(bodies, topics)
def test_the_same_delivery_gives_the_same_facts(body: dict[str, Any], topic: str) -> None:
    assert facts(body, topic=topic) == facts(body, topic=topic)


@given(st.sampled_from(UNDERSTOOD), st.randoms())
def test_the_order_of_keys_changes_nothing(message: Delivery, chance: Any) -> None:
    items = list(json.loads(message.data).items())
    chance.shuffle(items)
    shuffled = delivery(dict(items), topic=message.topic, attributes=message.attributes)

    assert facts(shuffled) == facts(message)


@given(st.sampled_from(UNDERSTOOD), st.dictionaries(st.text(max_size=8).map("x_{}".format), values, max_size=4))
def test_unknown_keys_change_nothing_but_extra(message: Delivery, unknown: dict[str, Any]) -> None:
    body = json.loads(message.data)
    more = delivery(body | unknown, topic=message.topic, attributes=message.attributes)

    plain, wider = facts(message), facts(more)

    assert [without_extra(one) for one in wider] == [without_extra(one) for one in plain]
    for one, other in zip(plain, wider, strict=True):
        assert getattr(other.data, "extra", None) == getattr(one.data, "extra", {}) | unknown


def without_extra(found: Any) -> list[Any]:
    """A fact as a list of what it says, `extra` aside."""
    fields = {name: getattr(found.data, name) for name in found.data.__struct_fields__ if name != "extra"}
    return [found.stream, found.id, found.occurred_at, found.correlation, fields]


@given(st.sampled_from(UNDERSTOOD), st.text(min_size=1, max_size=10))
def test_a_redelivery_keeps_the_id_and_only_a_run_survives_a_new_message_id(message: Delivery, other: str) -> None:
    again = delivery(message.data, topic=message.topic, attributes=message.attributes, message_id=f"m-1{other}")
    ids, republished = [one.id for one in facts(message)], [one.id for one in facts(again)]

    has_key = b"execution_id" in message.data or message.attributes.get("ce-id") is not None
    assert [one.id for one in facts(message)] == ids
    assert (republished == ids) is has_key


@given(
    st.dates().filter(lambda day: 1900 <= day.year <= 2100),
    st.text(alphabet="abcdef0123456789-", min_size=1, max_size=36),
    st.sampled_from(["success", "partial", "no_data", "failed", "skipped"]),
    st.sampled_from(
        [
            ("PlayerGameSummaryProcessor", "player_game_summary"),
            ("AsyncUpcomingPlayerGameContextProcessor", "upcoming_player_game_context"),
            ("MLFeatureStoreProcessor", "nba_predictions.ml_feature_store"),
            ("MlbPitcherGameSummaryProcessor", "pitcher_game_summary"),
        ]
    ),
)
def test_one_run_said_in_any_format_is_one_fact(day: Any, run: str, status: str, names: tuple[str, str]) -> None:
    date, (class_name, table) = day.isoformat(), names
    said = {"execution_id": run, "game_date": date, "status": status}
    messages = [
        delivery(v2(**said, processor_name=class_name), message_id="1"),
        delivery(v2(**said, processor_name=table, phase=3), message_id="2"),
        delivery({"source_table": table, **said}, message_id="3"),
        delivery({"event_type": "analytics_complete", "analytics_table": table, "phase": 3, **said}, message_id="4"),
        delivery({"run_id": run, "analysis_date": date, "processor": class_name, "status": status}, message_id="5"),
        delivery(
            {table: {"status": status, "execution_id": run}},
            topic=f"firestore:nba_phase3_completion/{date}",
            message_id="6",
        ),
        native("tipoff.processor.completed", native_completion(**said, processor_name=table)),
    ]

    assert len({(fact(message).stream, fact(message).id) for message in messages}) == 1


def test_a_scrape_said_in_v1_and_v2_is_one_fact() -> None:
    said = {"execution_id": "5d0e", "game_date": "2026-01-12", "status": "success", "record_count": 204}
    path = "gs://b/boxes/2026-01-12/20260113_030517.json"

    v1 = fact({"scraper_name": "bdl_box_scores", "gcs_path": path, **said}, topic="nba-phase1-scrapers-complete")
    unified = fact(
        v2(processor_name="bdl_box_scores", phase="phase_1_scrapers", metadata={"gcs_path": path}, **said),
        topic="nba-phase1-scrapers-complete",
    )

    assert v1.id == unified.id


@given(st.sampled_from(["execution_id", "status", "phase", "game_date", "processor_name"]))
def test_another_run_status_phase_date_or_processor_is_another_fact(key: str) -> None:
    other = {
        "execution_id": "run-2",
        "status": "partial",
        "phase": "phase_4_precompute",
        "game_date": "2026-01-18",
        "processor_name": "TeamDefenseGameSummaryProcessor",
    }

    assert fact(v2()).id != fact(v2(**{key: other[key]})).id


envelopes = st.dictionaries(st.sampled_from(["topic", "message", "subscription"]), values).map(json.dumps)
lines = st.binary(max_size=200) | envelopes.map(str.encode)


def unreadable(reader: Callable[[bytes], Delivery], line: bytes) -> Unreadable | None:
    """Why `line` could not be read, or None where it could."""
    try:
        assert reader(line).published_at.utcoffset() is not None
    except Unreadable as error:
        return error
    return None


@given(lines)
def test_a_line_is_a_delivery_or_a_storable_rejection_that_says_what_to_do(line: bytes) -> None:
    error = unreadable(from_line, line)

    if error is not None:
        assert "" not in {error.code, error.reason, error.next_step}
        assert_storable(rejected_line(line, error, received_at=NOON))


@given(lines)
def test_a_push_is_a_delivery_or_a_storable_rejection_that_says_what_to_do(body: bytes) -> None:
    error = unreadable(partial(from_push, received_at=NOON), body)

    if error is not None:
        assert "" not in {error.code, error.reason, error.next_step}
        assert_storable(rejected_line(body, error, received_at=NOON))


@given(st.binary(min_size=1, max_size=400))
def test_a_rejection_keeps_the_original_bytes(data: bytes) -> None:
    for found in facts(delivery(data)):
        if isinstance(found.data, MessageRejected):
            assert b64decode(found.data.data) == data
            assert found.data.size == len(data) <= STORED_BYTES_MAX
