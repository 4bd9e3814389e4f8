"""Histories of a game date as nobody would write them: a good day, bent by what really happens to messages.

`histories()` draws them: messages lost, late, doubled, said again under new ids, out of order, failed or empty;
tables that are counted, schedules that change, people who act, definitions that are replaced, channels that refuse,
probes that err, ticks that come hours late, clocks that go back. `play` lets one happen, through the real recorder on a
store in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from events.catalogue import (
    BeatRecorded,
    CompletionRecorded,
    ComponentObserved,
    Event,
    Fact,
    Input,
    MeasuresObserved,
    MessageRejected,
    ObservationRecorded,
    OperatorActed,
    ProgressReported,
    RunStarted,
    SchedulePublished,
    WorkflowDecided,
)
from events.codec import derive_id
from events.memory import MemoryStore
from events.store import Pending
from events.values import Game, Measure
from handlers.dispatch import Answer, PermanentFailure, Sent, TransientFailure, dispatch
from handlers.recorder import Recorder
from statemachine.calendar import wall_instant
from statemachine.definition import Cycle, Definition, in_force
from statemachine.on_date import table_measure
from statemachine.operators import CommandNotAllowed
from statemachine.streams import control_stream

GAME_DATES = ("2026-01-16", "2025-11-01", "2025-11-02", "2026-03-07", "2026-03-08")
"""An ordinary day, and those around both clock changes."""

TIPS = ("12:00", "17:30", "19:00", "20:30", "22:30", "23:59", "25:30")
"""Tip-offs in league time; 25:30 is half past one of the next calendar day (22:30 on the other coast)."""

ProbeAnswer = Literal["good", "poor", "error", "silent"]
"""How a probe answers: with figures that pass, with figures that block, with an error, or never."""


class Happening(Struct, frozen=True, kw_only=True):
    """Something that reaches the service at `at`: an input (None: only time), under definition number `definition`; to
    the sport where it is `of_sport`, else to the date."""

    at: datetime
    data: Input | None
    id: str
    actor: str = "pipeline"
    definition: int = 0
    of_sport: bool = False


class History(Struct, frozen=True, kw_only=True):
    """What happens to one game date. `tick_minutes` apart the clock ticks (0: only when something is due, to the
    minute); `answers` say how probes answer and `channel` what becomes of commands, in turn."""

    stream: str
    definitions: tuple[Definition, ...]
    happenings: tuple[Happening, ...]
    tick_minutes: int
    answers: tuple[ProbeAnswer, ...]
    channel: tuple[Literal["takes", "fails", "refuses"], ...]


# --- a good day ----------------------------------------------------------------------------------------------------


def games(game_date: str, tips: tuple[str, ...]) -> tuple[Game, ...]:
    """A game at each of `tips`."""
    return tuple(
        Game(game_id=f"{game_date}_{number}", away=f"A{number}", home=f"H{number}", start_utc=_tip(game_date, tip))
        for number, tip in enumerate(tips)
    )


def _tip(game_date: str, tip: str) -> datetime:
    hour, minute = tip.split(":")
    return wall_instant(game_date, int(hour) // 24, f"{int(hour) % 24:02}:{minute}", "America/New_York")


def opening(cycle: Cycle, game_date: str, played: tuple[Game, ...]) -> datetime:
    """When `cycle` opens, reckoned from the definition's words."""
    tips = sorted(game.start_utc for game in played if game.start_utc is not None)
    midnight = wall_instant(game_date, 1, "00:00", "America/New_York")
    if cycle.opens == "midnight" or not tips:
        return midnight + timedelta(minutes=cycle.opens_minutes if cycle.opens == "midnight" else 0)
    return (tips[0] if cycle.opens == "first_tip" else tips[-1]) + timedelta(minutes=cycle.opens_minutes)


def good_day(definition: Definition, game_date: str, played: tuple[Game, ...]) -> list[tuple[datetime, Input]]:
    """The schedule four days ahead, then every processor of every cycle, a quarter of an hour a phase."""
    published = SchedulePublished(games=played, source="league")
    found: list[tuple[datetime, Input]] = [(wall_instant(game_date, -4, "12:00", "America/New_York"), published)]
    for cycle in definition.cycles:
        at = opening(cycle, game_date, played)
        for place, step in enumerate(cycle.steps):
            names = [name for name in step.expected if in_force(definition.processor_of[name], game_date)]
            for index, name in enumerate(names):
                said = completion(definition, step.phase, name, run=f"{cycle.name}-{name}")
                found.append((at + timedelta(minutes=15 * place + 5, seconds=20 * index), said))
    return sorted(found, key=lambda item: item[0])


