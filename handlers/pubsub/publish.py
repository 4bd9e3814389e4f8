"""Commands leave for Pub/Sub: one confirmed publish for each topic and ordering key of a batch.

The payload is the JSON that consumers read (orchestration 2.5); what is ours travels beside it, as attributes. Messages
go by the broker's own publish call, which answers for a whole request and knows no key that has to be resumed after a
failure; the client library's publisher would try an ordered message again without end (docs/decisions/0011-pubsub.md).

Only what the broker will never take is a permanent failure. A missing topic or permission is mended by a person, and
then the command must still be there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import msgspec
import structlog
from google.api_core.exceptions import (
    Aborted,
    DeadlineExceeded,
    Forbidden,
    InternalServerError,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    RetryError,
    ServiceUnavailable,
    Unauthenticated,
    Unknown,
)
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.types import PubsubMessage

from events.catalogue import CommandRequested
from events.store import Pending
from handlers.dispatch import Answer, PermanentFailure, Sent, TransientFailure
from handlers.pubsub.broker import REFUSALS, Broker, reason_of
from handlers.pubsub.unavailable import PubsubUnavailable
from handlers.pubsub.wanted import is_topic

PUBLISH_SECONDS = 5.0
"""How long one publish call may take."""

RETRIED_SECONDS = 10.0
"""How long a publish is tried again before the command is taken for not sent."""

MESSAGE_BYTES_MAX = 10_000_000
"""What the broker takes at most, attributes included."""

REQUEST_BYTES_MAX = 1_000_000
REQUEST_MESSAGES_MAX = 500
"""What goes into one request of ours at most, but for a single message that is larger; the broker takes ten times."""

PASSING = (Aborted, DeadlineExceeded, InternalServerError, ResourceExhausted, ServiceUnavailable, Unknown)
"""Errors that pass by themselves."""

RETRY = Retry(predicate=if_exception_type(*PASSING), initial=0.1, maximum=2.0, multiplier=2.0, timeout=RETRIED_SECONDS)

Item = tuple[int, CommandRequested, Any]
"""A command with its place in the batch and its message."""


class PubsubChannel:
    """Publishes commands to the topics of a project (see Channel)."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._log = structlog.get_logger("publish")

    @staticmethod
    def takes(command: CommandRequested) -> bool:
        """Whether the command goes to a topic."""
        return is_topic(command.topic)

    def send(self, batch: list[Pending]) -> list[Answer]:
        """Publish the batch. While the broker does not answer, the rest of the batch is not tried."""
        answers: dict[int, Answer] = {}
        items = [(place, pending.command, message_of(pending.command)) for place, pending in enumerate(batch)]
        items.sort(key=lambda item: (item[1].topic, item[1].ordering_key))  # stable: a key keeps its order
        silence: str | None = None
        for (topic, _key), group in groupby(items, key=lambda item: (item[1].topic, item[1].ordering_key)):
            for request in _requests(group):
                if silence is None:
                    silence = self._publish(topic, request, answers)
                else:
                    answers |= {place: TransientFailure(f"{topic}: {silence}") for place, _, _ in request}
        return [answers[place] for place in range(len(batch))]

    def _publish(self, topic: str, request: list[Item], answers: dict[int, Answer]) -> str | None:
        """Publish one request and answer for it; the reason where it makes no sense to try others."""
        try:
            ids = publish(self._broker, topic, [message for _, _, message in request])
        except InvalidArgument as error:
            if len(request) > 1:  # one that cannot be published takes nobody else with it
                for item in request:
                    self._publish(topic, [item], answers)
                return None
            answers[request[0][0]] = PermanentFailure(f"{topic}: {reason_of(error)}")
        except (*REFUSALS, PubsubUnavailable) as error:
            reason = _why_not(error)
            self._log.log(_loudness(error), "publish_failed", topic=topic, commands=len(request), error=str(error))
            answers.update({place: TransientFailure(f"{topic}: {reason}") for place, _, _ in request})
            return reason if _concerns_all(error) else None
        else:
            answers.update({item[0]: Sent(message_id=said) for item, said in zip(request, ids, strict=True)})
        return None


def publish(broker: Broker, topic: str, messages: list[Any]) -> list[str]:
    """Publish messages of one ordering key in one request; their ids. Raises what the broker answers."""
    if any(PubsubMessage.pb(message).ByteSize() > MESSAGE_BYTES_MAX for message in messages):
        raise InvalidArgument(f"the message is larger than {MESSAGE_BYTES_MAX} bytes")
    answer = PublisherClient.publish(
        broker.publisher, topic=broker.topic(topic), messages=messages, retry=RETRY, timeout=PUBLISH_SECONDS
    )
    return list(answer.message_ids)


def message_of(command: CommandRequested) -> Any:
    """The message that asks for a command: its payload, and `command_id`, `kind`, `attempt`, `cycle` and `phase` as
    attributes. The same command makes the same message."""
    attributes = {"command_id": command.command_id, "kind": command.kind, "attempt": str(command.attempt)}
    attributes |= {"cycle": command.cycle} if command.cycle is not None else {}
    attributes |= {"phase": command.phase} if command.phase is not None else {}
    data = msgspec.json.encode(command.payload)
    return PubsubMessage(data=data, attributes=attributes, ordering_key=command.ordering_key)


def _requests(items: Iterable[Item]) -> Iterator[list[Item]]:
    """`items` in requests that are small enough."""
    request: list[Item] = []
    size = 0
    for item in items:
        more = PubsubMessage.pb(item[2]).ByteSize()
        if request and (size + more > REQUEST_BYTES_MAX or len(request) == REQUEST_MESSAGES_MAX):
            yield request
            request, size = [], 0
        request.append(item)
        size += more
    if request:
        yield request


def _why_not(error: Exception) -> str:
    """Words that stay the same while the reason does, with what to do about it."""
    if isinstance(error, NotFound):
        return "there is no such topic; `tipoff topics apply` makes it, and the command is sent then"
    if isinstance(error, Forbidden):
        return "this account may not publish; grant it roles/pubsub.publisher, and the command is sent then"
    return error.reason if isinstance(error, PubsubUnavailable) else reason_of(error)


def _loudness(error: Exception) -> int:
    return logging.WARNING if isinstance(error, (*PASSING, RetryError)) else logging.ERROR


def _concerns_all(error: Exception) -> bool:
    """Whether other topics would meet the same: nobody answers, or nobody knows us."""
    return isinstance(error, (*PASSING, RetryError, Unauthenticated, GoogleAuthError, PubsubUnavailable))
