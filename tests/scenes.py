"""Scenes: the NBA date of 16 January 2026 brought to where a rule can be seen, on the real path; and the whole house.

Two games, the later tip at 22:00 in New York, so the overnight cycle opens a quarter past midnight. Each scene returns
a driver that stands at the instant it is named after.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from events.catalogue import AlertRaised, Event, Fact, GateEvaluated, Input, PhaseMoved, Ticked
from events.codec import derive_id, encode
from events.memory import MemoryStore
from events.store import Pending, Store
from events.wire import Delivery, read
from handlers.dispatch import Answer, PermanentFailure, Sent, TransientFailure, dispatch
from handlers.ingest import routing_of
from handlers.recorder import Recorder, Tally
from statemachine.control import ControlState
from statemachine.definition import Definition
from statemachine.state import Alert, CycleState, DateState, alert_key
from tests.driving import Driver, Moment, moment, nba

DATE = "nba/2026-01-16"
PUBLISHED = "2026-01-12T12:00Z"
TIPS = ("2026-01-17T00:00Z", "2026-01-17T03:00Z")
OPENED = moment("2026-01-17T05:15Z")
SCRAPED = moment("2026-01-17T06:00Z")
LOADED = moment("2026-01-17T06:10Z")
MEASURED = moment("2026-01-17T06:11Z")
ANALYSED = moment("2026-01-17T06:30Z")
COMPUTED = moment("2026-01-17T07:00Z")

SCRAPERS = ("bdl_box_scores", "nbac_player_boxscore", "nbac_gamebook_pdf")
RAW = ("OddsApiGameLinesProcessor", "NbacGamebookProcessor", "NbacPlayerBoxscoreProcessor", "BdlBoxscoresProcessor")
ANALYTICS = (
    *("player_game_summary", "upcoming_player_game_context", "team_defense_game_summary"),
    *("team_offense_game_summary", "upcoming_team_game_context"),
)
PRECOMPUTE = (
    *("player_daily_cache", "ml_feature_store", "player_composite_factors"),
    *("player_shot_zone_analysis", "team_defense_zone_analysis"),
)
GOOD_RAW = {"games_with_box_score": 2, "games_without_active_players": 0}
GOOD_ANALYTICS = {
    "games_in_analytics": 2,
    "players": 50,
    "players_with_minutes": 50,
    "null_rate_pct": 0.5,
    **{f"table_rows.{name}": 40 for name in ANALYTICS},
}

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def cycle(day: Driver, name: str = "overnight") -> CycleState:
    """Where a cycle stands."""
    return day.state.cycles[name]


def moves(day: Driver, name: str = "overnight") -> list[PhaseMoved]:
    """Every transition of a cycle."""
    return [event.data for event in day.events if isinstance(event.data, PhaseMoved) and event.data.cycle == name]


def evaluations(day: Driver, gate: str) -> list[GateEvaluated]:
    """Every evaluation of a gate."""
    return [event.data for event in day.events if isinstance(event.data, GateEvaluated) and event.data.gate == gate]


def raised(day: Driver, cause: str) -> list[AlertRaised]:
    """Every raise of a cause."""
    return [event.data for event in day.events if isinstance(event.data, AlertRaised) and event.data.cause == cause]


def episode(state: DateState | ControlState, cause: str, subject: str = "-") -> Alert | None:
    """An alert by cause and subject."""
    return state.alerts.get(alert_key(cause, subject))


def severity_of(alert: Alert | None) -> str | None:
    """How loud an alert is, None where there is none."""
    return alert.severity if alert is not None else None


def commanded(day: Driver, phase: str) -> list[str]:
    """The ids of the commands that started a phase of the overnight cycle, in order."""
    found = [c for c in day.commands if (c.kind, c.cycle, c.phase) == ("trigger", "overnight", phase)]
    return [command.command_id for command in found]


def scheduled(definition: Definition | None = None) -> Driver:
    """The games are published, four days ahead."""
    day = Driver(definition or nba())
    day.schedule(PUBLISHED, *TIPS)
    return day


def opened(definition: Definition | None = None) -> Driver:
    """The overnight cycle has opened and nobody has reported."""
    day = scheduled(definition)
    day.until(OPENED)
    return day


def in_raw(definition: Definition | None = None) -> Driver:
    """The scrapers are done; the raw phase waits."""
    day = opened(definition)
    day.complete_all("scrape", SCRAPERS, SCRAPED)
    return day


def at_raw_gate(definition: Definition | None = None) -> Driver:
    """Everything is loaded; the gate has asked for its measures."""
    day = in_raw(definition)
    day.complete_all("raw", RAW, LOADED)
    return day


def raw_blocked(definition: Definition | None = None) -> Driver:
    """One of two box scores is missing, so the gate blocks."""
    day = at_raw_gate(definition)
    day.measure("raw_to_analytics", MEASURED, games_with_box_score=1, games_without_active_players=0)
    return day


def in_analytics(definition: Definition | None = None) -> Driver:
    """The raw gate has passed; analytics is commanded."""
    day = at_raw_gate(definition)
    day.measure("raw_to_analytics", MEASURED, **GOOD_RAW)
    return day


def in_precompute(definition: Definition | None = None) -> Driver:
    """Analytics has passed; precompute is commanded."""
    day = in_analytics(definition)
    day.complete_all("analytics", ANALYTICS, ANALYSED)
    day.measure("analytics_to_precompute", ANALYSED, **GOOD_ANALYTICS)
    return day


def in_grading(definition: Definition | None = None) -> Driver:
    """Precompute is through; grading is commanded."""
    day = in_precompute(definition)
    day.complete_all("precompute", PRECOMPUTE, COMPUTED)
    day.measure("precompute_to_predictions", COMPUTED, players=1)
    return day


class House:
    """The whole of Tipoff on a store: deliveries and facts in, events and commands out, time when it is told to pass.

    It is its own channel: commands arrive in `sent` as long as `broken` is None, else they are answered with it.
    """

    def __init__(self, store: Store | None = None, definition: Definition | None = None) -> None:
        self.definition = definition or nba()
        self.store = store or MemoryStore()
        self.recorder = Recorder(self.store, {self.definition.sport: self.definition})
        self.routing = routing_of([self.definition])
        self.sent: list[Pending] = []
        self.broken: PermanentFailure | TransientFailure | None = None
        self.delivered = 0

    def deliver(self, topic: str, body: Any, at: Moment, *, message_id: str | None = None) -> Tally:
        """A message comes from a broker; its body is bytes, or is written as JSON."""
        self.delivered += 1
        delivery = Delivery(
            topic=topic,
            message_id=message_id or f"message-{self.delivered}",
            published_at=moment(at),
            data=body if isinstance(body, bytes) else encode(body),
        )
        facts = read(delivery, self.routing, received_at=moment(at))
        return self.recorder.record([(fact, moment(at)) for fact in facts])

    def fact(self, data: Input, at: Moment, *, stream: str = DATE, id: str | None = None, actor: str = "x") -> Fact:
        """A fact as the wire would make it."""
        self.delivered += 1
        return Fact(
            stream=stream,
            id=id or derive_id("house", str(self.delivered)),
            occurred_at=moment(at),
            correlation="house",
            data=data,
            actor=actor,
        )

    def give(self, data: Input, at: Moment, **said: Any) -> Tally:
        """A fact comes in at `at`."""
        return self.recorder.record([(self.fact(data, at, **said), moment(at))])

    def until(self, end: Moment) -> None:
        """Time passes to `end`, minute by due minute; commands leave after each tick."""
        while (due := self.store.next_due()) is not None and due <= moment(end):
            floor = due.replace(second=0, microsecond=0)
            self.tick(floor if floor == due else floor + MINUTE)

    def tick(self, now: Moment) -> None:
        """One tick, and what waits in the outbox leaves."""
        self.recorder.tick(moment(now))
        self.flush(now)

    def flush(self, now: Moment) -> Tally:
        """What waits in the outbox leaves."""
        return dispatch(self.recorder, self, moment(now))

    def send(self, batch: list[Pending]) -> list[Answer]:
        """The channel of the house."""
        if self.broken is not None:
            return [self.broken for _ in batch]
        self.sent += batch
        return [Sent(message_id=f"sent-{pending.command.command_id}-{pending.command.attempt}") for pending in batch]

    def events(self, stream: str = DATE) -> list[Event]:
        """The stored events of a stream."""
        return [stored.event() for stored in self.store.read(stream)]

    def decided(self, stream: str = DATE) -> list[Event]:
        """The stored events of a stream without ticks and answers of the channel, which depend on how time was cut."""
        return [event for event in self.events(stream) if not isinstance(event.data, Ticked)]

    @property
    def state(self) -> DateState:
        """The state of the date as committed."""
        state: DateState = self.recorder.state(DATE)
        return state


def at(when: Moment, **later: float) -> datetime:
    """An instant, and some time later."""
    return moment(when) + timedelta(**later)
