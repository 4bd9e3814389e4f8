"""The catalogue: every kind of event that Tipoff stores, and nothing else.

Type names and field names are a storage format: fields are added with a default, never renamed or removed. An event
whose meaning changes gets a higher schema number and an upcaster beside the codec (`events/codec.py`).

Two families. *Inputs* are what the outside said; each is stored first, whatever it says. *Decisions* are what the core
concluded; each names the input that caused it. `INPUTS` and `DECISIONS` list them. All instants are UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

from events.calls import BreakerMoved, Calls
from events.records import Records
from events.reports import AlertReminded, Reports
from events.said import Said
from events.values import NO_SUBJECT, Check, CommandKind, Game, HealOutcome, Measure, Mode, Severity, Status, Verdict

# --- inputs: what the outside said -------------------------------------------------------------------------------


class DefinitionAdopted(Struct, frozen=True, kw_only=True, tag_field="type", tag="definition_adopted"):
    """From here on the stream is decided under `definition` (`name@hash`)."""

    definition: str


class DefinitionPublished(Struct, frozen=True, kw_only=True, tag_field="type", tag="definition_published"):
    """The whole text of a definition version (canonical JSON), so that history can be decided again under it."""

    definition: str
    content: str
    overrides: dict[str, str] = field(default_factory=dict)


class SchedulePublished(
    Said, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="schedule_published"
):
    """The games of the date as somebody published them. `changes` names what differs from before (filled by the core:
    `added ID`, `moved ID to DATE`, `retimed ID`, `postponed ID`, …); `disregarded` says why nothing of it was taken.
    A `partial` one speaks only of the games it names; otherwise a known game that it leaves out is off the date."""

    games: tuple[Game, ...]
    partial: bool = False
    as_of: datetime | None = None
    source: str = ""
    changes: tuple[str, ...] = ()
    disregarded: str | None = None


class CompletionRecorded(
    Said, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="completion_recorded"
):
    """A run ended and said so. `processor` and `cycle` are resolved by the core: `processor` is None where the
    published name is in no registry, and such a completion counts for nothing (design 8.5).

    `record_count` is None where the message gave none; `row_basis` says what was counted (rows, players, delta, …)."""

    phase: str
    published_name: str
    status: Status
    run: str | None = None
    processor: str | None = None
    cycle: str | None = None
    record_count: int | None = None
    row_basis: str | None = None
    records_failed: int | None = None
    games: tuple[str, ...] | None = None
    duration_seconds: float | None = None
    output_table: str | None = None
    error_message: str | None = None


class RunStarted(Said, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="run_started"):
    """A run of a processor began."""

    phase: str
    published_name: str
    run: str | None = None
    processor: str | None = None
    cycle: str | None = None


class ProgressReported(Said, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="progress_reported"):
    """A part of a phase's work was done (one player's prediction, one request handed out). It shows life, it completes
    nothing. `subject` is what it was about, `count` how many units the message says."""

    phase: str
    published_name: str
    subject: str | None = None
    count: int | None = None
    run: str | None = None
    cycle: str | None = None


class BeatRecorded(Said, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="beat_recorded"):
    """A heartbeat of a run, on the pulse stream, at the sender's instant. `ended`: the final status, in its last."""

    phase: str | None
    published_name: str
    beat_at: datetime
    run: str | None = None
    processor: str | None = None
    progress: int | None = None
    total: int | None = None
    message: str | None = None
    ended: str | None = None


class MeasuresObserved(Said, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="measures_observed"):
    """Numbers seen at a phase boundary (`raw_to_analytics`, …), each a value or an error."""

    boundary: str
    measures: dict[str, Measure]
    source: str = ""


class ObservationRecorded(
    Said, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="observation_recorded"
):
    """Something another component did or noted that decides nothing here but belongs to the date's record: a trigger
    somebody else published, a heal request, a gate evaluation or log row of an older system, a reply. `kind` is one of
    `trigger`, `heal_request`, `gate_evaluation`, `phase_execution`, `pipeline_event`, `reply`, `object_written`."""

    kind: str
    phase: str | None = None
    topic: str = ""


class OperatorActed(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="operator_acted"):
    """A person, who is the event's actor, asked for something. `target` is a gate, a game, an alert (`cause` or
    `cause:subject`), a component or a cycle; `until` is when a suppression of alerts ends."""

    command: Literal["recheck", "waive", "override", "acknowledge", "heal", "halt", "resume", "resend", "suppress"]
    reason: str
    target: str | None = None
    until: datetime | None = None


class Ticked(Struct, frozen=True, kw_only=True, tag_field="type", tag="ticked"):
    """Time passed and made a difference: at least one deadline had come."""

    now: datetime


class CommandPublished(Struct, frozen=True, kw_only=True, tag_field="type", tag="command_published"):
    """A command left the house: the broker (or channel, or file) confirmed it under `message_id`."""

    command_id: str
    message_id: str


class CommandFailed(Struct, frozen=True, kw_only=True, tag_field="type", tag="command_failed"):
    """A command could not be sent. A permanent error is never retried (design 8.9)."""

    command_id: str
    error: str
    permanent: bool


class PulseChanged(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="pulse_changed"):
    """What the pulse stream concluded about a run. `together` runs of its phase fell silent at once; none beat on. One
    that is `hung` beats, and its progress has stood still since `still_since`."""

    published_name: str
    condition: Literal["stale", "dead", "back", "hung"]
    last_beat_at: datetime
    run: str | None = None
    processor: str | None = None
    together: int = 0
    still_since: datetime | None = None


class WorkflowDecided(Said, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="workflow_decided"):
    """The controller of a sport decided about a workflow. The absence of these is the 45-hour outage (incident I2)."""

    workflow: str
    action: Literal["RUN", "SKIP", "ABORT"]
    reason: str = ""


