"""The emulator of BigQuery (`make bigquery`), started once per test run where it is installed.

Without it a test that needs it skips with a message that says how to get it; with TIPOFF_REQUIRE_EMULATORS it fails.
"""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.emulators import READY_SECONDS, free_port

HOME = Path(__file__).resolve().parents[1] / ".bigquery-venv"
PROJECT = "test"


@contextmanager
def bigquery_emulator(folder: Path) -> Iterator[str]:
    """A running emulator that keeps its data in `folder`; gives its URL, and ends it afterwards."""
    program = HOME / "bin" / "local-bigquery"
    if not (HOME / ".ready").exists():
        why = "the emulator of BigQuery is not installed; get it with: make bigquery (needs Python 3.13)"
        if os.environ.get("TIPOFF_REQUIRE_EMULATORS"):
            pytest.fail(why)
        pytest.skip(why)
    port = free_port()
    address = ["--host", "127.0.0.1", "--port", str(port), "--grpc-port", str(free_port())]
    command: list[str | Path] = [program, *address, "--project", PROJECT, "--data-dir", folder / "data", "serve"]
    environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(HOME / "home")}
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environ, cwd=folder)
        try:
            _wait_until_ready(process, port, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=READY_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = monotonic() + READY_SECONDS
    while monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"the emulator ended at once:\n{log.read_text(errors='replace')[-2000:]}")
        try:
            url = f"http://127.0.0.1:{port}/bigquery/v2/projects/{PROJECT}/datasets"
            urllib.request.urlopen(url, timeout=2).read()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            try:
                process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
    pytest.fail(f"the emulator did not answer within {READY_SECONDS} s")
