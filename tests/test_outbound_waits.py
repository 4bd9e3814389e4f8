"""How long a client waits: never longer than the cap, never shorter than a service asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.outbound.retry_after import ASKED_SECONDS_MAX, retry_after_seconds
from handlers.outbound.waiting import Interrupted, WallTime, backoff_seconds, wait_seconds
from statemachine.definition import ClientRules
from tests.outbound import NOON, http_date

RULES = ClientRules()

_chance = st.floats(0, 1, exclude_max=True)
_seconds = st.floats(0, 10_000)
_retry = st.integers(1, 100)
_rules = st.builds(ClientRules, backoff_max_seconds=st.floats(0.1, 5000))


@given(_retry, st.floats(0.1, 60), _rules, _chance, st.none() | _seconds)
def test_a_wait_is_never_above_the_cap_and_never_shorter_than_asked_for(retry, base, rules, chance, asked):
    waited = wait_seconds(retry, base=base, rules=rules, chance=chance, asked=asked)

    if waited is None:
        assert asked is not None
        assert asked > rules.backoff_max_seconds
    else:
        assert (asked or 0) <= waited <= rules.backoff_max_seconds


@given(_retry, _chance, _chance)
def test_clients_that_reached_the_cap_do_not_march_in_step(retry, one, other):
    late = retry + 10
    first = backoff_seconds(late, base=2.0, rules=RULES, chance=one)
    second = backoff_seconds(late, base=2.0, rules=RULES, chance=other)

    assert 60 <= first <= 120
    assert first == pytest.approx(second) or one != other


@pytest.mark.parametrize(("retry", "least", "most"), [(1, 1, 2), (2, 2, 4), (3, 4, 8), (5, 16, 32), (7, 60, 120)])
def test_the_back_off_doubles_up_to_the_cap(retry: int, least: float, most: float):
    assert backoff_seconds(retry, base=2.0, rules=RULES, chance=0.0) == least
    assert backoff_seconds(retry, base=2.0, rules=RULES, chance=0.999999) == pytest.approx(most, rel=1e-5)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 30 ", 30),
        ("1.5", 1.5),
        (http_date(NOON + timedelta(seconds=90)), 90),
        (http_date(NOON - timedelta(seconds=90)), 0),
        ("Saturday, 17-Jan-26 17:01:30 GMT", 90),
        ("1e300", ASKED_SECONDS_MAX),
        ("inf", ASKED_SECONDS_MAX),
        (None, None),
        ("", None),
        ("-5", None),
        ("nan", None),
        ("soon", None),
        ("Fri, 99 Foo 2026", None),
    ],
)
def test_a_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None):
    assert retry_after_seconds(header, now=NOON) == seconds


@given(st.integers(0, 100_000), st.integers(-100_000, 100_000))
def test_a_date_keeps_us_away_as_long_as_the_service_meant_however_our_clock_differs(asked, skew):
    service = NOON + timedelta(seconds=skew)
    header = http_date(service + timedelta(seconds=asked))

    seconds = retry_after_seconds(header, now=NOON, date=http_date(service))

    assert seconds is not None
    assert seconds >= asked


@given(st.text(max_size=30))
def test_whatever_a_header_says_it_is_a_wait_or_nothing(header: str):
    seconds = retry_after_seconds(header, now=NOON)

    assert seconds is None or 0 <= seconds <= ASKED_SECONDS_MAX


def test_a_service_that_stops_ends_every_wait():
    time = WallTime()
    time.wait(0)
    time.stop()

    with pytest.raises(Interrupted):
        time.wait(3600)
    assert 0 <= time.chance() < 1
    assert time.now().tzinfo is not None
