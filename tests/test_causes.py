"""Every cause of an alert (interface: alert causes): where it must be told, at its minute, and as near to that as can
be, where it must not.

A case brings a scene to an instant and gives the events behind it. What has to be told is written down here with its
minute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from events.catalogue import BeatRecorded, ComponentObserved, Event, SchedulePublished
from events.reports import HealNoted
from events.values import HealOutcome, Severity
from projections.findings import NEXT_STEP
from tests.driving import ControlDriver, Driver, Moment, Recording, games, moment, nba
from tests.incidents import lines, published, recordings, replay, told
from tests.scenes import (
    ANALYSED,
    ANALYTICS,
    COMPUTED,
    DATE,
    GOOD_RAW,
    HOUR,
    LOADED,
    MEASURED,
    MINUTE,
    OPENED,
    PRECOMPUTE,
    PUBLISHED,
    RAW,
    SCRAPED,
    SCRAPERS,
    TIPS,
    House,
    at_raw_gate,
    in_analytics,
    in_precompute,
    raw_blocked,
    scheduled,
)

NOON, NEXT_NOON = moment("2026-01-16T17:00Z"), moment("2026-01-17T17:00Z")
GRADED_BY = moment("2026-01-17T20:00Z")
LAST_SECOND = timedelta(seconds=1)
ANY = ""
"""Stands for a minute that no rule fixes."""


class Case(Struct, frozen=True):
    """A scene by its name, and what is told in it of one cause: (subject, severity, minute)."""

    cause: str
    scene: str
    events: Callable[[], Sequence[Event]]
    tells: tuple[tuple[str, Severity, str], ...] = ()


def until(day: Recording[Any], at: Moment) -> list[Event]:
    """The events of a stream when time has come to `at`."""
    day.until(at)
    return day.events


@cache
def recorded(name: str) -> tuple[Event, ...]:
    """The events of a recorded incident."""
    return tuple(replay(lines(name), recordings()[name].until).everything)


def ten_games(**measured: float) -> list[Event]:
    """Ten games at the gate behind raw, measured."""
    day = Driver(nba())
    day.schedule(PUBLISHED, *[TIPS[0]] * 10)
    day.until("2026-01-17T02:15Z")
    day.complete_all("scrape", SCRAPERS, SCRAPED)
    day.complete_all("raw", RAW, LOADED)
    day.measure("raw_to_analytics", MEASURED, games_without_active_players=0, **measured)
    return day.events


def measured(value: float | str) -> list[Event]:
    day = at_raw_gate()
    day.measure("raw_to_analytics", MEASURED, games_with_box_score=value, games_without_active_players=0)
    return day.events


def unmeasured_until(at: Moment) -> list[Event]:
    return until(at_raw_gate(), at)


def coverage_at_midnight(present: float, at: Moment) -> list[Event]:
    """Ten games of which so many have a box score, when time has come to `at`."""
    day = Driver(nba())
    day.schedule(PUBLISHED, *[TIPS[0]] * 10)
    day.measure("raw_to_analytics", LOADED, games_with_box_score=present)
    return until(day, at)


def counted(*rows: float, minutes: int, completed: bool = False) -> list[Event]:
    """Analytics waits for its players, whose table is counted a quarter of an hour apart, or they have completed, too;
    and so many minutes after the first count, or behind the last but one."""
    day = in_analytics()
    for name in ANALYTICS:
        if completed or name != "player_game_summary":
            day.complete("analytics", name, ANALYSED)
    at = ANALYSED + MINUTE
    for number, count in enumerate(rows):
        day.until(at + 15 * number * MINUTE)
        values = {"table_rows.player_game_summary": count}
        day.measure("analytics_to_precompute", at + 15 * number * MINUTE, **values)
    return until(day, at + minutes * MINUTE)


def precompute_of(names: Sequence[str], at: Moment) -> list[Event]:
    day = in_precompute()
    day.complete_all("precompute", names, COMPUTED)
    return until(day, at)


def predicted(at: Moment) -> list[Event]:
    day = scheduled()
    day.complete("predictions", "PredictionCoordinator", NOON - MINUTE)
    return until(day, at)


def graded(at: Moment) -> list[Event]:
    day = scheduled()
    day.complete("grading", "Phase5BGrading", GRADED_BY - MINUTE)
    return until(day, at)


def reported(at: Moment) -> list[Event]:
    """Analytics was commanded at 06:11; a run of it began nine minutes later."""
    day = in_analytics()
    day.start("analytics", "PlayerGameSummaryProcessor", MEASURED + 9 * MINUTE)
    return until(day, at)


def silent_after(last: Moment, at: Moment) -> list[Event]:
    """24 January, a healthy date, of which nothing is heard after `last`; time goes on to `at`."""
    heard = [line for line in lines("postponed-game") if published(line) <= moment(last)]
    return replay(heard, at).events("nba/2026-01-24")


def beating(seconds: float, *, completes: bool = False) -> list[Event]:
    """A run beat at 06:10 and never again; so many seconds later somebody looks."""
    house = House()
    house.give(SchedulePublished(games=games(*TIPS)), PUBLISHED)
    house.until(LOADED)
    beat = BeatRecorded(phase="raw", published_name=RAW[1], beat_at=LOADED, run="r1")
    house.give(beat, LOADED, stream=f"{DATE}/pulse")
    if completes:
        said = {"processor_name": RAW[1], "phase": "phase_2_raw", "execution_id": "r1", "game_date": "2026-01-16"}
        house.deliver("nba-phase2-raw-complete", said | {"status": "success", "record_count": 9}, LOADED + MINUTE)
    house.tick(LOADED + timedelta(seconds=seconds))
    return house.events()


def standing_still(seconds: float, *, moves: bool = False, completes: bool = False) -> list[Event]:
    """A run beats every minute from 06:10 on and says 40 of 100; so many seconds later somebody looks."""
    house = House()
    house.give(SchedulePublished(games=games(*TIPS)), PUBLISHED)
    house.until(LOADED)
    if completes:
        said = {"processor_name": RAW[1], "phase": "phase_2_raw", "execution_id": "r1", "game_date": "2026-01-16"}
        house.deliver("nba-phase2-raw-complete", said | {"status": "success", "record_count": 9}, LOADED)
    for minute in range(30):
        at = LOADED + minute * MINUTE
        progress = 41 if moves and minute > 28 else 40
        beat = BeatRecorded(phase="raw", published_name=RAW[1], beat_at=at, run="r1", progress=progress, total=100)
        house.give(beat, at, stream=f"{DATE}/pulse")
    house.tick(LOADED + timedelta(seconds=seconds))
    return house.events()


def repairs(*minutes: int, outcomes: str = "", components: int = 1) -> list[Event]:
    """Dates ask for repairs, each another date, so many minutes behind 05:15; then those that are judged: `h`ealed, or
    `n`o effect."""
    control = ControlDriver(nba())
    names = ("rerun_precompute", "rerun_analytics", "rerun_grading")
    asked = [
        HealNoted(game_date=f"2025-12-{number + 1:02}", component=names[number % components], attempt=1)
        for number in range(len(minutes))
    ]
    for said, minute in zip(asked, minutes, strict=True):
        control.give(said, OPENED + minute * MINUTE)
    words: dict[str, HealOutcome] = {"h": "healed", "n": "no_effect"}
    for said, letter in zip(asked, outcomes, strict=False):
        control.give(replace(said, outcome=words[letter]), OPENED + (minutes[-1] + 1) * MINUTE)
    return control.events


def decisions(minutes: int) -> list[Event]:
    """A decision at 05:15, and then silence for so many minutes."""
    control = ControlDriver(nba())
    control.decided("morning_operations", OPENED)
    return until(control, OPENED + minutes * MINUTE)


def ticks(gap: int) -> list[Event]:
    """Ticks at 05:16 and so many minutes later."""
    control = ControlDriver(nba())
    control.decided("morning_operations", OPENED)
    control.tick(OPENED + MINUTE)
    control.tick(OPENED + (1 + gap) * MINUTE)
    return control.events


def runs(number: int, seconds: float, start: Moment = LOADED, phase: str = "raw", name: str = RAW[1]) -> list[Event]:
    """So many runs of a processor, so many seconds apart."""
    day = scheduled()
    day.until(start)
    for count in range(number):
        at = moment(start) + timedelta(seconds=seconds * count)
        day.until(at)
        day.complete(phase, name, at, run=f"run-{count}", status="failed")
    return day.events


def named(name: str, *dates: str, hours: float = 1) -> list[Event]:
    """A name reports for several game dates, so many hours apart from 06:10 on, three times for each."""
    house = House()
    for number, game_date in enumerate(dates):
        house.give(SchedulePublished(games=games(f"{game_date}T23:00Z")), PUBLISHED, stream=f"nba/{game_date}")
        for run in range(3):
            said = {"processor_name": name, "phase": "phase_2_raw", "execution_id": f"r{number}-{run}"}
            at = LOADED + number * hours * HOUR
            house.deliver("nba-phase2-raw-complete", said | {"game_date": game_date, "status": "success"}, at)
    return [event for stream in house.store.streams() for event in house.events(stream)]


def delivered(*bodies: bytes) -> list[Event]:
    """Messages, a minute apart from 06:10 on."""
    house = House()
    for number, said in enumerate(bodies):
        house.deliver("nba-phase2-raw-complete", said, LOADED + number * MINUTE)
    return house.events("nba/control")


def repaired(at: Moment) -> list[Event]:
    """The gate blocked at 06:11; the box score came by the first repair."""
    day = raw_blocked()
    day.measure("raw_to_analytics", MEASURED + 30 * MINUTE, **GOOD_RAW)
    return until(day, at)


def component(kind: Any, *available: bool) -> list[Event]:
    """A part of the house is looked at every minute from 05:15 on."""
    control = ControlDriver(nba())
    for number, works in enumerate(available):
        data = ComponentObserved(kind=kind, name="slack", available=works, detail="403" if not works else "it answers")
        control.give(data, OPENED + number * MINUTE)
    return control.events


RAW_GATE = "raw_to_analytics"

CASES = (
    Case(
        "box_scores_incomplete",
        "99 % six hours later",
        lambda: coverage_at_midnight(9.9, "2026-01-17T11:00Z"),
        (("-", "info", "2026-01-17T11:00Z"),),
    ),
    Case("box_scores_incomplete", "all of them", lambda: coverage_at_midnight(10, "2026-01-18T05:00Z")),
    Case(
        "box_scores_incomplete",
        "none, but not six hours yet",
        lambda: coverage_at_midnight(0, moment("2026-01-17T11:00Z") - LAST_SECOND),
    ),
    Case(
        "box_scores_incomplete",
        "90 % twelve hours later",
        lambda: coverage_at_midnight(9, "2026-01-18T05:00Z"),
        (("-", "info", "2026-01-17T11:00Z"),),
    ),
    Case(
        "box_scores_incomplete",
        "half of them a day later",
        lambda: coverage_at_midnight(5, "2026-01-18T05:00Z"),
        (("-", "info", "2026-01-17T11:00Z"), ("-", "warning", "2026-01-17T17:00Z")),
    ),
    Case(
        "box_scores_incomplete",
        "less than half a day later",
        lambda: coverage_at_midnight(4, "2026-01-18T05:00Z"),
        (
            ("-", "info", "2026-01-17T11:00Z"),
            ("-", "warning", "2026-01-17T17:00Z"),
            ("-", "critical", "2026-01-18T05:00Z"),
        ),
    ),
    Case(
        "gate_blocked",
        "79 % of the box scores",
        lambda: ten_games(games_with_box_score=7.9),
        ((RAW_GATE, "warning", "2026-01-17T06:11Z"),),
    ),
    Case(
        "gate_blocked",
        "less than half of them",
        lambda: ten_games(games_with_box_score=4),
        ((RAW_GATE, "critical", "2026-01-17T06:11Z"),),
    ),
    Case("gate_blocked", "80 % of them", lambda: ten_games(games_with_box_score=8)),
    Case(
        "gate_warned",
        "99 % of the box scores",
        lambda: ten_games(games_with_box_score=9.9),
        ((RAW_GATE, "warning", "2026-01-17T06:11Z"),),
    ),
    Case(
        "gate_warned",
        "more than were expected",
        lambda: ten_games(games_with_box_score=11),
        ((RAW_GATE, "warning", "2026-01-17T06:11Z"),),
    ),
    Case("gate_warned", "all of them", lambda: ten_games(games_with_box_score=10)),
    Case(
        "gate_error",
        "the tables answer with an error",
        lambda: measured("403 on nba_raw"),
        ((RAW_GATE, "critical", "2026-01-17T06:11Z"),),
    ),
    Case(
        "gate_error",
        "nobody measures for ten minutes",
        lambda: unmeasured_until("2026-01-17T06:20Z"),
        ((RAW_GATE, "critical", "2026-01-17T06:20Z"),),
    ),
    Case("gate_error", "nobody has measured yet", lambda: unmeasured_until(moment("2026-01-17T06:20Z") - LAST_SECOND)),
    Case("gate_error", "zero is measured, which is a number", lambda: measured(0)),
    Case(
        "precompute_incomplete",
        "four of five at noon",
        lambda: precompute_of(PRECOMPUTE[:4], NEXT_NOON),
        (("-", "warning", "2026-01-17T17:00Z"),),
    ),
    Case(
        "precompute_incomplete",
        "four of five, a critical missing",
        lambda: precompute_of(PRECOMPUTE[1:], NEXT_NOON),
        (("-", "critical", "2026-01-17T17:00Z"),),
    ),
    Case(
        "precompute_incomplete",
        "two of five",
        lambda: precompute_of(PRECOMPUTE[:2], NEXT_NOON),
        (("-", "critical", "2026-01-17T17:00Z"),),
    ),
    Case("precompute_incomplete", "none, but it is not noon yet", lambda: precompute_of((), NEXT_NOON - LAST_SECOND)),
    Case("precompute_incomplete", "five of five", lambda: precompute_of(PRECOMPUTE, NEXT_NOON)),
    Case(
        "predictions_late", "none at noon", lambda: until(scheduled(), NOON), (("-", "critical", "2026-01-16T17:00Z"),)
    ),
    Case("predictions_late", "none, but it is not noon yet", lambda: until(scheduled(), NOON - LAST_SECOND)),
    Case("predictions_late", "a minute before noon", lambda: predicted(NOON)),
    Case(
        "grading_late",
        "none at three",
        lambda: until(scheduled(), GRADED_BY),
        (("-", "critical", "2026-01-17T20:00Z"),),
    ),
    Case("grading_late", "none, but it is not three yet", lambda: until(scheduled(), GRADED_BY - LAST_SECOND)),
    Case("grading_late", "a minute before three", lambda: graded(GRADED_BY)),
    Case(
        "handoff_missed",
        "nobody reports for ten minutes",
        lambda: until(in_analytics(), MEASURED + 10 * MINUTE),
        (("analytics", "warning", "2026-01-17T06:21Z"),),
    ),
    Case("handoff_missed", "somebody reports after nine", lambda: reported(MEASURED + 40 * MINUTE)),
    Case(
        "phase_stalled",
        "the scrapers are silent for two hours",
        lambda: silent_after("2026-01-25T00:00Z", "2026-01-25T06:45Z"),
        (("scrape", "warning", "2026-01-25T06:45Z"),),
    ),
    Case(
        "phase_stalled",
        "raw for two hours",
        lambda: silent_after("2026-01-25T05:05:59Z", "2026-01-25T07:06Z"),
        (("raw", "warning", "2026-01-25T07:06Z"),),
    ),
    Case("phase_stalled", "raw for less", lambda: silent_after("2026-01-25T05:05:59Z", "2026-01-25T07:05Z")),
    Case(
        "phase_stalled",
        "analytics for an hour",
        lambda: silent_after("2026-01-25T05:11:20Z", "2026-01-25T06:12Z"),
        (("analytics", "warning", "2026-01-25T06:12Z"),),
    ),
    Case(
        "phase_stalled",
        "an hour after its last report",
        lambda: silent_after("2026-01-25T05:17:00Z", "2026-01-25T06:17Z"),
        (("analytics", "warning", "2026-01-25T06:17Z"),),
    ),
    Case("phase_stalled", "less than that", lambda: silent_after("2026-01-25T05:17:00Z", "2026-01-25T06:16Z")),
    Case(
        "phase_stalled",
        "precompute for an hour",
        lambda: silent_after("2026-01-25T05:34:20Z", "2026-01-25T06:35Z"),
        (("precompute", "warning", "2026-01-25T06:35Z"),),
    ),
    Case(
        "phase_stalled",
        "predictions for a quarter of an hour",
        lambda: silent_after("2026-01-24T16:01:20Z", "2026-01-24T16:17Z"),
        (("predictions", "warning", "2026-01-24T16:17Z"),),
    ),
    Case("phase_stalled", "predictions for less", lambda: silent_after("2026-01-24T16:01:20Z", "2026-01-24T16:16Z")),
    Case(
        "records_disagree",
        "rows for a quarter of an hour, and no completion",
        lambda: counted(212, minutes=15),
        (("player_game_summary", "info", "2026-01-17T06:46Z"),),
    ),
    Case("records_disagree", "rows for less", lambda: counted(212, minutes=14)),
    Case(
        "records_disagree",
        "a completion, and twice no rows",
        lambda: counted(212, 0, 0, minutes=30),
        (("player_game_summary", "info", "2026-01-17T06:46Z"), ("player_game_summary", "warning", "2026-01-17T07:01Z")),
    ),
    Case("records_disagree", "a completion, and no rows once", lambda: counted(0, minutes=30, completed=True)),
    Case(
        "processor_stale",
        "no beat for 300 s",
        lambda: beating(300),
        (("p2_nbacom_gamebook_pdf", "warning", "2026-01-17T06:15Z"),),
    ),
    Case("processor_stale", "no beat for 299 s", lambda: beating(299)),
    Case("processor_stale", "it has completed", lambda: beating(300, completes=True)),
    Case(
        "processor_dead",
        "no beat for 900 s",
        lambda: beating(900),
        (("p2_nbacom_gamebook_pdf", "critical", "2026-01-17T06:25Z"),),
    ),
    Case("processor_dead", "no beat for 899 s", lambda: beating(899)),
    Case("processor_dead", "it has completed", lambda: beating(900, completes=True)),
    Case(
        "processor_hung",
        "it beats for half an hour, and its progress stands still",
        lambda: standing_still(1800),
        (("p2_nbacom_gamebook_pdf", "warning", "2026-01-17T06:40Z"),),
    ),
    Case("processor_hung", "for a second less", lambda: standing_still(1799)),
    Case("processor_hung", "it moves in the last minute", lambda: standing_still(1800, moves=True)),
    Case("processor_hung", "it completed, and beats on", lambda: standing_still(1800, completes=True)),
    Case(
        "heartbeats_silent",
        "all of a phase stop, two of them complete",
        lambda: recorded("heartbeats-silent"),
        (("analytics", "warning", "2026-01-28T00:05Z"),),
    ),
    Case("heartbeats_silent", "a single run is silent", lambda: beating(900)),
    Case("workflow_silent", "no decision for an hour", lambda: decisions(60), (("-", "warning", "2026-01-17T06:15Z"),)),
    Case(
        "workflow_silent",
        "for two",
        lambda: decisions(120),
        (("-", "warning", "2026-01-17T06:15Z"), ("-", "critical", "2026-01-17T07:15Z")),
    ),
    Case("workflow_silent", "for 59 minutes", lambda: decisions(59)),
    Case("workflow_silent", "decisions to skip are decisions", lambda: recorded("midnight-arithmetic")),
    Case("ticks_missed", "none for 21 minutes", lambda: ticks(21), (("-", "warning", "2026-01-17T05:37Z"),)),
    Case("ticks_missed", "the one that records comes late", lambda: ticks(20)),
    Case(
        "run_storm",
        "51 runs in less than an hour",
        lambda: runs(51, 71),
        (("p2_nbacom_gamebook_pdf", "critical", "2026-01-17T07:09Z"),),
    ),
    Case("run_storm", "50 in an hour", lambda: runs(50, 60)),
    Case("run_storm", "120 in two and a half", lambda: runs(120, 75)),
    Case(
        "run_storm",
        "the 51st comes after midnight",
        lambda: runs(60, 60, "2026-01-17T04:30Z", "analytics", "PlayerGameSummaryProcessor"),
        (("player_game_summary", "critical", "2026-01-17T05:20Z"),),
    ),
    Case(
        "unmapped_processor",
        "a name that is in no registry",
        lambda: named("MysteryProcessor", "2026-01-16"),
        (("MysteryProcessor", "warning", "2026-01-17T06:10Z"),),
    ),
    Case(
        "unmapped_processor",
        "an alias of a name that is",
        lambda: named("NbacGamebookPlayerStatsProcessor", "2026-01-16"),
    ),
    Case(
        "unmapped_processor",
        "one name on three dates of a day",
        lambda: named("MysteryProcessor", "2026-01-16", "2026-01-17", "2026-01-18"),
        (("MysteryProcessor", "warning", "2026-01-17T06:10Z"),),
    ),
    Case(
        "messages_rejected",
        "a message that is not JSON, twice",
        lambda: delivered(b"{", b"["),
        (("not_json", "warning", "2026-01-17T06:10Z"),),
    ),
    Case("messages_rejected", "a probe that says nothing", lambda: delivered(b"")),
    Case(
        "heal_exhausted",
        "three repairs without effect",
        lambda: until(raw_blocked(), MEASURED + 20 * HOUR),
        (("rescrape_bdl_box_scores", "critical", ANY),),
    ),
    Case("heal_exhausted", "the first repair worked", lambda: repaired(MEASURED + 7 * HOUR)),
    Case(
        "heal_pattern",
        "three of a component in 59 minutes, each of another date",
        lambda: repairs(0, 30, 59),
        (("rerun_precompute", "warning", "2026-01-17T06:14Z"),),
    ),
    Case("heal_pattern", "three in 60 minutes", lambda: repairs(0, 30, 60)),
    Case("heal_pattern", "two in an hour", lambda: repairs(0, 30)),
    Case("heal_pattern", "three in an hour, of three components", lambda: repairs(0, 30, 59, components=3)),
    Case(
        "heal_pattern",
        "ten in a day",
        lambda: repairs(*range(0, 1440, 145)),
        (("rerun_precompute", "critical", "2026-01-18T03:00Z"),),
    ),
    Case("heal_pattern", "nine in a day", lambda: repairs(*range(0, 1440, 161))),
    Case(
        "heal_pattern",
        "two of nine without effect",
        lambda: repairs(*range(0, 1440, 161), outcomes="hhhhhhhnn"),
        (("rerun_precompute", "critical", ANY),),
    ),
    Case("heal_pattern", "one of five, which is a fifth", lambda: repairs(*range(0, 1000, 200), outcomes="hhhhn")),
    Case("heal_pattern", "all four of four", lambda: repairs(*range(0, 800, 200), outcomes="nnnn")),
    Case(
        "channel_unavailable",
        "a channel refuses",
        lambda: component("channel", True, False, False),
        (("slack", "critical", "2026-01-17T05:16Z"),),
    ),
    Case("channel_unavailable", "it works", lambda: component("channel", True, True)),
    Case("channel_unavailable", "it is the store that does not", lambda: component("store", False)),
    Case(
        "store_unavailable",
        "the store refuses",
        lambda: component("store", False),
        (("slack", "critical", "2026-01-17T05:15Z"),),
    ),
    Case("store_unavailable", "it works", lambda: component("store", True)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.cause}: {case.scene}")
def test_a_cause_is_told_where_it_holds_at_its_minute_and_nowhere_else(case: Case):
    found = [item for item in told(case.events()) if item.cause == case.cause]
    minutes = {(subject, severity): at for subject, severity, at in case.tells}

    assert sorted((item.subject, item.severity) for item in found) == sorted(minutes)
    assert all(minutes[item.subject, item.severity] in (ANY, item.at) for item in found)


def test_every_cause_has_a_case_that_tells_it_and_one_that_does_not():
    assert {case.cause for case in CASES if case.tells} == set(NEXT_STEP)
    assert {case.cause for case in CASES if not case.tells} == set(NEXT_STEP)
