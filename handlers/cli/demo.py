"""`demo`: the week of 13 to 19 January 2026 through the real program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from handlers.cli.arguments import In
from handlers.cli.problems import ChannelUnavailable, Refused
from handlers.emulators import EmulatorMissing

DIRECTORY = "build/demo"

Directory = Annotated[str, Parameter(help="Where its store, messages and commands go; made anew each time.")]


Picture = Annotated[str | None, Parameter(help="Draw the summary into this SVG file, too.")]


Emulators = Annotated[bool, Parameter(help="By way of Google's emulators of Pub/Sub and Firestore.", negative="")]


def demo(
    *, directory: Directory = DIRECTORY, picture: Picture = None, emulators: Emulators = False, session: In
) -> int:
    """Replay the week of 13 to 19 January 2026 and show when each problem would have been known."""
    from handlers.demo import run_demo  # noqa: PLC0415 - its tables and facts are for this verb alone

    if session.options.store is not None:
        raise Refused("the demo makes a store of its own", next_step="Name its folder with --directory.")
    out, console = session.streams.stdout, session.console
    try:
        return run_demo(
            directory=Path(directory),
            json=session.options.json,
            picture_file=None if picture is None else Path(picture),
            stdout=out,
            console=console,
            emulators=emulators,
        )
    except EmulatorMissing as error:
        raise ChannelUnavailable(error.reason, next_step=error.next_step) from error
    except OSError as error:
        step = "Name another folder with --directory."
        raise Refused(f"{error.filename or directory} cannot be used: {error.strerror}", next_step=step) from error
