"""The recorder: one door in. What it took is stored when it returns, once, whoever else writes; what it refused is
nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import (
    BeatRecorded,
    CommandPublished,
    CompletionRecorded,
    DefinitionAdopted,
    DefinitionPublished,
    Fact,
    Input,
    OperatorActed,
    PulseChanged,
    SchedulePublished,
    Ticked,
    type_of,
)
from events.codec import GENESIS, chain, derive_id
from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.store import Commit, Pending, Store, StoreUnavailable
from events.values import Game
from handlers.dispatch import Answer, FileChannel, PermanentFailure, TransientFailure, dispatch
from handlers.recorder import Recorder
from statemachine.operators import CommandNotAllowed
from tests.driving import moment, nba

DATE = "nba/2026-01-16"
NOON = moment("2026-01-16T17:00Z")


def fact(name: str, data: Input, *, stream: str = DATE, at: datetime = NOON, actor: str = "pipeline") -> Fact:
    return Fact(stream=stream, id=derive_id(name), occurred_at=at, correlation=name, data=data, actor=actor)


def completion(run: str, processor: str = "NbacGamebookProcessor") -> Fact:
    data = CompletionRecorded(phase="raw", published_name=processor, status="success", run=run, record_count=10)
    return fact(f"completion {run}", data)


def schedule(*tips: str) -> Fact:
    games = tuple(Game(game_id=f"g{index}", start_utc=moment(tip)) for index, tip in enumerate(tips))
    return fact("schedule", SchedulePublished(games=games))


def record(recorder: Recorder, *facts: Fact, at: datetime = NOON) -> None:
    recorder.record([(item, at) for item in facts])


def types(store: Store, stream: str = DATE) -> list[str]:
    return [type_of(stored.event().data) for stored in store.read(stream)]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore.open(tmp_path / "tipoff.db")
    with closing(made):
        yield made


@pytest.fixture
def recorder(store: Store) -> Recorder:
    return Recorder(store, {"nba": nba()})


def test_every_stream_says_under_which_definition_it_is_decided_and_its_text_is_stored_once(store, recorder):
    record(recorder, completion("a"))
    record(
        recorder, completion("b"), fact("x", CommandPublished(command_id="c", message_id="m"), stream="nba/2026-01-17")
    )

    assert types(store)[0] == types(store, "nba/2026-01-17")[0] == type_of(DefinitionAdopted)
    texts = [s.event().data for s in store.read("nba/control") if type_of(s.event().data) == "definition_published"]
    assert texts == [DefinitionPublished(definition=nba().version, content=nba().content.decode())]


def test_what_is_given_together_is_committed_together_and_chained(store, recorder):
    record(recorder, schedule("2026-01-17T00:00Z"), completion("a"), completion("b"))
    previous = GENESIS
    for version, stored in enumerate(store.read(DATE), start=1):
        previous = chain(previous, stored.body)
        assert (stored.version, stored.hash) == (version, previous)
    assert store.head(DATE).hash == previous


@given(st.lists(st.sampled_from("abcdef"), max_size=12), st.integers(1, 5))
def test_a_fact_is_stored_once_however_often_and_in_whatever_batches_it_is_given(runs, size):
    store = MemoryStore()
    recorder = Recorder(store, {"nba": nba()})
    batches = [runs[index : index + size] for index in range(0, len(runs), size)]
    tallies = [recorder.record([(completion(run), NOON) for run in batch]) for batch in batches]

    stored = [s.event().correlation for s in store.read(DATE) if type_of(s.event().data) == "completion_recorded"]
    assert sorted(stored) == sorted({f"completion {run}" for run in runs})
    assert sum(tally.accepted + tally.duplicate for tally in tallies) == len(runs)
    assert sum(tally.accepted for tally in tallies) == len(set(runs))


def test_a_duplicate_older_than_the_state_remembers_is_refused_by_the_store_and_the_rest_is_kept(store, recorder):
    record(recorder, fact("old", CommandPublished(command_id="old", message_id="m")))
    record(recorder, *(fact(f"later {n}", CommandPublished(command_id=f"{n}", message_id="m")) for n in range(100)))
    before = len(types(store))

    tally = recorder.record(
        [
            (fact("old", CommandPublished(command_id="old", message_id="m")), NOON),
            (fact("new", CommandPublished(command_id="new", message_id="m")), NOON),
        ]
    )

    assert (tally.accepted, tally.duplicate) == (1, 1)
    assert len(types(store)) == before + 1


def test_of_two_recorders_on_one_store_the_later_decides_again_on_what_is_really_there(store):
    one, other = (Recorder(store, {"nba": nba()}) for _ in range(2))
    record(one, completion("a"))
    record(other, completion("b"))
    record(one, completion("c"), completion("b"))
    record(other, completion("d"))

    assert types(store).count("completion_recorded") == 4
    assert [stored.version for stored in store.read(DATE)] == list(range(1, len(types(store)) + 1))
    assert one.state(DATE).version <= other.state(DATE).version


class FailingStore(MemoryStore):
    """A memory store whose next appends fail as an unreachable one does."""

    failing = False

    def append(self, commits: Sequence[Commit]) -> None:
        if self.failing:
            raise StoreUnavailable(store="memory:", reason="the network is down")
        super().append(commits)


def test_an_unreachable_store_is_said_and_leaves_nothing_behind_not_even_in_memory():
    store = FailingStore()
    recorder = Recorder(store, {"nba": nba()})
    record(recorder, completion("a"))
    before = recorder.state(DATE)
    store.failing = True
    with pytest.raises(StoreUnavailable):
        record(recorder, completion("b"))
    assert recorder.state(DATE) == before

    store.failing = False
    record(recorder, completion("b"))
    assert types(store).count("completion_recorded") == 2


def test_a_command_that_the_state_refuses_is_recorded_nowhere(store, recorder):
    record(recorder, schedule("2026-01-17T00:00Z"))
    before = types(store)
    asked = fact("override", OperatorActed(command="override", reason="now"), actor="operator")
    with pytest.raises(CommandNotAllowed) as refused:
        record(recorder, asked)
    assert refused.value.next_step
    assert types(store) == before


def test_a_run_that_stops_beating_is_told_to_its_date_in_the_same_commit(store, recorder):
    beat = BeatRecorded(phase="raw", published_name="NbacGamebookProcessor", beat_at=NOON, run="r1")
    record(recorder, schedule("2026-01-17T00:00Z"), fact("beat", beat, stream=f"{DATE}/pulse"))
    recorder.tick(NOON + timedelta(seconds=300))

    told = [s.event().data for s in store.read(DATE) if type_of(s.event().data) == "pulse_changed"]
    assert [(data.condition, data.run) for data in told if isinstance(data, PulseChanged)] == [("stale", "r1")]
    assert "processor_stale:p2_nbacom_gamebook_pdf" in recorder.state(DATE).alerts


def test_a_tick_touches_only_streams_that_are_due(store, recorder):
    record(recorder, schedule("2026-01-17T00:00Z"), at=moment("2026-01-14T12:00Z"))
    recorder.tick(moment("2026-01-14T12:00Z"))
    before = types(store)
    recorder.tick(moment("2026-01-14T12:01Z"))
    assert types(store) == before


def test_a_command_leaves_the_outbox_when_its_channel_confirms_and_not_before(store, recorder, tmp_path):
    record(recorder, schedule("2026-01-17T00:00Z"), at=moment("2026-01-14T12:00Z"))
    recorder.tick(moment("2026-01-16T17:00Z"))
    wanted = [pending.command.command_id for pending in store.pending()]
    assert wanted

    class Busy:
        def send(self, batch: list[Pending]) -> list[Answer]:
            return [TransientFailure("the broker is busy") for _ in batch]

    dispatch(recorder, Busy(), NOON)
    assert [pending.command.command_id for pending in store.pending()] == wanted

    with closing(FileChannel(tmp_path / "commands.jsonl")) as channel:
        dispatch(recorder, channel, NOON)
    assert store.pending() == []
    sent = (tmp_path / "commands.jsonl").read_text().splitlines()
    assert [line.split('"command_id":"')[1].split('"')[0] for line in sent] == wanted


def test_a_command_asked_for_and_confirmed_in_one_call_does_not_wait_to_be_sent(store, recorder):
    rehearsal = Recorder(MemoryStore(), {"nba": nba()})
    for each in (recorder, rehearsal):
        record(each, schedule("2026-01-17T00:00Z"), at=moment("2026-01-14T12:00Z"))
    tick = fact("tick", Ticked(now=NOON), actor="clock")
    asked = [pending.command.command_id for pending in rehearsal.record([(tick, NOON)]).outbox]
    confirmed = [fact(f"sent {id}", CommandPublished(command_id=id, message_id="m")) for id in asked]

    tally = recorder.record([(item, NOON) for item in (tick, *confirmed)])

    assert (tally.commands, tally.outbox) == (len(asked), [])
    assert asked
    assert store.pending() == []


def test_a_command_that_can_never_be_sent_is_not_tried_again(store, recorder):
    record(recorder, schedule("2026-01-17T00:00Z"), at=moment("2026-01-14T12:00Z"))
    recorder.tick(moment("2026-01-16T17:00Z"))

    class Refusing:
        asked = 0

        def send(self, batch: list[Pending]) -> list[Answer]:
            self.asked += len(batch)
            return [PermanentFailure("no such topic") for _ in batch]

    channel = Refusing()
    dispatch(recorder, channel, NOON)
    asked = channel.asked
    dispatch(recorder, channel, NOON + timedelta(hours=1))
    assert asked > 0
    assert channel.asked == asked
    assert "command_failed" in types(store)


def test_a_recorder_that_finds_many_streams_moved_on_decides_again_on_all_of_them_at_once(store):
    one, other = (Recorder(store, {"nba": nba()}) for _ in range(2))
    streams = [f"nba/2026-01-{day}" for day in range(10, 22)]
    record(one, *(fact(f"one {s}", CommandPublished(command_id="c", message_id="m"), stream=s) for s in streams))
    record(other, *(fact(f"two {s}", CommandPublished(command_id="c", message_id="m"), stream=s) for s in streams))

    record(one, *(fact(f"three {s}", CommandPublished(command_id="c", message_id="m"), stream=s) for s in streams))

    assert {len(types(store, stream)) for stream in streams} == {4}


def test_a_fact_that_is_given_twice_in_one_call_is_stored_once_and_takes_nothing_else_with_it(store, recorder):
    twice = completion("a")
    elsewhere = fact("completion a", twice.data, stream="nba/2026-01-17")

    tally = recorder.record([(twice, NOON), (twice, NOON), (elsewhere, NOON), (completion("b"), NOON)])

    assert (tally.accepted, tally.duplicate) == (2, 2)
    assert types(store).count("completion_recorded") == 2
    assert "nba/2026-01-17" not in store.streams()


def test_a_channel_that_fails_for_now_and_then_for_good_in_the_same_instant_is_believed_both_times(store, recorder):
    record(recorder, schedule("2026-01-17T00:00Z"), at=moment("2026-01-14T12:00Z"))
    recorder.tick(moment("2026-01-16T17:00Z"))

    class Failing:
        answer: PermanentFailure | TransientFailure = TransientFailure("busy")

        def send(self, batch: list[Pending]) -> list[Answer]:
            return [self.answer for _ in batch]

    channel = Failing()
    dispatch(recorder, channel, NOON)
    channel.answer = PermanentFailure("no such topic")
    dispatch(recorder, channel, NOON)

    assert store.pending() == []


def test_a_dispatch_that_learns_nothing_new_ends(store, recorder):
    record(recorder, schedule("2026-01-17T00:00Z"), at=moment("2026-01-14T12:00Z"))
    recorder.tick(moment("2026-01-16T17:00Z"))
    asked = 0

    class Busy:
        def send(self, batch: list[Pending]) -> list[Answer]:
            nonlocal asked
            asked += 1
            return [TransientFailure("busy") for _ in batch]

    dispatch(recorder, Busy(), NOON)
    events = len(types(store))
    dispatch(recorder, Busy(), NOON)

    assert (asked, len(types(store))) == (2, events)
