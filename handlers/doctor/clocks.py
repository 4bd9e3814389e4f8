"""Do ticks come, are deadlines met, and do the clocks agree?

Three clocks: that of this machine, that of the service or of Google (the Date header of an answer), and what the store
recorded last. A stream's clock never goes back, so one that once jumped ahead holds its deadlines too early until the
wall has caught up; that is seen here, and nowhere else from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import perf_counter

import httpx

from events.store import Head, Store
from handlers.doctor.diagnosis import Diagnosis, Outcome
from handlers.doctor.installation import Installation
from statemachine.definition import Definition
from statemachine.streams import CONTROL, control_stream, decider_for

CLOCK_WARN_SECONDS = 5.0
CLOCK_FAIL_SECONDS = 60.0
"""Above this, tokens count as expired or as not valid yet, and words for a date may mean another one."""

CLOCK_OF_GOOGLE = "https://www.googleapis.com/generate_204"
CALL_SECONDS = 10.0
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SEASON = "`tipoff season open FILE` opens its dates; else take the sport out of TIPOFF_DEFINITIONS."


def look_at_ticks(installation: Installation) -> Iterator[Diagnosis]:
    """How long ago the control stream of each sport last recorded a tick."""
    now = installation.clock()
    with installation.open() as store:
        for sport, definition in installation.definitions.items():
            head = store.head(control_stream(sport))
            if head is None and next(iter(store.heads(f"{sport}/")), None) is None:
                detail = "nothing is recorded of it"
                yield Diagnosis(check="ticks", subject=sport, outcome="skipped", detail=detail, next_step=SEASON)
            else:
                yield _ticks(sport, definition, head, now)


def _ticks(sport: str, definition: Definition, head: Head | None, now: datetime) -> Diagnosis:
    rules = definition.alerts
    step = "Look at what calls POST /v1/tick: the Scheduler job and its last answers. `tipoff tick` is one by hand."
    last = CONTROL.decode(head.state).ticked_at if head is not None else None
    if last is None:
        return Diagnosis(
            check="ticks",
            subject=sport,
            outcome="fail",
            detail="no tick was ever recorded: no deadline is acted on",
            numbers={"lag_seconds": None},
            next_step=step,
        )
    lag = now - last
    allowed = timedelta(minutes=rules.tick_record_minutes + rules.tick_missed_minutes)
    grave = timedelta(minutes=rules.silent_warning_minutes)
    outcome = _graded(lag, allowed, grave)
    return Diagnosis(
        check="ticks",
        subject=sport,
        outcome=outcome,
        detail=f"the last was recorded {_span(lag)} ago; one is due every {rules.tick_record_minutes} min",
        numbers={"lag_seconds": lag.total_seconds(), "allowed_seconds": allowed.total_seconds()},
        next_step=None if outcome == "ok" else step,
    )


def look_at_deadlines(installation: Installation) -> Iterator[Diagnosis]:
    """How long the earliest deadline of the store has waited for a tick to act on it."""
    now = installation.clock()
    with installation.open() as store:
        earliest = store.next_due()
        overdue = len(store.due(now))
    rules = next(iter(installation.definitions.values())).alerts
    if earliest is None:
        yield Diagnosis(check="deadlines", outcome="skipped", detail="none is ahead in this store")
        return
    lag = now - earliest
    outcome = _graded(
        lag, timedelta(minutes=rules.tick_missed_minutes), timedelta(minutes=rules.silent_warning_minutes)
    )
    ahead = f"the next is in {_span(-lag)}" if lag < timedelta() else f"the earliest has waited {_span(lag)}"
    yield Diagnosis(
        check="deadlines",
        outcome=outcome,
        detail=f"{overdue} overdue; {ahead}",
        numbers={"overdue": float(overdue), "lag_seconds": max(0.0, lag.total_seconds())},
        next_step=None if outcome == "ok" else "`tipoff tick` acts on them now; then find out why nobody does.",
    )


def look_at_store_clock(installation: Installation) -> Iterator[Diagnosis]:
    """Whether anything was recorded in the future of this machine's clock."""
    now = installation.clock()
    with installation.open() as store:
        stream, last = _latest(store, installation.busy)
    if last is None:
        yield Diagnosis(check="recorded_clock", outcome="skipped", detail="nothing is recorded yet")
        return
    ahead = (last - now).total_seconds()
    outcome = _graded_seconds(ahead)
    detail = f"the last event ({stream}) was recorded {_span(now - last)} ago"
    step = None
    if outcome != "ok":
        detail = f"{stream} has events from {_span(last - now)} in the future"
        step = "A clock jumped: here, or of an instance. Its deadlines come early until then; events keep their order."
    yield Diagnosis(
        check="recorded_clock",
        outcome=outcome,
        detail=detail,
        numbers={"ahead_seconds": max(0.0, ahead)},
        next_step=step,
    )


