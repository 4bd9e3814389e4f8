"""Recorded lines: every one is stored as what it says or as a rejection, at the right instant, however they arrive."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from events.catalogue import CommandPublished, CommandRequested, Event, MessageRejected, PulseChanged
from events.memory import MemoryStore
from events.store import Commit, Store
from handlers.demo_facts import load_week
from handlers.demo_messages import Message, messages
from handlers.demo_messages import line as line_of
from handlers.dispatch import FileChannel, dispatch
from handlers.ingest import BATCH_MAX, CLOCK_JUMP_DAYS_MAX, MINUTE, Ingested, Ingestion, PublishClock, on_wall_clock
from handlers.lines import LINE_BYTES_MAX, Line, lines_of
from handlers.recorder import Recorder, Tally
from statemachine.definition import Definition
from tests.command_line import NOON, completion, game, line, native, schedule
from tests.driving import nba

START = datetime(2026, 1, 16, 22, 0, tzinfo=UTC)
END = datetime(2026, 1, 17, 18, 0, tzinfo=UTC)


@cache
def night() -> tuple[Message, ...]:
    """What was published around the games of 16 January, with the schedules of the week at its beginning."""
    found = messages(load_week())
    schedules = [replace(said, at=START) for said in found if said.topic == "tipoff-schedule"]
    return (*schedules, *(said for said in found if START < said.at < END))


RECORDINGS = st.deferred(
    lambda: st.lists(st.integers(0, len(night()) - 1), unique=True, max_size=30).map(
        lambda places: [night()[place] for place in places]
    )
)
"""Some of what was published, in any order."""


def lines(said: Sequence[Message]) -> list[Line]:
    """The messages as lines; equal messages have the same id."""
    return [line_of(message, f"m{night().index(message)}") for message in said]


def raw(*texts: bytes) -> list[Line]:
    return [Line(text, len(text)) for text in texts]


def no_commands(_now: datetime) -> Tally:
    return Tally()


def unwatched() -> None:
    """Nobody looks at the progress."""


def replayed(
    recording: Sequence[Line],
    *,
    store: Store | None = None,
    until: datetime | None = END,
    definition: Definition | None = None,
) -> tuple[list[Event], Ingested]:
    """The events of a store, and what was counted, after `recording` was replayed into it."""
    store = store or MemoryStore()
    ingestion = Ingestion(Recorder(store, {"nba": definition or nba()}), no_commands)
    clock = PublishClock(ingestion, store, each=unwatched)
    for one in recording:
        clock.take(one)
    clock.finish(until, fallback=NOON)
    return [stored.event() for stored in store.read_all()], ingestion.counts


def live(recording: Sequence[Line], store: Store) -> Ingested:
    """What was counted when `recording` arrived at once, at noon."""
    ingestion = Ingestion(Recorder(store, {"nba": nba()}), no_commands)
    on_wall_clock(ingestion, [recording], lambda: NOON, each=unwatched)
    return ingestion.counts


# --- lines --------------------------------------------------------------------------------------------------------


class Pipe:
    """Bytes that arrive in chunks."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = [chunk for chunk in chunks if chunk]

    def read1(self, size: int = -1, /) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""


@given(chunks=st.lists(st.binary(max_size=12).map(lambda data: data.replace(b"\x00", b"\n"))))
def test_lines_are_the_same_however_their_bytes_arrive(chunks: list[bytes]):
    found = [one.data for batch in lines_of(Pipe(chunks)) for one in batch]
    assert found == [text for text in b"".join(chunks).split(b"\n") if text.strip()]


def test_what_has_arrived_is_handed_on_before_the_rest_comes():
    batches = lines_of(Pipe([b"one\ntwo\nthr", b"ee\n"]))
    assert [one.data for one in next(batches)] == [b"one", b"two"]
    assert [one.data for one in next(batches)] == [b"three"]


def test_a_line_beyond_every_bound_is_kept_as_a_rejection_with_its_true_size():
    long = b"x" * (LINE_BYTES_MAX + 5)
    found = [one for batch in lines_of(io.BytesIO(long + b"\n" + long + b"y\nnext\n")) for one in batch]
    assert [one.size for one in found] == [len(long), len(long) + 1, 4]

    store = MemoryStore()
    counts = live(found, store)

    assert counts.rejected == 3
    assert [(data.code, data.size) for _at, data in rejections(store)][:2] == [
        ("line_too_long", len(long)),
        ("line_too_long", len(long) + 1),
    ]