def completion(definition: Definition, phase: str, name: str, *, run: str) -> CompletionRecorded:
    """A completion as the processor publishes it: under one of its names, with the numbers its phase reports."""
    known = definition.processor_of[name].known_as
    numbers: dict[str, dict[str, Any]] = {
        "predictions": {"completion_pct": 95.5, "completed_predictions": 120, "expected_predictions": 126},
        "grading": {"predictions_found": 100, "graded_count": 95},
    }
    return CompletionRecorded(
        phase=phase,
        published_name=known[len(run) % len(known)],
        status="success",
        run=run,
        record_count=120,
        extra=numbers.get(phase, {}),
    )


GOOD_FIGURES = {
    "games_without_active_players": 0.0,
    "players": 200.0,
    "players_with_minutes": 190.0,
    "null_rate_pct": 1.0,
    "feature_quality_avg": 75.0,
    "players_expected": 200.0,
    "players_with_clean_features": 180.0,
}


GOOD_TABLES = {"teams": 30.0, "players": 350.0, "players_a_game": 25.0, "production_ready_pct": 90.0}
"""What validators count in a table that is as it should be; of everything else, none."""


def figures(names: list[str], answer: ProbeAnswer, played: int) -> dict[str, Measure]:
    """What a probe finds for `names`."""
    if answer == "error":
        return {name: Measure(error="403: permission denied") for name in names}
    validators = {name: name.partition(".")[2] for name in names if "." in name and not name.startswith("table_rows.")}
    if validators:
        good = answer == "good"
        return {name: Measure(value=GOOD_TABLES.get(bare, 0.0) if good else 1.0) for name, bare in validators.items()}
    if answer == "poor":
        return {name: Measure(value=90.0 if name == "null_rate_pct" else 0.0) for name in names}
    return {
        name: Measure(value=GOOD_FIGURES.get(name, float(played if name.startswith("games") else 50))) for name in names
    }


# --- bending it ----------------------------------------------------------------------------------------------------

Bend = Callable[[list[Happening], int, Any], None]


def _drop(line: list[Happening], at: int, _draw: Any) -> None:
    del line[at]


def _deliver_again(line: list[Happening], at: int, draw: Any) -> None:
    later = draw(st.integers(at, len(line) - 1))
    line.insert(later + 1, replace(line[at], at=line[later].at))


def _say_again(line: list[Happening], at: int, draw: Any) -> None:
    later = draw(st.integers(at, len(line) - 1))
    line.insert(later + 1, replace(line[at], at=line[later].at, id=f"{line[at].id}-again-{len(line)}"))


def _swap(line: list[Happening], at: int, draw: Any) -> None:
    other = draw(st.integers(max(0, at - 6), min(len(line) - 1, at + 6)))
    first, second = line[at], line[other]
    line[at], line[other] = replace(second, at=first.at), replace(first, at=second.at)


def _delay(line: list[Happening], at: int, draw: Any) -> None:
    later = draw(st.integers(at, len(line) - 1))
    late = replace(line[at], at=line[later].at + timedelta(minutes=draw(st.integers(0, 300))))
    del line[at]
    line.append(late)
    line.sort(key=lambda happening: happening.at)


def _set_clock_back(line: list[Happening], at: int, draw: Any) -> None:
    line[at] = replace(line[at], at=line[at].at - timedelta(seconds=draw(st.integers(1, 900))))


def _worsen(line: list[Happening], at: int, draw: Any) -> None:
    said = line[at].data
    if isinstance(said, CompletionRecorded):
        changes: dict[str, Any] = draw(
            st.sampled_from(
                [
                    {"status": "failed", "error_message": "boom"},
                    {"status": "no_data", "record_count": 0},
                    {"status": "partial"},
                    {"status": "skipped"},
                    {"record_count": 0},
                    {"record_count": None},
                    {"run": None},
                    {"published_name": "NobodyKnowsProcessor"},
                    {"extra": {"completion_pct": 30, "completed_predictions": 4, "graded_count": 5}},
                    {"extra": {}},
                ]
            )
        )
        line[at] = replace(line[at], data=replace(said, **changes))


