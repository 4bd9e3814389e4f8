"""The laws of the core (design 3) and what must never happen (design 8), over histories that nobody would write."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.catalogue import (
    AlertRaised,
    AlertResolved,
    CommandFailed,
    CommandPublished,
    CommandRequested,
    CompletionRecorded,
    ComponentObserved,
    DefinitionAdopted,
    DefinitionPublished,
    Event,
    Fact,
    GateEvaluated,
    HealRequested,
    HealResolved,
    MeasuresObserved,
    PhaseMoved,
    RunStarted,
    SchedulePublished,
    is_input,
)
from events.codec import GENESIS, chain, encode
from events.reports import HealNoted, NameNoted
from handlers import definitions
from statemachine.deadlines import deadlines
from statemachine.definition import Definition, decode_definition
from statemachine.machine import states, table
from statemachine.state import RECENT_INPUTS_MAX, Alert, DateState, expected_count
from statemachine.streams import control_stream, decider_for, encode_state, fold
from tests.histories import History, Played, histories, play

SPORTS = {name: definitions.load(name) for name in definitions.shipped()}
assert settings.default is not None
LAW = settings(max_examples=max(10, settings.default.max_examples // 4))
"""A history is a whole day of some hundred events, so a law looks at fewer of them than a cheap property would."""

HISTORIES = st.sampled_from(sorted(SPORTS)).flatmap(lambda sport: histories(SPORTS[sport]))


def groups(events: list[Event]) -> Iterator[list[Event]]:
    """Each input of a stream with the decisions that name it as their cause."""
    found: list[Event] = []
    for event in events:
        if is_input(event) and found:
            yield found
            found = []
        found.append(event)
    if found:
        yield found


def fact_of(event: Event) -> Fact:
    """The input as it came in."""
    return Fact(
        stream=event.stream,
        id=event.id,
        occurred_at=event.occurred_at,
        correlation=event.correlation,
        data=event.data,  # type: ignore[arg-type]
        actor=event.actor,
    )


def texts(played: Played) -> dict[str, Definition]:
    """Every definition whose text is stored, by version."""
    published = [e.data for e in played.events() if isinstance(e.data, DefinitionPublished)]
    return {data.definition: decode_definition(data.content) for data in published}


def turns(played: Played, stream: str) -> Iterator[tuple[Any, list[Event], Any, Definition]]:
    """For each input of `stream`: the state before, the events, the state after, and the definition in force."""
    decider: Any = decider_for(stream)
    known = texts(played)
    state = decider.initial(stream)
    for events in groups(played.events(stream)):
        first = events[0].data
        version = first.definition if isinstance(first, DefinitionAdopted) else state.definition
        before = state
        for event in events:
            state = decider.evolve(state, event)
        definition = known.get(version) or played.history.definitions[0]
        yield before, events, state, definition


# --- the laws ------------------------------------------------------------------------------------------------------


@LAW
@given(HISTORIES)
def test_law_a_and_c_folding_at_once_from_any_snapshot_or_event_by_event_gives_the_bytes_of_the_head(history: History):
    played = play(history)

    for stream, head in played.store.heads():
        decider: Any = decider_for(stream)
        at_once = from_snapshots = decider.initial(stream)
        for stored in played.store.read(stream):
            at_once = decider.evolve(at_once, stored.event())
            from_snapshots = decider.decode(encode_state(decider.evolve(from_snapshots, stored.event())))
            assert from_snapshots == at_once
        together = fold(stream, decider.initial(stream), (stored.event() for stored in played.store.read(stream)))
        assert encode_state(together) == encode_state(at_once) == encode_state(from_snapshots) == head.state


@LAW
@given(HISTORIES)
def test_law_b_an_input_decided_again_at_once_emits_nothing(history: History):
    played = play(history)

    for stream in played.store.streams():
        decider: Any = decider_for(stream)
        for _before, events, after, definition in turns(played, stream):
            again = decider.decide(after, fact_of(events[0]), events[0].recorded_at, definition)
            assert again == []


@pytest.mark.parametrize("subject", ["-", "a gate"])
def test_an_episode_that_was_read_back_is_resolved_with_the_same_bytes(subject: str):
    noon = datetime(2026, 1, 16, 17, tzinfo=UTC)
    alert = Alert(cause="c", subject=subject, severity="info", raised_at=noon, detail="", rises={"info": noon})
    read_back = msgspec.json.decode(encode(alert), type=Alert)

    assert encode(AlertResolved(cause="c", reason="r", subject=read_back.subject)) == encode(
        AlertResolved(cause="c", reason="r", subject=alert.subject)
    )
    assert encode(read_back) == encode(alert)


@LAW
@given(HISTORIES)
def test_law_d_an_instance_that_read_the_state_from_the_store_decides_the_same_bytes(history: History):
    played = play(history)

    for stream in played.store.streams():
        decider: Any = decider_for(stream)
        for before, events, _after, definition in turns(played, stream):
            read_back = decider.decode(encode_state(before))
            again = decider.decide(read_back, fact_of(events[0]), events[0].recorded_at, definition)
            assert [encode(event) for event in again] == [encode(event) for event in events]


@LAW
@given(HISTORIES, st.randoms(use_true_random=False))
def test_law_b_an_input_that_was_recorded_changes_nothing_however_late_it_comes_again(history: History, order: Any):
    played = play(history)
    before = played.events()
    again = [fact for fact, _now in played.accepted]
    order.shuffle(again)
    last = max(event.recorded_at for event in before)

    one_by_one = sum(played.recorder.record([(fact, last)]).accepted for fact in again[: len(again) // 2])
    together = played.recorder.record([(fact, last) for fact in again])

    assert one_by_one == together.accepted == 0
    assert played.events() == before


@LAW
@given(HISTORIES)
def test_law_d_the_recorded_inputs_decided_again_under_the_recorded_definition_emit_the_recorded_events(
    history: History,
):
    played = play(history)

    for stream in played.store.streams():
        decider: Any = decider_for(stream)
        for before, events, _after, definition in turns(played, stream):
            again = decider.decide(before, fact_of(events[0]), events[0].recorded_at, definition)
            assert [encode(event) for event in again] == [encode(event) for event in events]


@LAW
@given(HISTORIES)
def test_law_e_a_cycle_moves_only_as_its_table_says_and_never_without_a_way_on(history: History):
    played = play(history)

    for before, events, after, definition in turns(played, history.stream):
        rows = {c.name: {(row.source, row.trigger, row.dest) for row in table(c)} for c in definition.cycles}
        for move in (event.data for event in events if isinstance(event.data, PhaseMoved)):
            if isinstance(events[0].data, DefinitionAdopted):
                assert (move.trigger, move.dest) == ("displace", "parked")
            else:
                assert (move.source, move.trigger, move.dest) in rows[move.cycle]
        assert {
            name: at.state for name, at in after.cycles.items() if at.state not in known_states(definition, name)
        } == {}
        assert not dead_ends(after, definition), before.version


def known_states(definition: Definition, cycle: str) -> list[str]:
    return states(definition.cycle_of[cycle])


def dead_ends(state: DateState, definition: Definition) -> list[str]:
    """Cycles that no deadline will ever move though nobody has to be asked."""
    if state.halted or expected_count(state) == 0:
        return []
    watched = {name.split(":")[1] for _at, name in deadlines(state, definition) if ":" in name}
    over = [name for name, at in state.cycles.items() if at.state in ("done", "parked")]
    return [cycle.name for cycle in definition.cycles if cycle.name not in over and cycle.name not in watched]


# --- what must never happen ------------------------------------------------------------------------------------------


@LAW
@given(HISTORIES)
def test_what_was_accepted_is_stored_exactly_once_and_the_rest_was_known(history: History):
    played = play(history)
    stored = Counter(event.id for event in played.events())

    assert set(stored.values()) == {1}
    assert {fact.id for fact, _now in played.accepted} <= stored.keys()
    for fact in played.duplicates:
        known = CompletionRecorded | ComponentObserved | RunStarted | SchedulePublished
        assert fact.id in stored or isinstance(fact.data, known)


@LAW
@given(HISTORIES)
def test_versions_have_no_gap_instants_never_go_back_and_every_hash_holds_the_one_before(history: History):
    played = play(history)

    for stream, head in played.store.heads():
        previous, instants = GENESIS, list[datetime]()
        for version, stored in enumerate(played.store.read(stream), 1):
            assert stored.version == stored.event().version == version
            assert stored.hash == chain(previous, stored.body)
            previous = stored.hash
            instants.append(stored.event().recorded_at)
        assert head.hash == previous
        assert all(earlier <= later for earlier, later in pairwise(instants))


@LAW
@given(HISTORIES)
def test_a_phase_is_commanded_under_one_id_per_retry_and_no_command_is_asked_for_twice_alike(history: History):
    played = play(history)
    ids = defaultdict[tuple[object, ...], set[str]](set)
    attempts = Counter[tuple[str, int]]()
    retries = Counter[tuple[str, str]]()
    for event in played.events(history.stream):
        data = event.data
        if isinstance(data, PhaseMoved) and data.trigger == "retry":
            retries[data.cycle, data.phase] += 1
        if isinstance(data, CommandRequested):
            attempts[data.command_id, data.attempt] += 1
        if isinstance(data, CommandRequested) and data.kind == "trigger":
            target = data.payload.get("source_table")
            retry = retries[str(data.cycle), str(data.phase)]
            ids[data.cycle, data.phase, retry, data.topic, target].add(data.command_id)

    assert all(len(found) == 1 for found in ids.values())
    assert len({command_id for found in ids.values() for command_id in found}) == len(ids)
    assert set(attempts.values()) <= {1}


@LAW
@given(HISTORIES)
def test_entering_a_phase_commands_it_in_the_same_turn(history: History):
    played = play(history)

    for _before, events, _after, definition in turns(played, history.stream):
        commanded = {(e.data.cycle, e.data.phase) for e in events if isinstance(e.data, CommandRequested)}
        for move in (e.data for e in events if isinstance(e.data, PhaseMoved)):
            if (
                move.dest == f"{move.phase}_waiting"
                and move.trigger != "open"
                and definition.phase_of[move.phase].commands
            ):
                assert (move.cycle, move.phase) in commanded


@LAW
@given(HISTORIES)
def test_a_command_stays_in_the_outbox_until_it_is_confirmed_or_refused_for_good(history: History):
    played = play(history)
    open_: dict[str, bool] = {}
    for event in played.events():
        data = event.data
        if isinstance(data, CommandRequested):
            open_[data.command_id] = True
        elif isinstance(data, CommandPublished) or (isinstance(data, CommandFailed) and data.permanent):
            open_[data.command_id] = False

    assert {pending.command.command_id for pending in played.store.pending()} == {id for id in open_ if open_[id]}


@LAW
@given(HISTORIES)
def test_every_way_out_of_a_gate_but_an_override_follows_from_an_evaluation_of_the_same_turn(history: History):
    played = play(history)

    for _before, events, _after, _definition in turns(played, history.stream):
        evaluated: dict[str, GateEvaluated] = {}
        for data in (event.data for event in events):
            if isinstance(data, GateEvaluated):
                evaluated[data.cycle] = data
            if isinstance(data, PhaseMoved) and data.trigger in OUTCOMES:
                assert evaluated.pop(data.cycle).outcome in OUTCOMES[data.trigger]


OUTCOMES = {"proceed": {"pass", "warn", "skipped"}, "hold": {"block", "error"}, "retry": {"warn", "block"}}


@LAW
@given(HISTORIES)
def test_a_date_that_is_halted_or_without_games_raises_and_commands_nothing(history: History):
    played = play(history)
    decider: Any = decider_for(history.stream)
    state = decider.initial(history.stream)
    for event in played.events(history.stream):
        if state.halted or expected_count(state) == 0:
            assert not isinstance(event.data, AlertRaised | PhaseMoved | GateEvaluated | CommandRequested) or (
                isinstance(event.data, PhaseMoved) and event.data.trigger == "displace"
            )
        state = decider.evolve(state, event)


@LAW
@given(HISTORIES)
def test_an_episode_pages_once_for_each_severity_it_reaches_and_never_for_information(history: History):
    played = play(history)
    raised: set[tuple[str, str]] = set()
    paged = Counter[tuple[str, str]]()
    for data in (event.data for event in played.events(history.stream)):
        if isinstance(data, CommandRequested) and data.payload.get("reminder"):
            continue  # it says that it is one (tests/test_reminders.py)
        if isinstance(data, AlertRaised):
            raised.add((f"{data.cause}:{data.subject}", data.severity))
        if isinstance(data, CommandRequested) and data.kind == "alert":
            paged[data.payload["alert_key"], data.payload["severity"]] += 1

    assert set(paged.values()) <= {1}
    assert paged.keys() <= raised
    loudest = {
        key: "critical" if (key, "critical") in raised else "warning" for key, severity in raised if severity != "info"
    }
    assert set(loudest.items()) <= paged.keys()


@LAW
@given(HISTORIES)
def test_a_sport_hears_of_every_repair_of_its_dates_and_of_every_unknown_name_once(history: History):
    played = play(history)
    events = played.events(history.stream)
    asked = [(e.data.component, e.data.attempt, None) for e in events if isinstance(e.data, HealRequested)]
    judged = [(e.data.component, e.data.attempt, e.data.outcome) for e in events if isinstance(e.data, HealResolved)]
    told = played.events(control_stream(history.definitions[0].sport))
    noted = [(e.data.component, e.data.attempt, e.data.outcome) for e in told if isinstance(e.data, HealNoted)]
    names = [e.data.published_name for e in told if isinstance(e.data, NameNoted)]

    assert Counter(noted) == Counter([*asked, *judged])
    state = played.recorder.state(history.stream)
    assert Counter(names) == Counter(state.unmapped)
    assert all(event.causation is None for event in told if isinstance(event.data, HealNoted | NameNoted))


@LAW
@given(HISTORIES)
def test_the_state_of_a_date_stays_small(history: History):
    played = play(history)

    for _before, _events, after, _definition in turns(played, history.stream):
        assert len(after.elapsed) <= 60
        assert len(after.recent) <= RECENT_INPUTS_MAX


@pytest.mark.parametrize("sport", SPORTS)
def test_every_shipped_definition_survives_its_own_text(sport: str):
    definition = SPORTS[sport]

    assert decode_definition(definition.content).version == definition.version


@LAW
@given(HISTORIES)
def test_what_validators_find_moves_no_phase_and_repairs_nothing(history: History):
    played = play(history)

    for _before, events, after, definition in turns(played, history.stream):
        said = events[0].data
        sets = definition.validators_of
        if isinstance(said, MeasuresObserved) and said.boundary in sets:
            assert not [e for e in events if isinstance(e.data, PhaseMoved | HealRequested)]
            assert {e.data.gate for e in events if isinstance(e.data, GateEvaluated)} <= {said.boundary}
        for data in (event.data for event in events):
            if isinstance(data, GateEvaluated) and data.gate in sets:
                assert data.mode == "warning"
                assert data.outcome in ("pass", "warn")
                errors = {check.check for check in data.checks if check.verdict == "error"}
                assert {check.check for check in data.checks if check.error is not None} == errors
        assert set(after.validations) <= {p.name for p in definition.processors}
