"""The description of the service is whole and true: everything it says holds on the live server, whatever is sent."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers import settings
from handlers.http.identity import Doors, doors
from tests.command_line import evening
from tests.http_service import Served, served
from tests.http_tokens import AUDIENCE, PUSHER, issuer, token

EXAMPLES_MAX = 12
"""Requests of each kind for each route."""

ROUTES = {
    ("post", "/v1/pubsub/push"),
    ("post", "/v1/tick"),
    ("get", "/v1/health"),
    ("get", "/v1/pipelines"),
    ("get", "/v1/pipelines/{sport}/{game_date}"),
    ("get", "/v1/pipelines/{sport}/{game_date}/events"),
    ("get", "/v1/pipelines/{sport}/{game_date}/explain"),
    ("get", "/v1/pipelines/{sport}/{game_date}/report"),
    ("get", "/v1/pipelines/{sport}/{game_date}/replay"),
    ("get", "/v1/pipelines/{sport}/{game_date}/heal-plan"),
    ("post", "/v1/pipelines/{sport}/{game_date}/commands"),
    ("get", "/v1/reconciliation"),
    ("get", "/v1/levels"),
    ("get", "/v1/heartbeats"),
    ("get", "/v1/alerts"),
    ("get", "/v1/alerts/failed"),
    ("get", "/v1/alerts/digest"),
    ("get", "/v1/heals"),
    ("get", "/v1/heals/plan"),
    ("get", "/v1/rejected"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a store in which an evening happened."""
    return evening(tmp_path_factory.mktemp("evening"))


@pytest.fixture(scope="module")
def open_service(store: str) -> Iterator[Served]:
    """A service that asks nobody who they are."""
    with served(store) as service:
        yield service


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_route_of_the_interface_is_described_and_no_other(open_service: Served):
    answer = open_service.http.get("/schema")
    assert answer.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    described = list(operations(answer.json()))
    assert {(method, path) for method, path, _operation in described} == ROUTES
    for _method, path, operation in described:
        assert operation["summary"], path
        assert operation["description"], path
        assert operation["tags"], path


def test_every_answer_has_a_schema_and_every_problem_is_one(open_service: Served):
    for _method, path, operation in operations(open_service.http.get("/schema").json()):
        assert {"408", "429", "500", "503"} <= operation["responses"].keys(), path
        for status, response in operation["responses"].items():
            kinds = response.get("content", {})
            if int(status) >= 400:
                assert kinds.keys() == {"application/problem+json"}, (path, status)
                assert kinds["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
            elif status != "204":
                assert all(kind["schema"] for kind in kinds.values()), (path, status)
                assert kinds, (path, status)


def schemathesis(service: Served, folder: Path, *options: str, tested: int = len(ROUTES)) -> None:
    """Lets schemathesis look at the live service, at so many of its routes; it must find nothing."""
    program = str(Path(sys.executable).parent / "schemathesis")
    command = [program, "run", f"{service.url}/schema", "--checks", "all"]
    limits = [
        "--max-examples",
        str(EXAMPLES_MAX),
        "--seed",
        "20260116",
        "--request-timeout",
        "20",
        "--no-color",
        "--warnings",
        "off",
    ]
    ran = subprocess.run(
        [*command, *limits, *options], capture_output=True, text=True, timeout=110, check=False, cwd=folder
    )
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr
    assert re.search(rf"Tested: {tested}$", ran.stdout, re.MULTILINE), ran.stdout[-2_000:]


def test_schemathesis_finds_nothing_wrong_with_an_open_service(open_service: Served, tmp_path: Path):
    schemathesis(open_service, tmp_path)
    assert open_service.http.get("/readyz").status_code == 200


def guarded(certificates: str) -> Doors:
    environ = {
        "TIPOFF_PUSH_AUDIENCE": AUDIENCE,
        "TIPOFF_PUSH_ACCOUNTS": PUSHER,
        "TIPOFF_OPERATOR_AUDIENCE": AUDIENCE,
        "TIPOFF_OPERATOR_ACCOUNTS": PUSHER,
        "TIPOFF_CERTIFICATES_URL": certificates,
    }
    return doors(settings.read(environ))


def test_schemathesis_finds_nothing_wrong_with_a_service_that_asks_who_it_is(store: str, tmp_path: Path):
    with issuer("one") as published, served(store, doors=guarded(published.url)) as service:
        described = service.http.get("/schema").json()
        asked = {path for _method, path, operation in operations(described) if operation.get("security")}
        assert asked == {path for method, path in ROUTES if method == "post"}
        bearer = ("--header", f"Authorization: Bearer {token()}")
        schemathesis(service, tmp_path, "--include-method", "POST", *bearer, tested=len(asked))
