"""The recorder's memory of ids: a yes is always true, the latest are always known, and it does not grow without end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import Fact, ProgressReported
from events.memory import MemoryStore
from handlers import definitions
from handlers.recent_ids import RecentIds
from handlers.recorder import Recorder
from statemachine.calendar import midnight_ending
from statemachine.state import RECENT_INPUTS_MAX

BATCHES = st.lists(st.lists(st.integers(0, 10_000).map(str), max_size=7), max_size=40)


@given(batches=BATCHES, generation=st.integers(1, 20))
def test_what_is_known_was_stored_and_the_last_generation_is_known(batches, generation):
    recent = RecentIds(generation_ids=generation)
    stored: list[str] = []

    for batch in batches:
        recent.update(batch)
        stored += batch

    latest = list(dict.fromkeys(reversed(stored)))[:generation]
    assert recent.among(latest) == set(latest)
    assert not recent.among([f"never {id}" for id in stored])
    known = recent.among(stored)
    assert len(known) < 2 * generation + 2 * max((len(batch) for batch in batches), default=1)


def test_a_fact_is_known_again_after_the_state_and_before_the_store_would_say_so():
    definition = definitions.load("nba")
    now = midnight_ending("2026-01-16", definition.timezone)
    facts = [
        Fact(
            stream="nba/2026-01-16",
            id=f"fact-{number}",
            occurred_at=now,
            correlation="c",
            data=ProgressReported(phase="predictions", published_name="prediction-ready"),
        )
        for number in range(RECENT_INPUTS_MAX + 2)
    ]
    recorder = Recorder(MemoryStore(), {"nba": definition})
    for fact in facts:
        recorder.record([(fact, now)])
    version = recorder.state("nba/2026-01-16").version

    assert facts[0].id not in recorder.state("nba/2026-01-16").recent
    assert recorder.record([(facts[0], now)]).duplicate == 1
    assert recorder.state("nba/2026-01-16").version == version