def _latest(store: Store, streams: Iterable[str]) -> tuple[str, datetime | None]:
    """Which of `streams` recorded last, and when."""
    found: tuple[str, datetime | None] = ("-", None)
    for stream in streams:
        head = store.head(stream)
        at = decider_for(stream).decode(head.state).recorded_at if head is not None else None
        if at is not None and (found[1] is None or at > found[1]):
            found = stream, at
    return found


def look_at_clock(installation: Installation) -> Iterator[Diagnosis]:
    """This machine's clock against that of the service, else of Google."""
    google = CLOCK_OF_GOOGLE if installation.in_the_cloud else None
    source = f"{installation.service}/healthz" if installation.service is not None else google
    if source is None:
        detail = "there is no other clock to compare with"
        yield Diagnosis(check="clock", outcome="skipped", detail=detail, next_step="Name the service with --service.")
        return
    began = perf_counter()
    before = installation.clock()
    try:
        said = httpx.get(source, timeout=CALL_SECONDS).headers.get("Date")
    except httpx.HTTPError as error:
        detail = f"{source} cannot be asked: {type(error).__name__}: {error}"
        yield Diagnosis(check="clock", subject=source, outcome="fail", detail=detail, next_step="Is the address right?")
        return
    took = timedelta(seconds=perf_counter() - began)
    yield _clock(source, said, before + took / 2, took)


def _clock(source: str, said: str | None, here: datetime, took: timedelta) -> Diagnosis:
    """A Date header has whole seconds, cut off: half a second is added, and the answer is as exact as that."""
    if said is None:
        return Diagnosis(check="clock", subject=source, outcome="skipped", detail="its answer has no Date header")
    there = parsedate_to_datetime(said).replace(tzinfo=UTC) + timedelta(seconds=0.5)
    skew = (here - there).total_seconds()
    outcome = _graded_seconds(abs(skew))
    return Diagnosis(
        check="clock",
        subject=source,
        outcome=outcome,
        detail=f"this clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} it",
        numbers={"skew_seconds": round(skew, 1), "uncertain_seconds": round(0.5 + took.total_seconds() / 2, 1)},
        next_step=None if outcome == "ok" else "Set the clock of the one that is wrong (NTP).",
    )


def _graded(lag: timedelta, warn: timedelta, fail: timedelta) -> Outcome:
    return "fail" if lag > fail else "warn" if lag > warn else "ok"


def _graded_seconds(seconds: float) -> Outcome:
    return "fail" if seconds > CLOCK_FAIL_SECONDS else "warn" if seconds > CLOCK_WARN_SECONDS else "ok"


def _span(span: timedelta) -> str:
    """A span in the unit in which people say it."""
    if abs(span) < timedelta(minutes=2):
        return f"{span / SECOND:.0f} s"
    return f"{span / MINUTE:.0f} min" if abs(span) < timedelta(hours=2) else f"{span / HOUR:.1f} h"