def rejections(store: Store) -> list[tuple[datetime, MessageRejected]]:
    """When what was rejected."""
    found = [stored.event() for stored in store.read_all()]
    return [(event.recorded_at, event.data) for event in found if isinstance(event.data, MessageRejected)]


# --- what is counted ----------------------------------------------------------------------------------------------

PROBE = b'{"topic": "nba-phase2-raw-complete", "message": {"messageId": "p", "publishTime": "2026-01-17T06:10:00Z"}}'

LINES = st.sampled_from(
    [
        line(completion()),
        line(completion(execution_id="run-2")),
        line(completion(processor_name="NobodyKnowsMe")),
        line(completion(game_date="yesterday or so")),
        PROBE,
        b'{"topic": "t"}',
        b"\xff\xfe",
        b"{",
    ]
)


@given(texts=st.lists(LINES, max_size=20))
def test_every_line_is_accepted_or_a_duplicate_or_rejected_or_a_probe(texts: list[bytes]):
    for counts in (replayed(raw(*texts))[1], live(raw(*texts), MemoryStore())):
        assert counts.lines == len(texts)
        assert counts.accepted + counts.duplicate + counts.rejected + counts.probes == len(texts)
        assert counts.probes == texts.count(PROBE)


def test_what_a_message_brings_about_is_not_counted_as_a_message():
    beats = [
        native("heartbeat", {"phase": "raw", "processor_name": "p2_bdl_box_scores", "execution_id": "run-1"}, at)
        for at in ("2026-01-17T06:00:00Z", "2026-01-17T06:20:00Z")
    ]  # between the two the run is taken for dead; the second brings it back, which the date's stream is told
    found, counts = replayed(raw(*beats), until=None)
    told = [event for event in found if isinstance(event.data, PulseChanged) and event.stream == "nba/2026-01-16"]
    assert [event.data.condition for event in told] == ["stale", "dead", "back"]  # type: ignore[union-attr]
    assert (counts.lines, counts.accepted) == (2, 2)


@given(said=RECORDINGS)
@settings(max_examples=15)
def test_a_recording_that_is_ingested_again_changes_nothing(said: list[Message]):
    store = MemoryStore()
    recording = lines(sorted(said, key=lambda message: message.at))
    before, first = replayed(recording, store=store)
    after, second = replayed(recording, store=store)
    assert after == before
    assert second.accepted == second.rejected == second.events == 0
    assert second.duplicate == first.accepted + first.duplicate


# --- the publish clock --------------------------------------------------------------------------------------------


class EveryMinute(MemoryStore):
    """A store that has something due at every minute, once it holds anything: a clock that skips none."""

    def next_due(self) -> datetime | None:
        return START if self.streams() else None


@given(said=RECORDINGS)
@settings(max_examples=15)
def test_going_from_one_due_minute_to_the_next_is_ticking_at_every_minute(said: list[Message]):
    ordered = sorted(said, key=lambda message: message.at)
    first = ordered[0].at.replace(second=0) if ordered else END
    recording = lines(ordered)
    skipping, counted = replayed(recording)
    ticking, every = replayed(recording, store=EveryMinute())
    assert skipping == ticking
    assert counted.ticks <= every.ticks == (END - first) // MINUTE


@given(said=RECORDINGS, minutes=st.integers(0, 240))
@settings(max_examples=15)
def test_a_recording_in_two_parts_replays_like_one(said: list[Message], minutes: int):
    cut = START + minutes * MINUTE
    ordered = sorted(said, key=lambda message: message.at)
    whole, _ = replayed(lines(ordered))
    store = MemoryStore()
    replayed(lines([message for message in ordered if message.at < cut]), store=store, until=cut - timedelta(seconds=1))
    parts, _ = replayed(lines([message for message in ordered if message.at >= cut]), store=store)
    assert parts == whole


@given(said=RECORDINGS)
@settings(max_examples=15)
def test_the_clock_never_goes_back_and_late_lines_are_counted(said: list[Message]):
    found, counts = replayed(lines(said))
    newest = START - timedelta(days=1)
    late = 0
    for message in said:
        late += message.at < newest
        newest = max(newest, message.at)
    assert counts.late == late
    for stream in {event.stream for event in found}:
        recorded = [event.recorded_at for event in found if event.stream == stream]
        assert recorded == sorted(recorded)


