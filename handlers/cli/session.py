"""A session: what a verb needs of the world, from the options that all verbs share.

A verb gets a store, a recorder or definitions from here and answers through `answer`; it opens nothing and prints
nothing by itself. Everything is made when it is first asked for, so that `--help` needs neither store nor settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import msgspec
from msgspec import Struct
from rich.console import Console

from events.memory import MemoryStore
from events.store import Store
from handlers import settings
from handlers.cli.logs import logged
from handlers.cli.problems import ChannelUnavailable, InputUnreadable, Problem, Refused
from handlers.cli.watching import Watch, watched
from handlers.definitions import load
from handlers.dispatch import FileChannel, dispatch
from handlers.lines import Readable
from handlers.recorded import Recorded
from handlers.recorder import Recorder, Tally
from handlers.settings import Settings
from handlers.stores import open_store, store_name
from statemachine.definition import Definition

STDIN = "-"
"""The name of standard input."""

WIDTH_ELSEWHERE = 1000
"""Columns of an answer that goes into a file or a pipe: enough that no row of a table is broken."""

WIDTH_OF_HELP = 100


class Streams(Struct, frozen=True):
    """Standard input (bytes), output (text over bytes, as `sys.stdout` is) and error."""

    stdin: Readable
    stdout: TextIOWrapper
    stderr: TextIO


class Options(Struct, frozen=True, kw_only=True):
    """The options that all verbs share; None and empty where the settings count."""

    store: str | None = None
    definitions: tuple[str, ...] = ()
    json: bool = False
    verbose: bool = False


class Session:
    """One run of the program."""

    def __init__(
        self, options: Options, streams: Streams, environ: Mapping[str, str], clock: Callable[[], datetime]
    ) -> None:
        self.options = options
        self.streams = streams
        self.environ = environ
        self.clock = clock

    # what is asked for

    @cached_property
    def settings(self) -> Settings:
        """What the environment says. Raises SettingsInvalid."""
        return settings.read(self.environ)

    @property
    def store(self) -> str:
        """The name of the store."""
        return self.options.store or self.settings.store

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        """The definitions by sport. Raises DefinitionErrors, Refused where two are of one sport."""
        found: dict[str, Definition] = {}
        for source in self.options.definitions or self.settings.definitions:
            definition = load(source, self.environ)
            if definition.sport in found:
                step = "Name one definition for each sport."
                raise Refused(f"{source} is a second definition of {definition.sport}", next_step=step)
            found[definition.sport] = definition
        return found

    def sport(self, said: str | None) -> str:
        """The sport that is meant: the one that was said, else the only or the first that has a definition."""
        if said is None:
            return next(iter(self.definitions))
        if said not in self.definitions:
            known = ", ".join(self.definitions)
            raise Refused(f"there is no definition of {said!r}", next_step=f"Known: {known}; --definition adds one.")
        return said

    # stores

    @contextmanager
    def reading(self) -> Iterator[Store]:
        """The store, for reading."""
        seconds = self.settings.store_busy_seconds
        with open_store(self.store, create=False, read_only=True, busy_seconds=seconds) as store:
            yield store

    @contextmanager
    def asking(self) -> Iterator[Recorded]:
        """What the store has recorded."""
        with self.reading() as store:
            yield self.recorded(store)

    def recorded(self, store: Store) -> Recorded:
        """What `store` has recorded, with the definitions of this session."""
        return Recorded(store, self.definitions, place=self.store)

    @contextmanager
    def reading_if_there(self) -> Iterator[Store]:
        """The store, for reading; an empty one where there is none yet."""
        path = store_name(self.store).path
        if path is not None and path.exists():
            with self.reading() as store:
                yield store
        else:
            yield MemoryStore()

    @contextmanager
    def writing(self, *, create: bool) -> Iterator[Store]:
        """The store, for writing; made where it is missing and `create` is true."""
        seconds = self.settings.store_busy_seconds
        with open_store(self.store, create=create, busy_seconds=seconds) as store:
            verbose = self.options.verbose or self.settings.log == "info"
            yield logged(store, self.streams.stderr) if verbose else store

    @contextmanager
    def recording(self, *, create: bool) -> Iterator[Recorder]:
        """A recorder on the store."""
        definitions = self.definitions
        with self.writing(create=create) as store:
            yield Recorder(store, definitions)

    @contextmanager
    def sending(self, recorder: Recorder, file: str | None) -> Iterator[Callable[[datetime], Tally]]:
        """Lets pending commands leave into `file`, else into that of the settings, else into one beside the store. The
        file is made when there is something to write."""
        channel: FileChannel | None = None

        def send(now: datetime) -> Tally:
            nonlocal channel
            if not recorder.store.pending(1):
                return Tally()
            channel = channel or self.command_file(file)
            return dispatch(recorder, channel, now)

        try:
            yield send
        finally:
            if channel is not None:
                channel.close()

    def command_file(self, file: str | None) -> FileChannel:
        """The file that commands go to: `file`, else that of the settings, else one beside the store."""
        path = Path(file) if file is not None else self.settings.commands or store_name(self.store).commands
        try:
            return FileChannel(path)
        except OSError as error:
            step = "Name another with --commands; the commands wait in the store."
            raise ChannelUnavailable(f"{path} cannot be written: {error.strerror}", next_step=step) from error

    @contextmanager
    def input(self, file: str) -> Iterator[Readable]:
        """The file of that name, or standard input for `-`."""
        if file == STDIN:
            yield self.streams.stdin
            return
        with opened(file) as stream:
            yield stream

    # answers

    @cached_property
    def console(self) -> Console:
        """Where answers go."""
        return console(self.streams.stdout, self.environ)

    @cached_property
    def help(self) -> Console:
        """Where help goes."""
        return console(self.streams.stdout, self.environ, width=WIDTH_OF_HELP)

    @cached_property
    def errors(self) -> Console:
        """Where diagnostics and progress go."""
        return console(self.streams.stderr, self.environ)

    def answer(self, document: Any, text: Callable[[Console], None]) -> None:
        """Give the answer: `document` as one JSON document, or what `text` prints."""
        if self.options.json:
            self.streams.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
            self.streams.stdout.buffer.flush()
        else:
            text(self.console)

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        self.errors.print(text, soft_wrap=True, markup=False)

    def complain(self, problem: Problem) -> None:
        """Say what went wrong: on standard error, and with `--json` as the document too."""
        self.note(f"tipoff: {problem.message}")
        if self.options.json:
            self.answer({"error": problem}, lambda _console: None)

    def watch(self, title: str, total: int | None = None) -> AbstractContextManager[Watch]:
        """Progress of something that may take a while."""
        return watched(self.errors, title, total)


class _Console(Console):
    """A console that leaves it to the edge what a reader who has gone means."""

    def on_broken_pipe(self) -> None:
        """Called while the error is handled."""
        raise BrokenPipeError


def console(stream: Any, environ: Mapping[str, str], *, width: int = WIDTH_ELSEWHERE) -> Console:
    """A console on `stream`: colours and the terminal's width where it is a terminal, else plain text."""
    shown = None if stream.isatty() else width
    return _Console(file=stream, width=shown, highlight=False, no_color="NO_COLOR" in environ, _environ=environ)


@contextmanager
def opened(file: str) -> Iterator[Any]:
    """A file to read bytes from. Raises InputUnreadable."""
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below; an error inside the block is not one of opening
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputUnreadable(f"{file} cannot be read: {reason}", next_step="Name a file that is there.") from error
    with stream:
        yield stream
