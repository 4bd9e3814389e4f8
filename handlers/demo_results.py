"""What the week's store says, date by date: read from its events and folded states, nothing computed beside them.

`lines` gives each fact that the example states in `expected.csv` as the store has it, so that the two can be compared;
`earlier` sets Tipoff's alerts beside the instants at which people found the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from events.catalogue import (
    AlertRaised,
    Data,
    DeadlineElapsed,
    Event,
    GateEvaluated,
    HealRequested,
    PhaseMoved,
)
from events.store import Head, Store
from events.values import Check, Severity, Verdict
from handlers.demo_facts import SPORT, Expected, Week
from handlers.demo_messages import stamp
from handlers.heads import state_in
from projections.service_levels import Promise, ServiceLevels, service_levels
from statemachine.definition import Definition
from statemachine.state import DateState, expected_games, work_of
from statemachine.streams import date_stream

RAW, PRECOMPUTE = ("raw_to_analytics", "overnight"), ("precompute_to_predictions", "tomorrow")
"""Gate and cycle of the two boundaries that failed in that week."""

NOTHING, NEVER = "nothing", "never"


class Day(Struct, frozen=True, kw_only=True):
    """A date of the week as the store has it."""

    game_date: str
    events: tuple[Event, ...]
    state: DateState
    head: Head


class Raised(Struct, frozen=True, kw_only=True):
    """An alert at one severity, and when it was raised first."""

    cause: str
    subject: str
    severity: Severity
    at: datetime
    detail: str


class Repair(Struct, frozen=True, kw_only=True):
    """A component's heal requests: the first instant, how many, and what for."""

    component: str
    first_at: datetime
    attempts: int
    targets: tuple[str, ...]


class Earlier(Struct, frozen=True, kw_only=True):
    """A finding: when a gate held or warned because of it (None: at no gate), when an alert said so, when people found
    it or made up for it. The alert's instant follows from the calendar, whatever we had to reconstruct."""

    game_date: str
    what: str
    gate_at: datetime | None
    alert_at: datetime
    people_at: datetime

    @property
    def by(self) -> timedelta:
        """How much sooner the alert is."""
        return self.people_at - self.alert_at


class Agreement(Struct, frozen=True, kw_only=True):
    """A line of `expected.csv` beside what the store says."""

    expected: Expected
    said: str

    @property
    def holds(self) -> bool:
        """True where both say the same."""
        return self.said == self.expected.expected


def days_of(store: Store, week: Week) -> list[Day]:
    """The week's dates, in order. Raises LookupError for one that the store does not have."""
    found = []
    for game_date in week.dates:
        stream = date_stream(SPORT, game_date)
        head = store.head(stream)
        if head is None:
            raise LookupError(stream)
        events = tuple(stored.event() for stored in store.read(stream))
        found.append(Day(game_date=game_date, events=events, state=state_in(stream, head), head=head))
    return found


def levels_of(days: Sequence[Day], definition: Definition, now: datetime) -> ServiceLevels:
    """The service levels of the week."""
    return service_levels([(day.events, day.state, definition) for day in days], now=now)


D = TypeVar("D", bound=Data)


def all_of(day: Day, kind: type[D]) -> Iterator[tuple[datetime, D]]:
    """Every event of a kind with its instant, in order."""
    for event in day.events:
        if isinstance(event.data, kind):
            yield event.recorded_at, event.data


# --- gates --------------------------------------------------------------------------------------------------------


def evaluation(day: Day, gate: str, cycle: str) -> tuple[datetime, GateEvaluated] | None:
    """The first evaluation of a gate in a cycle."""
    return next(((at, e) for at, e in all_of(day, GateEvaluated) if (e.gate, e.cycle) == (gate, cycle)), None)


def check(day: Day, place: tuple[str, str], name: str) -> Check | None:
    """A check of the first evaluation at `place`."""
    found = evaluation(day, *place)
    return next((c for c in found[1].checks if c.check == name), None) if found is not None else None


def completions_at_gate(day: Day, definition: Definition) -> tuple[int, int]:
    """How many precompute processors had completed when the evening cycle reached its gate, and how many it expects."""
    expected = definition.cycle_of["tomorrow"].step_of["precompute"].expected
    moves = (m for _at, m in all_of(day, PhaseMoved) if (m.cycle, m.dest) == ("tomorrow", "precompute_gate"))
    move = next(moves, None)
    missing = expected if move is None else move.missing
    return len([name for name in expected if name not in missing]), len(expected)


# --- alerts and heals ---------------------------------------------------------------------------------------------


def raised(day: Day) -> list[Raised]:
    """Every alert at each severity it reached, in the order in which it was first raised."""
    found: dict[tuple[str, str, Severity], Raised] = {}
    for at, alert in all_of(day, AlertRaised):
        key = alert.cause, alert.subject, alert.severity
        said = Raised(cause=alert.cause, subject=alert.subject, severity=alert.severity, at=at, detail=alert.detail)
        found.setdefault(key, said)
    return list(found.values())


def raised_at(day: Day, cause: str, severity: Severity | None = None) -> datetime | None:
    """When an alert was first raised (at `severity`)."""
    return next((r.at for r in raised(day) if r.cause == cause and severity in (None, r.severity)), None)


def repairs(day: Day) -> list[Repair]:
    """What was asked to be repaired, in the order in which it was first asked."""
    found: dict[str, list[tuple[datetime, HealRequested]]] = {}
    for at, heal in all_of(day, HealRequested):
        found.setdefault(heal.component, []).append((at, heal))
    return [
        Repair(component=name, first_at=asked[0][0], attempts=len(asked), targets=asked[0][1].targets)
        for name, asked in found.items()
    ]


# --- grading ------------------------------------------------------------------------------------------------------


