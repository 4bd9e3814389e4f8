"""The breaker of a domain that we call: closed, open or half-open, on a stream of its own (`client/HOST/breaker`).

Its state is an event-sourced fact like any other, so every instance sees the same breaker: one that learns of a failure
tells all, and of a half-open one exactly one call of one instance gets through. What a service's Retry-After asks holds
for all instances too (robustness 1.1: per-process state, no half-open, unsynchronised counters were the faults).

Only what makes a difference is recorded: while a service answers, its stream does not grow.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from events.calls import BreakerMoved, CallAnswered, CallAsked
from events.catalogue import DefinitionAdopted, Event, Fact
from events.values import BreakerPosition
from statemachine.definition import ClientRules, Definition
from statemachine.turn import Working


class BreakerState(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The folded state of a breaker. `failures` are those in a row; `until` ends the open time, or the wait for the
    answer of `probe`; `not_before` is what the service last asked for with Retry-After; `trips` counts openings."""

    stream: str
    version: int = 0
    definition: str = ""
    recorded_at: datetime | None = None
    position: BreakerPosition = "closed"
    since: datetime | None = None
    failures: int = 0
    until: datetime | None = None
    probe: str | None = None
    not_before: datetime | None = None
    trips: int = 0
    recent: tuple[str, ...] = ()


def initial(stream: str) -> BreakerState:
    """The state before the first event: closed."""
    return BreakerState(stream=stream)


# --- what a client may do -----------------------------------------------------------------------------------------


class Admission(Struct, frozen=True):
    """Whether a call may go out now. `go` goes; `ask` has to record `call_asked` first, and goes if that call is the
    state's probe afterwards; `wait` does not go before `until`, because of `why`."""

    verdict: Literal["go", "ask", "wait"]
    why: str = ""
    until: datetime | None = None


def admission(state: BreakerState, rules: ClientRules, now: datetime) -> Admission:
    """What the breaker says to a call at `now`."""
    if rules.retry_after_enabled and state.not_before is not None and now < state.not_before:
        why = f"the service asked for it with Retry-After, until {state.not_before.isoformat()}"
        return Admission("wait", why, state.not_before)
    if not rules.breaker_enabled or state.position == "closed":
        return Admission("go")
    if state.until is not None and now < state.until:
        why = "the breaker is open" if state.position == "open" else "another call is trying whether it answers again"
        return Admission("wait", why, state.until)
    return Admission("ask")


# --- fold ---------------------------------------------------------------------------------------------------------


def changed(state: BreakerState, event: Event) -> BreakerState:
    """The state with what `event` changes by itself."""
    data = event.data
    changes: dict[str, object] = {}
    if isinstance(data, DefinitionAdopted):
        changes["definition"] = data.definition
    elif isinstance(data, CallAnswered) and data.outcome == "ok":
        changes |= {"failures": 0, "not_before": None} if state.position == "closed" else {}
    elif isinstance(data, CallAnswered):
        changes["failures"] = state.failures + 1
        changes["not_before"] = _later(state.not_before, data.retry_at)
    elif isinstance(data, BreakerMoved):
        changes |= {"position": data.dest, "since": event.recorded_at, "until": data.until, "probe": data.probe}
        changes["trips"] = state.trips + (data.dest == "open")
        if data.dest == "closed":
            changes |= {"failures": 0, "not_before": None}
    return replace(state, **changes)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


# --- decisions ----------------------------------------------------------------------------------------------------


def decide(state: BreakerState, fact: Fact, now: datetime, definition: Definition) -> list[Event]:
    """The events that `fact` causes."""
    return decide_and_fold(state, fact, now, definition)[0]


def decide_and_fold(
    state: BreakerState, fact: Fact, now: datetime, definition: Definition, last: Event | None = None
) -> tuple[list[Event], BreakerState]:
    """What `decide` gives, and the state after it."""
    if fact.id in state.recent:
        return [], state
    working = Working(state, fact, now, definition, last, changed)
    data = fact.data
    if isinstance(data, CallAsked):
        _asked(working, data)
    elif isinstance(data, CallAnswered):
        _answered(working, data)
    elif isinstance(data, DefinitionAdopted):
        working.emit(data)
    return working.events, working.state


def _asked(working: Working[BreakerState], data: CallAsked) -> None:
    state, rules = working.state, working.definition.client
    if admission(state, rules, working.now).verdict != "ask":
        return
    working.emit(data)
    silent = " (the last one never answered)" if state.position == "half_open" else ""
    until = working.now + timedelta(seconds=rules.breaker_open_seconds)
    moved = f"one call tries whether the service answers again{silent}"
    working.emit(BreakerMoved(source=state.position, dest="half_open", reason=moved, until=until, probe=data.call))


def _answered(working: Working[BreakerState], data: CallAnswered) -> None:
    """Only the answer of the probe moves a breaker that is not closed; what else comes in then was sent before."""
    state, rules = working.state, working.definition.client
    is_probe = state.position == "half_open" and data.call == state.probe
    if not _matters(state, data, is_probe=is_probe):
        return
    working.emit(data)
    if is_probe and data.outcome == "ok":
        working.emit(BreakerMoved(source="half_open", dest="closed", reason="the service answers again"))
    elif is_probe:
        _open(working, rules, f"it still fails: {data.error}")
    elif state.position == "closed" and rules.breaker_enabled and working.state.failures >= rules.breaker_threshold:
        _open(working, rules, f"{working.state.failures} failures in a row, the last: {data.error}")


def _matters(state: BreakerState, data: CallAnswered, *, is_probe: bool) -> bool:
    if is_probe:
        return True
    if data.outcome == "ok":
        return state.position == "closed" and (state.failures > 0 or state.not_before is not None)
    asks_more = data.retry_at is not None and _later(state.not_before, data.retry_at) != state.not_before
    return state.position == "closed" or asks_more


def _open(working: Working[BreakerState], rules: ClientRules, reason: str) -> None:
    until = working.now + timedelta(seconds=rules.breaker_open_seconds)
    working.emit(BreakerMoved(source=working.state.position, dest="open", reason=reason, until=until))


def deadlines(_state: BreakerState, _definition: Definition) -> list[tuple[datetime, str]]:
    """None: a breaker whose open time has passed is tried by the next call, not by the clock."""
    return []
