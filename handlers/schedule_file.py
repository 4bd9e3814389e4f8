"""Season schedules as files: CSV, or JSON with games or with native schedule messages. Read whole or not at all.

Every contradiction is reported at once with its line, for whoever made the file corrects it once: a game that is named
twice, a tip-off on another date, a status or an instant that is none. Game ids are taken as they are given.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any, get_args

import msgspec
from msgspec import Struct

from events.values import Game, GameStatus
from statemachine.calendar import wall_instant
from statemachine.state import OFF_DATE

FILE_BYTES_MAX = 64 * 1024 * 1024
DAYS_MAX = 400
"""A season that spans more days is a slip in one of its dates; each day becomes a stream."""

YEAR_MIN, YEAR_MAX = 1900, 2100

AFTER_MIDNIGHT = "06:00"
"""A game that tips off after midnight belongs to the date before, until this time of the league's morning."""

NEEDED = ("game_id", "away", "home", "start_utc")
"""Columns that a file must have beside the game date (`game_date_et` or `game_date`)."""

_SCHEDULE_TYPE = "tipoff.schedule.published"
_TEXT_CHARS_MAX = 200


class Fault(Struct, frozen=True, order=True):
    """One thing that is wrong, and the line where it stands."""

    line: int
    message: str


class ScheduleInvalid(Exception):
    """A schedule that cannot be taken, and everything that is wrong with it. Nothing of it was stored."""

    code = "schedule_invalid"

    def __init__(self, source: str, faults: Iterable[Fault]) -> None:
        self.source, self.faults = source, sorted(set(faults))
        super().__init__(source, self.faults)

    def __str__(self) -> str:
        count = "1 error" if len(self.faults) == 1 else f"{len(self.faults)} errors"
        lines = [f"{self.source}:{fault.line}: {fault.message}" for fault in self.faults]
        return "\n".join([*lines, f"{count} in {self.source}; nothing was stored"])


class Listed(Struct, frozen=True):
    """A game as a file lists it."""

    line: int
    game_date: str
    game: Game


class Schedule(Struct, frozen=True):
    """What a file says. `dates` are dates it speaks of without a game; `as_of` is its own instant, where it has one."""

    listed: tuple[Listed, ...]
    dates: tuple[str, ...] = ()
    as_of: datetime | None = None

    def games_on(self, game_date: str) -> tuple[Game, ...]:
        """The games listed on a date, in the order of the file."""
        return tuple(item.game for item in self.listed if item.game_date == game_date)

    @property
    def bounds(self) -> tuple[str, str]:
        """The first and the last game date."""
        days = sorted({*self.dates, *(item.game_date for item in self.listed)})
        return days[0], days[-1]


class _Entry(Struct):
    """A game as raw fields, with the date that stands above it."""

    line: int
    fields: dict[str, Any]
    game_date: str | None = None


def read_schedule(data: bytes, *, source: str, sport: str, zone: str) -> Schedule:
    """The schedule in `data` for a sport whose league lives in `zone`. Raises ScheduleInvalid."""
    reading = _Reading(sport, zone)
    if len(data) > FILE_BYTES_MAX:
        raise ScheduleInvalid(source, [Fault(1, f"has {len(data)} bytes, at most {FILE_BYTES_MAX} are read")])
    text = _text(data, source)
    entries = reading.json(text.encode()) if text.lstrip()[:1] in ("[", "{") else reading.csv(text)
    listed = [game for entry in entries if (game := reading.game(entry)) is not None]
    reading.faults += _repetitions(listed)
    schedule = Schedule(tuple(listed), tuple(reading.dates), reading.as_of)
    if not reading.faults:
        reading.faults += _span(schedule)
    if reading.faults:
        raise ScheduleInvalid(source, reading.faults)
    return schedule


