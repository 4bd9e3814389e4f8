"""`python -m benchmarks`: every benchmark, or those asked for; `make bench` runs it in the environment of the peers."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from cyclopts import App, Parameter
from msgspec import Struct

from benchmarks import report
from benchmarks.flat import flat
from benchmarks.health import questions
from benchmarks.ingest import ingest
from benchmarks.job import BATCH, in_batches
from benchmarks.measuring import Result, machine
from benchmarks.replay import replay
from benchmarks.season import season
from benchmarks.stages import measure
from benchmarks.tipoff import during, rehearsed
from handlers import definitions
from statemachine.definition import Definition

Name = Literal["a", "b", "c", "d", "stages"]
ALL: tuple[Name, ...] = ("a", "b", "c", "d", "stages")


class Sizes(Struct, frozen=True, kw_only=True):
    """How much is measured."""

    dates: int
    events: int
    open_dates: int
    rounds: int
    stage_dates: int
    season_dates: int


FULL = Sizes(dates=24, events=10_000, open_dates=1_000, rounds=5, stage_dates=6, season_dates=210)
QUICK = Sizes(dates=3, events=2_000, open_dates=200, rounds=3, stage_dates=2, season_dates=4)

app = App(name="python -m benchmarks", help="Tipoff against a floor and its peers (benchmarks/README.md).")


@app.default
def run(
    *,
    only: Annotated[
        list[Name] | None, Parameter(consume_multiple=True, help="Benchmarks to run; all by default.")
    ] = None,
    quick: Annotated[bool, Parameter(help="Small sizes: whether it runs, not how fast it is.")] = False,
    json: Annotated[bool, Parameter(help="One JSON document instead of tables.")] = False,
    folder: Annotated[Path | None, Parameter(help="Where stores are made; its disk is what is measured.")] = None,
) -> None:
    """Measure, and print what was found."""
    sizes, asked = QUICK if quick else FULL, only or list(ALL)
    definition = definitions.load("nba")
    with TemporaryDirectory(dir=folder) as made:
        here = Path(made)
        about = machine(here)
        results = [found for name in asked if name != "stages" for found in _benchmark(name, definition, here, sizes)]
        stages = _stages(definition, here, sizes) if "stages" in asked else {}
    if json:
        print(report.as_json(about, results, stages))
    else:
        report.print_tables(about, results, stages)


def _benchmark(name: Name, definition: Definition, folder: Path, sizes: Sizes) -> list[Result]:
    print(f"measuring {name} …", file=sys.stderr)
    here = folder / name
    here.mkdir()
    if name == "a":
        # A round in which the machine changes its speed says nothing: the median is to come from many.
        return [ingest(definition, here, dates=sizes.dates, rounds=3 * sizes.rounds)]
    if name == "b":
        return [replay(definition, here, events=sizes.events, rounds=sizes.rounds)]
    if name == "d":
        return questions(definition, here, dates=sizes.season_dates, events=sizes.events, rounds=sizes.rounds)
    return [flat(definition, here, events=sizes.events, open_dates=sizes.open_dates, rounds=3 * sizes.rounds)]


def _stages(definition: Definition, folder: Path, sizes: Sizes) -> dict[str, float]:
    print("measuring stages …", file=sys.stderr)
    lines = season(sizes.stage_dates, definition)
    aside = during(in_batches(lines, BATCH), rehearsed(lines, definition))
    return measure(lines, definition, aside, folder, rounds=sizes.rounds)


if __name__ == "__main__":
    app()
