"""The deadlines of a date: whoever asks for the first alone is told the same as whoever asks for all; and which of
them a tick may act on without asking again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from hypothesis import given

from events.catalogue import Fact, Ticked
from statemachine.coming import Deadline
from statemachine.deadlines import deadlines, due_now, elapse, next_deadline
from statemachine.definition import Definition
from statemachine.state import DateState
from statemachine.turn import Turn
from tests.histories import History, play
from tests.test_laws import HISTORIES, LAW, turns


@LAW
@given(HISTORIES)
def test_the_next_deadline_is_that_of_the_first_of_all_and_a_tick_acts_on_those_that_are_due(history: History):
    for after, definition, ahead, instants in _moments(history):
        assert ahead == sorted(ahead)
        assert not {name for _at, name in ahead} & set(after.elapsed)
        assert next_deadline(after, definition) == (ahead[0][0] if ahead else None)
        for now in instants:
            assert due_now(_tick(after, definition, now)) == [item for item in ahead if item[0] <= now]


@LAW
@given(HISTORIES)
def test_a_deadline_after_which_no_other_is_said_to_have_changed_has_changed_none(history: History):
    for after, definition, ahead, instants in _moments(history):
        for now in instants:
            for deadline in due_now(_tick(after, definition, now)):
                turn = _tick(after, definition, now)
                if not elapse(turn, deadline):
                    about = deadline[1].split(":")[:2]
                    assert _others(deadlines(turn.state, definition), about) == _others(ahead, about)
                    assert not [item for item in due_now(turn) if item[1].split(":")[:2] == about]


def _moments(history: History) -> Iterator[tuple[DateState, Definition, list[Deadline], set[datetime]]]:
    """Every third state of a date, what is ahead of it, and instants at which to look: now, the first and the last."""
    for _before, events, after, definition in islice(turns(play(history), history.stream), None, None, 3):
        ahead = deadlines(after, definition)
        yield after, definition, ahead, _instants(ahead, events[-1].recorded_at)


def _instants(ahead: list[Deadline], recorded_at: datetime) -> set[datetime]:
    return {max(recorded_at, at) for at in (recorded_at, *(at for at, _name in ahead[:1] + ahead[-1:]))}


def _tick(state: DateState, definition: Definition, now: datetime) -> Turn:
    tick = Fact(stream=state.stream, id="tick", occurred_at=now, correlation="tick", data=Ticked(now=now))
    return Turn(state, tick, now, definition)


def _others(found: list[Deadline], about: list[str]) -> list[Deadline]:
    return [item for item in found if item[1].split(":")[:2] != about]
