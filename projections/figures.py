"""The figures of a date as last known, by name, wherever they came from: probes, or numbers completions carried."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from events.values import Measure
from statemachine.gates import MESSAGE_MEASURES
from statemachine.state import DateState, Work, expected_count

GAMES_EXPECTED = "games_expected"


class Figure(Struct, frozen=True, kw_only=True):
    """A number as it became known at `at`. `value` is null where it did not apply, or where `error` stood in its way;
    `at` is null for what the schedule of the moment says."""

    value: float | None
    error: str | None
    at: datetime | None


def figures(state: DateState) -> dict[str, Figure]:
    """Every figure by name, the latest of each; the games that are expected are those of the schedule in force."""
    found: dict[str, Figure] = {}
    for key in state.work:
        _take_carried(found, state.work[key])
    for seen in state.measures.values():
        for name, measure in seen.measures.items():
            _take(found, name, measure, seen.observed_at.get(name, seen.at))
    expected = expected_count(state)
    found.pop(GAMES_EXPECTED, None)
    if expected is not None:
        found[GAMES_EXPECTED] = Figure(value=float(expected), error=None, at=None)
    return found


def _take_carried(found: dict[str, Figure], work: Work) -> None:
    if work.done_at is None:
        return
    numbers = dict(work.numbers)
    for name, sources in MESSAGE_MEASURES.items():
        value = next((work.numbers[source] for source in sources if source in work.numbers), None)
        if value is not None:
            numbers[name] = value
    for name, value in numbers.items():
        _take(found, name, Measure(value=value), work.done_at)


def _take(found: dict[str, Figure], name: str, measure: Measure, at: datetime) -> None:
    known = found.get(name)
    if known is None or known.at is None or known.at <= at:
        found[name] = Figure(value=measure.value, error=measure.error, at=at)
