"""Definitions as a store's own history has them: by version, from what the control streams published.

History is decided and shown under the definition of its time, which may be none of those that are loaded today.
"""

from __future__ import annotations

import msgspec

from events.catalogue import DefinitionPublished, type_of
from events.codec import CorruptEvent
from events.store import Store
from statemachine.definition import Definition, decode_definition

TYPE = type_of(DefinitionPublished).encode()
"""What stands in the bytes of every event that publishes a definition."""


def definition_in(data: DefinitionPublished) -> Definition | None:
    """The definition whose text an event holds; None where that is not the text of the version it names."""
    try:
        definition = decode_definition(data.content)
    except msgspec.MsgspecError:
        return None
    return definition if definition.version == data.definition else None


def published(store: Store) -> dict[str, Definition]:
    """Every definition that `store` holds whole. Events that cannot be read are passed over: `verify` names them. Only
    those are decoded whose bytes say what they are, for a season's control stream has thousands of others."""
    found: dict[str, Definition] = {}
    for stream in store.streams():
        if not stream.endswith("/control"):
            continue
        for stored in store.read(stream):
            if TYPE not in stored.body:
                continue
            try:
                data = stored.event().data
            except CorruptEvent:
                continue
            if isinstance(data, DefinitionPublished) and (definition := definition_in(data)) is not None:
                found[definition.version] = definition
    return found
