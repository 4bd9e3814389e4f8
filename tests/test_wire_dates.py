"""The game date of a message: said, resolved or refused, and never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire_messages import NOON, completion, delivery, fact, rejection, v2

SPRING_FORWARD = datetime(2026, 3, 8, 7, 0, tzinfo=UTC)
FALL_BACK = datetime(2025, 11, 2, 6, 0, tzinfo=UTC)
"""The instants at which New York's clocks change in the season 2025-26 (US law: 02:00 local time)."""

SEASON_BEGINS = datetime(2025, 10, 1, tzinfo=UTC)

OFFSETS = {"yesterday": -1, "today": 0, "tomorrow": 1, "AUTO": -1, "TODAY": 0, "Yesterday": -1}


def eastern_date(instant: datetime) -> date:
    """The calendar date in New York between 9 March 2025 and 1 November 2026, by the two clock changes alone."""
    standard = FALL_BACK <= instant < SPRING_FORWARD
    return (instant - timedelta(hours=5 if standard else 4)).date()


@pytest.mark.parametrize("change", [FALL_BACK, SPRING_FORWARD])
@given(minutes=st.integers(-3 * 24 * 60, 3 * 24 * 60), word=st.sampled_from(list(OFFSETS)))
def test_date_words_mean_the_leagues_day_at_publish_time_around_both_clock_changes(
    change: datetime, minutes: int, word: str
) -> None:
    published_at = change + timedelta(minutes=minutes)

    found = fact(delivery({"target_date": word}, topic="nba-grading-trigger", published_at=published_at))

    expected = eastern_date(published_at) + timedelta(days=OFFSETS[word])
    assert found.stream == f"nba/{expected}"
    assert getattr(found.data, "date_basis", None) == f"target_date={word}"


@pytest.mark.parametrize(
    ("published_at", "expected"),
    [
        ("2026-01-17T04:59:59Z", "2026-01-16"),
        ("2026-01-17T05:00:00Z", "2026-01-17"),
        ("2025-11-02T03:59:59Z", "2025-11-01"),
        ("2025-11-02T04:00:00Z", "2025-11-02"),
        ("2025-11-03T04:59:59Z", "2025-11-02"),
        ("2025-11-03T05:00:00Z", "2025-11-03"),
        ("2026-03-08T04:59:59Z", "2026-03-07"),
        ("2026-03-09T03:59:59Z", "2026-03-08"),
        ("2026-03-09T04:00:00Z", "2026-03-09"),
    ],
)
def test_today_changes_at_midnight_in_new_york(published_at: str, expected: str) -> None:
    published = datetime.fromisoformat(published_at)

    found = fact(delivery({"target_date": "today"}, topic="nba-grading-trigger", published_at=published))

    assert found.stream == f"nba/{expected}"


@pytest.mark.parametrize("key", ["game_date", "analysis_date", "data_date", "target_date", "date"])
def test_every_date_key_is_read_and_named_as_the_basis(key: str) -> None:
    found = completion(v2(**{"game_date": ..., key: "2026-01-16"}))

    assert (found.date_basis, found.flags) == (key, ())


def test_the_most_specific_date_key_counts_and_a_disagreeing_one_is_flagged() -> None:
    found = fact(v2(game_date="2026-01-16", target_date="2026-01-17", analysis_date="2026-01-16"))

    assert found.stream == "nba/2026-01-16"
    assert getattr(found.data, "flags", None) == ("date_conflict",)


@pytest.mark.parametrize("absent", [None, "", "None", "null"])
def test_a_date_key_that_says_nothing_gives_way_to_the_next(absent: str | None) -> None:
    assert fact(v2(game_date=absent, analysis_date="2026-01-16")).stream == "nba/2026-01-16"


def test_a_compact_date_is_a_date_and_the_basis_shows_it() -> None:
    found = fact(v2(game_date="20260116"))

    assert found.stream == "nba/2026-01-16"
    assert getattr(found.data, "date_basis", None) == "game_date=20260116"


