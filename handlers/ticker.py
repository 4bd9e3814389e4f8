"""The ticker: lets time come to a running service that nobody ticks from outside (design 6)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import structlog

from handlers.intake import IntakeClosed
from handlers.recorder import Tally


class Ticker:
    """Ticks at the start and every `seconds` from then on, from `start` to `stop`. A tick that fails is logged; the
    next one makes up for it, for a deadline stays due until it is acted on."""

    def __init__(self, tick: Callable[[], Future[Tally]], seconds: float) -> None:
        self._tick = tick
        self._seconds = seconds
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker")
        self._log = structlog.get_logger("ticker")

    def start(self) -> None:
        """Begin to tick."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Tick no more. False where the last tick is not done within `seconds`. Idempotent."""
        self._ending.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._tick().result()
            except IntakeClosed:
                return
            except Exception as error:  # time goes on, whatever one tick came to
                self._log.exception("tick_failed", error=str(error))
            self._ending.wait(self._seconds)
