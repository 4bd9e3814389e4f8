"""Progress for whoever sits before a terminal: shown on standard error, once something has taken a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

SILENT_SECONDS = 1.0
REFRESH_SECONDS = 0.1


class Watch:
    """Called with how much is done. Does nothing where nobody could see it."""

    def __init__(
        self, console: Console, title: str, total: int | None, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._clock = clock
        self._console = console
        self._title = title
        self._total = total
        self._next = clock() + SILENT_SECONDS
        self._shown: tuple[Progress, TaskID] | None = None

    def __call__(self, done: int) -> None:
        """Note that `done` of the total are done."""
        if not self._console.is_terminal or self._clock() < self._next:
            return
        self._next = self._clock() + REFRESH_SECONDS
        self._shown = self._shown or self._start()
        progress, task = self._shown
        progress.update(task, completed=done)

    def _start(self) -> tuple[Progress, TaskID]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        progress = Progress(*columns, console=self._console, transient=True)
        progress.start()
        return progress, progress.add_task(self._title, total=self._total)

    def stop(self) -> None:
        """Take the display away."""
        if self._shown is not None:
            self._shown[0].stop()


@contextmanager
def watched(console: Console, title: str, total: int | None = None) -> Iterator[Watch]:
    """A Watch for the time of a `with` statement."""
    watch = Watch(console, title, total)
    try:
        yield watch
    finally:
        watch.stop()
