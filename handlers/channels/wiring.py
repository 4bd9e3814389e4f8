"""The ways out for alerts and for calls, as the settings have them. Whoever wires a process takes them from here."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from events.values import Severity
from handlers.channels.alerts import AlertChannel, from_store
from handlers.channels.slack import SlackTarget
from handlers.channels.targets import Target
from handlers.channels.webhook import WebhookTarget
from handlers.outbound.breakers import Asking, SharedBreakers
from handlers.outbound.client import OutboundClient
from handlers.outbound.services import HttpChannel, service_of, takes
from handlers.outbound.waiting import Time
from handlers.outbound.wanted import judged_already
from handlers.settings import Settings
from statemachine.definition import ClientRules, Definition


def alert_channel(
    settings: Settings, definitions: Mapping[str, Definition], asking: Asking, time: Time
) -> AlertChannel:
    """Tells alerts to Slack and to the generic webhook, as far as they are set."""
    client = OutboundClient(_rules(definitions), SharedBreakers(asking), time)
    named: dict[Severity, str] = {
        "info": settings.slack_webhook,
        "warning": settings.slack_webhook_warning,
        "critical": settings.slack_webhook_critical,
    }
    slack = {severity: address for severity, address in named.items() if address}
    targets: list[Target] = [SlackTarget(slack, client)] if slack else []
    if settings.alert_webhook:
        targets.append(WebhookTarget(settings.alert_webhook, client))
    return AlertChannel(targets, from_store(asking), time, runbook=settings.runbook)


def http_channel(
    settings: Settings,
    definitions: Mapping[str, Definition],
    asking: Asking,
    time: Time,
    *,
    auth: httpx.Auth | None = None,
) -> HttpChannel:
    """Calls the services whose addresses are set, for commands whose topic begins with `http:`."""
    client = OutboundClient(_rules(definitions), SharedBreakers(asking), time)
    return HttpChannel(
        client,
        dict(settings.services),
        needed=frozenset(service_of(topic)[0] for topic in http_topics(definitions) if takes(topic)),
        unwanted=judged_already(asking),
        auth=auth,
    )


def http_topics(definitions: Mapping[str, Definition]) -> set[str]:
    """Topics of every command that the definitions can ask for."""
    found = set()
    for definition in definitions.values():
        found |= {heal.command.topic for heal in definition.heals if heal.mode != "off"}
        found |= {command.topic for phase in definition.phases for command in phase.commands}
    return found


def _rules(definitions: Mapping[str, Definition]) -> ClientRules:
    """The `[client]` rules that hold for calls, as for their breakers: those of the first definition."""
    return next(iter(definitions.values())).client
