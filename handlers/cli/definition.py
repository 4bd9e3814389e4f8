"""`definition`: whether one is sound, and what it says."""

from __future__ import annotations

from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from handlers.cli.arguments import In
from handlers.cli.problems import Exit
from handlers.cli.tables import facts, table
from handlers.definitions import load
from statemachine.definition import CheckSpec, Definition
from statemachine.validation import bounds_words

app = App(name="definition", help="Definitions: pipelines described as data.")

Source = Annotated[str, Parameter(help="A TOML file, or the name of a shipped definition (nba, mlb).")]


class Answer(Struct, frozen=True, kw_only=True):
    """A definition that is sound, in numbers; `overrides` are those of the environment, part of the version."""

    version: str
    sport: str
    phases: int
    processors: int
    cycles: int
    gates: int
    validators: int
    overrides: dict[str, str]


@app.command
def check(source: Source, /, *, session: In) -> int:
    """Load a definition and say every error at once."""
    definition = load(source, session.environ)
    answer = Answer(
        version=definition.version,
        sport=definition.sport,
        phases=len(definition.phases),
        processors=len(definition.processors),
        cycles=len(definition.cycles),
        gates=len(definition.gates),
        validators=len(definition.validators),
        overrides=definition.overrides,
    )
    session.answer(answer, lambda console: _print_numbers(console, answer))
    return Exit.HEALTHY


@app.command
def show(source: Source, /, *, session: In) -> int:
    """What a definition says; with --json its whole canonical content."""
    definition = load(source, session.environ)
    session.answer(msgspec.Raw(definition.content), lambda console: _print(console, definition))
    return Exit.HEALTHY


def _print_numbers(console: Console, answer: Answer) -> None:
    console.print(f"{answer.version} is sound")
    overrides = ", ".join(f"{name}={value}" for name, value in answer.overrides.items()) or "none"
    names = ("sport", "phases", "processors", "cycles", "gates", "validators")
    console.print(facts(*[(name, getattr(answer, name)) for name in names], ("overrides", overrides)))


def _print(console: Console, definition: Definition) -> None:
    console.print(Text(f"{definition.version}  {definition.sport}, {definition.timezone}", style="bold"))
    for cycle in definition.cycles:
        title = (
            f"Cycle {cycle.name}: opens {cycle.opens_minutes} min after {cycle.opens}, parks {cycle.park_hours} h on"
        )
        rows = [
            (
                step.phase,
                [f"{name}*" if name in step.critical else name for name in step.expected],
                step.optional,
                [wait.reason for wait in step.waits],
                step.gate or "",
            )
            for step in cycle.steps
        ]
        columns = ("phase", "expects (* critical)", "optional", "ready when", "gate")
        console.print(table(*columns, rows=rows, title=title))
    for gate in definition.gates:
        checks = [_check(spec) for spec in gate.checks]
        console.print(table("check", "kind", "measures", "limits", rows=checks, title=f"Gate {gate.name}: {gate.mode}"))
    for processor, found in definition.validators_of.items():
        validators = [(v.name, v.counts, bounds_words(v), v.severity, v.heal or "") for v in found]
        title = f"Validators of {processor}: {definition.processor_of[processor].table}"
        console.print(table("validator", "counts", "bounds", "a failure is", "heal", rows=validators, title=title))
    heals = [(h.name, h.mode, h.gate or h.phase or "", h.cool_down_minutes, h.cap) for h in definition.heals]
    console.print(table("heal", "mode", "for", "#cool-down min", "#cap", rows=heals, title="Heals"))


def _check(spec: CheckSpec) -> tuple[object, ...]:
    measured = " ÷ ".join(name for name in (spec.measure, spec.of) if name is not None)
    names = ("block_below", "warn_below", "critical_below", "warn_above", "block_above", "at_least")
    limits = [f"{name} {getattr(spec, name):g}" for name in names if getattr(spec, name) is not None]
    return spec.name, spec.kind, measured, limits
