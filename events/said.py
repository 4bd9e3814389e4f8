"""What every message says, whatever it is about: the base of the inputs of the catalogue (`events/catalogue.py`)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field


class Said(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What every input that came as a message keeps beside its own fields: the shape it came in (`wire_format`), where
    its date came from (`date_basis`: the key, or `target_date=yesterday` for a word that was resolved), contradictions
    and oddities inside the message (`flags`), and all else it said (`extra`)."""

    wire_format: str = ""
    date_basis: str = "game_date"
    flags: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
