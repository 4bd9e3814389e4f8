"""The ids that a recorder has stored lately, so that the usual redelivery is known before anything is decided again.

An answer of yes is exact; no means ask the store, which refuses a known id however old (docs/decisions/0005). Bounded,
and forgetting costs nothing: two generations, of which the older is dropped whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GENERATION_IDS = 16_384
"""Ids of a generation; between one and two generations are remembered, about 100 bytes an id."""


class RecentIds:
    """A bounded memory of ids."""

    def __init__(self, *, generation_ids: int = GENERATION_IDS) -> None:
        self._generation_ids = generation_ids
        self._young: set[str] = set()
        self._old: set[str] = set()

    def among(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that are remembered."""
        return self._young.intersection(ids) | self._old.intersection(ids)

    def update(self, ids: Iterable[str]) -> None:
        """Remember `ids`."""
        self._young.update(ids)
        if len(self._young) >= self._generation_ids:
            self._young, self._old = set(), self._young
