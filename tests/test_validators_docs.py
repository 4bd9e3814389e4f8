"""docs/validators.md tells the truth: its examples run, in order, and its guesses are those of the shipped queries."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.driving import nba
from tests.pipeline_tables import COLUMNS
from tests.test_cli_docs import BLOCK, Shell, examples, matches

PAGE = (ROOT / "docs" / "validators.md").read_text(encoding="utf-8")


def test_every_example_does_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "statemachine" / "definitions", tmp_path / "statemachine" / "definitions")
    shell = Shell(tmp_path)
    for kind, name, text in BLOCK.findall(PAGE):
        if kind == "python":
            exec(compile(text, "docs/validators.md", "exec"), {})
        elif kind != "console":
            (tmp_path / name).write_text(text, encoding="utf-8")
        else:
            for command, shown in examples(text):
                said = shell.run(command)
                assert matches(shown, said), f"$ {command}\n{said}"


def test_every_column_that_is_a_guess_is_listed_with_its_table():
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (`.+) \|$", PAGE, re.MULTILINE)
    listed = {table: set(re.findall(r"`(\w+)`", columns)) for table, columns in rows}
    named = {"game_date", "analysis_date", "cache_date", "game_id"}  # of the papers
    for processor, validators in nba().validators_of.items():
        table = nba().processor_of[processor].table or ""
        words = set(re.findall(r"\w+", " ".join(validator.sql for validator in validators)))
        used = words & set(COLUMNS[table]) - named
        if processor == "ml_feature_store":  # the probes of gates read its players, and say so elsewhere
            used.discard("player_lookup")
        assert listed[table] == used
