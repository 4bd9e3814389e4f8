"""Results as tables for people and as one JSON document for programs."""

from __future__ import annotations

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import Ratio, Result


def print_tables(machine: dict[str, str], results: list[Result], stages: dict[str, float]) -> None:
    """Everything that was found, on standard output."""
    console = Console()
    console.print(", ".join(f"{name}: {value}" for name, value in machine.items()), highlight=False)
    for result in results:
        console.print(_series(result))
        console.print(_ratios(result))
        for note in result.notes:
            console.print(f"  {note}", highlight=False)
        console.print()
    if stages:
        console.print(_stages(stages))


def as_json(machine: dict[str, str], results: list[Result], stages: dict[str, float]) -> str:
    """The same as one document."""
    document = {
        "machine": machine,
        "benchmarks": [
            {
                "title": result.title,
                "unit": result.unit,
                "series": result.series,
                "ratios": [{**msgspec.structs.asdict(item), "reached": item.reached} for item in result.ratios],
                "notes": result.notes,
            }
            for result in results
        ],
        "stages_us": stages or None,
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _series(result: Result) -> Table:
    table = Table(title=result.title, title_justify="left")
    table.add_column("job")
    for column in (f"{result.unit}s", f"µs per {result.unit}", "of it CPU", "rounds, lowest to highest"):
        table.add_column(column, justify="right")
    for item in result.series:
        low, high = min(item.rounds_us), max(item.rounds_us)
        table.add_row(
            item.name, str(item.units), f"{item.us:,.1f}", f"{item.cpu_us:,.1f}", f"{low:,.1f} to {high:,.1f}"
        )
    return table


def _ratios(result: Result) -> Table:
    table = Table()
    table.add_column("ratio, median of the rounds'")
    for column in ("value", "target", ""):
        table.add_column(column, justify="right")
    for item in result.ratios:
        table.add_row(item.name, f"{item.value:.2f}", *_target(item))
    return table


def _target(item: Ratio) -> tuple[str, str]:
    if item.target is None:
        return "", ""
    sign = "at most" if item.at_most else "at least"
    return f"{sign} {item.target:g}", "reached" if item.reached else "missed"


def _stages(stages: dict[str, float]) -> Table:
    table = Table(title="where the time of an ingested message goes", title_justify="left")
    table.add_column("stage")
    table.add_column("µs per message", justify="right")
    for name, value in stages.items():
        table.add_row(name, f"{value:.1f}")
    return table
