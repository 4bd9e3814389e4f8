"""What every test may rely on: how hard the properties search, and where real input lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.bigquery_emulator import bigquery_emulator
from tests.emulators import emulator, firestore_jar, pubsub_jar

pytest.register_assert_rewrite("tests.contract_store", "tests.contract_reading", "tests.contract_warehouse")

ROOT = Path(__file__).resolve().parents[1]

# A slow example is no fault of the rule it tests, so neither profile has a deadline; pytest-timeout stops a
# hang. At a desk the search is random and remembers what it found; in CI it goes further, and the same way
# every time.
_PROFILE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _PROFILE, derandomize=False)
settings.register_profile("ci", _PROFILE, max_examples=150, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real input beside the repository; skips where a checkout has none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real input here: ../shared/data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def firestore_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Google's Firestore emulator, one for the whole run; every test takes a project of its own."""
    with emulator(firestore_jar(), tmp_path_factory.mktemp("firestore") / "log") as host:
        yield host


@pytest.fixture(scope="session")
def pubsub_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Google's Pub/Sub emulator, one for the whole run; every test takes a project of its own."""
    with emulator(pubsub_jar(), tmp_path_factory.mktemp("pubsub") / "log") as host:
        yield host


@pytest.fixture(scope="session")
def bigquery_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The emulator of BigQuery, one for the whole run; every test takes a dataset of its own."""
    with bigquery_emulator(tmp_path_factory.mktemp("bigquery")) as url:
        yield url
