"""The puller: messages come in by streaming pull, and are acknowledged when their commit is durable.

A message that the store cannot take now is held under its lease and offered again, so an outage costs no delivery
attempt, makes no dead letter and keeps the order of its key; what is held counts as in flight, so the broker sends no
more than the flow control allows. One that could be taken and breaks the recording is handed back, which counts as an
attempt, and said. What cannot be understood is stored as rejected, whichever way it came. A stream that ends is opened
again, later each time; the broker repeats what was not acknowledged, and what was recorded before is a duplicate.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from time import monotonic

import structlog
from grpc import ChannelConnectivity

from events.catalogue import Fact
from handlers.conditions import observed
from handlers.intake import IntakeClosed, IntakeFull
from handlers.pubsub.broker import Broker
from handlers.pubsub.stream import Door, Pace, Stream, StreamState
from handlers.pubsub.wanted import Source

LAST_SECONDS = 1.0
"""Of a stop, what is kept for acknowledging what was recorded last, and for handing back what is held."""

COMPONENT = "pubsub-pull"
"""What alerts call the puller."""


class Puller:
    """Pulls every source into the door, which is the intake of a service. Lives from `start` to `stop`; the door must
    live longer. Raises PubsubUnavailable where there are no credentials."""

    def __init__(self, door: Door, broker: Broker, sources: Sequence[Source], *, pace: Pace | None = None) -> None:
        self._door = door
        self._pace = pace or Pace()
        self._subscriber = broker.subscriber
        self._streams = [Stream(door, broker, source, self._pace) for source in sources]
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="pull-keeper")
        self._silent_since: float | None = monotonic()
        self._said: dict[str, bool] = {}  # what the control stream of each sport was told, since the start
        self._log = structlog.get_logger("pull")

    def start(self) -> None:
        """Open the streams."""
        self._subscriber.transport.grpc_channel.subscribe(self._connected, try_to_connect=True)
        self._keeper.start()

    def stop(self, seconds: float) -> bool:
        """Take no more, wait for the commits that are under way, hand the rest back. False where that takes longer than
        `seconds`: what was not acknowledged is delivered again, to whoever is up. Idempotent."""
        end = monotonic() + seconds
        self._ending.set()
        if self._keeper.ident is not None:
            self._keeper.join(max(0.0, end - monotonic()))
        for stream in self._streams:
            stream.close()
        done = [stream.settled(max(0.0, end - LAST_SECONDS - monotonic())) for stream in self._streams]
        for stream in self._streams:
            stream.finish(max(0.0, end - monotonic()))
        self._subscriber.transport.grpc_channel.unsubscribe(self._connected)
        return all(done) and not self._keeper.is_alive()

    @property
    def state(self) -> tuple[StreamState, ...]:
        """How each subscription stands."""
        since = self._silent_since
        silent = since is not None and monotonic() - since > self._pace.settled_seconds
        return tuple(stream.state(silent_since=since if silent else None) for stream in self._streams)

    @property
    def ready(self) -> bool:
        """Whether messages come in from every subscription."""
        return all(state.condition == "open" for state in self.state)

    def _connected(self, connectivity: ChannelConnectivity) -> None:
        if connectivity is ChannelConnectivity.READY:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = monotonic()

    def _keep(self) -> None:
        while not self._ending.is_set():
            try:
                self._turn(monotonic())
            except Exception as error:  # the keeper never dies: whatever failed is tried again at the next turn
                self._log.exception("turn_failed", error=str(error))
            self._ending.wait(self._pace.turn_seconds)

    def _turn(self, now: float) -> None:
        for stream in self._streams:
            stream.turn(now)
        for sport in dict.fromkeys(stream.source.sport for stream in self._streams):
            self._tell(sport, now)

    def _tell(self, sport: str, now: float) -> None:
        """Let history know when a sport's subscriptions have been broken for a while, and when they work again."""
        states = [state for state in self.state if state.sport == sport]
        broken = [state for state in states if state.condition == "broken"]
        works = all(state.condition == "open" for state in states)
        lasting = any(now - state.since >= self._pace.tell_seconds for state in broken)
        if not (works or lasting) or self._said.get(sport) is works:
            return
        detail = f"{len(broken)} of {len(states)} subscriptions: " if broken else "messages come in"
        detail += "; ".join(f"{state.subscription}: {state.reason}" for state in broken[:3])

        def fact(at: datetime) -> list[Fact]:
            return [observed("channel", COMPONENT, sport, works=works, detail=detail, at=at, actor="pull")]

        def untold(error: BaseException | None) -> None:
            if error is not None:  # told again at the next turn
                self._log.warning("not_told", sport=sport, error=str(error))
                self._said.pop(sport, None)

        self._said[sport] = works
        try:
            self._door.record(fact).add_done_callback(lambda done: untold(done.exception()))
        except (IntakeFull, IntakeClosed) as error:
            untold(error)
