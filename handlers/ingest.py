"""Ingest: recorded deliveries, line by line, through the same door as live ones.

Two clocks. On the wall clock, what is there commits together, up to `BATCH_MAX` messages at a time. On the publish
clock a message's publish time is now, the messages of one minute commit together, and time ticks at every full minute
in between (design 6). A minute at which nothing is due would change nothing, so the clock goes from one due minute to
the next; the events are those of ticking at every minute.

A line that cannot be read is stored as a rejection, whatever is wrong with it. Nothing is dropped, and `Ingested` adds
up: every line is a delivery or a broken line, and every fact in it accepted, a duplicate, or rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from events.catalogue import Fact, MessageRejected
from events.codec import derive_id
from events.store import Store
from events.wire import Delivery, Routing, Unreadable, from_line, read, rejected_line
from handlers.heads import state_in
from handlers.lines import LINE_BYTES_MAX, Line
from handlers.recorder import Recorder, Tally
from statemachine.definition import Definition

BATCH_MAX = 256
"""Messages that commit together at most."""

CLOCK_JUMP_DAYS_MAX = 400
"""A publish time that lies further ahead of the clock is a slip of the pen: it would let every deadline of a season
elapse at once."""

MINUTE = timedelta(minutes=1)

Clock = Callable[[], datetime]


@dataclass(slots=True)
class Ingested:
    """What became of the lines. `accepted`, `duplicate` and `rejected` count facts (a document can hold several);
    `probes` are deliveries that say nothing; `late` were published before what the clock had reached; `events`,
    `commands` and `alerts` include what time brought about; `ticks` are the minutes at which something was due."""

    lines: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    probes: int = 0
    late: int = 0
    ticks: int = 0
    events: int = 0
    commands: int = 0
    alerts: int = 0

    def messages(self, tally: Tally) -> None:
        """Count what messages caused."""
        self.accepted += tally.accepted
        self.duplicate += tally.duplicate
        self.rejected += tally.rejected
        self.consequences(tally)

    def consequences(self, tally: Tally) -> None:
        """Count what time, or the confirmation of a command, caused."""
        self.events += tally.events
        self.commands += tally.commands
        self.alerts += tally.alerts


def routing_of(definitions: Iterable[Definition]) -> Routing:
    """Which sport a topic belongs to, as the definitions say."""
    zones, topics = dict[str, ZoneInfo](), dict[str, str]()
    for definition in definitions:
        zones[definition.sport] = ZoneInfo(definition.timezone)
        topics |= definition.topics
    return Routing(zones=zones, topics=topics)


def store_clock(store: Store) -> datetime | None:
    """The latest instant at which anything in `store` was recorded; None where it is empty."""
    instants = [state_in(stream, head).recorded_at for stream, head in store.heads()]
    return max((at for at in instants if at is not None), default=None)


class Envelope(Struct, frozen=True, kw_only=True):
    """A line with its envelope taken off: a delivery, or what is wrong with it."""

    line: Line
    delivery: Delivery | None = None
    error: Unreadable | None = None


def envelope(line: Line) -> Envelope:
    """What stands in a line."""
    if line.digest:
        reason = f"the line has {line.size} bytes, at most {LINE_BYTES_MAX} are read"
        next_step = "Put lists into storage and send their place"
        return Envelope(line=line, error=Unreadable(code="line_too_long", reason=reason, next_step=next_step))
    try:
        return Envelope(line=line, delivery=from_line(line.data))
    except Unreadable as error:
        return Envelope(line=line, error=error)


def rejection(line: Line, error: Unreadable, *, received_at: datetime) -> Fact:
    """The fact that a line could not be read; of one that was cut, with its true size and by all its bytes."""
    fact = rejected_line(line.data, error, received_at=received_at)
    if not line.digest:
        return fact
    assert isinstance(fact.data, MessageRejected)
    return replace(fact, id=derive_id("line", line.digest), data=replace(fact.data, size=line.size))


class Ingestion:
    """Lines on their way into a store. `send` lets the commands leave that are pending at an instant; `counts` is what
    was stored so far, also where an error ends it."""

    def __init__(self, recorder: Recorder, send: Callable[[datetime], Tally]) -> None:
        self.counts = Ingested()
        self._recorder = recorder
        self._routing = routing_of(recorder.definitions.values())
        self._send = send

    def record(self, envelopes: Sequence[tuple[Envelope, datetime]]) -> None:
        """Store what the lines say, each at its instant, in one commit, and send what follows from it."""
        facts: list[tuple[Fact, datetime]] = []
        probes = 0
        for item, now in envelopes:
            found = self._facts(item, now)
            probes += not found
            facts += [(fact, now) for fact in found]
        self.counts.messages(self._recorder.record(facts))
        self.counts.lines += len(envelopes)
        self.counts.probes += probes
        self.counts.consequences(self._send(max(now for _, now in envelopes)))

    def tick(self, now: datetime) -> None:
        """Let time come to `now`."""
        self.counts.consequences(self._recorder.tick(now))
        self.counts.consequences(self._send(now))
        self.counts.ticks += 1

    def _facts(self, item: Envelope, now: datetime) -> list[Fact]:
        if item.delivery is not None:
            return read(item.delivery, self._routing, received_at=now)
        assert item.error is not None, "an envelope holds a delivery or says what is wrong"
        return [rejection(item.line, item.error, received_at=now)]


def on_wall_clock(
    ingestion: Ingestion, batches: Iterable[Sequence[Line]], clock: Clock, *, each: Callable[[], None]
) -> None:
    """Store lines as they arrive, at the instant they arrive. `each` is called after every commit."""
    for lines in batches:
        for start in range(0, len(lines), BATCH_MAX):
            now = clock()
            ingestion.record([(envelope(line), now) for line in lines[start : start + BATCH_MAX]])
            each()


class PublishClock:
    """Replays recorded lines with their publish times as the clock, which stands at `at` (None: it has not begun) and
    never goes back: a line that was published before is received at `at`, as a late message is. It begins where the
    store stands, so that a recording in two parts replays like one."""

    def __init__(self, ingestion: Ingestion, store: Store, *, each: Callable[[], None]) -> None:
        self.at = store_clock(store)
        self._ticked = None if self.at is None else _floor(self.at)
        self._ingestion = ingestion
        self._store = store
        self._each = each
        self._group: list[tuple[Envelope, datetime | None]] = []

    def take(self, line: Line) -> None:
        """Bring the clock to the line's publish time, if it has one, and store the line with those of its minute."""
        item = self._plausible(envelope(line))
        at = None if item.delivery is None else item.delivery.published_at
        if at is not None and self.at is not None and at < self.at:
            self._ingestion.counts.late += 1
        elif at is not None:
            if self.at is None:
                self._ticked = _floor(at)
            elif _floor(at) > _floor(self.at):
                self._store_group(fallback=at)
                self.advance(_floor(at))
            self.at = at
        self._group.append((item, self.at))
        if len(self._group) >= BATCH_MAX and self.at is not None:
            self._store_group(fallback=self.at)

    def finish(self, until: datetime | None, *, fallback: datetime) -> None:
        """Store what is left, and let time go on to `until`. A recording in which no line has a publish time is
        received at `until`, or at `fallback`."""
        self._store_group(fallback=self.at or until or fallback)
        if until is not None:
            self.advance(until)
            self.at = until if self.at is None else max(self.at, until)

    def advance(self, to: datetime) -> None:
        """Tick at every full minute up to and including `to` at which something is due."""
        while (due := self._store.next_due()) is not None:
            minute = _floor(due + MINUTE - timedelta.resolution)
            if self._ticked is not None:
                minute = max(minute, self._ticked + MINUTE)
            if minute > to:
                break
            self._ingestion.tick(minute)
            self._ticked = minute
            self.at = minute if self.at is None else max(self.at, minute)
            self._each()
        self._ticked = max(self._ticked or _floor(to), _floor(to))

    def _plausible(self, item: Envelope) -> Envelope:
        """`item`, refused where its publish time would carry the clock out of the season."""
        if item.delivery is None or self.at is None:
            return item
        days = (item.delivery.published_at - self.at).days
        if days < CLOCK_JUMP_DAYS_MAX:
            return item
        reason = f"`publishTime` lies {days} days after what the clock has reached ({self.at.isoformat()})"
        next_step = "Correct it, or ingest the line on the wall clock"
        return Envelope(line=item.line, error=Unreadable(code="publish_time_jump", reason=reason, next_step=next_step))

    def _store_group(self, *, fallback: datetime) -> None:
        if self._group:
            self._ingestion.record([(item, now or fallback) for item, now in self._group])
            self._group = []
            self._each()


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)
