"""The difference between two states, path by path, so that a person can read what an event changed.

Law: `apply(before, difference(before, after)) == after`. Mappings are compared key by key; anything else, lists
included, is one value at its path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

Tree = dict[str, Any]
"""A state in plain JSON values."""


class Change(Struct, frozen=True, kw_only=True):
    """One difference. `path` are the keys from the top; `before` is null where something was added, `after` where it
    was removed: `kind` tells these from a value that is null."""

    path: tuple[str, ...]
    kind: Literal["added", "changed", "removed"]
    before: Any
    after: Any

    def __str__(self) -> str:
        where = ".".join(self.path)
        if isinstance(self.before, list | None) and isinstance(self.after, list):
            return f"{where}: {_list_change(self.before or [], self.after)}"
        if self.kind == "added":
            return f"{where}: {_text(self.after)}"
        if self.kind == "removed":
            return f"{where}: no longer {_text(self.before)}"
        return f"{where}: {_text(self.before)} → {_text(self.after)}"


def plain(state: Struct) -> Tree:
    """`state` in plain JSON values: instants as text, defaults left out where its type leaves them out."""
    tree: Tree = msgspec.json.decode(msgspec.json.encode(state))
    return tree


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """The changes that lead from `before` to `after`, sorted by path."""
    return _between((), before, after)


def _between(path: tuple[str, ...], before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for key in sorted({*before, *after}):
        here = (*path, key)
        if key not in before:
            yield Change(path=here, kind="added", before=None, after=after[key])
        elif key not in after:
            yield Change(path=here, kind="removed", before=before[key], after=None)
        elif isinstance(before[key], dict) and isinstance(after[key], dict):
            yield from _between(here, before[key], after[key])
        elif before[key] != after[key] or type(before[key]) is not type(after[key]):
            yield Change(path=here, kind="changed", before=before[key], after=after[key])


def apply(before: Mapping[str, Any], changes: Iterable[Change]) -> Tree:
    """`before` with `changes` made to it; `before` itself stays as it is."""
    tree: Tree = dict(before)
    for change in changes:
        _set(tree, change)
    return tree


def _set(tree: Tree, change: Change) -> None:
    for key in change.path[:-1]:
        tree[key] = dict(tree[key])
        tree = tree[key]
    if change.kind == "removed":
        del tree[change.path[-1]]
    else:
        tree[change.path[-1]] = change.after


def _list_change(before: list[Any], after: list[Any]) -> str:
    added = [_text(item) for item in after if item not in before]
    removed = [_text(item) for item in before if item not in after]
    parts = [f"+ {', '.join(added)}"] * bool(added) + [f"− {', '.join(removed)}"] * bool(removed)
    return "; ".join(parts) or f"{_text(before)} → {_text(after)}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
