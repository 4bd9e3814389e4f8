"""docs/projections.md is complete and runs."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from projections.day import PhaseStatus
from projections.health import Contract
from projections.service_levels import Outcome
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "projections.md").read_text()


def first_cells(heading: str) -> list[str]:
    """The first column of the table under the column heading."""
    rows = TEXT.split(f"| {heading} |")[1].split("\n\n", maxsplit=1)[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_a_snippet_does_what_it_says(snippet: str):
    names: dict[str, Any] = {}
    exec(snippet, names)


@pytest.mark.parametrize(("heading", "words"), [("status", PhaseStatus), ("contract", Contract)])
def test_a_table_says_every_word_that_can_be_answered_and_no_other(heading: str, words: object):
    assert first_cells(heading) == list(get_args(words))


def test_every_outcome_of_a_promise_is_explained():
    for word in get_args(Outcome):
        assert f"`{word}`" in TEXT


def test_every_module_that_is_named_is_there():
    named = re.findall(r"`(projections/\w+\.py)`", TEXT)

    assert named
    assert all((ROOT / name).is_file() for name in named)
