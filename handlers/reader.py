"""The reader: answers questions beside the recording thread, without disturbing it.

A running service records on one thread with one store. Questions are put to a store opened a second time (the same one
in memory, which is safe for several threads), on a few threads of their own: a long answer delays no commit. Those that
fold the events of many dates go one at a time on a thread apart, so that they take at most one turn of the interpreter
beside the recording thread and hold up no short question; how many events one of them may fold is bounded, too. How
many questions wait is bounded; `ReaderBusy` is said at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

from events.store import Store
from handlers.intake import IntakeClosed
from handlers.recorded import Recorded
from handlers.remembered import Remembered
from statemachine.definition import Definition

T = TypeVar("T")

THREADS = 4
WAITING_MAX = 64
"""Questions that are answered or wait; whoever asks a further one is told to come again."""

FOLDING_WAITING_MAX = 4
"""The same of those that fold the events of many dates."""

FOLDED_EVENTS_MAX = 150_000
"""Events that one question may fold: half as many again as a season has, some five seconds' work."""


class ReaderBusy(Exception):
    """More is asked than can be answered now."""

    code = "reader_busy"
    next_step = "Ask again in a few seconds."

    def __init__(self, waiting_max: int) -> None:
        self.waiting_max = waiting_max
        super().__init__(waiting_max)

    def __str__(self) -> str:
        return f"more than {self.waiting_max} questions wait. {self.next_step}"


class _Lane:
    """Threads, and the questions that wait for them."""

    def __init__(self, name: str, threads: int, waiting_max: int) -> None:
        self._waiting_max = waiting_max
        self._room = BoundedSemaphore(waiting_max)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def put(self, question: Callable[[Recorded], T], recorded: Recorded) -> Future[T]:
        if not self._room.acquire(blocking=False):
            raise ReaderBusy(self._waiting_max)
        try:
            answer = self._threads.submit(question, recorded)
        except RuntimeError as error:  # it was closed
            self._room.release()
            raise IntakeClosed from error
        answer.add_done_callback(lambda _done: self._room.release())
        return answer

    def close(self) -> None:
        self._threads.shutdown(wait=False)


class Reader:
    """Answers what is asked of `store` until `close`; `events_max` is how many events a question may fold."""

    def __init__(self, store: Store, definitions: Mapping[str, Definition], *, place: str = "this store") -> None:
        self._store = store
        self._definitions = definitions
        self._place = place
        self._remembered = Remembered(store)
        self.events_max = FOLDED_EVENTS_MAX
        self._short = _Lane("reader", THREADS, WAITING_MAX)
        self._folding = _Lane("folding-reader", 1, FOLDING_WAITING_MAX)

    def ask(self, question: Callable[[Recorded], T], *, folds: bool = False) -> Future[T]:
        """The answer to a question about what is recorded; `folds` says that it looks at the events of many dates.
        Raises ReaderBusy, and IntakeClosed once the service has stopped; the future what the question raises."""
        recorded = Recorded(
            self._store,
            self._definitions,
            place=self._place,
            remembered=self._remembered,
            events_max=self.events_max,
        )
        return (self._folding if folds else self._short).put(question, recorded)

    def close(self) -> None:
        """Take no more questions; those that wait are answered while the store, which is its opener's, is open.
        Idempotent."""
        self._short.close()
        self._folding.close()
