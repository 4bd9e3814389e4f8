"""The chain from the schedule to the grades, link by link: how much of one stage arrived at the next."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from projections.figures import GAMES_EXPECTED, Figure, figures
from statemachine.alerts import phase_done
from statemachine.calendar import midnight_ending
from statemachine.deadlines import due_instant
from statemachine.definition import Definition
from statemachine.state import DateState, has_no_games

LinkStatus = Literal["empty_ok", "ok", "not_due", "warning", "unknown", "error"]

LINK_GRADE: tuple[LinkStatus, ...] = ("empty_ok", "ok", "not_due", "warning", "unknown", "error")
"""From good to bad; the worst link decides about a date, the worst date about a range."""

WARN_BELOW = 0.95
ERROR_BELOW = 0.80
"""Coverage of a link (robustness 5.2); each lets its own value pass."""


class Stage(Struct, frozen=True, kw_only=True):
    """A link of the chain: `part` counts what arrived, `whole` what should have, in the same unit, the first of the
    names that is known. `share_pct` is a figure that says the share in per cent where a count is not known. `phase` is
    the one that does the work."""

    source: str
    target: str
    unit: str
    phase: str
    whole: tuple[str, ...]
    part: str
    share_pct: str | None = None


STAGES: tuple[Stage, ...] = (
    Stage(
        source="schedule",
        target="box_scores",
        unit="games",
        phase="raw",
        whole=(GAMES_EXPECTED,),
        part="games_with_box_score",
    ),
    Stage(
        source="box_scores",
        target="analytics",
        unit="games",
        phase="analytics",
        whole=("games_with_box_score",),
        part="games_in_analytics",
    ),
    Stage(
        source="analytics",
        target="features",
        unit="players",
        phase="precompute",
        whole=("players_expected",),
        part="players_with_clean_features",
    ),
    Stage(
        source="features",
        target="predictions",
        unit="players",
        phase="predictions",
        whole=("expected_predictions",),
        part="completed_predictions",
        share_pct="completion_pct",
    ),
    Stage(
        source="predictions",
        target="grades",
        unit="predictions",
        phase="grading",
        whole=("gradable", "predictions"),
        part="graded",
    ),
)
"""The chain, by the names that measures and messages use (interface: messages in). The players to predict are those
the coordinator asked for: it knows for whom there are lines."""


class Link(Struct, frozen=True, kw_only=True):
    """How much of `source` arrived at `target`. Counts are null where unknown; `coverage` is their ratio, null where
    one is unknown or nothing was to come; `missing_count` is never below 0, what is too much is `surplus_count`.
    `reason` says in words what the status rests on; `due_at` is null where the definition sets no instant."""

    source: str
    target: str
    unit: str
    phase: str
    source_count: float | None
    target_count: float | None
    missing_count: float | None
    surplus_count: float | None
    coverage: float | None
    status: LinkStatus
    reason: str
    due_at: datetime | None
    measured_at: datetime | None


def links(state: DateState, definition: Definition, *, now: datetime) -> tuple[Link, ...]:
    """The links of a date at `now`, as far as the gates of its pipeline look at what they count."""
    known = figures(state)
    looked_at = {name for gate in definition.gates for name in gate.measures}
    stages = [stage for stage in STAGES if looked_at & {stage.part, stage.share_pct}]
    return tuple([_link(stage, state, definition, known, now) for stage in stages])


def worst_link(statuses: Iterable[LinkStatus]) -> LinkStatus:
    """The worst of `statuses`; of none, nothing is known."""
    return max(statuses, key=LINK_GRADE.index, default="unknown")


def share(whole: float | None, part: float | None) -> float | None:
    """`part` of `whole`; null where one is unknown, or the whole is nothing."""
    return part / whole if whole and part is not None else None


def due_at(state: DateState, definition: Definition, phase: str) -> datetime | None:
    """The instant from which the work of `phase` is missing if it is not there: box scores from the first band on,
    features with the predictions that read them, the rest at the instants of the alerts. None where there is none."""
    rules = definition.alerts
    if phase == "raw":
        hours = min((band.hours for band in rules.box_score_bands), default=None)
        midnight = midnight_ending(state.game_date, definition.timezone)
        return None if hours is None else midnight + timedelta(hours=hours)
    due = {
        "analytics": rules.precompute_due,
        "precompute": rules.predictions_due,
        "predictions": rules.predictions_due,
        "publishing": rules.predictions_due,
        "grading": rules.grading_due,
    }.get(phase)
    return None if due is None else due_instant(state.game_date, definition, due)


def _link(stage: Stage, state: DateState, definition: Definition, known: dict[str, Figure], now: datetime) -> Link:
    whole = next((known[name] for name in stage.whole if name in known), None)
    part = known.get(stage.part)
    source, target = _value(whole), _value(part)
    due = due_at(state, definition, stage.phase)
    coverage = share(source, target)
    if stage.share_pct is not None and (source is None or target is None):
        said = _value(known.get(stage.share_pct))
        coverage = said / 100 if said is not None else None
    status, reason = _judged(stage, state, (source, target, coverage), is_due=due is not None and now >= due)
    errors = [figure.error for figure in (whole, part) if figure is not None and figure.error is not None]
    instants = [figure.at for figure in (whole, part) if figure is not None and figure.at is not None]
    difference = source - target if source is not None and target is not None else None
    return Link(
        source=stage.source,
        target=stage.target,
        unit=stage.unit,
        phase=stage.phase,
        source_count=source,
        target_count=target,
        missing_count=max(0.0, difference) if difference is not None else None,
        surplus_count=max(0.0, -difference) if difference is not None else None,
        coverage=coverage,
        status=status,
        reason="; ".join([reason, *errors]) if status == "unknown" else reason,
        due_at=due,
        measured_at=max(instants, default=None),
    )


Counts = tuple[float | None, float | None, float | None]
"""Source, target and coverage of a link."""


def _judged(stage: Stage, state: DateState, counts: Counts, *, is_due: bool) -> tuple[LinkStatus, str]:
    """The status, and what it rests on. That a phase was not done by its due instant is known, though no count is."""
    source, target, coverage = counts
    if has_no_games(state):
        return "empty_ok", "no games"
    if coverage is not None:
        return _of_coverage(stage, coverage, is_due=is_due)
    if source == 0 and target is not None:
        return ("ok", "nothing was to come") if target == 0 else ("warning", f"{target:g} where nothing was to come")
    names = ((" or ".join(stage.whole), source), (stage.part, target))
    unknown = f"{', '.join(name for name, value in names if value is None)} unknown"
    if not is_due:
        return "not_due", unknown
    done = phase_done(state, stage.phase)
    return ("unknown", unknown) if done or not state.scheduled else ("error", f"{stage.phase} is not done")


def _of_coverage(stage: Stage, coverage: float, *, is_due: bool) -> tuple[LinkStatus, str]:
    if coverage > 1:
        return "warning", f"more {stage.unit} than {stage.source} know"
    if coverage >= WARN_BELOW:
        return "ok", ""
    if not is_due:
        return "not_due", "not all is there yet"
    if coverage < ERROR_BELOW:
        return "error", f"below {ERROR_BELOW:.0%}"
    return "warning", f"below {WARN_BELOW:.0%}"


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value
