"""What a game date tells its sport, part of the catalogue (`events/catalogue.py`): the events of the control stream
that follow from those of a date (`statemachine/reports.py`), because only a sport can count over its dates.
"""

from __future__ import annotations

from msgspec import Struct

from events.values import NO_SUBJECT, HealOutcome, Severity


class DateNoted(Struct, frozen=True, kw_only=True, tag_field="type", tag="date_noted"):
    """A date has learned from its schedule whether it `expects` games to be played, or learned otherwise."""

    game_date: str
    expects: bool


class NameNoted(Struct, frozen=True, kw_only=True, tag_field="type", tag="name_noted"):
    """A date met a published name that is in no registry; it tells each name once."""

    game_date: str
    phase: str
    published_name: str


class HealNoted(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="heal_noted"):
    """A date asked for a repair, or with `outcome` judged one. Its instant is when the date did."""

    game_date: str
    component: str
    attempt: int
    outcome: HealOutcome | None = None


Reports = DateNoted | NameNoted | HealNoted
"""What dates tell their sport."""


class AlertReminded(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="alert_reminded"):
    """Nobody has taken on an episode that was told, so it is told once more, as its reminder number `number` since it
    last opened; the command that tells it is `command_id`."""

    cause: str
    severity: Severity
    number: int
    command_id: str
    subject: str = NO_SUBJECT
