"""The intake: the door of a running service.

Pushes, pulled messages, ticks, operators and the answers of channels arrive on many threads; one thread records them.
What arrives while a commit is under way commits together with the next one (group commit, design 7), and a future
resolves when its commit is durable: acknowledge then, and only then. A future that raises has stored nothing.

What is waiting is bounded: `IntakeFull` is said at once instead of letting a flood take the memory. A store that could
not be written is said while it lasts by `outage`, and becomes a part of the history as soon as there is one again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from time import perf_counter
from typing import Any, TypeVar

import structlog
from msgspec import Struct
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from events.catalogue import Fact
from events.store import CorruptStore, StoreError, StoreUnavailable, WrongExpectedVersion
from events.wire import Delivery, Routing, Unreadable, read, rejected_line
from handlers.conditions import observed
from handlers.ingest import routing_of
from handlers.recorder import Recorder, Tally, Timed

T = TypeVar("T")

BATCH_MAX = 256
"""Arrivals that commit together at most."""

WAITING_MAX = 4096
"""Arrivals that may wait for a commit; more is a flood."""

CONTENTION_TRIES = 6
"""How often the recorder may give up on a stream that other instances write, after several tries each time."""

CONTENTION_REST_SECONDS = 0.02
"""The longest first rest between them; it doubles."""

Clock = Callable[[], datetime]
Observer = Callable[[Tally, float], None]
"""Is told of each commit what it recorded and how many seconds it took, on the recording thread: be quick."""


class IntakeFull(Exception):
    """More arrives than can be stored. Nothing was taken: send it again later."""

    code = "intake_full"
    next_step = "Send it again in a few seconds; nothing was stored."

    def __str__(self) -> str:
        return f"more than {WAITING_MAX} arrivals wait to be stored. {self.next_step}"


class IntakeClosed(Exception):
    """The service is stopping. Nothing was taken: send it again, to whoever is up."""

    code = "intake_closed"
    next_step = "Send it again; another instance takes it."

    def __str__(self) -> str:
        return f"the service is stopping. {self.next_step}"


class _Arrival(Struct, frozen=True):
    """Facts on their way in. They are read when their commit begins, so that `now` is one instant for all of it."""

    facts: Callable[[datetime], Sequence[Fact]]
    recorded: Future[Tally]


class _Question(Struct, frozen=True):
    """Something that only the recording thread may do with the recorder."""

    ask: Callable[[Recorder], Any]
    answer: Future[Any]


class Outage(Struct, frozen=True):
    """The store takes nothing: since when, which one, and why."""

    since: datetime
    store: str
    reason: str


class Intake:
    """Records what arrives, on a thread of its own that lives from `start` to `stop`."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self.routing: Routing = routing_of(recorder.definitions.values())
        self._recorder = recorder
        self._clock = clock
        self.observers: list[Observer] = []
        self.outage: Outage | None = None
        self._waiting: deque[_Arrival | _Question] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="intake")
        self._log = structlog.get_logger("intake")

    # what arrives

    def deliver(self, delivery: Delivery) -> Future[Tally]:
        """Record what a message says. Raises IntakeFull and IntakeClosed; the future what `Recorder.record` raises."""
        return self.record(lambda now: read(delivery, self.routing, received_at=now))

    def refuse(self, body: bytes, error: Unreadable) -> Future[Tally]:
        """Record that a body has a broken envelope, as a rejected message with the original bytes."""
        return self.record(lambda now: [rejected_line(body, error, received_at=now)])

    def record(self, facts: Callable[[datetime], Sequence[Fact]]) -> Future[Tally]:
        """Record facts, made of the instant at which they are recorded. The tally is that of the whole commit."""
        recorded = _promise()
        self._put(_Arrival(facts, recorded))
        return recorded

    def tick(self) -> Future[Tally]:
        """Let time come to the clock's now."""

        def question(recorder: Recorder) -> Tally:
            began, now = perf_counter(), self._clock()
            try:
                tally = recorder.tick(now)
            except (StoreUnavailable, CorruptStore) as error:
                self._unavailable(error, now)
                raise
            self._observed(tally, perf_counter() - began)
            return tally

        return self.ask(question)

    def ask(self, question: Callable[[Recorder], T]) -> Future[T]:
        """Put a question to the recorder, between two commits."""
        answer: Future[T] = _promise()
        self._put(_Question(question, answer))
        return answer

    # its life

    def start(self) -> None:
        """Begin to record."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Take nothing more, and finish what was taken. False where that takes longer than `seconds`. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """How many arrivals wait for their commit."""
        return len(self._waiting)

    # inside

    def _put(self, item: _Arrival | _Question) -> None:
        with self._changed:
            if self._closed:
                raise IntakeClosed
            if len(self._waiting) >= WAITING_MAX:
                raise IntakeFull
            self._waiting.append(item)
            self._changed.notify()

    def _run(self) -> None:
        while batch := self._next():
            first = batch[0]
            try:
                if isinstance(first, _Question):
                    _answer(first, self._recorder)
                else:
                    self._commit([item for item in batch if isinstance(item, _Arrival)])
            except Exception as error:  # nobody else records: this thread goes on, and what failed is said
                self._log.exception("recording_failed", error=str(error), arrivals=len(batch))

    def _next(self) -> list[_Arrival | _Question]:
        """A question, or the arrivals that commit together; nothing when all is done."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            batch = [self._waiting.popleft()] if self._waiting else []
            while (
                self._waiting
                and len(batch) < BATCH_MAX
                and isinstance(self._waiting[0], _Arrival)
                and isinstance(batch[0], _Arrival)
            ):
                batch.append(self._waiting.popleft())
            return batch

    def _commit(self, batch: list[_Arrival]) -> None:
        began = perf_counter()
        now = self._clock()
        try:
            tally = self._record([(fact, now) for item in batch for fact in item.facts(now)])
        except (StoreUnavailable, CorruptStore, WrongExpectedVersion) as error:
            if not isinstance(error, WrongExpectedVersion):
                self._unavailable(error, now)
            for item in batch:
                item.recorded.set_exception(error)
        except Exception as error:
            if len(batch) == 1:
                batch[0].recorded.set_exception(error)
                return
            for item in batch:  # one arrival that cannot be recorded takes nobody else with it
                self._commit([item])
        else:
            self._observed(tally, perf_counter() - began)
            for item in batch:
                item.recorded.set_result(tally)
            if self.outage is not None:
                self._tell(self.outage, now)

    @retry(
        retry=retry_if_exception_type(WrongExpectedVersion),
        stop=stop_after_attempt(CONTENTION_TRIES),
        wait=wait_random_exponential(multiplier=CONTENTION_REST_SECONDS, max=1),
        reraise=True,
    )
    def _record(self, facts: Sequence[Timed]) -> Tally:
        """Record under contention: instances that lost against each other rest for different times."""
        return self._recorder.record(facts)

    def _unavailable(self, error: StoreUnavailable | CorruptStore, now: datetime) -> None:
        if self.outage is None:
            self.outage = Outage(now, error.store, error.reason)

    def _tell(self, outage: Outage, now: datetime) -> None:
        """Record that the store was unavailable, now that it can be recorded."""
        minutes = (now - outage.since).total_seconds() / 60
        lost = f"nothing was stored for {minutes:.0f} min: {outage.reason}"
        facts = [
            observed("store", outage.store, sport, works=works, detail=detail, at=at, actor="intake")
            for sport in self._recorder.definitions
            for works, detail, at in ((False, lost, outage.since), (True, "it takes events again", now))
        ]
        began = perf_counter()
        try:
            tally = self._recorder.record([(fact, now) for fact in facts])
        except StoreError:
            return  # gone again: it is told after the next commit
        self.outage = None
        self._observed(tally, perf_counter() - began)

    def _observed(self, tally: Tally, seconds: float) -> None:
        """Tell the observers. A commit is one, and is acknowledged, whatever they make of it."""
        for observe in self.observers:
            try:
                observe(tally, seconds)
            except Exception as error:  # it is not theirs to undo a commit
                self._log.exception("observer_failed", error=str(error))


def _promise() -> Future[Any]:
    """A future that nobody can cancel: whoever stops waiting for it does not undo it."""
    promise: Future[Any] = Future()
    promise.set_running_or_notify_cancel()
    return promise


def _answer(question: _Question, recorder: Recorder) -> None:
    try:
        question.answer.set_result(question.ask(recorder))
    except Exception as error:  # whoever asked is told
        question.answer.set_exception(error)
