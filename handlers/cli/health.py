"""`health`: is anything wrong, on any date, and what should be done?"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from handlers.cli.arguments import In, Now, Sport
from handlers.cli.health_text import print_health
from handlers.cli.span import Dates, Then, instants, span_of
from handlers.reviews import season_health

All = Annotated[bool, Parameter(name="--all", help="Every finding, not only the worst of each date.", negative="")]


def health(
    dates: Dates = None, /, *, sport: Sport = None, now: Now = None, at: Then = None, all_: All = False, session: In
) -> int:
    """Whether all is well, and what to do where it is not; the exit code says it too."""
    span = span_of(session, sport, dates)
    present, then = instants(session, now, at)
    with session.asking() as recorded:
        found = season_health(recorded, present, span, at=then)
    session.answer(found, lambda console: print_health(console, found, every_finding=all_))
    return found.exit_code
