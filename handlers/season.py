"""A season opened from its schedule: every date exists before its first message, so that absence is visible (design 4).

Each date from the first to the last becomes a stream; one without a game becomes `no_games`. A date is compared with
what is known of it, and only differences are appended, so opening the same schedule again changes nothing. A game that
is known on another date has moved: the old date says where to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from events.catalogue import Fact, SchedulePublished
from events.codec import derive_id, encode
from events.store import Store
from events.values import Game
from handlers.heads import state_in
from handlers.recorder import Recorder, Tally
from handlers.schedule_file import Schedule
from statemachine.schedule import compare
from statemachine.state import OFF_DATE, DateState
from statemachine.streams import DATE, date_stream

SOURCE = "season open"

ChangeKind = Literal["added", "moved", "postponed", "retimed", "cancelled", "removed", "scheduled", "live", "final"]


class Change(Struct, frozen=True, kw_only=True):
    """What changes on a date that was known before: `text` is the change as the event says it."""

    game_date: str
    kind: str
    text: str


class Plan(Struct, frozen=True, kw_only=True):
    """What opening a schedule would append. `opened` are dates that get their first schedule; `unchanged` counts those
    that stay as they are; `disregarded` are dates whose schedule in force is newer than this one."""

    sport: str
    first: str
    last: str
    dates: int
    games: int
    opened: tuple[str, ...]
    unchanged: int
    changes: tuple[Change, ...]
    disregarded: tuple[str, ...]


def plan(
    store: Store, schedule: Schedule, *, sport: str, as_of: datetime
) -> tuple[Plan, list[tuple[DateState, SchedulePublished]]]:
    """What `schedule`, as known at `as_of`, changes in `store`: the plan, and what is to be published where."""
    states = {state.game_date: state for state in _states(store, sport)}
    published = [(state, said) for state, said in _publications(states, schedule, sport, as_of)]
    opened, changes, disregarded, unchanged = list[str](), list[Change](), list[str](), 0
    wanted = []
    for state, said in published:
        texts, why_not = compare(state, said)
        if state.scheduled and not texts and why_not is None:
            unchanged += 1
            continue
        wanted.append((state, said))
        if why_not is not None:
            disregarded.append(state.game_date)
        elif not state.scheduled:
            opened.append(state.game_date)
        else:
            changes += [Change(game_date=state.game_date, kind=text.split(" ", 1)[0], text=text) for text in texts]
    first, last = schedule.bounds
    summary = Plan(
        sport=sport,
        first=first,
        last=last,
        dates=len(_days(first, last)),
        games=sum(item.game.status not in OFF_DATE for item in schedule.listed),
        opened=tuple(opened),
        unchanged=unchanged,
        changes=tuple(changes),
        disregarded=tuple(disregarded),
    )
    return summary, wanted


def carry_out(recorder: Recorder, wanted: list[tuple[DateState, SchedulePublished]], *, now: datetime) -> Tally:
    """Publish what a plan wants, all of it in one commit."""
    return recorder.record([(_fact(state, said, now), now) for state, said in wanted])


def _states(store: Store, sport: str) -> Iterator[DateState]:
    for stream, head in store.heads(f"{sport}/"):
        if stream.count("/") == 1 and not stream.endswith("/control"):
            yield state_in(stream, head)


def _days(first: str, last: str) -> list[str]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(start + timedelta(days=days)).isoformat() for days in range((end - start).days + 1)]


def _publications(
    states: Mapping[str, DateState], schedule: Schedule, sport: str, as_of: datetime
) -> Iterator[tuple[DateState, SchedulePublished]]:
    """What is to be said of each date of the schedule, and of others whose games it has taken."""
    days = _days(*schedule.bounds)
    playing = {item.game.game_id: item.game_date for item in schedule.listed if item.game.status not in OFF_DATE}
    for day in days:
        state = states.get(day) or DATE.initial(date_stream(sport, day))
        listed = schedule.games_on(day)
        named = {game.game_id for game in listed}
        gone = [game for game in _gone(state, playing) if game.game_id not in named]
        yield state, SchedulePublished(games=(*listed, *gone), as_of=as_of, source=SOURCE)
    for day in sorted(states.keys() - set(days)):
        gone = list(_gone(states[day], playing))
        if gone:
            yield states[day], SchedulePublished(games=tuple(gone), partial=True, as_of=as_of, source=SOURCE)


def _gone(state: DateState, playing: Mapping[str, str]) -> Iterator[Game]:
    """The games of a date that the schedule has on another, as moved there."""
    for game in state.games.values():
        day = playing.get(game.game_id, state.game_date)
        if day != state.game_date and game.status != "moved":
            yield replace(game, status="moved", moved_to=day)


def _fact(state: DateState, said: SchedulePublished, now: datetime) -> Fact:
    """The fact that a date's schedule was published. Its id holds the version it is said to, for a schedule may come
    back to what it was; one that is older than the schedule in force is the same fact each time."""
    older = said.as_of is not None and state.schedule_as_of is not None and said.as_of < state.schedule_as_of
    place = "older" if older else state.version
    return Fact(
        stream=state.stream,
        id=derive_id("season", state.stream, str(place), encode(said).decode()),
        occurred_at=said.as_of or now,
        correlation=SOURCE,
        data=said,
        actor="operator",
    )
