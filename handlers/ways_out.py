"""The ways out of a service, as its settings have them: which commands leave by which channel.

| commands | leave by | where |
|---|---|---|
| to topics | Pub/Sub | TIPOFF_PUBSUB_PROJECT is set |
| `measure` | the warehouse | TIPOFF_WAREHOUSE is set |
| `alert` | Slack, a webhook | one of their addresses is set, or Pub/Sub is |
| `http:…` | calls | TIPOFF_SERVICES is set, or Pub/Sub is |
| all others | a file | Pub/Sub is not set: the embedded home |

In the cloud nothing goes into a file, for its disk is memory: a command without a way waits in the outbox, and an alert
without a channel is a channel that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from datetime import datetime

from msgspec import Struct

from events.catalogue import CommandRequested
from handlers.channels.wiring import alert_channel, http_channel
from handlers.dispatch import Channel
from handlers.dispatcher import Way
from handlers.intake import Intake
from handlers.outbound import services
from handlers.outbound.breakers import through
from handlers.outbound.waiting import WallTime
from handlers.service import Subscriber
from handlers.settings import Settings
from handlers.warehouse import channel as probes
from handlers.warehouse.opening import open_warehouse
from statemachine.definition import Definition


class Outside(Struct, frozen=True):
    """What a service has to do with the world: `ways` out, and what brings messages in, made for its intake."""

    ways: Callable[[Intake], Sequence[Way]]
    subscribers: Sequence[Callable[[Intake], Subscriber]] = ()


def outside(
    settings: Settings,
    definitions: Mapping[str, Definition],
    clock: Callable[[], datetime],
    file: Callable[[], AbstractContextManager[Channel]],
    stack: ExitStack,
) -> Outside:
    """The ways out and the subscribers that `settings` ask for; `stack` closes what they hold. Raises
    WarehouseNameInvalid, WarehouseUnavailable, PubsubUnavailable."""
    made: list[Callable[[Intake], Way]] = []
    subscribers: list[Callable[[Intake], Subscriber]] = []
    cloud = bool(settings.pubsub_project)
    if settings.pubsub_project:
        from handlers.pubsub.broker import Broker  # noqa: PLC0415 - a second of start-up, for this home alone
        from handlers.pubsub.publish import PubsubChannel  # noqa: PLC0415
        from handlers.pubsub.pull import Puller  # noqa: PLC0415
        from handlers.pubsub.stream import Pace  # noqa: PLC0415
        from handlers.pubsub.wanted import sources  # noqa: PLC0415

        broker = Broker(settings.pubsub_project)
        stack.callback(broker.close)
        topics = PubsubChannel(broker)
        made.append(lambda _intake: Way("topics", topics.takes, topics))
        if not settings.pubsub_push_endpoint:
            pulled = sources(definitions.values())
            pace = Pace(lease_seconds=settings.pubsub_lease_seconds)
            subscribers.append(lambda intake: Puller(intake, broker, pulled, pace=pace))
    if settings.warehouse:
        warehouse = stack.enter_context(open_warehouse(settings.warehouse))
        measuring = probes.ProbeChannel(warehouse, definitions, clock)
        made.append(lambda _intake: Way("probes", probes.takes, measuring))
    time = WallTime()

    def alerts(intake: Intake) -> Way:
        channel = stack.enter_context(closing(alert_channel(settings, definitions, through(intake), time)))
        return Way("alerts", _is_alert, channel, time.stop)

    def calls(intake: Intake) -> Way:
        channel = stack.enter_context(closing(http_channel(settings, definitions, through(intake), time)))
        return Way("calls", _is_call, channel, time.stop)

    if cloud or any(_addresses(settings)):
        made.append(alerts)
    if cloud or settings.services:
        made.append(calls)
    if not cloud:
        channel = stack.enter_context(file())
        made.append(lambda _intake: Way("file", lambda _command: True, channel))
    return Outside(lambda intake: [make(intake) for make in made], subscribers)


def _addresses(settings: Settings) -> tuple[str, ...]:
    """Where alerts can be told."""
    slack = settings.slack_webhook, settings.slack_webhook_warning, settings.slack_webhook_critical
    return (*slack, settings.alert_webhook)


def _is_alert(command: CommandRequested) -> bool:
    return command.kind == "alert"


def _is_call(command: CommandRequested) -> bool:
    return services.takes(command.topic)