@pytest.mark.parametrize(
    ("body", "basis"),
    [
        ({"metadata": {"game_date": "2026-01-16"}}, "metadata.game_date"),
        ({"metadata": {"gcs_path": "gs://b/boxes/2026-01-16/20260117_060533.json"}}, "metadata.gcs_path"),
        ({"gcs_path": "gs://b/boxes/2026-01-16/20260117_060533.json"}, "gcs_path"),
        ({"gcs_path": "gs://b/boxes/date=2026-01-16/part-0.json"}, "gcs_path"),
        ({"gcs_path": "gs://b/boxes/2026-01-16.json"}, "gcs_path"),
        ({"metadata": {"batch_id": "batch_2026-01-16_1768838151"}}, "batch_id"),
        ({"start_date": "2026-01-16", "end_date": "2026-01-16"}, "start_date=end_date"),
    ],
)
def test_a_date_may_stand_elsewhere_in_the_message(body: dict[str, Any], basis: str) -> None:
    found = fact(v2(game_date=..., **body))

    assert found.stream == "nba/2026-01-16"
    assert getattr(found.data, "date_basis", None) == basis


def test_a_date_may_stand_in_the_attributes() -> None:
    message = delivery(v2(game_date=...), attributes={"game_date": "2026-01-16"})

    assert getattr(fact(message).data, "date_basis", None) == "attributes.game_date"


@pytest.mark.parametrize(
    "said",
    [
        *("2026-02-30", "2026-13-01", "2026-1-16", "2026/01/16", "16-01-2026", "2026-W03-5", "20260230"),
        *("2026-01-16T05:00:00Z", "2026-01-17 03:30:00", "now", "day", "0026-01-16", "2026-01-1\uff16"),
        *(20260116, 1768838151, True, ["2026-01-16"], {"date": "2026-01-16"}),
    ],
)
def test_what_is_no_calendar_date_is_refused_even_where_another_key_has_one(said: Any) -> None:
    found = rejection(v2(game_date=said, target_date="2026-01-16"))

    assert found.code == "bad_game_date"
    assert "game_date" in found.reason


def test_a_range_of_several_dates_is_refused() -> None:
    found = rejection(v2(game_date=..., start_date="2026-01-15", end_date="2026-01-16"))

    assert found.code == "bad_game_date"


@given(st.integers(0, 270 * 24 * 60).map(lambda minutes: (SEASON_BEGINS + timedelta(minutes=minutes)).isoformat()))
def test_a_game_date_is_never_taken_from_a_timestamp(at: str) -> None:
    compact = at[:19].replace("-", "").replace(":", "").replace("T", "_")
    body = v2(
        game_date=...,
        timestamp=at,
        triggered_at=at,
        execution_id=f"run_{compact}",
        gcs_path=f"gs://b/boxes/{compact}.json",
        metadata={"extract_time": at},
    )

    assert rejection(body).code == "no_game_date"


def test_a_rejected_date_does_not_open_a_stream() -> None:
    found = fact(v2(game_date="2026-02-30"))

    assert found.stream == "nba/control"


def test_a_completion_document_takes_its_date_from_its_name() -> None:
    body = {"ml_feature_store": {"status": "success", "completed_at": "2026-01-15T18:31:10+00:00"}}

    found = fact(body, topic="firestore:phase4_completion/2026-01-16")

    assert found.stream == "nba/2026-01-16"


@pytest.mark.parametrize("said", ["2026-01-19", "today"])
def test_a_late_delivery_of_a_message_names_the_same_date(said: str) -> None:
    message = delivery(v2(game_date=said), published_at=datetime(2026, 1, 19, 17, tzinfo=UTC))

    late = fact(message, received_at=NOON + timedelta(days=40))

    assert (late.stream, late.id) == ("nba/2026-01-19", fact(message).id)
