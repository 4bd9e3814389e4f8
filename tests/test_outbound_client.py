"""Calls to real services on real ports: what is tried again, when, and what never is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from events.calls import CallAnswered
from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.store import Store
from handlers.dispatch import PermanentFailure, Sent, TransientFailure
from handlers.outbound.breakers import NoBreakers, SharedBreakers, of
from handlers.outbound.client import OutboundClient
from handlers.outbound.services import HttpChannel
from handlers.recorder import Recorder
from statemachine.definition import ClientRules
from tests.driving import nba
from tests.outbound import NOON, Says, Service, SteppedTime, heal_command, http_date, service

RULES = ClientRules(retries_max=3, breaker_threshold=10, breaker_open_seconds=300)
FAST_SECONDS = 0.2
"""How long these tests wait for a service that hangs."""


def breakers(store: Store, rules: ClientRules = RULES) -> SharedBreakers:
    """An instance's view of the breakers in `store`."""
    return SharedBreakers(of(Recorder(store, {"nba": replace(nba(), client=rules)})))


@contextmanager
def channel(
    served: Service,
    time: SteppedTime,
    *,
    rules: ClientRules = RULES,
    store: Store | None = None,
    service: str = "phase4",
) -> Iterator[HttpChannel]:
    shared = breakers(store or MemoryStore(), rules)
    client = OutboundClient(rules, shared, time)
    made = HttpChannel(client, {service: served.address}, read_seconds=FAST_SECONDS)
    with closing(made):
        yield made


def gaps(served: Service) -> list[float]:
    """Seconds between one request and the next."""
    return [(b.at - a.at).total_seconds() for a, b in zip(served.asked, served.asked[1:], strict=False)]


def test_a_command_is_a_post_with_its_payload_and_its_id_as_the_idempotency_key():
    time = SteppedTime()
    with service(Says(202), time=time) as served, channel(served, time) as way:
        [answer] = way.send([heal_command()])

    [asked] = served.asked
    assert (asked.method, asked.path) == ("POST", "/process-date")
    assert asked.body == b'{"analysis_date":"2026-01-16","processors":["PlayerDailyCacheProcessor"]}'
    assert asked.headers["Idempotency-Key"] == "command-one"
    assert isinstance(answer, Sent)
    assert answer.message_id.endswith(":202")


def test_a_429_with_seconds_is_tried_again_and_never_earlier_than_asked():
    time = SteppedTime()
    limited = Says(429, headers={"Retry-After": "45"})
    with service(limited, limited, Says(), time=time) as served, channel(served, time) as way:
        [answer] = way.send([heal_command()])

    assert isinstance(answer, Sent)
    assert [seconds >= 45 for seconds in gaps(served)] == [True, True]
    assert {asked.headers["Idempotency-Key"] for asked in served.asked} == {"command-one"}


def test_a_429_with_a_date_is_obeyed_on_the_clock_of_the_service():
    time = SteppedTime()
    dated = Says(429, headers={"Retry-After": http_date(NOON + timedelta(seconds=70))})
    with service(dated, Says(), time=time) as served, channel(served, time) as way:
        [answer] = way.send([heal_command()])

    assert isinstance(answer, Sent)
    assert 70 <= gaps(served)[0] <= RULES.backoff_max_seconds


def test_a_service_that_asks_for_longer_than_the_cap_is_not_waited_for_and_not_called_before():
    time, store = SteppedTime(), MemoryStore()
    a_day = Says(429, headers={"Retry-After": "86400"})
    with service(a_day, Says(), time=time) as served, channel(served, time, store=store) as way:
        [first] = way.send([heal_command()])
        time.forward(86_399)
        [second] = way.send([heal_command()])
        assert len(served.asked) == 1
        time.forward(1)
        [third] = way.send([heal_command()])

    assert isinstance(first, TransientFailure)
    assert "not before 2026-01-18T17:00:00+00:00" in str(first)
    assert isinstance(second, TransientFailure)
    assert isinstance(third, Sent)
    assert time.waits == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_fails_for_now_is_tried_again_up_to_its_retries_and_then_left_for_later(status: int):
    time = SteppedTime()
    with service(Says(status, "overloaded"), time=time) as served, channel(served, time) as way:
        [answer] = way.send([heal_command()])

    assert isinstance(answer, TransientFailure)
    assert str(answer) == f"{served.domain}: {status}", "always the same, so that it fills no history"
    assert len(served.asked) == 1 + RULES.retries_max
    assert all(seconds <= RULES.backoff_max_seconds for seconds in time.waits)
    assert time.waits == sorted(time.waits), "later each time"


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 410, 422])
def test_a_refusal_is_never_tried_again(status: int):
    time = SteppedTime()
    with service(Says(status, "no"), time=time) as served, channel(served, time) as way:
        [answer] = way.send([heal_command()])

    assert isinstance(answer, PermanentFailure)
    assert str(status) in str(answer)
    assert (len(served.asked), time.waits) == (1, [])


