"""The README says only what is so: its commands run, its snippet prints what it says, its picture is of a real run."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.test_cli_docs import examples, matches

TEXT = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\$ (.+)$", TEXT, re.MULTILINE)
EXAMPLES = [
    example
    for block in re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    for example in examples(block)
]
"""Each command with the lines that stand below it."""

PROGRAM = ".venv/bin/tipoff "
PICTURE = "docs/images/demo.svg"

ANSWERS = {0, 1, 2}
"""Exit codes of a command that did what it was asked: all well, warnings, something critical (the week has both)."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the repository after `make demo`, with the picture drawn by it."""
    folder = tmp_path_factory.mktemp("readme")
    for name in (".venv", "main.py", "events", "statemachine", "projections", "handlers", "examples"):
        (folder / name).symlink_to(ROOT / name)
    run(f"{demo_command()} --picture {PICTURE}", folder)
    return folder


def demo_command() -> str:
    """The command behind `make demo`, as make itself tells it."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    ask = ["make", "--no-print-directory", "-n", "demo"]  # under `make test` it would say where it is, too
    told = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return told.strip().splitlines()[-1]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    if not (ROOT / ".venv").exists():
        pytest.skip("no .venv here: `make setup` makes it")
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in ANSWERS, f"{command}\n{done.stdout}\n{done.stderr}"
    assert done.stdout
    return done


def test_the_two_commands_of_the_set_up_are_targets_of_make():
    makes = [command for command in COMMANDS if command.startswith("make ")]
    assert makes == ["make demo", "make test"]
    targets = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {command.split()[1] for command in makes} <= set(targets)


def test_every_other_command_is_of_the_program_or_says_where_the_store_is():
    others = [command for command in COMMANDS if not command.startswith(("make ", PROGRAM))]
    assert others == ["export TIPOFF_STORE=sqlite:build/demo/tipoff.db"]


@pytest.mark.parametrize(("command", "shown"), [example for example in EXAMPLES if example[0].startswith(PROGRAM)])
def test_every_command_of_the_program_says_what_stands_below_it(command: str, shown: list[str], elsewhere: Path):
    said = run(f"TIPOFF_STORE=sqlite:build/demo/tipoff.db {command}", elsewhere).stdout
    assert not shown or matches(shown, said), said


def test_the_picture_is_what_a_run_draws(elsewhere: Path):
    assert (ROOT / PICTURE).read_text() == (elsewhere / PICTURE).read_text(), "draw it anew: main.py demo --picture"
    assert f"]({PICTURE})" in TEXT


def test_the_snippet_prints_what_stands_below_it():
    ((code, printed),) = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, names)
    assert out.getvalue() == printed


def test_every_file_that_is_linked_is_there():
    linked = re.findall(r"\]\(([^)#]+)\)", TEXT)
    missing = [name for name in linked if not name.startswith("http") and not (ROOT / name).exists()]
    assert linked
    assert missing == []
