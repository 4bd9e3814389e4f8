"""What a running service counts, for Prometheus. Names and labels are a public shape: docs/http.md lists them.

Counts come from where things happen: the intake's commits, the store, the channels, the HTTP edge. What only a look at
the store can tell (open alerts, overdue deadlines) is looked at when somebody scrapes; where that fails it is NaN, for
unknown is never zero (design 8.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from math import nan
from typing import Any, cast, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from events.store import CorruptStore, Pending, Store, StoreUnavailable
from events.values import Severity
from handlers.answers import alert_episodes, open_by_severity
from handlers.dispatch import Answer, Channel, PermanentFailure, Sent
from handlers.dispatcher import Way
from handlers.recorded import Recorded
from handlers.recorder import Tally
from handlers.service import Service

COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
COMMIT_EVENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

ALERTS_SECONDS = 60.0
"""How old the number of open alerts may be: to count them reads the head of every stream."""

BROKEN = (StoreUnavailable, CorruptStore)
"""What a store raises that is neither contention nor a duplicate."""


class Metrics:
    """The figures of one service, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series and answer nothing
        self.registry = CollectorRegistry()
        self.requests = self._histogram(
            "http_request_seconds", "Requests by route and status.", REQUEST_SECONDS, ("method", "route", "status")
        )
        self._arrivals = self._counter("arrivals", "Facts that arrived, by what became of them.", ("outcome",))
        self._commit_seconds = self._histogram("commit_seconds", "How long a commit took.", COMMIT_SECONDS)
        self._commit_events = self._histogram("commit_events", "Events in a commit.", COMMIT_EVENTS)
        self._commands = self._counter("commands", "Commands, by kind and what became of them.", ("kind", "outcome"))
        self._errors = self._counter("store_errors", "Calls of the store that failed, by code.", ("code",))
        self._waiting = self._gauge("intake_waiting", "Arrivals that wait for their commit.")
        self._unsent = self._gauge("commands_waiting", "Commands that wait to be sent, by way.", ("way",))
        self._alerts = self._gauge("alerts_open", "Open alert episodes, by severity.", ("severity",))
        self._lag = self._gauge("tick_lag_seconds", "How long the oldest due deadline has waited for a tick.")
        self._alerts_at: datetime | None = None
        for outcome in ("accepted", "duplicate", "rejected"):
            self._arrivals.labels(outcome)
        self.unknown()

    def follow(self, service: Service) -> None:
        """Count what `service` commits and what waits in it."""
        service.intake.observers.append(self._committed)
        self._waiting.set_function(lambda: service.intake.waiting)
        for way in service.dispatcher.waiting:
            self._unsent.labels(way).set_function(partial(_waiting_in, service, way))

    def watched(self, store: Store) -> Store:
        """`store`, with its errors counted."""
        return cast("Store", _Watched(store, lambda code: self._errors.labels(code).inc()))

    def measured(self, way: Way) -> Way:
        """`way`, with what becomes of its commands counted."""
        return Way(way.name, way.takes, _Measured(way.channel, self._commands))

    def look(self, recorded: Recorded, now: datetime) -> None:
        """Look at what is recorded. Raises what reading raises."""
        due = recorded.next_due()
        self._lag.set(0.0 if due is None else max(0.0, (now - due).total_seconds()))
        if self._alerts_at is None or abs((now - self._alerts_at).total_seconds()) >= ALERTS_SECONDS:
            self._show_alerts(open_by_severity(alert_episodes(recorded)))
            self._alerts_at = now

    def unknown(self) -> None:
        """Say that what a look would have told is not known."""
        self._alerts_at = None
        self._lag.set(nan)
        self._show_alerts(dict.fromkeys(get_args(Severity), nan))

    def _show_alerts(self, counts: Mapping[Severity, float]) -> None:
        for severity, count in counts.items():
            self._alerts.labels(severity).set(count)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self.registry)

    def _committed(self, tally: Tally, seconds: float) -> None:
        self._arrivals.labels("accepted").inc(tally.accepted)
        self._arrivals.labels("duplicate").inc(tally.duplicate)
        self._arrivals.labels("rejected").inc(tally.rejected)
        if tally.events:
            self._commit_seconds.observe(seconds)
            self._commit_events.observe(tally.events)
        for pending in tally.outbox:
            self._commands.labels(pending.command.kind, "requested").inc()

    def _counter(self, name: str, help: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"tipoff_{name}", help, labels, registry=self.registry)

    def _gauge(self, name: str, help: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"tipoff_{name}", help, labels, registry=self.registry)

    def _histogram(self, name: str, help: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(f"tipoff_{name}", help, labels, buckets=buckets, registry=self.registry)


class _Watched:
    """A store that passes everything on and tells of what broke, also while an answer is read."""

    def __init__(self, store: Store, broke: Callable[[str], None]) -> None:
        self._store = store
        self._broke = broke

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def asked(*args: Any, **kwargs: Any) -> Any:
            try:
                answer = found(*args, **kwargs)
            except BROKEN as error:
                self._broke(error.code)
                raise
            return self._read(answer) if isinstance(answer, Iterator) else answer

        return asked

    def _read(self, answer: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from answer
        except BROKEN as error:
            self._broke(error.code)
            raise


class _Measured:
    """A channel whose answers are counted."""

    def __init__(self, channel: Channel, commands: Counter) -> None:
        self._channel = channel
        self._commands = commands

    def send(self, batch: list[Pending]) -> list[Answer]:
        """See Channel."""
        answers = self._channel.send(batch)
        for pending, answer in zip(batch, answers, strict=True):
            self._commands.labels(pending.command.kind, _outcome(answer)).inc()
        return answers


def _waiting_in(service: Service, way: str) -> float:
    return service.dispatcher.waiting[way]


def _outcome(answer: Answer) -> str:
    if isinstance(answer, Sent):
        return "sent"
    return "refused" if isinstance(answer, PermanentFailure) else "failed"
