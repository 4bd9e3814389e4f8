"""Google's own emulators in tests: started once per test run where they are found (`handlers/emulators.py`).

A missing one skips with a message that says how to get it, unless TIPOFF_REQUIRE_EMULATORS is set: there it fails.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from handlers.emulators import FIRESTORE, PUBSUB, READY_SECONDS, Emulator, EmulatorMissing, command, free_port, running

__all__ = ["READY_SECONDS", "emulator", "firestore_jar", "free_port", "pubsub_jar"]


def firestore_jar() -> list[str]:
    """The command of the Firestore emulator, without its address."""
    return _there(FIRESTORE)


def pubsub_jar() -> list[str]:
    """The command of the Pub/Sub emulator, without its address."""
    return _there(PUBSUB)


def _there(wanted: Emulator) -> list[str]:
    try:
        return command(wanted)
    except EmulatorMissing as error:
        if os.environ.get("TIPOFF_REQUIRE_EMULATORS"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@contextmanager
def emulator(start: list[str], log: Path, *, port: int | None = None) -> Iterator[str]:
    """A running emulator; gives its `host:port`, and ends it afterwards."""
    try:
        with running(start, log, port=port) as host:
            yield host
    except EmulatorMissing as error:
        pytest.fail(str(error))
