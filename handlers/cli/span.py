"""Dates and ranges as they are typed: `2026-01-16`, `2026-01-13..2026-01-19`, `yesterday`, `2026-01-13..`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from handlers import asked
from handlers.asked import Refused
from handlers.cli.arguments import game_date, now_of
from handlers.cli.session import Session
from handlers.reviews import Span

RANGE = ".."

Dates = Annotated[
    str | None, Parameter(help="A game date, or a range such as 2026-01-13..2026-01-19; by default all of them.")
]
Then = Annotated[str | None, Parameter(name="--at", help="As it was known at this instant, and judged by it.")]
Point = Annotated[
    str | None, Parameter(name="--at", help="As it was known at this instant or version, and judged by its time.")
]


def span_of(session: Session, sport: str | None, said: str | None) -> Span:
    """The dates that are meant. Raises Refused for what is no date, or a range that ends before it begins."""
    wanted = None if sport is None else session.sport(sport)
    if said is None:
        return Span(sport=wanted)
    ruling = session.sport(sport)
    first, between, last = said.partition(RANGE)
    if not between:
        day = game_date(session, ruling, said)
        return Span(sport=wanted, first=day, last=day)
    span = Span(
        sport=wanted,
        first=game_date(session, ruling, first) if first else Span().first,
        last=game_date(session, ruling, last) if last else Span().last,
    )
    if span.first > span.last:
        raise Refused(f"the range {said!r} ends before it begins", next_step="Give the earlier date first.")
    return span


def instants(session: Session, now: str | None, at: str | None) -> tuple[datetime, datetime | None]:
    """The instant that counts as now, and the one as of which is asked (None: as of now). Raises Refused for both."""
    _one_of(now, at)
    return now_of(session, now), None if at is None else asked.instant(at, "--at")


def present_and_point(session: Session, now: str | None, at: str | None) -> tuple[datetime, int | datetime | None]:
    """The instant that counts as now, and the point in the history of a date as of which is asked. Raises Refused for
    both."""
    _one_of(now, at)
    return now_of(session, now), asked.version_or_instant(at, "--at")


def _one_of(now: str | None, at: str | None) -> None:
    if now is not None and at is not None:
        step = "--at judges by its own instant; --now judges what is known today by another."
        raise Refused("--now and --at exclude each other", next_step=step)
