"""What Tipoff wants of a project's Pub/Sub, computed from the definitions alone.

A topic for every phase's completions, for whatever else the definitions name, for native messages, and for every
command; a subscription of ours to each of them that brings messages in; and one dead-letter topic *with* a
subscription, because a dead-letter topic that nobody subscribes to loses messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from events.wire.delivery import OUR_SUBSCRIPTIONS
from statemachine.definition import Definition

PREFIX = OUR_SUBSCRIPTIONS
"""What our subscriptions begin with; behind it stands the name of their topic."""

DEAD_LETTERS = "tipoff-dead-letters"
"""The dead-letter topic, and its subscription: letters say themselves where they come from."""

ACK_SECONDS = 60
"""A delivery is repeated when nothing is heard of it for this long; the puller extends it while a commit is slow."""

LEASE_SECONDS = 60
"""The same for what was pulled, where the puller says it itself."""

RETENTION_SECONDS = 7 * 24 * 3600
"""How long a message waits to be acknowledged before it is lost: the longest that every broker grants."""

ATTEMPTS_MAX = 15
"""Deliveries before a message is a dead letter: with the back-off, about an hour and a half of refused pushes."""

BACKOFF_MIN_SECONDS = 10
BACKOFF_MAX_SECONDS = 600

Purpose = Literal["reports", "native", "commands", "dead_letters"]


class Topic(Struct, frozen=True, kw_only=True):
    """A topic, and what it is for. Those for `reports` and `native` messages bring messages in for `sport`."""

    name: str
    purpose: Purpose
    sport: str = ""

    @property
    def comes_in(self) -> bool:
        """Whether Tipoff reads it."""
        return self.purpose in ("reports", "native")


class Push(Struct, frozen=True, kw_only=True):
    """Where the broker pushes to, and the identity it shows there: its tokens are of `account`, for `audience`."""

    endpoint: str
    account: str = ""
    audience: str = ""


class Subscription(Struct, frozen=True, kw_only=True):
    """A subscription as it is or should be. Without `push` it is pulled. None means: no dead letters, no back-off
    between deliveries, no expiry. A subscription that expires is deleted after as long without a reader, so ours never
    do: a sport has an off-season."""

    name: str
    topic: str
    push: Push | None = None
    ack_seconds: int = ACK_SECONDS
    retention_seconds: int = RETENTION_SECONDS
    ordered: bool = False
    dead_letter_topic: str | None = None
    attempts_max: int | None = None
    backoff_min_seconds: int | None = None
    backoff_max_seconds: int | None = None
    expires_seconds: int | None = None


class Wanted(Struct, frozen=True, kw_only=True):
    """All that Tipoff wants."""

    topics: tuple[Topic, ...]
    subscriptions: tuple[Subscription, ...]


class Source(Struct, frozen=True, kw_only=True):
    """What the puller pulls: a subscription, the topic behind it, and whose messages they are."""

    subscription: str
    topic: str
    sport: str


def wanted(definitions: Iterable[Definition], push: Push | None = None) -> Wanted:
    """What these definitions want; with `push` our subscriptions are pushed there."""
    topics = _topics(list(definitions))
    dead = Subscription(name=DEAD_LETTERS, topic=DEAD_LETTERS)
    return Wanted(
        topics=topics, subscriptions=(dead, *(_subscription(topic, push) for topic in topics if topic.comes_in))
    )


def sources(definitions: Iterable[Definition]) -> tuple[Source, ...]:
    """What a service with these definitions pulls."""
    topics = _topics(list(definitions))
    return tuple(
        Source(subscription=subscription_of(topic.name), topic=topic.name, sport=topic.sport)
        for topic in topics
        if topic.comes_in
    )


def subscription_of(topic: str) -> str:
    """The name of our subscription to `topic`."""
    return f"{PREFIX}{topic}"


def topic_of(subscription: str) -> str:
    """The topic behind a subscription, given by its name or full name; that of one that is not ours is its own name. A
    push does not say its topic, and a message has to have the same one whichever way it comes."""
    return subscription.rpartition("/")[2].removeprefix(PREFIX)


def native_topic(sport: str) -> str:
    """Where native messages of a sport are published."""
    return f"{sport}-tipoff"


def is_topic(name: str) -> bool:
    """Whether a name that a definition calls a topic is one of Pub/Sub; `http:…`, `firestore:…` and their kin are
    not."""
    return ":" not in name


def _topics(definitions: list[Definition]) -> tuple[Topic, ...]:
    found = {DEAD_LETTERS: Topic(name=DEAD_LETTERS, purpose="dead_letters")}
    for definition in definitions:
        for topic in (*_coming_in(definition), *_commanded(definition)):
            found.setdefault(topic.name, topic)
    return tuple(sorted(found.values(), key=lambda topic: topic.name))


def _coming_in(definition: Definition) -> Iterator[Topic]:
    reports = [phase.complete_topic for phase in definition.phases if phase.complete_topic is not None]
    for name in (*reports, *definition.topics):
        if is_topic(name):
            yield Topic(name=name, purpose="reports", sport=definition.topics.get(name, definition.sport))
    yield Topic(name=native_topic(definition.sport), purpose="native", sport=definition.sport)


def _commanded(definition: Definition) -> Iterator[Topic]:
    commands = [spec for phase in definition.phases for spec in phase.commands]
    for spec in (*commands, *(heal.command for heal in definition.heals)):
        if is_topic(spec.topic):
            yield Topic(name=spec.topic, purpose="commands", sport=definition.sport)


def _subscription(topic: Topic, push: Push | None) -> Subscription:
    return Subscription(
        name=subscription_of(topic.name),
        topic=topic.name,
        push=push,
        ordered=topic.purpose == "native",  # nobody else sends ordering keys
        dead_letter_topic=DEAD_LETTERS,
        attempts_max=ATTEMPTS_MAX,
        backoff_min_seconds=BACKOFF_MIN_SECONDS,
        backoff_max_seconds=BACKOFF_MAX_SECONDS,
    )
