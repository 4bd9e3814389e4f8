"""docs/warehouse.md tells the truth: its examples run, in order. The DDL in deploy/ is what the program says."""

from __future__ import annotations

import re
import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from handlers.warehouse.dialect import ALIKE
from handlers.warehouse.tables import TABLES, VIEWS, ddl
from tests.conftest import ROOT
from tests.test_cli_docs import Shell, examples, matches

PAGE = (ROOT / "docs" / "warehouse.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_example_does_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "statemachine" / "definitions", tmp_path / "statemachine" / "definitions")
    shell = Shell(tmp_path)
    printed = ""
    for kind, text in BLOCKS:
        if kind == "python":
            with redirect_stdout(StringIO()) as output:
                exec(compile(text, "docs/warehouse.md", "exec"), {})
            printed = output.getvalue()
        elif kind == "text":
            assert text == printed
        else:
            for command, shown in examples(text):
                said = shell.run(command)
                assert matches(shown, said), f"$ {command}\n{said}"


def test_every_table_and_view_is_explained():
    explained = set(re.findall(r"^\| `(\w+)` \| (?!dataset|another|a file)", PAGE, re.MULTILINE))
    assert explained == {*(table.name for table in TABLES), *VIEWS}


def test_every_function_that_a_probe_may_use_is_named():
    functions = {kind.sql_names()[0] for kind in ALIKE if issubclass(kind, exp.Func) and kind not in (exp.And, exp.Or)}
    named = PAGE.split("## What a probe may say")[1]
    assert {name for name in functions if name.replace("COUNT_IF", "COUNTIF") not in named} == set()


def test_deploy_holds_the_statements_of_the_program():
    folder = ROOT / "deploy" / "bigquery"
    assert {path.stem: path.read_text() for path in folder.glob("*.sql")} == ddl(), (
        "tipoff warehouse ddl deploy/bigquery"
    )


@pytest.mark.parametrize("name", ddl())
def test_a_statement_is_one_of_bigquery_and_names_only_its_dataset(name: str):
    statements = sqlglot.parse(ddl("other")[name], read="bigquery")

    assert len([statement for statement in statements if statement is not None]) == 1
    assert isinstance(statements[0], exp.Create)
    assert {table.db for table in statements[0].find_all(exp.Table) if table.db} == {"other"}
