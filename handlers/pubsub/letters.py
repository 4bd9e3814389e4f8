"""Dead letters: messages that were delivered too often without being acknowledged, and what is to become of them.

The broker wraps the original in a message of its own: source, attempts and the first publish time stand in attributes,
the original's id is lost. So a letter's message id here is made of what the original was, and the same original is the
same message however often it dies or is delivered again.

Letters are leased while they are looked at and given back at the end; only `settle` takes one away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
from google.api_core.exceptions import DeadlineExceeded
from msgspec import Struct

from events.wire import Delivery
from handlers.pubsub.broker import CALL_SECONDS, RETRY, Broker, said
from handlers.pubsub.stream import instant
from handlers.pubsub.wanted import DEAD_LETTERS, topic_of

PULL_SECONDS = 3.0
"""How long we wait for a further letter before there is none."""

PULL_MAX = 100
"""Letters asked for at a time."""

LEASE_SECONDS = 600
"""How long letters are kept from others while somebody looks at them; the longest that a broker grants."""

SOURCE = "CloudPubSubDeadLetterSource"
ATTEMPTS = f"{SOURCE}DeliveryCount"
SUBSCRIPTION = f"{SOURCE}Subscription"
PUBLISHED = f"{SOURCE}TopicPublishTime"


class Letter(Struct, frozen=True, kw_only=True):
    """A dead letter. `letter_id` is the broker's id of the letter; `topic`, `message_id`, `published_at`, `attributes`
    and `data` are the original's. `attempts` is null where the broker does not say."""

    letter_id: str
    subscription: str
    topic: str
    message_id: str
    published_at: datetime
    died_at: datetime
    attempts: int | None
    attributes: dict[str, str]
    data: bytes

    @property
    def delivery(self) -> Delivery:
        """The original, to be delivered again."""
        return Delivery(
            topic=self.topic,
            message_id=self.message_id,
            published_at=self.published_at,
            attributes=self.attributes,
            data=self.data,
        )


class Letters:
    """Letters under lease. Raises PubsubUnavailable."""

    def __init__(self, broker: Broker, subscription: str = DEAD_LETTERS) -> None:
        self._broker = broker
        self._path = broker.subscription(subscription)
        self._leased: dict[str, str] = {}  # letter id -> acknowledgement id

    def take(self, limit: int) -> Iterator[Letter]:
        """The letters that nobody else looks at, `limit` at most."""
        taken = 0
        while taken < limit and (received := self._pull(min(PULL_MAX, limit - taken))):
            self._lease([item.ack_id for item in received], LEASE_SECONDS)
            for item in received:
                if item.message.message_id not in self._leased:
                    taken += 1
                    self._leased[item.message.message_id] = item.ack_id
                    yield letter(item.message)

    def settle(self, letter: Letter) -> None:
        """Take a letter out for good: what it says is stored."""
        with said("acknowledging a dead letter"):
            ack_ids = [self._leased.pop(letter.letter_id)]
            request = {"subscription": self._path, "ack_ids": ack_ids}
            self._broker.subscriber.acknowledge(request=request, retry=RETRY, timeout=CALL_SECONDS)

    def give_back(self) -> None:
        """Let others see what was not settled."""
        if self._leased:
            self._lease(list(self._leased.values()), 0)
            self._leased = {}

    def _pull(self, count: int) -> list[Any]:
        request = {"subscription": self._path, "max_messages": count}
        with said("looking at dead letters"):
            try:
                answer = self._broker.subscriber.pull(request=request, retry=None, timeout=PULL_SECONDS)
            except DeadlineExceeded:
                return []
        return list(answer.received_messages)

    def _lease(self, ack_ids: list[str], seconds: int) -> None:
        request = {"subscription": self._path, "ack_ids": ack_ids, "ack_deadline_seconds": seconds}
        with said("leasing dead letters"):
            self._broker.subscriber.modify_ack_deadline(request=request, retry=RETRY, timeout=CALL_SECONDS)


@contextmanager
def letters(broker: Broker) -> Iterator[Letters]:
    """Dead letters, given back at the end but for those that were settled."""
    found = Letters(broker)
    try:
        yield found
    finally:
        found.give_back()


def letter(message: Any) -> Letter:
    """What the broker delivers from the dead-letter topic, as what it once was. One that somebody published there by
    hand has no source."""
    attributes = dict(message.attributes)
    around = {key: attributes.pop(key) for key in list(attributes) if key.startswith(SOURCE)}
    subscription = around.get(SUBSCRIPTION, "")
    died_at = instant(message.publish_time)
    attempts = around.get(ATTEMPTS, "")
    return Letter(
        letter_id=message.message_id,
        subscription=subscription,
        topic=topic_of(subscription),
        message_id=_identity(subscription, around.get(PUBLISHED, ""), attributes, message.data),
        published_at=_published(around.get(PUBLISHED)) or died_at,
        died_at=died_at,
        attempts=int(attempts) if attempts.isdecimal() else None,
        attributes=attributes,
        data=message.data,
    )


def _identity(subscription: str, published: str, attributes: dict[str, str], data: bytes) -> str:
    original = msgspec.json.encode([subscription, published, attributes], order="deterministic")
    return f"dead-letter-{sha256(original + data).hexdigest()[:32]}"


def _published(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
