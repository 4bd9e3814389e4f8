"""Incidents: what went wrong with one phase of one date, from its first alert until the last of them was resolved.

Alerts of several causes tell of one failure (box scores are missing, so a gate blocks, so a phase stalls). For how fast
it was seen and mended they count as one: episodes about the same phase whose lives overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from events.catalogue import (
    AlertRaised,
    AlertResolved,
    CompletionRecorded,
    DeadlineElapsed,
    Event,
    OperatorActed,
    PhaseMoved,
    PulseChanged,
    SchedulePublished,
    Ticked,
)
from events.values import Severity
from statemachine.alerts import RANK
from statemachine.calendar import midnight_ending
from statemachine.definition import Definition
from statemachine.state import DateState, alert_key, expected_games

NO_PHASE = "-"
"""Stands where an alert is about no phase."""

FALSE_WORD = "false"
"""An acknowledgement whose reason begins with this word says that the alarm was a false one."""

PAGES: Severity = "warning"
"""The severity from which on an alert goes to a channel (interface: alert causes)."""


class Incident(Struct, frozen=True, kw_only=True):
    """A failure. `began_at` is when it began as far as the events tell, null where they do not; `alerted_at` its first
    alert of warning or above; `resolved_at` is null while one of its alerts is open. `false_alarm`: there was no
    failure; `by_hand`: a person had acted on the date, or run the phase, before it was over."""

    phase: str
    causes: tuple[str, ...]
    severity: Severity
    began_at: datetime | None
    alerted_at: datetime
    resolved_at: datetime | None
    false_alarm: bool
    by_hand: bool


class Life(Struct, frozen=True, kw_only=True):
    """One stretch of an episode between its first page and its resolution. `run` is the run that a pulse alert is
    about; `key` that of the episode."""

    key: str
    cause: str
    phase: str
    severity: Severity
    began_at: datetime | None
    alerted_at: datetime
    resolved_at: datetime | None = None
    false_alarm: bool = False
    run: str | None = None


def incidents(events: Sequence[Event], definition: Definition, state: DateState | None = None) -> tuple[Incident, ...]:
    """The incidents in `events`, all those of a date (with its folded `state`) or of a control stream, by when they
    were alerted."""
    lives = _lives(events, definition, state)
    touched = [event for event in events if is_by_hand(event)]
    found: list[list[Life]] = []
    for life in sorted(lives, key=lambda life: life.alerted_at):
        group = next((group for group in found if group[0].phase == life.phase and _overlap(group, life)), None)
        if group is None:
            found.append([life])
        else:
            group.append(life)
    return tuple([_incident(group, touched) for group in found])


def is_by_hand(event: Event) -> bool:
    """True where a person acted: an operator did more than acknowledge, or somebody started the run by hand."""
    data = event.data
    if isinstance(data, OperatorActed):
        return data.command != "acknowledge"
    return isinstance(data, CompletionRecorded) and data.extra.get("trigger_source") == "manual"


def _overlap(group: Sequence[Life], life: Life) -> bool:
    return any(other.resolved_at is None or other.resolved_at >= life.alerted_at for other in group)


def _incident(group: Sequence[Life], touched: Iterable[Event]) -> Incident:
    ends = [life.resolved_at for life in group if life.resolved_at is not None]
    resolved_at = max(ends) if len(ends) == len(group) else None
    alerted_at = min(life.alerted_at for life in group)
    began = [life.began_at for life in group if life.began_at is not None and life.began_at <= alerted_at]
    return Incident(
        phase=group[0].phase,
        causes=tuple(dict.fromkeys(life.cause for life in group)),
        severity=max((life.severity for life in group), key=RANK.__getitem__),
        began_at=min(began, default=None),
        alerted_at=alerted_at,
        resolved_at=resolved_at,
        false_alarm=all(life.false_alarm for life in group),
        by_hand=any(
            alerted_at <= event.recorded_at
            and (resolved_at is None or event.recorded_at <= resolved_at)
            and _is_about(event, group[0].phase)
            for event in touched
        ),
    )


def _is_about(event: Event, phase: str) -> bool:
    """An operator acts on a date as a whole; a run that somebody started is about its phase."""
    return not isinstance(event.data, CompletionRecorded) or event.data.phase == phase


# --- the lives of episodes ----------------------------------------------------------------------------------------


def _lives(events: Sequence[Event], definition: Definition, state: DateState | None) -> list[Life]:
    telling = _Telling(definition, state)
    for event in events:
        telling.take(event)
    return [*telling.over, *telling.open.values()]


class _Telling:
    """Reads events in order; `open` are the lives that are not resolved, by key, `over` the others."""

    def __init__(self, definition: Definition, state: DateState | None) -> None:
        self.open: dict[str, Life] = {}
        self.over: list[Life] = []
        self._definition = definition
        self._state = state
        self._said: Event | None = None
        self._deadline: DeadlineElapsed | None = None
        self._at_gate: dict[str, datetime] = {}

    def take(self, event: Event) -> None:
        """Take the next event."""
        data = event.data
        if event.causation is None:
            self._said, self._deadline = event, None
        if isinstance(data, DeadlineElapsed):
            self._deadline = data
        elif isinstance(data, PhaseMoved):
            self._moved(event, data)
        elif isinstance(data, AlertRaised):
            self._raised(event, data)
        elif isinstance(data, AlertResolved):
            self._resolved(event, alert_key(data.cause, data.subject))
        elif isinstance(data, OperatorActed) and data.command == "acknowledge":
            self._acknowledged(data)

    def _moved(self, event: Event, data: PhaseMoved) -> None:
        cycle = self._definition.cycle_of.get(data.cycle)
        gate = cycle.step_of[data.phase].gate if cycle is not None and data.phase in cycle.step_of else None
        if gate is not None and data.dest == f"{data.phase}_gate" and data.trigger != "recheck":
            self._at_gate[gate] = event.recorded_at

    def _raised(self, event: Event, data: AlertRaised) -> None:
        if RANK[data.severity] < RANK[PAGES]:
            return
        key = alert_key(data.cause, data.subject)
        known = self.open.get(key)
        if known is not None:
            self.open[key] = replace(known, severity=data.severity)
            return
        said = self._said.data if self._said is not None else None
        self.open[key] = Life(
            key=key,
            cause=data.cause,
            phase=phase_of(data.cause, data.subject, self._definition),
            severity=data.severity,
            began_at=self._began(data, event),
            alerted_at=event.recorded_at,
            run=said.run if isinstance(said, PulseChanged) else None,
        )

    def _resolved(self, event: Event, key: str) -> None:
        life = self.open.pop(key, None)
        if life is not None:
            false_alarm = life.false_alarm or self._was_nothing(life)
            self.over.append(replace(life, resolved_at=event.recorded_at, false_alarm=false_alarm))

    def _acknowledged(self, data: OperatorActed) -> None:
        if not data.reason.lower().startswith(FALSE_WORD):
            return
        for key, life in self.open.items():
            if data.target in (key, life.cause):
                self.open[key] = replace(life, false_alarm=True)

    def _was_nothing(self, life: Life) -> bool:
        """True where the alert ended because what it missed was not to come after all, or the run it thought dead
        spoke again."""
        said = self._said.data if self._said is not None else None
        if isinstance(said, PulseChanged):
            return said.condition == "back"
        alive = isinstance(said, CompletionRecorded) and life.run is not None and said.run == life.run
        return alive or isinstance(said, SchedulePublished)

    def _began(self, data: AlertRaised, event: Event) -> datetime | None:
        find = BEGAN.get(data.cause)
        if find is not None:
            return find(self, data)
        said = self._said
        return None if said is None or isinstance(said.data, Ticked) else min(said.occurred_at, event.recorded_at)

    # when each cause began

    def _games_over(self, _data: AlertRaised) -> datetime | None:
        state = self._state
        if state is None:
            return None
        tips = [game.start_utc for game in expected_games(state) if game.start_utc is not None]
        if not tips:
            return midnight_ending(state.game_date, self._definition.timezone)
        return max(tips) + timedelta(minutes=self._definition.game_minutes)

    def _ready(self, data: AlertRaised) -> datetime | None:
        return self._at_gate.get(data.subject)

    def _due(self, _data: AlertRaised) -> datetime | None:
        return None if self._deadline is None else self._deadline.due_at

    def _handed_off(self, _data: AlertRaised) -> datetime | None:
        return self._before_due(self._definition.alerts.hand_off_minutes)

    def _progress(self, data: AlertRaised) -> datetime | None:
        phase = self._definition.phase_of.get(data.subject)
        return None if phase is None else self._before_due(phase.stall_minutes)

    def _decided(self, data: AlertRaised) -> datetime | None:
        rules = self._definition.alerts
        critical = data.severity == "critical"
        return self._before_due(rules.silent_critical_minutes if critical else rules.silent_warning_minutes)

    def _beat(self, _data: AlertRaised) -> datetime | None:
        said = self._said.data if self._said is not None else None
        return said.last_beat_at if isinstance(said, PulseChanged) else None

    def _still(self, _data: AlertRaised) -> datetime | None:
        said = self._said.data if self._said is not None else None
        return said.still_since if isinstance(said, PulseChanged) else None

    def _before_due(self, minutes: int) -> datetime | None:
        return None if self._deadline is None else self._deadline.due_at - timedelta(minutes=minutes)


BEGAN: dict[str, Callable[[Any, AlertRaised], datetime | None]] = {
    "box_scores_incomplete": _Telling._games_over,
    "gate_blocked": _Telling._ready,
    "gate_warned": _Telling._ready,
    "gate_error": _Telling._ready,
    "precompute_incomplete": _Telling._due,
    "predictions_late": _Telling._due,
    "grading_late": _Telling._due,
    "handoff_missed": _Telling._handed_off,
    "phase_stalled": _Telling._progress,
    "processor_stale": _Telling._beat,
    "processor_dead": _Telling._beat,
    "processor_hung": _Telling._still,
    "workflow_silent": _Telling._decided,
}
"""By cause, when it began; of any other, when the message behind it was said."""


def phase_of(cause: str, subject: str, definition: Definition) -> str:
    """The phase that an alert is about: that of its gate, its processor, its component, or of the cause itself."""
    if cause in _PHASE:
        return _PHASE[cause]
    steps = [step for cycle in definition.cycles for step in cycle.steps]
    by_gate = {step.gate: step.phase for step in steps if step.gate is not None}
    by_heal = {h.name: h.phase or by_gate.get(h.gate or "") for h in definition.heals}
    known = definition.processor_of.get(subject)
    if subject in definition.phase_of:
        return subject
    if known is not None:
        return known.phase
    return by_gate.get(subject) or by_heal.get(subject.partition("/")[0]) or NO_PHASE


_PHASE = {
    "box_scores_incomplete": "raw",
    "precompute_incomplete": "precompute",
    "predictions_late": "predictions",
    "grading_late": "grading",
}