class ComponentObserved(Struct, frozen=True, kw_only=True, tag_field="type", tag="component_observed"):
    """A part of our own house was found to work or not to: the channel `name` that commands leave by, or the store."""

    kind: Literal["channel", "store"]
    name: str
    available: bool
    detail: str


class MessageRejected(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="message_rejected"):
    """A message that could not be understood, whole. `code` is stable, `reason` tells the publisher what to fix, `data`
    is the original bytes in base64 (cut to `STORED_BYTES_MAX`; `size` is the true number of bytes)."""

    code: str
    reason: str
    topic: str
    message_id: str
    size: int
    data: str
    attributes: dict[str, str] = field(default_factory=dict)


# --- decisions: what the core concluded ---------------------------------------------------------------------------


class PhaseMoved(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="phase_moved"):
    """The machine of a cycle took a transition. `missing` names the expected processors that were absent, `degraded`
    says why what goes on from here is less than complete."""

    cycle: str
    source: str
    trigger: str
    dest: str
    phase: str
    reason: str
    missing: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()


class GateEvaluated(Struct, frozen=True, kw_only=True, tag_field="type", tag="gate_evaluated"):
    """A gate looked at its measures. `outcome` is what it did in its mode, `blocking_outcome` what it would have done
    in mode `blocking`: the evidence for promoting a gate (design 5)."""

    gate: str
    cycle: str
    mode: Mode
    outcome: Verdict
    blocking_outcome: Verdict
    checks: tuple[Check, ...]
    definition: str


class CommandRequested(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="command_requested"
):
    """We ask somebody else to act. The same struct is the outbox entry; `command_id` is deterministic."""

    command_id: str
    kind: CommandKind
    topic: str
    payload: dict[str, Any]
    ordering_key: str
    cycle: str | None = None
    phase: str | None = None
    attempt: int = 1


class DeadlineElapsed(Struct, frozen=True, kw_only=True, tag_field="type", tag="deadline_elapsed"):
    """An instant came at which the absence of something became a fact (design 6)."""

    name: str
    due_at: datetime


class AlertRaised(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="alert_raised"):
    """An episode began or its severity rose. `numbers` are the figures that forced it."""

    cause: str
    severity: Severity
    detail: str
    subject: str = NO_SUBJECT
    numbers: dict[str, float | None] = field(default_factory=dict)


class AlertResolved(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="alert_resolved"):
    """The cause of an episode is gone."""

    cause: str
    reason: str
    subject: str = NO_SUBJECT


class HealRequested(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="heal_requested"):
    """A repair was asked for; its command is `command_id`. `targets` names the games or processors to repair."""

    component: str
    attempt: int
    cause: str
    command_id: str
    targets: tuple[str, ...] = ()


class HealSuppressed(Struct, frozen=True, kw_only=True, tag_field="type", tag="heal_suppressed"):
    """A repair was due and not asked for, and why: `cool_down`, `cap`, `permanent`, `approval`."""

    component: str
    reason: Literal["cool_down", "cap", "permanent", "approval"]
    detail: str


class HealResolved(Struct, frozen=True, kw_only=True, tag_field="type", tag="heal_resolved"):
    """What became of a repair, as the data showed it."""

    component: str
    attempt: int
    outcome: HealOutcome
    detail: str


class LateCompletionNoted(Struct, frozen=True, kw_only=True, tag_field="type", tag="late_completion_noted"):
    """A processor that had been missing when its phase went on has reported after all."""

    cycle: str
    phase: str
    processor: str


class StatusChanged(Struct, frozen=True, kw_only=True, tag_field="type", tag="status_changed"):
    """The date as a whole changed: `scheduled`, `active`, `blocked`, `parked`, `complete`, `no_games`, `halted`."""

    source: str
    dest: str
    reason: str


Input = (
    DefinitionAdopted
    | DefinitionPublished
    | SchedulePublished
    | CompletionRecorded
    | RunStarted
    | ProgressReported
    | BeatRecorded
    | MeasuresObserved
    | ObservationRecorded
    | OperatorActed
    | Ticked
    | CommandPublished
    | CommandFailed
    | PulseChanged
    | WorkflowDecided
    | ComponentObserved
    | Calls
    | Reports
    | MessageRejected
)
Decision = (
    PhaseMoved
    | GateEvaluated
    | CommandRequested
    | DeadlineElapsed
    | AlertRaised
    | AlertResolved
    | AlertReminded
    | HealRequested
    | HealSuppressed
    | HealResolved
    | LateCompletionNoted
    | Records
    | BreakerMoved
    | StatusChanged
)
Data = Input | Decision

INPUTS: tuple[type[Struct], ...] = Input.__args__
DECISIONS: tuple[type[Struct], ...] = Decision.__args__


class Fact(Struct, frozen=True, kw_only=True, gc=False):
    """An input on its way in: what was said, by whom, about which stream; not yet stored. `id` is deterministic, so the
    same message makes the same fact however often it is delivered."""

    stream: str
    id: str
    occurred_at: datetime
    correlation: str
    data: Input
    actor: str = "pipeline"


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A fact we stored. `version` counts 1, 2, 3 … within the stream; `recorded_at` never decreases within it."""

    stream: str
    version: int
    id: str
    occurred_at: datetime
    recorded_at: datetime
    correlation: str
    data: Data
    causation: str | None = None
    actor: str = "pipeline"
    schema: int = 1


def type_of(data: Data | type[Struct]) -> str:
    """The stored type name, such as `completion_recorded`."""
    return str(data.__struct_config__.tag)


def is_input(event: Event) -> bool:
    """True for an event that the outside caused; the decisions that follow it name it as their causation."""
    return event.causation is None
