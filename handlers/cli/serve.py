"""`serve`: the whole service in this process, until it is told to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from threading import Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from msgspec import Struct
from rich.console import Console

from handlers.cli.arguments import Commands, In
from handlers.cli.logs import json_lines, logged
from handlers.cli.problems import Exit
from handlers.cli.session import Session

if TYPE_CHECKING:
    from handlers.http.identity import Doors
    from handlers.http.server import HttpServer
    from handlers.ways_out import Outside

SIGNALS = (signal.SIGINT, signal.SIGTERM)

Host = Annotated[str | None, Parameter(help="Address to listen on (setting TIPOFF_HTTP_HOST).")]
Port = Annotated[int | None, Parameter(help="Port to listen on; 0 takes a free one (setting TIPOFF_HTTP_PORT).")]
NoTicker = Annotated[bool, Parameter(name="--no-ticker", help="Leave ticking to a scheduler.", negative="")]
OpenToAnyone = Annotated[
    bool,
    Parameter(
        name="--open-to-anyone", help="Start though others can push or command without an identity.", negative=""
    ),
]


class Answer(Struct, frozen=True, kw_only=True):
    """How the service ended; `everything_done` is false where commits or commands had no time left."""

    url: str
    everything_done: bool


def serve(
    *,
    host: Host = None,
    port: Port = None,
    no_ticker: NoTicker = False,
    open_to_anyone: OpenToAnyone = False,
    commands: Commands = None,
    session: In,
) -> int:
    """HTTP service, ticker and dispatcher, until SIGTERM or Ctrl-C; a second one ends it at once."""
    from handlers.cli.app import program_version  # noqa: PLC0415 - which knows this verb
    from handlers.http.limits import Limits  # noqa: PLC0415 - a second of start-up, for this verb alone
    from handlers.http.serving import serving  # noqa: PLC0415

    settings, doors = session.settings, _doors(session, host, open_to_anyone=open_to_anyone)
    verbose = session.options.verbose or session.environ.get("TIPOFF_LOG") != "off"
    stderr = session.streams.stderr
    with (
        json_lines(stderr, everything=verbose),
        closing(_server(session, host, port)) as server,
        _outside(session, commands) as world,
        serving(
            session.store,
            session.definitions,
            world.ways,
            subscribers=world.subscribers,
            clock=session.clock,
            server=server,
            doors=doors,
            limits=Limits(settings.http_rate),
            version=program_version(),
            watch=lambda store: logged(store, stderr) if verbose else store,
            busy_seconds=settings.store_busy_seconds,
            tick_seconds=None if no_ticker else settings.tick_seconds,
        ) as running,
        _stopped_by_signals(running.stop),
    ):
        running.run()
        answer = Answer(url=running.url, everything_done=running.stop())
    session.answer(answer, lambda console: _print(console, answer))
    return Exit.HEALTHY if answer.everything_done else Exit.UNAVAILABLE


def _doors(session: Session, host: str | None, *, open_to_anyone: bool) -> Doors:
    """Who is asked for an identity. Raises Refused where that is nobody and the service can be reached by anybody."""
    from handlers.http.exposure import refuse_exposure  # noqa: PLC0415 - see above
    from handlers.http.identity import doors  # noqa: PLC0415

    found = doors(session.settings)
    refuse_exposure(host or session.settings.http_host, found, open_to_anyone=open_to_anyone)
    return found


def _server(session: Session, host: str | None, port: int | None) -> HttpServer:
    """Listens, before anything is started. Raises CannotListen."""
    from handlers.http.server import HttpServer  # noqa: PLC0415 - see above

    settings = session.settings
    return HttpServer(
        host or settings.http_host,
        settings.http_port if port is None else port,
        proxies=settings.http_proxies,
    )


@contextmanager
def _outside(session: Session, commands: str | None) -> Iterator[Outside]:
    """The ways out, and what brings messages in. Raises Refused where they cannot be had."""
    from handlers.ways_out import outside  # noqa: PLC0415 - see above

    with ExitStack() as stack:
        yield outside(
            session.settings,
            session.definitions,
            session.clock,
            lambda: closing(session.command_file(commands)),
            stack,
        )


@contextmanager
def _stopped_by_signals(stop: Callable[[], object]) -> Iterator[None]:
    """The first signal calls `stop` on a thread of its own; a second one ends the process at once, which loses nothing
    that was acknowledged."""

    def first(_signal: int, _frame: object) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        Thread(target=stop, name="stop").start()

    if current_thread() is not main_thread():
        yield
        return
    before = [(number, signal.signal(number, first)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _print(console: Console, answer: Answer) -> None:
    left = (
        ""
        if answer.everything_done
        else "; some commits or commands had no time left, and nothing acknowledged is lost"
    )
    console.print(f"{answer.url} has stopped{left}")
