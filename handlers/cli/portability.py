"""`export` and `import`: a whole store into a file, and back, to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, BinaryIO

from cyclopts import Parameter
from rich.table import Table

from handlers.cli.arguments import In, InputFile
from handlers.cli.problems import Exit, Refused
from handlers.cli.session import STDIN, Session, opened
from handlers.cli.tables import facts
from handlers.portability import Copied, check_export, export_file, export_store, import_store

Output = Annotated[str | None, Parameter(help="File to write; standard output where none is named.")]
Replace = Annotated[bool, Parameter(help="Write over a file that is there.", negative="")]


def export(file: Output = None, /, *, replace: Replace = False, session: In) -> int:
    """Write every event of the store as JSON lines."""
    if file is None:
        if session.options.json:
            raise Refused("--json has no room beside the export", next_step="Name a file to export to.")
        with session.reading() as store, session.watch("events") as watch:
            copied = export_store(store, session.streams.stdout.buffer.write, progress=watch)
        session.streams.stdout.buffer.flush()
        session.note(f"{copied.events} events of {copied.streams} streams, sha256 {copied.digest}")
        return Exit.HEALTHY
    with session.reading() as store, session.watch("events") as watch:
        try:
            copied = export_file(store, Path(file), replace=replace, progress=watch)
        except FileExistsError as error:
            raise Refused(f"{file} is there already", next_step="Name another file, or add --replace.") from error
        except OSError as error:
            step = "Name a file in a directory that can be written."
            raise Refused(f"{file} cannot be written: {error.strerror}", next_step=step) from error
    session.answer(copied, lambda console: console.print(_counts(copied)))
    return Exit.HEALTHY


def import_(file: InputFile, /, *, session: In) -> int:
    """Store the events of an export; again, to go on where an earlier import ended."""
    definitions = session.definitions
    with _seekable(session, file) as stream:
        checked = check_export(stream, source=file)
        stream.seek(0)
        with session.writing(create=True) as store, session.watch("events", checked.events) as watch:
            copied = import_store(store, stream, checked, fallback=definitions, progress=watch)
    imported = ("known before", copied.known), ("commands still to send", copied.pending)
    session.answer(copied, lambda console: console.print(_counts(copied, *imported)))
    return Exit.HEALTHY


@contextmanager
def _seekable(session: Session, file: str) -> Iterator[BinaryIO]:
    """The export in a file, or from standard input, kept where it can be read twice."""
    if file != STDIN and Path(file).is_file():
        with opened(file) as stream:
            yield stream
        return
    with session.input(file) as source, TemporaryFile() as kept:
        for chunk in iter(lambda: source.read1(1 << 20), b""):
            kept.write(chunk)
        kept.seek(0)
        yield kept


def _counts(copied: Copied, *more: tuple[str, object]) -> Table:
    return facts(("events", copied.events), ("streams", copied.streams), *more, ("sha256", copied.digest))
