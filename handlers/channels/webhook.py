"""A generic webhook: every message as one JSON document, to whoever wants to do something with it.

The document is a `Message.document`: `type` is `tipoff.alert`, `tipoff.digest` or `tipoff.test`. The `Idempotency-Key`
is the same for the same message however often it is posted. A self-test asks with OPTIONS, which changes nothing.
"""

from __future__ import annotations

import httpx

from events.codec import encode
from handlers.channels.messages import Message
from handlers.channels.targets import TRIES, domain_of
from handlers.outbound.client import SERVER_ERROR, Call, OutboundClient
from handlers.outbound.services import post

TIMEOUT_SECONDS = 10.0

DEAD = frozenset({401, 403, 404, 410})
"""What an address answers that takes nothing from us; any other answer, 405 among them, shows that somebody is
there."""


class WebhookTarget:
    """Posts to `address`."""

    name = "webhook"

    def __init__(self, address: str, client: OutboundClient, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._address = address
        self._client = client
        self._http = httpx.Client(timeout=timeout_seconds, headers={"Content-Type": "application/json"})

    def post(self, message: Message) -> None:
        """Post `message`. Raises PermanentFailure, TransientFailure."""
        body, headers = encode(message.document), {"Idempotency-Key": message.key}
        send = lambda: post(self._http, self._address, body, headers)  # noqa: E731 - one call, made several times
        self._client.make(Call(domain=domain_of(self._address), send=send, retries=TRIES))

    def check(self) -> str | None:
        """What is wrong with it; None where nothing is."""
        try:
            status = self._http.options(self._address).status_code
        except httpx.HTTPError as error:
            return f"no connection ({type(error).__name__})"
        return str(status) if status in DEAD or status >= SERVER_ERROR else None

    def close(self) -> None:
        """Close connections. Idempotent."""
        self._http.close()
