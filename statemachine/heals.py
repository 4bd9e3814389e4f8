"""Heals: repairs asked for under a key, a cool-down and a cap, and judged by the data afterwards (design 8.9).

A heal is wanted when its gate check did not pass, or for each processor that a phase is missing. Whether it may be
asked for is decided here alone; what is refused leaves a trace with its reason.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from events.catalogue import CommandRequested, GateEvaluated, HealRequested, HealResolved, HealSuppressed
from events.codec import derive_id
from statemachine.alerts import raise_alert, resolve
from statemachine.calendar import midnight_ending, span
from statemachine.commands import common_values, fill
from statemachine.definition import Cycle, Definition, Heal, Step, in_force
from statemachine.gates import evaluate
from statemachine.state import DateState, HealState, expected, expected_games
from statemachine.turn import Turn

Refusal = Literal["cool_down", "cap", "permanent", "approval"]


def after_evaluation(turn: Turn, evaluation: GateEvaluated) -> None:
    """Want the heals that are tied to a check which did not pass; settle those whose check passes now."""
    tied = [
        (heal, check)
        for heal in turn.definition.heals
        if heal.gate == evaluation.gate
        for check in evaluation.checks
        if check.check == heal.check
    ]
    for heal, check in tied:
        if check.verdict == "pass":
            _settle(turn, heal.name, f"{check.check}: {check.basis}")
        elif check.verdict in ("block", "warn"):
            cause = f"{evaluation.gate}: {check.check} {check.basis}"
            want(turn, heal, _missing_games(turn), cause, evaluation.cycle)


def missing_in(turn: Turn, cycle: str, step: Step, cause: str) -> None:
    """Want the heals of the step's phase for every processor that it is missing."""
    missing = turn.standing(cycle, step).missing
    for heal in turn.definition.heals:
        if heal.phase == step.phase and missing:
            want(turn, heal, missing, cause, cycle)


def want(turn: Turn, heal: Heal, targets: tuple[str, ...], cause: str, cycle: str) -> None:
    """Ask for a repair of `targets` if it may be asked for; otherwise say why not, once."""
    if heal.mode == "off" or not in_force(heal, turn.state.game_date):
        return
    if not may_start(turn.state, turn.definition, heal, turn.now):
        return
    for component, group in components(heal, targets):
        known = turn.state.heals.get(component) or HealState()
        refused = refusal(heal, known, turn.now, by_person=False)
        if refused is None:
            _request(turn, Request(heal, component, group, cause, cycle, known.attempt + 1))
        elif refused.why != known.suppressed:
            _suppress(turn, component, refused)


def _suppress(turn: Turn, component: str, refused: Refused) -> None:
    if refused.why == "pending":
        return
    turn.emit(HealSuppressed(component=component, reason=refused.why, detail=refused.detail))
    if refused.why in ("cap", "permanent"):
        raise_alert(turn, "heal_exhausted", "critical", f"{component}: {refused.detail}", subject=component)


