"""Dispatch: commands leave the outbox here, and what became of each comes back in as a fact.

A command is confirmed only after its channel took it; a crash in between sends it again under the same id. Channels:
`FileChannel` (the embedded home: one JSON line a command, on disk before it is confirmed).
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Protocol

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


class Channel(Protocol):
    """Where commands go. Implementations: `FileChannel`."""

    def send(self, batch: list[Pending]) -> list[str | PermanentFailure | TransientFailure]:
        """Send `batch`; the answers stand in its order: the channel's message id, or why it was not taken."""


class FileChannel:
    """Appends each command as one JSON line to a file, synced before it is confirmed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")

    def send(self, batch: list[Pending]) -> list[str | PermanentFailure | TransientFailure]:
        """Write the batch; the message id is the command's own."""
        try:
            for pending in batch:
                self._file.write(encode(pending.command) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            return [TransientFailure(f"{self.path}: {error.strerror}") for _ in batch]
        return [f"file:{pending.command.command_id}" for pending in batch]

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._file.close()


def dispatch(recorder: Recorder, channel: Channel, now: datetime) -> Tally:
    """Send what is pending and record what became of it, until the outbox is empty, a send fails for now, or nothing
    new is learned."""
    total = Tally()
    while batch := recorder.store.pending(BATCH_MAX):
        answers = channel.send(batch)
        facts = [_answer(pending, answer, now) for pending, answer in zip(batch, answers, strict=True)]
        tally = recorder.record([(fact, now) for fact in facts])
        total.add(tally)
        if tally.accepted == 0 or any(isinstance(answer, TransientFailure) for answer in answers):
            return total
    return total


def _answer(pending: Pending, answer: str | PermanentFailure | TransientFailure, now: datetime) -> Fact:
    command = pending.command
    data: CommandPublished | CommandFailed
    if isinstance(answer, str):
        data, what = CommandPublished(command_id=command.command_id, message_id=answer), "published"
    else:
        permanent = isinstance(answer, PermanentFailure)
        data = CommandFailed(command_id=command.command_id, error=str(answer), permanent=permanent)
        what = "refused" if permanent else "failed"
    return Fact(
        stream=pending.stream,
        id=derive_id("answer", command.command_id, command.attempt, what, now.isoformat()),
        occurred_at=now,
        correlation=command.command_id,
        data=data,
        actor="dispatch",
    )
