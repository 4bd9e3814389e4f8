"""What every store promises about reading, as rules: a part of `tests/contract_store.py`."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from events.store import Store
from tests.store_events import OTHER, STREAM, commit, extend, ids, minutes


class ReadContract:
    """Reading by stream and by global position."""

    def test_a_stream_is_read_from_after_a_version(self, store: Store):
        extend(store, STREAM, *ids(1, 2, 3))
        assert [[e.version for e in store.read(STREAM, after=after)] for after in range(-1, 5)] == [
            [1, 2, 3],
            [1, 2, 3],
            [2, 3],
            [3],
            [],
            [],
        ]

    def test_the_bodies_of_a_stream_are_those_of_its_events(self, store: Store):
        extend(store, OTHER, *ids("other"))
        extend(store, STREAM, *ids(1, 2, 3))
        assert list(store.bodies(STREAM)) == [e.body for e in store.read(STREAM)]
        assert list(store.bodies("nba/1999-01-01")) == []

    def test_all_events_are_read_in_commit_order_from_after_a_position(self, store: Store):
        for number in range(3):
            extend(store, OTHER, *ids(("other", number)))
            extend(store, STREAM, *ids(("stream", number)))
        everything = list(store.read_all())
        assert [(e.stream, e.version) for e in everything] == [(s, v) for v in (1, 2, 3) for s in (OTHER, STREAM)]
        assert sorted({e.position for e in everything}) == [e.position for e in everything]
        for seen, event in enumerate(everything, 1):
            assert list(store.read_all(after=event.position)) == everything[seen:]

    def test_a_stream_says_the_same_positions_as_the_whole(self, store: Store):
        store.append([commit(OTHER, *ids(1)), commit(STREAM, *ids(2, 3))])
        assert list(store.read(STREAM)) == [e for e in store.read_all() if e.stream == STREAM]

    def test_reading_goes_on_while_others_append(self, store: Store):
        extend(store, STREAM, *ids(*range(600)))
        reading = store.read_all()
        begun = list(islice(reading, 10))
        extend(store, STREAM, *ids("later"))
        assert [e.version for e in (*begun, *reading)][:600] == list(range(1, 601))

    def test_two_readings_do_not_disturb_each_other(self, store: Store):
        extend(store, STREAM, *ids(1, 2, 3))
        pairs = zip(store.read(STREAM), store.read(STREAM), strict=True)
        assert [(one.version, two.version) for one, two in pairs] == [(1, 1), (2, 2), (3, 3)]

    def test_long_streams_are_read_whole_and_in_order(self, store: Store):
        extend(store, OTHER, *ids(*range(1, 701)))
        extend(store, STREAM, *ids(*range(701, 1401)))
        assert [e.version for e in store.read(STREAM)] == list(range(1, 701))
        assert len(list(store.bodies(STREAM))) == 700
        assert [e.event().id for e in store.read_all()] == ids(*range(1, 1401))

    def test_streams_and_heads_are_listed_by_prefix_in_order(self, store: Store):
        names = [
            "nba/2026-01-16",
            "mlb/2026-04-01",
            "nba/2026-01-16/pulse",
            "nba/2026-01-17",
            "NBA/x",
            "nba/2026_01",
            "é",
        ]
        heads = {name: extend(store, name, *ids(name)).head for name in names}
        for prefix in ("", "nba/", "nba/2026-01-16", "nba/2026-01-16/", "nba/2026_", "NBA/", "é", "%", "wnba/"):
            expected = sorted(name for name in names if name.startswith(prefix))
            assert store.streams(prefix) == expected
            assert list(store.heads(prefix)) == [(name, heads[name]) for name in expected]

    def test_many_heads_are_listed_whole(self, store: Store):
        names = [f"nba/{number:04d}" for number in range(1100)]
        store.append([commit(name, *ids(name)) for name in names])
        assert [name for name, _ in store.heads("nba/")] == store.streams() == names


class DeadlineContract:
    """Streams by their next deadline: a tick touches only those that are due."""

    def test_due_streams_come_earliest_first_and_only_once_their_instant_is_there(self, store: Store):
        deadlines = {
            "nba/a": minutes(30),
            "nba/b": minutes(10),
            "nba/c": minutes(20),
            "nba/d": minutes(10),
            "nba/e": None,
        }
        for stream, deadline in deadlines.items():
            extend(store, stream, *ids(stream), deadline=deadline)
        just_before = minutes(20) - timedelta(microseconds=1)
        assert store.due(minutes(9)) == []
        assert store.due(just_before) == ["nba/b", "nba/d"]
        assert store.due(minutes(20)) == ["nba/b", "nba/d", "nba/c"]
        assert store.due(minutes(99)) == ["nba/b", "nba/d", "nba/c", "nba/a"]
        assert store.next_due() == minutes(10)

    def test_a_deadline_that_moves_or_goes_is_not_due_any_more(self, store: Store):
        extend(store, STREAM, *ids(1), deadline=minutes(1))
        extend(store, OTHER, *ids(2), deadline=minutes(2))
        extend(store, STREAM, *ids(3), deadline=minutes(60))
        assert (store.due(minutes(5)), store.next_due()) == ([OTHER], minutes(2))
        extend(store, OTHER, *ids(4), deadline=None)
        assert (store.due(minutes(5)), store.next_due()) == ([], minutes(60))
        extend(store, STREAM, *ids(5), deadline=None)
        assert (store.due(minutes(99)), store.next_due()) == ([], None)

    def test_a_deadline_keeps_its_microseconds(self, store: Store):
        at = minutes(1) + timedelta(microseconds=1)
        head = extend(store, STREAM, *ids(1), deadline=at).head
        assert store.head(STREAM) == head
        assert (store.next_due(), store.due(minutes(1)), store.due(at)) == (at, [], [STREAM])
