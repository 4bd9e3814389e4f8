"""Law e, on the table itself: what a cycle can be, how it gets there, and that there is always a way on (design 3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from transitions import Machine

from events.catalogue import PhaseMoved
from handlers import definitions
from statemachine.deadlines import deadlines
from statemachine.definition import Cycle, Definition
from statemachine.machine import AUTOMATIC, CycleModel, Row, has_place, machine_for, states, table, triggers_from
from statemachine.state import CycleState, DateState
from tests.driving import Driver, games

CYCLES = [
    pytest.param(definition, cycle, id=f"{name}-{cycle.name}")
    for name in definitions.shipped()
    for definition in [definitions.load(name)]
    for cycle in definition.cycles
]
each_cycle = pytest.mark.parametrize(("definition", "cycle"), CYCLES)
FINAL = {"done"}
PERSON = {"parked"}
"""Where only a person leads on."""

NOON = datetime(2026, 1, 16, 17, tzinfo=UTC)


@each_cycle
def test_every_state_that_has_a_way_out_can_be_reached(definition: Definition, cycle: Cycle):
    reached, ahead = {"idle"}, ["idle"]
    while ahead:
        source = ahead.pop()
        found = {row.dest for row in table(cycle) if row.source == source} - reached
        reached |= found
        ahead += sorted(found)

    assert {row.source for row in table(cycle)} <= reached
    assert reached <= set(states(cycle))
    assert reached >= FINAL


@each_cycle
def test_only_done_has_no_way_out(definition: Definition, cycle: Cycle):
    sources = {row.source for row in table(cycle)}
    destinations = {row.dest for row in table(cycle)}

    assert destinations - sources == FINAL


@each_cycle
def test_every_state_that_waits_for_no_person_can_be_left_by_time_alone(definition: Definition, cycle: Cycle):
    for state in {row.source for row in table(cycle)} - PERSON:
        names = [name for _at, name in deadlines(_standing_in(definition, cycle, state), definition)]
        kinds = {name.split(":")[0] for name in names if name.split(":")[1:2] == [cycle.name]}

        assert "park" in kinds
        assert kinds & _LEADS_ON[state.rpartition("_")[2]], state


_LEADS_ON = {"idle": {"open"}, "waiting": {"stall"}, "running": {"stall"}, "gate": {"measure"}, "blocked": {"recheck"}}


def _standing_in(definition: Definition, cycle: Cycle, state: str) -> DateState:
    phase = None if state == "idle" else state.rpartition("_")[0]
    at = CycleState(state=state, phase=phase, since=NOON, opened_at=NOON, progress_at=NOON)
    return DateState(
        stream=f"{definition.sport}/2026-01-16",
        scheduled=True,
        games={game.game_id: game for game in games("2026-01-17T00:00Z")},
        cycles={} if phase is None else {cycle.name: at},
    )


@each_cycle
def test_a_phase_without_a_gate_is_never_measured_held_or_overridden(definition: Definition, cycle: Cycle):
    for step in cycle.steps:
        rows = [row for row in table(cycle) if row.source in (f"{step.phase}_gate", f"{step.phase}_blocked")]
        assert bool(rows) == (step.gate is not None)


@each_cycle
def test_from_a_state_a_trigger_leads_to_one_place_unless_guards_tell_them_apart(definition: Definition, cycle: Cycle):
    seen: dict[tuple[str, str], Row] = {}
    for row in table(cycle):
        other = seen.setdefault((row.source, row.trigger), row)
        asks_where_it_leads = row.guard == "parked_there"
        assert other is row or (row.guard is not None and (row.guard != other.guard or asks_where_it_leads))


@each_cycle
def test_every_guard_and_callback_of_the_machine_is_one_of_the_model(definition: Definition, cycle: Cycle):
    turnless = CycleModel.__new__(CycleModel)
    for row in table(cycle):
        assert row.guard is None or callable(getattr(turnless, row.guard))
    machine: Machine = machine_for(definition, cycle)
    assert set(machine.states) == set(states(cycle))
    assert machine_for(definition, cycle) is machine


@each_cycle
def test_what_fires_by_itself_is_in_the_table(definition: Definition, cycle: Cycle):
    known = {(row.source, row.trigger) for row in table(cycle)}
    for state in states(cycle):
        for trigger in triggers_from(cycle, state):
            assert trigger in AUTOMATIC
            assert (state, trigger) in known or state.removesuffix("_gate") in _ungated(cycle)


def _ungated(cycle: Cycle) -> set[str]:
    return {step.phase for step in cycle.steps if step.gate is None}


@each_cycle
def test_a_trigger_without_a_row_moves_nothing(definition: Definition, cycle: Cycle):
    day = Driver(definition, f"{definition.sport}/2026-01-16")
    day.schedule(NOON - timedelta(days=4), "2026-01-17T00:00Z")

    day.give_trigger = None  # type: ignore[attr-defined]
    before = day.state

    assert "idle" not in {row.source for row in table(cycle) if row.trigger in ("override", "recheck", "proceed")}
    assert day.state is before


# --- a definition that changes under a date --------------------------------------------------------------------------


@each_cycle
def test_a_cycle_has_a_place_wherever_its_own_table_can_bring_it(definition: Definition, cycle: Cycle):
    for row in table(cycle):
        phase = row.dest.rpartition("_")[0] or cycle.phases[0]
        assert has_place(cycle, CycleState(state=row.dest, phase=phase))


def test_a_cycle_whose_phase_the_new_definition_lacks_is_parked_for_a_person_who_can_resume_it():
    from msgspec.structs import replace

    definition = definitions.load("nba")
    overnight = definition.cycle_of["overnight"]
    shorter = replace(overnight, steps=overnight.steps[2:])
    changed = replace(definition, cycles=(*definition.cycles[:-1], shorter))
    day = Driver(definition)
    day.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z")
    day.until("2026-01-17T02:20Z")
    assert day.state.cycles["overnight"].state == "scrape_waiting"

    day.definition = changed
    day.tick("2026-01-17T02:30Z")

    at = day.state.cycles["overnight"]
    assert (at.state, at.phase, day.state.status) == ("parked", "analytics", "parked")
    moved = [event.data for event in day.events if isinstance(event.data, PhaseMoved)][-1]
    assert (moved.source, moved.trigger) == ("scrape_waiting", "displace")
    assert "scrape" in moved.reason

    day.operator("resume", "2026-01-17T02:31Z", target="overnight")
    assert day.state.cycles["overnight"].state == "analytics_running"


def test_a_cycle_in_a_phase_that_lost_its_gate_is_parked_and_not_stranded():
    from msgspec.structs import replace

    definition = definitions.load("nba")
    cycle = definition.cycle_of["overnight"]
    ungated = replace(cycle, steps=tuple(replace(step, gate=None) for step in cycle.steps))

    assert has_place(cycle, CycleState(state="raw_blocked", phase="raw"))
    assert not has_place(ungated, CycleState(state="raw_blocked", phase="raw"))
    assert has_place(ungated, CycleState(state="raw_running", phase="raw"))
    assert has_place(ungated, CycleState(state="parked", phase="raw"))
    assert not has_place(replace(cycle, steps=cycle.steps[2:]), CycleState(state="parked", phase="raw"))
