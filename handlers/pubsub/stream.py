"""One subscription's stream: opens it, offers its messages to the intake, acknowledges, holds or hands them back.

Messages arrive on a thread of the client library, commits end on that of the intake, and `turn` is called by the
puller's; what they share is behind one lock, and nothing slow happens under it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, Literal, Protocol

import structlog
from google.cloud.pubsub_v1.subscriber.scheduler import ThreadScheduler
from google.cloud.pubsub_v1.types import FlowControl
from msgspec import Struct

from events.catalogue import Fact
from events.store import CorruptStore, StoreUnavailable, WrongExpectedVersion
from events.wire import Delivery
from handlers.intake import IntakeClosed, IntakeFull
from handlers.pubsub.broker import REFUSALS, Broker, reason_of
from handlers.pubsub.wanted import LEASE_SECONDS, Source
from handlers.recorder import Tally

IN_FLIGHT_MAX = 256
"""Messages of one subscription that are being recorded or held; the broker sends no more."""

IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024

LEASE_SECONDS_MAX = 3600.0
"""How long a message is held while the store is away; then somebody else may try."""

PASSING = (StoreUnavailable, CorruptStore, WrongExpectedVersion, IntakeFull)
"""Why a message cannot be recorded now, though nothing is wrong with it."""

Condition = Literal["opening", "open", "broken"]


class Door(Protocol):
    """Where messages go. Implementation: `handlers.intake.Intake`."""

    def deliver(self, delivery: Delivery, /) -> Future[Tally]:
        """See Intake."""

    def record(self, facts: Callable[[datetime], Sequence[Fact]], /) -> Future[Tally]:
        """See Intake."""


class Pace(Struct, frozen=True, kw_only=True):
    """How patient the puller is, in seconds: `turn` between two looks at its streams; `settled` after which a stream
    that has not failed counts as open, and a silent broker as broken; `reopen` and `again` before a stream is opened
    and a held message offered again, after the first, second, … failure in a row, the last one from then on; `tell`
    before what is broken becomes an alert. `lease` is how long the broker leaves a message with an instance of which it
    hears nothing more."""

    turn_seconds: float = 0.25
    settled_seconds: float = 5.0
    reopen_seconds: tuple[float, ...] = (1.0, 2.0, 5.0, 15.0, 60.0)
    again_seconds: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
    tell_seconds: float = 60.0
    lease_seconds: int = LEASE_SECONDS


class StreamState(Struct, frozen=True, kw_only=True):
    """How a subscription stands: since when (monotonic seconds) it is so, and why where it is broken. `in_flight` are
    messages that are being recorded, `held` those of them that wait for the store; `acknowledged` and `returned` are
    counted since the start."""

    subscription: str
    topic: str
    sport: str
    condition: Condition
    since: float
    reason: str
    in_flight: int
    held: int
    acknowledged: int
    returned: int


class _Taken:
    """A message that is ours until it is acknowledged or handed back."""

    __slots__ = ("delivery", "due", "failures", "message", "since")

    def __init__(self, message: Any, delivery: Delivery) -> None:
        self.message = message
        self.delivery = delivery
        self.since = monotonic()
        self.failures = 0
        self.due: float | None = None  # set while it is held

    @property
    def said(self) -> dict[str, Any]:
        """What logs call it."""
        said = {"topic": self.delivery.topic, "message": self.delivery.message_id}
        return said | {"attempt": self.message.delivery_attempt}


class Stream:
    """The stream of one subscription. `turn` keeps it open, until `close`."""

    def __init__(self, door: Door, broker: Broker, source: Source, pace: Pace) -> None:
        self.source = source
        self._door = door
        self._subscriber = broker.subscriber
        self._path = broker.subscription(source.subscription)
        self._pace = pace
        self._changed = threading.Condition()
        self._taken: dict[str, _Taken] = {}  # by acknowledgement id
        self._pulling: Any = None  # the client library's future, while a stream is open
        self._condition: Condition = "opening"
        self._since = monotonic()
        self._reason = ""
        self._failures = 0
        self._opened_at = self._reopen_at = 0.0
        self._closed = False
        self._late: list[str] = []  # recorded after the stream was closed
        self._acknowledged = self._returned = 0
        self._log = structlog.get_logger("pull").bind(subscription=source.subscription)

    def state(self, *, silent_since: float | None = None) -> StreamState:
        """How it stands, where the broker has been silent since then."""
        with self._changed:
            held = sum(taken.due is not None for taken in self._taken.values())
            condition, since, reason = self._condition, self._since, self._reason
            if silent_since is not None and condition != "broken":
                condition, since, reason = "broken", silent_since, "the broker does not answer"
            return StreamState(
                subscription=self.source.subscription,
                topic=self.source.topic,
                sport=self.source.sport,
                condition=condition,
                since=since,
                reason=reason,
                in_flight=len(self._taken),
                held=held,
                acknowledged=self._acknowledged,
                returned=self._returned,
            )

    def turn(self, now: float) -> None:
        """Open it where it is not, and offer again what is held and due."""
        with self._changed:
            opens = self._pulling is None and not self._closed and now >= self._reopen_at
            lasts = self._pulling is not None and now - self._opened_at >= self._pace.settled_seconds
            if lasts and self._condition != "open":
                self._becomes("open", "")
                self._failures = 0
            due = [taken for taken in self._taken.values() if taken.due is not None and taken.due <= now]
            for taken in due:
                taken.due = None
        if opens:
            self._open()
        for taken in due:
            if now - taken.since > LEASE_SECONDS_MAX:
                self._hand_back(taken)  # the client library has let go of it by now
            else:
                self._offer(taken)

    def close(self) -> None:
        """Take no more. Idempotent."""
        with self._changed:
            self._closed = True
            pulling = self._pulling
        if pulling is not None:
            pulling.cancel()

    def settled(self, seconds: float) -> bool:
        """Wait for the end of the stream and of the commits under way. False where they do not end in time."""
        end = monotonic() + seconds
        pulling = self._pulling
        if pulling is not None:
            try:
                pulling.exception(max(0.0, end - monotonic()))
            except NotInTime:
                self._log.warning("stream_does_not_end")
        with self._changed:
            return self._changed.wait_for(self._nothing_under_way, max(0.0, end - monotonic()))

    def finish(self, seconds: float) -> None:
        """Acknowledge what was recorded after the stream was closed, and hand back what is held. Idempotent."""
        with self._changed:
            held = [ack_id for ack_id, taken in self._taken.items() if taken.due is not None]
            recorded, self._late = self._late, []
            for ack_id in held:
                del self._taken[ack_id]
            self._returned += len(held)
        try:
            if recorded:
                said: dict[str, Any] = {"subscription": self._path, "ack_ids": recorded}
                self._subscriber.acknowledge(request=said, retry=None, timeout=seconds)
            if held:
                said = {"subscription": self._path, "ack_ids": held, "ack_deadline_seconds": 0}
                self._subscriber.modify_ack_deadline(request=said, retry=None, timeout=seconds)
        except REFUSALS as error:  # they are delivered again, and known then
            self._log.warning("not_acknowledged", messages=len(recorded) + len(held), reason=reason_of(error))

    # the stream

    def _becomes(self, condition: Condition, reason: str) -> None:
        self._condition, self._reason, self._since = condition, reason, monotonic()

    def _open(self) -> None:
        threads = ThreadPoolExecutor(1, thread_name_prefix=f"pull-{self.source.subscription}")
        pulling = self._subscriber.subscribe(
            self._path,
            self._arrived,
            flow_control=FlowControl(
                max_messages=IN_FLIGHT_MAX,
                max_bytes=IN_FLIGHT_BYTES_MAX,
                max_lease_duration=LEASE_SECONDS_MAX,
                max_duration_per_lease_extension=self._pace.lease_seconds,
            ),
            scheduler=ThreadScheduler(threads),
        )
        with self._changed:
            self._pulling, self._opened_at = pulling, monotonic()
        pulling.add_done_callback(self._ended)

    def _ended(self, pulling: Any) -> None:
        error = pulling.exception()
        with self._changed:
            self._pulling = None
            if self._closed:
                return
            delay = _nth(self._pace.reopen_seconds, self._failures)
            self._failures += 1
            self._reopen_at = monotonic() + delay
            forgotten = [ack_id for ack_id, taken in self._taken.items() if taken.due is not None]
            for ack_id in forgotten:  # the broker delivers them again
                del self._taken[ack_id]
            reason = "the stream ended" if error is None else reason_of(error)
            if (self._condition, self._reason) != ("broken", reason):
                self._becomes("broken", reason)
        self._log.error("stream_ended", reason=reason, forgotten=len(forgotten), opens_again_in_seconds=delay)

    # its messages

    def _arrived(self, message: Any) -> None:
        delivery = Delivery(
            topic=self.source.topic,
            message_id=message.message_id,
            published_at=instant(message.publish_time),
            attributes=dict(message.attributes),
            data=message.data,
        )
        taken = _Taken(message, delivery)
        with self._changed:
            self._taken[message.ack_id] = taken
        self._offer(taken)

    def _offer(self, taken: _Taken) -> None:
        try:
            recording = self._door.deliver(taken.delivery)
        except IntakeFull as error:
            self._hold(taken, error)
        except IntakeClosed:
            self._hand_back(taken)
        else:
            recording.add_done_callback(partial(self._recorded, taken))

    def _recorded(self, taken: _Taken, recording: Future[Tally]) -> None:
        error = recording.exception()
        if error is None:
            self._acknowledge(taken)
        elif isinstance(error, PASSING):
            self._hold(taken, error)
        else:
            self._log.error("message_breaks_recording", **taken.said, error=f"{type(error).__name__}: {error}")
            self._hand_back(taken)

    def _acknowledge(self, taken: _Taken) -> None:
        with self._changed:
            self._taken.pop(taken.message.ack_id, None)
            self._acknowledged += 1
            if self._closed:
                self._late.append(taken.message.ack_id)
            self._changed.notify_all()
            if self._closed:
                return
        taken.message.ack_with_response().add_done_callback(partial(self._answered, taken))

    def _answered(self, taken: _Taken, answer: Any) -> None:
        """With exactly-once delivery, the broker says whether it took the acknowledgement."""
        error = answer.exception()
        if error is not None:  # it is delivered again, and known then
            self._log.warning("acknowledgement_refused", **taken.said, error=str(error))

    def _hold(self, taken: _Taken, error: BaseException) -> None:
        with self._changed:
            first = not any(other.due is not None for other in self._taken.values())
            taken.due = monotonic() + _nth(self._pace.again_seconds, taken.failures)
            taken.failures += 1
            self._changed.notify_all()
        if first:
            self._log.warning("messages_held", **taken.said, reason=str(error))

    def _hand_back(self, taken: _Taken) -> None:
        with self._changed:
            self._taken.pop(taken.message.ack_id, None)
            self._returned += 1
            self._changed.notify_all()
        taken.message.nack()

    def _nothing_under_way(self) -> bool:
        return all(taken.due is not None for taken in self._taken.values())


def _nth(seconds: tuple[float, ...], failures: int) -> float:
    return seconds[min(failures, len(seconds) - 1)]


def instant(at: Any) -> datetime:
    """The client's instant, which has nanoseconds, as ours."""
    utc = at.astimezone(UTC)
    return datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, tzinfo=UTC)