def graded(day: Day) -> tuple[datetime, float, float] | None:
    """When the date was graded, how much of how much; None where it was not."""
    for work in work_of(day.state, "overnight", "grading").values():
        if work.first_done_at is not None:
            return work.first_done_at, work.numbers["graded_count"], work.numbers["predictions_found"]
    return None


def promise(levels: ServiceLevels, game_date: str, level: str) -> Promise:
    """A service level on a date. Raises StopIteration for one that the definition does not have."""
    return next(p for p in levels.promises if (p.game_date, p.level) == (game_date, level))


# --- beside what people did ---------------------------------------------------------------------------------------


def earlier(days: Sequence[Day], week: Week) -> list[Earlier]:
    """Every finding that people came to know of later than Tipoff, in the order of its dates."""
    found = [item for day in days for item in _findings(day, week)]
    return [item for item in found if item.by > timedelta()]


def _findings(day: Day, week: Week) -> Iterator[Earlier]:
    whole_week = by_hand(week, "found", "")
    games = week.games_of(day.game_date)
    missing = sum(game.box_score == "missing" for game in games)
    for what, place, cause, people_at in (
        (f"{missing} of {len(games)} box scores missing", RAW, "box_scores_incomplete", whole_week),
        ("critical precompute table empty", PRECOMPUTE, "precompute_incomplete", whole_week),
        ("not graded", None, "grading_late", by_hand(week, "graded", day.game_date) or whole_week),
        ("retry storm before the games", None, "run_storm", by_hand(week, "storm found", day.game_date)),
    ):
        alert_at = raised_at(day, cause)
        if alert_at is None or people_at is None:
            continue
        at_gate = evaluation(day, *place) if place is not None else None
        yield Earlier(
            game_date=day.game_date,
            what=what,
            gate_at=at_gate[0] if at_gate is not None else None,
            alert_at=alert_at,
            people_at=people_at,
        )


def by_hand(week: Week, what: str, game_date: str) -> datetime | None:
    """When people did something about a date (empty: the whole week)."""
    return next((b.at for b in week.by_hand if (b.what, b.game_date) == (what, game_date)), None)


# --- beside what the example expects ------------------------------------------------------------------------------


def agreement(days: Sequence[Day], week: Week, levels: ServiceLevels, definition: Definition) -> list[Agreement]:
    """Every line of `expected.csv` beside what the store says."""
    by_date = {day.game_date: day for day in days}
    return [
        Agreement(expected=line, said=LINES[line.line](by_date[line.game_date], levels, definition))
        for line in week.expected
    ]


def _coverage(day: Day, _levels: ServiceLevels, _definition: Definition) -> str:
    found = check(day, RAW, "box_score_coverage")
    return NOTHING if found is None or found.measured is None else f"{found.measured:.3f}"


def _raw_gate(day: Day, _levels: ServiceLevels, _definition: Definition) -> str:
    found = evaluation(day, *RAW)
    return NOTHING if found is None else _passes(found[1].outcome)


def _raw_warns(day: Day, _levels: ServiceLevels, _definition: Definition) -> str:
    found = check(day, RAW, "box_score_coverage")
    return "yes" if found is not None and found.verdict in ("warn", "block") else "no"


def _band(severity: Severity) -> Callable[[Day, ServiceLevels, Definition], str]:
    def line(day: Day, _levels: ServiceLevels, _definition: Definition) -> str:
        return _instant(raised_at(day, "box_scores_incomplete", severity))

    return line


def _last_tip(day: Day, _levels: ServiceLevels, _definition: Definition) -> str:
    return _instant(expected_games(day.state)[-1].start_utc)


def _tables(day: Day, _levels: ServiceLevels, definition: Definition) -> str:
    found = check(day, PRECOMPUTE, "breaker")
    _completed, total = completions_at_gate(day, definition)
    return NOTHING if found is None or found.measured is None else f"{found.measured:.0f}/{total}"


def _completions(day: Day, _levels: ServiceLevels, definition: Definition) -> str:
    completed, total = completions_at_gate(day, definition)
    return f"{completed}/{total}"


def _precompute_gate(day: Day, _levels: ServiceLevels, _definition: Definition) -> str:
    found = check(day, PRECOMPUTE, "breaker")
    return NOTHING if found is None else _passes(found.verdict)


def _grading_due(day: Day, _levels: ServiceLevels, _definition: Definition) -> str:
    return _instant(next((e.due_at for _at, e in all_of(day, DeadlineElapsed) if e.name == "grading_due"), None))


def _graded(day: Day, _levels: ServiceLevels, _definition: Definition) -> str:
    found = graded(day)
    return NOTHING if found is None else f"{100 * found[1] / found[2]:.1f} %"


def _graded_at(day: Day, _levels: ServiceLevels, _definition: Definition) -> str:
    found = graded(day)
    return _instant(None if found is None else found[0])


def _grading_level(day: Day, levels: ServiceLevels, _definition: Definition) -> str:
    return promise(levels, day.game_date, "grading").outcome


def _passes(verdict: Verdict) -> str:
    return "block" if verdict in ("block", "error") else "pass"


def _instant(at: datetime | None) -> str:
    return NEVER if at is None else stamp(at)


LINES: dict[str, Callable[[Day, ServiceLevels, Definition], str]] = {
    "coverage": _coverage,
    "raw_gate": _raw_gate,
    "raw_warns": _raw_warns,
    "info_at": _band("info"),
    "warning_at": _band("warning"),
    "critical_at": _band("critical"),
    "last_tip": _last_tip,
    "tables": _tables,
    "completions": _completions,
    "precompute": _precompute_gate,
    "grading_due": _grading_due,
    "graded": _graded,
    "graded_at": _graded_at,
    "grading": _grading_level,
}
"""How each line of `expected.csv` is read from the store."""
