"""The routes: they answer what the command line answers, and say what is wrong with what cannot be answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import NOON, evening, line, tipoff, written
from tests.http_service import Served, Wall, copied, problem, served
from tests.waiting import until

DAY = "/v1/pipelines/nba/2026-01-16"
NOW = ("--now", NOON.isoformat())
THEN = "2026-01-17T06:11:00Z"
"""While the evening happened: raw has loaded, its gate has not judged."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a store in which an evening happened, and somebody said what nobody understood."""
    folder = tmp_path_factory.mktemp("evening")
    store = evening(folder)
    odd = written(folder / "odd.jsonl", line(["no", "object"], "2026-01-18T06:01:00Z"))
    assert tipoff("ingest", odd, "--clock", "publish", "--store", store).code in (0, 1)
    return store


@pytest.fixture(scope="module")
def reading(store: str) -> Iterator[Served]:
    """A service on that store that nobody writes to."""
    with served(store) as service:
        yield service


# --- the same answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "argv"),
    [
        ("/v1/health", ("health", *NOW)),
        ("/v1/health?sport=nba&from=2026-01-15&to=2026-01-17", ("health", "2026-01-15..2026-01-17", *NOW)),
        ("/v1/health?to=2026-01-15", ("health", "..2026-01-15", *NOW)),
        (f"/v1/health?at={THEN}", ("health", "--at", THEN)),
        ("/v1/heartbeats", ("heartbeats", *NOW)),
        (f"/v1/heartbeats?sport=nba&from=2026-01-16&at={THEN}", ("heartbeats", "2026-01-16..", "--at", THEN)),
        ("/v1/alerts", ("alerts",)),
        ("/v1/alerts?all=true", ("alerts", "--all")),
        (f"/v1/alerts?all=true&at={THEN}", ("alerts", "--all", "--at", THEN)),
        ("/v1/alerts/failed", ("alerts", "failed")),
        (f"/v1/alerts/failed?at={THEN}", ("alerts", "failed", "--at", THEN)),
        ("/v1/alerts/digest", ("alerts", "digest", *NOW)),
        (f"/v1/alerts/digest?hours=48&at={THEN}", ("alerts", "digest", "--hours", "48", "--at", THEN)),
        ("/v1/heals", ("heal", "history", *NOW)),
        (f"/v1/heals?at={THEN}", ("heal", "history", "--at", THEN)),
        ("/v1/heals/plan", ("heal", "plan", *NOW)),
        (f"/v1/heals/plan?sport=nba&at={THEN}", ("heal", "plan", "--sport", "nba", "--at", THEN)),
        ("/v1/rejected", ("rejected",)),
        (f"/v1/rejected?at={THEN}", ("rejected", "--at", THEN)),
        ("/v1/reconciliation", ("reconcile", *NOW)),
        (f"/v1/reconciliation?from=2026-01-16&at={THEN}", ("reconcile", "2026-01-16..", "--at", THEN)),
        ("/v1/levels", ("levels", *NOW)),
        (f"/v1/levels?sport=nba&to=2026-01-16&at={THEN}", ("levels", "..2026-01-16", "--at", THEN)),
        ("/v1/pipelines", ("day", "list")),
        (f"/v1/pipelines?at={THEN}", ("day", "list", "--at", THEN)),
        ("/v1/pipelines?sport=nba&from=2026-01-16&to=2026-01-16", ("day", "list", "--from", "2026-01-16")),
        ("/v1/pipelines?status=blocked&status=parked", ("day", "list", "--status", "blocked", "--status", "parked")),
        ("/v1/pipelines?to=2026-01-15", ("day", "list", "--to", "2026-01-15")),
        (DAY, ("day", "show", "2026-01-16")),
        (f"{DAY}?at=3", ("day", "show", "2026-01-16", "--at", "3")),
        (f"{DAY}?at=2026-01-17T06:11:00Z", ("day", "show", "2026-01-16", "--at", "2026-01-17T06:11:00Z")),
        (f"{DAY}/events", ("day", "timeline", "2026-01-16")),
        (f"{DAY}/events?at=4", ("day", "timeline", "2026-01-16", "--at", "4")),
        (f"{DAY}/explain", ("day", "explain", "2026-01-16")),
        (f"{DAY}/explain?at=4", ("day", "explain", "2026-01-16", "--at", "4")),
        (f"{DAY}/report", ("report", "2026-01-16", *NOW)),
        (f"{DAY}/report?at={THEN}", ("report", "2026-01-16", "--at", THEN)),
        (f"{DAY}/report?at=4", ("report", "2026-01-16", "--at", "4")),
        (f"{DAY}/replay", ("replay", "2026-01-16")),
        (f"{DAY}/replay?after=2&at=4", ("replay", "2026-01-16", "--after", "2", "--until", "4")),
    ],
)
def test_a_route_answers_what_its_verb_answers(reading: Served, store: str, path: str, argv: tuple[str, ...]):
    answer = reading.http.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == tipoff(*argv, "--json", "--store", store).json


