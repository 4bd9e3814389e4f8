"""A running Tipoff: one store, one recording thread, ways out, a clock that ticks, and whatever brings messages in.

This is the one place that wires it; `serve`, other edges and tests use it alike. `running` opens the store twice (to
record and to read), starts everything, and at the end stops it in the order in which nothing is lost: take no more,
finish the commits, let the commands leave, close the stores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import ExitStack, contextmanager
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import Protocol

import structlog

from events.sqlite import BUSY_SECONDS
from events.store import Store
from handlers.dispatcher import Dispatcher, Way
from handlers.intake import Intake, IntakeClosed, IntakeFull
from handlers.reader import Reader
from handlers.recorder import Recorder, Tally
from handlers.stores import open_store, store_name
from handlers.ticker import Ticker
from statemachine.definition import Definition

STOP_SECONDS = 6.0
"""How long a stop may take: with what the HTTP server needs besides, less than 8 s (a platform kills after 10)."""

LAST_SECONDS = 1.0
"""Of these, what is kept for the end of the recording thread."""

TICK_SECONDS = 15.0

Clock = Callable[[], datetime]
Ways = Callable[[Intake], Sequence[Way]]
"""Makes the ways out of a service; some of them ask its recorder."""


class Subscriber(Protocol):
    """Brings messages in from a broker, through the intake that it was made with."""

    def start(self) -> None:
        """Begin to take messages."""

    def stop(self, seconds: float) -> object:
        """Take no more, within `seconds`."""

    @property
    def ready(self) -> bool:
        """Whether messages come in."""


class Service:
    """A service on open stores. Lives from `start` to `stop`."""

    def __init__(
        self,
        store: Store,
        definitions: Mapping[str, Definition],
        ways: Ways,
        *,
        clock: Clock,
        reading: Store | None = None,
        place: str = "this store",
        tick_seconds: float | None = TICK_SECONDS,
        subscribers: Sequence[Callable[[Intake], Subscriber]] = (),
    ) -> None:
        """`reading` is the same store, opened a second time; `tick_seconds` None leaves ticking to others."""
        self.clock = clock
        self.definitions = definitions
        self.intake = Intake(Recorder(store, definitions), clock)
        self.dispatcher = Dispatcher(self.intake, ways(self.intake), self_tests=True)
        self.reader = Reader(reading or store, definitions, place=place)
        self.taking = False
        self._subscribers = [make(self.intake) for make in subscribers]
        self._ticker = Ticker(self.intake.tick, tick_seconds) if tick_seconds is not None else None
        self._stopping = Lock()
        self._stopped: bool | None = None
        self._log = structlog.get_logger("service")
        self.intake.observers.append(self._offer)

    @property
    def listening(self) -> bool:
        """Whether everything that brings messages in does so."""
        return all(subscriber.ready for subscriber in self._subscribers)

    def _offer(self, tally: Tally, _seconds: float) -> None:
        self.dispatcher.offer(tally.outbox)

    def start(self) -> None:
        """Begin to record, to send, to tick and to take."""
        self.intake.start()
        self.dispatcher.start()
        if self._ticker is not None:
            self._ticker.start()
        for subscriber in self._subscribers:
            subscriber.start()
        self.taking = True

    def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """Take no more; finish what was taken, and let its commands leave. False where that takes longer than
        `seconds`: what was acknowledged is stored all the same, and what is left in the outbox leaves with the next
        start. Idempotent."""
        with self._stopping:
            if self._stopped is None:
                self._log.info("stopping", waiting=self.intake.waiting)
                self._stopped = self._stop(seconds)
                self._log.info("stopped", everything_done=self._stopped)
            return self._stopped

    def _stop(self, seconds: float) -> bool:
        end = monotonic() + seconds
        self.taking = False

        def left() -> float:
            return max(0.0, end - LAST_SECONDS - monotonic())

        done = self._ticker is None or self._ticker.stop(left())
        for subscriber in self._subscribers:
            subscriber.stop(left())
        done = self._settled(left()) and done
        done = self.dispatcher.stop(left()) and done
        done = self.intake.stop(max(0.0, end - monotonic())) and done
        self.reader.close()
        return done

    def _settled(self, seconds: float) -> bool:
        """Wait until everything that was taken is recorded."""
        settled: Future[None]
        try:
            settled = self.intake.ask(lambda _recorder: None)
            settled.result(seconds)
        except (IntakeFull, NotInTime):
            return False
        except IntakeClosed:
            pass
        return True


@contextmanager
def running(
    name: str,
    definitions: Mapping[str, Definition],
    ways: Ways,
    *,
    clock: Clock,
    busy_seconds: float = BUSY_SECONDS,
    tick_seconds: float | None = TICK_SECONDS,
    subscribers: Sequence[Callable[[Intake], Subscriber]] = (),
    watch: Callable[[Store], Store] = lambda store: store,
    prepare: Callable[[Service], None] = lambda _service: None,
) -> Iterator[Service]:
    """A service on the store called `name`, made where it is missing, for the time of a `with` statement.

    `watch` sees the store before anything is recorded in it, `prepare` the service before it starts. Raises
    StoreNameInvalid, StoreUnavailable, CorruptStore.
    """
    with ExitStack() as stack:
        store = watch(stack.enter_context(open_store(name, create=True, busy_seconds=busy_seconds)))
        reading = store
        if store_name(name).scheme != "memory":
            again = open_store(name, create=False, read_only=True, busy_seconds=busy_seconds)
            reading = watch(stack.enter_context(again))
        service = Service(
            store,
            definitions,
            ways,
            clock=clock,
            reading=reading,
            place=name,
            tick_seconds=tick_seconds,
            subscribers=subscribers,
        )
        prepare(service)
        stack.callback(service.stop)
        service.start()
        yield service
