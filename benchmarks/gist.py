"""What a peer needs to know of a message, got as cheaply as it can be; every peer is given the same.

Tipoff does not use this; it reads messages through `events.wire`, which takes nothing on trust.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from benchmarks.messages import PHASES
from statemachine.definition import Definition

PHASE_OF_WORD = {word: phase for phase, (word, _topic, _dataset) in PHASES.items()}
COUNTING = frozenset({"success", "partial"})


class _Message(Struct):
    messageId: str  # noqa: N815 - the broker's spelling
    publishTime: str  # noqa: N815
    attributes: dict[str, str]
    data: bytes


class Envelope(Struct):
    """A line of a recording, its body still bytes."""

    topic: str
    message: _Message


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_body = msgspec.json.Decoder().decode


class Gist(NamedTuple):
    """`key` is the same for every delivery of the same fact; `completes` is the phase and processor that a message
    completes, or None."""

    date: str
    key: str
    completes: tuple[str, str] | None
    body: str


def names_of(definition: Definition) -> dict[tuple[str, str], str]:
    """The processor behind each published name."""
    return {
        (processor.phase, name): processor.name for processor in definition.processors for name in processor.known_as
    }


def gist(line: bytes, names: dict[tuple[str, str], str]) -> Gist:
    """The gist of a line."""
    envelope = decode_envelope(line)
    message = envelope.message
    body: dict[str, Any] = decode_body(message.data)
    date = body.get("game_date") or body.get("target_date") or body["data_date"]
    text = message.data.decode()
    phase = PHASE_OF_WORD.get(body.get("phase", ""))
    run, name = body.get("execution_id"), body.get("processor_name", "")
    key = message.messageId if run is None else f"{body['phase']}/{name}/{run}/{body.get('status', 'started')}"
    completes = None
    if phase is not None and body["status"] in COUNTING and body.get("record_count") != 0:
        completes = (phase, names[phase, name])
    return Gist(date, key, completes, text)
