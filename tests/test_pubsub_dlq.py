"""Dead letters: seen whole, delivered again once, given up with a name; and never gone before they are stored."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import CompletionRecorded, MessageRejected
from events.codec import decode
from events.memory import MemoryStore
from events.wire import Delivery
from handlers.dead_letters import DROPPED, drop, replay
from handlers.ingest import routing_of
from handlers.pubsub.wanted import DEAD_LETTERS, Subscription
from handlers.recorder import Recorder
from handlers.stores import open_store
from tests.command_line import Ran, tipoff
from tests.driving import nba
from tests.pubsub import DELIVERIES_MIN, STREAM, SUBSCRIPTION, Project, project
from tests.waiting import until
from tests.wire_messages import ANALYTICS_TOPIC, NOON, v2

RUN_1 = json.dumps(v2(execution_id="run-1")).encode()


class Home:
    """A project with dead letters, and a store to record them in."""

    def __init__(self, here: Project, path: Path) -> None:
        self.here = here
        self.store = f"sqlite:{path / 'tipoff.db'}"
        here.topic(DEAD_LETTERS)
        here.subscribe(Subscription(name=DEAD_LETTERS, topic=DEAD_LETTERS))
        here.completions(dead_letter_topic=DEAD_LETTERS, attempts_max=DELIVERIES_MIN)
        with open_store(self.store, create=True):
            pass

    def dlq(self, *words: str) -> Ran:
        environ = {"TIPOFF_PUBSUB_PROJECT": self.here.broker.project, "TIPOFF_STORE": self.store}
        return tipoff("dlq", *words, environ=environ, clock=lambda: NOON)

    def dies(self, body: bytes, **attributes: str) -> str:
        """A message is published and refused until it is a dead letter; the letter's id."""
        self.here.publish(body, **attributes)
        for _ in range(DELIVERIES_MIN):
            [refused] = self.here.waiting(seconds=5)
            self.refuse(SUBSCRIPTION, refused)
        self.here.waiting(seconds=0.2)  # the emulator moves a message on when it is asked for it once more
        return str(until(lambda: self.letter(body)))

    def letter(self, body: bytes) -> str | None:
        found = None
        for letter in self.here.waiting(DEAD_LETTERS):
            self.refuse(DEAD_LETTERS, letter)
            found = str(letter.message.message_id) if letter.message.data == body else found
        return found

    def refuse(self, subscription: str, received: Any) -> None:
        path = self.here.broker.subscription(subscription)
        request = {"subscription": path, "ack_ids": [received.ack_id], "ack_deadline_seconds": 0}
        self.here.broker.subscriber.modify_ack_deadline(request=request)

    def dead(self) -> list[Any]:
        return [entry for entry in self.dlq("list", "--json").json if entry["kept"] == "broker"]

    def events(self, stream: str = STREAM) -> list[Any]:
        with open_store(self.store, create=False, read_only=True) as store:
            return [decode(stored.body) for stored in store.read(stream)]


@pytest.fixture
def home(pubsub_host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Home]:
    with project(pubsub_host, monkeypatch) as fresh:
        yield Home(fresh, tmp_path)


def test_a_dead_letter_is_shown_with_its_source_its_attempts_and_the_original_message(home: Home):
    assert home.dlq("list").out.strip() == "Every message got in."
    letter = home.dies(RUN_1, source="test")
    listed = home.dlq("list", "--json")
    shown = home.dlq("show", letter, "--json").json

    assert listed.code == 1
    [entry] = listed.json
    assert entry == shown["entry"]
    assert (entry["topic"], entry["subscription"]) == (ANALYTICS_TOPIC, SUBSCRIPTION)
    assert entry["attempts"] == DELIVERIES_MIN
    assert entry["reason"] == f"would be completion_recorded of {STREAM}"
    assert shown["attributes"] == {"source": "test"}
    assert b64decode(shown["data"]) == RUN_1


