"""Drift: what differs between the Pub/Sub that is wanted and the one that is there, and the steps that end it.

Pure: what is there is a value, and `after` says what it is once steps were taken, so the rule that a plan which was
applied leaves nothing to do is a property of two functions. Nothing is ever deleted; what only a person can mend is a
finding with its next step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict, replace

from handlers.pubsub.wanted import PREFIX, Subscription, Wanted

DELETED_TOPIC = "_deleted-topic_"
"""What the broker calls the topic of a subscription whose topic was deleted."""

FIXED = ("topic", "ordered")
"""What cannot be changed once a subscription exists."""


class Existing(Struct, frozen=True, kw_only=True):
    """What is in the project: topics, those of them that somebody subscribes to, and subscriptions by name."""

    topics: frozenset[str] = frozenset()
    heard: frozenset[str] = frozenset()
    subscriptions: dict[str, Subscription] = {}


class Change(Struct, frozen=True, kw_only=True):
    """A property that differs."""

    field: str
    is_now: Any
    wanted: Any


class Step(Struct, frozen=True, kw_only=True):
    """Something to do. `changes` is what differs for `change_subscription`; `subscription` is the wanted one."""

    action: Literal["create_topic", "create_subscription", "change_subscription"]
    name: str
    changes: tuple[Change, ...] = ()
    subscription: Subscription | None = None


class Finding(Struct, frozen=True, kw_only=True):
    """Something that only a person can mend: a property that cannot be changed (`fixed`), a topic that was deleted
    below its subscription (`detached`), commands that nobody would hear (`unheard`), a subscription of ours that no
    definition wants (`stray`)."""

    kind: Literal["fixed", "detached", "unheard", "stray"]
    name: str
    detail: str
    next_step: str


class Plan(Struct, frozen=True, kw_only=True):
    """The steps to take in their order, and what is left then."""

    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether there is nothing to do and nothing to say."""
        return not self.steps and not self.findings


def plan(wanted: Wanted, existing: Existing) -> Plan:
    """What differs."""
    return Plan(steps=tuple(_steps(wanted, existing)), findings=tuple(_findings(wanted, existing)))


def after(existing: Existing, steps: tuple[Step, ...]) -> Existing:
    """What is there once `steps` were taken."""
    topics, heard, subscriptions = set(existing.topics), set(existing.heard), dict(existing.subscriptions)
    for step in steps:
        if step.action == "create_topic":
            topics.add(step.name)
        elif step.action == "create_subscription" and step.subscription is not None:
            subscriptions[step.name] = step.subscription
            heard.add(step.subscription.topic)
        else:
            changes = {change.field: change.wanted for change in step.changes}
            subscriptions[step.name] = replace(subscriptions[step.name], **changes)
    return Existing(topics=frozenset(topics), heard=frozenset(heard), subscriptions=subscriptions)


def _steps(wanted: Wanted, existing: Existing) -> Iterator[Step]:
    for topic in wanted.topics:
        if topic.name not in existing.topics:
            yield Step(action="create_topic", name=topic.name)
    for subscription in wanted.subscriptions:
        there = existing.subscriptions.get(subscription.name)
        if there is None:
            yield Step(action="create_subscription", name=subscription.name, subscription=subscription)
        elif changes := tuple(change for change in _differences(there, subscription) if change.field not in FIXED):
            yield Step(action="change_subscription", name=subscription.name, changes=changes, subscription=subscription)


def _differences(there: Subscription, wanted: Subscription) -> Iterator[Change]:
    is_now = asdict(there)
    for field, value in asdict(wanted).items():
        if is_now[field] != value:
            yield Change(field=field, is_now=is_now[field], wanted=value)


def _findings(wanted: Wanted, existing: Existing) -> Iterator[Finding]:
    for subscription in wanted.subscriptions:
        there = existing.subscriptions.get(subscription.name)
        if there is not None:
            yield from _fixed(there, subscription)
    for topic in wanted.topics:
        if topic.purpose == "commands" and topic.name not in existing.heard:
            detail = "nobody subscribes to it: what is commanded there reaches nobody, and is lost"
            step = "Let the service that does the work subscribe, or take the command out of the definition."
            yield Finding(kind="unheard", name=topic.name, detail=detail, next_step=step)
    known = {subscription.name for subscription in wanted.subscriptions}
    for name in sorted(existing.subscriptions):
        if name.startswith(PREFIX) and name not in known:
            detail = "no definition wants it, and messages pile up in it"
            step = "Name the definition it belongs to with --definition, or delete the subscription."
            yield Finding(kind="stray", name=name, detail=detail, next_step=step)


def _fixed(there: Subscription, wanted: Subscription) -> Iterator[Finding]:
    again = f"Delete the subscription once it is empty, then apply: gcloud pubsub subscriptions delete {there.name}"
    if there.topic == DELETED_TOPIC:
        detail = f"the topic {wanted.topic} was deleted below it, so that nothing arrives any more"
        yield Finding(kind="detached", name=there.name, detail=detail, next_step=again)
        return
    for change in _differences(there, wanted):
        if change.field in FIXED:
            detail = f"`{change.field}` is {change.is_now}, wanted is {change.wanted}; that cannot be changed"
            yield Finding(kind="fixed", name=there.name, detail=detail, next_step=again)