def test_a_refusal_shows_that_the_service_lives_and_does_not_open_its_breaker():
    time, store = SteppedTime(), MemoryStore()
    with service(Says(404), time=time) as served, channel(served, time, store=store) as way:
        way.send([heal_command(name=str(number)) for number in range(15)])

    assert breakers(store).state(served.domain).position == "closed"
    assert len(served.asked) == 15


def test_a_time_out_is_tried_again():
    time = SteppedTime()
    with service(Says(hangs=True), Says(), time=time) as served, channel(served, time) as way:
        [answer] = way.send([heal_command()])

    assert isinstance(answer, Sent)
    assert len(served.asked) == 2


def test_a_service_that_nobody_answers_for_is_left_for_later():
    time = SteppedTime()
    with service(Says(), time=time) as served:
        gone = served
    with channel(gone, time) as way:
        [answer] = way.send([heal_command()])

    assert isinstance(answer, TransientFailure)
    assert "no connection" in str(answer)
    assert len(time.waits) == RULES.retries_max


@pytest.mark.parametrize(
    ("name", "status", "first"),
    [("phase4", 503, 0.5), ("phase1", 503, 3.0), ("phase1", 429, 2.0)],
)
def test_the_back_off_begins_with_the_factor_of_what_is_called(name: str, status: int, first: float):
    time = SteppedTime(chance=0.0)
    with service(Says(status), Says(), time=time) as served, channel(served, time, service=name) as way:
        way.send([heal_command(name)])

    assert time.waits == [first / 2]


def test_a_retry_after_is_nothing_where_it_is_switched_off():
    time, rules = SteppedTime(), replace(RULES, retry_after_enabled=False)
    with (
        service(Says(429, headers={"Retry-After": "3000"}), Says(), time=time) as served,
        channel(served, time, rules=rules) as way,
    ):
        [answer] = way.send([heal_command()])

    assert isinstance(answer, Sent)
    assert time.waits[0] <= 2


def test_a_service_that_stops_while_a_call_waits_leaves_it_for_later():
    time = SteppedTime()
    time.stopping = True
    with service(Says(503), time=time) as served, channel(served, time) as way:
        [answer] = way.send([heal_command()])

    assert isinstance(answer, TransientFailure)
    assert len(served.asked) == 1


# --- the breaker ------------------------------------------------------------------------------------------------------


def test_failures_in_a_row_open_the_breaker_and_then_nothing_goes_out_until_its_time():
    time, store = SteppedTime(), MemoryStore()
    with service(Says(503), time=time) as served, channel(served, time, store=store) as way:
        answers = way.send([heal_command(name=str(number)) for number in range(6)])
        assert len(served.asked) == RULES.breaker_threshold
        assert all(isinstance(answer, TransientFailure) for answer in answers)
        assert "the breaker is open" in str(answers[-1])

        time.forward(RULES.breaker_open_seconds)
        way.send([heal_command(name="later"), heal_command(name="later still")])

    assert len(served.asked) == RULES.breaker_threshold + 1, "half-open: one call tries, and fails"


def test_an_instance_learns_from_the_failures_of_another():
    time, store = SteppedTime(), MemoryStore()
    with (
        service(Says(503), time=time) as served,
        channel(served, time, store=store) as one,
        channel(served, time, store=store) as other,
    ):
        one.send([heal_command(name=str(number)) for number in range(3)])
        [answer] = other.send([heal_command(name="other")])

    assert "the breaker is open" in str(answer)
    assert len(served.asked) == RULES.breaker_threshold


