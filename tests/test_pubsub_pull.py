"""The puller: acknowledged means durable, held means in order, and nothing that was not acknowledged is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event

import grpc
import pytest

from events.catalogue import AlertRaised, AlertResolved, MessageRejected
from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.store import Commit
from events.wire import Delivery
from handlers.intake import Intake
from handlers.pubsub.wanted import Source
from handlers.recorder import Recorder
from tests.conftest import ROOT
from tests.emulators import emulator, free_port, pubsub_jar
from tests.pubsub import (
    DEAD,
    DELIVERIES_MIN,
    QUICK,
    SUBSCRIPTION,
    Project,
    project,
    pulling,
    recording,
    refusing,
    runs,
    taken_by_another,
)
from tests.waiting import until
from tests.wire_messages import ANALYTICS_TOPIC, NOON, v2

POISON = b"run-poison"


@pytest.fixture
def here(pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with project(pubsub_host, monkeypatch) as fresh:
        yield fresh


class Breaking(MemoryStore):
    """A store that a mistake of ours breaks, whenever it is to hold the poison."""

    def append(self, commits: Sequence[Commit]) -> None:
        if any(POISON in event.body for commit in commits for event in commit.events):
            raise ZeroDivisionError
        super().append(commits)


def occupied(intake: Intake) -> Event:
    """Keep the recording thread until the event is set."""
    busy, free = Event(), Event()

    def question(_recorder: Recorder) -> None:
        busy.set()
        free.wait(20)

    intake.ask(question)
    assert busy.wait(10)
    return free


# --- acknowledgement ------------------------------------------------------------------------------------------------


def test_a_message_is_acknowledged_when_its_commit_is_durable_and_not_before(here: Project):
    here.completions()
    store = MemoryStore()
    with recording(store) as intake, pulling(intake, here) as puller:
        free = occupied(intake)
        here.run("run-1")
        until(lambda: puller.state[0].in_flight)
        assert puller.state[0].acknowledged == 0
        free.set()
        until(lambda: puller.state[0].acknowledged)
        assert runs(store) == ["run-1"]
        assert puller.state[0].in_flight == 0
    assert here.waiting() == []


def test_a_reader_that_is_killed_while_it_records_loses_nothing(here: Project):
    here.completions(ack_seconds=10)
    here.run("run-1")
    program = f"""
from threading import Event
from events.memory import MemoryStore
from handlers.pubsub.broker import Broker
from tests.pubsub import LEASE_MIN, Project, pulling, recording
from tests.short_calls import shorten_calls
from tests.waiting import until
shorten_calls()
with recording(MemoryStore()) as intake:
    intake.ask(lambda recorder: Event().wait())
    with pulling(intake, Project(Broker({here.broker.project!r})), pace=LEASE_MIN) as puller:
        until(lambda: puller.state[0].in_flight)
        print("taken", flush=True)
        Event().wait()
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "taken\n"
        reader.kill()
    store = MemoryStore()
    with recording(store) as intake, pulling(intake, here):
        until(lambda: runs(store) == ["run-1"], seconds=60)  # when the lease of the killed reader is over


def test_what_came_by_push_and_comes_again_by_pull_is_one_fact(here: Project):
    here.completions()
    store = MemoryStore()
    said = v2(execution_id=...)  # without a run, a message is known by its topic and id alone
    with recording(store) as intake, pulling(intake, here) as puller:
        message_id = here.publish(said)
        until(lambda: puller.state[0].acknowledged)
        events = len(list(store.read_all()))
        data = json.dumps(said).encode()
        pushed = Delivery(topic=ANALYTICS_TOPIC, message_id=message_id, published_at=NOON, data=data)
        assert intake.deliver(pushed).result(10).duplicate == 1
        assert len(list(store.read_all())) == events


def test_a_message_that_cannot_be_understood_is_stored_whole_and_acknowledged(here: Project):
    here.completions()
    store = MemoryStore()
    with recording(store) as intake, pulling(intake, here) as puller:
        here.publish(b"no json at all")
        until(lambda: puller.state[0].acknowledged)
    kept = [stored.event().data for stored in store.read("nba/control")]
    assert [(data.code, data.topic) for data in kept if isinstance(data, MessageRejected)] == [
        ("not_json", ANALYTICS_TOPIC)
    ]
    assert here.waiting() == []


def test_a_message_that_breaks_the_recording_becomes_a_dead_letter_and_takes_nobody_with_it(here: Project):
    here.completions(**here.dead_letters())
    store = Breaking()
    with recording(store) as intake, pulling(intake, here) as puller:
        for run in ("run-1", POISON.decode(), "run-2"):
            here.run(run)
        dead = until(lambda: here.waiting(DEAD))
        until(lambda: puller.state[0].acknowledged == 2)
        assert puller.state[0].returned == DELIVERIES_MIN
    assert sorted(map(str, runs(store))) == ["run-1", "run-2"]
    assert [POISON in letter.message.data for letter in dead] == [True]
    assert dead[0].message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == str(DELIVERIES_MIN)


# --- a store that is slow, or away ----------------------------------------------------------------------------------


def test_a_commit_that_takes_longer_than_the_deadline_keeps_its_lease(here: Project, tmp_path: Path):
    here.completions(ack_seconds=10)
    path = tmp_path / "tipoff.db"
    with (
        closing(SqliteStore.open(path, busy_seconds=60)) as store,
        recording(store) as intake,
        pulling(intake, here) as puller,
    ):
        with taken_by_another(path):
            here.run("run-1")
            until(lambda: puller.state[0].in_flight)
            assert here.waiting(seconds=13) == []  # longer than the deadline, and nobody else is given it
            assert (puller.state[0].in_flight, puller.state[0].acknowledged) == (1, 0)
        until(lambda: puller.state[0].acknowledged)
        assert runs(store) == ["run-1"]
    assert here.waiting() == []


