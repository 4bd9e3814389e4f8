"""Nothing that a message says is dropped: each key stands in a field of its event, in `extra`, or in the envelope."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.catalogue import Fact, MeasuresObserved, MessageRejected, SchedulePublished
from events.wire import Delivery, read
from events.wire.native_fields import FIELDS as NATIVE_FIELDS
from events.wire.words import phase_of
from tests.test_wire_native import MESSAGES, SAID_AT
from tests.test_wire_properties import ALSO_UNDERSTOOD, UNDERSTOOD, attributes, bodies, topics, values
from tests.wire_messages import NOON, ROUTING, assert_storable, delivery, native

FIELDS: dict[str, str] = {
    **dict.fromkeys(("processor_name", "processor", "scraper_name", "scraper", "name"), "published_name"),
    **dict.fromkeys(("source_table", "analytics_table"), "published_name"),
    **dict.fromkeys(("execution_id", "run_id", "batch_id"), "run"),
    **dict.fromkeys(("workflow", "workflow_name"), "workflow"),
    **dict.fromkeys(("status_message", "message"), "message"),
    **{key: key for key in ("status", "record_count", "records_failed", "row_basis", "games", "duration_seconds")},
    **{key: key for key in ("error_message", "output_table", "progress", "total", "action", "reason", "boundary")},
    "partial": "partial",
    "predictions_generated": "count",
    "player_lookup": "subject",
    "success": "status",
}
"""Key of a message: the field that may stand for it."""

INSTANTS = frozenset(
    {
        *("timestamp", "completed_at", "processed_at", "finished_at", "recovery_timestamp", "started_at", "start_time"),
        *("triggered_at", "execution_timestamp", "decision_time", "validation_timestamp", "requested_at", "as_of"),
        *("detected_at", "confirmed_at", "updated_at", "updated", "timeCreated", "created_at", "last_heartbeat"),
    }
)
DATES = frozenset({"game_date", "analysis_date", "data_date", "target_date", "date"})
NUMBERS = frozenset({"expected_predictions", "completed_predictions", "total_predictions", "completion_pct"})
"""Keys whose value is translated: into an instant in UTC, a date of the stream, a number without quotes."""


def unsaid(said: dict[str, Any], found: list[Fact]) -> list[str]:
    """The keys of a message that none of its facts says. Null says the same as a missing key."""
    if any(getattr(fact.data, "wire_format", "") == "completion_document" for fact in found):
        return [key for key, value in said.items() if not _document_says(found, key, value)]
    return [key for key, value in said.items() if not any(_says(fact, key, value) for fact in found)]


def _says(fact: Fact, key: str, value: Any) -> bool:
    data = fact.data
    extra = getattr(data, "extra", {})
    if value is None or (key in extra and _is_same(extra[key], value)):
        return True
    if key in NUMBERS and _is_number(extra.get(key), value):
        return True
    if key == "game_id" and isinstance(data, SchedulePublished):
        return _stands_for(data.games[0].game_id, value)
    stream = fact.stream.split("/")
    if key == "sport":
        return str(value).lower() == stream[0]
    if key == "phase":
        return phase_of(value) is not None and getattr(data, "phase", None) == phase_of(value)
    if key == "correlation_id":
        return _stands_for(fact.correlation, value)
    if key in INSTANTS:
        at = _instant(value)
        return at is not None and at in {fact.occurred_at, getattr(data, "as_of", None)}
    if key in DATES:
        basis = getattr(data, "date_basis", "")
        return basis == f"{key}={value}" or (basis == key and stream[1] == value)
    field = "ended" if key == "status" and hasattr(data, "ended") else FIELDS.get(key, "")
    return _stands_for(getattr(data, field, None), value)


def _stands_for(stored: Any, said: Any) -> bool:
    stored = list(stored) if isinstance(stored, tuple) else stored
    return _is_same(stored, said) or _is_number(stored, said)


def _is_same(stored: Any, said: Any) -> bool:
    return json.dumps(stored, sort_keys=True) == json.dumps(said, sort_keys=True)  # 1 is not True


def _is_number(stored: Any, said: Any) -> bool:
    """One number, written as text, as a whole number or with a fraction."""
    if isinstance(stored, bool) or isinstance(said, bool):
        return False
    try:
        return float(stored) == float(said)
    except (TypeError, ValueError, OverflowError):
        return False


def _instant(said: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(said.removesuffix(" UTC"))
    except (AttributeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _kept(found: list[Fact], key: str) -> Iterator[Any]:
    """What the facts keep under a key that Tipoff gave; it has underscores where the message had the same key."""
    for fact in found:
        extra = getattr(fact.data, "extra", {})
        yield from (extra[taken] for taken in (key, f"{key}_", f"{key}__") if taken in extra)


def _document_says(found: list[Fact], key: str, value: Any) -> bool:
    """A document's entry is a completion, or stands beside the one of the same run, or was rejected alone."""
    if not isinstance(value, dict) or key[:1] == "_":
        about = [kept for kept in _kept(found, "document") if isinstance(kept, dict)]
        return any(_says(fact, key, value) for fact in found) or any(_is_same(one.get(key), value) for one in about)
    if any(isinstance(fact.data, MessageRejected) or _is_entry(fact, key, value) for fact in found):
        return True
    return any(_is_same(kept, value) for kept in _kept(found, key))


