"""The control stream of a sport: what concerns no single date. Rejected messages, the controller's decisions, the
definitions in force, and our own ticks, whose absence is itself a finding (design 6, incident I2).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from events.catalogue import (
    AlertRaised,
    AlertResolved,
    CommandFailed,
    CommandPublished,
    CommandRequested,
    ComponentObserved,
    DeadlineElapsed,
    DefinitionAdopted,
    DefinitionPublished,
    Event,
    Fact,
    Input,
    MessageRejected,
    OperatorActed,
    Ticked,
    WorkflowDecided,
)
from events.codec import derive_id
from events.values import Severity
from statemachine.alerts import RANK
from statemachine.calendar import league_date
from statemachine.definition import Definition
from statemachine.operators import CommandNotAllowed
from statemachine.state import RECENT_INPUTS_MAX, Alert, alert_key
from statemachine.suppression import EVERYTHING, Suppression
from statemachine.turn import Working


class ControlState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The folded state of a control stream. `decided_at` is the last decision of each workflow, `rejected` the number
    of rejections by code, `definitions` the versions whose text is stored here, `ticked_at` the last recorded tick,
    `suppressions` the windows of silence by what they are about."""

    stream: str
    version: int = 0
    definition: str = ""
    recorded_at: datetime | None = None
    decided_at: dict[str, datetime] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    definitions: tuple[str, ...] = ()
    ticked_at: datetime | None = None
    alerts: dict[str, Alert] = field(default_factory=dict)
    elapsed: tuple[str, ...] = ()
    suppressions: dict[str, Suppression] = field(default_factory=dict)
    recent: tuple[str, ...] = ()


def initial(stream: str) -> ControlState:
    """The state before the first event."""
    return ControlState(stream=stream)


def evolve(state: ControlState, event: Event) -> ControlState:
    """The state after `event`."""
    data = event.data
    changes: dict[str, object] = {"version": event.version, "recorded_at": event.recorded_at}
    if event.causation is None:
        changes["recent"] = (*state.recent[1 - RECENT_INPUTS_MAX :], event.id)
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
        changes["elapsed"] = (*state.elapsed, data.name)
    else:
        changes |= _alert_changes(state, event)
    return replace(state, **changes)


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
    if isinstance(data, CommandPublished):
        return _paged(state, data.command_id, delivered_at=event.recorded_at, undeliverable=None)
    if isinstance(data, CommandFailed) and data.permanent:
        return _paged(state, data.command_id, undeliverable=data.error)
    if isinstance(data, CommandRequested) and data.attempt > 1:
        return _paged(state, data.command_id, attempt=data.attempt, undeliverable=None, delivered_at=None)
    return {}


def _paged(state: ControlState, command_id: str, **changes: object) -> dict[str, object]:
    """What changes about the alert whose page is `command_id`, if there is one."""
    found = {
        key: replace(alert, **changes)
        for key, alert in state.alerts.items()
        if _page_id(state, key, alert) == command_id
    }
    return {"alerts": {**state.alerts, **found}} if found else {}


def _page_id(state: ControlState, key: str, alert: Alert) -> str:
    return derive_id("alert", state.stream, key, alert.severity, alert.raised_at)


def decide(state: ControlState, fact: Fact, now: datetime, definition: Definition) -> list[Event]:
    """The events that `fact` causes."""
    return decide_and_fold(state, fact, now, definition)[0]


def decide_and_fold(
    state: ControlState, fact: Fact, now: datetime, definition: Definition
) -> tuple[list[Event], ControlState]:
    """What `decide` gives, and the state after it."""
    if fact.id in state.recent or _known_already(state, fact.data):
        return [], state
    working = Working(state, fact, now, definition, fold=evolve)
    data = fact.data
    if isinstance(data, Ticked):
        _tick(working, data)
        return working.events, working.state
    if isinstance(data, OperatorActed):
        _act(working, data)
        return working.events, working.state
    working.emit(data)
    if isinstance(data, WorkflowDecided):
        for subject in (data.workflow, "-"):
            _resolve(working, "workflow_silent", subject, f"{data.workflow} decided {data.action}")
    elif isinstance(data, MessageRejected):
        _rejected(working, data)
    elif isinstance(data, ComponentObserved) and data.available:
        _resolve(working, _unavailable(data), data.name, data.detail)
    elif isinstance(data, ComponentObserved):
        _raise(working, _unavailable(data), "critical", data.name, data.detail)
    return working.events, working.state


def _known_already(state: ControlState, data: Input) -> bool:
    if isinstance(data, DefinitionPublished):
        return data.definition in state.definitions
    if isinstance(data, ComponentObserved):
        return _is_open(state, _unavailable(data), data.name) != data.available
    return False


