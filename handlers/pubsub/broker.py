"""The broker: one project's Pub/Sub, its clients and full names.

Everything here that talks to Pub/Sub gets its clients from a `Broker`; with PUBSUB_EMULATOR_HOST set they talk to that
emulator. What the broker refuses is said as `PubsubUnavailable` with the next step, never as an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from google.api_core.exceptions import (
    Forbidden,
    GoogleAPICallError,
    NotFound,
    RetryError,
    ServiceUnavailable,
    Unauthenticated,
)
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from handlers.pubsub.unavailable import PubsubUnavailable

CALL_SECONDS = 10.0
"""How long one call may take."""

RETRIED_SECONDS = 20.0
"""How long a call is tried again while the broker does not answer."""

RETRY = Retry(
    predicate=if_exception_type(ServiceUnavailable), initial=0.2, maximum=3.0, multiplier=2.0, timeout=RETRIED_SECONDS
)

REFUSALS = (GoogleAPICallError, RetryError, GoogleAuthError)
"""What a call may raise."""


class Broker:
    """Pub/Sub of one Google Cloud project. Raises PubsubUnavailable where there are no credentials for it."""

    def __init__(self, project: str) -> None:
        self.project = project

    @cached_property
    def publisher(self) -> Any:
        """The client for topics."""
        with said("Pub/Sub"):
            return PublisherClient()

    @cached_property
    def subscriber(self) -> Any:
        """The client for subscriptions."""
        with said("Pub/Sub"):
            return SubscriberClient()

    def topic(self, name: str) -> str:
        """The full name of a topic."""
        return f"projects/{self.project}/topics/{name}"

    def subscription(self, name: str) -> str:
        """The full name of a subscription."""
        return f"projects/{self.project}/subscriptions/{name}"

    def close(self) -> None:
        """Close the connections. Idempotent."""
        for name in ("publisher", "subscriber"):
            client = self.__dict__.pop(name, None)
            if client is not None:
                client.transport.close()


@contextmanager
def said(what: str) -> Iterator[None]:
    """Raises what a call is refused with as PubsubUnavailable; `what` says what was asked for."""
    try:
        yield
    except REFUSALS as error:
        raise PubsubUnavailable(what=what, reason=reason_of(error), next_step=_next_step(error)) from error


def reason_of(error: BaseException) -> str:
    """What the broker said, in words that stay the same while it keeps saying it."""
    if isinstance(error, RetryError):
        error = error.cause or error
    if isinstance(error, GoogleAPICallError):
        status = error.grpc_status_code.name if error.grpc_status_code else str(error.code)
        unreachable = isinstance(error, ServiceUnavailable)
        return f"{status}: {'it does not answer' if unreachable else error.message}"
    return str(error) or type(error).__name__


def _next_step(error: BaseException) -> str:
    if isinstance(error, Forbidden):
        return "Grant this account the role (docs/pubsub.md), then try again."
    if isinstance(error, NotFound):
        return "`tipoff topics apply` makes what is missing."
    if isinstance(error, GoogleAuthError | Unauthenticated):
        return "Log in (gcloud auth application-default login), or set PUBSUB_EMULATOR_HOST."
    return "Try again; nothing was acknowledged."