def _is_entry(fact: Fact, name: str, entry: dict[str, Any]) -> bool:
    names = [getattr(fact.data, "published_name", None), *_kept([fact], "processor_name")]
    rest = {key: value for key, value in entry.items() if key != "processor_name"}
    own_name = entry.get("processor_name")
    said = all(_says(fact, key, value) for key, value in rest.items())
    return said and name in names and (own_name is None or own_name in names)


def accepted(message: Delivery) -> list[Fact]:
    """The facts of a message, or nothing where it was rejected as a whole."""
    found = read(message, ROUTING, received_at=NOON)
    return found if any(not isinstance(fact.data, MessageRejected) for fact in found) else []


# --- messages of publishers --------------------------------------------------------------------------------------

FOREIGN = [message for message in (*UNDERSTOOD, *ALSO_UNDERSTOOD) if not message.attributes]


@pytest.mark.parametrize("message", FOREIGN, ids=[str(list(json.loads(one.data)))[:60] for one in FOREIGN])
@settings(max_examples=40)
@given(changes=bodies)
def test_every_key_of_a_changed_message_is_found_again(message: Delivery, changes: dict[str, Any]) -> None:
    body = json.loads(message.data) | changes
    found = accepted(delivery(body, topic=message.topic))

    assert not found or unsaid(body, found) == []
    for fact in found:
        assert_storable(fact)


several = st.lists(st.sampled_from(FOREIGN), min_size=2, max_size=3)


@given(several, bodies, topics)
def test_every_key_of_families_in_one_message_is_found_again(
    messages: list[Delivery], changes: dict[str, Any], topic: str
) -> None:
    body = {key: value for message in messages for key, value in json.loads(message.data).items()} | changes
    found = accepted(delivery(body, topic=topic))

    assert not found or unsaid(body, found) == []


entries = st.dictionaries(st.sampled_from(["player_daily_cache", "PlayerDailyCacheProcessor", "", "None"]), bodies)
runs = st.fixed_dictionaries({"status": st.just("success"), "execution_id": st.sampled_from(["x1", "x2"])})


@given(entries, runs, st.dictionaries(st.sampled_from(["_triggered", "_triggered_at", "updated_by"]), values))
def test_every_key_of_a_completion_document_is_found_again(
    processors: dict[str, Any], run: dict[str, Any], about: dict[str, Any]
) -> None:
    body = {name: entry | run for name, entry in processors.items()} | about
    found = accepted(delivery(body, topic="firestore:phase4_completion/2026-01-16"))

    assert not found or unsaid(body, found) == []
    for fact in found:
        assert_storable(fact)


@given(st.sampled_from(UNDERSTOOD), attributes.filter(lambda said: "ce-type" not in said))
def test_the_attributes_of_a_message_are_kept(message: Delivery, said: dict[str, str]) -> None:
    others = {key: value for key, value in said.items() if not value.startswith("application/cloudevents")}
    found = accepted(delivery(message.data, topic=message.topic, attributes=message.attributes | others))

    for fact in found:
        kept = {**next(_kept([fact], "attributes"), {}), **next(_kept([fact], "ce"), {})}
        assert [key for key in others if not key.startswith("ce-") and kept.get(key) != others[key]] == []


