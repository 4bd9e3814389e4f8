"""docs/command-line.md tells the truth: its examples run in order, and it leaves out no verb, option or exit code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.cli import alerts, day, definition, dlq, heal, season, topics, warehouse
from handlers.cli.app import VERBS
from handlers.cli.problems import Exit
from tests.command_line import tipoff
from tests.conftest import ROOT

GROUPS = (alerts.app, day.app, definition.app, dlq.app, heal.app, season.app, topics.app, warehouse.app)
"""Verbs that have verbs below them."""

PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples(block: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block with the lines it shows."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def plain(text: str) -> str:
    """Text without rules, empty lines, and the spaces that align tables."""
    lines = (re.sub(r"\s+", " ", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line.strip("─ "))


def matches(shown: list[str], said: str) -> bool:
    """Whether the lines a page shows are what was said; `…` stands for anything, on a line of its own for lines."""
    parts = []
    for line in shown:
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(re.escape(plain(line)).replace("…", ".*") + r"\n")
    return re.fullmatch("".join(parts), f"{plain(said)}\n" if plain(said) else "") is not None


class Shell:
    """What the examples need of a shell: variables, exit codes, a redirected input, and a comparison of files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ: dict[str, str] = {}
        self.code = 0

    def run(self, command: str) -> str:
        """What a command says, first on standard output."""
        name, *words = shlex.split(command)
        if name == "export":
            self.environ.update((name, value) for name, _, value in (word.partition("=") for word in words))
            return ""
        if name == "echo":
            assert words == ["$?"]
            return str(self.code)
        if name == "cmp":
            first, second = ((self.folder / word).read_bytes() for word in words)
            return "" if first == second else "differ"
        assert name == "tipoff", command
        stdin = b""
        if "<" in words:
            stdin = (self.folder / words[-1]).read_bytes()
            words = words[: words.index("<")]
        ran = tipoff(*words, environ=self.environ, stdin=stdin)
        self.code = ran.code
        return ran.out + ran.err


def test_every_example_does_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path)
    for kind, name, text in BLOCK.findall(PAGE):
        if kind != "console":
            (tmp_path / name).write_text(text, encoding="utf-8")
            continue
        for command, shown in examples(text):
            said = shell.run(command)
            assert matches(shown, said), f"$ {command}\n{said}"


@pytest.mark.parametrize(
    ("shown", "said", "expected"),
    [
        (["one", "…", "three"], "one\ntwo\nthree", True),
        (["one  two"], "   one \t two\n ─────\n\n", True),
        (["a … c"], "a b c", True),
        (["a … d"], "a b c", False),
        (["one"], "one\ntwo", False),
        ([], "", True),
        ([], "something", False),
    ],
)
def test_an_example_is_held_to_all_that_it_shows(shown: list[str], said: str, expected: bool) -> None:
    assert matches(shown, said) is expected


def test_every_verb_has_an_example() -> None:
    typed = {
        command.split()[1]
        for kind, _name, text in BLOCK.findall(PAGE)
        if kind == "console"
        for command, _shown in examples(text)
        if command.startswith("tipoff ")
    }
    below = {f"{app.name[0]} {name}" for app in GROUPS for name in app if name[0] != "-"}
    assert typed - {"--version"} == set(VERBS)
    assert {verb for verb in below if f"$ tipoff {verb} " not in PAGE} == set()


def test_every_exit_code_is_explained() -> None:
    table = PAGE.split("| exit code |")[1].split("\n\n")[0]
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert explained == {int(code) for code in Exit} - {Exit.INTERRUPTED}


def test_every_option_is_named() -> None:
    shown = [tipoff(*verb.split(), "--help").out for verb in VERBS]
    for group in GROUPS:
        shown += [tipoff(group.name[0], name, "--help").out for name in group if name[0] != "-"]
    options = {option for text in shown for option in re.findall(r"(?<!\w)(--[a-z-]+)", text)} - {"--help"}
    assert {option for option in options if option not in PAGE} == set()
