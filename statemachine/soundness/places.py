"""How a rule of soundness speaks: places, findings, and the phrases that several rules share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches

from statemachine.definition import CheckSpec, Definition, Gate, Step

Place = tuple[str | int, ...]
"""Where something stands in a definition: `("gates", 2, "mode")` is the mode of the third gate."""

Finding = tuple[Place, str]
Rule = Callable[[Definition], Iterator[Finding]]


def shown(place: Place) -> str:
    """A place as people write it: `gates[2].checks[0].of`, counted from 0 as in the file's values."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".") or "definition"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the end of a message, where something close to `name` is known."""
    close = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def unknown(what: str, name: str, known: Iterable[str], place: Place) -> Iterator[Finding]:
    """A finding where `name` is not among `known`."""
    if name not in (names := set(known)):
        yield place, f"there is no {what} `{name}`{did_you_mean(name, names)}"


def unknowns(what: str, names: Sequence[str], known: Iterable[str], place: Place) -> Iterator[Finding]:
    """A finding for each of a list of names that is not among `known`, or is there twice."""
    known = set(known)
    for index, name in enumerate(names):
        yield from unknown(what, name, known, (*place, index))
        if name in names[:index]:
            yield (*place, index), f"`{name}` is named twice"


def taken(what: str, names: Iterable[tuple[str, Place]], owner: Callable[[Place], str] = shown) -> Iterator[Finding]:
    """A finding for each name that an earlier place has already; `owner` says whose place that is."""
    first: dict[str, Place] = {}
    for name, place in names:
        if name in first:
            yield place, f"{what} `{name}` is already taken by {owner(first[name])}"
        first.setdefault(name, place)


def steps(definition: Definition) -> Iterator[tuple[Place, str, Step]]:
    """Every step with its place and the name of its cycle."""
    for at, cycle in enumerate(definition.cycles):
        for index, step in enumerate(cycle.steps):
            yield ("cycles", at, "steps", index), cycle.name, step


def checks(definition: Definition) -> Iterator[tuple[Place, Gate, CheckSpec]]:
    """Every check with its place and its gate."""
    for at, gate in enumerate(definition.gates):
        for index, check in enumerate(gate.checks):
            yield ("gates", at, "checks", index), gate, check
