"""TOML read with every fault at once: values, the line of each, and what is wrong with the text.

`tomllib` stops at the first fault. A text that it refuses is therefore read statement by statement; a broken one is
reported, then stood in for by `false`, so that the rest can still be judged. Lines come from `tree-sitter`, which keeps
positions that `tomllib` throws away. Lines count from 1, as editors do.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import pairwise
from typing import Any

import tree_sitter_toml
from msgspec import Struct
from tree_sitter import Language, Node, Parser

from statemachine.soundness import Place

_LANGUAGE = Language(tree_sitter_toml.language())
_STATEMENT = re.compile(r"""\s*(?P<key>(?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_HEADER = re.compile(r"\s*\[")
_WHERE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


class TomlSource(Struct, frozen=True, kw_only=True):
    """What a text says. `faults` are (line, message); on the lines `mended` a stand-in is read instead of what could
    not be; where a whole section could not be read, `lost` is True."""

    values: dict[str, Any]
    lines: dict[Place, int]
    faults: tuple[tuple[int, str], ...] = ()
    mended: frozenset[int] = frozenset()
    lost: bool = False

    def line(self, place: Place) -> int:
        """The line of `place`, or of the nearest thing around it that has one."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_toml(text: str) -> TomlSource:
    """The values of `text`, dates and times as ISO text, with all faults. Never raises for what a text says."""
    try:
        return TomlSource(values=_plain(_loads(text)), lines=dict(_places(text)))
    except tomllib.TOMLDecodeError:
        mending = _Mending(text)
    values = mending.whole()
    return TomlSource(
        values=_plain(values),
        lines=dict(_places("\n".join(mending.lines))),
        faults=tuple(sorted(mending.faults.items())),
        mended=frozenset(mending.mended),
        lost=mending.lost,
    )


class _Mending:
    """A broken text on its way to one that can be read."""

    def __init__(self, text: str) -> None:
        self.lines = text.replace("\r\n", "\n").split("\n")
        self.faults: dict[int, str] = {}
        self.mended: set[int] = set()
        self.lost = False
        for start, end in self._statements():
            self._statement(start, end)

    def whole(self) -> dict[str, Any]:
        """The values, after blanking each statement that contradicts an earlier one: a key or a table said twice."""
        while (error := _refusal(self.lines)) is not None:
            line, message = _fault(error, default=len(self.lines))
            start, end = next((start, end) for start, end in self._statements() if start < line <= end)
            self.faults[start + 1] = message
            self._stand_in(start, end, conflict=True)
        return _loads("\n".join(self.lines))

    def _statements(self) -> list[tuple[int, int]]:
        """Where statements begin and end; what stands before the first one counts as one."""
        starts = [at for at, line in enumerate(self.lines) if _HEADER.match(line) or _STATEMENT.match(line)]
        return list(pairwise(sorted({0, *starts, len(self.lines)})))

    def _statement(self, start: int, end: int) -> None:
        """Reads one statement on its own. What follows one that is whole by itself is judged line by line."""
        if (error := _refusal(self.lines[start:end])) is None:
            return
        if end - start > 1 and _refusal(self.lines[start : start + 1]) is None:
            for at in range(start + 1, end):
                self._statement(at, at + 1)
            return
        line, message = _fault(error, default=1)
        self.faults[start + line] = message
        self._stand_in(start, end)

    def _stand_in(self, start: int, end: int, *, conflict: bool = False) -> None:
        """Replaces a broken statement by `key = false`, a broken header by nothing, its section included."""
        if _HEADER.match(self.lines[start]):
            self.lost = True
            while end < len(self.lines) and not _HEADER.match(self.lines[end]):
                end += 1
        statement = _STATEMENT.match(self.lines[start])
        self.lines[start:end] = [""] * (end - start)
        if statement and not conflict:
            self.lines[start] = f"{statement['key']} = false"
            self.mended.add(start + 1)


def _loads(text: str) -> dict[str, Any]:
    """What `tomllib` reads. Raises TOMLDecodeError, also where it would run out of stack."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise tomllib.TOMLDecodeError("Nested too deeply (at line 1, column 1)") from error


def _refusal(lines: list[str]) -> tomllib.TOMLDecodeError | None:
    """What `tomllib` has against these lines."""
    try:
        _loads("\n".join(lines))
    except tomllib.TOMLDecodeError as error:
        return error
    return None


def _fault(error: tomllib.TOMLDecodeError, *, default: int) -> tuple[int, str]:
    """Line and message of what `tomllib` says; `default` where it says only that the text ended too early."""
    text = str(error)
    where = _WHERE.search(text)
    line = int(where["line"]) if where and where["line"] else default
    return line, "this is not TOML: " + (text[: where.start()] if where else text)


def _stand_in(lines: list[str], start: int, end: int) -> bool:
    """Replaces a broken statement by `key = false`, a broken header by nothing, its section included."""
    header = _HEADER.match(lines[start])
    statement = _STATEMENT.match(lines[start])
    while header and end < len(lines) and not _HEADER.match(lines[end]):
        end += 1
    lines[start:end] = [""] * (end - start)
    if statement:
        lines[start] = f"{statement['key']} = false"
    return bool(header)


def _plain(value: Any) -> Any:
    """The value with dates and times as ISO text, which is how a definition keeps them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def _places(text: str) -> Iterator[tuple[Place, int]]:
    """Every place of a text with its line."""
    counts: dict[Place, int] = {}
    here: Place = ()
    for node in Parser(_LANGUAGE).parse(text.encode()).root_node.named_children:
        if node.type in ("table", "table_array_element"):
            here = ()
            for key in (keys := _keys(node.named_children[0])):
                here += (key,)
                here += (counts[here],) if here in counts and key is not keys[-1] else ()
            if node.type == "table_array_element":
                counts[here] = counts.get(here, -1) + 1
                here += (counts[here],)
            yield here, _line(node)
        yield from _inside(node, here)


def _inside(node: Node, here: Place) -> Iterator[tuple[Place, int]]:
    """The places in a pair, an inline table, an array or the body of a table."""
    if node.type == "pair":
        key, value = node.named_children[0], node.named_children[-1]
        place = (*here, *_keys(key))
        yield place, _line(node)
        yield from _inside(value, place)
    elif node.type == "array":
        items = [child for child in node.named_children if child.type != "comment"]
        for index, item in enumerate(items):
            yield (*here, index), _line(item)
            yield from _inside(item, (*here, index))
    elif node.type in ("table", "table_array_element", "inline_table"):
        for child in node.named_children:
            yield from _inside(child, here)


def _keys(node: Node) -> list[str]:
    """The parts of a bare, quoted or dotted key."""
    if node.type == "dotted_key":
        return [part for child in node.named_children for part in _keys(child)]
    text = (node.text or b"").decode()
    return [text] if node.type == "bare_key" else list(tomllib.loads(text + " = 0"))


def _line(node: Node) -> int:
    return node.start_point.row + 1