def _text(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScheduleInvalid(source, [Fault(line, f"byte {error.start} is not UTF-8")]) from error


class _Reading:
    """A file while it is read: what is wrong so far, and what it says beside its games."""

    def __init__(self, sport: str, zone: str) -> None:
        self.sport, self.zone = sport, zone
        self.faults: list[Fault] = []
        self.dates: list[str] = []
        self.as_of: datetime | None = None

    def fault(self, line: int, message: str) -> None:
        self.faults.append(Fault(line, message))

    # files

    def csv(self, text: str) -> Iterator[_Entry]:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        columns: list[str] | None = None
        try:
            for row in reader:
                if columns is None:
                    columns = [name.strip() for name in row]
                    if not self._has_columns(columns):
                        return
                elif len(row) == len(columns):
                    yield _Entry(reader.line_num, dict(zip(columns, row, strict=True)))
                elif row:
                    self.fault(reader.line_num, f"has {len(row)} columns, the header has {len(columns)}")
        except csv.Error as error:
            self.fault(reader.line_num, f"is not CSV: {error}")
        if columns is None:
            self.fault(1, "is empty: give a header and a line for each game")

    def _has_columns(self, columns: list[str]) -> bool:
        missing = [name for name in NEEDED if name not in columns]
        if not {"game_date_et", "game_date"} & {*columns}:
            missing = ["game_date_et", *missing]
        if missing:
            self.fault(1, f"lacks the column {', '.join(missing)}")
        return not missing

    def json(self, data: bytes) -> Iterator[_Entry]:
        try:
            whole = msgspec.json.decode(data, type=msgspec.Raw)
            parts = msgspec.json.decode(whole, type=list[msgspec.Raw]) if bytes(whole)[:1] == b"[" else [whole]
        except (msgspec.MsgspecError, RecursionError) as error:
            self.fault(1, f"is not JSON: {error}")
            return
        for line, part in _placed(data, parts, at=0):
            yield from self._part(line, bytes(part))

    def _part(self, line: int, part: bytes) -> Iterator[_Entry]:
        try:
            said = msgspec.json.decode(part)
        except (msgspec.MsgspecError, RecursionError) as error:
            self.fault(line, f"is not JSON: {error}")
            return
        if not isinstance(said, dict):
            self.fault(line, "is no object: give games, or schedule messages")
            return
        nested = said.get("type") == _SCHEDULE_TYPE and isinstance(said.get("data"), dict)
        if nested:
            said = said["data"]
        if "games" in said:
            yield from self._message(line, part, said, nested=nested)
        else:
            yield _Entry(line, said)

    def _message(self, line: int, part: bytes, said: dict[str, Any], *, nested: bool) -> Iterator[_Entry]:
        if said.get("sport") not in (None, self.sport):
            self.fault(line, f"is a schedule of {said['sport']!r}, not of {self.sport!r}")
        game_date = self._date(line, said.get("game_date"))
        as_of = self._instant(line, "as_of", said.get("as_of"))
        if as_of is not None and (self.as_of is None or as_of > self.as_of):
            self.as_of = as_of
        games = said["games"]
        if not isinstance(games, list) or not all(isinstance(game, dict) for game in games):
            self.fault(line, "`games` is no list of objects")
            return
        if game_date is None:
            return
        self.dates.append(game_date)
        for game, below in zip(games, _lines_of_games(part, nested=nested), strict=True):
            yield _Entry(line + below, game, game_date)

    # games

    def game(self, entry: _Entry) -> Listed | None:
        """The game in an entry; None where something about it is wrong."""
        line, fields, before = entry.line, entry.fields, len(self.faults)
        if fields.get("sport") not in (None, "", self.sport):
            self.fault(line, f"is a game of {fields['sport']!r}, not of {self.sport!r}")
        game_date = entry.game_date or self._date(line, fields.get("game_date_et", fields.get("game_date")))
        moved_to = fields.get("moved_to") or None
        game = Game(
            game_id=self._word(line, fields, "game_id"),
            away=self._word(line, fields, "away"),
            home=self._word(line, fields, "home"),
            start_utc=self._instant(line, "start_utc", fields.get("start_utc")),
            status=self._status(line, fields.get("status")),
            moved_to=None if moved_to is None else self._date(line, moved_to, key="moved_to"),
        )
        if game.away and game.away == game.home:
            self.fault(line, f"{game.home} plays itself")
        if game_date is not None:
            self._fits(line, game_date, game.start_utc)
        return Listed(line, game_date, game) if game_date is not None and len(self.faults) == before else None

    def _fits(self, line: int, game_date: str, start: datetime | None) -> None:
        if start is None:
            return
        first = wall_instant(game_date, 0, "00:00", self.zone)
        if not first <= start < wall_instant(game_date, 1, AFTER_MIDNIGHT, self.zone):
            self.fault(line, f"tips off at {start.isoformat()}, which is not on {game_date} in {self.zone}")

    def _word(self, line: int, fields: dict[str, Any], key: str) -> str:
        said = fields.get(key)
        if isinstance(said, str) and 0 < len(said.strip()) <= _TEXT_CHARS_MAX:
            return said.strip()
        if key in fields or key == "game_id":
            self.fault(line, f"`{key}` is {said!r:.80}: give text")
        return ""

    def _status(self, line: int, said: Any) -> GameStatus:
        known: dict[Any, GameStatus] = {name: name for name in get_args(GameStatus)}
        status = said.strip().lower() if isinstance(said, str) else said
        if status in (None, ""):
            return "scheduled"
        if not isinstance(status, str) or status not in known:
            self.fault(line, f"`status` is {said!r:.80}: give one of {', '.join(known)}")
            return "scheduled"
        return known[status]

    def _date(self, line: int, said: Any, *, key: str = "game_date") -> str | None:
        try:
            day = date.fromisoformat(said)
        except (TypeError, ValueError):
            day = None
        if day is None or day.isoformat() != said or not YEAR_MIN <= day.year <= YEAR_MAX:
            self.fault(line, f"`{key}` is {said!r:.80}: give YYYY-MM-DD")
            return None
        return day.isoformat()

    def _instant(self, line: int, key: str, said: Any) -> datetime | None:
        if said in (None, ""):
            return None
        try:
            at = datetime.fromisoformat(said)
            if at.tzinfo is not None:
                return at.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            pass
        self.fault(line, f"`{key}` is {said!r:.80}: give an RFC 3339 instant with its zone")
        return None


def _placed(data: bytes, parts: Iterable[msgspec.Raw], *, at: int) -> Iterator[tuple[int, msgspec.Raw]]:
    """Each part with its line: parts stand in `data` one after the other, byte for byte."""
    line = 1
    for part in parts:
        start = data.index(bytes(part), at)
        line += data.count(b"\n", at, start)
        yield line, part
        at = start
        line += data.count(b"\n", at, at + len(bytes(part)))
        at += len(bytes(part))


class _Games(Struct):
    games: list[msgspec.Raw]


class _Event(Struct):
    data: _Games


def _lines_of_games(part: bytes, *, nested: bool) -> list[int]:
    """How many lines below the beginning of a message each of its games begins."""
    message = msgspec.json.decode(part, type=_Event).data if nested else msgspec.json.decode(part, type=_Games)
    at = max(0, part.find(b'"games"'))
    above = part.count(b"\n", 0, at)
    return [above + line - 1 for line, _ in _placed(part, message.games, at=at)]


def _repetitions(listed: list[Listed]) -> Iterator[Fault]:
    """A game may stand on two dates where it has left one of them; everything else names it twice."""
    playing: dict[str, Listed] = {}
    places: dict[tuple[str, str], Listed] = {}
    for item in listed:
        game_id = item.game.game_id
        place = (game_id, item.game_date)
        if place in places:
            yield Fault(item.line, f"names {game_id} again (line {places[place].line})")
            continue
        places[place] = item
        if item.game.status in OFF_DATE:
            continue
        before = playing.setdefault(game_id, item)
        if before is not item:
            where = f"on {before.game_date} in line {before.line}"
            yield Fault(item.line, f"names {game_id} on {item.game_date}, and {where}: one of them must be `moved`")


def _span(schedule: Schedule) -> Iterator[Fault]:
    if not schedule.listed and not schedule.dates:
        yield Fault(1, "names no game and no date")
        return
    first, last = schedule.bounds
    days = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    if days > DAYS_MAX:
        line = max((item.line for item in schedule.listed if item.game_date in (first, last)), default=1)
        yield Fault(line, f"spans {days} days ({first} to {last}), a season has at most {DAYS_MAX}")