@pytest.mark.parametrize("at", [None, THEN, "4"])
def test_the_heal_plan_of_a_date_is_the_one_that_its_verb_gives(reading: Served, store: str, at: str | None):
    argv = NOW if at is None else ("--at", at)
    answer = reading.http.get(f"{DAY}/heal-plan", params={} if at is None else {"at": at})
    assert [answer.json()] == tipoff("heal", "plan", "2026-01-16", *argv, "--json", "--store", store).json


def test_a_replay_in_parts_is_the_whole(reading: Served):
    whole = reading.http.get(f"{DAY}/replay").json()
    parts: list[Any] = []
    while part := reading.http.get(f"{DAY}/replay", params={"after": len(parts), "limit": 7}).json():
        assert len(part) == min(7, len(whole) - len(parts))
        parts += part
    assert parts == whole


def test_the_past_is_not_the_present(reading: Served):
    """What the comparison with the command line would not notice: that both forget `at`."""
    for path in ("/v1/health", "/v1/alerts?all=true", "/v1/heals", "/v1/rejected", "/v1/pipelines", f"{DAY}/report"):
        then = reading.http.get(path, params={"at": "2026-01-12T11:00:00Z"})
        assert then.text != reading.http.get(path).text, path


def test_events_behind_a_version_are_the_rest_of_all_events(reading: Served):
    everything = reading.http.get(f"{DAY}/events").json()
    for after in range(len(everything) + 2):
        assert reading.http.get(f"{DAY}/events", params={"after": after}).json() == everything[after:]


# --- what cannot be answered --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/v1/pipelines/nba/2026-02-01", "nothing_recorded", "GET /v1/pipelines"),
        ("/v1/pipelines/nba/2026-02-01/events", "nothing_recorded", "GET /v1/pipelines"),
        (f"{DAY}/explain?at=2020-01-01T00:00:00Z", "nothing_recorded", "or nothing was then"),
        ("/v1/pipelines/nhl/2026-01-16", "unknown_sport", "Known: nba"),
        ("/v1/pipelines/nba/16-01-2026", "wrong_usage", "Give YYYY-MM-DD"),
        (f"{DAY}?at=noon", "wrong_usage", "RFC 3339 instant"),
        (f"{DAY}?at=2026-01-17T06:11:00", "wrong_usage", "RFC 3339 instant"),
        (f"{DAY}?at=99999", "no_such_version", "Ask for 0 to"),
        (f"{DAY}/events?after=-1", "invalid_request", "errors"),
        (f"{DAY}/events?after=soon", "invalid_request", "errors"),
        ("/v1/pipelines?from=January", "wrong_usage", "Give YYYY-MM-DD"),
        ("/v1/pipelines?status=splendid", "invalid_request", "errors"),
        ("/v1/alerts?all=perhaps", "invalid_request", "errors"),
        ("/v1/alerts?at=noon", "wrong_usage", "RFC 3339 instant"),
        ("/v1/alerts?at=12", "wrong_usage", "RFC 3339 instant"),
        ("/v1/alerts/digest?hours=0", "invalid_request", "errors"),
        ("/v1/health?sport=nhl", "unknown_sport", "Known: nba"),
        ("/v1/health?from=January", "wrong_usage", "Give YYYY-MM-DD"),
        ("/v1/levels?from=2026-02-01", "nothing_recorded", "GET /v1/pipelines"),
        ("/v1/reconciliation?from=2026-01-16&to=2026-01-15", "nothing_recorded", "the earlier date as `from`"),
        (f"{DAY}/report?at=99999", "no_such_version", "Ask for 0 to"),
        (f"{DAY}/report?at=0", "nothing_recorded", "or nothing was then"),
        (f"{DAY}/replay?limit=1001", "invalid_request", "errors"),
        (f"{DAY}/replay?after=-1", "invalid_request", "errors"),
        ("/", "no_such_route", "GET /schema"),
        ("/v1/pipeline", "no_such_route", "GET /schema"),
        ("/v1/pipelines/nba", "no_such_route", "GET /schema"),
        ("/%00/..%2f..%2fetc/passwd", "no_such_route", "GET /schema"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_with_a_next_step(reading: Served, path: str, code: str, says: str):
    answer = reading.http.get(path)
    assert says in problem(answer, code)["detail"]
    assert answer.status_code == (400 if code in ("wrong_usage", "invalid_request") else 404)


def test_a_fault_names_the_parameter_as_it_was_sent(reading: Served):
    (fault,) = problem(reading.http.get("/v1/alerts?all=perhaps"), "invalid_request")["errors"]
    assert fault["key"] == "all"
    assert fault["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/v1/health", "GET"), ("GET", "/v1/pubsub/push", "POST"), ("PUT", f"{DAY}/commands", "POST")],
)
def test_a_method_that_a_route_does_not_take_is_answered_with_those_that_it_does(
    reading: Served, method: str, path: str, allowed: str
):
    answer = reading.http.request(method, path)
    problem(answer, "method_not_allowed")
    assert allowed in answer.headers["allow"].split(", ")


