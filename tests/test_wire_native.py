"""Native messages: conformance to CloudEvents 1.0 in both modes, and a contract whose every breach is named."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from events.catalogue import (
    BeatRecorded,
    CompletionRecorded,
    MeasuresObserved,
    RunStarted,
    SchedulePublished,
    WorkflowDecided,
)
from events.values import Game, Measure
from events.wire import Delivery
from tests.wire_messages import NOON, assert_storable, delivery, fact, native, native_completion, rejection, v2

SAID_AT = datetime(2026, 1, 20, 11, 4, 31, tzinfo=UTC)
DATED = {"sport": "nba", "game_date": "2026-01-19"}
RUN = {**DATED, "phase": "analytics", "processor_name": "team_offense_game_summary", "execution_id": "run-7f3a"}
GAME = {"game_id": "20260119_MIA_GSW", "away": "MIA", "home": "GSW", "start_utc": "2026-01-20T03:00:00Z"}

MESSAGES: dict[str, tuple[dict[str, Any], str, type]] = {
    "tipoff.schedule.published": (
        {**DATED, "games": [{**GAME, "status": "scheduled"}], "as_of": "2026-01-19T15:00:00Z"},
        "nba/2026-01-19",
        SchedulePublished,
    ),
    "tipoff.processor.started": (RUN, "nba/2026-01-19", RunStarted),
    "tipoff.processor.completed": (
        {**RUN, "status": "success", "record_count": 18, "games": ["20260119_MIA_GSW"]},
        "nba/2026-01-19",
        CompletionRecorded,
    ),
    "tipoff.heartbeat": ({**RUN, "progress": 3, "total": 9}, "nba/2026-01-19/pulse", BeatRecorded),
    "tipoff.measures.observed": (
        {
            **DATED,
            "boundary": "raw_to_analytics",
            "measures": {"games_expected": {"value": 9}, "players": {"error": "403"}},
        },
        "nba/2026-01-19",
        MeasuresObserved,
    ),
    "tipoff.workflow.decided": (
        {"sport": "nba", "workflow": "betting_lines", "action": "RUN", "reason": "window open"},
        "nba/control",
        WorkflowDecided,
    ),
}


def event(ce_type: str, data: dict[str, Any]) -> CloudEvent:
    """A CloudEvent as the CNCF's own library makes it."""
    attributes = {
        "id": "e-1",
        "source": "/analytics",
        "type": ce_type,
        "specversion": "1.0",
        "time": SAID_AT,
        "subject": "nba/2026-01-19",
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes=attributes, data=data)


def carried(message: Any) -> Delivery:
    """An HTTP message of the library as a Pub/Sub delivery: headers are attributes."""
    return delivery(message.body, topic="nba-tipoff", attributes=dict(message.headers))


@pytest.mark.parametrize("ce_type", MESSAGES)
def test_both_modes_of_the_standard_library_are_one_and_the_same_fact(ce_type: str) -> None:
    data, stream, kind = MESSAGES[ce_type]

    binary = fact(carried(to_binary(event(ce_type, data), JSONFormat())))
    structured = fact(carried(to_structured(event(ce_type, data), JSONFormat())))

    assert (binary.stream, type(binary.data), binary.occurred_at) == (stream, kind, SAID_AT)
    assert (structured.stream, structured.id, structured.occurred_at) == (stream, binary.id, SAID_AT)
    assert type(structured.data) is kind
    assert_storable(binary)
    assert_storable(structured)


@pytest.mark.parametrize("ce_type", MESSAGES)
def test_structured_mode_needs_no_content_type(ce_type: str) -> None:
    data, stream, _ = MESSAGES[ce_type]
    message = to_structured(event(ce_type, data), JSONFormat())

    assert fact(delivery(message.body, topic="nba-tipoff")).stream == stream


@pytest.mark.parametrize("said", [b"not JSON", b"[7]", b"[" * 500 + b"]" * 500, b'{"a":' * 65 + b"1" + b"}" * 65])
def test_structured_data_in_base64_is_held_to_the_same_bounds(said: bytes) -> None:
    body = {"specversion": "1.0", "id": "e-1", "source": "/a", "type": "tipoff.workflow.decided"}

    found = rejection({**body, "data_base64": b64encode(said).decode()})

    assert (found.code, "data_base64" in found.reason) == ("bad_native", True)


