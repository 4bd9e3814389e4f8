"""What is recorded together makes the history that it makes alone, however it is cut into calls.

Within a call a state lacks what every event changes, which is written once for all of them (`statemachine/folded.py`).
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.memory import MemoryStore
from handlers.recorder import Recorder, Timed
from tests.histories import History, Played, play
from tests.test_laws import HISTORIES, LAW


def lived(history: History) -> tuple[Played, list[Timed]]:
    """`history` under its first definition, and all that was recorded meanwhile, ticks and answers included."""
    heard: list[Timed] = []
    record = Recorder.record

    def listening(recorder: Recorder, facts: list[Timed]) -> object:
        tally = record(recorder, facts)
        heard.extend(facts)
        return tally

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "record", listening)
        played = play(replace(history, definitions=history.definitions[:1] * len(history.definitions)))
    return played, heard


@LAW
@given(HISTORIES, st.integers(2, 100))
def test_what_is_recorded_together_makes_the_history_that_it_makes_alone(history: History, size: int):
    played, heard = lived(history)
    store = MemoryStore()
    recorder = Recorder(store, played.recorder.definitions)

    for start in range(0, len(heard), size):
        recorder.record(heard[start : start + size])

    assert sorted(store.streams()) == sorted(played.store.streams())
    for stream in store.streams():
        assert [stored.body for stored in store.read(stream)] == [stored.body for stored in played.store.read(stream)]
        assert store.head(stream) == played.store.head(stream)
