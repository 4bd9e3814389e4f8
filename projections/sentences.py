"""One plain sentence per kind of event. The table is total over the catalogue; a test holds it so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from events.calls import BreakerMoved, CallAnswered, CallAsked
from events.catalogue import (
    AlertRaised,
    AlertResolved,
    BeatRecorded,
    CommandFailed,
    CommandPublished,
    CommandRequested,
    CompletionRecorded,
    ComponentObserved,
    Data,
    DeadlineElapsed,
    DefinitionAdopted,
    DefinitionPublished,
    GateEvaluated,
    HealRequested,
    HealResolved,
    HealSuppressed,
    LateCompletionNoted,
    MeasuresObserved,
    MessageRejected,
    ObservationRecorded,
    OperatorActed,
    PhaseMoved,
    ProgressReported,
    PulseChanged,
    RunStarted,
    SchedulePublished,
    StatusChanged,
    Ticked,
    WorkflowDecided,
)
from events.records import RECONCILED, CompletionReopened, DisagreementNoted
from events.reports import AlertReminded, DateNoted, HealNoted, NameNoted
from events.values import Check, Measure
from projections.ahead import deadline_words
from projections.wording import counted, instant, listed, number


def sentence(data: Data) -> str:
    """What the event says, in one sentence on one line. Instants in it are UTC."""
    return " ".join(SENTENCES[type(data)](data).split())


def check_words(check: Check) -> str:
    """A check with what it saw and the threshold it did not keep: `coverage is 0.714 (5 of 7), below 0.8`."""
    if check.error is not None:
        return f"{check.check} could not be measured: {check.error}"
    basis = f" ({check.basis})" if check.basis else ""
    limit = check.block if check.verdict == "block" else check.warn
    if check.measured is None or limit is None or check.verdict not in ("block", "warn"):
        value = "" if check.measured is None else f" is {number(check.measured)}"
        return f"{check.check}{value}{basis}: {check.verdict}"
    side = "below" if check.measured < limit else "above"
    if check.measured == limit:
        return f"{check.check} is {number(check.measured)}{basis}: {check.verdict}"
    return f"{check.check} is {number(check.measured, limit)}{basis}, {side} {number(limit, check.measured)}"


def measure_words(name: str, measure: Measure) -> str:
    """`games_with_box_score 5`, `players not applicable`, `null_rate_pct not measured: timeout`."""
    if measure.error is not None:
        return f"{name} not measured: {measure.error}"
    return f"{name} {number(measure.value)}" if measure.value is not None else f"{name} not applicable"


def _who(data: CompletionRecorded | RunStarted | ProgressReported) -> str:
    cycle = f", {data.cycle}" if data.cycle is not None else ""
    name = getattr(data, "processor", None) or data.published_name
    return f"{name} ({data.phase}{cycle})"


def _run(run: str | None) -> str:
    return f", run {run}" if run is not None else ""


def _adopted(data: DefinitionAdopted) -> str:
    return f"from here on decided under {data.definition}"


def _published(data: DefinitionPublished) -> str:
    overrides = listed(f"{name}={value}" for name, value in sorted(data.overrides.items()))
    return f"definition {data.definition} stored" + (f", with {overrides}" if overrides else "")


def _schedule(data: SchedulePublished) -> str:
    what = f"schedule{' (part)' if data.partial else ''} of {counted(len(data.games), 'game')}"
    if data.disregarded is not None:
        return f"{what} disregarded: {data.disregarded}"
    return f"{what}: {listed(data.changes) or 'nothing changed'}"


def _completion(data: CompletionRecorded) -> str:
    if data.wire_format == RECONCILED and "since" in data.extra:
        table, since = data.output_table or data.extra.get("measure"), data.extra["since"]
        return f"{_who(data)} taken as complete: {table} has {data.record_count} rows since {since}, and nobody said so"
    text = f"{_who(data)} {data.status}{_run(data.run)}"
    if data.record_count is not None:
        text += f", {data.record_count} {data.row_basis or 'rows'}"
    if data.processor is None:
        text += "; in no registry, so it counts for nothing"
    if data.error_message:
        text += f": {data.error_message}"
    return text + (f" [{listed(data.flags)}]" if data.flags else "")


def _started(data: RunStarted) -> str:
    return f"{_who(data)} started{_run(data.run)}"


def _progress(data: ProgressReported) -> str:
    about = f" about {data.subject}" if data.subject is not None else ""
    return f"{_who(data)} makes progress{about}" + (f": {data.count}" if data.count is not None else "")


def _beat(data: BeatRecorded) -> str:
    text = f"{data.processor or data.published_name} {'ended ' + data.ended if data.ended else 'beats'}{_run(data.run)}"
    if data.progress is not None:
        text += f", {data.progress} of {data.total if data.total is not None else 'unknown'}"
    return text + (f": {data.message}" if data.message else "")


def _measures(data: MeasuresObserved) -> str:
    seen = listed(measure_words(name, measure) for name, measure in sorted(data.measures.items()))
    return f"{data.boundary} measured{' by ' + data.source if data.source else ''}: {seen or 'nothing'}"


def _observation(data: ObservationRecorded) -> str:
    about = f" about {data.phase}" if data.phase is not None else ""
    return f"seen: {data.kind}{about}" + (f" on {data.topic}" if data.topic else "")


def _operator(data: OperatorActed) -> str:
    return f"operator: {data.command}{' ' + data.target if data.target else ''}: {data.reason}"


def _ticked(data: Ticked) -> str:
    return f"time passed: it is {instant(data.now)}"


def _confirmed(data: CommandPublished) -> str:
    return f"command {data.command_id} confirmed as {data.message_id}"


def _refused(data: CommandFailed) -> str:
    return f"command {data.command_id} not sent{', and never will be' if data.permanent else ''}: {data.error}"


def _pulse(data: PulseChanged) -> str:
    name = data.processor or data.published_name
    still = f"; no progress since {instant(data.still_since)}" if data.still_since is not None else ""
    return f"{name}{_run(data.run)} is {data.condition}; last beat {instant(data.last_beat_at)}{still}"


def _workflow(data: WorkflowDecided) -> str:
    return f"workflow {data.workflow}: {data.action}" + (f", {data.reason}" if data.reason else "")


def _component(data: ComponentObserved) -> str:
    return f"{data.kind} {data.name} {'works' if data.available else 'does not work'}: {data.detail}"


def _call_asked(data: CallAsked) -> str:
    return f"call {data.call} asks to try whether the service answers again"


def _call_answered(data: CallAnswered) -> str:
    said = f" {data.status}" if data.status is not None else ""
    again = f"; not again before {instant(data.retry_at)}" if data.retry_at is not None else ""
    return f"call {data.call} {data.outcome}{said}{': ' + data.error if data.error else ''}{again}"


def _breaker(data: BreakerMoved) -> str:
    until = f" until {instant(data.until)}" if data.until is not None else ""
    return f"breaker {data.source} → {data.dest}{until}: {data.reason}"


def _rejected(data: MessageRejected) -> str:
    where = data.topic or "an unknown topic"
    return f"message {data.message_id} on {where} rejected ({data.code}): {data.reason}; {counted(data.size, 'byte')}"


def _moved(data: PhaseMoved) -> str:
    text = f"{data.cycle}: {data.source} → {data.dest} ({data.trigger}: {data.reason})"
    text += f"; missing {listed(data.missing)}" if data.missing else ""
    return text + (f"; degraded: {listed(data.degraded)}" if data.degraded else "")


def _evaluated(data: GateEvaluated) -> str:
    text = f"gate {data.gate} ({data.cycle}) {data.outcome}"
    if data.blocking_outcome != data.outcome:
        text += f" in mode {data.mode} (blocking would {data.blocking_outcome})"
    bad = [check for check in data.checks if check.verdict not in ("pass", "skipped")]
    return f"{text}: {listed(check_words(c) for c in bad) or 'all ' + counted(len(data.checks), 'check') + ' in order'}"


def _requested(data: CommandRequested) -> str:
    about = data.phase or data.payload.get("cause") or ""
    again = f", attempt {data.attempt}" if data.attempt > 1 else ""
    return f"{data.kind} {about} commanded on {data.topic}{again}".replace("  ", " ")


def _elapsed(data: DeadlineElapsed) -> str:
    return f"deadline of {instant(data.due_at)}: {deadline_words(data.name)}"


def _raised(data: AlertRaised) -> str:
    return f"alert {data.severity}: {_episode(data)}: {data.detail}"


def _resolved(data: AlertResolved) -> str:
    return f"alert resolved: {_episode(data)}: {data.reason}"


def _reminded(data: AlertReminded) -> str:
    return f"nobody has taken on {_episode(data)} ({data.severity}): reminder {data.number}"


def _date_noted(data: DateNoted) -> str:
    return f"{data.game_date} expects {'games' if data.expects else 'no games'}"


def _name_noted(data: NameNoted) -> str:
    return f"{data.game_date} met {data.published_name} ({data.phase}), which is in no registry"


def _heal_noted(data: HealNoted) -> str:
    about = f"{data.game_date}: heal {data.component}, attempt {data.attempt}"
    return f"{about}, {'asked for' if data.outcome is None else data.outcome}"


def _episode(data: AlertRaised | AlertReminded | AlertResolved) -> str:
    return data.cause if data.subject == "-" else f"{data.cause} ({data.subject})"


def _heal(data: HealRequested) -> str:
    targets = f" for {listed(data.targets)}" if data.targets else ""
    return f"heal {data.component}, attempt {data.attempt}{targets}, because {data.cause}"


def _suppressed(data: HealSuppressed) -> str:
    return f"heal {data.component} not asked for ({data.reason}): {data.detail}"


def _healed(data: HealResolved) -> str:
    return f"heal {data.component}, attempt {data.attempt}: {data.outcome}: {data.detail}"


def _late(data: LateCompletionNoted) -> str:
    return f"{data.processor} ({data.phase}, {data.cycle}) completed after its phase had gone on"


def _differs(data: DisagreementNoted) -> str:
    who = f"{data.processor} ({data.phase}, {data.cycle})"
    if data.kind == "rows_without_completion":
        return f"{who} has {number(data.rows)} rows, and has not said that it is done"
    return f"{who} said that it is done, and its table is empty"


def _reopened(data: CompletionReopened) -> str:
    text = f"{data.processor} ({data.phase}, {data.cycle}) is not complete after all: {data.measure} is 0"
    gone_on = "; the phase had gone on with it" if data.passed else ""
    return f"{text} since {instant(data.since)}, and still{gone_on}"


def _status(data: StatusChanged) -> str:
    return f"the date is {data.dest} (was {data.source}): {data.reason}"


SENTENCES: dict[type, Callable[[Any], str]] = {
    DefinitionAdopted: _adopted,
    DefinitionPublished: _published,
    SchedulePublished: _schedule,
    CompletionRecorded: _completion,
    RunStarted: _started,
    ProgressReported: _progress,
    BeatRecorded: _beat,
    MeasuresObserved: _measures,
    ObservationRecorded: _observation,
    OperatorActed: _operator,
    Ticked: _ticked,
    CommandPublished: _confirmed,
    CommandFailed: _refused,
    PulseChanged: _pulse,
    WorkflowDecided: _workflow,
    ComponentObserved: _component,
    CallAsked: _call_asked,
    CallAnswered: _call_answered,
    MessageRejected: _rejected,
    PhaseMoved: _moved,
    GateEvaluated: _evaluated,
    CommandRequested: _requested,
    DeadlineElapsed: _elapsed,
    AlertRaised: _raised,
    AlertReminded: _reminded,
    AlertResolved: _resolved,
    DateNoted: _date_noted,
    NameNoted: _name_noted,
    HealNoted: _heal_noted,
    HealRequested: _heal,
    HealSuppressed: _suppressed,
    HealResolved: _healed,
    LateCompletionNoted: _late,
    DisagreementNoted: _differs,
    CompletionReopened: _reopened,
    BreakerMoved: _breaker,
    StatusChanged: _status,
}
