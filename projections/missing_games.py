"""Which games of a date have no box score: as completions named them, else as the field has always lost them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from events.catalogue import CompletionRecorded, Event
from statemachine.state import DateState, expected_games
from statemachine.work import COUNTING

GamesBasis = Literal["named", "last_to_tip"]
"""`named`: a completion listed the games it loaded. `last_to_tip`: a guess from their number, for a scrape that came
too early lacks the games that tipped off last, without exception in 115 games (incidents 0.2)."""


class MissingGames(Struct, frozen=True, kw_only=True):
    """The ids, by tip-off, and how they are known."""

    games: tuple[str, ...]
    basis: GamesBasis


def missing_games(events: Iterable[Event], state: DateState, count: int) -> MissingGames:
    """The `count` games that are missing; empty where none is, or where more are missing than are expected."""
    expected = [game.game_id for game in expected_games(state)]
    for named in _named(events).values():
        left = tuple([game for game in expected if game not in named])
        if len(left) == count:
            return MissingGames(games=left, basis="named")
    left = tuple(expected[len(expected) - count :]) if 0 < count <= len(expected) else ()
    return MissingGames(games=left, basis="last_to_tip")


def _named(events: Iterable[Event]) -> dict[tuple[str, str], set[str]]:
    """By phase and processor, the games that its completions listed."""
    found: dict[tuple[str, str], set[str]] = {}
    for event in events:
        data = event.data
        if isinstance(data, CompletionRecorded) and data.games and data.processor and data.status in COUNTING:
            found.setdefault((data.phase, data.processor), set()).update(data.games)
    return found
