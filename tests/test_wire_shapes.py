"""Every shape that real publishers have sent becomes the right events: streams, types and the fields that decide."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.catalogue import Fact
from events.said import Said
from events.wire import Delivery, from_push, read
from tests.test_wire_nothing_dropped import unsaid
from tests.wire_messages import NOON, ROUTING, assert_storable, delivery

AFTERNOON = datetime(2026, 1, 31, 20, 0, tzinfo=UTC)
PLACEHOLDER = {"{game_date}": "2026-01-16"}  # the file leaves the document's name open; a real one has a date

DONE = "completion_recorded"
SEEN = "observation_recorded"
STEP = "progress_reported"
BEAT = "beat_recorded"
GAMES = "schedule_published"

Expected = list[tuple[str, str, dict[str, Any]]]


def done(date: str, phase: str, status: str = "success", **fields: Any) -> Expected:
    return [(f"nba/{date}", DONE, {"phase": phase, "status": status, **fields})]


def seen(date: str, kind: str, phase: str | None, **fields: Any) -> Expected:
    return [(f"nba/{date}", SEEN, {"kind": kind, "phase": phase, **fields})]


SHAPES: dict[str, Expected] = {
    "phase1.scraper_complete.unified.success": done("2026-01-13", "scrape", record_count=175, run="7f1c2a90"),
    "phase1.scraper_complete.unified.no_data": done("2026-01-15", "scrape", "no_data", record_count=0),
    "phase1.scraper_complete.unified.failed": done(
        "2026-01-24", "scrape", "failed", error_message="Max decode/download retries reached: 8"
    ),
    "phase1.scraper_complete.v1": done("2026-01-12", "scrape", wire_format="v1", record_count=204),
    "phase1.scraper_complete.recovery": done(
        "2026-01-20", "scrape", wire_format="recovery", date_basis="gcs_path", run="recovery-1b8e40fd"
    ),
    "phase1.gcs_object_finalize": seen("2026-01-13", "object_written", "scrape", date_basis="object_name"),
    "phase2.processor_complete.unified": done(
        "2026-01-13", "raw", published_name="NbacPlayerBoxscoreProcessor", row_basis="rows"
    ),
    "phase2.processor_complete.zero_rows": done("2026-01-12", "raw", flags=["success_with_zero_rows"]),
    "phase2.minimal.source_table": done("2026-01-16", "raw", wire_format="minimal", record_count=None),
    "phase3.trigger.orchestrator": seen("2026-01-13", "trigger", "analytics"),
    "phase3.processor_complete.unified": done("2026-01-13", "analytics", row_basis="delta", record_count=155),
    "phase3.processor_complete.failed": done("2026-01-25", "analytics", "failed", flags=None),
    "phase3.minimal.source_table": done("2026-01-13", "analytics", date_basis="analysis_date"),
    "phase4.trigger.combined_pre_feb2026": seen("2026-01-13", "trigger", "precompute"),
    "phase4.trigger.per_table": seen("2026-01-13", "trigger", "precompute"),
    "phase4.processor_complete.unified": done("2026-01-19", "precompute", record_count=129, flags=None),
    "phase5.trigger.orchestrator": seen("2026-01-14", "trigger", "predictions"),
    "phase5.trigger.timeout_check": seen("2026-01-16", "trigger", "predictions"),
    "phase5.trigger.manual": seen("2026-01-27", "trigger", "predictions"),
    "phase5.prediction_request": [
        ("nba/2026-01-19", STEP, {"phase": "predictions", "subject": "exampleplayera", "count": None})
    ],
    "phase5.prediction_ready": [
        ("nba/2026-01-19", STEP, {"phase": "predictions", "subject": "exampleplayera", "count": 7})
    ],
    "phase5.predictions_complete.in_memory_path": done(
        "2026-01-19", "predictions", row_basis="players", record_count=51, flags=None
    ),
    "phase5.predictions_complete.firestore_path": done(
        "2026-01-19", "predictions", row_basis="players", record_count=51, flags=None
    ),
    "phase5.coordinator_start_reply": seen("2026-01-19", "reply", "predictions", date_basis="batch_id"),
    "phase6.export_trigger.orchestrator": seen("2026-01-19", "trigger", "publishing"),
    "phase6.export_complete": done("2026-01-19", "publishing", run=None, date_basis="target_date"),
    "grading.trigger.scheduler": seen("2026-01-30", "trigger", "grading", date_basis="target_date=yesterday"),
    "grading.trigger.coverage": seen("2026-01-30", "trigger", "grading"),
    "grading.complete": done("2026-01-30", "grading", record_count=134, run=None),
    "heal.backfill_request": seen("2026-01-15", "heal_request", "raw"),
    "heal.rescrape": seen("2026-01-15", "heal_request", "scrape", date_basis="date"),
    "heal.http.process_date": seen("2026-01-16", "heal_request", "precompute"),
    "heal.http.process_date_range": seen("2026-02-22", "heal_request", "analytics", date_basis="start_date=end_date"),
    "heal.http.start_predictions": seen("2026-01-19", "heal_request", "predictions"),
    "heal.http.self_heal": seen("2026-01-20", "heal_request", None),
    "heartbeat.running": [("nba/2026-01-24/pulse", BEAT, {"progress": 40, "total": 121, "ended": None})],
    "heartbeat.final": [("nba/2026-01-24/pulse", BEAT, {"progress": 121, "ended": "success"})],
    "state.completion_doc": [
        ("nba/2026-01-16", DONE, {"phase": "precompute", "published_name": "ml_feature_store", "run": "x1"}),
        ("nba/2026-01-16", DONE, {"phase": "precompute", "published_name": "player_shot_zone_analysis"}),
        ("nba/2026-01-16", DONE, {"phase": "precompute", "published_name": "team_defense_zone_analysis"}),
        ("nba/2026-01-16", SEEN, {"kind": "trigger", "phase": "predictions", "date_basis": "document"}),
    ],
    "row.workflow_decision": [("nba/control", "workflow_decided", {"workflow": "betting_lines", "action": "SKIP"})],
    "row.phase_boundary_validation": seen("2026-01-15", "gate_evaluation", "raw"),
    "row.phase_execution": seen("2026-01-13", "phase_execution", "analytics"),
    "row.pipeline_event": seen("2026-01-24", "pipeline_event", "raw"),
    "row.postponement": [
        (
            "nba/2026-01-24",
            GAMES,
            {
                "partial": True,
                "games": [{"game_id": "0022500644", "status": "moved", "moved_to": "2026-01-25"}],
            },
        ),
        ("nba/2026-01-25", GAMES, {"partial": True, "games": [{"game_id": "0022500644"}]}),
    ],
    "envelope.pubsub_push": done("2026-01-13", "raw", published_name="NbacPlayerBoxscoreProcessor"),
    "envelope.pubsub_push.empty_probe": [],
}


@pytest.fixture(scope="module")
def shapes(shared_data: Path) -> dict[str, dict[str, Any]]:
    """The recorded shapes by kind."""
    lines = (shared_data / "message_shapes.jsonl").read_text(encoding="utf-8").splitlines()
    return {shape["kind"]: shape for shape in map(json.loads, lines)}


def delivered(shape: dict[str, Any], *, as_recorded: bool = False) -> Delivery:
    """The shape as it would arrive; the placeholder in a document's name filled in, unless asked otherwise."""
    body = json.dumps(shape["data"]).encode()
    if shape["kind"].startswith("envelope."):
        return from_push(body, received_at=AFTERNOON)
    topic = shape["topic"]
    for placeholder, date in PLACEHOLDER.items():
        topic = topic if as_recorded else topic.replace(placeholder, date)
    return delivery(body, topic=topic, published_at=AFTERNOON)


