"""`doctor` finds what is really wrong: each fault here is one of a real store, a real server or a real environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from events.sqlite import SqliteStore
from tests.command_line import NOON, Ran, evening, tipoff, written
from tests.emulators import free_port
from tests.local_server import says, serving
from tests.store_events import rewrite

LAST_TICK = datetime(2026, 1, 18, 6, 0, tzinfo=UTC)
"""Until when `evening` ticks."""

WEBHOOK = "/services/T0/B0/x"


def at(instant: datetime) -> Callable[[], datetime]:
    return lambda: instant


def found(ran: Ran, check: str, subject: str | None = None) -> dict[str, Any]:
    """The one diagnosis of a check, of a subject where it has several."""
    of = [item for item in ran.json["diagnoses"] if item["check"] == check and subject in (None, item["subject"])]
    assert len(of) == 1, of
    return dict(of[0])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store in which an evening happened, its last tick at LAST_TICK."""
    return evening(tmp_path_factory.mktemp("evening"))


def examined(store: str, *options: str, now: datetime = LAST_TICK, **environ: str) -> Ran:
    environ = {"TIPOFF_DEFINITIONS": "nba", **environ}
    return tipoff("doctor", "--store", store, "--json", *options, environ=environ, clock=at(now))


def test_every_diagnosis_names_its_numbers_and_whoever_is_ill_gets_a_next_step(store: str):
    ran = examined(store, now=NOON, TIPOFF_STRORE="memory:")
    assert {item["outcome"] for item in ran.json["diagnoses"]} == {"ok", "skipped", "warn", "fail"}
    assert [
        item for item in ran.json["diagnoses"] if item["outcome"] in ("warn", "fail") and not item["next_step"]
    ] == []
    assert all(item["detail"] for item in ran.json["diagnoses"])


def test_the_exit_code_is_that_of_the_gravest_finding(store: str):
    with serving({WEBHOOK: says(400, "no_text")}) as slack:
        well = examined(store, SLACK_WEBHOOK_URL_ERROR=slack.address + WEBHOOK)
        assert (well.code, well.json["status"]) == (0, "ok")
        warned = examined(store, SLACK_WEBHOOK_URL_ERROR=slack.address + WEBHOOK, TIPOFF_TYPO="1")
        assert (warned.code, warned.json["status"]) == (1, "warn")
        failed = examined(store, now=NOON, SLACK_WEBHOOK_URL_ERROR=slack.address + WEBHOOK, TIPOFF_TYPO="1")
        assert (failed.code, failed.json["status"]) == (2, "fail")


def test_the_table_has_a_line_for_each_diagnosis(store: str):
    table = tipoff("doctor", "--store", store, environ={"TIPOFF_DEFINITIONS": "nba"}, clock=at(NOON)).out
    for item in examined(store, now=NOON).json["diagnoses"]:
        lines = [line for line in table.splitlines() if line.split()[:2] == [item["outcome"], item["check"]]]
        assert any(item["subject"] in line for line in lines), item


def test_the_doctor_writes_nothing(store: str):
    before = tipoff("export", "--store", store).out
    examined(store, now=NOON)
    assert tipoff("export", "--store", store).out == before


# --- configuration -------------------------------------------------------------------------------------------------


def test_a_setting_that_does_not_parse_is_a_finding_and_stops_no_other_check(store: str):
    ran = examined(store, TIPOFF_STORE_BUSY_SECONDS="soon")
    assert found(ran, "settings")["subject"] == "TIPOFF_STORE_BUSY_SECONDS"
    assert (ran.code, found(ran, "store")["outcome"], found(ran, "ticks")["outcome"]) == (2, "ok", "ok")


def test_a_name_that_is_misspelt_is_a_warning(store: str):
    assert found(examined(store, TIPOFF_STRORE="memory:"), "settings", "TIPOFF_STRORE")["outcome"] == "warn"


def test_without_a_sound_definition_what_needs_none_is_still_examined(store: str, tmp_path: Path):
    broken = written(tmp_path / "broken.toml", b'name = "nba"')
    ran = examined(store, TIPOFF_DEFINITIONS=str(broken))
    assert found(ran, "definitions")["numbers"]["errors"] > 1
    assert found(ran, "store")["outcome"] == "ok"
    assert [found(ran, name)["outcome"] for name in ("ticks", "deadlines", "schema")] == ["skipped"] * 3


def test_two_definitions_of_one_sport_are_refused(store: str):
    ran = examined(store, TIPOFF_DEFINITIONS="nba,nba")
    assert [item["outcome"] for item in ran.json["diagnoses"] if item["check"] == "definitions"] == ["ok", "fail"]


