"""The reader: answers questions beside the recording thread, without disturbing it.

A running service records on one thread with one store. Questions are put to a store opened a second time (the same one
in memory, which is safe for several threads), on a few threads of their own: a long answer delays no commit. How many
questions wait is bounded; `ReaderBusy` is said at once.
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


class ReaderBusy(Exception):
    """More is asked than can be answered now."""

    code = "reader_busy"
    next_step = "Ask again in a few seconds."

    def __str__(self) -> str:
        return f"more than {WAITING_MAX} questions wait. {self.next_step}"


class Reader:
    """Answers what is asked of `store` until `close`."""

    def __init__(self, store: Store, definitions: Mapping[str, Definition], *, place: str = "this store") -> None:
        self._store = store
        self._definitions = definitions
        self._place = place
        self._remembered = Remembered(store)
        self._room = BoundedSemaphore(WAITING_MAX)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="reader")

    def ask(self, question: Callable[[Recorded], T]) -> Future[T]:
        """The answer to a question about what is recorded. Raises ReaderBusy, and IntakeClosed once the service has
        stopped; the future what the question raises."""
        if not self._room.acquire(blocking=False):
            raise ReaderBusy
        recorded = Recorded(self._store, self._definitions, place=self._place, remembered=self._remembered)
        try:
            answer = self._threads.submit(question, recorded)
        except RuntimeError as error:  # it was closed
            self._room.release()
            raise IntakeClosed from error
        answer.add_done_callback(lambda _done: self._room.release())
        return answer

    def close(self) -> None:
        """Take no more questions; those that wait are answered while the store, which is its opener's, is open.
        Idempotent."""
        self._threads.shutdown(wait=False)
