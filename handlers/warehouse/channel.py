"""Probes as a way out: commands of kind `measure` are answered by the warehouse, and the answer comes back as a fact.

An error never becomes a number, and silence never stays: a query that fails is a measure with an error, at once. A
warehouse that cannot be reached says nothing about any number, so the command is tried again; once the gate's own
`measure_timeout_minutes` have passed since the first try, its measures are told as errors that name the outage. The
gate has stopped waiting by then, and asks anew when it looks at its block again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from events.catalogue import CommandRequested, Fact, MeasuresObserved
from events.codec import derive_id
from events.store import Pending
from events.values import Measure
from handlers.dispatch import Answer, PermanentFailure, Sent, TransientFailure
from handlers.warehouse.engine import Query, Warehouse, WarehouseError
from handlers.warehouse.queries import queries_for
from statemachine.definition import Definition
from statemachine.streams import date_stream
from statemachine.validator import VALIDATE

TOPICS = ("probe:", VALIDATE)
"""How the topics begin by which boundaries, and tables for their validators, are to be measured."""

TIMEOUT_MINUTES = 10
"""How long a boundary that is no gate of the definition is tried for."""


class Asked(Struct, frozen=True, kw_only=True):
    """The payload of a command of kind `measure`."""

    sport: str
    game_date: date
    boundary: str
    measures: tuple[str, ...]


class _Question(Struct, frozen=True, kw_only=True):
    """A command, understood, with what to ask for each of its measures."""

    command: CommandRequested
    asked: Asked
    definition: Definition
    queries: dict[str, Query | Measure]


def takes(command: CommandRequested) -> bool:
    """True for the commands that this channel answers."""
    return command.kind == "measure" and command.topic.startswith(TOPICS)


def job_id(command: CommandRequested) -> str:
    """The id under which the warehouse knows the command; that of a query has its measure behind it."""
    return f"tipoff-probe-{command.command_id}"


class ProbeChannel:
    """A Channel (`handlers/dispatch.py`) that measures. `clock` says since when a warehouse is away."""

    def __init__(
        self, warehouse: Warehouse, definitions: Mapping[str, Definition], clock: Callable[[], datetime]
    ) -> None:
        self._warehouse = warehouse
        self._definitions = definitions
        self._clock = clock
        self._away_since: dict[str, datetime] = {}

    def send(self, batch: list[Pending]) -> list[Answer]:
        """Measure what the batch asks for. One command's failure is no other's; a warehouse that is away is not asked
        again for the rest."""
        answers: list[Answer] = []
        away: WarehouseError | None = None
        for question in [self._understood(pending.command) for pending in batch]:
            if isinstance(question, PermanentFailure):
                answers.append(question)
                continue
            measures: dict[str, Measure] = {}
            try:
                measures = measured(self._warehouse, question.queries) if away is None else {}
            except WarehouseError as error:
                away = error
            answers.append(self._told(question, measures) if away is None else self._untold(question, away))
        return answers

    def _understood(self, command: CommandRequested) -> _Question | PermanentFailure:
        try:
            asked = msgspec.convert(command.payload, Asked)
        except msgspec.ValidationError as error:
            return PermanentFailure(f"the payload asks for nothing that can be measured: {error}")
        definition = self._definitions.get(asked.sport)
        if definition is None:
            return PermanentFailure(f"no definition of {asked.sport} is loaded: start with one (--definition)")
        queries = queries_for(definition, asked.measures, asked.game_date, job_id=job_id(command))
        return _Question(command=command, asked=asked, definition=definition, queries=queries)

    def _untold(self, question: _Question, away: WarehouseError) -> Answer:
        if not self._over(question):
            return TransientFailure(str(away))
        return self._told(question, {name: Measure(error=str(away)) for name in question.queries})

    def _told(self, question: _Question, measures: dict[str, Measure]) -> Sent:
        self._away_since.pop(question.command.command_id, None)
        return Sent(message_id=job_id(question.command), facts=(self._fact(question, measures),))

    def _over(self, question: _Question) -> bool:
        """True once the gate does not wait for this answer any more."""
        gate = question.definition.gate_of.get(question.asked.boundary)
        minutes = TIMEOUT_MINUTES if gate is None else gate.measure_timeout_minutes
        now = self._clock()
        return now - self._away_since.setdefault(question.command.command_id, now) >= timedelta(minutes=minutes)

    def _fact(self, question: _Question, measures: dict[str, Measure]) -> Fact:
        command, asked = question.command, question.asked
        source = self._warehouse.name.partition(":")[0]
        return Fact(
            stream=date_stream(asked.sport, asked.game_date.isoformat()),
            id=derive_id("measured", command.command_id),
            occurred_at=self._clock(),
            correlation=command.command_id,
            data=MeasuresObserved(boundary=asked.boundary, measures=measures, source=f"probe:{source}"),
            actor="probe",
        )


def measured(warehouse: Warehouse, queries: Mapping[str, Query | Measure]) -> dict[str, Measure]:
    """What became of each question: a value or an error. Raises WarehouseUnavailable."""
    asked = {name: query for name, query in queries.items() if isinstance(query, Query)}
    answers: dict[str, Any] = dict(zip(asked, warehouse.measure(list(asked.values())), strict=True))
    return {name: query if isinstance(query, Measure) else answers[name] for name, query in queries.items()}
