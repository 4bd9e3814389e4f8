"""Google's own emulators, found where the SDK puts them, and run for the time of a `with` statement.

Nothing of them comes with Tipoff. The jar is started directly: through `gcloud` it takes ten seconds longer and leaves
its Java process behind.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from msgspec import Struct

SDK_VARIABLE = "CLOUDSDK_ROOT_DIR"
SDK = "/usr/lib/google-cloud-sdk"
"""Where Debian's package puts the SDK."""

READY_SECONDS = 30.0
ASK_SECONDS = 1.0
PAUSE_SECONDS = 0.1
LOG_CHARS = 2000
"""How much of an emulator's log is shown when it does not start."""

NEXT_STEP = (
    "Get them with: gcloud components install cloud-firestore-emulator pubsub-emulator (and a Java 17 runtime); "
    f"{SDK_VARIABLE} says where the SDK is."
)


class Emulator(Struct, frozen=True, kw_only=True):
    """An emulator: the environment name by which clients find it, where its jar is, and what is said to Java."""

    variable: str
    jar: str
    arguments: tuple[str, ...] = ()
    main: tuple[str, ...] = ()


FIRESTORE = Emulator(
    variable="FIRESTORE_EMULATOR_HOST",
    jar="platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
    arguments=("-Duser.language=en",),
    main=("com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start"),
)
PUBSUB = Emulator(variable="PUBSUB_EMULATOR_HOST", jar="platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar")


class EmulatorMissing(Exception):
    """An emulator, or Java, is not here, or does not start."""

    code = "emulator_missing"
    next_step = NEXT_STEP

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"{self.reason}. {self.next_step}"


def command(emulator: Emulator, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The command that runs an emulator, without its address. Raises EmulatorMissing."""
    sdk = Path(environ.get(SDK_VARIABLE, SDK))
    found = sorted(sdk.glob(emulator.jar))
    if not found:
        raise EmulatorMissing(f"{emulator.jar} is not below {sdk}")
    if shutil.which("java") is None:
        raise EmulatorMissing("java is not on the path")
    start = ["-cp", str(found[-1]), *emulator.main] if emulator.main else ["-jar", str(found[-1])]
    return ["java", "-Xmx512m", *emulator.arguments, *start]


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(start: list[str], log: Path, *, port: int | None = None) -> Iterator[str]:
    """An emulator, started with `start`, on a free port or on `port`; gives its `host:port`, and ends it afterwards.
    Raises EmulatorMissing where it does not start."""
    port = port or free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*start, "--host=127.0.0.1", f"--port={port}"], stdout=output, stderr=subprocess.STDOUT
        )
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
            raise EmulatorMissing(f"the emulator ended at once:\n{log.read_text(errors='replace')[-LOG_CHARS:]}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=ASK_SECONDS).read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            try:
                process.wait(timeout=PAUSE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        else:
            return
    raise EmulatorMissing(f"the emulator did not answer within {READY_SECONDS:g} s")
