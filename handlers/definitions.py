"""Definitions read from TOML: text, shape, meaning and overrides judged together, every error at once with its line.

`load` gives a definition that is sound, or raises `DefinitionErrors` with all there is to say about it. Nothing in a
file is ignored: an unknown key, a reference that leads nowhere and a threshold that can never matter are all errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

import msgspec
from msgspec import Struct

from handlers.definition_shape import Shaped, shaped
from handlers.overrides import OVERRIDES, overridden, unreadable
from handlers.toml_source import TomlSource, read_toml
from statemachine.definition import Definition
from statemachine.soundness import RULES, VALUE_RULES, Place, findings, shown

NO_OVERRIDES: Mapping[str, str] = {}

LINKS = frozenset({"name", "phase", "gate", "steps", "checks", "measures"})
"""Keys that other parts refer to or reach through: while one is misread, references would be blamed without fault."""


class DefinitionError(Struct, frozen=True, kw_only=True):
    """One thing that is wrong. `line` is None for what is not in the file; `path` is the place or the variable."""

    message: str
    path: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.line, f" {self.path}" if self.path else None) if part is not None)
        return f"{where.strip()}: {self.message}" if where else self.message


class DefinitionErrors(Exception):  # noqa: N818  # the plural is the point
    """A definition that cannot be used, and everything that is wrong with it. Nothing was started under it."""

    code = "definition_invalid"

    def __init__(self, source: str, errors: list[DefinitionError]) -> None:
        self.source = source
        self.errors = errors
        super().__init__(source, errors)

    def __str__(self) -> str:
        count = "1 error" if len(self.errors) == 1 else f"{len(self.errors)} errors"
        lines = [f"{self.source}:{error}" if error.line else f"{self.source}: {error}" for error in self.errors]
        return "\n".join([*lines, f"{count} in {self.source}; see docs/definition.md for what each key means"])


def shipped() -> tuple[str, ...]:
    """Names of the definitions that come with the program."""
    folder = resources.files("statemachine") / "definitions"
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


def load(source: str | Path, environ: Mapping[str, str] = NO_OVERRIDES) -> Definition:
    """The definition at `source` (a file, or the name of a shipped one) under the overrides in `environ`. Raises
    DefinitionErrors."""
    return parse(_text(source), environ, source=str(source))


def parse(text: str, environ: Mapping[str, str] = NO_OVERRIDES, *, source: str = "definition") -> Definition:
    """The definition that `text` says, under the overrides in `environ`. Raises DefinitionErrors."""
    toml = read_toml(text)
    shape = shaped(toml.values)
    errors = {
        (line, shown(place) if place is not None else "", message): None for line, place, message in _wrong(toml, shape)
    }
    found = [DefinitionError(line=line, path=path, message=message) for line, path, message in sorted(errors)]
    if found:
        found += [DefinitionError(path=name, message=message) for name, message in unreadable(environ)]
        raise DefinitionErrors(source, found)
    definition, wrong = overridden(msgspec.convert(shape.values, Definition), environ)
    if wrong:
        raise DefinitionErrors(source, [DefinitionError(path=name, message=message) for name, message in wrong])
    return definition


def _wrong(toml: TomlSource, shape: Shaped) -> Iterator[tuple[int, Place | None, str]]:
    """All that is wrong in the file itself, without what only follows from something else that is wrong."""
    for line, message in toml.faults:
        yield line, None, message
    for place, message in shape.findings:
        if toml.line(place) not in toml.mended and not (toml.lost and place == ()):
            yield toml.line(place), place, message
    broken = toml.lost or any(place[-1] in LINKS or len(place) == 1 for place in shape.mended if place)
    doubtful = [place[:-1] for place in shape.mended]
    definition = msgspec.convert(shape.values, Definition)
    for place, message in findings(definition, VALUE_RULES if broken else RULES):
        if not any(place[: len(table)] == table for table in doubtful if table):
            yield toml.line(place), place, message


def _text(source: str | Path) -> str:
    if isinstance(source, str) and source in shipped():
        return (resources.files("statemachine") / "definitions" / f"{source}.toml").read_text("utf-8")
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        known = ", ".join(shipped())
        message = f"cannot be read: {error.strerror}; give a TOML file, or a shipped definition: {known}"
        raise DefinitionErrors(str(source), [DefinitionError(message=message)]) from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte {error.start} is not UTF-8, the encoding of TOML"
        raise DefinitionErrors(str(source), [DefinitionError(line=line, message=message)]) from error


__all__ = ["NO_OVERRIDES", "OVERRIDES", "DefinitionError", "DefinitionErrors", "load", "parse", "shipped"]
