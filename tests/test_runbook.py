"""The runbook is complete and can be typed: every cause has its section, every command is one, stages are Terraform's.

Its commands are parsed by the program's own command line, and not run.
"""

from __future__ import annotations

import re
import shlex
import string

import pytest
import sqlglot
from cyclopts import App, CycloptsError

from handlers.cli.app import VERBS
from handlers.definitions import load
from handlers.settings import SETTINGS
from projections.findings import NEXT_STEP
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SHARED = {"--json", "--verbose"}
"""Options of every verb, which the program takes before the verb's own."""

COMMANDS = sorted(
    {re.sub(r"\s+", " ", said) for said in re.findall(r"`(tipoff [^`]+)`", PAGE)}
    | set(re.findall(r"^\$ (tipoff .+)$", PAGE, re.MULTILINE))
)


def sections() -> dict[str, str]:
    """The sections of the alert causes, by heading."""
    parts = re.split(r"^### (.+)$", PAGE.split("\n## Alert causes\n")[1], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_cause_has_its_section_and_no_other_has_one():
    assert list(sections()) == list(NEXT_STEP)


@pytest.mark.parametrize("cause", NEXT_STEP)
def test_a_section_says_how_to_confirm_what_to_do_and_when_to_escalate(cause: str):
    text = sections()[cause]
    assert text.strip().partition("\n\n")[0]
    confirm, do, escalate = (text.index(f"- **{word}**") for word in ("Confirm", "Do", "Escalate"))
    assert confirm < do < escalate
    assert re.search(r"`tipoff \w+", text[confirm:do]), "it is confirmed by asking Tipoff"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_typed(command: str):
    typed(command)


@pytest.mark.parametrize("command", ["tipoff heel", "tipoff health --deep", "tipoff day act DATE dance --reason R"])
def test_a_command_that_is_none_is_found(command: str):
    with pytest.raises(CycloptsError):
        typed(command)


def typed(command: str) -> None:
    """Parse a command as the program does. Raises CycloptsError."""
    app = App(name="tipoff")
    for name, verb in VERBS.items():
        app.command(verb, name=name)
    words = [word for word in shlex.split(command)[1:] if word not in SHARED]
    app.parse_args(words, exit_on_error=False, print_error=False)


def test_every_repair_that_is_named_is_one_of_the_definition():
    named = set(re.findall(r"heal --target (\w+)", PAGE)) - {"COMPONENT"}
    assert named - {heal.name for heal in load("nba").heals} == set()
    assert named


def test_every_setting_that_is_named_is_known():
    known = {setting.name for setting in SETTINGS}
    assert set(re.findall(r"\b(?:TIPOFF|SLACK)_[A-Z_]+\b", PAGE)) - known == set()


def test_the_stages_are_those_of_terraform_with_what_they_set():
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE)
    told = {stage: dict(pair.split("=") for pair in re.findall(r"`(\w+=\w+)`", sets)) for stage, sets in rows}
    service = (ROOT / "deploy" / "terraform" / "service.tf").read_text()
    block = service.split("  stages = {\n")[1].split("\n  }\n")[0]
    made = {
        stage: dict(re.findall(r'(\w+)\s*= "(\w+)"', body))
        for stage, body in re.findall(r"^    (\w+) = \{(.*?)\}", block, re.MULTILINE | re.DOTALL)
    }
    assert told == made


def test_every_stage_says_how_it_is_switched_on_what_to_look_at_and_the_way_back():
    stages = re.split(r"^### Stage \d: ", PAGE.split("\n## Two definitions")[0], flags=re.MULTILINE)[1:]
    assert len(stages) == 4
    for stage in stages:
        assert re.search(r"\*\*Switch on\*\*|`stage = ", stage)
        assert all(f"- **{word}**" in stage for word in ("Look at", "Go on when", "Back")), stage.splitlines()[0]
        assert re.search(r"\d", stage.split("**Go on when**")[1]), "criteria have numbers"


def test_links_within_the_page_lead_somewhere():
    anchors = {_anchor(title) for title in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) - anchors == set()


def _anchor(title: str) -> str:
    kept = "".join(sign for sign in title.lower() if sign not in string.punctuation.replace("-", "").replace("_", ""))
    return kept.replace(" ", "-")


def test_its_queries_are_bigquery():
    queries = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert queries
    for query in queries:
        assert isinstance(sqlglot.parse_one(query, dialect="bigquery"), sqlglot.exp.Select)
