"""Environment names that operators already use, read as overrides of a definition (interface: settings).

An override becomes part of the definition: it is recorded in `Definition.overrides` and so changes the version. One
that does not parse, or that makes the definition contradict itself, is an error that names the variable; nothing falls
back silently (the field read `PHASE_VALIDATION_MODE=disabled` as `warning`, orchestration B16). One that has nothing to
act on in a definition (a coverage threshold where nothing measures coverage) leaves it as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from events.values import Mode
from statemachine.definition import CheckSpec, Definition
from statemachine.soundness import findings

QUALITY_MEASURE = "feature_quality_avg"
"""The measure (0 to 100) that the quality threshold (0 to 1) is about."""

Text = str
Change = Callable[[Definition, Any], Definition | None]
"""What an override makes of a definition; None where it has nothing to act on."""


class Override(Struct, frozen=True, kw_only=True):
    """One environment name: what it means, what it takes, what holds without it, and which table it touches."""

    name: str
    meaning: str
    takes: str
    default: str
    touches: Literal["gates", "client", "phases", "heals"]
    parse: Callable[[Text], Any]
    change: Change


# --- what a text says ----------------------------------------------------------------------------------------------


def _switch(text: Text) -> bool:
    """`true`, `1` and `yes` (robustness 1.2) and their opposites, in any case."""
    said = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in said:
        raise ValueError
    return said[text.lower()]


def _mode(text: Text) -> str:
    if text.lower() not in get_args(Mode):
        raise ValueError
    return text.lower()


def _restraint(text: Text) -> str:
    """Heals can be held back from the environment, never let loose: an approval that a definition asks for stays."""
    if text.lower() not in ("approval", "off"):
        raise ValueError
    return text.lower()


def _share(text: Text) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _positive(text: Text) -> float:
    value = float(text)
    if not (value > 0 and math.isfinite(value)):
        raise ValueError
    return value


def _count(text: Text) -> int:
    value = int(text)
    if value <= 0:
        raise ValueError
    return value


TAKES: dict[Callable[[Text], Any], str] = {
    _switch: "true or false",
    _mode: "disabled, warning or blocking",
    _restraint: "approval or off",
    _share: "a number from 0 to 1",
    _positive: "a number above 0",
    _count: "a whole number above 0",
}


# --- what it changes -----------------------------------------------------------------------------------------------


def _all_gates(definition: Definition, mode: Mode) -> Definition:
    gates = tuple(replace(gate, mode=mode) for gate in definition.gates)
    cycles = tuple(
        replace(cycle, steps=tuple(replace(step, gate_mode=None) for step in cycle.steps))
        for cycle in definition.cycles
    )
    validators = () if mode == "disabled" else definition.validators
    return replace(definition, gates=gates, cycles=cycles, validators=validators)


def _gates_on(definition: Definition, on: bool) -> Definition:
    return definition if on else _all_gates(definition, "disabled")


def _commands_on(definition: Definition, on: bool) -> Definition | None:
    if on or not any(phase.commands for phase in definition.phases):
        return definition if on else None
    phases = tuple(replace(phase, commands=()) for phase in definition.phases)
    gates = tuple(replace(gate, retries=0) for gate in definition.gates)
    return replace(definition, phases=phases, gates=gates)


def _heals_held(definition: Definition, mode: Literal["approval", "off"]) -> Definition | None:
    if not definition.heals:
        return None
    held = (replace(heal, mode=mode if heal.mode != "off" else "off") for heal in definition.heals)
    return replace(definition, heals=tuple(held))


def _checks_of(definition: Definition, measure: str, **limits: float) -> Definition | None:
    def changed(check: CheckSpec) -> CheckSpec:
        return replace(check, **limits) if check.measure == measure else check

    if all(check.measure != measure for gate in definition.gates for check in gate.checks):
        return None
    gates = (replace(gate, checks=tuple(map(changed, gate.checks))) for gate in definition.gates)
    return replace(definition, gates=tuple(gates))


def _coverage(definition: Definition, share: float) -> Definition | None:
    return _checks_of(definition, definition.alerts.box_score_measure, block_below=share)


def _quality(definition: Definition, share: float) -> Definition | None:
    return _checks_of(definition, QUALITY_MEASURE, warn_below=round(share * 100, 6))


def _client(name: str, key: str, parse: Callable[[Text], Any], default: str, meaning: str) -> Override:
    def change(definition: Definition, value: Any) -> Definition:
        return replace(definition, client=replace(definition.client, **{key: value}))

    return Override(
        name=name, meaning=meaning, takes=TAKES[parse], default=default, touches="client", parse=parse, change=change
    )


def _gates(name: str, change: Change, parse: Callable[[Text], Any], default: str, meaning: str) -> Override:
    return Override(
        name=name, meaning=meaning, takes=TAKES[parse], default=default, touches="gates", parse=parse, change=change
    )


# The mode comes before the switch: a pipeline that is switched off is off, whatever its mode.
OVERRIDES: tuple[Override, ...] = (
    _gates("PHASE_VALIDATION_MODE", _all_gates, _mode, "each gate's own", "mode of every gate"),
    _gates("PHASE_VALIDATION_ENABLED", _gates_on, _switch, "true", "false disables every gate"),
    _gates(
        "PHASE_VALIDATION_GAME_COUNT_THRESHOLD",
        _coverage,
        _share,
        "0.8",
        "share of box scores below which a gate blocks",
    ),
    _gates("PHASE_VALIDATION_QUALITY_THRESHOLD", _quality, _share, "0.7", "feature quality below which a gate warns"),
    Override(
        name="PHASE_COMMANDS_ENABLED",
        meaning="false leaves starting phases to somebody else",
        takes=TAKES[_switch],
        default="true",
        touches="phases",
        parse=_switch,
        change=_commands_on,
    ),
    Override(
        name="SELF_HEAL_MODE",
        meaning="holds every heal back: for a person's approval, or altogether",
        takes=TAKES[_restraint],
        default="each heal's own",
        touches="heals",
        parse=_restraint,
        change=_heals_held,
    ),
    _client("RATE_LIMIT_MAX_RETRIES", "retries_max", _count, "5", "attempts before a call is given up"),
    _client("RATE_LIMIT_BASE_BACKOFF", "backoff_base_seconds", _positive, "2.0", "seconds before the first retry"),
    _client(
        "RATE_LIMIT_MAX_BACKOFF", "backoff_max_seconds", _positive, "120.0", "longest wait between retries, seconds"
    ),
    _client("RATE_LIMIT_CB_THRESHOLD", "breaker_threshold", _count, "10", "failures in a row that open the breaker"),
    _client("RATE_LIMIT_CB_TIMEOUT", "breaker_open_seconds", _positive, "300", "seconds for which it stays open"),
    _client("RATE_LIMIT_CB_ENABLED", "breaker_enabled", _switch, "true", "whether there is a breaker"),
    _client("RATE_LIMIT_RETRY_AFTER_ENABLED", "retry_after_enabled", _switch, "true", "whether Retry-After is obeyed"),
    _client("HTTP_POOL_BACKOFF_FACTOR", "pool_backoff_factor", _positive, "0.5", "back-off factor of pooled calls"),
    _client(
        "SCRAPER_BACKOFF_FACTOR", "scraper_backoff_factor", _positive, "3.0", "back-off factor of calls to scrapers"
    ),
)


def overridden(definition: Definition, environ: Mapping[str, str]) -> tuple[Definition, list[tuple[str, str]]]:
    """`definition` (sound) under the overrides in `environ`, and what is wrong with them as (variable, message)."""
    base, wrong, set_here = definition, unreadable(environ), dict[str, str]()
    for override in OVERRIDES:
        text = environ.get(override.name, "").strip()
        if override.name not in environ or any(name == override.name for name, _ in wrong):
            continue
        value = override.parse(text)
        changed = override.change(definition, value)
        if changed is not None:
            definition = changed
            set_here[override.name] = str(value).lower()
    for place, message in findings(definition) if definition != base else ():
        touching = [o.name for o in OVERRIDES if o.name in set_here and o.touches == place[0]]
        wrong.append((", ".join(touching), message))
    return replace(definition, overrides=set_here), wrong


def unreadable(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The overrides in `environ` whose text does not parse, as (variable, message)."""
    wrong: list[tuple[str, str]] = []
    for override in OVERRIDES:
        if override.name in environ:
            text = environ[override.name]
            try:
                override.parse(text.strip())
            except ValueError:
                wrong.append((override.name, f'takes {override.takes}, not "{text}"; unset it for {override.default}'))
    return wrong
