"""`alerts` as it is typed: dead letters, telling again, digests, tests of the channels, windows of silence."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from events.catalogue import CommandFailed, OperatorActed
from events.sqlite import SqliteStore
from handlers.cli.alerts import app
from projections.digest import Digest, headline, sections
from tests.command_line import evening, tipoff
from tests.outbound import Says, SteppedTime, service
from tests.scenes import House

MORNING = "2026-01-17T12:00:00Z"
BLOCKED = "gate_blocked:raw_to_analytics"


def dead(folder: Path) -> str:
    """A store in which the page of a blocked gate was refused for good."""
    name = evening(folder, until=MORNING)
    store = SqliteStore.open(folder / "tipoff.db")
    requested = (json.loads(stored.body)["data"] for stored in store.read("nba/2026-01-16"))
    page = next(data for data in requested if data.get("payload", {}).get("alert_key") == BLOCKED)
    house = House(store)
    again = {"command": "resend", "reason": "unconfirmed", "target": BLOCKED}

    house.give(OperatorActed(**again), MORNING, actor="ana")  # type: ignore[arg-type]
    house.give(CommandFailed(command_id=page["command_id"], error="slack: 404: no_service", permanent=True), MORNING)
    store.close()
    return name


def test_every_verb_of_alerts_has_help():
    names = {name for name in app if name[0] != "-"}
    assert names == {"list", "failed", "resend", "digest", "test", "suppress"}
    assert all(tipoff("alerts", name, "--help").code == 0 for name in names)


def test_alerts_alone_lists_them(tmp_path: Path):
    store = evening(tmp_path, until=MORNING)
    alone, listed = tipoff("alerts", "--json", "--store", store), tipoff("alerts", "list", "--json", "--store", store)

    assert (alone.code, alone.out) == (listed.code, listed.out)
    assert "gate_blocked" in {episode["cause"] for episode in alone.json}


def test_dead_letters_are_listed_with_what_stood_in_their_way(tmp_path: Path):
    store = dead(tmp_path)
    ran = tipoff("alerts", "failed", "--json", "--store", store)

    [letter] = ran.json
    assert ran.code == 2
    assert (letter["cause"], letter["undeliverable"], letter["attempt"]) == (
        "gate_blocked",
        "slack: 404: no_service",
        2,
    )
    assert "slack: 404: no_service" in tipoff("alerts", "failed", "--store", store).out


def test_where_every_alert_was_told_there_is_no_dead_letter(tmp_path: Path):
    ran = tipoff("alerts", "failed", "--store", evening(tmp_path, until=MORNING))

    assert (ran.code, ran.out.strip()) == (0, "Every alert was told, or waits to be.")


def test_a_dead_letter_is_told_again_at_once_where_a_channel_is_configured(tmp_path: Path):
    store = dead(tmp_path)
    with service(Says(body="ok"), time=SteppedTime()) as slack:
        environ = {"SLACK_WEBHOOK_URL": f"{slack.address}/hook"}
        ran = tipoff(
            *("alerts", "resend", "--reason", "mended", "--actor", "ana", "--now", MORNING, "--json", "--store", store),
            environ=environ,
        )

    assert ran.code == 0, ran
    [told] = ran.json
    assert (told["alert"], told["told"]) == (BLOCKED, True)
    assert "gate_blocked" in slack.asked[0].body.decode()
    assert tipoff("alerts", "failed", "--store", store).code == 0


def test_without_a_channel_it_waits_in_the_outbox_and_goes_to_no_file(tmp_path: Path):
    store = dead(tmp_path)
    before = (tmp_path / "tipoff.db.commands.jsonl").read_text()
    ran = tipoff("alerts", "resend", "--reason", "r", "--actor", "ana", "--now", MORNING, "--store", store)

    assert ran.code == 1
    assert "waits in the outbox" in ran.out
    assert "no channel is configured" in ran.err
    assert (tmp_path / "tipoff.db.commands.jsonl").read_text() == before
    reopened = SqliteStore.open(tmp_path / "tipoff.db")
    assert [p.command.attempt for p in reopened.pending() if p.command.kind == "alert"] == [3]
    reopened.close()


def test_critical_alerts_that_nobody_took_on_are_told_again_after_so_many_hours(tmp_path: Path):
    store = evening(tmp_path)
    reminded = ("alerts", "resend", "--reason", "reminder", "--actor", "scheduler", "--json", "--store", store)
    early = tipoff(*reminded, "--unacknowledged", "40", "--now", "2026-01-18T06:00:00Z")
    late = tipoff(*reminded, "--unacknowledged", "4", "--now", "2026-01-18T06:00:00Z")
    tipoff(
        *("day", "act", "2026-01-16", "acknowledge", "--target", "grading_late", "--reason", "r", "--actor", "ana"),
        *("--now", "2026-01-18T07:00:00Z", "--store", store),
    )
    later = tipoff(*reminded, "--unacknowledged", "4", "--now", "2026-01-18T18:00:00Z")

    assert early.json == []
    assert "grading_late:-" in {item["alert"] for item in late.json}
    assert "grading_late:-" not in {item["alert"] for item in later.json}


# --- digests ----------------------------------------------------------------------------------------------------------


def test_a_digest_has_what_nobody_took_on_what_is_open_and_what_was_repaired(tmp_path: Path):
    store = evening(tmp_path)
    ran = tipoff("alerts", "digest", "--now", "2026-01-18T06:00:00Z", "--store", store)

    assert ran.code == 0
    assert ran.out.startswith("digest: 4 criticals without anybody, 4 other open alerts")
    assert "Nobody has taken on:" in ran.out
    assert "3 of 3 attempts used" in ran.out
    assert "rescrape_bdl_box_scores: no_effect" in ran.out


def test_information_is_told_in_the_digest(tmp_path: Path):
    store = evening(tmp_path, until="2026-01-17T11:30:00Z")
    found = tipoff("alerts", "digest", "--now", "2026-01-17T11:30:00Z", "--json", "--store", store).json

    assert [episode["cause"] for episode in found["information"]] == ["box_scores_incomplete"]
    assert found["since"] == "2026-01-16T11:30:00Z"


def test_a_digest_is_posted_to_the_channels(tmp_path: Path):
    store = evening(tmp_path, until=MORNING)
    with service(Says(body="ok"), time=SteppedTime()) as slack, service(Says(), time=SteppedTime()) as webhook:
        environ = {
            "SLACK_WEBHOOK_URL": f"{slack.address}/daily",
            "SLACK_WEBHOOK_URL_ERROR": f"{slack.address}/error",
            "TIPOFF_ALERT_WEBHOOK_URL": f"{webhook.address}/hook",
        }
        ran = tipoff("alerts", "digest", "--send", "--now", MORNING, "--store", store, environ=environ)

    assert ran.code == 0, ran
    assert [asked.path for asked in slack.asked] == ["/daily"]
    assert json.loads(webhook.asked[0].body)["type"] == "tipoff.digest"


@pytest.mark.parametrize("environ", [{}, {"SLACK_WEBHOOK_URL": "http://127.0.0.1:9/hook"}])
def test_a_digest_that_nobody_took_is_an_error(tmp_path: Path, environ: dict[str, str]):
    store = evening(tmp_path, until=MORNING)
    ran = tipoff("alerts", "digest", "--send", "--now", MORNING, "--store", store, environ=environ)

    assert ran.code == 69
    assert "hook" not in ran.err.replace("WEBHOOK", "")


def test_a_quiet_digest_says_so():
    at = datetime(2026, 1, 17, tzinfo=UTC)
    quiet = Digest(
        at=at,
        since=at,
        unacknowledged=(),
        open=(),
        information=(),
        resolved=(),
        dead_letters=(),
        suppressions={},
        heals=(),
        patterns=(),
    )

    assert (headline(quiet), sections(quiet)) == ("digest: all is quiet", [])


# --- tests and silence ------------------------------------------------------------------------------------------------


def test_a_test_posts_a_message_and_says_who_took_it():
    with service(Says(body="ok"), time=SteppedTime()) as slack, service(Says(410), time=SteppedTime()) as webhook:
        environ = {
            "SLACK_WEBHOOK_URL": f"{slack.address}/hook",
            "TIPOFF_ALERT_WEBHOOK_URL": f"{webhook.address}/hook",
        }
        ran = tipoff("alerts", "test", "--json", environ=environ)

    assert ran.code == 69
    assert ran.json["slack"] is None
    assert "410" in ran.json["webhook"]
    assert "Nothing is wrong" in slack.asked[0].body.decode()


def test_a_test_without_a_channel_fails():
    ran = tipoff("alerts", "test")

    assert ran.code == 69
    assert "no channel is configured" in ran.err


def test_a_window_of_silence_is_in_the_history_and_shown_while_it_holds(tmp_path: Path):
    store = evening(tmp_path, until=MORNING)
    typed = ("alerts", "suppress", "--reason", "store maintenance", "--actor", "ana", "--store", store)
    ran = tipoff(
        *typed, "--until", "2026-01-21T18:00:00Z", "--target", "workflow_silent", "--now", "2026-01-20T16:00:00Z"
    )

    assert ran.code == 0, ran
    assert "operator: suppress workflow_silent: store maintenance" in ran.out
    shown = tipoff("alerts", "--store", store)
    assert "suppressed: workflow_silent until 2026-01-21 18:00:00Z by ana: store maintenance" in shown.err
    lifted = tipoff(
        *typed, "--until", "2026-01-20T16:30:00Z", "--target", "workflow_silent", "--now", "2026-01-20T17:00:00Z"
    )
    assert lifted.code == 0
    assert "suppressed" not in tipoff("alerts", "--store", store).err


@pytest.mark.parametrize("until", ["2026-01-20T15:00:00Z", "later"])
def test_a_window_without_an_end_ahead_is_refused(tmp_path: Path, until: str):
    store = evening(tmp_path, until=MORNING)
    ran = tipoff(
        *("alerts", "suppress", "--until", until, "--reason", "r", "--actor", "ana"),
        *("--now", "2026-01-20T16:00:00Z", "--store", store),
    )

    assert ran.code == 64
