"""Commands on their way out: the shape consumers read, one id however often they are sent, and no failure lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import CommandPublished, CommandRequested
from events.memory import MemoryStore
from events.store import Pending
from handlers.dispatch import PermanentFailure, Sent, TransientFailure, learned
from handlers.pubsub.broker import Broker
from handlers.pubsub.publish import MESSAGE_BYTES_MAX, REQUEST_MESSAGES_MAX, PubsubChannel, message_of
from handlers.pubsub.wanted import Subscription
from handlers.recorder import Recorder
from tests.driving import nba
from tests.emulators import free_port
from tests.pubsub import STREAM, Project, project, refusing
from tests.scenes import in_precompute
from tests.wire_messages import NOON

TOPIC, WORK = "nba-phase4-trigger", "work"


@pytest.fixture
def here(pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with project(pubsub_host, monkeypatch) as fresh:
        yield fresh


def command(number: int = 0, *, topic: str = TOPIC, key: str = STREAM, **changes: Any) -> Pending:
    said = {
        "command_id": f"command-{number}",
        "kind": "trigger",
        "topic": topic,
        "payload": {"game_date": "2026-01-19", "number": number},
        "ordering_key": key,
        "cycle": "overnight",
        "phase": "precompute",
    }
    return Pending(STREAM, CommandRequested(**said | changes))


def worked(here: Project) -> None:
    here.topic(TOPIC)
    here.subscribe(Subscription(name=WORK, topic=TOPIC, ordered=True))


def received(here: Project, count: int) -> list[Any]:
    """So many messages, acknowledged as they come, for a key gives out the next only then."""
    found: list[Any] = []
    while len(found) < count:
        messages = here.waiting(WORK, seconds=5)
        assert messages, f"{len(found)} of {count}"
        found += [item.message for item in messages]
        path = here.broker.subscription(WORK)
        here.broker.subscriber.acknowledge(subscription=path, ack_ids=[item.ack_id for item in messages])
    return found


def test_a_command_is_the_json_that_consumers_read_with_what_is_ours_beside_it(here: Project):
    worked(here)
    pending = command(7, attempt=2)
    [answer] = PubsubChannel(here.broker).send([pending])
    [message] = received(here, 1)

    assert answer == Sent(message_id=message.message_id)
    assert json.loads(message.data) == pending.command.payload
    assert dict(message.attributes) == {
        "command_id": "command-7",
        "kind": "trigger",
        "attempt": "2",
        "cycle": "overnight",
        "phase": "precompute",
    }
    assert message.ordering_key == STREAM


def test_commands_of_a_key_arrive_in_their_order_whatever_goes_out_between_them(here: Project):
    worked(here)
    here.topic("nba-scraper-trigger")
    batch = [command(number, topic="nba-scraper-trigger" if number % 3 == 0 else TOPIC) for number in range(40)]
    answers = PubsubChannel(here.broker).send(batch)
    mine = [item.command.command_id for item in batch if item.command.topic == TOPIC]

    assert all(isinstance(answer, Sent) for answer in answers)
    assert [message.attributes["command_id"] for message in received(here, len(mine))] == mine


def test_more_than_fits_into_one_request_is_published_all_the_same(here: Project):
    worked(here)
    batch = [command(number) for number in range(REQUEST_MESSAGES_MAX + 1)]
    answers = PubsubChannel(here.broker).send(batch)
    assert all(isinstance(answer, Sent) for answer in answers)
    assert len({answer.message_id for answer in answers if isinstance(answer, Sent)}) == len(batch)


@given(st.integers(0, 3), st.text(max_size=20), st.sampled_from([None, "overnight"]))
def test_the_same_command_is_the_same_message(attempt, value, cycle):
    one = command(attempt=attempt, payload={"said": value}, cycle=cycle)
    again = command(attempt=attempt, payload={"said": value}, cycle=cycle)
    assert message_of(one.command) == message_of(again.command)


def test_a_command_whose_confirmation_was_lost_goes_out_again_under_its_id(here: Project):
    worked(here)
    store, channel, day = MemoryStore(), PubsubChannel(here.broker), in_precompute()
    Recorder(store, {"nba": nba()}).record(day.facts)
    waiting = [item for item in store.pending() if item.command.topic == TOPIC]
    assert waiting
    channel.send(waiting)  # and the process dies before it has recorded what became of them

    survivor = Recorder(store, {"nba": nba()})
    again = [item for item in store.pending() if item.command.topic == TOPIC]
    now = day.state.recorded_at or NOON
    for pending, answer in zip(again, channel.send(again), strict=True):
        survivor.record([(fact, now) for fact in learned(pending, answer, now)])

    ids = sorted(item.command.command_id for item in waiting)
    assert sorted(message.attributes["command_id"] for message in received(here, 2 * len(ids))) == sorted(ids * 2)
    assert [item for item in store.pending() if item.command.topic == TOPIC] == []
    told = [stored.event().data for stored in store.read(day.stream)]
    assert (
        sorted(data.command_id for data in told if isinstance(data, CommandPublished) and data.command_id in ids) == ids
    )


# --- what cannot be published ---------------------------------------------------------------------------------------


def test_a_missing_topic_is_waited_for_because_an_operator_can_make_it(here: Project):
    channel = PubsubChannel(here.broker)
    [missing] = channel.send([command()])
    assert isinstance(missing, TransientFailure)
    assert "tipoff topics apply" in str(missing)
    worked(here)
    [sent] = channel.send([command()])
    assert isinstance(sent, Sent)


def test_one_topic_that_is_missing_holds_up_no_other(here: Project):
    worked(here)
    answers = PubsubChannel(here.broker).send([command(1, topic="nba-nowhere"), command(2), command(3)])
    assert [type(answer) for answer in answers] == [TransientFailure, Sent, Sent]


def test_a_message_that_is_too_large_is_refused_for_good_and_alone(here: Project):
    worked(here)
    large = command(1, payload={"said": "x" * MESSAGE_BYTES_MAX})
    answers = PubsubChannel(here.broker).send([command(0), large, command(2)])
    assert [type(answer) for answer in answers] == [Sent, PermanentFailure, Sent]


def test_a_name_that_no_topic_can_have_is_refused_for_good(here: Project):
    [answer] = PubsubChannel(here.broker).send([command(topic="no topic")])
    assert isinstance(answer, PermanentFailure)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "roles/pubsub.publisher"),
        (grpc.StatusCode.FAILED_PRECONDITION, "FAILED_PRECONDITION"),
    ],
)
def test_a_refusal_that_a_person_can_lift_is_tried_again(monkeypatch: pytest.MonkeyPatch, status, words):
    with refusing(status) as host, project(host, monkeypatch) as here:
        [answer] = PubsubChannel(here.broker).send([command()])
    assert isinstance(answer, TransientFailure)
    assert words in str(answer)


def test_while_the_broker_is_away_a_batch_fails_as_a_whole_and_says_the_same_each_time(
    monkeypatch: pytest.MonkeyPatch,
):
    with project(f"127.0.0.1:{free_port()}", monkeypatch) as here:
        channel = PubsubChannel(here.broker)
        answers = channel.send([command(number, topic=f"nba-topic-{number}") for number in range(50)])
    assert {type(answer) for answer in answers} == {TransientFailure}
    assert {str(answer).partition(": ")[2] for answer in answers} == {"UNAVAILABLE: it does not answer"}


def test_what_goes_to_other_ways_out_is_not_taken():
    topics = ["nba-phase4-trigger", "http:phase4/process-date", "probe:raw_to_analytics", "alert:critical"]
    assert [PubsubChannel.takes(command(topic=topic).command) for topic in topics] == [True, False, False, False]
    assert Broker("p").topic("t") == "projects/p/topics/t"
