"""docs/http.md tells the truth: its examples run in order on a real service, and it leaves nothing out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from handlers.http.problems import KINDS
from tests.command_line import NOON, tipoff
from tests.conftest import ROOT
from tests.http_service import Served, Wall, served
from tests.test_cli_docs import BLOCK, examples, matches
from tests.test_http_schema import ROUTES

PAGE = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
DEMO = "sqlite:build/demo/tipoff.db"


def curl(service: Served, words: list[str]) -> str:
    """What curl shows, as far as the page uses it: -s, -i, -X, -H and -d."""
    method, headers, body, shown, path = "GET", {}, None, False, ""
    words = list(words)
    while words:
        word = words.pop(0)
        if word in ("-s", "-si"):
            shown = word == "-si"
        elif word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(":")
            headers[name] = value.strip()
        elif word == "-d":
            body, method = words.pop(0), "POST"
            headers.setdefault("content-type", "application/x-www-form-urlencoded")
        else:
            assert word.startswith("localhost:8080/"), word
            path = word.removeprefix("localhost:8080")
    answer = service.http.request(method, path, content=body, headers=headers)
    lines = [f"HTTP/1.1 {answer.status_code} {httpx.codes.get_reason_phrase(answer.status_code)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\n".join([*lines, "", answer.text] if shown else [answer.text])


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A service on the store of the demo, the day after its week."""
    monkeypatch.chdir(tmp_path)
    assert tipoff("demo").code == 0
    with served(DEMO, clock=Wall(NOON.replace(day=21))) as service:
        yield service


def test_every_example_does_what_the_page_shows(demo: Served):
    code = 0
    for kind, _name, text in BLOCK.findall(PAGE):
        assert kind == "console"
        for command, shown in examples(text):
            name, *words = shlex.split(command)
            if command == f"tipoff serve --store {DEMO}":
                continue  # this is what runs
            if name == "echo":
                said = str(code)
            elif name == "curl":
                said = curl(demo, words)
            else:
                ran = tipoff(*words)
                code, said = ran.code, ran.out + ran.err
            assert matches([line for line in shown if line], said), f"$ {command}\n{said}"


def test_every_route_has_an_example():
    asked = set(re.findall(r"localhost:8080(/[^\s?\"]*)", PAGE))
    for _method, path in ROUTES:
        pattern = path.replace("{sport}", "nba").replace("{game_date}", r"\d{4}-\d\d-\d\d")
        assert any(re.fullmatch(pattern, word) for word in asked), path


def test_every_problem_is_explained_with_its_status():
    table = PAGE.split("| status | `urn:tipoff:problem:`")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", table, re.MULTILINE)
    explained = {(int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert explained == {(kind.status, code) for code, kind in KINDS.items()}


def test_every_metric_is_explained_and_there_is_no_other():
    with served() as service:
        counted = set(re.findall(r"^# TYPE (\w+?)(?:_total)? ", service.http.get("/metrics").text, re.MULTILINE))
    explained = set(re.findall(r"`(tipoff_\w+?)(?:_total)?(?:\{[\w,]+\})?`", PAGE))
    assert explained == counted