# --- commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def writing(store: str, tmp_path: Path) -> Iterator[Served]:
    """A service on a store of its own, in which an evening happened."""
    with served(copied(store, tmp_path), clock=Wall()) as service:
        yield service


def test_a_command_is_recorded_with_who_asked_and_why_and_answered_with_what_followed(writing: Served):
    before = writing.http.get(DAY).json()["version"]
    answer = writing.act("waive", target="20260116_WAS_SAC", actor=" ana ", reason="no source has it ")

    done = answer.json()
    events = writing.http.get(f"{DAY}/events", params={"after": before}).json()
    assert answer.status_code == 200
    assert done["stream"] == "nba/2026-01-16"
    assert [entry["version"] for entry in done["events"]] == [entry["version"] for entry in events][
        : len(done["events"])
    ]
    first = done["events"][0]
    assert (first["type"], first["actor"]) == ("operator_acted", "ana")
    assert "no source has it" in first["summary"]
    assert "phase_moved" in [entry["type"] for entry in done["events"]]
    assert done["version"] == done["events"][-1]["version"]


def test_what_the_state_does_not_allow_is_a_conflict_and_recorded_nowhere(reading: Served):
    before = reading.http.get(DAY).json()
    found = problem(reading.act("waive", target="20260116_BOS_MIA", actor="ana"), "command_not_allowed")
    assert "Games: 20260116_NOP_IND, 20260116_WAS_SAC" in found["detail"]
    assert found["status"] == 409
    assert reading.http.get(DAY).json() == before


def test_halt_and_resume_are_the_way_there_and_back(writing: Served):
    assert writing.act("halt", actor="ana").status_code == 200
    assert writing.http.get(DAY).json()["status"] == "halted"
    problem(writing.act("halt", actor="ben"), "command_not_allowed")
    assert writing.act("resume", actor="ben").status_code == 200
    assert writing.http.get(DAY).json()["status"] != "halted"


VALID: dict[str, Any] = {"command": "halt", "reason": "why", "actor": "ana"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"null",
        *(
            json.dumps({k: v for k, v in (VALID | change).items() if v is not ...}).encode()
            for change in (
                {"command": "destroy"},
                {"command": ...},
                {"reason": ...},
                {"reason": " \n"},
                {"reason": 7},
                {"reason": "x" * 2001},
                {"target": ""},
                {"actor": " "},
                {"actor": ...},
                {"actor": None},
                {"when": "now"},
            )
        ),
    ],
)
def test_a_command_that_is_not_understood_is_refused_and_recorded_nowhere(reading: Served, body: bytes):
    before = reading.http.get(DAY).json()
    answer = reading.http.post(f"{DAY}/commands", content=body, headers={"content-type": "application/json"})
    problem(answer, "invalid_request")
    assert answer.status_code == 400
    assert reading.http.get(DAY).json() == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_a_command_in_another_format_is_refused(reading: Served, kind: str):
    answer = reading.http.post(f"{DAY}/commands", content=json.dumps(VALID), headers={"content-type": kind})
    problem(answer, "unsupported_media_type")
    assert answer.status_code == 415


def test_a_command_about_nothing_is_not_found(reading: Served):
    problem(reading.act("halt", game_date="2026-02-01", actor="ana"), "nothing_recorded")
    problem(reading.act("halt", game_date="yesterday", actor="ana"), "wrong_usage")
    other = reading.http.post("/v1/pipelines/nhl/2026-01-16/commands", json=VALID)
    problem(other, "unknown_sport")


# --- time ---------------------------------------------------------------------------------------------------------


def test_a_tick_decides_what_is_due_now_and_answers_what_that_came_to(writing: Served):
    due = writing.http.get(DAY).json()["next_deadline"]["at"]
    first = writing.http.post("/v1/tick").json()
    assert due < first["now"]
    assert "nba/2026-01-16" in first["streams"]
    assert first["events"] > 0
    assert "nba/2026-01-16" not in writing.http.post("/v1/tick").json()["streams"]


def test_ticks_come_by_themselves_where_the_service_ticks(store: str, tmp_path: Path):
    with served(copied(store, tmp_path), clock=Wall(), tick_seconds=60) as service:

        def ticked() -> bool:
            entries = service.http.get(f"{DAY}/events").json()
            return any((entry["type"], entry["at"]) == ("ticked", "2026-01-20T17:00:00Z") for entry in entries)

        until(ticked, what="the first tick")
