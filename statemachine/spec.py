"""What everything in a definition has in common. Its parts are in `statemachine/definition.py`, `validator.py` and
`alert_rules.py`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

OnError = Literal["block", "warn", "pass"]
"""What a check that could not be measured means."""


class Spec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, dict=True):
    """Base of everything in a definition: strict, immutable, hashable by content."""
