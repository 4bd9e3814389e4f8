"""The game date of a message: said, never guessed (design 4).

Read in this order: a date key of the message, a range of one day, a date key of its `metadata`, a path with the date as
a folder or file name, a batch id, an attribute. A date is *never* taken from a timestamp: three games of four have a
different UTC date. Accepted: `YYYY-MM-DD`, the compact `YYYYMMDD`, and the words today, tomorrow, yesterday and AUTO
(= yesterday), which mean the day at publish time in the league's zone. Everything else is refused with a reason.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from events.wire.names import ABSENT
from events.wire.rejected import Rejection, shown

DATE_KEYS = ("game_date", "analysis_date", "data_date", "target_date", "date")
"""Where the game date may stand, the most specific first."""

DATE_WORDS = {"today": 0, "yesterday": -1, "tomorrow": 1, "auto": -1}
"""Days from the league's date at publish time."""

YEAR_MIN, YEAR_MAX = 1900, 2100
"""A date outside is a slip of the pen, and every date makes a stream."""

PATH_CHARS_MAX = 2048

_ISO, _COMPACT = len("2026-01-16"), len("20260116")

SaidDate = tuple[str, str]
"""A game date (`YYYY-MM-DD`) and its basis: where the message says it."""

_known_days: set[str] = set()
"""Dates that were said before, as Tipoff writes them: no more than there are from `YEAR_MIN` to `YEAR_MAX`."""


def calendar_date(said: Any) -> str | None:
    """`said` as `YYYY-MM-DD` if it is a calendar date in one of the two accepted forms, else None."""
    if type(said) is not str:
        return None
    return said if said in _known_days else _calendar_date(said)


def _calendar_date(text: str) -> str | None:
    if len(text) != _COMPACT and (len(text) != _ISO or text[4] != "-" or text[7] != "-"):
        return None
    if not text.replace("-", "0").isdigit() or not text.isascii():
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    if not YEAR_MIN <= day.year <= YEAR_MAX:
        return None
    found = day.isoformat()
    _known_days.add(found)
    return found


def take_date(body: dict[str, Any], published_at: datetime, zone: ZoneInfo, attributes: dict[str, str]) -> SaidDate:
    """The game date and its basis; the key it came from leaves `body`. Raises Rejection `bad_game_date` for one that is
    said and cannot be used, `no_game_date` where none is said."""
    found = (
        _by_key(body, published_at, zone)
        or _by_range(body)
        or _in_metadata(body, published_at, zone)
        or _in_path(body)
        or _in_batch(body)
        or _by_key(attributes, published_at, zone, prefix="attributes.", take=False)
    )
    if found is None:
        keys = f"`game_date` (or {', '.join(DATE_KEYS[1:])})"
        raise Rejection("no_game_date", f"no game date: give {keys}; it is never derived from a timestamp")
    return found


def resolve(key: str, said: Any, *, published_at: datetime, zone: ZoneInfo) -> SaidDate:
    """The date under `key` and its basis. Raises Rejection `bad_game_date`."""
    day = calendar_date(said)
    if day is not None:
        return day, key if day == said else f"{key}={said}"
    offset = DATE_WORDS.get(said.lower()) if type(said) is str and len(said) < _ISO else None
    if offset is None:
        hint = "give the league's calendar date as YYYY-MM-DD, not a timestamp"
        raise Rejection("bad_game_date", f"`{key}` is {shown(said)}: {hint}")
    here = published_at.astimezone(zone).date()
    return (here + timedelta(days=offset)).isoformat(), f"{key}={said}"


def _by_key(
    body: dict[str, Any], published_at: datetime, zone: ZoneInfo, *, prefix: str = "", take: bool = True
) -> SaidDate | None:
    for key in DATE_KEYS:
        said = body.get(key)
        if said is None or (type(said) is str and said in ABSENT):
            continue
        found = resolve(prefix + key, said, published_at=published_at, zone=zone)
        if take:
            del body[key]
        return found
    return None


def _by_range(body: dict[str, Any]) -> SaidDate | None:
    start, end = body.get("start_date"), body.get("end_date")
    if start is None and end is None:
        return None
    day = calendar_date(start)
    if day is None or start != end:
        span = f"`start_date` {shown(start)} and `end_date` {shown(end)}"
        raise Rejection("bad_game_date", f"{span} are not one and the same date: send one message per game date")
    return day, "start_date=end_date"


def metadata_of(body: dict[str, Any]) -> dict[str, Any]:
    """The message's `metadata`, or nothing where it is no object."""
    metadata = body.get("metadata")
    return metadata if type(metadata) is dict else {}


def _in_metadata(body: dict[str, Any], published_at: datetime, zone: ZoneInfo) -> SaidDate | None:
    return _by_key(metadata_of(body), published_at, zone, prefix="metadata.", take=False)


def _in_path(body: dict[str, Any]) -> SaidDate | None:
    for basis, path in (
        ("gcs_path", body.get("gcs_path")),
        ("metadata.gcs_path", metadata_of(body).get("gcs_path")),
        ("object_name", body.get("name") if "bucket" in body else None),
    ):
        day = path_date(path)
        if day is not None:
            return day, basis
    return None


def path_date(path: Any) -> str | None:
    """The first folder or file of `path` that is named `YYYY-MM-DD` (a file's ending aside; `date=2026-01-16` too)."""
    if type(path) is not str or len(path) > PATH_CHARS_MAX:
        return None
    for part in path.split("/"):
        stem = part.partition(".")[0].rpartition("=")[2]
        day = calendar_date(stem) if len(stem) == _ISO else None
        if day is not None:
            return day
    return None


def _in_batch(body: dict[str, Any]) -> SaidDate | None:
    """Batch ids of the prediction coordinator carry their game date: `batch_2026-01-19_1768838151`."""
    batch = body.get("batch_id") or metadata_of(body).get("batch_id")
    parts = batch[:64].split("_") if type(batch) is str else []
    day = calendar_date(parts[1]) if len(parts) > 1 and parts[0] == "batch" else None
    return (day, "batch_id") if day is not None else None
