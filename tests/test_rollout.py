"""Two definitions at once, as during a rollout: instances that rule by different ones share a store. Nothing is lost,
nothing is decided twice, and every change of rule stands in the history before what was decided by it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import CommandRequested, CompletionRecorded, DefinitionAdopted, GateEvaluated
from events.memory import MemoryStore
from events.wire import read
from handlers.definitions import load
from handlers.ingest import routing_of
from handlers.recorder import Recorder
from handlers.verification import verify
from tests.wire_messages import NOON, delivery, v2

OLD = load("nba", {})
NEW = load("nba", {"PHASE_VALIDATION_MODE": "warning"})
DATE = "nba/2026-01-19"

PROCESSORS = ("player_game_summary", "team_offense_game_summary", "team_defense_game_summary")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(PROCESSORS), st.integers(0, 5)), min_size=1, max_size=30))
def test_instances_under_two_definitions_store_every_message_once_and_say_by_which_rule_they_decide(told):
    store = MemoryStore()
    instances = [Recorder(store, {"nba": definition}) for definition in (OLD, NEW)]
    routing = routing_of([OLD])

    for is_new, processor, run in told:
        message = delivery(v2(processor_name=processor, execution_id=f"run-{run}"), message_id=f"m-{processor}-{run}")
        instances[is_new].record([(fact, NOON) for fact in read(message, routing, received_at=NOON)])

    events = [stored.event() for stored in store.read(DATE)]
    runs = [(data.processor, data.run) for event in events if isinstance(data := event.data, CompletionRecorded)]
    ruling = ""
    for event in events:
        if isinstance(event.data, DefinitionAdopted):
            assert event.data.definition != ruling
            ruling = event.data.definition
        elif isinstance(event.data, GateEvaluated):
            assert event.data.definition == ruling
    commands = [data.command_id for event in events if isinstance(data := event.data, CommandRequested)]
    assert sorted(runs, key=str) == sorted({(processor, f"run-{run}") for _, processor, run in told})
    assert len(commands) == len(set(commands))
    assert all(later.version == earlier.version + 1 for earlier, later in pairwise(events))
    assert verify(store).clean


def test_the_two_definitions_are_two():
    assert OLD.version != NEW.version
