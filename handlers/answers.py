"""Answers that are given alike on the command line (`--json`) and over HTTP: one document each, built once.

Each function asks `Recorded` and a projection; how the question arrived and how the answer leaves is the edge's affair.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Literal, get_args

from msgspec import Struct

from events.catalogue import Event, Fact, OperatorActed
from events.codec import derive_id
from events.values import Severity
from handlers.recorded import NothingRecorded, Recorded
from handlers.recorder import Tally
from projections.day import DayRow, DayShow, day_row, day_show
from projections.episodes import Episode, episodes
from projections.explain import Explanation, explain
from projections.history import Step, steps
from projections.rejected import Rejections, rejected
from projections.timeline import TimelineEntry, timeline
from statemachine.state import DateState

DateStatus = Literal["scheduled", "active", "blocked", "parked", "complete", "no_games", "halted"]
"""What a date as a whole may be."""

ABOUT_REJECTIONS = (b'"message_rejected"',)
"""Stored events that tell of a rejected message hold this; the others need not be decoded."""


class Acted(Struct, frozen=True, kw_only=True):
    """What was recorded of an operator's command: the command itself, and what followed from it."""

    stream: str
    version: int
    events: tuple[TimelineEntry, ...]


class TickDone(Struct, frozen=True, kw_only=True):
    """What a tick came to; `streams` are those that were due."""

    now: datetime
    streams: tuple[str, ...]
    events: int
    commands: int
    alerts: int


def tick_done(ticked: Tally, now: datetime, *, sent: Tally | None = None) -> TickDone:
    """The answer to a tick at `now`; `sent` is what was recorded of the commands that left thereafter."""
    sent = sent or Tally()
    return TickDone(
        now=now,
        streams=tuple(sorted(ticked.streams)),
        events=ticked.events + sent.events,
        commands=ticked.commands + sent.commands,
        alerts=ticked.alerts + sent.alerts,
    )


def day_rows(
    recorded: Recorded,
    *,
    sport: str | None = None,
    first: str = "",
    last: str = "9999",
    statuses: Collection[str] = (),
    at: datetime | None = None,
) -> list[DayRow]:
    """Every game date in a line, by sport and date: those of a sport, from `first` to `last`, of these statuses. Raises
    TooMuchAsked."""

    def among(stream: str) -> bool:
        of, _, game_date = stream.partition("/")
        return sport in (None, of) and first <= game_date <= last

    days = recorded.days(at, among=among)
    return [day_row(state, definition) for state, definition in days if not statuses or state.status in statuses]


def day(recorded: Recorded, sport: str, game_date: str, at: int | datetime | None = None) -> DayShow:
    """A date as it stands, or stood. Raises NothingRecorded, NoSuchVersion."""
    known = recorded.day(sport, game_date, at)
    return day_show(known.state, known.definition, head_hash=known.hash)


def events(
    recorded: Recorded, sport: str, game_date: str, at: int | datetime | None = None, *, after: int = 0
) -> list[TimelineEntry]:
    """Everything that happened to a date, behind version `after`. Raises NothingRecorded, NoSuchVersion."""
    return [entry for entry in timeline(recorded.history(sport, game_date, at)) if entry.version > after]


def explanation(recorded: Recorded, sport: str, game_date: str, at: int | datetime | None = None) -> Explanation:
    """Why a date stands as it does. Raises NothingRecorded, NoSuchVersion."""
    history = recorded.history(sport, game_date, at)
    if not history:
        raise NothingRecorded(f"nothing was known of {game_date} then", next_step="Ask for a later instant.")
    known = recorded.day(sport, game_date, history[-1].version)
    return explain(history, known.definition)


def alert_episodes(recorded: Recorded, at: datetime | None = None) -> list[Episode]:
    """Every alert episode, the open ones first, the gravest first. Raises TooMuchAsked."""
    dates: Iterator[DateState] = (state for state, _definition in recorded.days(at))
    return episodes([*dates, *recorded.controls(at)])


def open_by_severity(found: list[Episode]) -> dict[Severity, int]:
    """How many of these episodes are open."""
    severities = [episode.severity for episode in found if episode.resolved_at is None]
    return {severity: severities.count(severity) for severity in get_args(Severity)}


def rejections(recorded: Recorded, at: datetime | None = None) -> list[Rejections]:
    """Messages that could not be understood, by what was wrong with them, the latest first."""
    streams = [state.stream for state in recorded.controls()]
    events = (event for stream in streams for event in recorded.events(stream, about=ABOUT_REJECTIONS))
    return rejected(event for event in events if at is None or event.recorded_at <= at)


def changes(
    recorded: Recorded,
    sport: str,
    game_date: str,
    at: int | datetime | None = None,
    *,
    after: int = 0,
    limit: int | None = None,
) -> list[Step]:
    """What each event of a date changed, behind version `after`, `limit` events at most. Raises NothingRecorded,
    NoSuchVersion."""
    known = recorded.day(sport, game_date, at).state.version
    before: Any = recorded.day(sport, game_date, min(after, known)).state
    until = known if limit is None else min(known, before.version + limit)
    events = recorded.events(before.stream, before.version)
    return list(steps(islice(events, until - before.version), before=before))


def operator_fact(stream: str, version: int, data: OperatorActed, actor: str, now: datetime) -> Fact:
    """The fact that `actor` asked for something of a stream that stood at `version`. The same command asked again of
    the same version at the same instant is the same fact."""
    return Fact(
        stream=stream,
        id=derive_id(
            "operator", stream, str(version), actor, data.command, str(data.target), data.reason, now.isoformat()
        ),
        occurred_at=now,
        correlation=f"operator:{actor}",
        data=data,
        actor=actor,
    )


def acted(recorded: Recorded, fact: Fact, *, after: int) -> Acted:
    """What followed from an operator's command that was recorded behind version `after` of its stream."""
    caused: list[Event] = [e for e in recorded.events(fact.stream, after) if fact.id in (e.id, e.causation)]
    return Acted(stream=fact.stream, version=caused[-1].version, events=tuple(timeline(caused)))
