"""The contract of native messages: which fields each type has and what may stand in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from msgspec import Struct

from events.values import GameStatus
from events.wire.counts import COUNT_MAX
from events.wire.dates import calendar_date
from events.wire.instants import instant
from events.wire.names import ABSENT, PROCESSOR_CHARS_MAX
from events.wire.rejected import shown
from events.wire.words import phase_of, status_of

BOUNDARIES = (
    *("scrape_to_raw", "raw_to_analytics", "analytics_to_precompute"),
    *("precompute_to_predictions", "predictions_to_publishing", "grading"),
)
"""Phase boundaries; gates have the same names."""

_STATUSES = get_args(GameStatus)

MEASURE_MAX = 1e15
"""Beyond it a float no longer counts in ones."""


class Check(Struct, frozen=True):
    """What may stand in a field. `problems` says what is wrong with the value at a path, one text each; it is asked
    only where the value does not hold."""

    holds: Callable[[Any], bool]
    problems: Callable[[str, Any], list[str]]


class Fields(Struct, frozen=True):
    """The fields of an object by name. Null says the same as a missing key."""

    required: dict[str, Check]
    optional: dict[str, Check]


def problems(said: dict[str, Any], fields: Fields, path: str = "") -> list[str]:
    """Everything that is wrong with an object, in the order of the contract."""
    found: list[str] = []
    for name, check in fields.required.items():
        value = said.get(name)
        if value is None:
            found.append(f"`{path}{name}` is missing")
        elif not check.holds(value):
            found += check.problems(path + name, value)
    for name, check in fields.optional.items():
        value = said.get(name)
        if value is not None and not check.holds(value):
            found += check.problems(path + name, value)
    return found


def _rule(holds: Callable[[Any], bool], advice: str) -> Check:
    return Check(holds, lambda path, value: [f"`{path}` is {shown(value)}: {advice}"])


def _parts(problems: Callable[[str, Any], list[str]]) -> Check:
    return Check(lambda value: not problems("", value), problems)


def _is_text(value: Any) -> bool:
    return type(value) is str and value not in ABSENT and len(value) <= PROCESSOR_CHARS_MAX


def _is_instant(value: Any) -> bool:
    flags: list[str] = []
    return instant(value, flags) is not None and not flags


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= COUNT_MAX


def _is_number(value: Any) -> bool:
    return (type(value) is float or type(value) is int) and -MEASURE_MAX <= value <= MEASURE_MAX


def _are_texts(value: Any) -> bool:
    return type(value) is list and all(_is_text(item) for item in value)


_sport = _rule(_is_text, "give a sport, such as nba")
_day = _rule(lambda said: calendar_date(said) == said, "give the league's calendar date as YYYY-MM-DD")
_phase = _rule(lambda said: phase_of(said) is not None, "give a phase, such as analytics")
_status = _rule(lambda said: status_of(said) is not None, "give success, partial, no_data, failed or skipped")
_text = _rule(_is_text, f"give text of 1 to {PROCESSOR_CHARS_MAX} characters")
_long_text = _rule(lambda said: type(said) is str, "give text")
_flag = _rule(lambda said: type(said) is bool, "give true or false")
_count = _rule(_is_count, f"give a whole number from 0 to {COUNT_MAX}")
_number = _rule(_is_number, f"give a number between -{MEASURE_MAX:g} and {MEASURE_MAX:g}")
_seconds = _rule(lambda said: _is_number(said) and said >= 0, "give seconds, not below 0")
_texts = _rule(_are_texts, "give a list of texts")
_object = _rule(lambda said: type(said) is dict, "give an object")
_instant = _rule(_is_instant, "give an RFC 3339 instant with its zone, such as 2026-01-17T00:30:00Z")
_boundary = _rule(lambda said: said in BOUNDARIES, f"give one of {', '.join(BOUNDARIES)}")
_action = _rule(lambda said: said in ("RUN", "SKIP", "ABORT"), "give RUN, SKIP or ABORT")
_game_status = _rule(lambda said: said in _STATUSES, f"give one of {', '.join(_STATUSES)}")

_GAME = Fields(
    {"game_id": _text},
    {"away": _text, "home": _text, "start_utc": _instant, "status": _game_status, "moved_to": _day},
)
_MEASURE = Fields({}, {"value": _number, "error": _text})


def _games(path: str, value: Any) -> list[str]:
    if type(value) is not list:
        return [f"`{path}` is {shown(value)}: give a list of games (an empty one says: no games)"]
    found: list[str] = []
    seen: set[str] = set()
    for index, game in enumerate(value):
        here = f"{path}[{index}]"
        if type(game) is not dict:
            found.append(f"`{here}` is {shown(game)}: give an object")
            continue
        found += problems(game, _GAME, f"{here}.")
        game_id = game.get("game_id")
        if type(game_id) is str and game_id in seen:
            found.append(f"`{here}.game_id` is {shown(game_id)} again: name each game once")
        elif type(game_id) is str:
            seen.add(game_id)
    return found


def _measures(path: str, value: Any) -> list[str]:
    if type(value) is not dict or not value:
        return [f"`{path}` is {shown(value)}: give an object with a measure or more"]
    found: list[str] = []
    for name, measure in value.items():
        here = f"{path}.{name[:PROCESSOR_CHARS_MAX]}"
        if type(measure) is not dict or (measure.get("value") is None) is (measure.get("error") is None):
            found.append(f"`{here}` is {shown(measure)}: give {{value}}, or {{error}} where it could not be measured")
        else:
            found += problems(measure, _MEASURE, f"{here}.")
    return found


_DATED = {"sport": _sport, "game_date": _day}
_RUN = {**_DATED, "phase": _phase, "processor_name": _text, "execution_id": _text}

FIELDS: dict[str, Fields] = {
    "tipoff.schedule.published": Fields({**_DATED, "games": _parts(_games)}, {"as_of": _instant, "partial": _flag}),
    "tipoff.processor.started": Fields(_RUN, {"metadata": _object}),
    "tipoff.processor.completed": Fields(
        {**_RUN, "status": _status},
        {
            "record_count": _count,
            "records_failed": _count,
            "row_basis": _text,
            "games": _texts,
            "duration_seconds": _seconds,
            "error_message": _long_text,
            "metadata": _object,
        },
    ),
    "tipoff.heartbeat": Fields(
        _RUN, {"progress": _count, "total": _count, "message": _long_text, "status": _long_text}
    ),
    "tipoff.measures.observed": Fields({**_DATED, "boundary": _boundary, "measures": _parts(_measures)}, {}),
    "tipoff.workflow.decided": Fields({"sport": _sport, "workflow": _text, "action": _action}, {"reason": _long_text}),
}
"""The contract of each `ce-type`."""