def test_an_override_is_shown_with_the_definition_it_makes(store: str):
    said = found(examined(store, PHASE_VALIDATION_MODE="warning"), "definitions")
    assert (said["outcome"], said["numbers"]["overrides"]) == ("ok", 1)
    assert "PHASE_VALIDATION_MODE=warning" in said["detail"]


# --- the store -----------------------------------------------------------------------------------------------------


def test_a_store_that_is_not_there_fails_and_what_reads_it_is_skipped(tmp_path: Path):
    ran = examined(f"sqlite:{tmp_path / 'nowhere.db'}")
    assert (ran.code, found(ran, "store")["outcome"]) == (2, "fail")
    assert [found(ran, name)["outcome"] for name in ("ticks", "schema", "recorded_clock")] == ["skipped"] * 3
    assert "needs `store`" in found(ran, "ticks")["detail"]


def test_a_file_that_is_no_store_fails(tmp_path: Path):
    name = f"sqlite:{written(tmp_path / 'tipoff.db', b'not a store' * 100)}"
    assert found(examined(name), "store")["outcome"] == "fail"


def test_a_name_of_no_store_is_a_finding(tmp_path: Path):
    assert found(examined("oracle:orders"), "store")["outcome"] == "fail"


def test_a_store_that_answers_is_timed(store: str):
    numbers = found(examined(store), "store")["numbers"]
    assert 0 < numbers["read_ms"] < 10_000
    assert 0 < numbers["first_read_ms"] < 10_000


def test_a_store_of_its_own_process_cannot_be_examined():
    assert found(examined("memory:"), "store")["outcome"] == "fail"


# --- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lag", "outcome"), [(20, "ok"), (20.1, "warn"), (60, "warn"), (60.1, "fail")])
def test_ticks_are_judged_by_how_long_ago_the_last_was_recorded(store: str, lag: float, outcome: str):
    last = LAST_TICK - timedelta(seconds=found(examined(store), "ticks")["numbers"]["lag_seconds"])
    said = found(examined(store, now=last + timedelta(minutes=lag)), "ticks")
    assert (said["outcome"], said["numbers"]["lag_seconds"]) == (outcome, lag * 60)


def test_deadlines_that_nobody_acted_on_are_counted(store: str):
    overdue = found(examined(store, now=NOON), "deadlines")
    assert overdue["outcome"] == "fail"
    assert overdue["numbers"]["overdue"] > 0
    assert found(examined(store), "deadlines")["numbers"]["lag_seconds"] == 0


def test_a_sport_of_which_nothing_is_recorded_is_skipped_and_says_how_to_begin(store: str):
    said = found(examined(store, TIPOFF_DEFINITIONS="nba,mlb"), "ticks", "mlb")
    assert (said["outcome"], "season open" in said["next_step"]) == ("skipped", True)


def test_a_clock_that_jumped_ahead_is_seen_in_what_was_recorded(store: str):
    said = found(examined(store, now=LAST_TICK - timedelta(hours=3)), "recorded_clock")
    assert said["outcome"] == "fail"
    assert said["numbers"]["ahead_seconds"] > timedelta(hours=2, minutes=40).total_seconds()


@pytest.mark.parametrize(("seconds", "outcome"), [(0, "ok"), (-3, "ok"), (30, "warn"), (-30, "warn"), (400, "fail")])
def test_this_clock_is_compared_with_that_of_the_service(store: str, seconds: int, outcome: str):
    with serving({}, clock=at(LAST_TICK)) as service:
        ran = examined(store, "--service", service.address, now=LAST_TICK + timedelta(seconds=seconds))
    said = found(ran, "clock")
    assert said["outcome"] == outcome
    assert abs(said["numbers"]["skew_seconds"] - seconds) <= 2


# --- the service and its channels ----------------------------------------------------------------------------------


def test_a_service_that_is_well_is_timed(store: str):
    with serving({"/healthz": says(200, "ok"), "/readyz": says(200, "ok")}) as service:
        ran = examined(store, "--service", f"{service.address}/")
    assert [found(ran, "service", route)["outcome"] for route in ("healthz", "readyz")] == ["ok", "ok"]
    assert found(ran, "service", "readyz")["numbers"]["status"] == 200


def test_a_service_that_runs_and_is_not_ready_fails_with_its_own_words(store: str):
    with serving({"/healthz": says(200), "/readyz": says(503, "store_unavailable")}) as service:
        ran = examined(store, "--service", service.address)
    assert found(ran, "service", "healthz")["outcome"] == "ok"
    assert "store_unavailable" in found(ran, "service", "readyz")["detail"]
    assert ran.code == 2


