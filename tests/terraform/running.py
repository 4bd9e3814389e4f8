"""Terraform itself, on the configuration in deploy/terraform, with the stand-in for the provider."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

CONFIGURATION = ROOT / "deploy" / "terraform"
VARIABLES = {
    "project": "tipoff-test",
    "image": f"example.org/tipoff@sha256:{'0' * 64}",
    "runbook_url": "https://example.org/runbook.md",
    "operators": '["ana@example.org"]',
    "notified": '["oncall@example.org"]',
}
RUN_SECONDS = 60


class Terraform:
    """A copy of the configuration in `folder`, which a test may change."""

    def __init__(self, program: str, folder: Path) -> None:
        self.folder = folder / "deploy" / "terraform"
        shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns(".terraform*"))
        self._program = program
        self._known: dict[Any, Any] = {}
        self._environ = {**os.environ, **_with_stand_in(folder)}

    def validate(self) -> list[str]:
        """What is wrong with it, as `file: summary: detail`."""
        answer = json.loads(self._run("validate", "-json").stdout)
        return [
            f"{item.get('range', {}).get('filename', '-')}: {item['summary']}: {item.get('detail', '')}"
            for item in answer["diagnostics"]
            if item["severity"] == "error"
        ]

    def formatted(self) -> bool:
        """Whether it stands as `terraform fmt` writes it."""
        return self._run("fmt", "-check", "-recursive").returncode == 0

    def evaluate(self, expression: str, **variables: str) -> Any:
        """The value of an expression. Raises ValueError with what Terraform says."""
        key = (expression, *variables.items())
        if key not in self._known:
            options = [f"-var={name}={value}" for name, value in {**VARIABLES, **variables}.items()]
            done = self._run("console", *options, said=f"jsonencode({expression})")
            if done.stderr.strip():
                raise ValueError(done.stderr)
            self._known[key] = json.loads(json.loads(done.stdout))
        return self._known[key]

    def _run(self, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._program, *words, *(["-no-color"] if words[0] == "validate" else [])],
            input=said,
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )


def terraform(folder: Path) -> Terraform:
    """Terraform in `folder`; skips the test where there is none, fails it where peers are required."""
    program = shutil.which("terraform")
    if program is None:
        why = "terraform is missing; get it from developer.hashicorp.com/terraform/install"
        if os.environ.get("TIPOFF_REQUIRE_EMULATORS"):
            pytest.fail(why)
        pytest.skip(why)
    return Terraform(program, folder)


def _with_stand_in(folder: Path) -> dict[str, str]:
    """The environment in which Terraform takes the stand-in for the Google provider, and asks no registry."""
    plugins = folder / "plugins"
    plugins.mkdir()
    stand_in = plugins / "terraform-provider-google"
    stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("provider.py")}"\n')
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    settings = folder / "terraformrc"
    settings.write_text(
        f'provider_installation {{\n  dev_overrides {{\n    "hashicorp/google" = "{plugins}"\n  }}\n  direct {{}}\n}}\n'
    )
    return {"TF_CLI_CONFIG_FILE": str(settings), "TF_DISABLE_PLUGIN_TLS": "1", "CHECKPOINT_DISABLE": "1"}