def said(fact: Fact) -> dict[str, Any]:
    """The stored form of a fact's data."""
    stored: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(fact.data))
    return stored


def test_the_expectations_name_every_recorded_shape(shapes: dict[str, dict[str, Any]]) -> None:
    assert sorted(SHAPES) == sorted(shapes)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_recorded_shape_becomes_its_events(kind: str, shapes: dict[str, dict[str, Any]]) -> None:
    found = read(delivered(shapes[kind]), ROUTING, received_at=AFTERNOON)

    assert [(fact.stream, said(fact)["type"]) for fact in found] == [(to, what) for to, what, _ in SHAPES[kind]]
    for fact, (_, _, fields) in zip(found, SHAPES[kind], strict=True):
        stored = said(fact)
        assert {key: stored.get(key) for key in fields} == fields
        assert_storable(fact)


@pytest.mark.parametrize("kind", [kind for kind in SHAPES if not kind.startswith("envelope.")])
def test_nothing_of_a_recorded_shape_is_dropped(kind: str, shapes: dict[str, dict[str, Any]]) -> None:
    found = read(delivered(shapes[kind]), ROUTING, received_at=AFTERNOON)

    assert unsaid(shapes[kind]["data"], found) == []


@pytest.mark.parametrize("kind", SHAPES)
def test_every_event_says_in_which_shape_it_came(kind: str, shapes: dict[str, dict[str, Any]]) -> None:
    for fact in read(delivered(shapes[kind]), ROUTING, received_at=AFTERNOON):
        assert isinstance(fact.data, Said)
        assert fact.data.wire_format != ""
        assert (fact.data.date_basis == "") is fact.stream.endswith("/control")


def test_a_document_named_by_a_placeholder_is_rejected_and_told_so(shapes: dict[str, dict[str, Any]]) -> None:
    (fact,) = read(delivered(shapes["state.completion_doc"], as_recorded=True), ROUTING, received_at=NOON)

    assert fact.stream == "nba/control"
    assert said(fact)["code"] == "bad_game_date"
    assert "{game_date}" in said(fact)["reason"]


def test_the_pushed_envelope_and_its_content_sent_directly_are_one_fact(shapes: dict[str, dict[str, Any]]) -> None:
    pushed = read(delivered(shapes["envelope.pubsub_push"]), ROUTING, received_at=AFTERNOON)
    direct = read(delivered(shapes["phase2.processor_complete.unified"]), ROUTING, received_at=AFTERNOON)

    assert pushed == direct
