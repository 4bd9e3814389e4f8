"""What a service tells about itself: figures that are true, and a line for every decision and every request."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from events.store import Store, StoreUnavailable
from handlers.cli.logs import json_lines, logged
from tests.command_line import NOON, completion, evening
from tests.http_service import Served, Wall, copied, problem, served
from tests.waiting import until


def figures(service: Served) -> dict[str, float]:
    """Every figure by its name and labels."""
    lines = [line for line in service.http.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a store in which an evening happened."""
    return evening(tmp_path_factory.mktemp("evening"))


# --- figures ------------------------------------------------------------------------------------------------------


def arrived(service: Served) -> tuple[float, ...]:
    found = figures(service)
    return tuple(found[f'tipoff_arrivals_total{{outcome="{name}"}}'] for name in ("accepted", "duplicate", "rejected"))


def test_arrivals_are_counted_by_what_became_of_them():
    with served() as service:
        assert arrived(service) == (0, 0, 0)
        service.push(completion())
        service.push(completion())
        assert arrived(service) == (1, 1, 0)
        assert figures(service)["tipoff_commit_events_count"] == 1
        assert figures(service)["tipoff_commit_seconds_count"] == 1
        service.push(b"{", message_id="2")
        assert arrived(service)[2] == 1
        assert figures(service)["tipoff_intake_waiting"] == 0


def test_open_alerts_and_overdue_deadlines_are_those_of_the_store(store: str, tmp_path: Path):
    clock = Wall()
    with served(copied(store, tmp_path), clock=clock) as service:
        open_now = [alert["severity"] for alert in service.http.get("/v1/alerts").json()]
        due = service.http.get("/v1/pipelines").json()[0]["next_deadline"]["at"]
        found = figures(service)
        assert open_now
        for severity in ("info", "warning", "critical"):
            assert found[f'tipoff_alerts_open{{severity="{severity}"}}'] == open_now.count(severity)
        assert due < NOON.isoformat()
        assert found["tipoff_tick_lag_seconds"] > 0

        service.http.post("/v1/tick")
        clock.jump(minutes=2)
        assert figures(service)["tipoff_tick_lag_seconds"] <= 120


def test_commands_are_counted_by_kind_and_by_what_became_of_them(store: str, tmp_path: Path):
    with served(copied(store, tmp_path)) as service:
        requested = service.http.post("/v1/tick").json()["commands"]
        assert requested > 0

        def counted(outcome: str) -> float:
            found = figures(service).items()
            return sum(value for name, value in found if re.match(rf'tipoff_commands_total.*outcome="{outcome}"', name))

        until(lambda: counted("sent") >= requested, what="the commands have left")
        assert counted("requested") == requested
        assert counted("failed") == counted("refused") == 0
        assert figures(service)['tipoff_commands_waiting{way="everywhere"}'] == 0


def test_requests_are_counted_by_route_and_not_by_what_somebody_typed():
    with served() as service:
        for path in ("/v1/pipelines/nba/2026-01-16", "/v1/pipelines/nba/2026-01-17", "/x1", "/x2", "/x3"):
            service.http.get(path)
        service.http.request("BREW", "/coffee")
        found = figures(service)
    counts = {name.removeprefix("tipoff_http_request_seconds_count"): value for name, value in found.items()}
    assert counts['{method="GET",route="/v1/pipelines/{sport}/{game_date}",status="404"}'] == 2
    assert counts['{method="GET",route="unknown",status="404"}'] == 3
    assert counts['{method="OTHER",route="unknown",status="404"}'] == 1


class Broken:
    """A store that can be read until it breaks."""

    def __init__(self, store: Store, broken: Callable[[], bool]) -> None:
        self._store = store
        self._broken = broken

    def __getattr__(self, name: str) -> Any:
        if self._broken() and name != "close":
            raise StoreUnavailable(store="secret-place", reason="the disk is gone")
        return getattr(self._store, name)


@pytest.fixture
def breaking() -> Iterator[tuple[Served, list[bool]]]:
    """A service, and a switch that breaks its store."""
    broken: list[bool] = []

    def watch(store: Store) -> Any:
        return Broken(store, lambda: bool(broken))

    with served(watch=watch) as service:
        yield service, broken


def test_what_cannot_be_looked_at_is_unknown_and_not_zero(breaking: tuple[Served, list[bool]]):
    service, broken = breaking
    assert figures(service)["tipoff_tick_lag_seconds"] == 0
    broken.append(True)
    found = figures(service)
    assert math.isnan(found["tipoff_tick_lag_seconds"])
    assert math.isnan(found['tipoff_alerts_open{severity="critical"}'])
    broken.clear()
    assert figures(service)['tipoff_alerts_open{severity="critical"}'] == 0


def test_a_store_that_cannot_be_reached_makes_a_service_not_ready_and_takes_nothing(
    breaking: tuple[Served, list[bool]],
):
    service, broken = breaking
    broken.append(True)
    (missing,) = problem(service.http.get("/readyz"), "not_ready")["errors"]
    assert missing == {"key": "store", "message": "the disk is gone"}
    for answer in (service.push(completion()), service.http.post("/v1/tick"), service.http.get("/v1/health")):
        problem(answer, "store_unavailable")
        assert "secret-place" not in answer.text
    assert service.http.get("/healthz").status_code == 200
    broken.clear()
    assert service.http.get("/readyz").json() == {"ready": True}
    assert service.push(completion()).status_code == 204


# --- lines --------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What this process logs meanwhile."""
    stream = io.StringIO()
    with json_lines(stream, everything=True):
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_request_has_a_line(lines: Callable[[], list[dict[str, Any]]]):
    with served() as service:
        service.push(completion())
        service.http.get("/nowhere?token=secret")
    asked = [line for line in lines() if line["event"] == "request"]
    said = [(line["method"], line["path"], line["route"], line["status"], line["level"]) for line in asked]
    assert said == [
        ("POST", "/v1/pubsub/push", "/v1/pubsub/push", 204, "info"),
        ("GET", "/nowhere", "unknown", 404, "info"),
    ]
    assert all(line["ms"] >= 0 and line["client"] == "127.0.0.1" and line["timestamp"] for line in asked)
    assert not any("secret" in str(line) for line in lines())


def test_every_decision_has_a_line_with_stream_version_and_cause(store: str, tmp_path: Path):
    stream = io.StringIO()
    with served(copied(store, tmp_path), watch=lambda store: logged(store, stream)) as service:
        done = service.act("halt", actor="ana").json()
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    decided = [entry for entry in done["events"] if entry["caused_by"] is not None]
    assert decided
    found = [(line["event"], line["version"]) for line in told if line["stream"] == done["stream"]]
    assert set(found) >= {(entry["type"], entry["version"]) for entry in decided}
    assert all(line["cause"] for line in told)


def test_a_mistake_of_ours_is_logged_with_its_traceback_and_answered_without(
    lines: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
):
    def mistake(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError("a secret of the house")

    monkeypatch.setattr("handlers.reviews.beats", mistake)
    with served() as service:
        answer = service.http.get("/v1/heartbeats")
        problem(answer, "internal")
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
        assert service.http.get("/v1/health").status_code == 200
    (line,) = [line for line in lines() if line["event"] == "internal_error"]
    assert (line["level"], line["severity"]) == ("error", "ERROR")
    assert "a secret of the house" in line["error"]
    assert "in mistake" in line["exception"]
