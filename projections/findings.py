"""What a health check can find, and the words for what to do about an alert."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from events.values import Severity
from statemachine.state import Alert

HealthStatus = Literal["healthy", "warning", "unknown", "critical"]

GRADE: tuple[HealthStatus, ...] = ("healthy", "warning", "unknown", "critical")
"""From good to bad: what nobody knows is worse than a known nuisance."""

STATUS_OF: dict[Severity, HealthStatus] = {"info": "healthy", "warning": "warning", "critical": "critical"}
"""An info is recorded and goes into the daily digest; it troubles nobody (interface: alert causes)."""


class Finding(Struct, frozen=True, kw_only=True):
    """A check that did not find everything in order, why, and what to do. `game_date` is `-` where it concerns none."""

    sport: str
    game_date: str
    check: str
    status: HealthStatus
    reason: str
    next_step: str
    since: datetime | None = None


NEXT_STEP: dict[str, str] = {
    "box_scores_incomplete": "`day explain` says which repair was asked for and what holds the date",
    "gate_blocked": "`day explain` says what failed; then `day act` to recheck, waive or override",
    "gate_warned": "`day show` lists the checks that warned",
    "gate_error": "make the measure readable, then `day act` to recheck; an error is not a zero",
    "precompute_incomplete": "`day explain` names the processors, and the repair asked for them",
    "predictions_late": "`day explain` says what predictions wait for",
    "grading_late": "`day explain` says what grading waits for",
    "handoff_missed": "look at the service that should have reported; the command was sent again",
    "phase_stalled": "look at the service of the phase; `day explain` names who is missing",
    "records_disagree": "look at the run and its table: one of them is not what it says; `reconcile` has both records",
    "processor_stale": "look at the run; `heartbeats` shows its last beat",
    "processor_dead": "the run is gone: start it again; `heartbeats` shows its last beat",
    "processor_hung": "look at what the run waits for: it beats and does nothing; `heartbeats` shows its progress",
    "heartbeats_silent": "look at the service: its runs complete and none beats",
    "workflow_silent": "look at the controller and its scheduler: nobody decides anything",
    "ticks_missed": "look at what calls `tick`; deadlines come late while it does not",
    "run_storm": "stop what starts the runs, then `day act` to acknowledge",
    "unmapped_processor": "add the name to the definition as a processor or as an alias",
    "messages_rejected": "the reason says what the publisher has to fix; the bytes are kept",
    "heal_exhausted": "repair by hand, then `day act` to acknowledge",
    "heal_pattern": "look for one cause behind the repairs, with `heal history`; repairing is no answer to it",
    "channel_unavailable": "look at the channel; what it could not deliver is kept",
    "store_unavailable": "look at the store; nothing was acknowledged meanwhile",
}
"""What to do about an alert, by cause (interface: alert causes)."""


def of_alert(sport: str, game_date: str, alert: Alert) -> Finding | None:
    """An open episode as a finding; None for an info."""
    status = STATUS_OF[alert.severity]
    if status == "healthy":
        return None
    about = "" if alert.subject == "-" else f" ({alert.subject})"
    return Finding(
        sport=sport,
        game_date=game_date,
        check=f"alert:{alert.cause}",
        status=status,
        reason=f"{alert.cause}{about}: {alert.detail}",
        next_step=NEXT_STEP.get(alert.cause, "`alerts` shows the episode"),
        since=alert.raised_at,
    )
