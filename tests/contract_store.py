"""What every store promises, as rules. A store joins by one class in a test file:

class TestMyStore(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]: ...
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec import structs

from events.store import Commit, DuplicateEvent, Head, Pending, Store, StoreUnavailable, WrongExpectedVersion
from tests.contract_reading import DeadlineContract, ReadContract
from tests.store_events import OTHER, STREAM, command, commit, contents, extend, ids, minutes


class AppendContract:
    """Appending: all or nothing, in order, against a known version."""

    def test_a_stream_nobody_wrote_to_has_no_head_and_no_events(self, store: Store):
        assert store.head(STREAM) is None
        assert list(store.read(STREAM)) == []
        assert contents(store) == ([], {}, [], [], [], None, [])

    def test_what_was_appended_is_read_back_byte_for_byte(self, store: Store):
        first = extend(store, STREAM, *ids(1, 2))
        second = extend(store, STREAM, *ids(3))

        sealed = [*first.events, *second.events]
        assert [(e.stream, e.version, e.body, e.hash) for e in store.read(STREAM)] == [
            (STREAM, e.version, e.body, e.hash) for e in sealed
        ]
        assert [stored.event().id for stored in store.read(STREAM)] == ids(1, 2, 3)
        assert store.head(STREAM) == second.head

    def test_an_append_of_nothing_changes_nothing_and_is_in_nobodys_way(self, store: Store):
        extend(store, STREAM, *ids(1))
        before = contents(store)
        for _again in range(2):
            store.append([])
        assert contents(store) == before
        extend(store, STREAM, *ids(2))
        assert [stored.version for stored in store.read(STREAM)] == [1, 2]

    def test_commits_to_several_streams_arrive_together_in_their_order(self, store: Store):
        store.append([commit(OTHER, *ids(1, 2)), commit(STREAM, *ids(3))])
        assert [(e.stream, e.version) for e in store.read_all()] == [(OTHER, 1), (OTHER, 2), (STREAM, 1)]

    @pytest.mark.parametrize("expected", [0, 1, 3])
    def test_a_stale_or_future_version_is_refused_and_named(self, store: Store, expected: int):
        extend(store, STREAM, *ids(1, 2))
        onto = Head(version=expected, hash="0" * 64, state=b"") if expected else None
        with pytest.raises(WrongExpectedVersion) as refused:
            store.append([commit(STREAM, *ids(3), onto=onto)])
        assert (refused.value.stream, refused.value.expected, refused.value.actual) == (STREAM, expected, 2)

    def test_a_version_is_expected_of_a_stream_that_does_not_exist(self, store: Store):
        with pytest.raises(WrongExpectedVersion) as refused:
            store.append([commit(STREAM, *ids(1), onto=Head(version=4, hash="0" * 64, state=b""))])
        assert refused.value.actual == 0

    def test_one_stale_commit_undoes_its_whole_append(self, store: Store):
        extend(store, OTHER, *ids(1))
        before = contents(store)
        fine = commit(STREAM, *ids(2), deadline=minutes(5), outbox=[command("a")])
        with pytest.raises(WrongExpectedVersion):
            store.append([fine, commit(OTHER, *ids(3))])
        assert contents(store) == before
        store.append([fine])
        assert store.head(STREAM) == fine.head

    def test_of_two_writers_with_the_same_version_one_wins(self, store: Store):
        onto = extend(store, STREAM, *ids(1)).head
        store.append([commit(STREAM, *ids("mine"), onto=onto)])
        with pytest.raises(WrongExpectedVersion):
            store.append([commit(STREAM, *ids("theirs"), onto=onto)])
        assert [stored.event().id for stored in store.read(STREAM)] == ids(1, "mine")

    def test_writers_in_many_threads_lose_nothing(self, store: Store):
        def write(stream: str) -> None:
            for number in range(20):
                extend(store, stream, *ids((stream, number)))

        streams = [f"nba/2026-02-{day:02d}" for day in range(1, 5)]
        with ThreadPoolExecutor(len(streams)) as pool:
            list(pool.map(write, streams))
        assert {stream: [e.version for e in store.read(stream)] for stream in streams} == {
            stream: list(range(1, 21)) for stream in streams
        }

    def test_commits_that_contradict_themselves_are_the_callers_mistake(self, store: Store):
        good = commit(STREAM, *ids(1, 2))
        naive = minutes(1).replace(tzinfo=None)
        malformed: list[list[Commit]] = [
            [good, commit(STREAM, *ids(3))],
            [structs.replace(good, events=())],
            [structs.replace(good, events=good.events[::-1])],
            [structs.replace(good, events=good.events[:1])],
            [structs.replace(good, expected_version=-1)],
            [structs.replace(good, head=structs.replace(good.head, hash="f" * 64))],
            [structs.replace(good, head=structs.replace(good.head, next_deadline=naive))],
        ]
        for commits in malformed:
            with pytest.raises(ValueError, match="commit"):
                store.append(commits)
        assert store.streams() == []


class DuplicateContract:
    """An event id is stored once in its stream: a message that is delivered again changes nothing."""

    def test_ids_stored_before_are_all_named_and_nothing_is_appended(self, store: Store):
        onto = extend(store, STREAM, *ids(1, 2, 3)).head
        before = contents(store)
        with pytest.raises(DuplicateEvent) as refused:
            store.append([commit(STREAM, *ids(1, 4, 3), onto=onto)])
        assert refused.value.ids == frozenset(ids(1, 3))
        assert contents(store) == before

    def test_an_id_twice_in_one_commit_is_a_duplicate(self, store: Store):
        with pytest.raises(DuplicateEvent) as refused:
            store.append([commit(STREAM, *ids(1, 2, 1))])
        assert refused.value.ids == frozenset(ids(1))
        assert store.streams() == []

    def test_an_id_in_two_commits_of_one_append_is_a_duplicate(self, store: Store):
        with pytest.raises(DuplicateEvent) as refused:
            store.append([commit(STREAM, *ids(1, 2)), commit(OTHER, *ids(2, 3))])
        assert refused.value.ids == frozenset(ids(2))
        assert store.streams() == []

    def test_duplicates_of_every_kind_are_named_together(self, store: Store):
        onto = extend(store, STREAM, *ids("here")).head
        with pytest.raises(DuplicateEvent) as refused:
            store.append([commit(STREAM, *ids("twice", "here"), onto=onto), commit(OTHER, *ids("new", "twice"))])
        assert refused.value.ids == frozenset(ids("here", "twice"))

    def test_what_was_refused_with_a_duplicate_can_be_appended_without_it(self, store: Store):
        onto = extend(store, STREAM, *ids(1)).head
        with pytest.raises(DuplicateEvent):
            store.append([commit(STREAM, *ids(1, 2), onto=onto)])
        store.append([commit(STREAM, *ids(2), onto=onto)])
        assert [stored.event().id for stored in store.read(STREAM)] == ids(1, 2)

    def test_a_stale_version_is_said_before_a_duplicate(self, store: Store):
        again = extend(store, STREAM, *ids(1))
        with pytest.raises(WrongExpectedVersion):
            store.append([again])

    def test_many_ids_are_compared_with_many(self, store: Store):
        onto = extend(store, STREAM, *ids(*range(1200))).head
        with pytest.raises(DuplicateEvent) as refused:
            store.append([commit(STREAM, *ids(*range(1199, 2400)), onto=onto)])
        assert refused.value.ids == frozenset(ids(1199))


class OutboxContract:
    """Commands: committed with the decision that asked for them, gone with the event that answers them."""

    def test_a_command_is_pending_as_it_was_decided_oldest_first(self, store: Store):
        asked = [command("a"), command("b"), command("c")]
        store.append([commit(STREAM, *ids(1), outbox=asked[:2]), commit(OTHER, *ids(2), outbox=asked[2:])])
        pending = [Pending(STREAM, asked[0]), Pending(STREAM, asked[1]), Pending(OTHER, asked[2])]
        assert store.pending() == pending
        assert store.pending(limit=2) == pending[:2]

    def test_a_settled_command_is_gone_and_settling_it_again_does_no_harm(self, store: Store):
        a, b = command("a"), command("b")
        store.append([commit(STREAM, *ids(1), outbox=[a, b])])
        for event_id in ids(2, 3):
            store.append([commit(STREAM, event_id, onto=store.head(STREAM), settled=[a.command_id])])
            assert store.pending() == [Pending(STREAM, b)]

    def test_a_refused_append_neither_asks_nor_settles(self, store: Store):
        a, b = command("a"), command("b")
        onto = commit(STREAM, *ids(1), outbox=[a])
        store.append([onto])
        for event_id, head in ((ids(1)[0], onto.head), (ids(2)[0], None)):
            with pytest.raises((DuplicateEvent, WrongExpectedVersion)):
                store.append([commit(STREAM, event_id, onto=head, outbox=[b], settled=[a.command_id])])
        assert store.pending() == [Pending(STREAM, a)]

    def test_a_command_asked_for_again_while_it_waits_stays_one_with_what_was_asked_last(self, store: Store):
        store.append([commit(STREAM, *ids(1), outbox=[command("a"), command("b")])])
        store.append([commit(STREAM, *ids(2), onto=store.head(STREAM), outbox=[command("a", attempt=2)])])
        waiting = {pending.command.payload["source"]: pending.command.attempt for pending in store.pending()}
        assert waiting == {"a": 2, "b": 1}

    def test_a_command_settled_and_asked_for_again_in_one_commit_is_pending(self, store: Store):
        store.append([commit(STREAM, *ids(1), outbox=[command("a")])])
        again = command("a", attempt=2)
        store.append(
            [commit(STREAM, *ids(2), onto=store.head(STREAM), settled=[again.command_id], outbox=[again])],
        )
        assert store.pending() == [Pending(STREAM, again)]


class CloseContract:
    """After `close`, every answer is StoreUnavailable: never empty, never healthy."""

    def test_a_closed_store_answers_nothing_and_closing_it_again_does_no_harm(self, store: Store):
        extend(store, STREAM, *ids(1))
        store.close()
        store.close()
        for ask in (
            lambda: store.head(STREAM),
            lambda: store.append([commit(OTHER, *ids(2))]),
            lambda: list(store.read(STREAM)),
            lambda: list(store.read_all()),
            store.streams,
            lambda: list(store.heads()),
            lambda: store.due(minutes(1)),
            store.next_due,
            store.pending,
        ):
            with pytest.raises(StoreUnavailable, match="closed"):
                ask()


class OneMachineContract:
    """What a store that holds everything in one place promises beside. Firestore names events by stream and id, and
    orders its outbox by what was asked last; that is enough, for a fact's id binds its stream."""

    def test_an_id_stored_in_another_stream_is_a_duplicate(self, store: Store):
        extend(store, STREAM, *ids(1))
        with pytest.raises(DuplicateEvent) as refused:
            store.append([commit(OTHER, *ids(2, 1))])
        assert refused.value.ids == frozenset(ids(1))
        assert store.head(OTHER) is None

    def test_a_command_asked_for_again_while_it_waits_stays_one_in_its_place(self, store: Store):
        store.append([commit(STREAM, *ids(1), outbox=[command("a"), command("b")])])
        store.append([commit(STREAM, *ids(2), onto=store.head(STREAM), outbox=[command("a", attempt=2)])])
        assert [(p.command.payload["source"], p.command.attempt) for p in store.pending()] == [("a", 2), ("b", 1)]


class StoreContract(AppendContract, DuplicateContract, ReadContract, DeadlineContract, OutboxContract, CloseContract):
    """All of it."""
