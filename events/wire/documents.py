"""State documents of older components: completion documents (one per phase and date, a map of processors) and heartbeat
documents (orchestration 3.1, 3.5; robustness 2.1).

In a completion document any key that does not begin with `_` was counted as a processor, an accident of naming; here an
entry is a processor only if it is an object.
"""

from __future__ import annotations

from typing import Any

from events.catalogue import BeatRecorded, Fact, MessageRejected
from events.said import Said
from events.values import Status
from events.wire.completions import completion, take_text
from events.wire.counts import count
from events.wire.dates import SaidDate, calendar_date
from events.wire.inbound import Inbound, put
from events.wire.instants import BEAT_KEYS, instant, note
from events.wire.names import take_name, take_run
from events.wire.observations import observation
from events.wire.rejected import Rejection, rejected, shown
from events.wire.words import is_running, next_phase, phase_of, status_of

ENTRIES_MAX = 200
"""Processors that one completion document may name; the largest list upstream ever had is 21."""


def completion_document(inbound: Inbound) -> list[Fact]:
    """A completion for each processor in the document and, where the document says that the next phase was triggered,
    that trigger. What it says about itself goes with the trigger, else with the first completion. An entry that cannot
    be understood is rejected alone; a run under two spellings of a name is one, and keeps the other spelling's entry.
    Raises Rejection for the document."""
    said_date = _document_date(inbound)
    phase = inbound.says.phase or phase_of(inbound.body.get("phase"))
    body = inbound.body
    entries = {name: entry for name, entry in body.items() if name[:1] != "_" and type(entry) is dict}
    about = {name: said for name, said in body.items() if name not in entries}
    triggered = about.get("_triggered") is True
    if not (entries or triggered) or len(entries) > ENTRIES_MAX:
        raise Rejection("unknown_shape", f"a completion document names 1 to {ENTRIES_MAX} processors, each an object")
    facts: dict[str, Fact] = {}
    around = {"document": about} if about and not triggered else {}
    for index, (name, entry) in enumerate(entries.items()):
        own_name = {key: entry[key] for key in ("processor_name",) if key in entry}
        part = inbound.part(index, {**entry, "processor_name": name}, {**own_name, **around})
        fact = _entry(part, phase, said_date)
        first = facts.setdefault(fact.id, fact)
        if first is not fact and isinstance(first.data, Said):
            put(first.data.extra, name, entry)
        elif not isinstance(fact.data, MessageRejected):
            around = {}
    if triggered:
        fact = _trigger(inbound.part(len(entries), about), phase, said_date)
        facts[fact.id] = fact
    return list(facts.values())


def _trigger(part: Inbound, phase: str | None, said_date: SaidDate) -> Fact:
    said = part.body.get("_triggered_at")
    part.said_at = instant(said, part.flags)
    if said is not None and part.said_at is None:
        note(part.flags, "bad_timestamp")
    return observation(part, "trigger", phase=next_phase(phase), wire_format="completion_document", said_date=said_date)


def _entry(part: Inbound, phase: str | None, said_date: SaidDate) -> Fact:
    try:
        return completion(part, "completion_document", phase=phase, said_date=said_date)
    except Rejection as rejection:
        return rejected(part.delivery, rejection, sport=part.sport, index=part.index)


def _document_date(inbound: Inbound) -> SaidDate:
    name = inbound.says.document
    if not name:
        return inbound.take_date()
    day = calendar_date(name)
    if day is None:
        raise Rejection("bad_game_date", f"the document is named {shown(name)}: its name must be a date, YYYY-MM-DD")
    return day, "document"


def heartbeat(inbound: Inbound, wire_format: str = "heartbeat") -> Fact:
    """A processor is alive, or says its last word: `ended` is the final status. Raises Rejection."""
    body, flags = inbound.body, inbound.flags
    game_date, basis = inbound.take_date()
    name = take_name(body)
    run = take_run(body)
    ended = _take_ended(body)
    phase = phase_of(body["phase"]) if "phase" in body else None
    if phase is not None:
        del body["phase"]
    beat_at = inbound.take_instant(BEAT_KEYS, "last_heartbeat")
    progress = count("progress", body.pop("progress", None), flags)
    total = count("total", body.pop("total", None), flags)
    data = BeatRecorded(
        phase=phase,
        published_name=name,
        beat_at=beat_at,
        run=run,
        progress=progress,
        total=total,
        message=take_text(body, "status_message" if body.get("status_message") else "message"),
        ended=ended,
        wire_format=wire_format,
        date_basis=basis,
        flags=tuple(flags),
        extra=body,
    )
    stream = f"{inbound.sport}/{game_date}/pulse"
    return inbound.fact(stream, data, beat_at, run)


def _take_ended(body: dict[str, Any]) -> Status | None:
    """The final status, None where the run goes on. A word that is not Tipoff's own stays in `body`. Raises Rejection
    `bad_status`."""
    word = body.get("status")
    if word is None or is_running(word):
        return None
    ended = status_of(word)
    if ended is None:
        raise Rejection("bad_status", f"status {shown(word)}: give `status`: running, completed or failed")
    if ended == word:
        del body["status"]
    return ended