def _insert(line: list[Happening], at: int, data: Input, draw: Any, actor: str = "pipeline") -> None:
    after = timedelta(seconds=draw(st.integers(0, 7200)))
    line.insert(at + 1, replace(line[at], at=line[at].at + after, data=data, id=f"inserted-{len(line)}", actor=actor))
    line.sort(key=lambda happening: happening.at)


def _published(line: list[Happening]) -> tuple[Game, ...]:
    return next((h.data.games for h in line if isinstance(h.data, SchedulePublished) and h.data.games), ())


def _act(line: list[Happening], at: int, draw: Any) -> None:
    known = [game.game_id for game in _published(line)] or ["no_game"]
    targets: dict[str, list[str | None]] = {
        "recheck": [None, "player_daily_cache"],
        "waive": [*known],
        "override": [None],
        "acknowledge": ["gate_blocked", "gate_error", "gate_warned", "phase_stalled"],
        "heal": ["rerun_analytics", "rerun_precompute", "rescrape_bdl_box_scores", "rerun_grading"],
        "halt": [None],
        "resume": [None, "overnight"],
    }
    command: Any = draw(st.sampled_from(sorted(targets)))
    target = draw(st.sampled_from(targets[command]))
    _insert(line, at, OperatorActed(command=command, reason="because", target=target), draw, "ann")


def _act_on_the_last_day(line: list[Happening], _at: int, draw: Any) -> None:
    command: Any = draw(st.sampled_from(["recheck", "override", "resume"]))
    late = line[-1].at + timedelta(hours=draw(st.integers(0, 240)))
    said = OperatorActed(command=command, reason="too late")
    line.append(Happening(at=late, data=said, id=f"late-{len(line)}", actor="ann", definition=line[-1].definition))


def _halt_for_a_while(line: list[Happening], at: int, draw: Any) -> None:
    _insert(line, at, OperatorActed(command="halt", reason="wait"), draw, "ann")
    _insert(line, min(at + 2, len(line) - 1), OperatorActed(command="resume", reason="go on"), draw, "ann")


def _grade_poorly(line: list[Happening], _at: int, draw: Any) -> None:
    for graded in list(line):
        said = graded.data
        if isinstance(said, CompletionRecorded) and said.phase == "grading":
            poor = replace(said, extra={"predictions_found": 100, "graded_count": draw(st.integers(0, 100))})
            place = line.index(graded)
            line[place] = replace(graded, data=poor)
            _insert(line, place, replace(poor, run=f"again-{len(line)}"), draw)


def _reschedule(line: list[Happening], at: int, draw: Any) -> None:
    known = _published(line)
    status: Any = draw(st.sampled_from(["postponed", "moved", "cancelled", "final", "scheduled", "live"]))
    changed = tuple(replace(game, status=status) for game in known[: draw(st.integers(0, 2))])
    added = (Game(game_id="added", start_utc=line[at].at),) if draw(st.booleans()) else ()
    whole = draw(st.booleans())
    as_of = draw(st.none() | st.just(line[at].at) | st.just(line[0].at - timedelta(days=9)))
    listed = (*changed, *known[len(changed) :], *added) if whole else (*changed, *added)
    _insert(line, at, SchedulePublished(games=listed, partial=draw(st.booleans()), as_of=as_of), draw)


def _mention(line: list[Happening], at: int, draw: Any) -> None:
    said = line[at].data
    phase = said.phase if isinstance(said, CompletionRecorded) else "analytics"
    name = said.published_name if isinstance(said, CompletionRecorded) else "NobodyKnows"
    mention: Input = draw(
        st.sampled_from(
            [
                RunStarted(phase=phase, published_name=name, run=f"started-{at}"),
                ProgressReported(phase=phase, published_name=name, subject="a player"),
                ObservationRecorded(kind="trigger", phase=phase),
                MeasuresObserved(boundary="raw_to_analytics", measures={"games_with_box_score": Measure(value=1.0)}),
                MeasuresObserved(boundary="precompute_to_predictions", measures={"players": Measure(error="timeout")}),
                BeatRecorded(phase=phase, published_name=name, beat_at=line[at].at, run=f"started-{at}"),
            ]
        )
    )
    _insert(line, at, mention, draw)


