"""Alerts on real ports: told once to every place, kept while a place is away, dead letters where it is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from events.catalogue import (
    AlertRaised,
    CommandFailed,
    CommandPublished,
    CommandRequested,
    MessageRejected,
    OperatorActed,
)
from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.store import Pending, Store
from events.values import Severity
from handlers.channels.alerts import UNCONFIGURED, AlertChannel, from_store, takes
from handlers.channels.messages import RUNBOOK
from handlers.channels.slack import SlackTarget
from handlers.channels.targets import Target, address_for
from handlers.channels.webhook import WebhookTarget
from handlers.channels.wiring import alert_channel, http_channel, http_topics
from handlers.dispatch import Answer, Held, PermanentFailure, Sent, TransientFailure
from handlers.dispatcher import Dispatcher, Way
from handlers.intake import Intake
from handlers.outbound.breakers import SharedBreakers, of, through
from handlers.outbound.client import OutboundClient
from handlers.recorder import Recorder
from handlers.settings import read
from tests.driving import nba
from tests.outbound import NOON, Says, Service, SteppedTime, service
from tests.scenes import House
from tests.waiting import until

OK = Says(body="ok")
GONE = Says(404, "no_service")
REJECTION = MessageRejected(code="bad_date", reason="no date", topic="t", message_id="m", size=2, data="e30=")


def page(
    name: str = "one", *, cause: str = "gate_blocked", severity: str = "warning", date: str = "2026-01-16"
) -> Pending:
    """A page, as it stands in the outbox."""
    payload = {
        "alert_key": f"{cause}:{name}",
        "cause": cause,
        "subject": name,
        "severity": severity,
        "sport": "nba",
        "game_date": date,
        "detail": f"{name} is wrong",
        "numbers": {"games": 5.0},
    }
    command = CommandRequested(
        command_id=f"page-{name}", kind="alert", topic=f"alert:{severity}", payload=payload, ordering_key=f"nba/{date}"
    )
    return Pending(f"nba/{date}", command)


class Places:
    """An alert channel with the places it tells, on a clock that stands still."""

    def __init__(
        self,
        *,
        slack: Service | None,
        webhook: Service | None = None,
        store: Store | None = None,
        time: SteppedTime | None = None,
    ) -> None:
        self.time = time or SteppedTime()
        self.house = House(store)
        asking = of(self.house.recorder)
        client = OutboundClient(nba().client, SharedBreakers(asking), self.time)
        targets: list[Target] = []
        if slack is not None:
            targets.append(SlackTarget({"info": f"{slack.address}/hook"}, client, timeout_seconds=1))
        if webhook is not None:
            targets.append(WebhookTarget(f"{webhook.address}/hook", client, timeout_seconds=1))
        self.channel = AlertChannel(targets, from_store(asking), self.time, runbook=RUNBOOK)

    def send(self, *batch: Pending) -> list[Answer]:
        return self.channel.send(list(batch))


@contextmanager
def places(*slack: Says, webhook: tuple[Says, ...] = ()) -> Iterator[tuple[Places, Service, Service]]:
    """An alert channel whose Slack answers `slack`, and whose webhook, where it has one, answers `webhook`."""
    time = SteppedTime()
    with service(*(slack or (OK,)), time=time) as one, service(*(webhook or (OK,)), time=time) as other:
        made = Places(slack=one, webhook=other if webhook else None, time=time)
        with closing(made.channel):
            yield made, one, other


def test_an_alert_is_one_post_and_is_sent_when_the_place_took_it():
    with places() as (made, slack, _):
        [answer] = made.send(page())

    assert isinstance(answer, Sent)
    assert answer.message_id == "slack"
    [asked] = slack.asked
    assert "gate_blocked" in json.loads(asked.body)["text"]


def test_alerts_of_one_cause_that_come_together_are_one_post_that_answers_all_of_them():
    with places() as (made, slack, _):
        answers = made.send(*[page(f"gate-{number}") for number in range(40)], page("x", cause="grading_late"))

    assert all(isinstance(answer, Sent) for answer in answers)
    assert len(slack.asked) == 2
    assert "40 alerts" in slack.asked[0].body.decode()


def test_a_cause_that_was_told_a_moment_ago_is_gathered_and_others_are_not():
    with places() as (made, slack, _):
        made.send(page("first"))
        made.send(page("second"), page("other", cause="grading_late"))
        made.time.forward(60)
        made.send(page("third"))

    assert made.time.waits == [30.0]
    told = [json.loads(asked.body)["text"] for asked in slack.asked]
    assert ["grading_late" in text for text in told] == [False, True, False, False]


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_an_address_that_is_gone_makes_a_dead_letter_and_is_asked_once(status: int):
    with places(Says(status, "channel_is_archived")) as (made, slack, _):
        [answer] = made.send(page())

    assert isinstance(answer, PermanentFailure)
    assert f"{status}: channel_is_archived" in str(answer)
    assert len(slack.asked) == 1


@pytest.mark.parametrize("says", [Says(500), Says(503), Says(429), Says(hangs=True)])
def test_a_place_that_is_away_keeps_the_alert_waiting(says: Says):
    with places(says, OK) as (made, slack, _):
        [first] = made.send(page())
        [second] = made.send(page())

    assert isinstance(first, TransientFailure)
    assert isinstance(second, Sent)
    assert len(slack.asked) == 2


def test_a_retry_after_of_a_place_is_obeyed():
    with places(Says(429, headers={"Retry-After": "90"}), OK) as (made, slack, _):
        made.send(page())
        made.time.forward(59.9)
        [early] = made.send(page("other", cause="grading_late"))
        made.time.forward(31)
        [late] = made.send(page())

    assert isinstance(early, TransientFailure)
    assert "Retry-After" in str(early)
    assert isinstance(late, Sent)
    assert len(slack.asked) == 2


def test_a_place_that_has_an_alert_does_not_get_it_again_while_another_is_away():
    with places(OK, webhook=(Says(503), OK)) as (made, slack, webhook):
        [first] = made.send(page())
        [second] = made.send(page())

    assert isinstance(first, TransientFailure)
    assert str(first).startswith("webhook: ")
    assert isinstance(second, Sent)
    assert second.message_id == "slack+webhook"
    assert (len(slack.asked), len(webhook.asked)) == (1, 2)


def test_where_one_place_is_gone_the_other_has_it_and_the_answer_says_so():
    with places(GONE, webhook=(OK,)) as (made, _slack, webhook):
        [answer] = made.send(page())

    assert isinstance(answer, Sent)
    assert answer.message_id.startswith("webhook (not slack: ")
    said = json.loads(webhook.asked[0].body)
    assert (said["cause"], said["episodes"][0]["command_id"]) == ("gate_blocked", "page-one")
    assert webhook.asked[0].headers["Idempotency-Key"] == "page-one"


def test_where_all_places_are_gone_it_is_a_dead_letter_that_names_them():
    with places(GONE, webhook=(Says(410),)) as (made, _slack, _webhook):
        [answer] = made.send(page())

    assert isinstance(answer, PermanentFailure)
    assert "slack: " in str(answer)
    assert "webhook: " in str(answer)


def test_without_a_place_alerts_wait_and_the_channel_is_not_healthy():
    made = Places(slack=None)

    assert [str(answer) for answer in made.send(page(), page("two"))] == [UNCONFIGURED] * 2
    assert isinstance(made.send(page())[0], TransientFailure)
    assert made.channel.check() == UNCONFIGURED


def test_a_store_that_is_away_keeps_alerts_waiting(tmp_path: Path):
    store = SqliteStore.open(tmp_path / "tipoff.db")
    with service(OK, time=SteppedTime()) as slack:
        made = Places(slack=slack, store=store)
        store.close()
        [answer] = made.send(page())

    assert isinstance(answer, TransientFailure)
    assert slack.asked == []


# --- where what goes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "severity", "takes_it"),
    [
        ("info warning critical", "critical", "critical"),
        ("info warning critical", "warning", "warning"),
        ("info warning critical", "info", "info"),
        ("info", "critical", "info"),
        ("info warning", "critical", "info"),
        ("critical", "warning", "critical"),
        ("critical", "info", "critical"),
    ],
)
def test_an_alert_goes_where_its_severity_goes_and_never_nowhere(known: str, severity: Severity, takes_it: str):
    addresses: dict[Severity, str] = {name: name for name in known.split()}  # type: ignore[misc]

    assert address_for(severity, addresses) == takes_it


def test_each_severity_is_posted_to_its_own_webhook():
    time = SteppedTime()
    with service(OK, time=time) as slack:
        environ = {
            "SLACK_WEBHOOK_URL": f"{slack.address}/default",
            "SLACK_WEBHOOK_URL_WARNING": f"{slack.address}/warning",
            "SLACK_WEBHOOK_URL_ERROR": f"{slack.address}/error",
        }
        channel = alert_channel(read(environ), {"nba": nba()}, of(House().recorder), time)
        channel.send([page("a"), page("b", severity="critical")])

    assert sorted(asked.path for asked in slack.asked) == ["/error", "/warning"]


def test_the_topics_of_alerts_are_those_that_the_core_asks_with():
    assert takes("alert:critical")
    assert not takes("nba-phase3-trigger")
    assert http_topics({"nba": nba()}) >= {"http:phase4/process-date"}


def test_the_way_for_calls_needs_an_address_for_every_service_of_the_definition():
    channel = http_channel(read({"TIPOFF_SERVICES": ""}), {"nba": nba()}, of(House().recorder), SteppedTime())
    with closing(channel):
        wrong = channel.check()

    assert wrong is not None
    assert [name in wrong for name in ("phase3", "phase4", "phase5")] == [True] * 3


# --- self-test --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slack", "webhook", "wrong"),
    [
        (Says(400, "no_text"), Says(405), None),
        (Says(400, "invalid_payload"), Says(204), None),
        (GONE, OK, "slack: info: 404: no_service"),
        (Says(200, "ok"), OK, "slack: info: 200: ok"),
        (Says(400, "no_text"), Says(410), "webhook: 410"),
        (Says(hangs=True), OK, "slack: info: no answer in time"),
    ],
)
def test_a_channel_tests_itself_without_bothering_anybody(slack: Says, webhook: Says, wrong: str | None):
    with places(slack, webhook=(webhook,)) as (made, asked, other):
        assert made.channel.check() == wrong

    assert [json.loads(item.body) for item in asked.asked] == [{"text": ""}]
    assert [item.method for item in other.asked] == ["OPTIONS"]


def test_a_place_that_nobody_listens_at_is_not_healthy():
    with service(OK, time=SteppedTime()) as gone:
        made = Places(slack=gone, webhook=gone)
    with closing(made.channel):
        wrong = made.channel.check()

    assert wrong is not None
    assert wrong.count("no connection") == 2
    assert "hook" not in wrong.replace("webhook", ""), "the address is a secret"


# --- suppression ------------------------------------------------------------------------------------------------------


def suppress(made: Places, target: str | None, end: datetime) -> None:
    data = OperatorActed(command="suppress", reason="maintenance", target=target, until=end)
    made.house.give(data, NOON, stream="nba/control", actor="ana")


@pytest.mark.parametrize("target", [None, "gate_blocked", "gate_blocked:one"])
def test_what_is_suppressed_is_held_until_the_window_ends_and_told_then(target: str | None):
    with places() as (made, slack, _):
        suppress(made, target, NOON + timedelta(hours=1))
        [held] = made.send(page())
        assert slack.asked == []
        made.time.forward(3600)
        [told] = made.send(page())

    assert isinstance(held, Held)
    assert str(held) == "suppressed until 2026-01-17 18:00 UTC by ana: maintenance"
    assert isinstance(told, Sent)


def test_what_is_not_meant_is_told():
    with places() as (made, _slack, _):
        suppress(made, "grading_late", NOON + timedelta(hours=1))
        held, told = made.send(page("a", cause="grading_late"), page("b"))

    assert isinstance(held, Held)
    assert isinstance(told, Sent)


# --- reminders --------------------------------------------------------------------------------------------------------


def reminder(made: Places) -> Pending:
    """The reminder of a rejection that was told at noon, as it stands in the outbox at four."""
    made.house.give(REJECTION, NOON, stream="nba/control")
    [told] = made.house.store.pending(10)
    made.house.give(CommandPublished(command_id=told.command.command_id, message_id="m"), NOON, stream="nba/control")
    made.time.forward(4 * 3600)
    made.house.recorder.tick(made.time.now())
    [waits] = made.house.store.pending(10)
    return waits


def test_a_reminder_is_told_as_one():
    with places() as (made, slack, _):
        [answer] = made.send(reminder(made))

    assert isinstance(answer, Sent)
    assert "reminder 1: warning: messages_rejected" in json.loads(slack.asked[0].body)["text"]


def test_a_reminder_that_waited_until_somebody_took_the_alert_on_is_told_to_nobody():
    with places() as (made, slack, _):
        waits = reminder(made)
        act = OperatorActed(command="acknowledge", reason="seen", target="messages_rejected")
        made.house.give(act, made.time.now(), stream="nba/control", actor="ana")
        [answer] = made.send(waits)
        [page_of_it] = made.send(page("bad_date", cause="messages_rejected"))

    assert isinstance(answer, PermanentFailure)
    assert str(answer) == "not told: ana has taken it on"
    assert isinstance(page_of_it, Sent), "a page is told, whatever became of it meanwhile"
    assert len(slack.asked) == 1


def test_a_reminder_is_held_by_a_window_of_silence_as_a_page_is():
    with places() as (made, slack, _):
        waits = reminder(made)
        data = OperatorActed(command="suppress", reason="r", until=made.time.now() + timedelta(hours=1))
        made.house.give(data, made.time.now(), stream="nba/control", actor="ana")
        [held] = made.send(waits)
        made.time.forward(3600)
        [told] = made.send(waits)

    assert isinstance(held, Held)
    assert isinstance(told, Sent)
    assert len(slack.asked) == 1


# --- in a running service ---------------------------------------------------------------------------------------------


@contextmanager
def instance(store: Store, slack: Service, time: SteppedTime) -> Iterator[Intake]:
    """A running instance whose only way out is for alerts."""
    intake = Intake(Recorder(store, {"nba": nba()}), time.now)
    environ = {"SLACK_WEBHOOK_URL": f"{slack.address}/hook"}
    channel = alert_channel(read(environ), {"nba": nba()}, through(intake), time)
    ways = [Way("alerts", lambda command: takes(command.topic), channel)]
    dispatcher = Dispatcher(intake, ways, retry_seconds=(0.01,), sweep_seconds=60)
    with ExitStack() as stack:
        stack.enter_context(closing(channel))
        intake.start()
        stack.callback(lambda: intake.stop(10))
        dispatcher.start()
        stack.callback(lambda: dispatcher.stop(10))
        yield intake


def recorded(store: Store, kind: type) -> int:
    return sum(isinstance(stored.event().data, kind) for stored in store.read_all())


def test_an_alert_that_nobody_took_is_told_by_the_next_instance(tmp_path: Path):
    file, time = tmp_path / "tipoff.db", SteppedTime()
    with service(Says(503), time=time) as slack:
        with closing(SqliteStore.open(file)) as store:
            House(store).give(REJECTION, "2026-01-17T12:00Z", stream="nba/control")
            with instance(store, slack, time):
                until(lambda: slack.asked, what="a try")
        slack.script[:] = [OK]
        time.forward(nba().client.breaker_open_seconds)
        with closing(SqliteStore.open(file)) as store, instance(store, slack, time):
            until(lambda: not store.pending(), what="an empty outbox")
        with closing(SqliteStore.open(file)) as store:
            assert recorded(store, CommandPublished) == recorded(store, CommandRequested) >= 1


def test_a_dead_letter_is_in_the_history_and_goes_out_again_when_a_person_asks():
    store, time = MemoryStore(), SteppedTime()
    house = House(store)
    house.give(REJECTION, "2026-01-17T12:00Z", stream="nba/control")
    with service(GONE, time=time) as slack, instance(store, slack, time) as intake:
        until(lambda: recorded(store, CommandFailed) and not store.pending(), what="a dead letter")
        [before] = [alert for alert in _alerts(store) if alert.cause == "messages_rejected"]
        slack.script[:] = [OK]
        resend = house.fact(
            OperatorActed(command="resend", reason="the webhook is mended", target="messages_rejected"),
            NOON,
            stream="nba/control",
            actor="ana",
        )
        tally = intake.record(lambda _now: [resend]).result(10)
        assert [pending.command.attempt for pending in tally.outbox] == [2]
    with service(OK, time=time) as slack, instance(store, slack, time):
        until(lambda: not store.pending(), what="an empty outbox")

    assert before.cause == "messages_rejected"
    assert recorded(store, CommandPublished) == 1


def _alerts(store: Store) -> list[AlertRaised]:
    return [data for stored in store.read_all() if isinstance(data := stored.event().data, AlertRaised)]
