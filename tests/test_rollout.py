"""Two definitions at once, as during a rollout: instances that rule by different ones share a store. Nothing is lost,
nothing is decided twice, and every change of rule stands in the history before what was decided by it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.catalogue import CommandRequested, CompletionRecorded, DefinitionAdopted, GateEvaluated
from events.memory import MemoryStore
from events.store import Head, StateUnreadable
from events.wire import read
from handlers.definitions import load
from handlers.ingest import routing_of
from handlers.recorder import Recorder, Timed
from handlers.remembered import Remembered
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


class NewerHeads(MemoryStore):
    """A store whose heads a newer program wrote: somewhere in their states is a field that is not known here."""

    path: tuple[str, ...] = ()

    def head(self, stream: str) -> Head | None:
        head = super().head(stream)
        return head and self._newer(head)

    def heads(self, prefix: str = "") -> Iterator[tuple[str, Head]]:
        return ((stream, self._newer(head)) for stream, head in super().heads(prefix))

    def _newer(self, head: Head) -> Head:
        state = part = msgspec.msgpack.decode(head.state)
        for key in self.path:
            part = part[key]
        part["known_to_the_newer_program_alone"] = 1
        return replace(head, state=msgspec.msgpack.encode(state))


@pytest.mark.parametrize("path", [(), ("work", "overnight/analytics/team_offense_game_summary")])
def test_an_older_program_touches_no_state_that_it_does_not_know_whole(path: tuple[str, ...]):
    def said(run: str) -> list[Timed]:
        message = delivery(v2(execution_id=run), message_id=run)
        return [(fact, NOON) for fact in read(message, routing_of([OLD]), received_at=NOON)]

    store = NewerHeads()
    Recorder(store, {"nba": OLD}).record(said("one"))
    before, store.path = list(store.read_all()), path

    with pytest.raises(StateUnreadable, match="newer version"):
        Recorder(store, {"nba": OLD}).record(said("two"))
    with pytest.raises(StateUnreadable, match="newer version"):
        list(Remembered(store).states())
    assert list(store.read_all()) == before
