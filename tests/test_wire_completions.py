"""How a run ended: words, names, numbers, instants and contradictions of a completion."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import Fact, RunStarted
from events.wire.names import normalised
from tests.wire_messages import (
    ANALYTICS_TOPIC,
    NOON,
    PREDICTIONS_TOPIC,
    RAW_TOPIC,
    completion,
    fact,
    facts,
    predictions,
    rejection,
    v2,
)


def flags(body: dict[str, Any], topic: str = ANALYTICS_TOPIC) -> set[str]:
    return set(completion(body, topic=topic).flags)


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("success", "SUCCESS", "complete", "completed", "ok", " Success "), "success"),
        (("partial", "auto_heal_pending"), "partial"),
        (("no_data", "no data", "NO-DATA"), "no_data"),
        (("failed", "failure", "error", "auto_heal_failed", "validation_failed"), "failed"),
        (("skipped", "skipped_offseason"), "skipped"),
    ],
)
def test_a_status_word_is_translated_and_the_original_kept(words: tuple[str, ...], status: str) -> None:
    for word in words:
        found = completion(v2(status=word, record_count=...))
        assert (found.status, found.extra.get("status", status)) == (status, word)


@pytest.mark.parametrize(("said", "status"), [(True, "success"), (False, "failed"), ("true", "success")])
def test_success_as_a_bare_truth_value_is_a_status(said: Any, status: str) -> None:
    assert completion({"source_table": "t", "game_date": "2026-01-19", "success": said}).status == status


@pytest.mark.parametrize("said", ["exploded", "", 1, None, ["success"], {}])
def test_a_status_in_no_vocabulary_is_refused(said: Any) -> None:
    assert rejection(v2(status=said)).code == "bad_status"


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("scrape", ["phase_1_scrapers", "phase1", "phase1_scrape", "Phase 1", "scrape", 1, "1"]),
        ("raw", ["phase_2_raw", "phase2", "phase2_raw", "phase_2", "phase2_to_phase3", "raw", 2, "2"]),
        ("analytics", ["phase_3_analytics", "phase3", "phase3_analytics", "phase3_to_phase4", "PHASE_3_ANALYTICS", 3]),
        ("precompute", ["phase_4_precompute", "phase4", "phase4_precompute", "phase4_to_phase5", "phase-4", 4]),
        ("predictions", ["phase_5_predictions", "phase5", "phase5_predictions", "phase5_to_phase6", 5]),
        ("grading", ["phase_5b_grading", "phase5b", "5b", "grading"]),
        ("publishing", ["phase_6_publishing", "phase6", "phase6_publish", "publishing", 6]),
    ],
)
def test_every_vocabulary_of_phases_is_understood(phase: str, words: list[Any]) -> None:
    for word in words:
        assert completion(v2(phase=word), topic="nba-x").phase == phase


@pytest.mark.parametrize("said", ["phase_7", "phase_9_dreams", "analytic", 0, 7, True, 3.0, [], {"phase": 3}])
def test_a_phase_in_no_vocabulary_is_refused(said: Any) -> None:
    found = rejection(v2(phase=said))

    assert found.code == "unknown_phase"
    assert "phase" in found.reason


@pytest.mark.parametrize(
    ("topic", "phase"),
    [
        ("nba-phase1-scrapers-complete", "scrape"),
        ("nba-scraper-complete", "scrape"),
        ("nba-phase2-raw-complete", "raw"),
        ("nba-phase3-analytics-complete", "analytics"),
        ("nba-phase4-precompute-complete", "precompute"),
        ("nba-phase4-processor-complete", "precompute"),
        ("mlb-phase3-analytics-complete", "analytics"),
        ("nba-phase5-predictions-complete", "predictions"),
        ("nba-phase6-export-complete", "publishing"),
        ("nba-grading-complete", "grading"),
        ("projects/p/topics/nba-phase2-raw-complete", "raw"),
        ("nba-phase2-raw-complete-dlq", "raw"),
    ],
)
def test_a_completion_topic_says_the_phase_where_the_message_does_not(topic: str, phase: str) -> None:
    assert completion({"source_table": "t", "game_date": "2026-01-19", "success": True}, topic=topic).phase == phase


@pytest.mark.parametrize("topic", ["nba-phase3-analytics", "nba-phase2-raw", "nba-orchestrator"])
def test_a_subscription_names_its_readers_phase_and_so_says_nothing(topic: str) -> None:
    body = {"source_table": "t", "game_date": "2026-01-19", "success": True}

    assert rejection(body, topic=topic).code == "unknown_phase"


def test_a_phase_that_the_topic_contradicts_is_kept_and_flagged() -> None:
    found = completion(v2(phase="phase_2_raw"), topic=ANALYTICS_TOPIC)

    assert (found.phase, found.flags) == ("raw", ("phase_topic_conflict",))


# --- names and runs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ("PlayerGameSummaryProcessor", "player_game_summary"),
        ("AsyncUpcomingPlayerGameContextProcessor", "upcoming_player_game_context"),
        ("MLFeatureStoreProcessor", "ml_feature_store"),
        ("MlFeatureStoreV2Processor", "ml_feature_store_v2"),
        ("MlbPitcherGameSummaryProcessor", "pitcher_game_summary"),
        ("nba_raw.nbac_player_boxscores", "nbac_player_boxscores"),
        ("project.nba_raw.nbac_player_boxscores", "nbac_player_boxscores"),
        ("p2_bdl_box_scores", "p2_bdl_box_scores"),
        ("BigDataBallPbpProcessor", "big_data_ball_pbp"),
        ("AsyncioProcessor", "asyncio"),
        ("Processor", "processor"),
        ("nba_raw.", "nba_raw."),
    ],
)
def test_a_class_name_and_a_table_name_have_one_spelling(published: str, expected: str) -> None:
    assert normalised(published) == expected


@given(st.text(min_size=1, max_size=200))
def test_a_spelling_is_never_empty_and_stays_as_it_is(name: str) -> None:
    once = normalised(name)

    assert once
    if name.isascii():
        assert normalised(once) == once.rpartition(".")[2] or once.endswith(".")


def test_the_published_spelling_is_kept() -> None:
    assert completion(v2()).published_name == "TeamOffenseGameSummaryProcessor"


@pytest.mark.parametrize(
    "key", ["processor_name", "processor", "scraper_name", "source_table", "analytics_table", "output_table"]
)
def test_a_name_is_read_under_every_key(key: str) -> None:
    body = v2(**{"processor_name": ..., "output_table": ..., key: "team_offense_game_summary"})

    assert completion(body).published_name == "team_offense_game_summary"


@pytest.mark.parametrize("said", ["", None, "None", 7, ["P"], "P" * 201])
def test_without_a_usable_name_a_completion_is_refused(said: Any) -> None:
    body = v2(processor_name=said, output_table=...)

    assert rejection(body).code == "no_processor"


@pytest.mark.parametrize(
    ("body", "run"),
    [
        ({"execution_id": "a", "run_id": "b"}, "a"),
        ({"execution_id": None, "run_id": "b"}, "b"),
        ({"execution_id": "None", "batch_id": "c"}, "c"),
        ({"execution_id": "", "metadata": {"batch_id": "d"}}, "d"),
        ({"execution_id": 17}, "17"),
        ({"execution_id": "None"}, None),
    ],
)
def test_the_run_is_the_first_id_that_says_something(body: dict[str, Any], run: str | None) -> None:
    found = fact(v2(**body, correlation_id=...))

    assert getattr(found.data, "run", "?") == run
    assert found.correlation == (run or "m-1")


def test_the_correlation_id_ties_facts_together_where_there_is_one() -> None:
    assert fact(v2()).correlation == "scr-0119-01"


# --- numbers -----------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**9))
def test_a_whole_number_up_to_a_thousand_million_is_a_count(number: int) -> None:
    assert completion(v2(record_count=number)).record_count == number


@given(
    st.integers(max_value=-1)
    | st.integers(min_value=10**9 + 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer() or not 0 <= x <= 10**9)
    | st.booleans()
    | st.text(max_size=12).filter(lambda text: not (text.isascii() and text.isdigit()))
    | st.lists(st.integers(), max_size=2)
)
def test_anything_else_is_no_count_and_is_refused(said: Any) -> None:
    found = rejection(v2(record_count=said))

    assert found.code == "bad_count"
    assert "record_count" in found.reason


def test_a_count_in_quotes_is_accepted_and_flagged() -> None:
    found = completion(v2(record_count="175", records_failed="2"))

    assert (found.record_count, found.records_failed, found.flags) == (175, 2, ("count_as_text",))


@pytest.mark.parametrize("key", ["graded_count", "records_processed", "row_count", "games_processed"])
def test_a_count_under_another_key_stays_under_it_too_as_that_says_what_was_counted(key: str) -> None:
    found = completion(v2(**{"record_count": ..., key: 9}))

    assert (found.record_count, found.extra[key]) == (9, 9)


def test_no_count_is_not_zero() -> None:
    found = completion(v2(record_count=None))

    assert (found.record_count, found.row_basis, found.flags) == (None, None, ())


@pytest.mark.parametrize("said", [-1, True, "many", 10**10])
def test_a_bad_number_of_failed_records_is_refused(said: Any) -> None:
    assert rejection(v2(records_failed=said)).code == "bad_count"


@pytest.mark.parametrize(
    ("body", "basis"),
    [
        (v2(), "rows"),
        (v2(metadata={"is_incremental": True}), "delta"),
        (v2(metadata={}, is_incremental=True), "delta"),
        (v2(row_basis="games"), "games"),
        (predictions({"completion_pct": 100.0}), "players"),
        (predictions({"completion_pct": 100.0}, row_basis="rows"), "rows"),
    ],
)
def test_what_was_counted_is_said(body: dict[str, Any], basis: str) -> None:
    assert completion(body, topic="nba-x").row_basis == basis


def test_a_duration_that_is_none_is_kept_and_flagged() -> None:
    found = completion(v2(duration_seconds=-3))

    assert (found.duration_seconds, found.extra["duration_seconds"], found.flags) == (None, -3, ("bad_duration",))


# --- the coordinator's numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "metadata",
    [
        {"expected_predictions": 51, "completed_predictions": 51, "completion_pct": 100.0},
        {"expected_players": 51, "completed_players": 51, "completion_percentage": 100.0},
        {"expected_predictions": 51, "completed_players": 51, "completion_pct": "100.0"},
        {"summary": {"expected": 51, "completed": 51, "completion_pct": 100.0}},
    ],
)
def test_the_coordinators_numbers_have_one_name_each(metadata: dict[str, Any]) -> None:
    extra = completion(predictions(metadata), topic=PREDICTIONS_TOPIC).extra

    assert (extra["expected_predictions"], extra["completed_predictions"], extra["completion_pct"]) == (51, 51, 100)
    assert extra["metadata"] == metadata


def test_predictions_without_completion_numbers_are_malformed_and_not_zero() -> None:
    found = completion(predictions({"batch_id": "b"}), topic=PREDICTIONS_TOPIC)

    assert found.flags == ("no_completion_pct",)
    assert "completion_pct" not in found.extra


@pytest.mark.parametrize("said", ["most", -1, True, [100]])
def test_a_completion_percentage_that_is_no_number_is_refused(said: Any) -> None:
    assert rejection(predictions({"completion_pct": said}), topic=PREDICTIONS_TOPIC).code == "bad_count"


# --- contradictions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "flag"),
    [
        (v2(record_count=0), "success_with_zero_rows"),
        (v2(error_message="quota exceeded"), "success_with_error"),
        (v2(status="failed", record_count=12), "failed_with_rows"),
        (v2(status="no_data", record_count=12), "no_data_with_rows"),
        (v2(success=False), "status_vs_success"),
        (v2(status="failed", record_count=0, success=True), "status_vs_success"),
        (v2(sport="mlb"), "sport_topic_conflict"),
        (v2(started_at="2026-01-20T12:00:00+00:00"), "completed_before_started"),
        (v2(timestamp="2026-01-20T11:04:31"), "naive_timestamp"),
        (v2(timestamp="yesterday evening"), "bad_timestamp"),
        (v2(timestamp="2026-01-20T17:05:01+00:00"), "clock_ahead"),
    ],
)
def test_a_contradiction_is_kept_and_flagged(body: dict[str, Any], flag: str) -> None:
    assert flags(body) == {flag}


@pytest.mark.parametrize(
    ("body", "flag"),
    [
        (predictions({"completion_pct": 0}), "success_with_low_pct"),
        (predictions({"completion_pct": 99.9}), "success_with_low_pct"),
        (predictions({"completion_pct": 100, "completed_predictions": 50}), "count_mismatch"),
        (v2(phase="phase_4_precompute", metadata={"rows_processed": 17}), "count_mismatch"),
    ],
)
def test_numbers_that_contradict_the_status_or_each_other_are_flagged(body: dict[str, Any], flag: str) -> None:
    assert flags(body, topic="nba-x") == {flag}


@pytest.mark.parametrize(
    "body",
    [
        v2(),
        v2(status="no_data", record_count=0),
        v2(status="failed", record_count=0, error_type="str", error_message="no"),
        v2(started_at="2026-01-20T11:00:00+00:00"),
        v2(timestamp="2026-01-20T17:05:00+00:00"),
        v2(analysis_date="2026-01-19"),
        predictions({"completion_pct": 100.0, "completed_predictions": 51}),
    ],
)
def test_a_consistent_message_has_no_flags(body: dict[str, Any]) -> None:
    assert flags(body, topic="nba-x") == set()


@pytest.mark.parametrize("error_type", ["type", "str", "transient", "success", None])
def test_the_type_of_an_error_classifies_nothing(error_type: str | None) -> None:
    plain, typed = completion(v2()), completion(v2(error_type=error_type))

    assert (typed.status, typed.flags) == (plain.status, plain.flags)


# --- instants ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-01-20T11:04:31.223771+00:00", datetime(2026, 1, 20, 11, 4, 31, 223771, tzinfo=UTC)),
        ("2026-01-20T11:04:31Z", datetime(2026, 1, 20, 11, 4, 31, tzinfo=UTC)),
        ("2026-01-20T06:04:31-05:00", datetime(2026, 1, 20, 11, 4, 31, tzinfo=UTC)),
        ("2026-01-20 11:04:31 UTC", datetime(2026, 1, 20, 11, 4, 31, tzinfo=UTC)),
        ("2026-01-20T11:04:31", datetime(2026, 1, 20, 11, 4, 31, tzinfo=UTC)),
        ("2026-01-20", NOON),
        ("0001-01-01T00:00:00+14:00", NOON),
        (1768838151, NOON),
        (None, NOON),
    ],
)
def test_it_happened_when_the_sender_says_or_else_when_it_was_published(said: Any, expected: datetime) -> None:
    assert fact(v2(timestamp=said)).occurred_at == expected


def test_an_instant_that_cannot_be_read_is_kept() -> None:
    assert completion(v2(timestamp="yesterday evening")).extra["timestamp"] == "yesterday evening"


# --- older formats -----------------------------------------------------------------------------------------------


def test_a_run_that_goes_on_is_a_start() -> None:
    found = fact(v2(status="running", timestamp=..., started_at="2026-01-20T11:00:00Z"))

    assert isinstance(found.data, RunStarted)
    assert (found.data.phase, found.data.run) == ("analytics", "run-7f3a")
    assert found.occurred_at == datetime(2026, 1, 20, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event_type", "key", "phase", "wire_format"),
    [
        ("raw_data_loaded", "source_table", "raw", "legacy_raw"),
        ("analytics_complete", "analytics_table", "analytics", "legacy_analytics"),
    ],
)
@pytest.mark.parametrize("with_phase", [True, False])
def test_the_oldest_publishers_are_understood(
    event_type: str, key: str, phase: str, wire_format: str, with_phase: bool
) -> None:
    body: dict[str, Any] = {"event_type": event_type, key: "t", "game_date": "2026-01-19", "success": True}
    if with_phase:
        body["phase"] = {"raw": 2, "analytics": 3}[phase]

    found = completion(body, topic="nba-x")

    assert (found.phase, found.wire_format, found.published_name) == (phase, wire_format, "t")


def test_a_ledger_row_without_a_processor_is_noted_and_completes_nothing() -> None:
    row = {"status": "success", "output_table": "nba_raw.t", "game_date": "2026-01-19"}

    assert getattr(fact(row, topic=RAW_TOPIC).data, "kind", None) == "pipeline_event"
    assert completion({**row, "phase": "phase2"}, topic=RAW_TOPIC).published_name == "t"


def test_a_document_gives_one_completion_for_each_processor_and_rejects_a_bad_entry_alone() -> None:
    document = {
        "player_daily_cache": {"status": "success", "record_count": 129, "execution_id": "x1"},
        "player_composite_factors": {"status": "exploded", "execution_id": "x2"},
        "updated_by": "tracker",
        "_completed_count": 2,
        "_triggered": False,
    }

    found = facts(document, topic="firestore:phase4_completion/2026-01-16")

    assert [type(one.data).__name__ for one in found] == ["CompletionRecorded", "MessageRejected"]
    assert _extra(found[0])["document"] == {"updated_by": "tracker", "_completed_count": 2, "_triggered": False}
    assert len({one.id for one in found}) == len(found)


def test_a_document_that_names_one_run_under_two_spellings_says_it_once() -> None:
    document = {
        "player_daily_cache": {"status": "success", "record_count": 129, "execution_id": "x1"},
        "PlayerDailyCacheProcessor": {"status": "success", "record_count": 129, "execution_id": "x1"},
    }

    (found,) = facts(document, topic="firestore:phase4_completion/2026-01-16")

    assert getattr(found.data, "published_name", "") == "player_daily_cache"
    assert _extra(found) == {"PlayerDailyCacheProcessor": document["PlayerDailyCacheProcessor"]}


def test_a_start_keeps_what_is_odd_about_it() -> None:
    found = fact(v2(status="running", timestamp=..., started_at="2026-01-20T11:00:00")).data

    assert getattr(found, "flags", None) == ("naive_timestamp",)


def _extra(found: Fact) -> dict[str, Any]:
    extra: dict[str, Any] = getattr(found.data, "extra", {})
    return extra
