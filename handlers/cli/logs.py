"""Log lines for machines: one JSON object on standard error for each decision that was stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO, cast

from events.catalogue import is_input, type_of
from events.codec import decode
from events.store import Commit, Store


def logged(store: Store, stream: TextIO) -> Store:
    """`store`, telling `stream` of every decision that an append made durable."""
    return cast("Store", _Logged(store, stream))


class _Logged:
    """A store that passes everything on and notes what was appended."""

    def __init__(self, store: Store, stream: TextIO) -> None:
        import structlog  # noqa: PLC0415 - takes a third of a second, which only those who log should pay

        self._store = store
        self._log = structlog.wrap_logger(
            structlog.PrintLogger(stream),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, commits: Sequence[Commit]) -> None:
        """See Store."""
        self._store.append(commits)
        for commit in commits:
            for sealed in commit.events:
                event = decode(sealed.body)
                if not is_input(event):
                    self._log.info(
                        type_of(event.data), stream=commit.stream, version=event.version, cause=event.causation
                    )
