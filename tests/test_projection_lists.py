"""Episodes, rejected messages and heartbeats: what a person has to look at stands first."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.episodes import episodes
from projections.heartbeats import heartbeats
from projections.rejected import rejected
from statemachine.alerts import RANK
from tests.driving import ControlDriver, Driver, PulseDriver, moment, nba
from tests.projection_dates import blocked_date
from tests.projection_histories import histories


@settings(max_examples=30)
@given(st.lists(histories(), max_size=3))
def test_every_episode_is_listed_once_open_ones_first_the_gravest_and_oldest_first(drivers: list[Driver]):
    found = episodes(driver.state for driver in drivers)

    assert len(found) == sum(len(driver.state.alerts) for driver in drivers)
    order = [(item.resolved_at is not None, -RANK[item.severity], item.raised_at) for item in found]
    assert order == sorted(order)


def test_an_episode_of_a_control_stream_has_no_game_date():
    control = ControlDriver(nba())
    control.rejected("not_json", "2026-01-17T06:00Z")

    found = episodes([blocked_date().state, control.state])

    assert {(item.cause, item.game_date) for item in found} >= {
        ("messages_rejected", "-"),
        ("gate_blocked", "2026-01-16"),
    }


def test_an_acknowledged_episode_says_by_whom():
    driver = blocked_date()
    driver.operator("acknowledge", "2026-01-17T12:00Z", target="gate_blocked", actor="night shift")

    found = next(item for item in episodes([driver.state]) if item.cause == "gate_blocked")

    assert (found.acknowledged_at, found.acknowledged_by) == (moment("2026-01-17T12:00Z"), "night shift")
    assert found.resolved_at is None


def test_rejected_messages_are_counted_by_what_was_wrong_with_them():
    control = ControlDriver(nba())
    for minute in range(3):
        control.rejected("not_json", f"2026-01-17T06:0{minute}Z", reason="cut short", topic="a", size=900)
    control.rejected("no_game_date", "2026-01-17T06:01Z", reason="names no date", topic="b")

    found = rejected(control.events)

    assert [(item.topic, item.code, item.count) for item in found] == [("a", "not_json", 3), ("b", "no_game_date", 1)]
    assert (found[0].first_at, found[0].last_at) == (moment("2026-01-17T06:00Z"), moment("2026-01-17T06:02Z"))
    assert (found[0].size, found[0].stored) == (900, 2)


def test_a_stream_without_rejections_lists_none():
    assert rejected(blocked_date().events) == []


@pytest.mark.parametrize(
    ("seconds", "condition"), [(0, "running"), (299, "running"), (300, "stale"), (899, "stale"), (900, "dead")]
)
def test_a_run_ages_with_now_also_where_no_tick_comes(seconds: int, condition: str):
    pulse = PulseDriver(nba())
    pulse.beat("raw", "BdlBoxscoresProcessor", "2026-01-17T06:00Z", progress=3)

    found = heartbeats([(pulse.state, nba())], now=moment(f"2026-01-17T06:{seconds // 60:02}:{seconds % 60:02}Z"))

    assert [(item.condition, item.age_seconds, item.progress, item.total) for item in found] == [
        (condition, seconds, 3, None)
    ]
    assert (found[0].processor, found[0].game_date) == ("p2_bdl_box_scores", "2026-01-16")


def test_an_ended_run_stays_ended_however_old_and_however_late_a_beat_comes():
    pulse = PulseDriver(nba())
    pulse.beat("raw", "BdlBoxscoresProcessor", "2026-01-17T06:00Z", ended="completed")
    pulse.beat("raw", "BdlBoxscoresProcessor", "2026-01-17T06:01Z")

    assert [item.condition for item in heartbeats([(pulse.state, nba())], now=moment("2026-01-18T06:00Z"))] == ["ended"]


def test_the_dead_stand_before_the_stale_and_these_before_the_running():
    pulse = PulseDriver(nba())
    pulse.beat("raw", "BdlBoxscoresProcessor", "2026-01-17T06:00Z", run="dead")
    pulse.beat("raw", "BdlBoxscoresProcessor", "2026-01-17T06:00Z", run="ended", ended="completed")
    pulse.beat("raw", "BdlBoxscoresProcessor", "2026-01-17T06:09Z", run="stale")
    pulse.beat("raw", "BdlBoxscoresProcessor", "2026-01-17T06:14Z", run="running")

    found = heartbeats([(pulse.state, nba())], now=moment("2026-01-17T06:15Z"))

    assert [item.run for item in found] == ["dead", "stale", "running", "ended"]