def test_a_letter_is_delivered_again_once_however_often_it_is_asked_for(home: Home):
    letter = home.dies(RUN_1)
    replayed = home.dlq("replay", letter, "--json")
    again = home.dlq("replay", letter, "--json")

    assert (replayed.code, [item["outcome"] for item in replayed.json]) == (0, ["recorded"])
    assert (again.code, [item["outcome"] for item in again.json]) == (1, ["missing"])
    recorded = [event.data for event in home.events() if isinstance(event.data, CompletionRecorded)]
    assert [data.run for data in recorded] == ["run-1"]
    assert home.dead() == []


def test_all_letters_leave_and_what_was_recorded_before_is_a_duplicate(home: Home):
    home.dies(RUN_1)
    assert home.dlq("replay", "--all").code == 0
    home.dies(RUN_1)
    home.dies(b"no json at all")
    replayed = home.dlq("replay", "--all", "--json")

    assert sorted(item["outcome"] for item in replayed.json) == ["duplicate", "rejected"]
    assert replayed.code == 1
    assert [entry["kept"] for entry in home.dlq("list", "--json").json] == ["store"]


def test_what_was_stored_as_rejected_is_listed_and_shown_beside_the_letters(home: Home):
    home.dies(b"no json at all")
    home.dlq("replay", "--all")
    [entry] = home.dlq("list", "--json").json
    shown = home.dlq("show", entry["id"], "--json").json

    assert (entry["kept"], entry["attempts"], entry["topic"]) == ("store", None, ANALYTICS_TOPIC)
    assert entry["reason"].startswith("not_json: ")
    assert b64decode(shown["data"]) == b"no json at all"


def test_a_letter_is_given_up_with_a_name_and_a_reason_and_its_bytes_are_kept(home: Home):
    letter = home.dies(RUN_1)
    assert home.dlq("drop", letter, "--reason", "  ").code == 64
    assert len(home.dead()) == 1
    dropped = home.dlq("drop", letter, "--reason", "sent by mistake", "--actor", "ana")

    assert dropped.code == 0, dropped.err
    assert home.dead() == []
    [kept] = [event for event in home.events("nba/control") if isinstance(event.data, MessageRejected)]
    assert (kept.actor, kept.data.code) == ("ana", DROPPED)
    assert kept.data.reason == "dropped by ana: sent by mistake"
    assert b64decode(kept.data.data) == RUN_1


def test_what_is_not_there_is_said(home: Home):
    assert home.dlq("show", "nothing").code == 64
    assert home.dlq("drop", "nothing", "--reason", "why not", "--actor", "ana").code == 64
    assert home.dlq("replay").code == 64


def test_without_a_broker_the_rejected_messages_are_listed_all_the_same(home: Home):
    home.dies(b"no json at all")
    home.dlq("replay", "--all")
    listed = tipoff("dlq", "list", "--json", environ={"TIPOFF_STORE": home.store})
    assert [entry["kept"] for entry in listed.json] == ["store"]


# --- whatever died --------------------------------------------------------------------------------------------------

bodies = st.binary(max_size=40) | st.builds(
    lambda run, day: json.dumps(v2(execution_id=run, game_date=day)).encode(),
    st.sampled_from(["run-1", "run-2", None]),
    st.sampled_from(["2026-01-19", "16 Jan", "2026-01-20"]),
)
deliveries = st.builds(
    Delivery,
    topic=st.sampled_from([ANALYTICS_TOPIC, "nowhere"]),
    message_id=st.sampled_from(["m-1", "m-2"]),
    published_at=st.just(NOON),
    attributes=st.just({}),
    data=bodies,
)


@given(st.lists(st.tuples(deliveries, st.booleans()), max_size=12))
def test_replaying_and_dropping_again_changes_nothing(letters):
    store = MemoryStore()
    recorder, routing = Recorder(store, {"nba": nba()}), routing_of([nba()])

    def settle(now: datetime) -> None:
        for delivery, given_up in letters:
            if given_up:
                drop(recorder, routing, delivery, actor="ana", reason="no use", now=now)
            else:
                replay(recorder, routing, delivery, now)

    settle(NOON)
    before = [stored.body for stored in store.read_all()]
    settle(NOON + timedelta(minutes=5))
    assert [stored.body for stored in store.read_all()] == before