def test_a_breaker_that_is_open_is_still_open_after_a_restart(tmp_path: Path):
    time, file = SteppedTime(), tmp_path / "tipoff.db"
    with service(Says(503), time=time) as served:
        with closing(SqliteStore.open(file)) as store, channel(served, time, store=store) as way:
            way.send([heal_command(name=str(number)) for number in range(3)])
        with closing(SqliteStore.open(file)) as store, channel(served, time, store=store) as way:
            [answer] = way.send([heal_command()])

    assert "the breaker is open" in str(answer)
    assert len(served.asked) == RULES.breaker_threshold


def test_of_two_instances_that_race_for_a_half_open_breaker_exactly_one_call_goes(tmp_path: Path):
    file = tmp_path / "tipoff.db"
    at = NOON + timedelta(seconds=RULES.breaker_open_seconds)
    for race in range(8):
        domain, went = f"race-{race}.example.com", list[bool]()
        with closing(SqliteStore.open(file)) as store:
            for number in range(RULES.breaker_threshold):
                _fail(breakers(store), domain, f"{race}-{number}")
        start = threading.Barrier(2)

        def ask(name: str, domain: str = domain, start: threading.Barrier = start, went: list[bool] = went) -> None:
            with closing(SqliteStore.open(file)) as store:
                mine = breakers(store)
                start.wait()
                went.append(mine.ask(domain, name, at).verdict == "go")

        threads = [threading.Thread(target=ask, args=(f"{race}-{name}",)) for name in ("one", "other")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(went) == [False, True]


def _fail(shared: SharedBreakers, domain: str, call: str) -> None:
    shared.tell(domain, CallAnswered(call=call, outcome="failed", status=503), NOON)


def test_a_store_that_is_away_stops_a_call_and_does_not_undo_one(tmp_path: Path):
    time, store = SteppedTime(), SqliteStore.open(tmp_path / "tipoff.db")
    shared = breakers(store)
    store.close()
    with service(Says(), time=time) as served:
        client = OutboundClient(RULES, shared, time)
        with closing(HttpChannel(client, {"phase4": served.address})) as way:
            [answer] = way.send([heal_command()])
        _fail(shared, served.domain, "told to nobody")

    assert isinstance(answer, TransientFailure)
    assert served.asked == []


# --- the way out ------------------------------------------------------------------------------------------------------


def test_a_service_without_an_address_keeps_its_commands_waiting_and_says_which():
    time = SteppedTime()
    with service(Says(), time=time) as served, channel(served, time) as way:
        unknown, known = way.send([heal_command("phase9"), heal_command("phase4")])

    assert isinstance(unknown, TransientFailure)
    assert "phase9: name it in TIPOFF_SERVICES" in str(unknown)
    assert isinstance(known, Sent)


def test_what_is_no_longer_wanted_is_not_sent_and_leaves_the_outbox():
    time = SteppedTime()
    with service(Says(), time=time) as served:
        client = OutboundClient(RULES, NoBreakers(), time)
        way = HttpChannel(
            client,
            {"phase4": served.address},
            unwanted=lambda pending: "judged already" if pending.command.command_id == "command-old" else None,
        )
        with closing(way):
            old, new = way.send([heal_command(name="old"), heal_command(name="new")])

    assert isinstance(old, PermanentFailure)
    assert isinstance(new, Sent)
    assert [asked.headers["Idempotency-Key"] for asked in served.asked] == ["command-new"]


def test_a_slow_service_does_not_hold_up_another():
    time = SteppedTime()
    with service(Says(hangs=True), time=time) as slow, service(Says(), time=time) as quick:
        client = OutboundClient(replace(RULES, retries_max=1), NoBreakers(), time)
        addresses = {"phase3": slow.address, "phase4": quick.address}
        with closing(HttpChannel(client, addresses, read_seconds=FAST_SECONDS)) as way:
            first, second = way.send([heal_command("phase3"), heal_command("phase4")])

    assert isinstance(first, TransientFailure)
    assert isinstance(second, Sent)


def test_a_way_out_tests_itself():
    time = SteppedTime()
    with service(Says(404), time=time) as lives, service(Says(503), time=time) as fails:
        client = OutboundClient(RULES, NoBreakers(), time)
        addresses = {"phase3": lives.address, "phase4": fails.address, "phase5": "http://127.0.0.1:9"}
        with closing(HttpChannel(client, addresses, needed=frozenset({"phase3", "scrapers"}))) as way:
            assert way.check() == "no address is known of scrapers; phase4: 503; phase5: ConnectError"
        with closing(HttpChannel(client, {"phase3": lives.address}, needed=frozenset({"phase3"}))) as way:
            assert way.check() is None
