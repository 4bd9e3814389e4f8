"""State documents of older components: completion documents (one per phase and date, a map of processors) and heartbeat
documents (orchestration 3.1, 3.5; robustness 2.1).

In a completion document any key that does not begin with `_` was counted as a processor, an accident of naming; here an
entry is a processor only if it is an object.
"""

from __future__ import annotations

from typing import Any

from events.catalogue import BeatRecorded, Fact
from events.wire.completions import completion
from events.wire.counts import count
from events.wire.dates import Said, calendar_date
from events.wire.inbound import Inbound
from events.wire.instants import instant
from events.wire.names import take_name, take_run
from events.wire.observations import observation
from events.wire.rejected import Rejection, rejected, shown
from events.wire.words import is_running, next_phase, phase_of, status_of

ENTRIES_MAX = 200
"""Processors that one completion document may name; the largest list upstream ever had is 21."""

_MARKS = ("_completed_count", "_triggered", "_first_completion_at")


def is_completion_document(inbound: Inbound) -> bool:
    """True for the document of a phase and date, by its collection or by its own keys."""
    return inbound.says.kind == "document" or any(mark in inbound.body for mark in _MARKS)


def completion_document(inbound: Inbound) -> list[Fact]:
    """A completion for each processor in the document and, where the document says that the next phase was triggered,
    that trigger. An entry that cannot be understood is rejected alone. Raises Rejection for the document."""
    said_date = _document_date(inbound)
    phase = inbound.says.phase or phase_of(inbound.body.get("phase"))
    body = inbound.body
    entries = {name: entry for name, entry in body.items() if name[:1] != "_" and type(entry) is dict}
    about = {name: said for name, said in body.items() if name not in entries}
    triggered = about.get("_triggered") is True
    if not (entries or triggered) or len(entries) > ENTRIES_MAX:
        raise Rejection("unknown_shape", f"a completion document names 1 to {ENTRIES_MAX} processors, each an object")
    facts = []
    for index, (name, entry) in enumerate(entries.items()):
        kept = {} if triggered else {"document": about}
        part = inbound.part(index, {"processor_name": name, **entry, **kept})
        facts.append(_entry(part, phase, said_date))
    if triggered:
        part = inbound.part(len(entries), {**about, "triggered_at": about.get("_triggered_at")})
        facts.append(
            observation(
                part,
                "trigger",
                phase=next_phase(phase),
                wire_format="completion_document",
                said_date=said_date,
            )
        )
    return facts


def _entry(part: Inbound, phase: str | None, said_date: Said) -> Fact:
    try:
        return completion(part, "completion_document", phase=phase, said_date=said_date)
    except Rejection as rejection:
        return rejected(part.delivery, rejection, sport=part.sport, index=part.index)


def _document_date(inbound: Inbound) -> Said:
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
    word = body.get("status")
    ended = None if word is None or is_running(word) else status_of(word)
    if word is not None and ended is None and not is_running(word):
        raise Rejection("bad_status", f"status {shown(word)}: give `status`: running, completed or failed")
    beat_at = instant(body.get("last_heartbeat"), flags) or inbound.take_instant(("updated_at",))
    data = BeatRecorded(
        phase=phase_of(body.get("phase")),
        published_name=name,
        beat_at=beat_at,
        run=run,
        progress=count("progress", body.get("progress"), flags),
        total=count("total", body.get("total"), flags),
        message=_text(body, "status_message") or _text(body, "message"),
        ended=ended,
        wire_format=wire_format,
        date_basis=basis,
    )
    stream = f"{inbound.sport}/{game_date}/pulse"
    return inbound.fact(stream, data, occurred_at=beat_at, correlation=inbound.take_correlation(run))


def _text(body: dict[str, Any], key: str) -> str | None:
    said = body.get(key)
    return said if type(said) is str else None
