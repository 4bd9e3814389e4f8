"""`doctor` on the cloud's parts: Google's emulator, answers of Google's permission service, and checks that hang."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from urllib.parse import unquote

import pytest

from handlers.definitions import load
from handlers.doctor.asking import Asking, Refusal
from handlers.doctor.diagnosis import Check, Diagnosis, gravest
from handlers.doctor.examination import examine
from handlers.doctor.installation import Installation
from handlers.doctor.permissions import CONSUME, DATASTORE, PUBLISH, look_at_permissions
from handlers.doctor.topics import COUNTED, look_at_dead_letters
from handlers.pubsub.broker import Broker
from handlers.pubsub.drift import plan
from handlers.pubsub.project import existing, take
from handlers.pubsub.wanted import wanted
from tests.command_line import evening_lines, tipoff, written
from tests.emulators import emulator, firestore_jar, free_port
from tests.local_server import Answer, says, serving
from tests.test_doctor import LAST_TICK, at, found

PROJECT = "firestore:tipoff-doctor"
TRIGGER = "nba-phase3-trigger"


class ByPath(Mapping[str, Answer]):
    """Routes of a server that answers whatever it is asked, by the path."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self._answer = answer

    def __getitem__(self, path: str) -> Answer:
        return self._answer(path)

    def __contains__(self, _path: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Everywhere(ByPath):
    """The same answer everywhere."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(lambda _path: answer)


def installation(store: str = PROJECT, **environ: str) -> Installation:
    now = datetime(2026, 1, 20, 17, tzinfo=UTC)
    return Installation(environ=environ, store=store, definitions=("nba",), service=None, clock=lambda: now)


# --- the emulator --------------------------------------------------------------------------------------------------


def test_a_firestore_that_runs_is_well_and_needs_no_permission(
    firestore_host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    environ = {"FIRESTORE_EMULATOR_HOST": firestore_host, "TIPOFF_DEFINITIONS": "nba"}
    lines = written(tmp_path / "evening.jsonl", *evening_lines())
    where = ("--store", PROJECT, "--commands", tmp_path / "commands.jsonl")
    noon = datetime(2026, 1, 17, 12, tzinfo=UTC)
    for verb in (["ingest", lines], ["tick"]):
        assert tipoff(*verb, *where, environ=environ, clock=at(noon)).code == 0

    ran = tipoff("doctor", "--store", PROJECT, "--json", environ=environ, clock=at(noon))
    outcomes = [found(ran, name)["outcome"] for name in ("store", "ticks", "schema", "definition_in_force")]
    assert outcomes == ["ok"] * 4
    assert found(ran, "permissions")["outcome"] == "skipped"


def test_an_emulator_that_stopped_is_the_stores_failure_and_nothing_hangs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with emulator(firestore_jar(), tmp_path / "log") as host:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
        environ = {"FIRESTORE_EMULATOR_HOST": host, "TIPOFF_DEFINITIONS": "nba"}
        there = tipoff("doctor", "--store", PROJECT, "--json", environ=environ)
        assert found(there, "store")["outcome"] == "warn"  # it is empty
    gone = tipoff("doctor", "--store", PROJECT, "--json", "--timeout", "30", environ=environ, clock=at(LAST_TICK))
    assert (gone.code, found(gone, "store")["outcome"]) == (2, "fail")
    assert "unavailable" in found(gone, "store")["detail"]
    assert found(gone, "ticks")["outcome"] == "skipped"


# --- permissions ---------------------------------------------------------------------------------------------------


def granting(*permissions: str) -> Answer:
    """Google's answer of an account that has `permissions`: those of the question that it has; no key if none."""

    def answer(sent: bytes) -> tuple[int, str]:
        held = [permission for permission in json.loads(sent)["permissions"] if permission in permissions]
        return 200, json.dumps({"permissions": held} if held else {})

    return answer


EVERYTHING = (*DATASTORE, *PUBLISH, *CONSUME)


def permitted(answer: Answer) -> Sequence[Diagnosis]:
    """What is found where Google gives `answer` to every question."""
    with serving(Everywhere(answer)) as google:
        at = google.address
        asking = Asking(lambda: "token", resource_manager=at, pubsub=at, monitoring=at)
        return list(look_at_permissions(installation(), asking))


def test_an_account_with_all_permissions_is_well():
    said = permitted(granting(*EVERYTHING))
    assert [(item.subject, item.outcome) for item in said] == [
        ("store", "ok"),
        ("topics", "ok"),
        ("subscriptions", "ok"),
    ]


@pytest.mark.parametrize("lacking", [*[(one,) for one in DATASTORE], DATASTORE])
def test_each_permission_on_the_store_that_is_missing_is_named(lacking: tuple[str, ...]):
    said = permitted(granting(*(set(EVERYTHING) - set(lacking))))[0]
    assert (said.outcome, said.numbers["missing"]) == ("fail", len(lacking))
    assert all(permission in said.detail for permission in lacking)
    assert "roles/datastore.user" in (said.next_step or "")


def test_a_topic_without_permission_is_named():
    def answer(path: str) -> Answer:
        return granting(*(() if path.startswith(f"/projects/tipoff-doctor/topics/{TRIGGER}:") else EVERYTHING))

    with serving(ByPath(answer)) as google:
        asking = Asking(lambda: "token", resource_manager=google.address, pubsub=google.address)
        store, topics, subscriptions = look_at_permissions(installation(), asking)
    assert (store.outcome, topics.outcome, subscriptions.outcome) == ("ok", "fail", "ok")
    assert topics.detail == f"missing: {PUBLISH[0]} on {TRIGGER}"


@pytest.mark.parametrize("answer", [says(403, "no access"), says(500), says(200, "not json"), says(200, "[]")])
def test_an_answer_that_says_nothing_is_never_taken_for_a_grant(answer: Answer):
    with pytest.raises(Refusal):
        permitted(answer)


def test_where_google_cannot_be_reached_nothing_is_granted():
    asking = Asking(lambda: "token", resource_manager=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Refusal):
        list(look_at_permissions(installation(), asking))


# --- dead letters --------------------------------------------------------------------------------------------------


def counted(*counts: int) -> str:
    """Google's answer about a metric with one series for each count, its newest point first."""
    points = [[{"value": {"int64Value": str(count)}}, {"value": {"int64Value": "99"}}] for count in counts]
    return json.dumps({"timeSeries": [{"points": series} for series in points]} if counts else {})


@pytest.mark.parametrize(
    ("answer", "outcome", "waiting"), [(counted(0), "ok", 0), (counted(7), "warn", 7), (counted(), "warn", None)]
)
def test_dead_letters_are_counted_and_an_unknown_count_is_not_none(answer: str, outcome: str, waiting: float | None):
    with serving(Everywhere(says(200, answer))) as google:
        asking = Asking(lambda: "token", monitoring=google.address)
        [said] = look_at_dead_letters(installation(), asking)
    assert (said.outcome, said.numbers["waiting"]) == (outcome, waiting)
    [(_method, path, _body)] = google.asked
    assert COUNTED in unquote(path)
    assert "tipoff-dead-letters" in unquote(path)


# --- topics --------------------------------------------------------------------------------------------------------


def test_topics_that_are_missing_fail_and_are_well_once_they_are_applied(
    pubsub_host: str, firestore_host: str, monkeypatch: pytest.MonkeyPatch
):
    environ = {
        "FIRESTORE_EMULATOR_HOST": firestore_host,
        "PUBSUB_EMULATOR_HOST": pubsub_host,
        "TIPOFF_DEFINITIONS": "nba",
    }
    for name in ("FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"):
        monkeypatch.setenv(name, environ[name])
    missing = found(tipoff("doctor", "--store", PROJECT, "--json", environ=environ), "topics")
    assert missing["outcome"] == "fail"
    broker = Broker("tipoff-doctor")
    try:
        want = wanted([load("nba")])
        for step in plan(want, existing(broker, want)).steps:
            take(broker, step)
        for topic in (topic for topic in want.topics if topic.purpose == "commands"):
            name = broker.subscription(f"service-{topic.name}")
            broker.subscriber.create_subscription(request={"name": name, "topic": broker.topic(topic.name)})
    finally:
        broker.close()
    there = found(tipoff("doctor", "--store", PROJECT, "--json", environ=environ), "topics")
    assert (there["outcome"], there["detail"]) == ("ok", "topics and subscriptions are as the definitions want them")


# --- the examination -----------------------------------------------------------------------------------------------


def well(name: str = "well") -> Check:
    return Check(name=name, look=lambda: [Diagnosis(check=name, outcome="ok", detail="fine")])


def broken(error: Exception) -> Check:
    def look() -> Iterator[Diagnosis]:
        yield Diagnosis(check="broken", outcome="ok", detail="so far")
        raise error

    return Check(name="broken", look=look)


def test_a_check_that_breaks_is_a_finding_and_hides_no_other():
    diagnoses = examine([well("before"), broken(ZeroDivisionError("by zero")), well("after")])
    assert [(item.check, item.outcome) for item in diagnoses] == [("before", "ok"), ("broken", "fail"), ("after", "ok")]
    assert "ZeroDivisionError: by zero" in diagnoses[1].detail


def test_an_error_that_knows_its_next_step_says_it():
    [said] = examine([broken(Refusal("no credentials", next_step="Log in."))])
    assert (said.outcome, said.detail, said.next_step) == ("fail", "no credentials", "Log in.")


def test_a_part_that_is_not_installed_is_named():
    [said] = examine([broken(ModuleNotFoundError("No module named 'slack_sdk'", name="slack_sdk"))])
    assert (said.outcome, said.detail) == ("fail", "slack_sdk is not installed")


def test_a_check_that_does_not_come_back_fails_in_time_and_hides_no_other():
    never = Event()
    hanging = Check(name="hanging", look=lambda: [Diagnosis(check="hanging", outcome="ok", detail=str(never.wait(60)))])
    try:
        diagnoses = examine([hanging, well()], seconds=0.2)
    finally:
        never.set()
    assert [(item.check, item.outcome) for item in diagnoses] == [("hanging", "fail"), ("well", "ok")]
    assert diagnoses[0].numbers == {"limit_seconds": 0.2}


def test_a_check_whose_needs_failed_is_skipped_and_says_which():
    needy = Check(
        name="needy", look=lambda: [Diagnosis(check="needy", outcome="ok", detail="!")], needs=("well", "broken")
    )
    *_, said = examine([well(), broken(ValueError("x")), needy])
    assert (said.outcome, "`broken`" in said.detail) == ("skipped", True)


@pytest.mark.parametrize(
    ("outcomes", "gravest_"),
    [([], "ok"), (["skipped"], "ok"), (["ok", "warn", "skipped"], "warn"), (["fail", "warn"], "fail")],
)
def test_the_gravest_outcome_is_that_of_the_report(outcomes: list[str], gravest_: str):
    said = [Diagnosis(check="x", outcome=outcome, detail="x") for outcome in outcomes]  # type: ignore[arg-type]
    assert gravest(said) == gravest_
