"""`warehouse`: export to it, measure and validate in it without telling anyone, and what its tables look like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from events.values import Measure
from handlers.cli.arguments import Date, In, Sport, game_date
from handlers.cli.problems import Exit, Refused
from handlers.cli.session import Session
from handlers.cli.tables import facts, table
from handlers.warehouse.engine import Warehouse
from handlers.warehouse.export import ROUND_SECONDS, Exported, Exporter, follow, overlap_of
from handlers.warehouse.opening import TAKES, open_warehouse
from handlers.warehouse.tables import DATASET, ddl

if TYPE_CHECKING:
    from handlers.warehouse.validating import Validated

app = App(name="warehouse", help="The warehouse: an export of what happened, and a place to measure.")

Place = Annotated[str | None, Parameter(name="--warehouse", help=f"{TAKES} (setting TIPOFF_WAREHOUSE).")]
Follow = Annotated[bool, Parameter(help="Go on: export what comes, round after round.", negative="")]
Every = Annotated[int, Parameter(help="Seconds between two rounds, 60 or more.")]
Boundary = Annotated[str, Parameter(help="A gate of the definition, such as raw_to_analytics.")]
Processors = Annotated[str, Parameter(help="Processors whose tables to validate; all that have validators.")]
Directory = Annotated[str | None, Parameter(help="Directory to write one file each into; else they are printed.")]
Dataset = Annotated[str, Parameter(help="The dataset that holds the tables.")]

EVERY_SECONDS_MIN = 60
"""Faster rounds would come near the number of load jobs that BigQuery allows in a day."""


class Looked(Struct, frozen=True, kw_only=True):
    """What a dry look at a boundary saw."""

    sport: str
    game_date: str
    boundary: str
    warehouse: str
    measures: dict[str, Measure]


@app.command
def export(*, warehouse: Place = None, follow: Follow = False, every: Every = ROUND_SECONDS, session: In) -> int:
    """Copy events and gate evaluations into the warehouse, each once; again, to go on where it ended."""
    if every < EVERY_SECONDS_MIN:
        raise Refused(f"--every {every} is too often", next_step=f"Give {EVERY_SECONDS_MIN} seconds or more.")
    with _opened(session, warehouse) as place, session.reading() as store:
        exporter = Exporter(store, place, overlap=overlap_of(session.store))
        if follow:
            _follow(session, exporter, every)
            return Exit.HEALTHY
        with session.watch("events") as watch:
            done = exporter.run(watch)
    session.answer(done, lambda console: _print_exported(console, done))
    return Exit.HEALTHY


@app.command
def probe(date_: Date, boundary: Boundary, /, *, warehouse: Place = None, sport: Sport = None, session: In) -> int:
    """Measure a boundary now and print what was counted. Nothing is recorded."""
    from handlers.warehouse.channel import measured  # noqa: PLC0415 - the parser of SQL takes a third of a second
    from handlers.warehouse.queries import measures_of, queries_for  # noqa: PLC0415

    definition = session.definitions[session.sport(sport)]
    if boundary not in definition.gate_of:
        known = ", ".join(definition.gate_of)
        raise Refused(f"{definition.sport} has no boundary {boundary!r}", next_step=f"Known: {known}.")
    day = game_date(session, definition.sport, date_)
    queries = queries_for(definition, measures_of(definition, boundary, day), date.fromisoformat(day))
    with _opened(session, warehouse) as place:
        looked = Looked(
            sport=definition.sport,
            game_date=day,
            boundary=boundary,
            warehouse=place.name,
            measures=measured(place, queries),
        )
    session.answer(looked, lambda console: _print_looked(console, looked))
    return Exit.WARNING if any(measure.error for measure in looked.measures.values()) else Exit.HEALTHY


@app.command
def validate(date_: Date, /, *processors: Processors, warehouse: Place = None, sport: Sport = None, session: In) -> int:
    """Run the validators of a date's tables now and print what they say. Nothing is recorded."""
    from handlers.warehouse.validating import validate as run  # noqa: PLC0415 - the parser of SQL takes its time

    definition = session.definitions[session.sport(sport)]
    known = definition.validators_of
    for name in processors:
        if name not in known:
            step = f"Known: {', '.join(known)}." if known else f"{definition.name} has none: docs/validators.md."
            raise Refused(f"{definition.sport} has no validators of {name!r}", next_step=step)
    day = game_date(session, definition.sport, date_)
    with _opened(session, warehouse) as place:
        validated = run(place, definition, day, processors or tuple(known))
    session.answer(validated, lambda console: _print_validated(console, validated))
    return _EXIT[validated.severity]


_EXIT = {None: Exit.HEALTHY, "info": Exit.HEALTHY, "warning": Exit.WARNING, "critical": Exit.CRITICAL}


@app.command(name="ddl")
def ddl_(directory: Directory = None, /, *, dataset: Dataset = DATASET, session: In) -> int:
    """The statements that make tables and views, as BigQuery takes them."""
    found = ddl(dataset)
    if directory is not None:
        _write(Path(directory), found)
        session.answer(list(found), lambda console: console.print(f"{len(found)} files in {directory}"))
        return Exit.HEALTHY
    session.answer(found, lambda console: console.print("\n".join(found.values()).strip(), markup=False))
    return Exit.HEALTHY


def _follow(session: Session, exporter: Exporter, every: int) -> None:
    def wait() -> bool:
        sleep(every)
        return True

    def told(done: Exported) -> None:
        if done.batches:
            session.answer(done, lambda console: _print_exported(console, done))

    follow(exporter.run, wait=wait, told=told, failed=lambda error: session.note(f"tipoff: {error}"))


@contextmanager
def _opened(session: Session, said: str | None) -> Iterator[Warehouse]:
    name = said or session.settings.warehouse
    if not name:
        step = f"Give --warehouse or set TIPOFF_WAREHOUSE: {TAKES}."
        raise Refused("no warehouse is named", next_step=step)
    with open_warehouse(name) as warehouse:
        yield warehouse


def _write(directory: Path, found: dict[str, str]) -> None:
    try:
        for name, text in found.items():
            (directory / f"{name}.sql").write_text(text, encoding="utf-8")
    except OSError as error:
        step = "Name a directory that is there and can be written."
        raise Refused(f"{directory} cannot be written: {error.strerror}", next_step=step) from error


def _print_exported(console: Console, done: Exported) -> None:
    names = ("events", "evaluations", "batches", "resumed", "position")
    console.print(facts(*[(name, getattr(done, name)) for name in names]))


def _print_looked(console: Console, looked: Looked) -> None:
    rows = [
        (name, "" if measure.error else measure.value, measure.error or "") for name, measure in looked.measures.items()
    ]
    title = f"{looked.boundary} of {looked.sport} {looked.game_date} in {looked.warehouse}"
    console.print(table("measure", "#value", "error", rows=rows, title=title))


def _print_validated(console: Console, validated: Validated) -> None:
    console.print(f"tables of {validated.sport} {validated.game_date} in {validated.warehouse}", markup=False)
    for found in validated.tables:
        rows = [
            (
                each.validator,
                each.value,
                each.bounds,
                each.verdict,
                each.severity or "-",
                Text(each.error or each.counts),
            )
            for each in found.validators
        ]
        columns = ("validator", "#value", "bounds", "verdict", "told as", "counts")
        console.print(table(*columns, rows=rows, title=f"{found.processor} ({found.table}): {found.outcome}"))
        for each in found.validators:
            if each.severity is not None:
                heal = f" (heal {each.heal})" if each.heal is not None else ""
                console.print(Text(f"  {each.validator}: {each.remediation}{heal}"))