def test_structured_data_may_be_in_base64() -> None:
    body = {"specversion": "1.0", "id": "e-1", "source": "/a", "type": "tipoff.workflow.decided"}
    data, stream, _ = MESSAGES["tipoff.workflow.decided"]

    found = fact(delivery({**body, "data_base64": b64encode(json.dumps(data).encode()).decode()}))

    assert found.stream == stream


@pytest.mark.parametrize("ce_type", [kind for kind in MESSAGES if not kind.startswith("tipoff.processor")])
def test_what_is_no_run_is_known_by_source_and_id(ce_type: str) -> None:
    data, _, _ = MESSAGES[ce_type]

    one = fact(native(ce_type, data))

    assert fact(native(ce_type, data)).id == one.id
    assert fact(native(ce_type, data, **{"ce-id": "e-2"})).id != one.id
    assert fact(native(ce_type, data, **{"ce-source": "/raw"})).id != one.id


def test_a_native_run_and_its_older_form_are_one_fact() -> None:
    assert fact(native("tipoff.processor.completed", native_completion())).id == fact(v2()).id


# --- what becomes of each ----------------------------------------------------------------------------------------


def test_a_schedule_names_games_with_their_tips_in_utc() -> None:
    game = {**GAME, "start_utc": "2026-01-19T22:00:00-05:00"}

    found = fact(native("tipoff.schedule.published", {**DATED, "games": [game]})).data

    assert isinstance(found, SchedulePublished)
    tip = datetime(2026, 1, 20, 3, 0, tzinfo=UTC)
    assert found.games == (Game(game_id="20260119_MIA_GSW", away="MIA", home="GSW", start_utc=tip),)
    assert (found.partial, found.source) == (False, "/analytics")


def test_a_schedule_without_games_says_that_there_are_none() -> None:
    found = fact(native("tipoff.schedule.published", {**DATED, "games": []})).data

    assert isinstance(found, SchedulePublished)
    assert found.games == ()


def test_a_measure_is_a_value_or_an_error() -> None:
    data, _, _ = MESSAGES["tipoff.measures.observed"]

    found = fact(native("tipoff.measures.observed", data)).data

    assert isinstance(found, MeasuresObserved)
    assert found.measures == {"games_expected": Measure(value=9.0), "players": Measure(error="403")}


def test_a_beat_carries_the_senders_instant() -> None:
    data, _, _ = MESSAGES["tipoff.heartbeat"]

    found = fact(native("tipoff.heartbeat", data)).data

    assert isinstance(found, BeatRecorded)
    assert (found.beat_at, found.phase, found.progress, found.total) == (SAID_AT, "analytics", 3, 9)


def test_a_completion_names_its_games_and_keeps_where_it_came_from() -> None:
    data, _, _ = MESSAGES["tipoff.processor.completed"]

    found = fact(native("tipoff.processor.completed", data, **{"ce-subject": "nba/2026-01-19"})).data

    assert isinstance(found, CompletionRecorded)
    assert (found.games, found.wire_format) == (("20260119_MIA_GSW",), "native")
    assert found.extra["ce"] == {"id": "e-1", "source": "/analytics", "subject": "nba/2026-01-19"}


def test_a_binary_event_may_say_specversion_in_its_data() -> None:
    data, stream, _ = MESSAGES["tipoff.heartbeat"]

    found = fact(native("tipoff.heartbeat", {**data, "specversion": 7}))

    assert found.stream == stream
    assert getattr(found.data, "extra", {})["specversion"] == 7


def test_a_wrong_clock_of_the_envelope_is_flagged_in_every_kind() -> None:
    for ce_type, (data, _, _) in MESSAGES.items():
        found = fact(native(ce_type, data, **{"ce-time": "2026-01-20T17:05:01Z"}))

        assert getattr(found.data, "flags", None) == ("clock_ahead",), ce_type


def test_without_a_time_the_publish_time_counts() -> None:
    message = native("tipoff.processor.completed", native_completion())
    without = {key: value for key, value in message.attributes.items() if key != "ce-time"}

    assert fact(delivery(message.data, attributes=without)).occurred_at == NOON


def test_a_time_that_cannot_be_read_is_flagged() -> None:
    found = fact(native("tipoff.processor.completed", native_completion(), **{"ce-time": "noon"}))

    assert found.occurred_at == NOON
    assert getattr(found.data, "flags", ()) == ("bad_timestamp",)


