"""Dispatch: commands leave the outbox here, and what became of each comes back in as a fact.

A command is confirmed only after its channel took it; a crash in between sends it again under the same id. A channel is
one way out: a file (`FileChannel`), Pub/Sub topics, the probes of a warehouse, HTTP services, Slack. `dispatch` empties
the outbox once; `handlers/dispatcher.py` keeps it empty while a service runs.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from events.catalogue import CommandFailed, CommandPublished, Fact
from events.codec import derive_id, encode
from events.store import Pending
from handlers.recorder import Recorder, Tally

BATCH_MAX = 500
"""Commands taken from the outbox at a time."""


class PermanentFailure(Exception):
    """The channel refuses this command and always will; retrying cannot help."""


class TransientFailure(Exception):
    """The channel could not take the command now."""


class Held(TransientFailure):
    """The command is not to be sent yet, because somebody said so; nothing is wrong with the channel."""


class Sent(Struct, frozen=True, kw_only=True):
    """The channel took the command, as `message_id`. `facts` is what it learned thereby: the measures of a probe."""

    message_id: str
    facts: tuple[Fact, ...] = ()


Answer = Sent | PermanentFailure | TransientFailure


class Channel(Protocol):
    """A way out. `send` is called by one thread at a time and never raises: what goes wrong is an answer."""

    def send(self, batch: list[Pending]) -> list[Answer]:
        """Send `batch`; the answers stand in its order."""


class FileChannel:
    """Appends each command as one JSON line to a file, synced before it is confirmed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")

    def send(self, batch: list[Pending]) -> list[Answer]:
        """Write the batch; the message id is the command's own."""
        try:
            for pending in batch:
                self._file.write(encode(pending.command) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            return [TransientFailure(f"{self.path}: {error.strerror}") for _ in batch]
        return [Sent(message_id=f"file:{pending.command.command_id}") for pending in batch]

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._file.close()


def dispatch(recorder: Recorder, channel: Channel, now: datetime) -> Tally:
    """Send what is pending and record what became of it, until the outbox is empty, a send fails for now, or nothing
    new is learned."""
    total = Tally()
    while batch := recorder.store.pending(BATCH_MAX):
        answers = channel.send(batch)
        facts = [fact for sent in zip(batch, answers, strict=True) for fact in learned(*sent, now)]
        tally = recorder.record([(fact, now) for fact in facts])
        total.add(tally)
        if tally.accepted == 0 or any(isinstance(answer, TransientFailure) for answer in answers):
            return total
    return total


def learned(pending: Pending, answer: Answer, now: datetime) -> list[Fact]:
    """What an answer tells: first what the channel learned, then what became of the command. The same failure of the
    same command is the same fact, so that a channel which stays broken fills no history."""
    command = pending.command
    data: CommandPublished | CommandFailed
    facts: tuple[Fact, ...] = ()
    if isinstance(answer, Sent):
        facts = answer.facts
        data = CommandPublished(command_id=command.command_id, message_id=answer.message_id)
        key = ("published", now.isoformat())
    else:
        permanent = isinstance(answer, PermanentFailure)
        data = CommandFailed(command_id=command.command_id, error=str(answer), permanent=permanent)
        key = ("refused" if permanent else "failed", str(answer))
    told = Fact(
        stream=pending.stream,
        id=derive_id("answer", command.command_id, str(command.attempt), *key),
        occurred_at=now,
        correlation=command.command_id,
        data=data,
        actor="dispatch",
    )
    return [*facts, told]