def test_an_outage_costs_no_attempt_and_keeps_the_order_of_a_key(here: Project, tmp_path: Path):
    here.completions(ordered=True)
    path, sent = tmp_path / "tipoff.db", [f"run-{number}" for number in range(20)]
    with closing(SqliteStore.open(path, busy_seconds=0)) as store, recording(store) as intake:
        intake.tick().result(10)
        with pulling(intake, here) as puller:
            with taken_by_another(path):
                for run in sent:
                    here.run(run, key="nba/2026-01-19")
                until(lambda: puller.state[0].held)
                assert here.waiting() == []
            until(lambda: puller.state[0].acknowledged == len(sent))
            assert runs(store) == sent
            assert puller.state[0].returned == 0


def test_what_is_held_when_the_reader_stops_is_handed_back_and_not_acknowledged(here: Project, tmp_path: Path):
    here.completions()
    path = tmp_path / "tipoff.db"
    with (
        closing(SqliteStore.open(path, busy_seconds=0)) as store,
        recording(store) as intake,
        pulling(intake, here) as puller,
        taken_by_another(path),
    ):
        here.run("run-1")
        until(lambda: puller.state[0].held)
        assert puller.stop(10)
        # The emulator may hand it to the stream that has just ended, so who gets it next is not asked here.
        assert (puller.state[0].returned, puller.state[0].acknowledged, puller.state[0].in_flight) == (1, 0, 0)
        assert runs(store) == []


def test_a_stop_waits_for_the_commits_under_way_and_acknowledges_them(here: Project):
    here.completions()
    store = MemoryStore()
    with recording(store) as intake, pulling(intake, here) as puller:
        free = occupied(intake)
        here.run("run-1")
        until(lambda: puller.state[0].in_flight)
        assert not puller.stop(0.2)
        free.set()
        assert puller.stop(10)
    assert runs(store) == ["run-1"]
    assert here.waiting() == []


# --- a broker that is away, or refuses ------------------------------------------------------------------------------


def test_a_subscription_that_vanished_is_said_and_opened_again_when_it_is_back(here: Project):
    here.completions()
    store = MemoryStore()
    with recording(store) as intake, pulling(intake, here) as puller:
        until(lambda: puller.ready)
        here.delete_subscription()
        until(lambda: puller.state[0].condition == "broken")
        assert "NOT_FOUND" in puller.state[0].reason
        assert not puller.ready
        until(lambda: raised(store))
        [(cause, severity, detail)] = raised(store)
        assert (cause, severity) == ("channel_unavailable", "critical")
        assert SUBSCRIPTION in detail
        here.completions()
        until(lambda: puller.ready)
        here.run("run-1")
        until(lambda: runs(store) == ["run-1"])
        until(lambda: resolved(store))


def raised(store: MemoryStore) -> list[tuple[str, str, str]]:
    told = [stored.event().data for stored in store.read("nba/control")]
    return [(data.cause, data.severity, data.detail) for data in told if isinstance(data, AlertRaised)]


def resolved(store: MemoryStore) -> bool:
    return any(isinstance(stored.event().data, AlertResolved) for stored in store.read("nba/control"))


def test_one_subscription_that_is_missing_holds_up_no_other(here: Project):
    here.completions()
    store = MemoryStore()
    missing = Source(subscription="tipoff-nowhere", topic="nowhere", sport="nba")
    known = Source(subscription=SUBSCRIPTION, topic=ANALYTICS_TOPIC, sport="nba")
    with recording(store) as intake, pulling(intake, here, missing, known) as puller:
        here.run("run-1")
        until(lambda: runs(store) == ["run-1"])
        until(lambda: [state.condition for state in puller.state] == ["broken", "open"])


def test_a_broker_that_stops_and_comes_back_is_pulled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    port, store = free_port(), MemoryStore()
    with ExitStack() as stack:
        here = stack.enter_context(project(f"127.0.0.1:{port}", monkeypatch))
        intake = stack.enter_context(recording(store))
        with emulator(pubsub_jar(), tmp_path / "first", port=port):
            here.completions()
            puller = stack.enter_context(pulling(intake, here))
            here.run("run-1")
            until(lambda: runs(store) == ["run-1"])
            until(lambda: puller.ready)
        until(lambda: {state.reason for state in puller.state} == {"the broker does not answer"})
        until(lambda: raised(store))
        stack.enter_context(emulator(pubsub_jar(), tmp_path / "second", port=port))
        here.completions()
        here.run("run-2")
        until(lambda: runs(store) == ["run-1", "run-2"], seconds=60)
        until(lambda: puller.ready and resolved(store))
        assert puller.stop(10)


def test_a_reader_without_permission_says_so(monkeypatch: pytest.MonkeyPatch):
    with (
        refusing(grpc.StatusCode.PERMISSION_DENIED) as host,
        project(host, monkeypatch) as here,
        recording(MemoryStore()) as intake,
        pulling(intake, here) as puller,
    ):
        until(lambda: puller.state[0].condition == "broken")
        assert "PERMISSION_DENIED" in puller.state[0].reason


def test_a_reader_that_finds_no_broker_is_not_ready_and_stops_in_time(monkeypatch: pytest.MonkeyPatch):
    with (
        project(f"127.0.0.1:{free_port()}", monkeypatch) as here,
        recording(MemoryStore()) as intake,
        pulling(intake, here, pace=QUICK) as puller,
    ):
        until(lambda: puller.state[0].condition == "broken")
        assert puller.state[0].reason == "the broker does not answer"
        assert puller.stop(5)
