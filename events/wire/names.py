"""Who speaks, and in which run: names and run ids under all the keys upstream used (incidents 4)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from events.wire.rejected import Rejection, shown

NAME_KEYS = (
    "processor_name",
    "processor",
    "scraper_name",
    "scraper",
    "source_table",
    "analytics_table",
    "output_table",
)
"""Where a name may stand, the most specific first."""

RUN_KEYS = ("execution_id", "run_id", "batch_id")

PROCESSOR_CHARS_MAX = 200
"""A longer name is no name: it would be kept in every state that mentions it."""

ID_MAX = 2**63
"""A number beyond it is no id; making text of a very long one is slow, too."""

ABSENT = frozenset({"", "None", "null"})
"""Texts that say nothing; `None` as text is a formatting accident of a publisher, seen in ids and dates."""

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PREFIX = re.compile(r"(?:Async|Mlb)(?=[A-Z])")


@lru_cache(maxsize=4096)
def normalised(name: str) -> str:
    """One spelling for a class name and a table name: no dataset, no `Async` or `Mlb` before, no `Processor` behind,
    snake_case with acronyms kept whole (`MLFeatureStoreProcessor` -> `ml_feature_store`). It is the name in fact ids;
    which processor it is, the registry of the definition decides."""
    bare = name.rpartition(".")[2] or name
    while prefix := _PREFIX.match(bare):
        bare = bare[prefix.end() :]
    bare = bare.removesuffix("Processor") or bare
    return _HUMP.sub("_", bare).lower()


def take_name(body: dict[str, Any]) -> str:
    """The name of the processor, as published; its key leaves `body` unless it says something else besides. Raises
    Rejection `no_processor`."""
    for key in NAME_KEYS:
        said = body.get(key)
        if said is None:
            continue
        if type(said) is not str or len(said) > PROCESSOR_CHARS_MAX:
            break
        if said in ABSENT:
            continue
        if key == "output_table":  # stays: it is the table that was written, too
            return said.rpartition(".")[2] or said
        del body[key]
        return said
    else:
        return _take_scraper_name(body)
    limit = f"text of at most {PROCESSOR_CHARS_MAX} characters"
    raise Rejection("no_processor", f"`{key}` is {shown(said)}: give {limit}")


def _take_scraper_name(body: dict[str, Any]) -> str:
    """The name of a scraper that calls itself just `name`, beside the path of what it wrote."""
    said = body.get("name")
    if "gcs_path" not in body or type(said) is not str or not 0 < len(said) <= PROCESSOR_CHARS_MAX:
        raise Rejection("no_processor", f"no name: give `processor_name` (or one of {', '.join(NAME_KEYS[1:])})")
    del body["name"]
    return said


def take_run(body: dict[str, Any]) -> str | None:
    """The id of the run, or None where the message names none. A `batch_id` is a run where nothing else is; it may
    stand in `metadata`, from which nothing is taken away."""
    for key in RUN_KEYS:
        if key in body and (said := text_of(body[key])) is not None:
            del body[key]
            return said
    metadata = body.get("metadata")
    return text_of(metadata.get("batch_id")) if type(metadata) is dict else None


def text_of(said: Any) -> str | None:
    """An id as text: a string, or a number that a publisher did not quote; None where it says nothing."""
    if type(said) is str:
        return None if said in ABSENT else said
    return str(said) if type(said) is int and abs(said) <= ID_MAX else None
