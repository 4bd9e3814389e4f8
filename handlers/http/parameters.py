"""What several routes are asked with: the parts of their paths and queries, described once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from litestar.openapi.spec import Example
from litestar.params import PathParameter, QueryParameter

from handlers import asked
from handlers.asked import version_or_instant
from handlers.http.asking import Asked, known_sport
from handlers.http.problems import Refusal
from handlers.reviews import Span

DATE = {"format": "date"}
VERSION_OR_INSTANT = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "format": "date-time"}]}
INSTANT = {"format": "date-time"}

Sport = Annotated[str, PathParameter(description="The sport.", examples=[Example(value="nba")])]
GameDate = Annotated[
    str,
    PathParameter(description="The game date, YYYY-MM-DD.", schema_extra=DATE, examples=[Example(value="2026-01-16")]),
]
At = Annotated[
    str | None,
    QueryParameter(description="As it was known at a version (12) or an instant.", schema_extra=VERSION_OR_INSTANT),
]
Then = Annotated[
    str | None,
    QueryParameter(name="at", description="As it was known at an instant, and judged by it.", schema_extra=INSTANT),
]
After = Annotated[int, QueryParameter(description="Only what happened behind this version.", ge=0)]
OfSport = Annotated[str | None, QueryParameter(description="Only dates of this sport.")]
From = Annotated[str | None, QueryParameter(name="from", description="First game date.", schema_extra=DATE)]
To = Annotated[str | None, QueryParameter(description="Last game date.", schema_extra=DATE)]


def of_date(request: Asked, sport: str, game_date: str, at: str | None) -> tuple[str, int | datetime | None]:
    """The game date and the point in its history. Raises Refusal, Refused."""
    known_sport(request, sport)
    return asked.game_date(game_date), version_or_instant(at, "at")


def instant(at: str | None) -> datetime | None:
    """The instant as of which is asked. Raises Refused."""
    return None if at is None else asked.instant(at, "at")


def span(request: Asked, sport: str | None, from_: str | None, to: str | None) -> Span:
    """The dates that are meant. Raises Refusal for a sport that is not known and a range that ends before it begins,
    Refused for what is no date."""
    found = Span(
        sport=None if sport is None else known_sport(request, sport),
        first=Span().first if from_ is None else asked.game_date(from_),
        last=Span().last if to is None else asked.game_date(to),
    )
    if found.first > found.last:
        what = f"No date is from {found.first} to {found.last}: that ends before it begins."
        raise Refusal("nothing_recorded", f"{what} Give the earlier date as `from`.")
    return found
