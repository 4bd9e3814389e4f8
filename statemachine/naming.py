"""From the name a publisher uses to the one the registry knows (orchestration 2.4).

Class names, table names with and without dataset, prefixes and suffixes all stand for one processor. What stays
unknown stays unknown: it is reported and counts for nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache

from statemachine.definition import Definition

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@lru_cache(maxsize=8192)
def snake(name: str) -> str:
    """`AsyncUpcomingPlayerGameContextProcessor` and its table say the same: prefix and suffix off, snake case."""
    bare = name.rpartition(".")[2].removesuffix("Processor")
    for prefix in ("Async", "Mlb"):
        bare = bare.removeprefix(prefix)
    return _WORD.sub("_", bare).lower()


def canonical(definition: Definition, phase: str, published: str, table: str | None) -> str | None:
    """The registered processor behind `published` (or behind the table it wrote), or None."""
    found = definition.resolve(phase, published)
    if found is None:
        found = definition.resolve(phase, snake(published), table)
    return found
