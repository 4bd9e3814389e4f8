"""Plays the example week through the program: the same recorder, clock, dispatcher and store as `ingest` uses.

Messages arrive at their publish times, time ticks in between, commands leave for a file. One thing a recording cannot
have in advance: the answers to what the gates ask. Where a command asks for measures, the week's facts say what the
tables held, and the answer arrives as a message like any other, `ANSWER_SECONDS` later. What came in, answers included,
is kept as a recording; ingesting that gives the same store, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from events.catalogue import CommandRequested
from events.store import Pending, Store
from handlers.demo_facts import Week
from handlers.demo_messages import Body, Message, line, measured, messages
from handlers.dispatch import Answer, Channel, FileChannel, dispatch
from handlers.ingest import MINUTE, Ingested, Ingestion, PublishClock
from handlers.lines import Line
from handlers.recorder import Recorder, Tally
from handlers.stores import open_store, store_name
from statemachine.definition import Definition
from statemachine.validator import VALIDATE

UNTIL = datetime(2026, 1, 21, 5, 15, tzinfo=UTC)
"""Behind the last deadline of the week's last date: 24 hours after 19 January ended."""

ANSWER_SECONDS = 80
"""How long a measure takes, from the minute in which it was asked for."""


class Files(Struct, frozen=True, kw_only=True):
    """What a run leaves behind in its folder."""

    store: Path
    commands: Path
    messages: Path

    @property
    def store_name(self) -> str:
        """The store as `--store` takes it."""
        return f"sqlite:{self.store}"


class Played(Struct, frozen=True, kw_only=True):
    """A run that is over: what it counted, and how many of its lines were answers to measure commands."""

    counts: Ingested
    answers: int


def files_in(folder: Path) -> Files:
    """The files of a run in `folder`."""
    store = folder / "tipoff.db"
    return Files(store=store, commands=store_name(f"sqlite:{store}").commands, messages=folder / "messages.jsonl")


@contextmanager
def fresh_store(files: Files) -> Iterator[Store]:
    """A new store in the place of the last run's. Raises OSError, StoreUnavailable."""
    files.store.parent.mkdir(parents=True, exist_ok=True)
    beside = [Path(f"{files.store}{end}") for end in ("-wal", "-shm", "-journal")]
    for path in (files.store, *beside, files.commands, files.messages):
        path.unlink(missing_ok=True)
    with open_store(files.store_name, create=True) as store:
        yield store


class Road(Protocol):
    """What lies between the publishers of messages, us, and those who act on commands. Implementations: `Direct`,
    `handlers.demo_emulators.Through`."""

    def bring(self, said: Line, /) -> Line:
        """Let a line of the recording travel; gives it as it arrives."""

    def settle(self) -> None:
        """What was brought is stored."""

    def out(self, file: Channel, /) -> Channel:
        """The way that commands leave by, where `file` is a file for them."""


class Direct:
    """Nothing in between (see Road)."""

    def bring(self, said: Line) -> Line:
        """See Road."""
        return said

    def settle(self) -> None:
        """See Road."""

    def out(self, file: Channel) -> Channel:
        """See Road."""
        return file


def play(week: Week, store: Store, definition: Definition, files: Files, road: Road | None = None) -> Played:
    """Let the week happen, up to `UNTIL`."""
    road = road or Direct()
    recorder = Recorder(store, {definition.sport: definition})
    with closing(FileChannel(files.commands)) as file, files.messages.open("wb") as recording:
        stage = _Stage(week, recorder, Noting(road.out(file)))
        clock = PublishClock(stage.ingestion, store, each=road.settle)
        for message, message_id in stage.in_order(clock, store):
            said = line(message, message_id)
            recording.write(said.data + b"\n")
            clock.take(road.bring(said))
    road.settle()
    return Played(counts=stage.ingestion.counts, answers=stage.answers)


class Noting:
    """A channel that notes what it sends through another one."""

    def __init__(self, channel: Channel) -> None:
        self.sent: list[CommandRequested] = []
        self._channel = channel

    def send(self, batch: list[Pending]) -> list[Answer]:
        """See Channel."""
        self.sent += [pending.command for pending in batch]
        return self._channel.send(batch)


class _Stage:
    """What is still to come: the week's messages, and the answers to what has been asked."""

    def __init__(self, week: Week, recorder: Recorder, channel: Noting) -> None:
        self.ingestion = Ingestion(recorder, self._send)
        self.answers = 0
        self._week = week
        self._recorder = recorder
        self._channel = channel
        self._coming: list[tuple[datetime, int, Message, str]] = []
        for message in messages(week):
            self._expect(message, f"week-{len(self._coming):04d}")

    def in_order(self, clock: PublishClock, store: Store) -> Iterator[tuple[Message, str]]:
        """Each message when its time has come. Time goes on by single due minutes, so that an answer is there before
        the next of them; what came in the same minute has been stored by then, as it is when a recording is read."""
        while True:
            upcoming = self._coming[0][0] if self._coming else UNTIL
            if clock.at is not None and _floor(upcoming) > _floor(clock.at):
                clock.finish(None, fallback=clock.at)
                upcoming = self._coming[0][0] if self._coming else UNTIL
                due = store.next_due()
                minute = None if due is None else max(_ceil(due), _floor(clock.at) + MINUTE)
                if minute is not None and minute <= _floor(upcoming):
                    clock.advance(minute)
                    continue
            if not self._coming:
                return
            _at, _number, message, message_id = heappop(self._coming)
            yield message, message_id

    def _send(self, now: datetime) -> Tally:
        tally = dispatch(self._recorder, self._channel, now)
        asked, self._channel.sent = self._channel.sent, []
        for command in asked:
            if command.kind == "measure" and not command.topic.startswith(VALIDATE):  # nobody wrote down the rows
                self.answers += 1
                self._expect(answer(self._week, command, _floor(now)), f"measured-{command.command_id}")
        return tally

    def _expect(self, message: Message, message_id: str) -> None:
        heappush(self._coming, (message.at, len(self._coming) + self.answers, message, message_id))


def answer(week: Week, command: CommandRequested, asked_at: datetime) -> Message:
    """What the tables held when they were looked at; what nobody wrote down is an error, never a number."""
    asked: Any = command.payload
    game_date, at = asked["game_date"], asked_at + timedelta(seconds=ANSWER_SECONDS)
    measures: Body = {}
    for name in asked["measures"]:
        value = seen(week, game_date, name, at)
        measures[name] = {"error": "not in the week's records"} if value is None else {"value": value}
    return measured(game_date, asked["boundary"], measures, at, command.command_id)


def seen(week: Week, game_date: str, name: str, at: datetime) -> float | None:
    """The measure `name` of a date at `at`; None where it is not known."""
    games = week.games_of(game_date)
    if name == "games_expected":
        return len(games)
    if name == "games_with_box_score":
        return sum(game.box_score == "present" for game in games)
    return week.count(game_date, name, at)


def _floor(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _ceil(at: datetime) -> datetime:
    return _floor(at + MINUTE - timedelta.resolution)
