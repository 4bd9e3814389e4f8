"""docs/messages.md tells the truth: its examples run, and its tables are complete."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from events.wire import from_line, read
from events.wire.native_fields import FIELDS
from tests.conftest import ROOT
from tests.test_wire_rejections import CODES
from tests.wire_messages import ROUTING

PAGE = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^```json message\n(.*?)^```\n```json becomes\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [(json.loads(message), json.loads(becomes)) for message, becomes in EXAMPLE.findall(PAGE)]


def part_of(said: Any, whole: Any) -> Any:
    """The keys of `whole` that `said` mentions, at every level, so that the two compare as equal or show why not."""
    if isinstance(said, dict) and isinstance(whole, dict):
        return {key: part_of(value, whole[key]) for key, value in said.items() if key in whole}
    return whole


@pytest.mark.parametrize(("message", "becomes"), EXAMPLES, ids=[m["message"]["messageId"] for m, _ in EXAMPLES])
def test_an_example_becomes_what_the_page_says(message: dict[str, Any], becomes: list[dict[str, Any]]) -> None:
    delivery = from_line(json.dumps(message).encode())

    found = msgspec.json.decode(msgspec.json.encode(read(delivery, ROUTING, received_at=delivery.published_at)))

    assert [part_of(said, whole) for said, whole in zip(becomes, found, strict=True)] == becomes


def test_no_example_is_skipped() -> None:
    assert len(EXAMPLES) == PAGE.count("```json message") == PAGE.count("```json becomes") > 0


def test_every_rejection_code_is_explained_once_and_no_other() -> None:
    table = PAGE.split("## Rejections")[1]

    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(CODES)


def test_every_flag_is_explained() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "events" / "wire").glob("*.py"))
    flags = set(re.findall(r'(?:note\([a-z_.]*flags, |flags\.append\()"(\w+)"', source))
    table = PAGE.split("## Flags")[1].split("\n## ")[0]

    assert flags
    assert {flag for flag in flags if f"`{flag}`" not in table} == set()


def test_every_native_type_is_listed_with_all_its_fields() -> None:
    rows = dict(re.findall(r"^\| `(tipoff\.[a-z.]+)` \| (.*) \|$", PAGE, re.MULTILINE))

    assert set(rows) == set(FIELDS)
    for ce_type, fields in FIELDS.items():
        if rows[ce_type].startswith("the same"):
            continue
        assert [name for name in fields.required if not re.search(rf"\b{name}\b(?!\?)", rows[ce_type])] == []
        assert [name for name in fields.optional if f"{name}?" not in rows[ce_type]] == []