def test_a_route_that_cloud_run_keeps_for_itself_is_no_illness(store: str):
    with serving({"/healthz": says(404, "<html>"), "/readyz": says(200)}) as service:
        ran = examined(store, "--service", service.address)
    assert [found(ran, "service", route)["outcome"] for route in ("healthz", "readyz")] == ["skipped", "ok"]


def test_a_wrong_port_is_a_finding(store: str):
    ran = examined(store, "--service", f"http://127.0.0.1:{free_port()}")
    assert {item["outcome"] for item in ran.json["diagnoses"] if item["check"] in ("service", "clock")} == {"fail"}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [((400, "no_text"), "ok"), ((404, "no_service"), "fail"), ((403, "invalid_token"), "fail"), ((200, "ok"), "fail")],
)
def test_a_webhook_is_known_by_how_it_refuses_an_empty_message(store: str, answer: tuple[int, str], outcome: str):
    with serving({WEBHOOK: says(*answer)}) as slack:
        ran = examined(store, SLACK_WEBHOOK_URL_WARNING=slack.address + WEBHOOK)
    assert found(ran, "channels", "SLACK_WEBHOOK_URL_WARNING")["outcome"] == outcome
    assert [json.loads(body) for _method, _path, body in slack.asked] == [{"text": ""}]


@pytest.mark.parametrize(("status", "outcome"), [(204, "ok"), (405, "ok"), (410, "fail"), (500, "fail")])
def test_a_generic_webhook_is_asked_what_it_takes_and_nothing_is_posted(store: str, status: int, outcome: str):
    with serving({"/alerts": says(status)}) as webhook:
        ran = examined(store, TIPOFF_ALERT_WEBHOOK_URL=f"{webhook.address}/alerts")
    assert found(ran, "channels", "TIPOFF_ALERT_WEBHOOK_URL")["outcome"] == outcome
    assert [method for method, _path, _body in webhook.asked] == ["OPTIONS"]


def test_alerts_that_are_told_to_nobody_are_a_finding_and_those_of_another_channel_are_not(store: str):
    assert found(examined(store), "channels")["outcome"] == "warn"
    with serving({WEBHOOK: says(400, "no_text")}) as slack:
        ran = examined(store, SLACK_WEBHOOK_URL=slack.address + WEBHOOK)
    critical = found(ran, "channels", "SLACK_WEBHOOK_URL_ERROR")
    assert (critical["outcome"], "SLACK_WEBHOOK_URL" in critical["detail"]) == ("skipped", True)
    assert ran.code == 0


def test_the_address_of_a_webhook_is_never_said(store: str):
    secret = f"http://127.0.0.1:{free_port()}/services/T0/B0/hush"
    ran = examined(store, SLACK_WEBHOOK_URL_ERROR=secret)
    assert found(ran, "channels", "SLACK_WEBHOOK_URL_ERROR")["outcome"] == "fail"
    assert "hush" not in ran.out + ran.err


# --- drift ---------------------------------------------------------------------------------------------------------


def test_a_definition_other_than_the_one_in_force_is_a_warning_with_both_versions(store: str):
    same = found(examined(store), "definition_in_force")
    other = found(examined(store, PHASE_VALIDATION_MODE="disabled"), "definition_in_force")
    assert (same["outcome"], other["outcome"]) == ("ok", "warn")
    assert same["detail"] in other["detail"]


def test_definitions_that_alternate_are_two_installations_at_work(tmp_path: Path):
    store = evening(tmp_path)
    said = []
    for number, mode in enumerate(("warning", "blocking", "warning", "blocking")):
        now = LAST_TICK + timedelta(minutes=16 * (number + 1))
        environ = {"TIPOFF_DEFINITIONS": "nba", "PHASE_VALIDATION_MODE": mode}
        assert tipoff("tick", "--store", store, environ=environ, clock=at(now)).code in (0, 1, 2)
        said.append(found(examined(store, now=now, PHASE_VALIDATION_MODE=mode), "definition_in_force"))
    assert [item["outcome"] for item in said] == ["ok", "ok", "ok", "warn"]
    assert said[-1]["numbers"]["returns"] == 2


def test_what_a_newer_program_wrote_is_named_and_not_taken_for_health(tmp_path: Path):
    store = evening(tmp_path)
    _damage(tmp_path / "tipoff.db")
    ran = examined(store)
    assert found(ran, "schema")["outcome"] == "fail"
    assert ran.code == 2


def _damage(path: Path) -> None:
    """Make the last event of the control stream one of a schema from the future."""
    with closing(SqliteStore.open(path, read_only=True)) as store:
        head = store.head("nba/control")
    assert head is not None
    rewrite(
        path,
        "nba/control",
        head.version,
        lambda body, hash: (body.replace(b'"data":{', b'"schema":99,"data":{'), hash),
    )
