"""Tipoff's program: `python main.py VERB`, also installed as `tipoff`.

It hands the world (arguments, environment, streams, the wall's clock) to the command line. Everything else is wired
where it is needed, in `handlers/cli/session.py`.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import NoReturn, cast

from handlers.cli.app import run as command_line
from handlers.cli.session import Streams
from handlers.lines import Readable


def run() -> NoReturn:
    """Run the command line of this process and exit with its code."""
    stdout = cast("TextIOWrapper", sys.stdout)
    stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show a sign shows its number
    streams = Streams(stdin=cast("Readable", sys.stdin.buffer), stdout=stdout, stderr=sys.stderr)
    sys.exit(command_line(sys.argv[1:], streams=streams, environ=os.environ, clock=lambda: datetime.now(UTC)))


if __name__ == "__main__":
    run()
