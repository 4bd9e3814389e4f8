"""The benchmarks compare what can be compared: the same lines on every run, understood whole, and the same facts
stored by every job. How fast anything is, no test says."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import counted
from benchmarks.day import PREDICTED_PLAYERS
from benchmarks.floor import FloorJob
from benchmarks.gist import gist, names_of
from benchmarks.ingest import Disagreement, refuse_disagreement, stored
from benchmarks.job import BATCH, Outcome, in_batches
from benchmarks.messages import PHASES
from benchmarks.season import long_date, season
from benchmarks.tipoff import TipoffJob, during, facts_of, is_control, lived, rehearsed, routing
from events.catalogue import CompletionRecorded, MessageRejected, ProgressReported
from events.sqlite import SqliteStore
from handlers import definitions
from statemachine.definition import Definition


@pytest.fixture(scope="module")
def nba() -> Definition:
    return definitions.load("nba")


@pytest.fixture(scope="module")
def lines(nba) -> list[bytes]:
    return season(1, nba)


@pytest.fixture(scope="module")
def aside(lines, nba):
    return during(in_batches(lines, BATCH), rehearsed(lines, nba))


def test_a_season_is_the_same_for_the_same_seed_and_another_for_another(lines, nba):
    assert season(1, nba) == lines
    assert season(1, nba, seed=1) != lines


def test_every_line_of_a_season_is_understood_as_one_fact(lines, nba):
    facts = facts_of(lines, routing(nba))

    assert len(facts) == len(lines)
    assert not [fact for fact, _ in facts if isinstance(fact.data, MessageRejected)]


def test_facts_arrive_first_in_the_order_in_which_they_were_published(lines, nba):
    facts = facts_of(lines, routing(nba))

    first: dict[str, datetime] = {}
    for fact, published_at in facts:
        first.setdefault(fact.id, published_at)
    assert list(first.values()) == sorted(first.values())


def test_a_date_has_all_phases_its_predictions_and_about_one_message_in_twenty_again(lines, nba):
    facts = {fact.id: fact.data for fact, _ in facts_of(lines, routing(nba))}

    assert {data.phase for data in facts.values() if isinstance(data, CompletionRecorded)} == set(PHASES)
    assert sum(isinstance(data, ProgressReported) for data in facts.values()) == PREDICTED_PLAYERS
    assert 0.03 < 1 - len(facts) / len(lines) < 0.07


def test_a_date_reaches_its_end_and_its_gates_pass(lines, aside, nba, tmp_path):
    job = TipoffJob(nba, aside)
    job.open(tmp_path)
    for batch in in_batches(lines, BATCH):
        job.take(batch)
    (date,) = (stream for stream in job.store.streams() if stream.count("/") == 1 and not is_control(stream))

    assert job.recorder.state(date).status == "complete"
    job.close()


def test_batches_make_the_history_that_single_messages_make(lines, aside, nba, tmp_path):
    live = {stream: head for stream, head in lived(lines, nba).heads() if not is_control(stream)}

    stored(TipoffJob(nba, aside), lines, tmp_path)

    path = next(tmp_path.glob("*/tipoff.sqlite"))
    store = SqliteStore.open(path, read_only=True)
    assert {stream: head for stream, head in store.heads() if not is_control(stream)} == live
    store.close()


def test_a_long_date_is_one_date_as_long_as_asked_for_and_without_repetition(nba):
    long = long_date(1_500, nba)

    facts = [fact for fact, _ in facts_of(long, routing(nba))]
    assert Counter(fact.stream.removesuffix("/pulse") for fact in facts).keys() == {facts[0].stream}
    assert len({fact.id for fact in facts}) == len(facts) == 1_500


def test_the_key_given_to_peers_tells_facts_apart_as_ours_does(lines, nba):
    names = names_of(nba)
    ours = [fact.id for fact, _ in facts_of(lines, routing(nba))]
    theirs = [gist(line, names) for line in lines]

    assert len({(said.date, said.key) for said in theirs}) == len(set(ours))
    assert len(set(zip(ours, ((said.date, said.key) for said in theirs), strict=True))) == len(set(ours))


def test_every_job_stores_the_same_facts_and_completions(lines, aside, nba, tmp_path):
    agreed = stored(TipoffJob(nba, aside), lines, tmp_path)

    refuse_disagreement("floor", stored(FloorJob(), lines, tmp_path), agreed)
    if find_spec("eventsourcing") is not None:
        from benchmarks.peer_eventsourcing import EventsourcingJob

        for way in ("documented", "one instance", "uncopied", "batched"):
            job = EventsourcingJob(nba, way=way)
            refuse_disagreement(job.name, stored(job, lines, tmp_path), agreed)


def test_only_the_documented_way_bears_another_instance_as_we_do(lines, nba, tmp_path):
    persistence = pytest.importorskip("eventsourcing.persistence", reason="the peers have an environment of their own")
    from benchmarks.peer_eventsourcing import application

    distinct = {said.key: said for said in (gist(line, names_of(nba)) for line in lines)}
    first, second, third = list(distinct.values())[:3]
    for way in ("documented", "one instance"):
        folder = tmp_path / way
        folder.mkdir()
        ours, other = application(folder, way=way), application(folder, way=way)
        ours.hear(first)
        other.hear(second)
        if way == "documented":
            ours.hear(third)
            assert other.game_date(first.date).known == {first.key, second.key, third.key}
        else:
            for _again in range(2):
                with pytest.raises(persistence.IntegrityError):
                    ours.hear(third)
        ours.close()
        other.close()


def test_a_workflow_a_message_stores_the_same_facts_and_completions(lines, aside, nba, tmp_path):
    pytest.importorskip("dbos", reason="the peers have an environment of their own: make bench")
    from benchmarks.peer_dbos import DbosJob

    few = lines[:20]
    agreed = stored(TipoffJob(nba, aside), few, tmp_path)

    refuse_disagreement("DBOS", stored(DbosJob(nba), few, tmp_path), agreed)


@pytest.mark.parametrize(
    "other", [Outcome(facts=2), Outcome(facts=1, completed=frozenset({"2026-01-05/raw/somebody"}))]
)
def test_a_job_that_stored_something_else_stops_the_benchmark(other):
    with pytest.raises(Disagreement):
        refuse_disagreement("other", other, Outcome(facts=1, completed=frozenset()))


def test_where_nothing_can_count_instructions_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="install the package valgrind"):
        counted.run()


def test_a_store_that_is_measured_lies_in_the_folder_it_was_told(nba, tmp_path: Path):
    stored(FloorJob(), [], tmp_path)

    assert list(tmp_path.glob("*/floor.sqlite"))
