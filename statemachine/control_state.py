"""What the control stream of a sport remembers (`statemachine/control.py`): the fold of its events."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from events.catalogue import (
    AlertRaised,
    AlertResolved,
    CommandFailed,
    CommandPublished,
    CommandRequested,
    DeadlineElapsed,
    DefinitionAdopted,
    DefinitionPublished,
    Event,
    MessageRejected,
    OperatorActed,
    Ticked,
    WorkflowDecided,
)
from events.codec import derive_id
from events.reports import AlertReminded, DateNoted, HealNoted
from statemachine import reminders
from statemachine.heal_patterns import Try, family, remembered
from statemachine.silence import still_known
from statemachine.state import Alert, alert_key
from statemachine.suppression import EVERYTHING, Suppression

SILENT, OVER, MISSED = "silent:", "heals_over:", "ticks"
"""How the names of deadlines begin: of the controller's silence, and of what many repairs say together. `ticks` is the
one by which our own next tick should have come."""


class ControlState(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The folded state of a control stream. `decided_at` is the last decision of each workflow, `rejected` the number
    of rejections by code, `definitions` the versions whose text is stored here, `ticked_at` the last recorded tick,
    `listening_at` the one that ended the last gap between them; `suppressions` are the windows of silence by what they
    are about, `dates` those whose schedule is known and whether they expect games, None where none has told; `heals`
    the last repairs by component."""

    stream: str
    version: int = 0
    definition: str = ""
    recorded_at: datetime | None = None
    decided_at: dict[str, datetime] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    definitions: tuple[str, ...] = ()
    ticked_at: datetime | None = None
    listening_at: datetime | None = None
    dates: dict[str, bool] | None = None
    heals: dict[str, tuple[Try, ...]] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    elapsed: tuple[str, ...] = ()
    suppressions: dict[str, Suppression] = field(default_factory=dict)
    recent: tuple[str, ...] = ()


def initial(stream: str) -> ControlState:
    """The state before the first event."""
    return ControlState(stream=stream)


def changed(state: ControlState, event: Event) -> ControlState:
    """The state with what `event` changes by itself; of what every event changes, with what deadlines ask for."""
    data = event.data
    changes: dict[str, object] = {"recorded_at": event.recorded_at}
    if isinstance(data, WorkflowDecided):
        changes["decided_at"] = {**state.decided_at, data.workflow: event.recorded_at}
        changes["elapsed"] = ()
    elif isinstance(data, MessageRejected):
        changes["rejected"] = {**state.rejected, data.code: state.rejected.get(data.code, 0) + 1}
    elif isinstance(data, DefinitionPublished):
        changes["definitions"] = (*state.definitions, data.definition)
    elif isinstance(data, DefinitionAdopted):
        changes["definition"] = data.definition
    elif isinstance(data, Ticked):
        changes["ticked_at"] = event.recorded_at
    elif isinstance(data, DeadlineElapsed):
        changes |= _elapsed_changes(state, event, data)
    elif isinstance(data, DateNoted):
        changes["dates"] = still_known({**(state.dates or {}), data.game_date: data.expects}, event.recorded_at)
    elif isinstance(data, HealNoted):
        name = family(data.component)
        changes["heals"] = {**state.heals, name: remembered(state.heals.get(name, ()), data, event.occurred_at)}
    else:
        changes |= _alert_changes(state, event)
    return replace(state, **changes)


def _elapsed_changes(state: ControlState, event: Event, data: DeadlineElapsed) -> dict[str, object]:
    """Only the silence of the controller has deadlines that would come again for what they were acted on."""
    if data.name == MISSED:
        return {"listening_at": event.recorded_at}
    return {"elapsed": (*state.elapsed, data.name)} if data.name.startswith(SILENT) else {}


def _alert_changes(state: ControlState, event: Event) -> dict[str, object]:
    data = event.data
    if isinstance(data, AlertRaised):
        key = alert_key(data.cause, data.subject)
        before = state.alerts.get(key)
        rises = dict(before.rises) if before is not None and before.resolved_at is None else {}
        rises.setdefault(data.severity, event.recorded_at)
        alert = Alert(
            cause=data.cause,
            subject=data.subject,
            severity=data.severity,
            raised_at=min(rises.values()),
            detail=data.detail,
            rises=rises,
            numbers=data.numbers,
        )
        return {"alerts": {**state.alerts, key: alert}}
    if isinstance(data, AlertResolved):
        key = alert_key(data.cause, data.subject)
        return {"alerts": {**state.alerts, key: replace(state.alerts[key], resolved_at=event.recorded_at)}}
    if isinstance(data, AlertReminded):
        key = alert_key(data.cause, data.subject)
        return {"alerts": {**state.alerts, key: reminders.counted(state.alerts[key], data)}}
    if isinstance(data, OperatorActed) and data.command == "acknowledge":
        seen = {
            key: replace(alert, acknowledged_at=event.recorded_at, acknowledged_by=event.actor)
            for key, alert in state.alerts.items()
            if data.target in (key, alert.cause) and alert.acknowledged_at is None
        }
        return {"alerts": {**state.alerts, **seen}}
    if isinstance(data, OperatorActed) and data.command == "suppress" and data.until is not None:
        target = data.target or EVERYTHING
        window = Suppression(target=target, until=data.until, actor=event.actor, reason=data.reason)
        return {"suppressions": {**state.suppressions, target: window}}
    if isinstance(data, CommandPublished | CommandFailed):
        return _answered(state, event, data)
    if isinstance(data, CommandRequested) and data.attempt > 1:
        return _paged(state, data.command_id, attempt=data.attempt, undeliverable=None, delivered_at=None)
    return {}


def _answered(state: ControlState, event: Event, data: CommandPublished | CommandFailed) -> dict[str, object]:
    """A page or a reminder left the house, or never will."""
    at, id = event.recorded_at, data.command_id
    if isinstance(data, CommandFailed) and not data.permanent:
        return {}
    for key, alert in state.alerts.items():
        if alert.reminders and reminders.reminder_id(state.stream, key, alert) == id:
            told = reminders.told(alert, at)
            after = reminders.refused(alert, at, data.error) if isinstance(data, CommandFailed) else told
            return {"alerts": {**state.alerts, key: after}}
    if isinstance(data, CommandFailed):
        return _paged(state, id, undeliverable=data.error)
    return _paged(state, id, delivered_at=at, undeliverable=None)


def _paged(state: ControlState, command_id: str, **changes: object) -> dict[str, object]:
    """What changes about the alert whose page is `command_id`, if there is one."""
    found = {
        key: replace(alert, **changes)
        for key, alert in state.alerts.items()
        if page_id(state, key, alert) == command_id
    }
    return {"alerts": {**state.alerts, **found}} if found else {}


def page_id(state: ControlState, key: str, alert: Alert) -> str:
    """The id of the command that pages for the episode at its severity."""
    return derive_id("alert", state.stream, key, alert.severity, str(alert.raised_at))
