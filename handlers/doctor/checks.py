"""The checks of an installation, in the order in which they are told."""

from __future__ import annotations

from functools import partial

from handlers.doctor.channels import look_at_channels
from handlers.doctor.clocks import look_at_clock, look_at_deadlines, look_at_store_clock, look_at_ticks
from handlers.doctor.configuration import look_at_definitions, look_at_settings
from handlers.doctor.diagnosis import Check
from handlers.doctor.drift import look_at_definitions_in_force, look_at_schema
from handlers.doctor.installation import Installation
from handlers.doctor.permissions import look_at_permissions
from handlers.doctor.service import look_at_service
from handlers.doctor.store import look_at_store
from handlers.doctor.topics import look_at_dead_letters, look_at_topics

HISTORY = ("store", "definitions")
"""What a look at recorded history needs."""


def checks(installation: Installation) -> list[Check]:
    """The looks to take, those that others need first."""
    looks = (
        ("settings", look_at_settings, ()),
        ("definitions", look_at_definitions, ()),
        ("store", look_at_store, ()),
        ("ticks", look_at_ticks, HISTORY),
        ("deadlines", look_at_deadlines, HISTORY),
        ("recorded_clock", look_at_store_clock, HISTORY),
        ("schema", look_at_schema, HISTORY),
        ("definition_in_force", look_at_definitions_in_force, HISTORY),
        ("permissions", look_at_permissions, ("definitions",)),
        ("topics", look_at_topics, ("definitions",)),
        ("dead_letters", look_at_dead_letters, ()),
        ("clock", look_at_clock, ()),
        ("service", look_at_service, ()),
        ("channels", look_at_channels, ()),
    )
    return [Check(name=name, look=partial(look, installation), needs=needs) for name, look, needs in looks]
