"""Rows of the warehouse's ledgers, as somebody exports them (orchestration 5.1; robustness 7.3): workflow decisions,
postponements, gate evaluations and log lines of the older system."""

from __future__ import annotations

from typing import Any, Literal

from events.catalogue import Fact, SchedulePublished, WorkflowDecided
from events.values import Game
from events.wire.completions import completion, take_text
from events.wire.dates import SaidDate, resolve
from events.wire.inbound import Inbound
from events.wire.instants import NOTED_KEYS
from events.wire.names import text_of
from events.wire.observations import observation
from events.wire.rejected import Rejection, shown
from events.wire.words import phase_of

Action = Literal["RUN", "SKIP", "ABORT"]

ACTIONS: dict[str, Action] = {"RUN": "RUN", "SKIP": "SKIP", "ABORT": "ABORT"}

CONFIRMED = frozenset({None, "", "confirmed", "resolved"})
"""States of a postponement row in which the schedule really changed; any other is a suspicion, and only noted."""

LEGACY_EVENTS = {"raw_data_loaded": ("legacy_raw", "raw"), "analytics_complete": ("legacy_analytics", "analytics")}
"""`event_type` of the oldest completions: format and phase."""


def workflow_decision(inbound: Inbound, wire_format: str = "workflow_decision") -> Fact:
    """The controller decided about a workflow; it concerns a sport, not a date, and so has no basis of one. An action
    in other letters than Tipoff's stays in `extra`, too. Raises Rejection."""
    body = inbound.body
    workflow = _take_workflow(body)
    said = body.get("action")
    action = ACTIONS.get(said.upper()) if type(said) is str else None
    if action is None:
        raise Rejection("bad_action", f"`action` is {shown(said)}: give one of {', '.join(ACTIONS)}")
    if workflow is None:
        raise Rejection("no_processor", "no workflow: give `workflow_name`")
    if action == said:
        del body["action"]
    reason = take_text(body, "reason") or ""
    occurred_at = inbound.take_instant(NOTED_KEYS)
    data = WorkflowDecided(
        workflow=workflow,
        action=action,
        reason=reason,
        wire_format=wire_format,
        date_basis="",
        flags=tuple(inbound.flags),
        extra=body,
    )
    return inbound.fact(f"{inbound.sport}/control", data, occurred_at, text_of(body.get("decision_id")))


def _take_workflow(body: dict[str, Any]) -> str | None:
    for key in ("workflow_name", "workflow"):
        workflow = text_of(body.get(key))
        if workflow is not None:
            del body[key]
            return workflow
    return None


def postponement(inbound: Inbound) -> list[Fact]:
    """A game left its date: two partial schedules, one for the date it left and one for the date it went to. What is
    not confirmed changes no schedule and is noted. Raises Rejection."""
    body = inbound.body
    left = _date(inbound, "original_date")
    status = body.get("status")
    if not (status is None or type(status) is str) or status not in CONFIRMED:
        return [observation(inbound, "pipeline_event", phase=None, wire_format="postponement", said_date=left)]
    game_id = text_of(body.get("game_id"))
    if game_id is None:
        raise Rejection("no_game_id", "no game: give `game_id`")
    del body["game_id"]
    went = None if body.get("new_date") is None else _date(inbound, "new_date")
    if went is not None and went[0] == left[0]:
        raise Rejection("bad_game_date", f"`new_date` and `original_date` are both {left[0]}: give the date it went to")
    gone = Game(game_id=game_id, status="postponed")
    if went is not None:
        gone = Game(game_id=game_id, status="moved", moved_to=went[0])
    games = [(left, gone)]
    if went is not None:
        games.append((went, Game(game_id=game_id)))
    occurred_at = inbound.take_instant(("confirmed_at", "detected_at"))
    facts = []
    for index, ((day, basis), game) in enumerate(games):
        part = inbound.part(index, dict(body))
        data = SchedulePublished(
            games=(game,),
            partial=True,
            as_of=occurred_at,
            source=_source(body),
            wire_format="postponement",
            date_basis=basis,
            flags=tuple(inbound.flags),
            extra=part.body,
        )
        facts.append(part.fact(f"{inbound.sport}/{day}", data, occurred_at))
    return facts


def _source(body: dict[str, Any]) -> str:
    said = [text for key in ("detection_source", "reason") if type(text := body.get(key)) is str]
    return ": ".join(["postponement", *said])


def _date(inbound: Inbound, key: str) -> SaidDate:
    return resolve(key, inbound.body.get(key), published_at=inbound.delivery.published_at, zone=inbound.zone)


def ledger_row(inbound: Inbound) -> Fact | None:
    """A gate evaluation, a phase's execution or a log line of the older system; None where the body is no such row."""
    body = inbound.body
    event_type = body.get("event_type")
    if type(event_type) is str and event_type in LEGACY_EVENTS:
        wire_format, phase = LEGACY_EVENTS[event_type]
        return completion(inbound, wire_format, phase=phase)
    kind = _row_kind(body)
    if kind is None:
        return None
    phase_word = body.get("phase") if body.get("phase_name") is None else body["phase_name"]
    return observation(inbound, kind, phase=phase_of(phase_word), wire_format=f"row_{kind}")


def _row_kind(body: dict[str, Any]) -> str | None:
    if "phase_name" in body:
        return "gate_evaluation" if "is_valid" in body else "phase_execution"
    if "event_type" in body or "next_retry_at" in body:
        return "pipeline_event"
    return None
