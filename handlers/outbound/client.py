"""One outbound call: asked of its breaker, made, waited and tried again, until it is answered, refused or put off.

What a reply means is decided here alone. A refusal (4xx) is permanent: trying again cannot help. 408, 425, 429, every
5xx, a time-out and no connection are for now. A call that would have to wait longer than the cap is put off: its
failure says until when, the breaker keeps it for all instances, and nobody calls before. Tries carry the same
idempotency key.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

import structlog
from msgspec import Struct
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from events.calls import CallAnswered
from handlers.dispatch import PermanentFailure, TransientFailure
from handlers.outbound.breakers import UNRECORDED, Breakers, call_ids
from handlers.outbound.retry_after import retry_after_seconds
from handlers.outbound.waiting import Interrupted, Time, wait_seconds
from statemachine.definition import ClientRules

TOO_MANY = 429
FOR_NOW = frozenset({408, 425, TOO_MANY})
"""Refusals that do not hold for good; every 5xx is for now as well."""

SERVER_ERROR, REDIRECT = 500, 300

TEXT_MAX = 200
"""Characters of a reply that a failure quotes."""


class Reply(Struct, frozen=True, kw_only=True):
    """What a service answered, as far as it matters here. `date` and `retry_after` are the headers of those names."""

    status: int
    text: str = ""
    retry_after: str | None = None
    date: str | None = None


class NoReply(Exception):
    """A time-out, or no connection: nobody knows whether the service took the call."""


class Call(Struct, frozen=True, kw_only=True):
    """A call to make. `domain` is host and port, whose breaker holds; `send` makes one try (raises NoReply); `kind`
    says which back-off factor holds (robustness 1.3); `retries` is at most that of the rules."""

    domain: str
    send: Callable[[], Reply]
    kind: Literal["pool", "scraper"] = "pool"
    retries: int | None = None


class _Failed(Exception):
    """A try that failed for now. `limited` where the service called it too often, `asked` what its Retry-After said in
    seconds, `again_at` the instant that follows from it."""

    def __init__(
        self, what: str, *, limited: bool = False, asked: float | None = None, again_at: datetime | None = None
    ) -> None:
        self.what, self.limited, self.asked, self.again_at = what, limited, asked, again_at
        super().__init__(what)


class _Held(_Failed):
    """The breaker let nothing out."""


class OutboundClient:
    """Makes calls under `rules`. Safe to use from several threads."""

    def __init__(self, rules: ClientRules, breakers: Breakers, time: Time) -> None:
        self._rules = rules
        self._breakers = breakers
        self._time = time
        self._next_id = call_ids()
        self._log = structlog.get_logger("outbound")

    def make(self, call: Call) -> Reply:
        """Make `call`. Returns the reply where the service took it (2xx); raises PermanentFailure where it refused it,
        TransientFailure where it could not be made now, with the instant before which nobody will try again."""
        retries = self._rules.retries_max if call.retries is None else call.retries
        trying = Retrying(
            sleep=self._time.wait,
            stop=stop_after_attempt(retries + 1),
            wait=lambda state: self._wait(call, state),
            retry=retry_if_exception(
                lambda error: isinstance(error, _Failed) and self._seconds(call, error) is not None
            ),
            reraise=True,
        )
        try:
            return trying(self._try, call)
        except _Failed as error:
            again = f"; not before {error.again_at.isoformat()}" if error.again_at is not None else ""
            raise TransientFailure(f"{call.domain}: {error.what}{again}") from error
        except Interrupted as error:
            raise TransientFailure(f"{call.domain}: the service is stopping before the next try") from error
        except UNRECORDED as error:
            raise TransientFailure(f"{call.domain}: its breaker cannot be asked: {error}") from error

    def _wait(self, call: Call, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        seconds = self._seconds(call, error, state.attempt_number)
        assert seconds is not None, "only what is worth waiting for is tried again"
        return seconds

    def _seconds(self, call: Call, error: BaseException | None, retry: int = 1) -> float | None:
        """How long to wait after `error`; None where it is not waited for."""
        if isinstance(error, _Held) or not isinstance(error, _Failed):
            return None
        rules = self._rules
        factor = rules.scraper_backoff_factor if call.kind == "scraper" else rules.pool_backoff_factor
        base = rules.backoff_base_seconds if error.limited else factor
        return wait_seconds(retry, base=base, rules=rules, chance=self._time.chance(), asked=error.asked)

    def _try(self, call: Call) -> Reply:
        number = self._next_id()
        admission = self._breakers.ask(call.domain, number, self._time.now())
        if admission.verdict != "go":
            raise _Held(f"not called: {admission.why}")
        try:
            reply = call.send()
        except NoReply as error:
            self._tell(call, CallAnswered(call=number, outcome="failed", error=str(error)))
            raise _Failed(str(error)) from error
        if reply.status in FOR_NOW or reply.status >= SERVER_ERROR:
            raise self._failed(call, number, reply)
        self._tell(call, CallAnswered(call=number, outcome="ok", status=reply.status))
        if reply.status >= REDIRECT:
            raise PermanentFailure(f"{call.domain}: refused with {words(reply)}")
        return reply

    def _failed(self, call: Call, number: str, reply: Reply) -> _Failed:
        now, asked = self._time.now(), None
        if self._rules.retry_after_enabled:
            asked = retry_after_seconds(reply.retry_after, now=now, date=reply.date)
        again_at = now + timedelta(seconds=asked) if asked is not None else None
        self._tell(
            call,
            CallAnswered(call=number, outcome="failed", status=reply.status, error=words(reply), retry_at=again_at),
        )
        # Without the reply's text: it may differ every time, and the same failure is to be the same fact.
        return _Failed(str(reply.status), limited=reply.status == TOO_MANY, asked=asked, again_at=again_at)

    def _tell(self, call: Call, answered: CallAnswered) -> None:
        if answered.outcome == "failed":
            self._log.warning("call_failed", domain=call.domain, status=answered.status, error=answered.error)
        self._breakers.tell(call.domain, answered, self._time.now())


def words(reply: Reply) -> str:
    """What a reply says, in a few words."""
    said = " ".join(reply.text.split())[:TEXT_MAX]
    return f"{reply.status}{': ' + said if said else ''}"
