"""What others asked for, did or noted: requests, ledgers, documents and the sport that a message belongs to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from events.catalogue import (
    BeatRecorded,
    Fact,
    MessageRejected,
    ObservationRecorded,
    ProgressReported,
    SchedulePublished,
    WorkflowDecided,
)
from events.values import Game
from tests.wire_messages import ANALYTICS_TOPIC, NOON, completion, fact, facts, rejection, v2

DATED = {"game_date": "2026-01-19"}


def observation(body: dict[str, Any], topic: str = "nba-x") -> ObservationRecorded:
    data = fact(body, topic=topic).data
    assert isinstance(data, ObservationRecorded), data
    return data


# --- requests ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "kind", "phase"),
    [
        ("nba-phase3-trigger", "trigger", "analytics"),
        ("nba-phase4-trigger", "trigger", "precompute"),
        ("nba-predictions-trigger", "trigger", "predictions"),
        ("nba-phase6-export-trigger", "trigger", "publishing"),
        ("nba-grading-trigger", "trigger", "grading"),
        ("nba-scraper-trigger", "heal_request", "scrape"),
        ("nba-backfill-trigger", "heal_request", None),
        ("nba-phase2-fallback-trigger", "heal_request", "raw"),
        ("mlb-phase4-trigger", "trigger", "precompute"),
    ],
)
def test_a_trigger_topic_says_what_was_asked_for(topic: str, kind: str, phase: str | None) -> None:
    found = observation(DATED, topic)

    assert (found.kind, found.phase, found.topic) == (kind, phase, topic)


@pytest.mark.parametrize(
    ("body", "kind", "phase"),
    [
        ({"triggered_by": "phase3_to_phase4_orchestrator"}, "trigger", "precompute"),
        ({"triggered_by": "phase4_timeout_check"}, "trigger", "predictions"),
        ({"export_types": ["tonight"]}, "trigger", "publishing"),
        ({"run_aggregation": True}, "trigger", "grading"),
        ({"triggered_by": "auto_retry", "source_table": "t", "status": "failed"}, "heal_request", None),
        ({"expected_partition": "2026-01-19", "phase": "phase2_raw"}, "heal_request", "raw"),
        ({"backfill_mode": True, "processors": []}, "heal_request", None),
    ],
)
def test_a_request_is_known_without_its_topic(body: dict[str, Any], kind: str, phase: str | None) -> None:
    found = observation({**DATED, **body})

    assert (found.kind, found.phase) == (kind, phase)


def test_a_completion_that_a_request_started_stays_a_completion() -> None:
    row = {"scraper_name": "s", "status": "success", "triggered_by": "scheduler", "retry_count": 0, **DATED}

    assert completion(row, topic="bigquery:nba_orchestration.scraper_execution_log").phase == "scrape"
    assert completion(v2(triggered_by="manual"), topic="nba-phase4-trigger").phase == "analytics"


def test_a_gap_report_is_heard_by_every_date_that_it_names_once() -> None:
    report = {"game_dates": ["2026-01-15", "2026-01-16", "2026-01-15"], "game_ids": ["a", "b"], "gap_type": "boxscore"}

    found = facts(report, topic="nba-boxscore-gaps-detected")

    assert [one.stream for one in found] == ["nba/2026-01-15", "nba/2026-01-16"]
    assert [getattr(one.data, "kind", "") for one in found] == ["heal_request", "heal_request"]
    assert len({one.id for one in found}) == len(found)


@pytest.mark.parametrize("said", [[], "2026-01-15", ["2026-02-30"], ["2026-01-15"] * 32])
def test_a_gap_report_with_unusable_dates_is_refused(said: Any) -> None:
    assert rejection({"game_dates": said}, topic="nba-boxscore-gaps-detected").code == "bad_game_date"


def test_a_request_keeps_what_it_said_and_what_is_odd_about_it() -> None:
    found = observation({**DATED, "timestamp": "2026-01-20T11:00:00", "mode": "overnight"}, "nba-phase4-trigger")

    assert (found.extra, found.flags) == ({"mode": "overnight"}, ("naive_timestamp",))


# --- progress and beats ------------------------------------------------------------------------------------------


def test_a_prediction_made_shows_how_many_and_one_asked_for_does_not() -> None:
    said = {"player_lookup": "exampleplayera", "batch_id": "b", **DATED}

    asked = fact(said, topic="prediction-request-prod").data
    made = fact({**said, "predictions_generated": 7}, topic="prediction-ready").data

    assert isinstance(asked, ProgressReported)
    assert isinstance(made, ProgressReported)
    assert (asked.subject, asked.count, asked.run) == ("exampleplayera", None, "b")
    assert (made.subject, made.count, made.run) == ("exampleplayera", 7, "b")


BEAT = {"processor_name": "P", "run_id": "r", "data_date": "2026-01-19", "last_heartbeat": "2026-01-20T11:37:48Z"}


@pytest.mark.parametrize(
    ("status", "ended"),
    [("running", None), (None, None), ("completed", "success"), ("failed", "failed")],
)
def test_the_last_beat_of_a_run_says_how_it_ended(status: str | None, ended: str | None) -> None:
    found = fact({**BEAT, "status": status, "phase": "phase_3_analytics"}, topic="nba-x")

    assert found.stream == "nba/2026-01-19/pulse"
    assert isinstance(found.data, BeatRecorded)
    assert (found.data.ended, found.data.phase) == (ended, "analytics")
    assert found.data.beat_at == found.occurred_at == datetime(2026, 1, 20, 11, 37, 48, tzinfo=UTC)


def beat(**changes: Any) -> BeatRecorded:
    data = fact({**BEAT, **changes}, topic="nba-x").data
    assert isinstance(data, BeatRecorded), data
    return data


def test_a_beat_keeps_what_it_says_beyond_its_fields() -> None:
    found = beat(status="error", status_message="gave up", failure_reason="quota", metadata={"host": "h-1"})

    assert (found.ended, found.message) == ("failed", "gave up")
    assert found.extra == {"status": "error", "failure_reason": "quota", "metadata": {"host": "h-1"}}


@pytest.mark.parametrize(("said", "flags"), [("2026-01-20T17:05:00Z", ()), ("2026-01-20T17:05:01Z", ("clock_ahead",))])
def test_a_beat_from_more_than_five_minutes_ahead_is_flagged(said: str, flags: tuple[str, ...]) -> None:
    found = beat(last_heartbeat=said)

    assert (found.beat_at, found.flags) == (datetime.fromisoformat(said), flags)


def test_a_beat_whose_instant_cannot_be_read_counts_when_it_was_published() -> None:
    found = beat(last_heartbeat="a minute ago")

    assert (found.beat_at, found.flags, found.extra) == (NOON, ("bad_timestamp",), {"last_heartbeat": "a minute ago"})


def test_a_beat_without_its_own_instant_counts_when_it_was_written() -> None:
    found = beat(last_heartbeat=None, updated_at="2026-01-20T11:37:50Z")

    assert found.beat_at == datetime(2026, 1, 20, 11, 37, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"data_date": "None"}, "no_game_date"),
        ({"processor_name": None}, "no_processor"),
        ({"progress": -1}, "bad_count"),
        ({"total": "many"}, "bad_count"),
        ({"status": "vanished"}, "bad_status"),
    ],
)
def test_a_bad_beat_is_refused(change: dict[str, Any], code: str) -> None:
    assert rejection({**BEAT, **change}, topic="nba-x").code == code


# --- ledgers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"phase_name": "phase2_to_phase3", "is_valid": True, "mode": "warning", "issues": []}, "gate_evaluation"),
        ({"phase_name": "phase2_to_phase3", "is_valid": False, "validation_type": "game_count"}, "gate_evaluation"),
        ({"phase_name": "phase2_to_phase3", "status": "deadline_exceeded"}, "phase_execution"),
        ({"event_type": "processor_start", "phase": "phase_2", "processor_name": "P"}, "pipeline_event"),
        ({"event_type": "error", "phase": "phase_2", "processor_name": "P", "status": "failed"}, "pipeline_event"),
        (
            {"processor_name": "P", "phase": "phase_2", "status": "pending", "next_retry_at": None},
            "pipeline_event",
        ),
    ],
)
def test_a_row_of_an_older_ledger_is_noted_and_decides_nothing(row: dict[str, Any], kind: str) -> None:
    found = observation({**DATED, **row})

    assert (found.kind, found.phase) == (kind, "raw")


def test_a_workflow_decision_belongs_to_the_sport_and_not_to_a_date() -> None:
    row = {"workflow_name": "betting_lines", "action": "SKIP", "decision_time": "2026-01-20T16:00:05Z"}

    found = fact(row, topic="bigquery:nba_orchestration.workflow_decisions")

    assert found.stream == "nba/control"
    assert found.data == WorkflowDecided(
        workflow="betting_lines", action="SKIP", wire_format="workflow_decision", date_basis=""
    )
    assert found.occurred_at == datetime(2026, 1, 20, 16, 0, 5, tzinfo=UTC)


def test_a_workflow_decision_keeps_its_context_and_the_action_as_it_was_written() -> None:
    row = {"workflow": "betting_lines", "action": "skip", "reason": "no games", "context": {"games": 0}}

    found = fact(row, topic="bigquery:nba_orchestration.workflow_decisions").data

    assert isinstance(found, WorkflowDecided)
    assert (found.action, found.reason, found.extra) == (
        "SKIP",
        "no games",
        {"action": "skip", "context": {"games": 0}},
    )


POSTPONED = {"sport": "nba", "game_id": "20260124_GSW_MIN", "original_date": "2026-01-24", "status": "confirmed"}


def test_a_moved_game_leaves_one_date_and_joins_another() -> None:
    found = facts({**POSTPONED, "new_date": "2026-01-25"}, topic="somewhere")

    gone = Game(game_id="20260124_GSW_MIN", status="moved", moved_to="2026-01-25")
    assert [(one.stream, _games(one)) for one in found] == [
        ("nba/2026-01-24", (gone,)),
        ("nba/2026-01-25", (Game(game_id="20260124_GSW_MIN"),)),
    ]


def test_both_dates_of_a_moved_game_keep_the_whole_row_and_its_own_basis() -> None:
    row = {**POSTPONED, "new_date": "2026-01-25", "reason": "ice", "detection_details": {"type": "x"}}

    found = [one.data for one in facts(row, topic="somewhere")]

    rest = {key: value for key, value in row.items() if key not in {"sport", "game_id"}}
    assert [getattr(one, "extra", None) for one in found] == [rest, rest]
    assert [getattr(one, "date_basis", None) for one in found] == ["original_date", "new_date"]
    assert [getattr(one, "wire_format", None) for one in found] == ["postponement", "postponement"]


def test_a_postponed_game_without_a_new_date_only_leaves() -> None:
    (found,) = facts({**POSTPONED, "new_date": None}, topic="somewhere")

    assert _games(found) == (Game(game_id="20260124_GSW_MIN", status="postponed"),)


@pytest.mark.parametrize("status", ["detected", "false_positive", ["confirmed"]])
def test_a_suspected_postponement_changes_no_schedule(status: Any) -> None:
    (found,) = facts({**POSTPONED, "new_date": "2026-01-25", "status": status}, topic="somewhere")

    assert (found.stream, getattr(found.data, "kind", "")) == ("nba/2026-01-24", "pipeline_event")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"new_date": "2026-01-24"}, "bad_game_date"),
        ({"new_date": "soon"}, "bad_game_date"),
        ({"original_date": None}, "bad_game_date"),
        ({"game_id": None}, "no_game_id"),
    ],
)
def test_an_unusable_postponement_is_refused(change: dict[str, Any], code: str) -> None:
    assert rejection({**POSTPONED, **change}, topic="somewhere").code == code


def _games(found: Fact) -> tuple[Game, ...]:
    assert isinstance(found.data, SchedulePublished)
    assert found.data.partial
    return found.data.games


# --- objects and documents ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"bucket": "b", "name": "boxes/2026-01-13/20260114_060533.json", "timeCreated": "2026-01-14T06:05:33Z"},
        {"gcs_path": "gs://b/boxes/2026-01-13/20260114_060533.json", "updated_at": "2026-01-14T06:05:33Z"},
    ],
)
def test_a_scraped_file_is_noted_on_the_date_in_its_path(body: dict[str, Any]) -> None:
    found = fact(body, topic="nba-phase1-scrapers-complete")

    assert found.stream == "nba/2026-01-13"
    assert getattr(found.data, "kind", "") == "object_written"
    assert found.occurred_at == datetime(2026, 1, 14, 6, 5, 33, tzinfo=UTC)


def test_a_scraped_file_without_a_date_in_its_path_is_refused() -> None:
    body = {"bucket": "b", "name": "schedule/season/20260114_060533.json"}

    assert rejection(body, topic="nba-phase1-scrapers-complete").code == "no_game_date"


def test_a_document_that_triggered_says_so_after_its_completions() -> None:
    document = {
        "player_daily_cache": {"status": "success", "execution_id": "x1"},
        "_triggered": True,
        "_triggered_at": "2026-01-15T22:30:30+00:00",
    }

    found = facts(document, topic="firestore:phase4_completion/2026-01-16")

    assert [type(one.data).__name__ for one in found] == ["CompletionRecorded", "ObservationRecorded"]
    assert getattr(found[1].data, "phase", None) == "predictions"
    assert found[1].occurred_at == datetime(2026, 1, 15, 22, 30, 30, tzinfo=UTC)


def test_a_document_happened_when_it_says_that_it_triggered_even_if_it_was_written_later() -> None:
    document = {"_triggered": True, "_triggered_at": "2026-01-15T22:30:30Z", "timestamp": "2026-01-15T23:00:00Z"}

    (found,) = facts(document, topic="firestore:phase4_completion/2026-01-16")

    assert found.occurred_at == datetime(2026, 1, 15, 22, 30, 30, tzinfo=UTC)
    assert getattr(found.data, "extra", {}) == document


def test_what_a_document_says_about_itself_goes_with_the_first_completion_that_is_understood() -> None:
    document = {"a": {"status": "exploded"}, "b": {"status": "success"}, "c": {"status": "success"}, "updated_by": "x"}

    _, second, third = facts(document, topic="firestore:phase4_completion/2026-01-16")

    assert getattr(second.data, "extra", {}) == {"document": {"updated_by": "x"}}
    assert getattr(third.data, "extra", {}) == {}


@pytest.mark.parametrize("document", [{}, {"_completed_count": 0}, {f"p{n}": {} for n in range(201)}])
def test_a_document_without_processors_or_with_too_many_is_refused(document: dict[str, Any]) -> None:
    assert rejection(document, topic="firestore:phase4_completion/2026-01-16").code == "unknown_shape"


# --- the sport ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "change", "sport"),
    [
        ("nba-phase3-analytics-complete", {}, "nba"),
        ("MLB-phase3-analytics-complete", {}, "mlb"),
        ("projects/p/topics/mlb-phase3-analytics-complete", {}, "mlb"),
        ("tipoff-mlb-phase3-analytics-complete", {}, "mlb"),
        ("firestore:mlb_phase3_completion", {}, "mlb"),
        ("orchestrator", {}, "nba"),  # by output_dataset
        ("orchestrator", {"output_dataset": "mlb_analytics"}, "mlb"),
        ("orchestrator", {"output_dataset": ..., "output_table": "mlb_analytics.t"}, "mlb"),
        ("orchestrator", {"sport": "MLB"}, "mlb"),
        ("nba-phase3-analytics-complete", {"sport": "mlb"}, "mlb"),
    ],
)
def test_the_sport_is_the_messages_word_else_the_topics_else_the_datasets(
    topic: str, change: dict[str, Any], sport: str
) -> None:
    found = facts(v2(**change), topic=topic)[0]

    assert found.stream.split("/")[0] == sport


@pytest.mark.parametrize("said", ["curling", "", 7, ["nba"], "nba "])
def test_a_sport_that_is_not_known_is_refused_and_never_replaced_by_the_topics(said: Any) -> None:
    assert rejection(v2(sport=said), topic=ANALYTICS_TOPIC).code == "unknown_sport"


def test_a_message_that_names_no_sport_on_a_topic_that_names_none_is_refused() -> None:
    found = fact(v2(output_dataset=...), topic="wnba-phase3-analytics-complete", received_at=NOON)

    assert isinstance(found.data, MessageRejected)
    assert (found.stream, found.data.code) == ("unknown/control", "unknown_sport")
