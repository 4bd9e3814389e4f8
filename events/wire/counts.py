"""Numbers that a message says. A count that is no count rejects the message: it would be read as truth by a gate."""

from __future__ import annotations

from typing import Any

from events.wire.instants import note
from events.wire.rejected import Rejection, shown

COUNT_MAX = 1_000_000_000
"""A table of a game date with more rows than this is a slip of the pen."""

COUNT_KEYS = (
    *("record_count", "graded_count", "predictions_generated", "records_processed", "row_count"),
    *("rows_processed", "games_processed", "count"),
)
"""Where the number of what was made stands, the most specific first."""

_DIGITS_MAX = len(str(COUNT_MAX))


def count(key: str, said: Any, flags: list[str]) -> int | None:
    """`said` as a count, None for null. Digits in quotes are accepted and flagged. Raises Rejection `bad_count`."""
    if type(said) is int and 0 <= said <= COUNT_MAX:
        return said
    if said is None:
        return None
    if type(said) is str and len(said) <= _DIGITS_MAX and said.isascii() and said.isdigit():
        note(flags, "count_as_text")
        return count(key, int(said), flags)
    if type(said) is float and said.is_integer() and 0 <= said <= COUNT_MAX:
        note(flags, "count_as_float")
        return int(said)
    raise Rejection("bad_count", f"`{key}` is {shown(said)}: give a whole number from 0 to {COUNT_MAX}")


def take_count(body: dict[str, Any], flags: list[str]) -> tuple[int | None, str | None]:
    """How many were made, and the key that says so. `record_count` leaves `body`; any other key stays there, as it says
    what was counted. Raises Rejection `bad_count`."""
    for key in COUNT_KEYS:
        said = body.get(key)
        if said is not None:
            if key == "record_count":
                del body[key]
            return count(key, said, flags), key
    return None, None


def number(key: str, said: Any, flags: list[str]) -> float | int | None:
    """`said` as a number that is not negative, None for null. Raises Rejection `bad_count`."""
    if type(said) is float and 0 <= said <= COUNT_MAX:
        return said
    if type(said) is str and "." in said[1:_DIGITS_MAX] and said.isascii() and said.replace(".", "0", 1).isdigit():
        note(flags, "count_as_text")
        return float(said)
    return count(key, said, flags)


def take_seconds(body: dict[str, Any], flags: list[str]) -> float | None:
    """The duration. What is no duration stays in `body`, flagged `bad_duration`: nothing is decided on it."""
    said = body.get("duration_seconds")
    if (type(said) is float or type(said) is int) and 0 <= said <= COUNT_MAX:
        del body["duration_seconds"]
        return float(said)
    if said is not None:
        note(flags, "bad_duration")
    return None
