"""Heals: repairs asked for under a key, a cool-down and a cap, and judged by the data afterwards (design 8.9).

A heal is wanted when its gate check did not pass, or for each processor that a phase is missing. Whether it may be
asked for is decided here alone; what is refused leaves a trace with its reason.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, cast

from msgspec import Struct

from events.catalogue import CommandRequested, GateEvaluated, HealRequested, HealResolved, HealSuppressed
from events.codec import derive_id
from statemachine.alerts import raise_alert, resolve
from statemachine.calendar import midnight_ending
from statemachine.commands import common_values, fill
from statemachine.definition import Definition, Heal, Step, in_force
from statemachine.readiness import standing
from statemachine.state import DateState, HealState, expected_games
from statemachine.turn import Turn

Refusal = Literal["cool_down", "cap", "permanent", "approval"]


def after_evaluation(turn: Turn, evaluation: GateEvaluated) -> None:
    """Want the heals that are tied to a check which did not pass; settle those whose check passes now."""
    verdicts = {check.check: check for check in evaluation.checks}
    for heal in turn.definition.heals:
        check = verdicts.get(heal.check or "") if heal.gate == evaluation.gate else None
        if check is None:
            continue
        if check.verdict == "pass":
            _settle(turn, heal.name, f"{check.check}: {check.basis}")
        elif check.verdict in ("block", "warn"):
            cause = f"{evaluation.gate}: {check.check} {check.basis}"
            want(turn, heal, _missing_games(turn), cause, evaluation.cycle)


def missing_in(turn: Turn, cycle: str, step: Step, cause: str) -> None:
    """Want the heals of the step's phase for every processor that it is missing."""
    missing = standing(turn.state, turn.definition, cycle, step).missing
    for heal in turn.definition.heals:
        if heal.phase == step.phase and missing:
            want(turn, heal, missing, cause, cycle)


def want(turn: Turn, heal: Heal, targets: tuple[str, ...], cause: str, cycle: str) -> None:
    """Ask for a repair of `targets` if it may be asked for; otherwise say why not, once."""
    if heal.mode == "off" or not in_force(heal, turn.state.game_date):
        return
    if not may_start(turn.state, turn.definition, heal, turn.now):
        return
    for component, group in _components(heal, targets):
        known = turn.state.heals.get(component) or HealState()
        refusal = _refusal(turn, heal, known, by_person=False)
        if refusal is None:
            _request(turn, Request(heal, component, group, cause, cycle, known.attempt + 1))
        elif refusal[0] not in ("pending", known.suppressed):
            turn.emit(HealSuppressed(component=component, reason=cast(Refusal, refusal[0]), detail=refusal[1]))
            if refusal[0] in ("cap", "permanent"):
                raise_alert(turn, "heal_exhausted", "critical", f"{component}: {refusal[1]}", subject=component)


