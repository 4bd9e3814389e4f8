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
from statemachine.definition import Definition, decode_definition
from statemachine.soundness import RULES, VALUE_RULES, Place, findings, shown

NO_OVERRIDES: Mapping[str, str] = {}

LINKS = frozenset(
    {"phases", "processors", "cycles", "gates", "heals", "probes", "service_levels"}
    | {"name", "phase", "gate", "steps", "expected", "checks", "measure", "measures"}
)
"""Keys that other parts refer to or reach through: while one is misread, references would be blamed without fault."""

TOGETHER = frozenset({"checks", "heals", "service_levels", "validators", "waits"})
"""Tables whose keys mean something only with each other."""


class DefinitionError(Struct, frozen=True, kw_only=True):
    """One thing that is wrong. `line` is None for what is not in the file; `path` is the place or the variable."""

    message: str
    path: str = ""
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class DefinitionErrors(Exception):
    """A definition that cannot be used, and everything that is wrong with it. Nothing was started under it."""

    code = "definition_invalid"

    def __init__(self, source: str, errors: list[DefinitionError]) -> None:
        self.source = source
        self.errors = errors
        super().__init__(source, errors)

    def __str__(self) -> str:
        count = "1 error" if len(self.errors) == 1 else f"{len(self.errors)} errors"
        where = [self.source if error.line is None else f"{self.source}:{error.line}" for error in self.errors]
        lines = [f"{place}: {error}" for place, error in zip(where, self.errors, strict=True)]
        return "\n".join([*lines, f"{count} in {self.source}; docs/definition.md says what each key means"])


def shipped() -> tuple[str, ...]:
    """Names of the definitions that come with the program."""
    folder = resources.files("statemachine") / "definitions"
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


def load(source: str | Path, environ: Mapping[str, str] = NO_OVERRIDES) -> Definition:
    """The definition at `source` (a file, or the name of a shipped one) under the overrides in `environ`. Raises
    DefinitionErrors."""
    return parse(_text(source), environ, source=str(source), know_sql=_is_shipped(source))


def parse(
    text: str, environ: Mapping[str, str] = NO_OVERRIDES, *, source: str = "definition", know_sql: bool = False
) -> Definition:
    """The definition that `text` says, under the overrides in `environ`. With `know_sql` the queries of its probes are
    taken as judged already: those of shipped definitions are, by a test, and judging takes a quarter of a second of
    start-up. Raises DefinitionErrors."""
    toml = read_toml(text)
    shape = shaped(toml.values)
    wrong = [*_wrong(toml, shape), *(() if know_sql else _wrong_sql(toml, shape))]
    errors = {(line, shown(place) if place is not None else "", message): None for line, place, message in wrong}
    found = [DefinitionError(line=line, path=path, message=message) for line, path, message in sorted(errors)]
    if found:
        found += [DefinitionError(path=name, message=message) for name, message in unreadable(environ)]
        raise DefinitionErrors(source, found)
    definition, refused = overridden(msgspec.convert(shape.values, Definition), environ)
    if refused:
        raise DefinitionErrors(source, [DefinitionError(path=name, message=message) for name, message in refused])
    # As a store keeps it, the order of its keys included: deciding again under the stored text gives the same bytes.
    return decode_definition(definition.content)


def _wrong(toml: TomlSource, shape: Shaped) -> Iterator[tuple[int, Place | None, str]]:
    """All that is wrong in the file itself, without what only follows from something else that is wrong."""
    for line, message in toml.faults:
        yield line, None, message
    for place, message in shape.findings:
        if toml.line(place) not in toml.mended and not (toml.lost and place == ()):
            yield toml.line(place), place, message
    broken = toml.lost or any(_key(place) in LINKS for place in shape.mended)
    definition = msgspec.convert(shape.values, Definition)
    for place, message in findings(definition, VALUE_RULES if broken else RULES):
        if not any(_follows(place, mended) for mended in shape.mended):
            yield toml.line(place), place, message


def _wrong_sql(toml: TomlSource, shape: Shaped) -> Iterator[tuple[int, Place | None, str]]:
    definition = msgspec.convert(shape.values, Definition)
    if not (definition.probes or definition.validators):
        return
    from handlers.warehouse.dialect import dialect_findings  # noqa: PLC0415 - only who writes SQL waits for its parser

    for place, message in dialect_findings(definition):
        if not any(_follows(place, mended) for mended in shape.mended):
            yield toml.line(place), place, message


def _key(place: Place) -> str:
    """The last key on the way to `place`; that of a list's item is the list's."""
    return next((part for part in reversed(place) if isinstance(part, str)), "")


def _follows(place: Place, mended: Place) -> bool:
    """True where what is wrong at `place` may be so only because `mended` holds a stand-in: it is that value, or it is
    beside it in a table whose keys belong together; of a link, anything in the same entry."""
    if place[: len(mended)] == mended:
        return True
    entry = mended[:-1]
    if not entry or place[: len(entry)] != entry:
        return False
    return _key(mended) in LINKS or _key(entry) in TOGETHER


def _is_shipped(source: str | Path) -> bool:
    return isinstance(source, str) and source in shipped()


def _text(source: str | Path) -> str:
    if _is_shipped(source):
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
