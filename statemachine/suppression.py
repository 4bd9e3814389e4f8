"""Suppressions: a person says that alerts of a sport are not to be told until some instant, and why.

An alert that is suppressed is raised, recorded and shown as ever; only its delivery is held back, and made good when
the window ends. So a maintenance window silences nothing for good, and the history says who asked for the silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

EVERYTHING = "*"
"""The target of a suppression that holds for every alert."""


class Suppression(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A window of silence about `target`: a cause, `cause:subject`, or everything."""

    target: str
    until: datetime
    actor: str
    reason: str


def suppressed(known: Mapping[str, Suppression], key: str, now: datetime) -> Suppression | None:
    """The suppression that holds at `now` for the alert `key` (`cause:subject`): the one that ends last."""
    cause = key.partition(":")[0]
    found = [known[target] for target in (key, cause, EVERYTHING) if target in known and now < known[target].until]
    return max(found, key=lambda suppression: suppression.until, default=None)
