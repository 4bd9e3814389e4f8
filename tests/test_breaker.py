"""The breaker of a domain: opens after failures in a row, lets one call try, keeps what a service asked for."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.calls import BreakerMoved, CallAnswered, CallAsked
from events.catalogue import Event
from events.codec import encode
from statemachine.breaker import BreakerState, admission
from statemachine.definition import ClientRules, Definition
from statemachine.streams import BREAKER, breaker_stream, decider_for
from tests.driving import Recording, nba
from tests.outbound import NOON

RULES = ClientRules(breaker_threshold=3, breaker_open_seconds=300)
OPEN = timedelta(seconds=RULES.breaker_open_seconds)


def with_rules(rules: ClientRules) -> Definition:
    return replace(nba(), client=rules)


class Breaking(Recording[BreakerState]):
    """The breaker of a domain."""

    def __init__(self, rules: ClientRules = RULES) -> None:
        super().__init__(BREAKER, with_rules(rules), breaker_stream("api.example.com"))

    def answer(self, call: str, outcome: str, at: datetime, *, retry_at: datetime | None = None) -> list[Event]:
        data = CallAnswered(call=call, outcome=outcome, error=outcome, retry_at=retry_at)  # type: ignore[arg-type]
        return self.give(data, at)

    def fail(self, times: int, at: datetime) -> None:
        for number in range(times):
            self.answer(f"failing-{number}", "failed", at)

    def ask(self, call: str, at: datetime) -> bool:
        """Whether `call` may go, as a client finds out."""
        verdict = admission(self.state, self.definition.client, at)
        if verdict.verdict == "ask":
            self.give(CallAsked(call=call), at)
            return self.state.probe == call
        return verdict.verdict == "go"

    @property
    def moves(self) -> list[tuple[str, str]]:
        return [(e.data.source, e.data.dest) for e in self.events if isinstance(e.data, BreakerMoved)]


def tripped() -> Breaking:
    breaker = Breaking()
    breaker.fail(3, NOON)
    return breaker


def test_the_stream_of_a_domain_has_the_decider_of_breakers():
    assert decider_for(breaker_stream("127.0.0.1:8080")) is BREAKER
    assert breaker_stream("api.example.com") == "client/api.example.com/breaker"


@pytest.mark.parametrize(("failures", "position"), [(2, "closed"), (3, "open"), (4, "open")])
def test_it_opens_at_its_threshold_of_failures_in_a_row(failures: int, position: str):
    breaker = Breaking()
    breaker.fail(failures, NOON)

    assert breaker.state.position == position
    assert breaker.state.trips == (position == "open")


def test_an_answer_ends_the_row():
    breaker = Breaking()
    breaker.fail(2, NOON)
    breaker.answer("fine", "ok", NOON)
    breaker.fail(2, NOON)

    assert breaker.state.position == "closed"


def test_while_a_service_answers_its_stream_does_not_grow():
    breaker = Breaking()
    breaker.answer("first", "failed", NOON)
    breaker.answer("second", "ok", NOON)
    before = breaker.state.version

    for number in range(100):
        breaker.answer(f"fine-{number}", "ok", NOON + timedelta(seconds=number))

    assert breaker.state.version == before


@pytest.mark.parametrize(("seconds", "may"), [(299.9, False), (300, True), (3000, True)])
def test_an_open_breaker_lets_nothing_through_before_its_time(seconds: float, may: bool):
    assert tripped().ask("a", NOON + timedelta(seconds=seconds)) is may


def test_a_half_open_breaker_lets_one_call_through():
    breaker = tripped()

    assert breaker.ask("a", NOON + OPEN)
    assert not breaker.ask("b", NOON + OPEN)
    assert breaker.moves == [("closed", "open"), ("open", "half_open")]


def test_the_answer_of_that_call_closes_it():
    breaker = tripped()
    breaker.ask("a", NOON + OPEN)
    breaker.answer("a", "ok", NOON + OPEN)

    assert (breaker.state.position, breaker.state.failures, breaker.state.probe) == ("closed", 0, None)
    assert breaker.ask("b", NOON + OPEN)


def test_its_failure_opens_it_for_as_long_again():
    breaker = tripped()
    breaker.ask("a", NOON + OPEN)
    breaker.answer("a", "failed", NOON + OPEN)

    assert not breaker.ask("b", NOON + 2 * OPEN - timedelta(seconds=1))
    assert breaker.ask("b", NOON + 2 * OPEN)
    assert breaker.state.trips == 2


def test_one_that_never_answers_makes_room_for_another_after_the_open_time():
    breaker = tripped()
    breaker.ask("dies", NOON + OPEN)

    assert not breaker.ask("b", NOON + 2 * OPEN - timedelta(seconds=1))
    assert breaker.ask("b", NOON + 2 * OPEN)
    breaker.answer("dies", "ok", NOON + 2 * OPEN)
    assert breaker.state.position == "half_open", "only the answer of the present probe counts"


@pytest.mark.parametrize("outcome", ["ok", "failed"])
def test_an_answer_to_a_call_from_before_it_opened_changes_nothing(outcome: str):
    breaker = tripped()

    assert breaker.answer("late", outcome, NOON + timedelta(seconds=5)) == []


def test_what_a_service_asked_for_holds_for_everybody_although_the_breaker_is_closed():
    breaker = Breaking()
    breaker.answer("a", "failed", NOON, retry_at=NOON + timedelta(seconds=60))

    verdict = admission(breaker.state, RULES, NOON + timedelta(seconds=59))
    assert (verdict.verdict, verdict.until) == ("wait", NOON + timedelta(seconds=60))
    assert admission(breaker.state, RULES, NOON + timedelta(seconds=60)).verdict == "go"


def test_a_later_retry_after_counts_and_an_earlier_one_does_not():
    breaker = Breaking()
    breaker.answer("a", "failed", NOON, retry_at=NOON + timedelta(hours=2))
    breaker.answer("b", "failed", NOON, retry_at=NOON + timedelta(hours=1))

    assert breaker.state.not_before == NOON + timedelta(hours=2)


def test_one_that_is_switched_off_counts_and_never_opens():
    off = replace(RULES, breaker_enabled=False)
    breaker = Breaking(off)
    breaker.fail(20, NOON)

    assert (breaker.state.position, breaker.state.failures) == ("closed", 20)
    assert admission(tripped().state, off, NOON).verdict == "go"


def test_a_retry_after_is_not_kept_back_where_it_is_switched_off():
    breaker = Breaking()
    breaker.answer("a", "failed", NOON, retry_at=NOON + timedelta(hours=1))

    assert admission(breaker.state, replace(RULES, retry_after_enabled=False), NOON).verdict == "go"


def test_a_call_that_was_heard_twice_counts_once():
    breaker = Breaking()
    data = CallAnswered(call="a", outcome="failed")
    breaker.give(data, NOON, id="same")

    assert breaker.give(data, NOON, id="same") == []
    assert breaker.state.failures == 1


# --- whatever happens -------------------------------------------------------------------------------------------------

_steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ok", "failed", "failed", "retry"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([0, 1, 100, 300]),
    ),
    max_size=40,
)


@given(_steps)
def test_whatever_happens_no_call_goes_before_its_time_and_of_a_half_open_breaker_one_at_a_time(steps):
    breaker, now, number = Breaking(), NOON, 0
    for what, who, seconds in steps:
        now += timedelta(seconds=seconds)
        before = breaker.state
        if what == "ask":
            number += 1
            went = breaker.ask(f"{who}-{number}", now)
            asked_away = before.not_before is not None and now < before.not_before
            shut = before.position != "closed" and before.until is not None and now < before.until
            assert went is not (asked_away or shut)
            if went and before.position != "closed":
                assert breaker.state.probe == f"{who}-{number}"
                assert not breaker.ask("another", now)
        else:
            call = before.probe or f"{who}-{number}"
            retry_at = now + timedelta(seconds=150) if what == "retry" else None
            breaker.answer(call, "ok" if what == "ok" else "failed", now, retry_at=retry_at)
        after = breaker.state
        assert (after.probe is not None) is (after.position == "half_open")
        assert (after.until is not None) is (after.position != "closed")
        assert after.position != "closed" or after.failures < RULES.breaker_threshold


@given(_steps)
def test_folding_its_events_again_gives_the_same_bytes(steps):
    breaker, now = Breaking(), NOON
    for what, who, seconds in steps:
        now += timedelta(seconds=seconds)
        if what == "ask":
            breaker.ask(who, now)
        else:
            breaker.answer(who, "ok" if what == "ok" else "failed", now)

    again = BREAKER.initial(breaker.stream)
    for event in breaker.events:
        again = BREAKER.evolve(again, event)
    assert encode(again) == encode(breaker.state)
    assert BREAKER.deadlines(again, nba()) == []
