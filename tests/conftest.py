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
# hang. At a desk the search is random and remembers what it found; in CI, where all has to be done in a quarter
# of an hour, it is shorter, and goes the same way every time.
_PROFILE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _PROFILE, derandomize=False)
settings.register_profile("ci", _PROFILE, max_examples=50, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


LONG = (
    "test_many_instances.py",
    "test_demo_emulators.py",
    "test_laws.py",
    "test_http_schema.py",
    "test_store_firestore.py",
    "test_warehouse_bigquery.py",
    "test_definition_errors.py",
    "test_wire_properties.py",
    "test_warehouse_export.py",
    "test_program_on_firestore.py",
    "test_pubsub_pull.py",
    "test_doctor_cloud.py",
    "test_http_stop.py",
    "test_demo.py",
    "test_cli.py",
    "test_cli_docs.py",
    "test_http_docs.py",
    "test_store_model.py",
)
"""Files that take longest, first: several workers take whole files, and none is to begin a long one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, the others as they were (`--no-loadscope-reorder` leaves it so)."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


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
