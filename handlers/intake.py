"""The intake: the door of a running service.

Pushes, pulled messages, ticks, operators and the answers of channels arrive on many threads; one thread records them.
What arrives while a commit is under way commits together with the next one (group commit, design 7), and a future
resolves when its commit is durable: acknowledge then, and only then. A future that raises has stored nothing.

What is waiting is bounded: `IntakeFull` is said at once instead of letting a flood take the memory.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from time import perf_counter
from typing import Any, TypeVar

from msgspec import Struct

from events.catalogue import Fact
from events.store import CorruptStore, StoreUnavailable, WrongExpectedVersion
from events.wire import Delivery, Routing, Unreadable, read, rejected_line
from handlers.ingest import routing_of
from handlers.recorder import Recorder, Tally

T = TypeVar("T")

BATCH_MAX = 256
"""Arrivals that commit together at most."""

WAITING_MAX = 4096
"""Arrivals that may wait for a commit; more is a flood."""

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


class Intake:
    """Records what arrives, on a thread of its own that lives from `start` to `stop`."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self.routing: Routing = routing_of(recorder.definitions.values())
        self._recorder = recorder
        self._clock = clock
        self.observers: list[Observer] = []
        self._waiting: deque[_Arrival | _Question] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="intake")

    # what arrives

    def deliver(self, delivery: Delivery) -> Future[Tally]:
        """Record what a message says. Raises IntakeFull and IntakeClosed; the future what `Recorder.record` raises."""
        return self.record(lambda now: read(delivery, self.routing, received_at=now))

    def refuse(self, body: bytes, error: Unreadable) -> Future[Tally]:
        """Record that a body has a broken envelope, as a rejected message with the original bytes."""
        return self.record(lambda now: [rejected_line(body, error, received_at=now)])

    def record(self, facts: Callable[[datetime], Sequence[Fact]]) -> Future[Tally]:
        """Record facts, made of the instant at which they are recorded. The tally is that of the whole commit."""
        recorded: Future[Tally] = Future()
        recorded.set_running_or_notify_cancel()  # whoever stops waiting for it does not undo it
        self._put(_Arrival(facts, recorded))
        return recorded

    def tick(self) -> Future[Tally]:
        """Let time come to the clock's now."""

        def question(recorder: Recorder) -> Tally:
            began = perf_counter()
            tally = recorder.tick(self._clock())
            self._observed(tally, perf_counter() - began)
            return tally

        return self.ask(question)

    def ask(self, question: Callable[[Recorder], T]) -> Future[T]:
        """Put a question to the recorder, between two commits."""
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()
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
            if isinstance(first, _Question):
                _answer(first, self._recorder)
            else:
                self._commit([item for item in batch if isinstance(item, _Arrival)])

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
            tally = self._recorder.record([(fact, now) for item in batch for fact in item.facts(now)])
        except (StoreUnavailable, CorruptStore, WrongExpectedVersion) as error:
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

    def _observed(self, tally: Tally, seconds: float) -> None:
        for observe in self.observers:
            observe(tally, seconds)


def _answer(question: _Question, recorder: Recorder) -> None:
    try:
        question.answer.set_result(question.ask(recorder))
    except Exception as error:  # whoever asked is told
        question.answer.set_exception(error)
