"""The control stream of a sport: what concerns no single date. Rejected messages, the controller's decisions, the
definitions in force, and our own ticks, whose absence is itself a finding (design 6, incident I2); and what its dates
report (`statemachine/reports.py`), for only here can anything be counted over all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from events.catalogue import (
    AlertRaised,
    AlertResolved,
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
from events.reports import HealNoted, NameNoted
from events.values import Severity
from statemachine import reminders
from statemachine.alerts import RANK
from statemachine.calendar import league_date
from statemachine.control_state import MISSED, OVER, SILENT, ControlState, changed, initial, page_id
from statemachine.definition import AlertRules, Definition
from statemachine.heal_patterns import family, over_at, patterns
from statemachine.operators import CommandNotAllowed
from statemachine.silence import silent_at
from statemachine.state import alert_key
from statemachine.suppression import EVERYTHING, suppressed
from statemachine.telling import telling
from statemachine.turn import Working

__all__ = ("ControlState", "changed", "deadlines", "decide", "decide_and_fold", "initial", "page", "silences")


def decide(state: ControlState, fact: Fact, now: datetime, definition: Definition) -> list[Event]:
    """The events that `fact` causes."""
    return decide_and_fold(state, fact, now, definition)[0]


def decide_and_fold(
    state: ControlState, fact: Fact, now: datetime, definition: Definition, last: Event | None = None
) -> tuple[list[Event], ControlState]:
    """What `decide` gives, and the state after it."""
    if fact.id in state.recent or _known_already(state, fact.data):
        return [], state
    working = Working(state, fact, now, definition, last, changed)
    data = fact.data
    react = _REACTION.get(type(data))
    if react is None:
        working.emit(data)
    else:
        react(working, data)
    return working.events, working.state


def _decided(working: Working[ControlState], data: WorkflowDecided) -> None:
    working.emit(data)
    for subject in (data.workflow, "-"):
        _resolve(working, "workflow_silent", subject, f"{data.workflow} decided {data.action}")


def _rejected(working: Working[ControlState], data: MessageRejected) -> None:
    working.emit(data)
    detail = f"{data.topic or 'unknown topic'}: {data.reason}"
    _once_a_day(working, "messages_rejected", data.code, detail)


def _observed(working: Working[ControlState], data: ComponentObserved) -> None:
    working.emit(data)
    if data.available:
        _resolve(working, _unavailable(data), data.name, data.detail)
    else:
        _raise(working, _unavailable(data), "critical", data.name, data.detail)


def _healed(working: Working[ControlState], data: HealNoted) -> None:
    working.emit(data)
    _judge_heals(working, family(data.component))


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


def _once_a_day(working: Working[ControlState], cause: str, subject: str, detail: str) -> None:
    """Raise an episode, unless one of the same league day was raised already: a new day is a new episode."""
    known = working.state.alerts.get(alert_key(cause, subject))
    today = league_date(working.now, working.definition.timezone)
    if known is not None and league_date(known.raised_at, working.definition.timezone) == today:
        return
    _resolve(working, cause, subject, "a new day")
    _raise(working, cause, "warning", subject, detail)


def _unmapped(working: Working[ControlState], data: NameNoted) -> None:
    working.emit(data)
    if working.definition.resolve(data.phase, data.published_name) is None:
        detail = f"{data.phase}: {data.published_name!r} is in no registry, so it counts for nothing"
        detail += f" (first on {data.game_date}); add it as a processor or as an alias"
        _once_a_day(working, "unmapped_processor", data.published_name, detail)


def _adopted(working: Working[ControlState], data: DefinitionAdopted) -> None:
    """Names that the definition knows by now trouble nobody."""
    working.emit(data)
    definition = working.definition
    for alert in list(working.state.alerts.values()):
        known = any(definition.resolve(phase.name, alert.subject) for phase in definition.phases)
        if alert.cause == "unmapped_processor" and known:
            _resolve(working, alert.cause, alert.subject, f"{definition.version} knows the name")


def _judge_heals(working: Working[ControlState], component: str) -> None:
    """Tell of the patterns that the repairs of a component make, or that they make none any more."""
    rules = working.definition.alerts.heal_patterns
    found = patterns(working.state.heals.get(component, ()), rules, working.now) if rules is not None else []
    if not found:
        _resolve(working, "heal_pattern", component, f"the repairs of {component} make no pattern any more")
        return
    detail = f"{component}: {'; '.join(pattern.detail for pattern in found)}"
    numbers: dict[str, float | None] = {pattern.name: float(pattern.count) for pattern in found}
    _raise(working, "heal_pattern", found[0].severity, component, detail, numbers=numbers)


def _raise(
    working: Working[ControlState],
    cause: str,
    severity: Severity,
    subject: str,
    detail: str,
    *,
    numbers: dict[str, float | None] | None = None,
) -> None:
    key = alert_key(cause, subject)
    known = working.state.alerts.get(key)
    if known is not None and known.resolved_at is None and RANK[known.severity] >= RANK[severity]:
        return
    raised = AlertRaised(cause=cause, severity=severity, detail=detail, subject=subject, numbers=numbers or {})
    working.emit(raised)
    page(working, key)


def page(working: Working[ControlState], key: str, *, attempt: int = 1) -> None:
    """Ask for the episode to be told, for the `attempt`-th time under the same id."""
    state, alert = working.state, working.state.alerts[key]
    command_id = page_id(state, key, alert)
    working.emit(telling(state.stream, key, alert, command_id=command_id, game_date="-", attempt=attempt))


def _resolve(working: Working[ControlState], cause: str, subject: str, reason: str) -> None:
    known = working.state.alerts.get(alert_key(cause, subject))
    if known is not None and known.resolved_at is None:
        working.emit(AlertResolved(cause=cause, subject=subject, reason=reason))


def deadlines(state: ControlState, definition: Definition) -> list[tuple[datetime, str]]:
    """When the silence of the controller becomes an alert, when a pattern of repairs is over, who is to be reminded of
    what, and when our own next tick is recorded."""
    rules, known_at = definition.alerts, state.recorded_at
    found = [(at, f"{SILENT}{severity}") for severity, at in silences(state, rules, definition.timezone).items()]
    found = [item for item in found if item[1] not in state.elapsed]
    for alert in state.alerts.values():
        if alert.cause == "heal_pattern" and alert.resolved_at is None and rules.heal_patterns is not None:
            tries = state.heals.get(alert.subject, ())
            over = over_at(tries, rules.heal_patterns, known_at or alert.raised_at)
            found.append((over, f"{OVER}{alert.subject}"))
    for at, name in reminders.deadlines(state.alerts, rules.reminders):
        found.append((_after_silence(state, name.split(":", 3)[3], at), name))
    if state.ticked_at is not None:
        found.append((state.ticked_at + timedelta(minutes=rules.tick_record_minutes), "tick"))
    elif state.recorded_at is not None:
        found.append((state.recorded_at, "tick"))
    return sorted(found)


def silences(state: ControlState, rules: AlertRules, zone: str) -> dict[Severity, datetime]:
    """When the controller's silence becomes, or became, an alert of each severity. It is counted from the last decision
    of any workflow, once there has been one, and not over times at which we did not listen ourselves: what was decided
    then is still on its way to us (`statemachine/silence.py` says on which days it counts)."""
    if not state.decided_at:
        return {}
    since = max(state.decided_at.values())
    since = since if state.listening_at is None else max(since, state.listening_at)
    found: dict[Severity, datetime | None] = {
        "warning": silent_at(since, rules.silent_warning_minutes, state.dates, zone),
        "critical": silent_at(since, rules.silent_critical_minutes, state.dates, zone),
    }
    return {severity: at for severity, at in found.items() if at is not None}


def _after_silence(state: ControlState, key: str, at: datetime) -> datetime:
    """`at`, or the end of the windows of silence in which it lies: nobody is reminded while they hold."""
    while (window := suppressed(state.suppressions, key, at)) is not None:
        at = window.until
    return at


def _tick(working: Working[ControlState], data: Ticked) -> None:
    before = working.state.ticked_at
    if not _due(working):
        return
    working.emit(data)
    _watch_ticks(working, before)
    for instant, name in _due(working):  # the tick itself has come
        working.emit(DeadlineElapsed(name=name, due_at=instant))
        kind, _, rest = name.partition(":")
        _COME[f"{kind}:"](working, rest)


def _due(working: Working[ControlState]) -> list[tuple[datetime, str]]:
    return [item for item in deadlines(working.state, working.definition) if item[0] <= working.now]


def _silent(working: Working[ControlState], severity: str) -> None:
    rules = working.definition.alerts
    critical = severity == "critical"
    minutes = rules.silent_critical_minutes if critical else rules.silent_warning_minutes
    detail = f"no workflow decided anything for {minutes} min"
    _raise(working, "workflow_silent", "critical" if critical else "warning", "-", detail)


def _remind(working: Working[ControlState], name: str) -> None:
    state, key = working.state, name.split(":", 2)[2]
    for data in reminders.reminder(state.alerts[key], stream=state.stream, key=key, game_date="-"):
        working.emit(data)


_COME: dict[str, Callable[[Working[ControlState], str], None]] = {
    SILENT: _silent,
    OVER: _judge_heals,
    reminders.REMIND: _remind,
}


def _watch_ticks(working: Working[ControlState], before: datetime | None) -> None:
    rules = working.definition.alerts
    allowed = timedelta(minutes=rules.tick_record_minutes + rules.tick_missed_minutes)
    if before is None or working.now - before <= allowed:
        _resolve(working, "ticks_missed", "-", "ticks arrive")
        return
    minutes = int((working.now - before).total_seconds() // 60)
    working.emit(DeadlineElapsed(name=MISSED, due_at=before + allowed))
    _raise(working, "ticks_missed", "warning", "-", f"no tick for {minutes} min; deadlines were late by as much")


_REACTION: dict[type, Callable[[Working[ControlState], Any], None]] = {
    ComponentObserved: _observed,
    DefinitionAdopted: _adopted,
    HealNoted: _healed,
    MessageRejected: _rejected,
    NameNoted: _unmapped,
    OperatorActed: _act,
    Ticked: _tick,
    WorkflowDecided: _decided,
}
