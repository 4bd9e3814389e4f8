"""The deadlines of a date: whoever asks for the first alone is told the same as whoever asks for all."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given

from events.catalogue import Fact, Ticked
from statemachine.coming import Deadline
from statemachine.deadlines import deadlines, first_due, next_deadline
from statemachine.definition import Definition
from statemachine.state import DateState
from statemachine.turn import Turn
from tests.histories import History, play
from tests.test_laws import HISTORIES, LAW, turns


@LAW
@given(HISTORIES)
def test_the_next_deadline_is_that_of_the_first_of_all_and_a_tick_acts_on_the_first_that_is_due(history: History):
    played = play(history)

    for _before, events, after, definition in turns(played, history.stream):
        ahead = deadlines(after, definition)
        recorded_at = events[-1].recorded_at

        assert ahead == sorted(ahead)
        assert not {name for _at, name in ahead} & set(after.elapsed)
        assert next_deadline(after, definition) == (ahead[0][0] if ahead else None)
        for now in {max(recorded_at, at) for at in (recorded_at, *(at for at, _name in ahead[:1] + ahead[-1:]))}:
            assert _acted_on(after, definition, now) == next((item for item in ahead if item[0] <= now), None)


def _acted_on(state: DateState, definition: Definition, now: datetime) -> Deadline | None:
    """What a tick at `now` would act on first."""
    tick = Fact(stream=state.stream, id="tick", occurred_at=now, correlation="tick", data=Ticked(now=now))
    return first_due(Turn(state, tick, now, definition))
