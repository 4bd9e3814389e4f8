"""Generated input for the tests of projections: whole histories of a date, and data of every type in the catalogue."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from events.catalogue import DECISIONS, INPUTS
from events.values import Game
from statemachine.on_date import on_date
from statemachine.operators import CommandNotAllowed
from tests.driving import Driver, games, moment, nba

FIRST_TIP, LAST_TIP = moment("2026-01-17T00:00Z"), moment("2026-01-17T03:00Z")
BEGINNINGS = [moment(f"2026-01-{clock}Z") for clock in ("15T20:00", "16T14:00", "17T05:30", "17T10:50")]
"""Before any cycle, on the day, and in the night and the morning after."""
EVERY_TYPE = (*INPUTS, *DECISIONS)

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))  # what JSON can say
instants = st.integers(-4000, 4000).map(lambda minutes: LAST_TIP + timedelta(minutes=minutes))

_GAME = st.builds(
    Game,
    game_id=st.text(max_size=5),
    start_utc=st.none() | instants,
    status=st.sampled_from(["scheduled", "postponed"]),
)
_ANY = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
_OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    datetime: instants,
    datetime | None: st.none() | instants,
    tuple[Game, ...]: st.lists(_GAME, max_size=3).map(tuple),
    dict[str, Any]: st.dictionaries(st.text(max_size=5), _ANY, max_size=3),
}


def data_of(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any data of one type of the catalogue."""
    given: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        known = _OF_TYPE.get(field.type)
        given[field.name] = st.from_type(field.type) if known is None else known
    return st.builds(kind, **given)


_NAMES = {
    phase: tuple(p.name for p in nba().processors if p.phase == phase)
    for phase in ("scrape", "raw", "analytics", "precompute", "predictions", "grading")
}
_MEASURES = {
    gate.name: tuple(m for m in gate.measures if not m.endswith("*"))
    + (("table_rows.player_daily_cache",) if gate.name == "precompute_to_predictions" else ())
    for gate in nba().gates
    if gate.probe
}

_phases = st.sampled_from(sorted(_NAMES))
_value = st.none() | st.just("timeout") | st.integers(0, 120).map(float)


@st.composite
def _completion(draw: st.DrawFn) -> tuple[str, tuple[Any, ...]]:
    phase = draw(_phases)
    name = draw(st.sampled_from((*_NAMES[phase], "NobodyKnowsProcessor")))
    status = draw(st.sampled_from(["success", "success", "success", "partial", "no_data", "failed"]))
    return "complete", (phase, name, status, draw(st.sampled_from([None, 0, 10])))


@st.composite
def _measure(draw: st.DrawFn) -> tuple[str, tuple[Any, ...]]:
    boundary = draw(st.sampled_from(sorted(_MEASURES)))
    values = {name: draw(_value) for name in _MEASURES[boundary] if draw(st.booleans())}
    return "measure", (boundary, values)


@st.composite
def _operator(draw: st.DrawFn) -> tuple[str, tuple[Any, ...]]:
    verbs = ["recheck", "override", "waive", "halt", "resume", "acknowledge", "heal"]
    targets = [None, "game_1", "gate_blocked", "raw_to_analytics", "overnight", "rerun_analytics"]
    return "operator", (draw(st.sampled_from(verbs)), draw(st.sampled_from(targets)))


_deliver = st.tuples(st.just("deliver"), st.tuples(st.sampled_from([100.0, 100.0, 3.0, 0.0, "timeout", None])))

_actions = st.one_of(
    _deliver,
    _deliver,
    _deliver,
    _completion(),
    _completion(),
    st.tuples(st.just("complete_all"), _phases.map(lambda phase: (phase,))),
    _measure(),
    _measure(),
    _operator(),
    st.tuples(st.just("confirm"), st.just(())),
    st.tuples(st.just("schedule"), st.tuples(st.sampled_from([2, 3, 1, 0]))),
)


@st.composite
def histories(draw: st.DrawFn) -> Driver:
    """A date with whatever happened to it, time passing in between; always at least one event."""
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", *games(*[FIRST_TIP, LAST_TIP][: draw(st.sampled_from([2, 2, 1, 0]))]))
    at = draw(st.sampled_from(BEGINNINGS))
    for verb, arguments in draw(st.lists(_actions, min_size=draw(st.sampled_from([0, 3, 8])), max_size=12)):
        at += timedelta(minutes=draw(st.sampled_from([0, 1, 1, 20, 90, 400])))
        driver.until(at)
        _do(driver, verb, arguments, at)
    return driver


def _do(driver: Driver, verb: str, arguments: tuple[Any, ...], at: datetime) -> None:
    if verb == "deliver":
        _deliver_present(driver, arguments[0], at)
    elif verb == "complete":
        phase, name, status, count = arguments
        driver.complete(phase, name, at, status=status, record_count=count)
    elif verb == "complete_all":
        driver.complete_all(arguments[0], _NAMES[arguments[0]], at)
    elif verb == "measure":
        driver.measure(arguments[0], at, **arguments[1])
    elif verb == "confirm":
        driver.confirm(at)
    elif verb == "schedule":
        driver.schedule(at, *games(*[FIRST_TIP, LAST_TIP, None][: arguments[0]]))
    else:
        try:
            driver.operator(arguments[0], at, target=arguments[1])
        except CommandNotAllowed:
            return


def _deliver_present(driver: Driver, value: float | str | None, at: datetime) -> None:
    """What the latest cycle waits for comes in, whole, and its boundary is measured as `value` throughout."""
    for cycle in driver.definition.cycles[::-1]:
        known = driver.state.cycles.get(cycle.name)
        if known is None or known.phase is None or known.state in ("done", "parked"):
            continue
        step = cycle.step_of[known.phase]
        said = {"graded_count": 9, "predictions_found": 10, "completion_pct": 95, "total_predictions": 90}
        if known.state.endswith(("_waiting", "_running")):
            driver.complete_all(step.phase, step.expected, at, extra=said)
        gate = driver.definition.gate_of.get(step.gate or "")
        if gate is not None and gate.probe:
            names = on_date(driver.definition, cycle.name, step, driver.state.game_date).probed
            driver.measure(gate.name, at, **dict.fromkeys(names, value))
        return
