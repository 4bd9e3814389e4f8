"""Histories by hand: facts in, events out, on the real `decide` and `evolve`, without a store and without a clock.

    week = Driver(nba())
    week.schedule("2026-01-16T12:00Z", "2026-01-17T00:00Z", "2026-01-17T03:00Z")
    week.complete("raw", "BdlBoxscoresProcessor", "2026-01-17T06:10Z")
    week.measure("raw_to_analytics", "2026-01-17T06:11Z", games_with_box_score=1)
    week.until("2026-01-17T12:00Z")
    week.state, week.events

Instants are given as `datetime` or as ISO text. Facts get ids from their order, so equal scripts make equal histories.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Generic

from events.catalogue import (
    BeatRecorded,
    CommandFailed,
    CommandPublished,
    CommandRequested,
    CompletionRecorded,
    Event,
    Fact,
    Input,
    MeasuresObserved,
    MessageRejected,
    OperatorActed,
    RunStarted,
    SchedulePublished,
    Ticked,
    WorkflowDecided,
)
from events.codec import derive_id
from events.values import Game, GameStatus, Measure, Status
from handlers import definitions
from statemachine.control import ControlState
from statemachine.definition import Definition
from statemachine.folded import S
from statemachine.pulse import PulseState
from statemachine.state import DateState
from statemachine.streams import CONTROL, DATE, PULSE, Decider, adoption

MINUTE = timedelta(minutes=1)

Moment = datetime | str
"""An instant, or its ISO text with an offset (`2026-01-17T06:10Z`)."""


@cache
def nba() -> Definition:
    """The NBA definition as shipped."""
    return definitions.load("nba", {})


def moment(at: Moment) -> datetime:
    """The instant that `at` names."""
    return datetime.fromisoformat(at) if isinstance(at, str) else at


def games(*tips: Moment | None, status: GameStatus = "scheduled") -> tuple[Game, ...]:
    """A game per tip-off, named `game_1`, `game_2`, … in the order given."""
    return tuple(
        Game(
            game_id=f"game_{number}",
            away=f"A{number}",
            home=f"H{number}",
            start_utc=None if tip is None else moment(tip),
            status=status,
        )
        for number, tip in enumerate(tips, 1)
    )


def measures(**values: float | str | None) -> dict[str, Measure]:
    """Measures by name: a number is a value, a text an error, None what did not apply."""
    return {
        name: Measure(error=value) if isinstance(value, str) else Measure(value=None if value is None else float(value))
        for name, value in values.items()
    }


class Recording(Generic[S]):
    """A stream while it is being written: the present `state` and all `events`."""

    def __init__(self, decider: Decider[S], definition: Definition, stream: str) -> None:
        self.decider = decider
        self.definition = definition
        self.stream = stream
        self.state: S = decider.initial(stream)
        self.events: list[Event] = []
        self.facts: list[tuple[Fact, datetime]] = []

    def give(self, data: Input, at: Moment, *, actor: str = "pipeline", id: str | None = None) -> list[Event]:
        """Decide `data` at `at`, fold what follows, and return it. The first fact adopts the definition before it."""
        now = moment(at)
        if self.state.definition != self.definition.version:
            self._take(adoption(self.stream, self.state.version, self.definition, now), now)
        fact = Fact(
            stream=self.stream,
            id=id or derive_id("driven", self.stream, str(len(self.facts))),
            occurred_at=now,
            correlation="driven",
            data=data,
            actor=actor,
        )
        return self._take(fact, now)

    def _take(self, fact: Fact, now: datetime) -> list[Event]:
        events = self.decider.decide(self.state, fact, now, self.definition)
        for event in events:
            self.state = self.decider.evolve(self.state, event)
        self.events += events
        self.facts.append((fact, now))
        return events

    def tick(self, at: Moment) -> list[Event]:
        """Let time pass: what is due at `at` is acted on."""
        return self.give(Ticked(now=moment(at)), at, actor="clock")

    def until(self, at: Moment) -> list[Event]:
        """Tick at every full minute at which something is due, up to and including `at`."""
        end, found = moment(at), list[Event]()
        while (due := self.decider.next_deadline(self.state, self.definition)) is not None:
            floor = due.replace(second=0, microsecond=0)
            minute = floor if floor == due else floor + MINUTE
            if self.state.recorded_at is not None and minute < self.state.recorded_at:
                minute = self.state.recorded_at
            if minute > end:
                break
            found += self.tick(minute)
        return found


class Driver(Recording[DateState]):
    """A game date."""

    def __init__(self, definition: Definition, stream: str = "nba/2026-01-16") -> None:
        super().__init__(DATE, definition, stream)

    def schedule(self, at: Moment, *what: Game | Moment | None, **fields: Any) -> list[Event]:
        """Publish the games of the date: games, or tip-offs from which games are made."""
        tips = [item for item in what if not isinstance(item, Game)]
        listed = tuple(item for item in what if isinstance(item, Game)) or games(*tips)
        return self.give(SchedulePublished(games=listed, **fields), at)

    def complete(
        self,
        phase: str,
        name: str,
        at: Moment,
        *,
        status: Status = "success",
        run: str | None = None,
        record_count: int | None = 10,
        **fields: Any,
    ) -> list[Event]:
        """A run of processor `name` ended. Every call is a run of its own unless `run` says otherwise."""
        data = CompletionRecorded(
            phase=phase,
            published_name=name,
            status=status,
            run=run or f"run-{len(self.facts)}",
            record_count=record_count,
            **fields,
        )
        return self.give(data, at)

    def complete_all(self, phase: str, names: Sequence[str], at: Moment, **fields: Any) -> list[Event]:
        """A run of each of `names` ended, at the same instant."""
        return [event for name in names for event in self.complete(phase, name, at, **fields)]

    def start(self, phase: str, name: str, at: Moment, *, run: str | None = None) -> list[Event]:
        """A run of processor `name` began."""
        data = RunStarted(phase=phase, published_name=name, run=run or f"run-{len(self.facts)}")
        return self.give(data, at)

    def measure(self, boundary: str, at: Moment, **values: float | str | None) -> list[Event]:
        """A boundary was measured: `games_with_box_score=5` is a value, `="timeout"` an error."""
        return self.give(MeasuresObserved(boundary=boundary, measures=measures(**values), source="probe"), at)

    def operator(
        self, command: str, at: Moment, *, target: str | None = None, reason: str = "asked for", actor: str = "operator"
    ) -> list[Event]:
        """A person acted. Raises CommandNotAllowed where the state does not allow it."""
        data = OperatorActed(command=command, reason=reason, target=target)  # type: ignore[arg-type]
        return self.give(data, at, actor=actor)

    @property
    def commands(self) -> list[CommandRequested]:
        """Every command asked for so far."""
        return [event.data for event in self.events if isinstance(event.data, CommandRequested)]

    def confirm(self, at: Moment) -> list[Event]:
        """Every command that is still open leaves the house and is confirmed."""
        found: list[Event] = []
        for command_id in list(self.state.sent):
            found += self.give(CommandPublished(command_id=command_id, message_id=f"message-{command_id}"), at)
        return found

    def refuse(self, command_id: str, at: Moment, *, error: str = "403", permanent: bool = False) -> list[Event]:
        """A command could not be sent."""
        return self.give(CommandFailed(command_id=command_id, error=error, permanent=permanent), at)


class PulseDriver(Recording[PulseState]):
    """The heartbeats of a game date."""

    def __init__(self, definition: Definition, stream: str = "nba/2026-01-16/pulse") -> None:
        super().__init__(PULSE, definition, stream)

    def beat(self, phase: str, name: str, at: Moment, *, run: str = "run-1", **fields: Any) -> list[Event]:
        """A run of processor `name` says that it lives."""
        data = BeatRecorded(phase=phase, published_name=name, beat_at=moment(at), run=run, **fields)
        return self.give(data, at)


class ControlDriver(Recording[ControlState]):
    """The control stream of a sport."""

    def __init__(self, definition: Definition, stream: str = "nba/control") -> None:
        super().__init__(CONTROL, definition, stream)

    def decided(self, workflow: str, at: Moment, *, reason: str = "") -> list[Event]:
        """The controller let a workflow run."""
        return self.give(WorkflowDecided(workflow=workflow, action="RUN", reason=reason), at)

    def rejected(
        self, code: str, at: Moment, *, reason: str = "not JSON", topic: str = "t", size: int = 3
    ) -> list[Event]:
        """A message could not be understood."""
        data = MessageRejected(
            code=code, reason=reason, topic=topic, message_id=f"m{len(self.facts)}", size=size, data="e30="
        )
        return self.give(data, at)
