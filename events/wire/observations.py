"""What other components asked for, did or noted (orchestration 2.5). It decides nothing here, but it belongs to the
record of its date: triggers and heal requests of others, replies, objects written, and progress inside predictions.

The families have no discriminator of their own, so they are known by their topic and by keys that only they carry.
"""

from __future__ import annotations

import re

from events.catalogue import Fact, ObservationRecorded, ProgressReported
from events.wire.counts import count
from events.wire.dates import SaidDate, resolve
from events.wire.inbound import Inbound
from events.wire.names import RUN_KEYS, take_run, text_of
from events.wire.rejected import Rejection
from events.wire.words import phase_of

TRIGGER_KEYS = frozenset({"run_aggregation", "export_types", "trigger_reason"})
HEAL_KEYS = frozenset(
    {"force", "force_heal", "skip_phase3", "backfill_mode", "missing_count", "expected_partition", "gap_type"}
)
"""Keys that only a request for work, or for repair, carries."""

_REQUEST_KEYS = TRIGGER_KEYS | HEAL_KEYS

HEALERS = frozenset({"auto_retry", "self_heal"})
"""Senders (`triggered_by`) whose every request is a repair."""

GAME_DATES_MAX = 31
"""Game dates that one gap report may name."""

_HANDOVER = re.compile(r"to_(phase[1-6])")
_PHASE_BY_KEY = {"export_types": "publishing", "run_aggregation": "grading", "scraper_name": "scrape"}


def observation(
    inbound: Inbound, kind: str, *, phase: str | None, wire_format: str, said_date: SaidDate | None = None
) -> Fact:
    """The fact that somebody did or noted something. Raises Rejection where no date is said."""
    body = inbound.body
    game_date, basis = said_date or inbound.take_date()
    run = next((run for key in RUN_KEYS if (run := text_of(body.get(key)))), None)
    occurred_at = inbound.take_instant()
    data = ObservationRecorded(
        kind=kind,
        phase=phase,
        topic=inbound.delivery.topic,
        wire_format=wire_format,
        date_basis=basis,
        flags=tuple(inbound.flags),
        extra=body,
    )
    return inbound.fact(f"{inbound.sport}/{game_date}", data, occurred_at, run)


def is_request(inbound: Inbound) -> bool:
    """True where a message asks for work."""
    kind, body = inbound.says.kind, inbound.body
    if kind in {"trigger", "heal"} or _healer(inbound):
        return True
    if kind == "complete" or "status" in body:
        return False
    return "triggered_by" in body or not body.keys().isdisjoint(_REQUEST_KEYS)


def _healer(inbound: Inbound) -> bool:
    sender = inbound.body.get("triggered_by")
    return type(sender) is str and sender in HEALERS


def request(inbound: Inbound) -> list[Fact]:
    """A phase was started, or a repair asked for, by somebody else. A gap report names many dates; each hears of it."""
    healing = inbound.says.kind == "heal" or _healer(inbound) or not inbound.body.keys().isdisjoint(HEAL_KEYS)
    kind = "heal_request" if healing else "trigger"
    phase = _asked_phase(inbound)
    if "game_dates" not in inbound.body:
        return [observation(inbound, kind, phase=phase, wire_format=kind)]
    return [
        observation(inbound.part(index, dict(inbound.body)), kind, phase=phase, wire_format=kind, said_date=said_date)
        for index, said_date in enumerate(_game_dates(inbound))
    ]


def _game_dates(inbound: Inbound) -> list[SaidDate]:
    said = inbound.body["game_dates"]
    if type(said) is not list or not 0 < len(said) <= GAME_DATES_MAX:
        raise Rejection("bad_game_date", f"`game_dates` must be a list of 1 to {GAME_DATES_MAX} dates")
    read = [resolve("game_dates", day, published_at=inbound.delivery.published_at, zone=inbound.zone) for day in said]
    return list(dict(read).items())


def _asked_phase(inbound: Inbound) -> str | None:
    """The phase that was asked for: the message's word, the topic's, or what the sender's name gives away."""
    body = inbound.body
    by_topic = inbound.says.phase if inbound.says.kind in {"trigger", "heal"} else None
    phase = phase_of(body.get("phase")) or by_topic
    if phase is not None:
        return phase
    sender = body.get("triggered_by")
    handed = _HANDOVER.search(sender) if type(sender) is str else None
    if handed is not None:
        return phase_of(handed[1])
    if sender == "phase4_timeout_check":
        return "predictions"
    return next((phase for key, phase in _PHASE_BY_KEY.items() if key in body), None)


def object_written(inbound: Inbound) -> Fact:
    """A scraped file appeared in the bucket: the notice of the bucket itself, or a path that says no more."""
    wire_format = "gcs_finalize" if "bucket" in inbound.body else "gcs_path"
    return observation(inbound, "object_written", phase="scrape", wire_format=wire_format)


def reply(inbound: Inbound) -> Fact:
    """The prediction coordinator answers how many requests it handed out."""
    return observation(inbound, "reply", phase="predictions", wire_format="reply")


def progress(inbound: Inbound) -> Fact:
    """A player's prediction was asked for, or made (`predictions_generated`)."""
    body = inbound.body
    made, form, wire_format = None, "prediction-request", "prediction_request"
    if "predictions_generated" in body:
        made = count("predictions_generated", body.pop("predictions_generated"), inbound.flags)
        form, wire_format = "prediction-ready", "prediction_ready"
    subject = text_of(body.get("player_lookup"))
    if subject is not None:
        del body["player_lookup"]
    game_date, basis = inbound.take_date()
    occurred_at = inbound.take_instant()
    run = take_run(body)
    data = ProgressReported(
        phase="predictions",
        published_name=form,
        subject=subject,
        count=made,
        run=run,
        wire_format=wire_format,
        date_basis=basis,
        flags=tuple(inbound.flags),
        extra=body,
    )
    return inbound.fact(f"{inbound.sport}/{game_date}", data, occurred_at, run)
