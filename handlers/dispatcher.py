"""The dispatcher: keeps the outbox empty while a service runs.

Each way out has a thread of its own, so that a slow warehouse holds up no trigger. What was just committed is offered
by the intake and leaves at once, without reading the store. A sweep looks for what nobody sent, because the instance
that committed it died: at the start for all of it, later for commands that two sweeps in a row have seen. Two instances
may send the same command; it has the same id, which is what consumers go by.

A failure for now is tried again, later each time, for each topic by itself. What became of a command comes back in
through the intake; if that cannot be recorded, the command stays in the outbox and is sent again under its id.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import count
from time import monotonic

import structlog
from msgspec import Struct

from events.catalogue import CommandRequested, Fact
from events.store import Pending, StoreError
from handlers.conditions import observed
from handlers.dispatch import BATCH_MAX, Answer, Channel, Held, PermanentFailure, Sent, TransientFailure, learned
from handlers.intake import Intake, IntakeClosed, IntakeFull

SWEEP_SECONDS = 30.0
"""Between two looks at the outbox. A command of an instance that died leaves one to two of them later."""

RETRY_SECONDS = (1.0, 2.0, 5.0, 15.0, 60.0)
"""How long a topic rests after its first, second, … failure in a row; the last one from then on."""

ANSWER_SECONDS = 60.0
"""How long the recording of answers may take before the commands are taken for not sent."""

CHECK_EVERY = 10
"""Sweeps between two self-tests of the channels that have one (`check() -> str | None`: what is wrong)."""

Takes = Callable[[CommandRequested], bool]


class Way(Struct, frozen=True):
    """A way out: commands that `takes` accepts leave through `channel`. `name` stands in alerts and logs; `hurry` is
    called when the service ends, and lets a channel that waits before a further try give up at once."""

    name: str
    takes: Takes
    channel: Channel
    hurry: Callable[[], None] = lambda: None


class Dispatcher:
    """Sends commands as they are committed. Lives from `start` to `stop`."""

    def __init__(
        self,
        intake: Intake,
        ways: Sequence[Way],
        *,
        sweep_seconds: float = SWEEP_SECONDS,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
        self_tests: bool = False,
    ) -> None:
        self._self_tests = self_tests
        self._workers = [_Worker(intake, way, retry_seconds) for way in ways]
        self._intake = intake
        self._sweep_seconds = sweep_seconds
        self._seen: frozenset[str] | None = None
        self._ending = threading.Event()
        self._sweeper = threading.Thread(target=self._sweeps, name="outbox-sweep")
        self._log = structlog.get_logger("dispatcher")

    def offer(self, commands: Iterable[Pending]) -> None:
        """Send these soon. The first way that takes a command has it; one that no way takes waits in the outbox."""
        for pending in commands:
            worker = next((worker for worker in self._workers if worker.way.takes(pending.command)), None)
            if worker is None:
                self._log.warning("no_way_out", topic=pending.command.topic, command=pending.command.command_id)
            else:
                worker.offer(pending)

    def start(self) -> None:
        """Begin to send, with what waits in the outbox."""
        for worker in self._workers:
            worker.thread.start()
        self._sweeper.start()

    def stop(self, seconds: float) -> bool:
        """Send what has been offered, and end. False where that takes longer than `seconds`; what is left stays in the
        outbox. Idempotent. The intake must still be running, for it records what became of the commands."""
        end = monotonic() + seconds
        self._ending.set()
        for worker in self._workers:
            worker.end()
        threads = [self._sweeper, *(worker.thread for worker in self._workers)]
        for thread in threads:
            thread.join(max(0.0, end - monotonic()))
        return not any(thread.is_alive() for thread in threads)

    @property
    def waiting(self) -> dict[str, int]:
        """How many commands wait, by the name of their way."""
        return {worker.way.name: worker.waiting for worker in self._workers}

    @property
    def swept(self) -> bool:
        """True once the outbox has been looked at."""
        return self._seen is not None

    def _sweeps(self) -> None:
        for turn in count():
            try:
                self.sweep()
                if self._self_tests and turn % CHECK_EVERY == 0:
                    self.check()
            except IntakeClosed:
                return
            except (StoreError, IntakeFull) as error:
                self._log.warning("sweep_failed", error=str(error))
            except Exception as error:  # the next sweep is the only one who sends what a dead instance left
                self._log.exception("sweep_failed", error=str(error))
            if self._ending.wait(self._sweep_seconds):
                return

    def check(self) -> None:
        """Let every channel that can test itself, and record what is news. Raises what recording raises."""
        for worker in self._workers:
            worker.check(list(self._intake.routing.zones))

    def sweep(self) -> None:
        """Offer what the last sweep saw too. Raises what reading the outbox raises."""
        pending = self._intake.ask(lambda recorder: recorder.store.pending(BATCH_MAX)).result()
        ids = frozenset(item.command.command_id for item in pending)
        self.offer(item for item in pending if self._seen is None or item.command.command_id in self._seen)
        self._seen = ids


class _Worker:
    """The thread of one way, with what waits for it."""

    def __init__(self, intake: Intake, way: Way, retry_seconds: Sequence[float]) -> None:
        self.way = way
        self._retry_seconds = retry_seconds
        self.thread = threading.Thread(target=self._run, name=f"way-{way.name}")
        self._intake = intake
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, Pending] = OrderedDict()
        self._sending: set[str] = set()
        self._resting: dict[str, tuple[int, float]] = {}  # topic -> failures in a row, rests until (monotonic)
        self._works: dict[str, bool] = {}  # what the control stream of each sport was told of this way, since the start
        self._ending = False
        self._log = structlog.get_logger("dispatcher").bind(way=way.name)

    @property
    def waiting(self) -> int:
        """How many commands wait or are on their way."""
        return len(self._waiting) + len(self._sending)

    def offer(self, pending: Pending) -> None:
        """Take a command, unless it is here already."""
        with self._changed:
            command_id = pending.command.command_id
            if command_id not in self._sending:
                self._waiting[command_id] = pending
                self._changed.notify()

    def end(self) -> None:
        """Send what waits and does not rest, then end."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self.way.hurry()

    def check(self, sports: list[str]) -> None:
        """The channel's self-test, where it has one. That it works is news only while nothing fails to be sent."""
        look: Callable[[], str | None] | None = getattr(self.way.channel, "check", None)
        if look is None:
            return
        detail = look()
        if detail is None and self._resting:
            return
        self._record(self._news(dict.fromkeys(sports, detail)))

    def _run(self) -> None:
        while batch := self._next():
            try:
                self._send(batch)
            except Exception as error:  # a worker never dies of one batch: what it could not send is swept up again
                self._log.exception("batch_failed", error=str(error), commands=len(batch))
                self._rest(batch)
            finally:
                with self._changed:
                    self._sending.clear()

    def _next(self) -> list[Pending]:
        """What may be sent now, in the order in which it came; nothing when all is done."""
        with self._changed:
            while True:
                now = monotonic()
                ready = [item for item in self._waiting.values() if self._rested(item.command.topic) <= now]
                if ready or self._ending:
                    break
                until = min((self._rested(item.command.topic) for item in self._waiting.values()), default=None)
                self._changed.wait(None if until is None else until - now)
            batch = ready[:BATCH_MAX]
            for item in batch:
                del self._waiting[item.command.command_id]
                self._sending.add(item.command.command_id)
            return batch

    def _rested(self, topic: str) -> float:
        return self._resting.get(topic, (0, 0.0))[1]

    def _rest(self, batch: list[Pending]) -> None:
        self._tire(batch)
        self._put_back(batch)

    def _tire(self, batch: list[Pending]) -> None:
        for topic in {item.command.topic for item in batch}:
            failures = self._resting.get(topic, (0, 0.0))[0]
            seconds = self._retry_seconds[min(failures, len(self._retry_seconds) - 1)]
            self._resting[topic] = (failures + 1, monotonic() + seconds)

    def _put_back(self, batch: list[Pending]) -> None:
        with self._changed:
            self._sending.clear()
            for item in batch:
                self._waiting.setdefault(item.command.command_id, item)

    def _send(self, batch: list[Pending]) -> None:
        answers = self.way.channel.send(batch)
        sent = list(zip(batch, answers, strict=True))
        failed = [pending for pending, answer in sent if isinstance(answer, TransientFailure)]
        for pending, answer in sent:
            if not isinstance(answer, TransientFailure):
                self._resting.pop(pending.command.topic, None)
        self._tire(failed)  # before it is told: a self-test that passes now must not say that all is well
        self._answered(sent)
        if failed:
            self._put_back(failed)

    def _answered(self, sent: list[tuple[Pending, Answer]]) -> None:
        """Record what became of the commands, and tell where the way broke or works again."""
        for pending, answer in sent:
            if not isinstance(answer, Sent):
                permanent = isinstance(answer, PermanentFailure)
                command = pending.command
                self._log.warning("not_sent", topic=command.topic, error=str(answer), permanent=permanent)
        self._record(self._news(_seen(sent)), sent)

    def _news(self, seen: dict[str, str | None]) -> dict[str, str | None]:
        """Of what was seen of this way for each sport (its error, or None where it works), what its history lacks."""
        return {sport: detail for sport, detail in seen.items() if self._works.get(sport) is not (detail is None)}

    def _record(self, news: dict[str, str | None], sent: Sequence[tuple[Pending, Answer]] = ()) -> None:
        def facts(now: datetime) -> list[Fact]:
            return [fact for pending, answer in sent for fact in learned(pending, answer, now)] + [
                self._condition(sport, detail, now) for sport, detail in news.items()
            ]

        if news or sent:
            self._intake.record(facts).result(ANSWER_SECONDS)
            self._works |= {sport: detail is None for sport, detail in news.items()}

    def _condition(self, sport: str, detail: str | None, now: datetime) -> Fact:
        works, words = detail is None, detail or "it takes commands again"
        return observed("channel", self.way.name, sport, works=works, detail=words, at=now, actor="dispatch")


def _seen(sent: list[tuple[Pending, Answer]]) -> dict[str, str | None]:
    """Sports whose commands a way takes (None), or does not take now (with the error)."""
    found: dict[str, str | None] = {}
    for pending, answer in sent:
        sport = pending.stream.partition("/")[0]
        if isinstance(answer, Sent):
            found.setdefault(sport, None)
        elif isinstance(answer, TransientFailure) and not isinstance(answer, Held):
            found[sport] = str(answer)
    return found
