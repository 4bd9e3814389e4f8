"""Schedules: what a publication changes, and which publications are not believed."""

from __future__ import annotations

from events.catalogue import SchedulePublished
from events.values import Game
from statemachine.state import OFF_DATE, DateState


def compare(state: DateState, data: SchedulePublished) -> tuple[tuple[str, ...], str | None]:
    """The changes that `data` makes to the date, in words, and why it is disregarded, where it is: a publication older
    than the one in force does not undo it."""
    if data.as_of is not None and state.schedule_as_of is not None and data.as_of < state.schedule_as_of:
        return (
            (),
            f"as of {data.as_of.isoformat()}, older than the schedule in force ({state.schedule_as_of.isoformat()})",
        )
    repeated = _repeated(data.games)
    if repeated:
        return (), f"names a game twice: {', '.join(repeated)}"
    changes: list[str] = []
    for game in data.games:
        changes += _changes(state.games.get(game.game_id), game)
    if not data.partial:
        named = {game.game_id for game in data.games}
        gone = [g for g in state.games.values() if g.game_id not in named and g.status not in OFF_DATE]
        changes += [f"removed {game.game_id}" for game in gone]
    return tuple(changes), None


def _repeated(games: tuple[Game, ...]) -> list[str]:
    ids = [game.game_id for game in games]
    return sorted({game_id for game_id in ids if ids.count(game_id) > 1})


def _changes(before: Game | None, game: Game) -> list[str]:
    if before is None:
        return [f"added {game.game_id}" if game.status not in OFF_DATE else f"{game.status} {game.game_id}"]
    changes = []
    if game.status != before.status:
        where = f" to {game.moved_to}" if game.moved_to is not None else ""
        changes.append(f"{game.status} {game.game_id}{where}")
    if game.start_utc is not None and game.start_utc != before.start_utc:
        changes.append(f"retimed {game.game_id} to {game.start_utc.isoformat()}")
    return changes
