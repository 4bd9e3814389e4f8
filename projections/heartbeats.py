"""Heartbeats: one current row per processor and run, judged at `now`: a run ages even where ticks have stopped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from statemachine.definition import AlertRules, Definition
from statemachine.pulse import Beat, PulseState

Life = Literal["running", "hung", "stale", "dead", "ended"]


class Heartbeat(Struct, frozen=True, kw_only=True):
    """The last beat of a run. `age_seconds` counts from when it was received, for a sender's clock may be skewed;
    `progress` and `total` are as the sender counts, null where it does not; `moved_at` is when its progress last moved.
    A run that is `hung` beats, and its progress has stood still for longer than it may."""

    sport: str
    game_date: str
    processor: str
    run: str | None
    condition: Life
    beat_at: datetime
    age_seconds: float
    progress: int | None
    total: int | None
    moved_at: datetime | None


_ORDER: tuple[Life, ...] = ("dead", "stale", "hung", "running", "ended")


def heartbeats(pulses: Iterable[tuple[PulseState, Definition]], *, now: datetime) -> list[Heartbeat]:
    """Every remembered run: the dead first, then the stale, those that hang, the running, the ended; within these the
    oldest first."""
    rows = [
        _row(state.stream, beat, definition.alerts, now) for state, definition in pulses for beat in state.runs.values()
    ]
    return sorted(rows, key=lambda row: (_ORDER.index(row.condition), row.beat_at, row.processor, row.run or ""))


def _row(stream: str, beat: Beat, rules: AlertRules, now: datetime) -> Heartbeat:
    sport, game_date = stream.split("/")[:2]
    age = (now - beat.beat_at).total_seconds()
    return Heartbeat(
        sport=sport,
        game_date=game_date,
        processor=beat.processor or beat.published_name,
        run=beat.run,
        condition=_condition(beat, age, rules, now),
        beat_at=beat.beat_at,
        age_seconds=age,
        progress=beat.progress,
        total=beat.total,
        moved_at=beat.moved_at if beat.progress is not None else None,
    )


def _condition(beat: Beat, age_seconds: float, rules: AlertRules, now: datetime) -> Life:
    if beat.condition == "ended":
        return "ended"
    silence = condition_at(age_seconds, rules)
    limit, moved_at = rules.beat_hung_seconds, beat.moved_at
    if silence != "running" or limit is None or beat.progress is None or moved_at is None:
        return silence
    return "hung" if (now - moved_at).total_seconds() >= limit else "running"


def condition_at(age_seconds: float, rules: AlertRules) -> Life:
    """What a run is whose last beat is that old; at a threshold itself the worse holds (orchestration 12)."""
    if age_seconds >= rules.beat_dead_seconds:
        return "dead"
    return "stale" if age_seconds >= rules.beat_stale_seconds else "running"