def components(heal: Heal, targets: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """A heal whose command is one per target is a component per target; otherwise one call repairs them all, for the
    service knows their order."""
    if heal.command.per == "target":
        return [(f"{heal.name}/{target}", (target,)) for target in targets]
    return [(heal.name, targets)]


def by_person(turn: Turn, heal: Heal, cause: str, *, component: str | None = None) -> list[str]:
    """Ask for `heal`, or for one `component` of it, because a person said so: no approval is waited for; cool-down and
    cap still hold. Returns why not, where nothing could be asked for."""
    if heal.mode == "off" or not in_force(heal, turn.state.game_date):
        return [f"{heal.name} is switched off for {turn.state.game_date}"]
    refusals: list[str] = []
    asked = 0
    for name, group in components(heal, targets_of(turn, heal)):
        if component not in (None, heal.name, name):
            continue
        known = turn.state.heals.get(name) or HealState()
        refused = refusal(heal, known, turn.now, by_person=True)
        if refused is None:
            asked += 1
            _request(turn, Request(heal, name, group, cause, "", known.attempt + 1))
        else:
            refusals.append(f"{name}: {refused.detail}")
    return [] if asked else refusals or [f"{component or heal.name} has nothing to repair"]


def targets_of(turn: Turn, heal: Heal) -> tuple[str, ...]:
    """What a person who asks for `heal` has repaired: the missing games; or whom the latest open cycle misses in its
    phase, and all of them where it misses nobody, for a person wants it again."""
    if heal.phase is None:
        return _missing_games(turn)
    latest = latest_cycle(turn.state, turn.definition, heal.phase)
    if latest is None:
        return ()
    stands = turn.standing(latest.name, latest.step_of[heal.phase])
    return stands.missing or stands.completed


def latest_cycle(state: DateState, definition: Definition, phase: str) -> Cycle | None:
    """The last cycle with `phase` that has opened; the last of all where none has, None where none has the phase."""
    cycles = [cycle for cycle in definition.cycles if phase in cycle.step_of]
    opened = [cycle for cycle in cycles if cycle.name in state.cycles] or cycles
    return opened[-1] if opened else None


def may_start(state: DateState, definition: Definition, heal: Heal, now: datetime) -> bool:
    """False while the games it would repair have not been played (incident I4: 7,139 runs for an unplayed date). Where
    no tip-off is known, they have been when the date is over."""
    return not heal.after_games or now >= played_at(state, definition)


def played_at(state: DateState, definition: Definition) -> datetime:
    """When the first game of the date has been played."""
    tips = expected(state).tips
    if not tips:
        return midnight_ending(state.game_date, definition.timezone)
    return tips[0] + span(definition.game_minutes)


class Refused(Struct, frozen=True):
    """Why a repair may not be asked for now; `until` is when that ends, None where time does not end it."""

    why: Refusal | Literal["pending"]
    detail: str
    until: datetime | None = None


def refusal(heal: Heal, known: HealState, now: datetime, *, by_person: bool) -> Refused | None:
    """Why an attempt at `heal` may not follow the ones that are `known`; None where it may."""
    if known.permanent:
        return Refused("permanent", "the last attempt failed for good; retrying cannot help")
    if known.requested_at is not None and known.outcome is None:
        judged = known.requested_at + span(heal.verify_minutes)
        return Refused("pending", "the last attempt is not judged yet", judged)
    if known.attempt >= heal.cap:
        return Refused("cap", f"{known.attempt} of {heal.cap} attempts used")
    if known.requested_at is not None:
        ready = known.requested_at + span(heal.cool_down_minutes)
        if now < ready:
            return Refused("cool_down", f"not before {ready.isoformat()}", ready)
    if heal.mode == "approval" and not by_person:
        return Refused("approval", "waits for a person: operator command `heal`")
    return None


class Request(Struct, frozen=True):
    """A repair that may be asked for."""

    heal: Heal
    component: str
    targets: tuple[str, ...]
    cause: str
    cycle: str
    attempt: int


def _request(turn: Turn, asked: Request) -> None:
    command = command_for(turn, asked)
    turn.emit(
        HealRequested(
            component=asked.component,
            attempt=asked.attempt,
            cause=asked.cause,
            command_id=command.command_id,
            targets=asked.targets,
        )
    )
    turn.emit(command)


def command_for(turn: Turn, asked: Request) -> CommandRequested:
    """The command that asks for a repair."""
    return CommandRequested(
        command_id=derive_id("heal", turn.state.stream, asked.component, str(asked.attempt)),
        kind="heal",
        topic=asked.heal.command.topic,
        payload=fill(asked.heal.command.payload, _values(turn, asked)),
        ordering_key=turn.state.stream,
        cycle=asked.cycle or None,
        phase=asked.heal.phase,
        attempt=asked.attempt,
    )


def _values(turn: Turn, asked: Request) -> dict[str, Any]:
    registry = turn.definition.processor_of
    known = [registry[name] for name in asked.targets if name in registry]
    return common_values(turn, cycle=asked.cycle, reason=asked.cause) | {
        "{attempt}": asked.attempt,
        "{target}": asked.targets[0] if asked.targets else "",
        "{targets}": list(asked.targets),
        "{target_classes}": [processor.class_name or processor.name for processor in known],
        "{missing}": list(asked.targets),
        "{missing_count}": len(asked.targets),
        "{missing_tables}": [processor.table for processor in known if processor.table is not None],
    }


def _missing_games(turn: Turn) -> tuple[str, ...]:
    """The games to repair, where the number of missing ones tells which: a scrape that came too early lacks the games
    that tipped off last, without exception in 115 games (incidents 0.2). A guess, and named as targets only."""
    measure = turn.definition.alerts.box_score_measure
    found = [s.measures[measure].value for s in turn.state.measures.values() if measure in s.measures]
    games = [game.game_id for game in expected_games(turn.state)]
    present = max(0, int(found[0])) if found and found[0] is not None else 0
    return tuple(games[present:])


def judge_open(turn: Turn) -> None:
    """Settle the heals of processors that have all completed since, and those that could not be sent at all."""
    specs = {heal.name: heal for heal in turn.definition.heals}
    for component, known in list(turn.state.heals.items()):
        if known.requested_at is None:
            continue
        since = known.requested_at
        if known.permanent and known.outcome is None:
            detail = "it could not be sent, and never will"
            turn.emit(HealResolved(component=component, attempt=known.attempt, outcome="failed", detail=detail))
            _told_if_spent(turn, component)
            continue
        heal = specs.get(component.partition("/")[0])
        if heal is None:
            continue
        if heal.phase is None:
            shown = _check_passes(turn, heal, since) if known.outcome is None and heal.measure_minutes else None
        elif known.targets and all(completed_since(turn.state, target, since) for target in known.targets):
            shown = f"{', '.join(known.targets)} completed after the request"
        else:
            shown = None
        if shown is not None:
            _settle(turn, component, shown)


def _check_passes(turn: Turn, heal: Heal, since: datetime) -> str | None:
    """That the check which wanted `heal` passes on what was measured after it was asked for; None where it does not."""
    observed = turn.state.measures[heal.gate].observed_at if heal.gate in turn.state.measures else {}
    if any(name not in observed or observed[name] <= since for name in measures_of(turn.definition, heal)):
        return None
    for cycle in turn.definition.cycles:
        step = next((step for step in cycle.steps if step.gate == heal.gate), None)
        seen = evaluate(turn.state, turn.definition, cycle.name, step).checks if step is not None else ()
        check = next((check for check in seen if check.check == heal.check), None)
        if check is not None:
            return f"{check.check}: {check.basis}" if check.verdict == "pass" else None
    return None


def measures_of(definition: Definition, heal: Heal) -> list[str]:
    """What has to be measured to know whether the check of `heal` passes; the expected games are the schedule's."""
    checks = definition.gate_of[heal.gate].checks if heal.gate is not None else ()
    found = [name for check in checks if check.name == heal.check for name in (check.measure, check.of)]
    return [name for name in found if name is not None and name != "games_expected"]


def completed_since(state: DateState, processor: str, since: datetime) -> bool:
    """True where `processor` completed at or after `since`, in whatever cycle."""
    return any(
        work.done_at is not None and work.done_at >= since
        for key, work in state.work.items()
        if key.endswith(f"/{processor}")
    )


def overdue(turn: Turn, component: str) -> None:
    """The time to verify has passed and the data did not come: the attempt had no effect."""
    known = turn.state.heals[component]
    if known.outcome is None:
        turn.emit(
            HealResolved(
                component=component, attempt=known.attempt, outcome="no_effect", detail="no data within the time"
            )
        )
        _told_if_spent(turn, component)


def _told_if_spent(turn: Turn, component: str) -> None:
    """The last attempt that could be made is judged: nobody has to ask once more before it is said."""
    heal = next((item for item in turn.definition.heals if item.name == component.partition("/")[0]), None)
    if heal is None:
        return
    known = turn.state.heals[component]
    refused = refusal(heal, known, turn.now, by_person=False)
    if refused is not None and refused.why in ("cap", "permanent") and refused.why != known.suppressed:
        _suppress(turn, component, refused)


def _settle(turn: Turn, component: str, detail: str) -> None:
    """The data is there: the open attempt has healed it, and nothing is exhausted any more, however it came."""
    known = turn.state.heals.get(component)
    if known is not None and known.requested_at is not None and known.outcome is None:
        turn.emit(HealResolved(component=component, attempt=known.attempt, outcome="healed", detail=detail))
    resolve(turn, "heal_exhausted", detail, component)
