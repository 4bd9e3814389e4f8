"""Google's own emulators, started once per test run where they are found.

They are looked for under `$CLOUDSDK_ROOT_DIR` (default: where Debian's package puts the SDK). A missing one skips with
a message that says how to get it, unless TIPOFF_REQUIRE_EMULATORS is set: there it fails.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

SDK = Path(os.environ.get("CLOUDSDK_ROOT_DIR", "/usr/lib/google-cloud-sdk"))
READY_SECONDS = 30.0
GET_THEM = "gcloud components install cloud-firestore-emulator pubsub-emulator"


def firestore_jar() -> list[str]:
    """The command of the Firestore emulator, without its address."""
    jar = SDK / "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
    main = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
    return ["-Duser.language=en", "-Xmx512m", "-cp", str(_there(jar)), main, "start"]


def _there(jar: Path) -> Path:
    if jar.exists() and shutil.which("java"):
        return jar
    why = f"{jar.name} or java is missing; get them with: {GET_THEM} (and a Java 17 runtime)"
    if os.environ.get("TIPOFF_REQUIRE_EMULATORS"):
        pytest.fail(why)
    pytest.skip(why)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def emulator(arguments: list[str], log: Path) -> Iterator[str]:
    """A running emulator; gives its `host:port`, and ends it afterwards."""
    port = free_port()
    with log.open("wb") as output:
        command = ["java", *arguments, "--host=127.0.0.1", f"--port={port}"]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_until_ready(process, port, log)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=READY_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = monotonic() + READY_SECONDS
    while monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"the emulator ended at once:\n{log.read_text(errors='replace')[-2000:]}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).read()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            try:
                process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
    pytest.fail(f"the emulator did not answer within {READY_SECONDS} s")