# --- breaches of the contract ------------------------------------------------------------------------------------

WRONG: dict[str, dict[str, Any]] = {
    "tipoff.schedule.published": {
        "sport": 7,
        "game_date": "20260119",
        "games": [{"game_id": "", "start_utc": "2026-01-20T03:00:00", "status": "rained off", "moved_to": "soon"}],
        "as_of": "noon",
    },
    "tipoff.processor.started": {"game_date": "today", "phase": "phase_9", "processor_name": "", "execution_id": None},
    "tipoff.processor.completed": {
        "game_date": "2026-02-30",
        "phase": 0,
        "processor_name": 5,
        "execution_id": "None",
        "status": "exploded",
        "record_count": "18",
        "records_failed": -1,
        "games": "all",
        "duration_seconds": -0.5,
        "metadata": [],
    },
    "tipoff.heartbeat": {"game_date": "x", "progress": -1, "total": 2.5, "message": 7},
    "tipoff.measures.observed": {"boundary": "raw_to_grading", "measures": {"players": {"value": "many"}}},
    "tipoff.workflow.decided": {"workflow": "", "action": "PONDER", "reason": 7},
}


@pytest.mark.parametrize("ce_type", WRONG)
def test_every_wrong_field_is_named_at_once(ce_type: str) -> None:
    good, _, _ = MESSAGES[ce_type]

    found = rejection(native(ce_type, {**good, **WRONG[ce_type]}))

    assert found.code == "bad_native"
    assert [field for field in WRONG[ce_type] if field not in found.reason] == []


@pytest.mark.parametrize(
    ("ce_type", "missing"),
    [
        ("tipoff.schedule.published", ["sport", "game_date", "games"]),
        ("tipoff.processor.started", ["sport", "game_date", "phase", "processor_name", "execution_id"]),
        ("tipoff.processor.completed", ["sport", "game_date", "phase", "processor_name", "execution_id", "status"]),
        ("tipoff.heartbeat", ["sport", "game_date", "phase", "processor_name", "execution_id"]),
        ("tipoff.measures.observed", ["sport", "game_date", "boundary", "measures"]),
        ("tipoff.workflow.decided", ["sport", "workflow", "action"]),
    ],
)
def test_every_missing_field_is_named_at_once(ce_type: str, missing: list[str]) -> None:
    reason = rejection(native(ce_type, {})).reason

    assert reason == "; ".join(f"`{field}` is missing" for field in missing)


def test_every_wrong_game_is_named_by_its_place() -> None:
    games = [GAME, {"away": "WAS"}, GAME, "none"]

    reason = rejection(native("tipoff.schedule.published", {**DATED, "games": games})).reason

    assert "`games[1].game_id` is missing" in reason
    assert "`games[2].game_id`" in reason  # named twice
    assert "`games[3]`" in reason


@pytest.mark.parametrize("measure", [{}, {"value": None}, {"value": 1, "error": "403"}, 7, {"value": True}])
def test_a_measure_is_never_both_neither_or_something_else(measure: Any) -> None:
    data = {**DATED, "boundary": "raw_to_analytics", "measures": {"players": measure}}

    assert "measures.players" in rejection(native("tipoff.measures.observed", data)).reason


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("ce-id", ""), ("ce-source", ""), ("ce-specversion", "0.3"), ("ce-type", "tipoff.processor.exploded")],
)
def test_a_broken_context_is_named(attribute: str, value: str) -> None:
    found = rejection(native("tipoff.processor.completed", native_completion(), **{attribute: value}))

    assert (found.code, attribute in found.reason) == ("bad_native", True)


@pytest.mark.parametrize("data", [[1], "text", 7])
def test_structured_data_that_is_no_object_is_refused(data: Any) -> None:
    body = {"specversion": "1.0", "id": "e-1", "source": "/a", "type": "tipoff.heartbeat", "data": data}

    assert rejection(body).code == "bad_native"


def test_an_unknown_sport_is_refused_as_such() -> None:
    assert rejection(native("tipoff.processor.completed", native_completion(sport="nhl"))).code == "unknown_sport"


def test_an_empty_native_message_is_no_probe() -> None:
    message = native("tipoff.heartbeat", {})

    assert rejection(delivery(b"", topic="nba-tipoff", attributes=message.attributes)).code == "bad_native"