# --- native messages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize("ce_type", MESSAGES)
@settings(max_examples=40)
@given(more=bodies, extensions=st.dictionaries(st.sampled_from(["subject", "traceparent", "x"]), st.text(max_size=5)))
def test_every_key_of_a_native_message_is_found_again(
    ce_type: str, structured: bool, more: dict[str, Any], extensions: dict[str, str]
) -> None:
    optional = NATIVE_FIELDS[ce_type].optional  # a breach of the contract is another matter
    data = {key: value for key, value in more.items() if key not in optional} | MESSAGES[ce_type][0]
    context = {"id": "e-1", "source": "/analytics", **extensions}
    event = {**context, "specversion": "1.0", "type": ce_type, "time": "2026-01-20T11:04:31Z", "data": data}
    binary = {f"ce-{key}": value for key, value in extensions.items()}

    (found,) = accepted(delivery(event, topic="nba-tipoff") if structured else native(ce_type, data, **binary))

    assert (getattr(found.data, "wire_format", ""), found.occurred_at) == ("native", SAID_AT)
    assert context in list(_kept([found], "ce"))
    assert unsaid({key: value for key, value in data.items() if key not in {"games", "measures"}}, [found]) == []
    assert_storable(found)


names = st.text(min_size=1, max_size=8)
unknown = st.dictionaries(names.map("x_{}".format), values, max_size=2)


@given(st.dictionaries(names.filter(lambda name: name not in {"None", "null"}), unknown, max_size=4))
def test_what_a_game_says_beyond_its_fields_is_kept_by_its_id(games: dict[str, dict[str, Any]]) -> None:
    said = [{"game_id": game_id, "away": "MIA", **more} for game_id, more in games.items()]
    (found,) = accepted(native("tipoff.schedule.published", {"sport": "nba", "game_date": "2026-01-19", "games": said}))

    assert isinstance(found.data, SchedulePublished)
    assert [(game.game_id, game.away) for game in found.data.games] == [(game_id, "MIA") for game_id in games]
    assert found.data.extra.get("games", {}) == {game_id: more for game_id, more in games.items() if more}


@given(st.dictionaries(names, unknown, min_size=1, max_size=4))
def test_what_a_measure_says_beyond_its_fields_is_kept_by_its_name(measures: dict[str, dict[str, Any]]) -> None:
    said = {name: {"value": 9, **more} for name, more in measures.items()}
    data = {"sport": "nba", "game_date": "2026-01-19", "boundary": "raw_to_analytics", "measures": said}
    (found,) = accepted(native("tipoff.measures.observed", data))

    assert isinstance(found.data, MeasuresObserved)
    assert {name: measure.value for name, measure in found.data.measures.items()} == dict.fromkeys(measures, 9.0)
    assert found.data.extra.get("measures", {}) == {name: more for name, more in measures.items() if more}


def test_an_envelopes_time_that_cannot_be_read_is_kept() -> None:
    ce_type = "tipoff.heartbeat"
    (found,) = accepted(native(ce_type, MESSAGES[ce_type][0], **{"ce-time": "noon"}))

    assert [one["time"] for one in _kept([found], "ce")] == ["noon"]
    assert getattr(found.data, "flags", None) == ("bad_timestamp",)


def test_data_and_data_in_base64_are_both_kept() -> None:
    ce_type = "tipoff.workflow.decided"
    event = {"specversion": "1.0", "id": "e-1", "source": "/a", "type": ce_type, "data": MESSAGES[ce_type][0]}
    (found,) = accepted(delivery({**event, "data_base64": "e30="}, topic="nba-tipoff"))

    assert [one["data_base64"] for one in _kept([found], "ce")] == ["e30="]


def test_a_key_of_the_message_keeps_its_name_beside_one_that_tipoff_gives() -> None:
    ce_type = "tipoff.processor.completed"
    data = MESSAGES[ce_type][0] | {"ce": 1, "attributes": 2, "attributes_": 3}
    (found,) = accepted(native(ce_type, data, origin="by hand"))

    extra = getattr(found.data, "extra", {})
    assert (extra["ce"], extra["attributes"], extra["attributes_"]) == (1, 2, 3)
    assert extra["ce_"] == {"id": "e-1", "source": "/analytics"}
    assert extra["attributes__"] == {"origin": "by hand"}
