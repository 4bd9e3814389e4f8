"""What a person may ask of a date, and when it may not be done (interface: commands, 409)."""

from __future__ import annotations

from collections.abc import Callable

from events.catalogue import OperatorActed
from statemachine import heals, validation
from statemachine.alerts import RANK, page_again, page_id, paged_severity
from statemachine.definition import Cycle
from statemachine.machine import CycleModel, settle_cycle
from statemachine.state import is_quiet
from statemachine.turn import Turn


class CommandNotAllowed(Exception):
    """The state of the date does not allow the command. Nothing was recorded."""

    code = "command_not_allowed"

    def __init__(self, *, command: str, reason: str, next_step: str) -> None:
        self.command, self.reason, self.next_step = command, reason, next_step
        super().__init__(command, reason, next_step)

    def __str__(self) -> str:
        return f"{self.command}: {self.reason}. {self.next_step}"


def act(turn: Turn, data: OperatorActed) -> None:
    """Record the operator's command and carry it out. Raises CommandNotAllowed."""
    if data.command in _MOVES and is_quiet(turn.state):
        if not turn.state.halted:
            raise _refuse(data, f"{turn.state.stream} expects no game", "Publish its schedule first.")
        if data.command != "resume":
            raise _refuse(data, f"{turn.state.stream} is halted", "`resume` lets it go on.")
    _ACTION[data.command](turn, data)


def _refuse(data: OperatorActed, reason: str, next_step: str) -> CommandNotAllowed:
    return CommandNotAllowed(command=data.command, reason=reason, next_step=next_step)


def _at_gate(turn: Turn, data: OperatorActed, kinds: tuple[str, ...]) -> list[Cycle]:
    found = []
    for cycle in turn.definition.cycles:
        at = turn.state.cycles.get(cycle.name)
        if at is None or at.phase is None or at.state not in {f"{at.phase}_{kind}" for kind in kinds}:
            continue
        if data.target in (None, cycle.name, cycle.step_of[at.phase].gate):
            found.append(cycle)
    if not found:
        reason = f"no cycle of {turn.state.stream} is {' or '.join(kinds)}" + (
            f" at {data.target}" if data.target else ""
        )
        raise _refuse(data, reason, "`day show` says where each cycle stands.")
    return found


def _recheck(turn: Turn, data: OperatorActed) -> None:
    if data.target in turn.definition.validators_of:
        turn.emit(data)
        if not validation.look(turn, data.target):
            raise _refuse(data, f"{data.target} has written no table", "`day show` says what has completed.")
        return
    cycles = _at_gate(turn, data, ("blocked",))
    turn.emit(data)
    for cycle in cycles:
        model = CycleModel(turn, cycle)
        model.fire("recheck", f"asked by {turn.fact.actor}: {data.reason}")
        model.settle()


def _override(turn: Turn, data: OperatorActed) -> None:
    cycles = _at_gate(turn, data, ("blocked", "gate"))
    turn.emit(data)
    for cycle in cycles:
        model = CycleModel(turn, cycle)
        model.fire("override", f"overridden by {turn.fact.actor}: {data.reason}")
        model.settle()


def _waive(turn: Turn, data: OperatorActed) -> None:
    if data.target not in turn.state.games:
        known = ", ".join(sorted(turn.state.games)) or "none"
        raise _refuse(data, f"{data.target!r} is no game of {turn.state.stream}", f"Games: {known}.")
    if data.target in turn.state.waived:
        raise _refuse(data, f"{data.target} is waived already", "`day show` lists what is expected.")
    turn.emit(data)
    for cycle in turn.definition.cycles:
        at = turn.state.cycles.get(cycle.name)
        if at is not None and at.phase is not None and at.state == f"{at.phase}_blocked":
            model = CycleModel(turn, cycle)
            model.fire("recheck", f"{data.target} waived by {turn.fact.actor}: {data.reason}")
            model.settle()


def _acknowledge(turn: Turn, data: OperatorActed) -> None:
    open_ = [
        key
        for key, alert in turn.state.alerts.items()
        if data.target in (key, alert.cause) and alert.acknowledged_at is None
    ]
    if not open_:
        raise _refuse(data, f"no unacknowledged alert {data.target!r}", "`alerts` lists the open ones.")
    turn.emit(data)


def _resend(turn: Turn, data: OperatorActed) -> None:
    named = [alert for key, alert in turn.state.alerts.items() if data.target in (key, alert.cause)]
    if not named:
        raise _refuse(data, f"no alert {data.target!r}", "`alerts --all` lists them.")
    paged = [alert for alert in named if RANK[paged_severity(alert)] > RANK["info"]]
    if not paged:
        raise _refuse(data, f"{data.target!r} is information, which nobody is paged for", "The daily digest has it.")
    ready = [alert for alert in paged if page_id(turn.state, alert) not in turn.state.sent]
    if not ready:
        raise _refuse(data, f"{data.target!r} is on its way", "It leaves as soon as its channel takes it.")
    turn.emit(data)
    for alert in ready:
        page_again(turn, alert)


def _suppress(turn: Turn, data: OperatorActed) -> None:
    raise _refuse(data, "alerts are suppressed for a sport, not for a date", "`alerts suppress` does it.")


def _heal(turn: Turn, data: OperatorActed) -> None:
    name = (data.target or "").partition("/")[0]
    heal = next((item for item in turn.definition.heals if item.name == name), None)
    if heal is None:
        known = ", ".join(item.name for item in turn.definition.heals)
        raise _refuse(data, f"{data.target!r} is no component of the definition", f"Components: {known}.")
    if not heals.may_start(turn.state, turn.definition, heal, turn.now):
        raise _refuse(data, "the games have not been played", "Wait for the first final.")
    turn.emit(data)
    refusals = heals.by_person(turn, heal, f"{turn.fact.actor}: {data.reason}", component=data.target)
    if refusals:
        raise _refuse(data, "; ".join(refusals), "`heal plan` says what may be asked for, and when.")


def _halt(turn: Turn, data: OperatorActed) -> None:
    if turn.state.halted:
        raise _refuse(data, f"{turn.state.stream} is halted already", "`resume` lets it go on.")
    turn.emit(data)


def _resume(turn: Turn, data: OperatorActed) -> None:
    parked = [
        cycle
        for cycle in turn.definition.cycles
        if cycle.name in turn.state.cycles
        and turn.state.cycles[cycle.name].state == "parked"
        and data.target in (None, cycle.name)
    ]
    if not turn.state.halted and not parked:
        raise _refuse(data, "nothing is halted or parked", "`day show` says where each cycle stands.")
    was_halted = turn.state.halted
    turn.emit(data)
    if was_halted:
        for cycle in turn.definition.cycles:
            at = turn.state.cycles.get(cycle.name)
            if at is not None and at.state not in ("idle", "done", "parked"):
                settle_cycle(turn, cycle)
        return
    for cycle in parked:
        model = CycleModel(turn, cycle)
        model.fire("resume", f"resumed by {turn.fact.actor}: {data.reason}")
        model.settle()


_MOVES = frozenset({"recheck", "override", "heal", "resume"})
"""Commands that set the machine going, which a quiet date does not do."""

_ACTION: dict[str, Callable[[Turn, OperatorActed], None]] = {
    "recheck": _recheck,
    "override": _override,
    "waive": _waive,
    "acknowledge": _acknowledge,
    "heal": _heal,
    "halt": _halt,
    "resume": _resume,
    "resend": _resend,
    "suppress": _suppress,
}