def _tell_the_sport(line: list[Happening], at: int, draw: Any) -> None:
    said: Input = draw(
        st.sampled_from(
            [
                WorkflowDecided(workflow="morning_operations", action="SKIP"),
                MessageRejected(code="not_json", reason="r", topic="t", message_id="m", size=1, data="ew=="),
                ComponentObserved(kind="channel", name="slack", available=draw(st.booleans()), detail="403"),
                OperatorActed(command="acknowledge", reason="seen", target="unmapped_processor"),
                OperatorActed(command="suppress", reason="r", until=line[at].at + timedelta(hours=6)),
            ]
        )
    )
    actor = "ann" if isinstance(said, OperatorActed) else "pipeline"
    _insert(line, at, said, draw, actor)
    place = next(number for number, happening in enumerate(line) if happening.data is said)
    line[place] = replace(line[place], of_sport=True)


def _redefine(line: list[Happening], at: int, draw: Any) -> None:
    number = draw(st.integers(0, 2))
    line[at:] = [replace(happening, definition=number) for happening in line[at:]]


def _count_tables(definition: Definition) -> Bend:
    """Somebody counts the table of a processor, and again some minutes later: rows, none, or an error; with the
    completion before it or without."""
    gates = {step.phase: step.gate for cycle in definition.cycles for step in cycle.steps}

    def bend(line: list[Happening], at: int, draw: Any) -> None:
        said = line[at].data
        name = definition.resolve(said.phase, said.published_name) if isinstance(said, CompletionRecorded) else None
        table = definition.processor_of[name].table if name is not None else None
        if not isinstance(said, CompletionRecorded) or table is None:
            return
        boundary, measure = gates.get(said.phase) or said.phase, table_measure(table)
        counts = st.sampled_from(
            [Measure(value=0.0), Measure(value=120.0), Measure(value=7.0), Measure(error="timeout")]
        )
        first = draw(counts)
        when, after = line[at].at, timedelta(seconds=draw(st.integers(1, 3600)))
        if draw(st.booleans()):
            del line[at]
        for later, found in ((after, first), (after + timedelta(minutes=16), draw(st.just(first) | counts))):
            counted = MeasuresObserved(boundary=boundary, measures={measure: found}, source="somebody")
            line.append(Happening(at=when + later, data=counted, id=f"counted-{len(line)}-{later}"))
        line.sort(key=lambda happening: happening.at)

    return bend


BENDS: tuple[Bend, ...] = (
    *(_drop, _deliver_again, _say_again, _swap, _delay, _set_clock_back, _worsen),
    *(_act, _act, _act_on_the_last_day, _halt_for_a_while, _grade_poorly, _reschedule, _mention, _redefine),
    _tell_the_sport,
)


def variants(definition: Definition) -> tuple[Definition, ...]:
    """The definition; one whose gates are tighter; and one whose last cycle has lost all phases but the last."""
    gates = tuple(replace(gate, mode="blocking", measure_age_minutes=5) for gate in definition.gates)
    last = definition.cycles[-1]
    shorter = replace(last, steps=last.steps[-1:])
    return definition, replace(definition, gates=gates), replace(definition, cycles=(*definition.cycles[:-1], shorter))


