"""Heartbeats: one current row per processor and run, judged at `now`: a run ages even where ticks have stopped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from statemachine.definition import AlertRules, Definition
from statemachine.pulse import Beat, PulseState

Life = Literal["running", "stale", "dead", "ended"]


class Heartbeat(Struct, frozen=True, kw_only=True):
    """The last beat of a run. `age_seconds` counts from when it was received, for a sender's clock may be skewed;
    `progress` and `total` are as the sender counts, null where it does not."""

    sport: str
    game_date: str
    processor: str
    run: str | None
    condition: Life
    beat_at: datetime
    age_seconds: float
    progress: int | None
    total: int | None


_ORDER: tuple[Life, ...] = ("dead", "stale", "running", "ended")


def heartbeats(pulses: Iterable[tuple[PulseState, Definition]], *, now: datetime) -> list[Heartbeat]:
    """Every remembered run: the dead first, then the stale, the running, the ended; within these the oldest first."""
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
        condition="ended" if beat.condition == "ended" else condition_at(age, rules),
        beat_at=beat.beat_at,
        age_seconds=age,
        progress=beat.progress,
        total=beat.total,
    )


def condition_at(age_seconds: float, rules: AlertRules) -> Life:
    """What a run is whose last beat is that old; at a threshold itself the worse holds (orchestration 12)."""
    if age_seconds >= rules.beat_dead_seconds:
        return "dead"
    return "stale" if age_seconds >= rules.beat_stale_seconds else "running"
