"""The health checks of what concerns no single date: the controller's decisions, our own ticks, rejected messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from projections.findings import GRADE, STATUS_OF, Finding, HealthStatus, of_alert
from projections.wording import instant
from statemachine.control import ControlState, silences
from statemachine.definition import AlertRules, Definition

NO_DATE = "-"
"""Stands where a finding concerns no single date (interface: alert causes)."""


def control_findings(
    controls: Sequence[ControlState], definitions: Mapping[str, Definition], now: datetime
) -> list[Finding]:
    """Everything about the control streams that is not in order. A sport that has dates and no control stream, and
    no sport at all, are unknown: nothing there says that anybody is at work."""
    found: list[Finding] = []
    sports = {_sport(state) for state in controls}
    for state in controls:
        definition = definitions.get(_sport(state))
        rules = definition.alerts if definition is not None else AlertRules()
        found += [*_alerts(state), *_ticks(state, rules, now), *_silence(state, definition, now)]
    for sport in sorted(definitions.keys() - sports):
        found.append(_unknown(sport, "ticks", "there is no control stream: nothing was ever recorded of our ticks"))
    if not definitions and not controls:
        found.append(_unknown(NO_DATE, "store", "there is nothing to look at: no date and no control stream"))
    return found


def _sport(state: ControlState) -> str:
    return state.stream.partition("/")[0]


def _unknown(sport: str, check: str, reason: str, since: datetime | None = None) -> Finding:
    return Finding(
        sport=sport,
        game_date=NO_DATE,
        check=check,
        status="unknown",
        reason=reason,
        next_step="look at what calls `tick`, and whether this is the right store",
        since=since,
    )


def _alerts(state: ControlState) -> Iterator[Finding]:
    for alert in state.alerts.values():
        finding = of_alert(_sport(state), NO_DATE, alert) if alert.resolved_at is None else None
        if finding is not None:
            yield finding


def _ticks(state: ControlState, rules: AlertRules, now: datetime) -> Iterator[Finding]:
    allowed = timedelta(minutes=rules.tick_record_minutes + rules.tick_missed_minutes)
    if state.ticked_at is None:
        yield _unknown(_sport(state), "ticks", "no tick was ever recorded, so no deadline is acted on")
    elif now - state.ticked_at > allowed:
        reason = f"no tick since {instant(state.ticked_at)}, so no deadline is acted on"
        yield _unknown(_sport(state), "ticks", reason, state.ticked_at)


def _silence(state: ControlState, definition: Definition | None, now: datetime) -> Iterator[Finding]:
    """The controller's silence at `now`, where the alert of it has not come yet. Where no workflow has ever decided,
    the controller does not report to us, and there is no silence to watch."""
    if not state.decided_at or definition is None:
        return
    last = max(state.decided_at.values())
    ahead = silences(state, definition.alerts, definition.timezone)
    reached = [STATUS_OF[severity] for severity, at in ahead.items() if at <= now]
    status: HealthStatus = max(reached, key=GRADE.index, default="healthy")
    open_ = [a for a in state.alerts.values() if a.cause == "workflow_silent" and a.resolved_at is None]
    alerted = max((STATUS_OF[alert.severity] for alert in open_), key=GRADE.index, default="healthy")
    if GRADE.index(status) > GRADE.index(alerted):
        yield Finding(
            sport=_sport(state),
            game_date=NO_DATE,
            check="workflows",
            status=status,
            reason=f"no workflow has decided anything since {instant(last)}",
            next_step="look at the controller and its scheduler",
            since=last,
        )
