"""The facts of the example week, as `examples/week-2026-01-13` holds them.

Each row says whether it is recorded or our reconstruction, and where it comes from. Nothing is computed here: a number
that is not in the files is not known, and whoever asks for it gets an error, never a zero.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "week-2026-01-13"

SPORT = "nba"

Basis = Literal["recorded", "reconstructed"]


class GameFact(Struct, frozen=True, kw_only=True):
    """A game that was played, and whether its box score was there in that week."""

    game_date: str
    game_id: str
    away: str
    home: str
    start_utc: datetime
    box_score: Literal["present", "missing"]
    players_who_played: int
    basis: Basis
    source: str


class Count(Struct, frozen=True, kw_only=True):
    """A number about a date, as it was from `since` on (None: as far back as anybody asks)."""

    game_date: str
    name: str
    value: float
    since: datetime | None
    basis: Basis
    source: str


class Beat(Struct, frozen=True, kw_only=True):
    """What every date's runs say at the same time of day: `days` after the game date, at `at` (UTC), with `count` as
    the number of rows; `skip` names a date that is told in `Moment` instead."""

    days: int
    at: str
    phase: str
    name: str
    shape: str
    count: str
    skip: str
    basis: Basis
    source: str


class Moment(Struct, frozen=True, kw_only=True):
    """A message of one date at one instant."""

    at: datetime
    game_date: str
    phase: str
    name: str
    shape: str
    count: str
    basis: Basis
    source: str


class Document(Struct, frozen=True, kw_only=True):
    """A state of a date's completion document: who was marked as done, and when the next phase was triggered."""

    game_date: str
    at: datetime
    run: str
    processors: str
    triggered_at: datetime | None
    basis: Basis
    time_basis: Basis
    source: str


class Storm(Struct, frozen=True, kw_only=True):
    """Runs of a processor within one hour."""

    hour: datetime
    game_date: str
    phase: str
    name: str
    runs: int
    failed: int
    basis: Basis
    source: str


class ByHand(Struct, frozen=True, kw_only=True):
    """What people found or did, and when. An empty `game_date` is the whole week."""

    what: str
    game_date: str
    at: datetime
    how: str
    basis: Basis
    source: str


class Expected(Struct, frozen=True, kw_only=True):
    """What one line of the demo must say about a date."""

    game_date: str
    line: str
    expected: str
    source: str


class Week(Struct, frozen=True, kw_only=True):
    """All facts of the example week."""

    games: tuple[GameFact, ...]
    counts: tuple[Count, ...]
    rhythm: tuple[Beat, ...]
    moments: tuple[Moment, ...]
    documents: tuple[Document, ...]
    storms: tuple[Storm, ...]
    by_hand: tuple[ByHand, ...]
    expected: tuple[Expected, ...]

    @property
    def dates(self) -> list[str]:
        """The game dates, in order."""
        return sorted({game.game_date for game in self.games})

    def games_of(self, game_date: str) -> list[GameFact]:
        """The games of a date, in the order of their tip-offs."""
        return [game for game in self.games if game.game_date == game_date]

    def count(self, game_date: str, name: str, at: datetime) -> float | None:
        """The number `name` of a date as it was at `at`; None where nobody wrote it down."""
        known = [c for c in self.counts if c.game_date == game_date and c.name == name]
        begun = [c for c in known if c.since is None or c.since <= at]
        return max(begun, key=lambda c: c.since or datetime.min.replace(tzinfo=UTC)).value if begun else None


Row = TypeVar("Row", bound=Struct)


def load_week(folder: Path = EXAMPLE) -> Week:
    """The week in `folder`. Raises OSError where a file is missing, msgspec.ValidationError where one is wrong."""
    return Week(
        games=_rows(folder / "games.csv", GameFact),
        counts=_rows(folder / "counts.csv", Count),
        rhythm=_rows(folder / "rhythm.csv", Beat),
        moments=_rows(folder / "moments.csv", Moment),
        documents=_rows(folder / "completion_documents.csv", Document),
        storms=_rows(folder / "storm.csv", Storm),
        by_hand=_rows(folder / "people.csv", ByHand),
        expected=_rows(folder / "expected.csv", Expected),
    )


def _rows(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        read = [
            {key: text or (None if key in _MAY_LACK else "") for key, text in row.items()}
            for row in csv.DictReader(file)
        ]
    return msgspec.convert(tuple(read), tuple[kind, ...], strict=False)  # type: ignore[valid-type]


_MAY_LACK = frozenset({"since", "triggered_at"})