def _act(working: Working[ControlState], data: OperatorActed) -> None:
    """What a person may ask of a sport: that an alert is acknowledged or told again, or that none is told for a while.
    Raises CommandNotAllowed."""
    stream, alerts = working.state.stream, working.state.alerts
    named = {key: alert for key, alert in alerts.items() if data.target in (key, alert.cause)}
    if data.command == "suppress":
        _suppress(working, data)
        return
    if data.command not in ("acknowledge", "resend"):
        raise CommandNotAllowed(
            command=data.command, reason=f"{stream} is no game date", next_step="Name a date: `day act`."
        )
    if data.command == "acknowledge":
        ready = [key for key, alert in named.items() if alert.acknowledged_at is None]
    else:
        ready = [key for key, alert in named.items() if alert.delivered_at or alert.undeliverable]
    if not ready:
        state = "on its way, or none" if data.command == "resend" else "acknowledged, or none"
        reason = f"{data.target!r} is {state} of {stream}"
        raise CommandNotAllowed(command=data.command, reason=reason, next_step="`alerts --all` lists them.")
    working.emit(data)
    if data.command == "resend":
        for key in ready:
            page(working, key, attempt=working.state.alerts[key].attempt + 1)


def _suppress(working: Working[ControlState], data: OperatorActed) -> None:
    known = working.state.suppressions.get(data.target or EVERYTHING)
    holds = known is not None and working.now < known.until
    if data.until is None or (data.until <= working.now and not holds):
        reason = "a suppression needs an end, and it has to lie ahead"
        raise CommandNotAllowed(command="suppress", reason=reason, next_step="Say until when.")
    working.emit(data)


def _unavailable(data: ComponentObserved) -> str:
    """The cause of the alert: `channel_unavailable` or `store_unavailable`."""
    return f"{data.kind}_unavailable"


def _is_open(state: ControlState, cause: str, subject: str) -> bool:
    known = state.alerts.get(alert_key(cause, subject))
    return known is not None and known.resolved_at is None


def _rejected(working: Working[ControlState], data: MessageRejected) -> None:
    key = alert_key("messages_rejected", data.code)
    known = working.state.alerts.get(key)
    today = league_date(working.now, working.definition.timezone)
    if known is not None and league_date(known.raised_at, working.definition.timezone) == today:
        return
    if known is not None:
        _resolve(working, "messages_rejected", data.code, "a new day")
    detail = f"{data.topic or 'unknown topic'}: {data.reason}"
    _raise(working, "messages_rejected", "warning", data.code, detail)


def _raise(working: Working[ControlState], cause: str, severity: Severity, subject: str, detail: str) -> None:
    key = alert_key(cause, subject)
    known = working.state.alerts.get(key)
    if known is not None and known.resolved_at is None and RANK[known.severity] >= RANK[severity]:
        return
    working.emit(AlertRaised(cause=cause, severity=severity, detail=detail, subject=subject))
    page(working, key)


def page(working: Working[ControlState], key: str, *, attempt: int = 1) -> None:
    """Ask for the episode to be told, for the `attempt`-th time under the same id."""
    alert = working.state.alerts[key]
    sport = working.state.stream.partition("/")[0]
    said = {"alert_key": key, "cause": alert.cause, "subject": alert.subject, "severity": alert.severity}
    working.emit(
        CommandRequested(
            command_id=_page_id(working.state, key, alert),
            kind="alert",
            topic=f"alert:{alert.severity}",
            payload=said | {"detail": alert.detail, "sport": sport, "game_date": "-"},
            ordering_key=working.state.stream,
            attempt=attempt,
        )
    )


def _resolve(working: Working[ControlState], cause: str, subject: str, reason: str) -> None:
    known = working.state.alerts.get(alert_key(cause, subject))
    if known is not None and known.resolved_at is None:
        working.emit(AlertResolved(cause=cause, subject=subject, reason=reason))


def deadlines(state: ControlState, definition: Definition) -> list[tuple[datetime, str]]:
    """When the silence of the controller becomes an alert, and when our own next tick is recorded. The silence is
    counted from the last decision of any workflow, once there has been one."""
    rules = definition.alerts
    found = []
    if state.decided_at:
        last = max(state.decided_at.values())
        for minutes, severity in (
            (rules.silent_warning_minutes, "warning"),
            (rules.silent_critical_minutes, "critical"),
        ):
            name = f"silent:{severity}"
            if name not in state.elapsed:
                found.append((last + timedelta(minutes=minutes), name))
    if state.ticked_at is not None:
        found.append((state.ticked_at + timedelta(minutes=rules.tick_record_minutes), "tick"))
    elif state.recorded_at is not None:
        found.append((state.recorded_at, "tick"))
    return sorted(found)


def _tick(working: Working[ControlState], data: Ticked) -> None:
    due = [item for item in deadlines(working.state, working.definition) if item[0] <= working.now]
    if not due:
        return
    before = working.state.ticked_at
    working.emit(data)
    _watch_ticks(working, before)
    for instant, name in due:
        if name == "tick":
            continue
        working.emit(DeadlineElapsed(name=name, due_at=instant))
        rules = working.definition.alerts
        critical = name == "silent:critical"
        minutes = rules.silent_critical_minutes if critical else rules.silent_warning_minutes
        detail = f"no workflow decided anything for {minutes} min"
        _raise(working, "workflow_silent", "critical" if critical else "warning", "-", detail)


def _watch_ticks(working: Working[ControlState], before: datetime | None) -> None:
    rules = working.definition.alerts
    allowed = timedelta(minutes=rules.tick_record_minutes + rules.tick_missed_minutes)
    if before is None or working.now - before <= allowed:
        _resolve(working, "ticks_missed", "-", "ticks arrive")
        return
    minutes = int((working.now - before).total_seconds() // 60)
    _raise(working, "ticks_missed", "warning", "-", f"no tick for {minutes} min; deadlines were late by as much")