def _components(heal: Heal, targets: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """A heal whose command is one per target is a component per target; otherwise one call repairs them all, for the
    service knows their order."""
    if heal.command.per == "target":
        return [(f"{heal.name}/{target}", (target,)) for target in targets]
    return [(heal.name, targets)]


def by_person(turn: Turn, heal: Heal, cause: str) -> list[str]:
    """Ask for `heal` because a person said so: no approval is waited for; cool-down and cap still hold. Returns why
    not, where nothing could be asked for."""
    if heal.mode == "off" or not in_force(heal, turn.state.game_date):
        return [f"{heal.name} is switched off for {turn.state.game_date}"]
    targets = _missing_games(turn) if heal.phase is None else _whom_to_run(turn, heal.phase)
    refusals: list[str] = []
    asked = 0
    for component, group in _components(heal, targets):
        known = turn.state.heals.get(component) or HealState()
        refusal = _refusal(turn, heal, known, by_person=True)
        if refusal is None:
            asked += 1
            _request(turn, Request(heal, component, group, cause, "", known.attempt + 1))
        else:
            refusals.append(f"{component}: {refusal[1]}")
    return [] if asked else refusals or [f"{heal.name} has nothing to repair"]


def _whom_to_run(turn: Turn, phase: str) -> tuple[str, ...]:
    """Whom the latest open cycle misses in `phase`; all of them where it misses nobody, for a person wants it again."""
    cycles = [cycle for cycle in turn.definition.cycles if phase in cycle.step_of]
    opened = [cycle for cycle in cycles if cycle.name in turn.state.cycles] or cycles
    if not opened:
        return ()
    latest = opened[-1]
    stands = standing(turn.state, turn.definition, latest.name, latest.step_of[phase])
    return stands.missing or stands.completed


def may_start(state: DateState, definition: Definition, heal: Heal, now: datetime) -> bool:
    """False while the games it would repair have not been played (incident I4: 7,139 runs for an unplayed date). Where
    no tip-off is known, they have been when the date is over."""
    if not heal.after_games:
        return True
    tips = [game.start_utc for game in expected_games(state) if game.start_utc is not None]
    if not tips:
        return now >= midnight_ending(state.game_date, definition.timezone)
    return now >= min(tips) + timedelta(minutes=definition.game_minutes)


def _refusal(turn: Turn, heal: Heal, known: HealState, *, by_person: bool) -> tuple[str, str] | None:
    if known.permanent:
        return "permanent", "the last attempt failed for good; retrying cannot help"
    if known.requested_at is not None and known.outcome is None:
        return "pending", "the last attempt is not judged yet"
    if known.attempt >= heal.cap:
        return "cap", f"{known.attempt} of {heal.cap} attempts used"
    if known.requested_at is not None:
        ready = known.requested_at + timedelta(minutes=heal.cool_down_minutes)
        if turn.now < ready:
            return "cool_down", f"not before {ready.isoformat()}"
    if heal.mode == "approval" and not by_person:
        return "approval", "waits for a person: operator command `heal`"
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
    command_id = derive_id("heal", turn.state.stream, asked.component, asked.attempt)
    turn.emit(
        HealRequested(
            component=asked.component,
            attempt=asked.attempt,
            cause=asked.cause,
            command_id=command_id,
            targets=asked.targets,
        )
    )
    turn.emit(
        CommandRequested(
            command_id=command_id,
            kind="heal",
            topic=asked.heal.command.topic,
            payload=fill(asked.heal.command.payload, _values(turn, asked)),
            ordering_key=turn.state.stream,
            cycle=asked.cycle or None,
            phase=asked.heal.phase,
            attempt=asked.attempt,
        )
    )


def _values(turn: Turn, asked: Request) -> dict[str, Any]:
    registry = turn.definition.processor_of
    known = [registry[name] for name in asked.targets if name in registry]
    return common_values(turn, cycle=asked.cycle, reason=asked.cause) | {
        "attempt": asked.attempt,
        "target": asked.targets[0] if asked.targets else "",
        "targets": list(asked.targets),
        "target_classes": [processor.class_name or processor.name for processor in known],
        "missing": list(asked.targets),
        "missing_count": len(asked.targets),
        "missing_tables": [processor.table for processor in known if processor.table is not None],
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
    phases = {heal.name: heal.phase for heal in turn.definition.heals}
    for component, known in list(turn.state.heals.items()):
        if known.requested_at is None:
            continue
        since = known.requested_at
        if known.permanent and known.outcome is None:
            detail = "it could not be sent, and never will"
            turn.emit(HealResolved(component=component, attempt=known.attempt, outcome="failed", detail=detail))
        elif (
            phases.get(component.partition("/")[0]) is not None
            and known.targets
            and all(completed_since(turn.state, target, since) for target in known.targets)
        ):
            _settle(turn, component, f"{', '.join(known.targets)} completed after the request")


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


def _settle(turn: Turn, component: str, detail: str) -> None:
    """The data is there: the open attempt has healed it, and nothing is exhausted any more, however it came."""
    known = turn.state.heals.get(component)
    if known is not None and known.requested_at is not None and known.outcome is None:
        turn.emit(HealResolved(component=component, attempt=known.attempt, outcome="healed", detail=detail))
    resolve(turn, "heal_exhausted", detail, component)
