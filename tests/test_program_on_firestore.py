"""The same program, its events in Firestore: what it stores verifies, and exports to the same bytes as elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import tipoff


@pytest.fixture
def environ(firestore_host: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    return {"FIRESTORE_EMULATOR_HOST": firestore_host}


def test_a_day_of_the_recorded_week_is_the_same_history_on_firestore_and_on_sqlite(
    environ: dict[str, str], tmp_path: Path
):
    demo = tipoff("demo", "--directory", tmp_path / "demo", "--json")
    assert demo.code in (0, 1, 2), demo.err
    lines = (tmp_path / "demo" / "messages.jsonl").read_bytes().splitlines(keepends=True)[:60]
    exports = []
    for store in (f"sqlite:{tmp_path / 'here.db'}", "firestore:tipoff-program"):
        commands = tmp_path / f"{store.partition(':')[0]}.commands.jsonl"
        where = ("--commands", commands, "--store", store)
        taken = tipoff("ingest", "-", "--clock", "publish", *where, stdin=b"".join(lines), environ=environ)
        assert taken.code == 0, taken.err
        assert tipoff("verify", "--store", store, environ=environ).code == 0
        exports.append(tipoff("export", "--store", store, environ=environ).out)
    assert len(exports[0].splitlines()) > len(lines)
    assert exports[0] == exports[1]
