"""Where messages are posted: a place with a name, that can be posted to and can test itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

from events.values import Severity
from handlers.channels.messages import Message

FALLBACKS: Mapping[Severity, tuple[Severity, ...]] = {
    "info": ("info", "warning", "critical"),
    "warning": ("warning", "info", "critical"),
    "critical": ("critical", "info", "warning"),
}
"""Which address takes a severity that has none of its own: the default one first, but never nobody."""

TRIES = 0
"""Retries of a post on the spot: none, for the dispatcher tries again, and an alert waits for no other."""


class Target(Protocol):
    """A place for messages. Implementations: `SlackTarget`, `WebhookTarget`."""

    @property
    def name(self) -> str:
        """What it is called in histories and answers."""

    def post(self, message: Message) -> None:
        """Post `message`. Raises PermanentFailure where it will never be taken, TransientFailure where not now."""

    def check(self) -> str | None:
        """What is wrong with it, found out without bothering anybody; None where nothing is."""

    def close(self) -> None:
        """Close connections. Idempotent."""


def address_for(severity: Severity, addresses: Mapping[Severity, str]) -> str:
    """The address for a severity; `addresses` has at least one."""
    return next(addresses[name] for name in FALLBACKS[severity] if name in addresses)


def domain_of(address: str) -> str:
    """Host and port: the name of its breaker. Nothing else of a webhook's address is ever said; it is a secret."""
    return urlsplit(address).netloc.rpartition("@")[2]