@st.composite
def histories(draw: Any, definition: Definition, *, bends_max: int = 16) -> History:
    """A good day of `definition`, bent up to `bends_max` times."""
    game_date = draw(st.sampled_from(GAME_DATES))
    tips = tuple(draw(st.lists(st.sampled_from(TIPS), min_size=1, max_size=4)))
    played = games(game_date, tips) if draw(st.integers(0, 9)) else ()
    line = [
        Happening(at=at, data=data, id=derive_id("said", str(index)))
        for index, (at, data) in enumerate(good_day(definition, game_date, played))
    ]
    counting = _count_tables(definition)
    bends = (*BENDS, counting, counting)
    for bend in draw(st.lists(st.sampled_from(bends), min_size=bends_max // 4, max_size=bends_max)):
        if line:
            bend(line, draw(st.integers(0, len(line) - 1)), draw)
    end = wall_instant(game_date, draw(st.integers(2, 10)), "12:00", "America/New_York")
    line.append(Happening(at=end, data=None, id="end", definition=line[-1].definition if line else 0))
    return History(
        stream=f"{definition.sport}/{game_date}",
        definitions=variants(definition),
        happenings=tuple(line),
        tick_minutes=draw(st.sampled_from([0, 0, 7, 90, 1500])),
        answers=tuple(
            draw(st.lists(st.sampled_from(["good", "good", "poor", "error", "silent"]), min_size=1, max_size=5))
        ),
        channel=tuple(draw(st.lists(st.sampled_from(["takes", "takes", "fails", "refuses"]), min_size=3, max_size=5))),
    )


# --- letting it happen ---------------------------------------------------------------------------------------------


class Played:
    """What a history left behind: the store, what was accepted and refused, and each input with the instant it came."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.store = MemoryStore()
        self.recorder = Recorder(self.store, {history.definitions[0].sport: history.definitions[0]})
        self.given: list[tuple[Fact, datetime]] = []
        self.accepted: list[tuple[Fact, datetime]] = []
        self.duplicates: list[Fact] = []
        self._answered = 0
        self._sent = 0

    def events(self, stream: str = "") -> list[Event]:
        """The events of a stream, decoded as they are stored; of all streams, in the order of their commits."""
        return [stored.event() for stored in (self.store.read(stream) if stream else self.store.read_all())]

    def record(self, fact: Fact, now: datetime) -> None:
        """Give a fact to the recorder; what a person may not ask for now is given and neither accepted nor known."""
        self.given.append((fact, now))
        try:
            tally = self.recorder.record([(fact, now)])
        except CommandNotAllowed:
            return
        if tally.accepted:
            self.accepted.append((fact, now))
        else:
            self.duplicates.append(fact)

    def settle(self, now: datetime) -> None:
        """Commands leave, and probes answer."""
        dispatch(self.recorder, self, now)
        head = self.store.head(self.history.stream)
        for event in self.events(self.history.stream)[self._answered :] if head else ():
            self._answer(event, now)
        self._answered = head.version if head else 0

    def _answer(self, event: Event, now: datetime) -> None:
        command = event.data
        if getattr(command, "kind", None) != "measure":
            return
        answer = self.history.answers[self._sent % len(self.history.answers)]
        self._sent += 1
        if answer == "silent":
            return
        state = self.recorder.state(self.history.stream)
        said = MeasuresObserved(
            boundary=command.payload["boundary"],  # type: ignore[union-attr]
            measures=figures(command.payload["measures"], answer, len(state.games)),  # type: ignore[union-attr]
            source="probe",
        )
        self.record(self._fact(said, derive_id("answer", event.id), now), now)

    def send(self, batch: list[Pending]) -> list[Answer]:
        """The channel: takes, fails for now or refuses for good, in turn."""
        answers: list[Answer] = []
        for pending in batch:
            kind = self.history.channel[len(self.given) % len(self.history.channel)]
            if kind == "takes":
                answers.append(Sent(message_id=f"taken-{pending.command.command_id}"))
            else:
                answers.append(TransientFailure("busy") if kind == "fails" else PermanentFailure("no"))
        return answers

    def _fact(self, data: Input, id: str, now: datetime, actor: str = "pipeline", *, of_sport: bool = False) -> Fact:
        stream = f"{self.history.stream}/pulse" if isinstance(data, BeatRecorded) else self.history.stream
        stream = control_stream(stream.partition("/")[0]) if of_sport else stream
        return Fact(stream=stream, id=id, occurred_at=now, correlation=f"c-{id}", data=data, actor=actor)

    def until(self, end: datetime) -> None:
        """Let the clock tick up to `end`."""
        for now in self._ticks(end):
            self.recorder.tick(now)
            self.settle(now)

    def _ticks(self, end: datetime) -> Iterator[datetime]:
        apart = timedelta(minutes=self.history.tick_minutes)
        last = datetime.min.replace(tzinfo=UTC)
        while True:
            due = [s for s in self.store.heads(self.history.stream) if s[1].next_deadline is not None]
            instants = sorted(head.next_deadline for _, head in due if head.next_deadline is not None)
            if not instants:
                return
            now = max(
                instants[0].replace(second=0, microsecond=0) + timedelta(minutes=1) + apart, last + timedelta(minutes=1)
            )
            if now > end:
                return
            yield now
            last = now


def play(history: History) -> Played:
    """Let `history` happen from beginning to end."""
    played = Played(history)
    for happening in history.happenings:
        played.until(happening.at)
        definition = history.definitions[happening.definition]
        played.recorder.definitions[definition.sport] = definition
        if happening.data is not None:
            said, of_sport = happening.data, happening.of_sport
            fact = played._fact(said, happening.id, happening.at, happening.actor, of_sport=of_sport)
            played.record(fact, happening.at)
            played.settle(happening.at)
    return played