def test_a_message_is_received_at_its_publish_time():
    found, _ = replayed(raw(line(completion(), "2026-01-17T06:10:07Z")), until=None)
    assert {event.recorded_at for event in found} == {datetime(2026, 1, 17, 6, 10, 7, tzinfo=UTC)}


def test_a_deadline_elapses_at_its_minute_between_two_messages():
    games = game("20260116_NOP_IND", "2026-01-17T00:00:00Z")  # overnight opens 135 minutes after the last tip-off
    first = schedule("2026-01-12T12:00:00Z", games)
    found, _ = replayed(raw(first, line(completion(), "2026-01-17T06:10:07Z")), until=None)
    opened = [event for event in found if getattr(event.data, "name", "") == "open:overnight"]
    assert [event.recorded_at for event in opened] == [datetime(2026, 1, 17, 2, 15, tzinfo=UTC)]


def test_broken_lines_before_the_first_message_are_received_with_it():
    found, counts = replayed(raw(b"{", b"[", line(completion(), "2026-01-17T06:10:07Z")), until=None)
    assert counts.rejected == 2
    assert {event.recorded_at for event in found} == {datetime(2026, 1, 17, 6, 10, 7, tzinfo=UTC)}


@pytest.mark.parametrize(("until", "at"), [(END, END), (None, NOON)])
def test_a_recording_of_nothing_but_broken_lines_is_received_at_its_end(until: datetime | None, at: datetime):
    store = MemoryStore()
    replayed(raw(b"{", b"["), store=store, until=until)
    assert [when for when, _data in rejections(store)] == [at, at]


@pytest.mark.parametrize(
    ("days", "code"), [(CLOCK_JUMP_DAYS_MAX - 1, None), (CLOCK_JUMP_DAYS_MAX, "publish_time_jump")]
)
def test_a_publish_time_that_would_end_the_season_at_once_is_refused(days: int, code: str | None):
    store = MemoryStore()
    far = (START + timedelta(days=days)).isoformat()
    texts = (line(completion(), START.isoformat()), line(completion(execution_id="far"), far))
    seldom = replace(nba(), alerts=replace(nba().alerts, tick_record_minutes=1_000_000))
    _, counts = replayed(raw(*texts), store=store, until=None, definition=seldom)
    assert [data.code for _at, data in rejections(store)] == ([code] if code else [])
    assert counts.accepted == (1 if code else 2)


# --- commits and commands -----------------------------------------------------------------------------------------


class Counting(MemoryStore):
    """A store that notes how many events each append brought."""

    def __init__(self) -> None:
        super().__init__()
        self.appends: list[int] = []

    def append(self, commits: Sequence[Commit]) -> None:
        super().append(commits)
        self.appends.append(sum(len(commit.events) for commit in commits))


def test_what_arrives_together_commits_together_within_a_bound():
    store = Counting()
    recording = raw(*[line(completion(execution_id=f"run-{number}")) for number in range(BATCH_MAX + 10)])
    assert live(recording, store).accepted == BATCH_MAX + 10
    assert len(store.appends) == 2


def test_messages_of_one_minute_commit_together():
    store = Counting()
    times = ("06:10:00", "06:10:59", "06:11:00")
    texts = [line(completion(execution_id=at), f"2026-01-17T{at}Z") for at in times]
    replayed(raw(*texts), store=store, until=None)
    assert len(store.appends) == 3  # the first minute, the tick that follows it, the second minute


def test_every_command_leaves_once_and_its_confirmation_comes_back(tmp_path):
    store, channel = MemoryStore(), FileChannel(tmp_path / "commands.jsonl")
    recorder = Recorder(store, {"nba": nba()})
    ingestion = Ingestion(recorder, lambda now: dispatch(recorder, channel, now))
    clock = PublishClock(ingestion, store, each=unwatched)
    for one in lines(night()):
        clock.take(one)
    clock.finish(END, fallback=NOON)
    channel.close()

    found = [stored.event().data for stored in store.read_all()]
    requested = [data.command_id for data in found if isinstance(data, CommandRequested)]
    confirmed = [data.command_id for data in found if isinstance(data, CommandPublished)]
    assert requested
    assert sorted(requested) == sorted(confirmed)
    assert len((tmp_path / "commands.jsonl").read_bytes().splitlines()) == len(requested)
    assert store.pending() == []
    assert ingestion.counts.commands == len(requested)
