"""The effects of topics: what there is in a project, and the steps of a plan carried out.

A step that somebody else has taken in the meantime is taken; the plan made afterwards says what is left.
"""

from __future__ import annotations

from typing import Any

from google.api_core.exceptions import AlreadyExists

from handlers.pubsub.broker import CALL_SECONDS, RETRY, Broker, said
from handlers.pubsub.drift import DELETED_TOPIC, Existing, Step
from handlers.pubsub.wanted import Push, Subscription, Wanted

CALL: dict[str, Any] = {"retry": RETRY, "timeout": CALL_SECONDS}

_PATHS = {
    "push": "push_config",
    "ack_seconds": "ack_deadline_seconds",
    "retention_seconds": "message_retention_duration",
    "dead_letter_topic": "dead_letter_policy",
    "attempts_max": "dead_letter_policy",
    "backoff_min_seconds": "retry_policy",
    "backoff_max_seconds": "retry_policy",
    "expires_seconds": "expiration_policy",
}
"""What the broker calls the properties that can be changed."""


def existing(broker: Broker, wanted: Wanted) -> Existing:
    """What is there. Raises PubsubUnavailable."""
    project = f"projects/{broker.project}"
    with said(f"looking at {project}"):
        topics = {_short(topic.name) for topic in broker.publisher.list_topics(project=project, **CALL)}
        listed = broker.subscriber.list_subscriptions(project=project, **CALL)
        subscriptions = {_short(item.name): as_is(item) for item in listed}
    heard = {subscription.topic for subscription in subscriptions.values()}
    for topic in wanted.topics:
        if topic.purpose == "commands" and topic.name in topics - heard and _has_subscription(broker, topic.name):
            heard.add(topic.name)  # one of another project
    return Existing(topics=frozenset(topics), heard=frozenset(heard), subscriptions=subscriptions)


def take(broker: Broker, step: Step) -> None:
    """Carry a step out. Raises PubsubUnavailable."""
    with said(f"{step.action} {step.name}"):
        try:
            if step.action == "create_topic":
                broker.publisher.create_topic(name=broker.topic(step.name), **CALL)
            elif step.subscription is not None and step.action == "create_subscription":
                broker.subscriber.create_subscription(request=_request(broker, step.subscription), **CALL)
            elif step.subscription is not None:
                paths = sorted({_PATHS[change.field] for change in step.changes})
                request = {"subscription": _request(broker, step.subscription), "update_mask": {"paths": paths}}
                broker.subscriber.update_subscription(request=request, **CALL)
        except AlreadyExists:
            return  # somebody else took the step


def as_is(subscription: Any) -> Subscription:
    """A subscription as the broker describes it."""
    dead, retry, push = subscription.dead_letter_policy, subscription.retry_policy, subscription.push_config
    return Subscription(
        name=_short(subscription.name),
        topic=subscription.topic if subscription.topic == DELETED_TOPIC else _short(subscription.topic),
        push=_push(push) if push.push_endpoint else None,
        ack_seconds=subscription.ack_deadline_seconds,
        retention_seconds=int(subscription.message_retention_duration.total_seconds()),
        ordered=subscription.enable_message_ordering,
        dead_letter_topic=_short(dead.dead_letter_topic) or None,
        attempts_max=dead.max_delivery_attempts or None,
        backoff_min_seconds=_seconds(retry.minimum_backoff),
        backoff_max_seconds=_seconds(retry.maximum_backoff),
        expires_seconds=_seconds(subscription.expiration_policy.ttl),
    )


def _push(push: Any) -> Push:
    token = push.oidc_token
    return Push(endpoint=push.push_endpoint, account=token.service_account_email, audience=token.audience)


def _request(broker: Broker, wanted: Subscription) -> dict[str, Any]:
    request: dict[str, Any] = {
        "name": broker.subscription(wanted.name),
        "topic": broker.topic(wanted.topic),
        "ack_deadline_seconds": wanted.ack_seconds,
        "message_retention_duration": {"seconds": wanted.retention_seconds},
        "enable_message_ordering": wanted.ordered,
        "expiration_policy": {} if wanted.expires_seconds is None else {"ttl": {"seconds": wanted.expires_seconds}},
    }
    if wanted.push is not None:
        push: dict[str, Any] = {"push_endpoint": wanted.push.endpoint}
        if wanted.push.account:
            push["oidc_token"] = {
                "service_account_email": wanted.push.account,
                "audience": wanted.push.audience,
            }
        request["push_config"] = push
    if wanted.dead_letter_topic is not None:
        request["dead_letter_policy"] = {
            "dead_letter_topic": broker.topic(wanted.dead_letter_topic),
            "max_delivery_attempts": wanted.attempts_max,
        }
    if wanted.backoff_min_seconds is not None:
        request["retry_policy"] = {
            "minimum_backoff": {"seconds": wanted.backoff_min_seconds},
            "maximum_backoff": {"seconds": wanted.backoff_max_seconds},
        }
    return request


def _has_subscription(broker: Broker, topic: str) -> bool:
    with said(f"looking at {topic}"):
        found = broker.publisher.list_topic_subscriptions(topic=broker.topic(topic), **CALL)
        return any(True for _ in found)


def _seconds(duration: Any) -> int | None:
    return int(duration.total_seconds()) if duration else None


def _short(name: str) -> str:
    return str(name).rpartition("/")[2]
