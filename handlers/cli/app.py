"""The edge of the command line: verbs in, exit code out, and no error that leaves without a word.

`run` is the one place that turns errors into exit codes. What it does not know is an internal error: it is said as
such, with how to report it, and never taken for success.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from cyclopts import App, Parameter

from handlers.cli import alerts, day, definition, dlq, heal, season, topics, warehouse
from handlers.cli.demo import demo
from handlers.cli.doctor import doctor
from handlers.cli.health import health
from handlers.cli.heartbeats import heartbeats
from handlers.cli.ingest import ingest
from handlers.cli.levels import levels
from handlers.cli.portability import export, import_
from handlers.cli.problems import KNOWN, Exit, Problem, problem_of
from handlers.cli.reconcile import reconcile
from handlers.cli.rejected import rejected
from handlers.cli.replay import replay
from handlers.cli.report import report
from handlers.cli.serve import serve
from handlers.cli.session import STDIN, Options, Session, Streams
from handlers.cli.settings import settings
from handlers.cli.tick import tick
from handlers.cli.verify import verify

HELP = "Flight recorder and control tower for game-date data pipelines."

VERBS: Mapping[str, Any] = {
    "serve": serve,
    "ingest": ingest,
    "tick": tick,
    "day": day.app,
    "health": health,
    "reconcile": reconcile,
    "report": report,
    "levels": levels,
    "alerts": alerts.app,
    "heal": heal.app,
    "rejected": rejected,
    "heartbeats": heartbeats,
    "replay": replay,
    "verify": verify,
    "export": export,
    "import": import_,
    "definition": definition.app,
    "season": season.app,
    "warehouse": warehouse.app,
    "topics": topics.app,
    "dlq": dlq.app,
    "settings": settings,
    "doctor": doctor,
    "demo": demo,
}

Clock = Callable[[], datetime]


def program_version() -> str:
    """The version as installed; from a bare checkout it is unknown."""
    try:
        return version("tipoff")
    except PackageNotFoundError:
        return "unknown (not installed)"


def _app(launch: Callable[[Options, Sequence[str]], Any]) -> App:
    """The program: its verbs, and around them the options that all of them share."""
    app = App(name="tipoff", help=HELP, version=program_version)
    app.meta.suppress_keyboard_interrupt = False  # `run` answers it
    for name, verb in VERBS.items():
        app.command(verb, name=name)

    @app.meta.default
    def shared(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        store: Annotated[
            str | None, Parameter(help="sqlite:PATH, firestore:PROJECT or memory: (setting TIPOFF_STORE).")
        ] = None,
        definition: Annotated[
            tuple[str, ...], Parameter(help="A definition, by name or file; repeatable.", negative="")
        ] = (),
        json: Annotated[bool, Parameter(help="Answer with one JSON document.", negative="")] = False,
        verbose: Annotated[bool, Parameter(help="Log every decision as JSON to standard error.", negative="")] = False,
    ) -> Any:
        return launch(Options(store=store, definitions=definition, json=json, verbose=verbose), tokens)

    return app


def run(argv: Sequence[str], *, streams: Streams, environ: Mapping[str, str], clock: Clock) -> int:
    """Do what `argv` says and give the exit code. Raises nothing."""
    session = Session(Options(json="--json" in argv), streams, environ, clock)

    def launch(options: Options, tokens: Sequence[str]) -> Any:
        nonlocal session
        session = Session(options, streams, environ, clock)
        command, bound, unparsed = app.parse_args(
            _stdin_last(tokens),
            console=session.help,
            error_console=session.errors,
            exit_on_error=False,
            print_error=False,
        )
        if "session" in unparsed:
            bound.arguments["session"] = session
        return command(*bound.args, **bound.kwargs)

    app = _app(launch)
    try:
        code = app.meta(
            argv,
            console=session.help,
            error_console=session.errors,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        streams.stdout.flush()
    except KNOWN as error:
        problem = problem_of(error)
        session.complain(problem)
        return problem.exit_code
    except KeyboardInterrupt:
        session.note("interrupted; what was acknowledged is stored")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return _nobody_reads(streams)
    except Exception as error:  # the edge: whatever else happens is said, with how to report it
        return _internal(session, error)
    return int(code or Exit.HEALTHY)


def _stdin_last(tokens: Sequence[str]) -> list[str]:
    """`-` behind a delimiter: it is the name of standard input, and no option."""
    rest = [token for token in tokens if token != STDIN]
    return [*rest, "--", STDIN] if len(rest) < len(tokens) else rest


def _nobody_reads(streams: Streams) -> int:
    """Whoever read the answer has gone (`| head`): that is their right, and no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, streams.stdout.fileno())
    return Exit.HEALTHY


def _internal(session: Session, error: Exception) -> int:
    step = "Please report it with this text; TIPOFF_DEBUG=1 adds where it happened. Nothing acknowledged was lost."
    message = f"internal error, which is a mistake of Tipoff: {type(error).__name__}: {error}. {step}"
    if session.environ.get("TIPOFF_DEBUG") in ("1", "true"):
        traceback.print_exception(error, file=session.streams.stderr)
    session.complain(Problem(code="internal", message=message, next_step=step, exit_code=Exit.INTERNAL))
    return Exit.INTERNAL
