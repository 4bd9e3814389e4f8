"""What a person can do about a date now, as commands to type. Only what the state allows is offered."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from projections.present import held
from projections.wording import listed
from statemachine.alerts import RANK
from statemachine.definition import Definition
from statemachine.state import DateState, expected_games, is_quiet, open_alerts
from statemachine.validation import not_valid


class Option(Struct, frozen=True, kw_only=True):
    """A command to type (`NAME`, `REASON` and `GAME` are to be filled in) and what it does."""

    command: str
    effect: str


def command_line(state: DateState, verb: str, target: str | None = None) -> str:
    """The operator's command `verb` for the date, as it is typed."""
    about = f" --target {target}" if target is not None else ""
    return f"python main.py day act {state.game_date} {verb}{about} --sport {state.sport} --actor NAME --reason REASON"


def options(state: DateState, definition: Definition) -> tuple[Option, ...]:
    """What can be done now, the mildest first."""
    held = [*_held(state, definition), *_tables(state, definition)]
    found = [*_halted(state), *held, *_parked(state), *_alerts(state)]
    return tuple(Option(command=command, effect=effect) for command, effect in found)


def _halted(state: DateState) -> Iterator[tuple[str, str]]:
    if state.halted:
        yield command_line(state, "resume"), "lets the date go on"


def _held(state: DateState, definition: Definition) -> Iterator[tuple[str, str]]:
    if is_quiet(state):
        return
    for cycle, gate in held(state, definition):
        yield command_line(state, "recheck", gate), f"measures again and judges {gate} ({cycle}) anew"
        checks = {check.name for check in definition.gate_of[gate].checks if check.of == "games_expected"}
        failing = state.gates[f"{gate}@{cycle}"].evaluation.checks if f"{gate}@{cycle}" in state.gates else ()
        if any(check.check in checks and check.verdict != "pass" for check in failing):
            games = listed(game.game_id for game in expected_games(state))
            yield command_line(state, "waive", "GAME"), f"goes on without a game; expected are {games}"
        yield command_line(state, "override", gate), f"passes {gate} as it is; what follows is marked degraded"


def _tables(state: DateState, definition: Definition) -> Iterator[tuple[str, str]]:
    if is_quiet(state):
        return
    for validator, _of in not_valid(state, definition):
        if validator.heal is not None:
            yield command_line(state, "heal", validator.heal), f"repairs {validator.measure}"
    for processor in dict.fromkeys(validator.processor for validator, _of in not_valid(state, definition)):
        yield command_line(state, "recheck", processor), f"has the table of {processor} looked at again"


def _parked(state: DateState) -> Iterator[tuple[str, str]]:
    for name, at in state.cycles.items():
        if at.state == "parked" and not is_quiet(state):
            yield command_line(state, "resume", name), f"takes {name} up again in {at.phase}"


def _alerts(state: DateState) -> Iterator[tuple[str, str]]:
    causes = {
        alert.cause: alert
        for alert in open_alerts(state)
        if alert.acknowledged_at is None and RANK[alert.severity] > RANK["info"]
    }
    for cause in sorted(causes):
        yield command_line(state, "acknowledge", cause), f"says that somebody looks after {cause}"
