"""A fleet: several real processes of the service on one Firestore and one Pub/Sub, which a test kills as it likes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import httpx

from tests.emulators import free_port
from tests.waiting import until

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 20.0


class Instance:
    """One process of the service, on a port of its own."""

    def __init__(self, name: str, environ: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log.open("ab")
        command = [sys.executable, "-m", "tests.short_calls", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environ), stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL
        )

    @property
    def ready(self) -> bool:
        """Whether it says that it takes messages."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """The process is gone at once, whatever it was doing."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        self._log.close()

    def stop(self) -> int:
        """The process is asked to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        self._log.close()
        return code


class Fleet:
    """Instances of the service in one environment."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self.instances: list[Instance] = []
        self.killed = 0
        self._environ = {**os.environ, **environ}
        self._folder = folder
        self._numbers = count(1)

    def grow(self, instances: int) -> None:
        """Start so many more."""
        self.instances += [self._started() for _ in range(instances)]

    def settle(self) -> None:
        """Wait until all that run are ready."""
        for instance in self.instances:
            until(partial(_decided, instance), seconds=START_SECONDS, what=f"{instance.name} ready")
            assert instance.process.poll() is None, f"{instance.name} ended: {self.told(instance)}"

    def replace(self, instance: Instance) -> None:
        """Kill an instance and start another. Who chooses one meanwhile finds as many as ever."""
        instance.kill()
        self.killed += 1
        self.instances = [self._started() if one is instance else one for one in self.instances]

    def _started(self) -> Instance:
        name = f"instance-{next(self._numbers)}"
        return Instance(name, self._environ, self._folder / f"{name}.log")

    def told(self, instance: Instance) -> str:
        """The last that an instance wrote."""
        return (self._folder / f"{instance.name}.log").read_text(errors="replace")[-3000:]

    def stop(self) -> list[int]:
        """End all of them as a platform does; their exit codes."""
        codes = [instance.stop() for instance in self.instances]
        self.instances = []
        return codes


def _decided(instance: Instance) -> bool:
    return instance.ready or instance.process.poll() is not None


@contextmanager
def fleet(environ: Mapping[str, str], folder: Path) -> Iterator[Fleet]:
    """A fleet that leaves nothing running."""
    found = Fleet(environ, folder)
    try:
        yield found
    finally:
        for instance in found.instances:
            instance.kill()
