"""The demo: the week of 13 to 19 January 2026 through the real program (docs/the-week.md).

The facts of `examples/week-2026-01-13` become messages; the messages go through the same door, clock, store and
dispatcher as any others; what is then said about the week is read from the store. It promises to disagree loudly: where
the store says anything else than `expected.csv`, the exit code is 2.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TextIO

import msgspec
from msgspec import Struct
from rich.console import Console

from events.store import Store
from handlers import definitions
from handlers.demo_facts import SPORT, Week, load_week
from handlers.demo_picture import picture
from handlers.demo_play import UNTIL, Direct, Files, Road, files_in, fresh_store, play
from handlers.demo_print import Report, print_report
from handlers.demo_results import agreement, days_of, earlier, levels_of
from projections.day import DayShow, day_show
from statemachine.definition import Definition

AGREES, DISAGREES = 0, 2
"""Exit codes: the store says what the example expects, or it does not."""

PLAIN_WIDTH = 120
"""Columns of the report where it is not shown on a terminal."""


class Demo(Struct, frozen=True, kw_only=True):
    """The week, played: what `day show` says of each date, and the report."""

    days: tuple[DayShow, ...]
    report: Report

    @property
    def exit_code(self) -> int:
        """Whether the store says what the example expects."""
        return AGREES if all(line.holds for line in self.report.agreed) else DISAGREES

    def show(self, console: Console) -> None:
        """Print the report."""
        print_report(self.report, console)


def demonstrate(directory: Path, week: Week, *, emulators: bool = False) -> Demo:
    """Play `week` into a new store in `directory`, with `emulators` by way of those of Pub/Sub and Firestore. The
    environment changes nothing: the definition is the shipped one. Raises OSError, StoreUnavailable, and with
    `emulators` EmulatorMissing and PubsubUnavailable."""
    definition = definitions.load(SPORT)
    files = files_in(directory)
    with _home(files, definition, emulators) as (store, road):
        played = play(week, store, definition, files, road)
        days = days_of(store, week)
    levels = levels_of(days, definition, UNTIL)
    report = Report(
        week=week,
        definition=definition,
        files=files,
        played=played,
        days=days,
        levels=levels,
        earlier=earlier(days, week),
        agreed=agreement(days, week, levels, definition),
    )
    shown = tuple(day_show(day.state, definition, head_hash=day.head.hash) for day in days)
    return Demo(days=shown, report=report)


def run_demo(
    *,
    directory: Path,
    json: bool,
    picture_file: Path | None = None,
    stdout: TextIO | None = None,
    console: Console | None = None,
    emulators: bool = False,
) -> int:
    """Play the week into a new store in `directory`, print what it says, and return the exit code: the report, or with
    `json` what `day show` says, one object per date. With `picture_file` the summary is drawn there, too. Raises what
    `demonstrate` raises."""
    out = stdout or sys.stdout
    with _busy():
        demo = demonstrate(directory, load_week(), emulators=emulators)
    if picture_file is not None:
        picture_file.parent.mkdir(parents=True, exist_ok=True)
        picture_file.write_text(picture(demo.report) + "\n", encoding="utf-8")
    if json:
        out.write(msgspec.json.encode(demo.days).decode() + "\n")
    else:
        demo.show(console or _console(out))
    return demo.exit_code


def _home(files: Files, definition: Definition, emulators: bool) -> AbstractContextManager[tuple[Store, Road]]:
    if not emulators:
        return _embedded(files)
    from handlers.demo_emulators import emulated  # noqa: PLC0415 - Google's clients take a second to load

    return emulated(files, definition)


@contextmanager
def _embedded(files: Files) -> Iterator[tuple[Store, Road]]:
    with fresh_store(files) as store:
        yield store, Direct()


def _console(out: TextIO) -> Console:
    return Console(file=out, highlight=False, width=None if out.isatty() else PLAIN_WIDTH)


@contextmanager
def _busy() -> Iterator[None]:
    """Says on a terminal that it takes a moment; elsewhere nothing."""
    with Console(stderr=True).status("The week is being played …"):
        yield
