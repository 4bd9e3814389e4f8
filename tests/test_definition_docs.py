"""docs/definition.md is complete and runs: every key and override is in it, and its snippets do what it says."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from typing import get_args, get_type_hints

import pytest

from handlers.definitions import OVERRIDES, parse
from statemachine import definition
from statemachine.definition import PLACEHOLDERS
from statemachine.spec import Spec
from tests.conftest import ROOT
from tests.definition_mistakes import NBA

TEXT = (ROOT / "docs" / "definition.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
TABLES = {
    "Definition": "Top level",
    "Phase": "`[[phases]]`",
    "CommandSpec": "`[[phases.commands]]` and `[heals.command]`",
    "Processor": "`[[processors]]`",
    "Cycle": "`[[cycles]]`",
    "Step": "`[[cycles.steps]]`",
    "Wait": "`waits`",
    "Gate": "`[[gates]]`",
    "CheckSpec": "`[[gates.checks]]`",
    "Probe": "`[[probes]]`",
    "Validation": "`[validation]`",
    "Validator": "`[[validators]]`",
    "AlertRules": "`[alerts]`",
    "Heal": "`[[heals]]`",
    "ServiceLevel": "`[[service_levels]]`",
    "ClientRules": "`[client]`",
}
INSIDE_A_ROW = {"Band", "Due", "HealPatterns", "Reminder"}
SPECS = {name: spec for name, spec in vars(definition).items() if isinstance(spec, type) and issubclass(spec, Spec)}


def section(heading: str) -> str:
    """The text under a heading, up to the next one."""
    return re.split(r"^#+ ", TEXT.split(f"# {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(text: str, of: str) -> set[str]:
    """The names in the first column of the table whose first heading is `of`."""
    rows = text.split(f"| {of} |")[1].split("\n\n", maxsplit=1)[0].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_every_table_of_a_definition_has_a_section() -> None:
    assert SPECS.keys() - {"Spec"} == TABLES.keys() | INSIDE_A_ROW


@pytest.mark.parametrize("name", TABLES)
def test_a_section_has_every_key_of_its_table_and_no_other(name: str) -> None:
    assert first_cells(section(TABLES[name]), "key") == set(SPECS[name].__struct_fields__)


@pytest.mark.parametrize("name", sorted(INSIDE_A_ROW))
def test_a_row_says_the_keys_of_what_is_written_inside_it(name: str) -> None:
    alerts = section(TABLES["AlertRules"])

    assert [key for key in SPECS[name].__struct_fields__ if not re.search(rf"[{{ ]{key}\b", alerts)] == []


def test_every_placeholder_is_explained() -> None:
    assert first_cells(section(TABLES["CommandSpec"]), "placeholder") == PLACEHOLDERS


def test_every_kind_of_check_is_explained() -> None:
    kinds = get_args(get_type_hints(SPECS["CheckSpec"])["kind"])

    assert first_cells(section(TABLES["CheckSpec"]), "kind") == set(kinds)


def test_every_override_stands_there_with_what_it_takes_and_its_default() -> None:
    rows = [tuple(cell.strip(" `") for cell in line.split("|")[1:4]) for line in TEXT.splitlines() if line[:2] == "| "]

    assert [o.name for o in OVERRIDES if (o.name, o.takes, o.default) not in rows] == []


@pytest.mark.parametrize("block", [code for kind, code in BLOCKS if kind == "toml"])
def test_a_toml_snippet_fits_at_the_end_of_the_shipped_definition(block: str) -> None:
    assert parse(NBA + block).version != parse(NBA).version


@pytest.mark.parametrize("at", [at for at, (kind, _code) in enumerate(BLOCKS) if kind == "python"])
def test_a_python_snippet_runs_and_prints_what_stands_below_it(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    kind, below = BLOCKS[at + 1] if at + 1 < len(BLOCKS) else ("", "")

    with redirect_stdout(StringIO()) as printed:
        exec(compile(BLOCKS[at][1], "docs/definition.md", "exec"), {})

    assert printed.getvalue() == (below if kind == "text" else "")
