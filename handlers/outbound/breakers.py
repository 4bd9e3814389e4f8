"""The breakers of the domains that we call, shared by all instances through the store.

A breaker is read and moved on what the store has now, never on what this process remembers: another instance may have
moved it. Two instances that ask for the one call through a half-open breaker append to the same stream, and one of them
is refused by its expected version.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any, Protocol
from uuid import uuid4

import structlog

from events.calls import CallAnswered, CallAsked, Calls
from events.catalogue import Fact
from events.codec import derive_id
from events.store import StoreError
from handlers.intake import Intake, IntakeClosed, IntakeFull
from handlers.recorder import Recorder
from statemachine.breaker import Admission, BreakerState, admission, decide
from statemachine.streams import breaker_stream

Asking = Callable[[Callable[[Recorder], Any]], Any]
"""Puts a question to the recorder and gives the answer; raises what the question raises."""

ANSWER_SECONDS = 30.0
"""How long the recorder may take to answer."""

UNRECORDED = (StoreError, IntakeClosed, IntakeFull, TimeoutError)
"""Why a breaker could not be asked or told."""


def through(intake: Intake) -> Asking:
    """Asks the recorder of a running service."""
    return lambda question: intake.ask(question).result(ANSWER_SECONDS)


def of(recorder: Recorder) -> Asking:
    """Asks a recorder on the caller's own thread."""
    return lambda question: question(recorder)


class Breakers(Protocol):
    """What a client asks before a call and tells after it. Implementations: `SharedBreakers`, `NoBreakers`."""

    def ask(self, domain: str, call: str, now: datetime) -> Admission:
        """Whether `call` may go to `domain` at `now`: `go` or `wait`. Raises one of UNRECORDED."""

    def tell(self, domain: str, answered: CallAnswered, now: datetime) -> None:
        """What the call came to. Raises nothing: a call that was made is not undone by a store that is away."""


class NoBreakers:
    """Lets every call through: for a command line that makes one call and ends."""

    def ask(self, _domain: str, _call: str, _now: datetime) -> Admission:
        """Go."""
        return Admission("go")

    def tell(self, _domain: str, _answered: CallAnswered, _now: datetime) -> None:
        """Nothing is remembered."""


class SharedBreakers:
    """Breakers on streams of their own, under the definitions' `[client]` rules."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._log = structlog.get_logger("outbound")

    def ask(self, domain: str, call: str, now: datetime) -> Admission:
        """Whether `call` may go to `domain` at `now`: `go` or `wait`. Raises one of UNRECORDED."""
        verdict: Admission = self._asking(lambda recorder: _ask(_afresh(recorder), domain, call, now))
        return verdict

    def tell(self, domain: str, answered: CallAnswered, now: datetime) -> None:
        """What the call came to, recorded where it makes a difference."""
        try:
            self._asking(lambda recorder: _record(_afresh(recorder), domain, answered, now))
        except UNRECORDED as error:
            self._log.warning("breaker_not_told", domain=domain, outcome=answered.outcome, error=str(error))

    def state(self, domain: str) -> BreakerState:
        """The breaker of `domain` as the store has it. Raises one of UNRECORDED."""
        state: BreakerState = self._asking(lambda recorder: _afresh(recorder).state(breaker_stream(domain)))
        return state


def _afresh(recorder: Recorder) -> Recorder:
    """A recorder on the same store that remembers nothing."""
    return Recorder(recorder.store, recorder.definitions)


def _ask(recorder: Recorder, domain: str, call: str, now: datetime) -> Admission:
    stream = breaker_stream(domain)
    rules = recorder.definition_for(stream).client
    verdict = admission(recorder.state(stream), rules, now)
    if verdict.verdict != "ask":
        return verdict
    _record(recorder, domain, CallAsked(call=call), now)
    state = recorder.state(stream)
    return Admission("go") if state.probe == call else admission(state, rules, now)


def _record(recorder: Recorder, domain: str, data: Calls, now: datetime) -> None:
    stream = breaker_stream(domain)
    fact = Fact(
        stream=stream,
        id=derive_id(type(data).__name__, stream, data.call),
        occurred_at=now,
        correlation=data.call,
        data=data,
        actor="client",
    )
    if decide(recorder.state(stream), fact, now, recorder.definition_for(stream)):
        recorder.record([(fact, now)])


def call_ids() -> Callable[[], str]:
    """Makes ids of calls that no other instance makes."""
    instance, numbers = uuid4().hex[:12], count(1)
    return lambda: f"{instance}-{next(numbers)}"
