"""Log lines for machines: JSON objects on standard error, one for each decision that was stored and, where a service
runs, one for each request and whatever else happens in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO, cast

from events.catalogue import is_input, type_of
from events.codec import decode
from events.store import Commit, Store


def logged(store: Store, stream: TextIO) -> Store:
    """`store`, telling `stream` of every decision that an append made durable."""
    return cast("Store", _Logged(store, stream))


@contextmanager
def json_lines(stream: TextIO, *, everything: bool) -> Iterator[None]:
    """For the time of a `with` statement, whatever this process logs goes to `stream` as JSON lines: everything, or
    warnings and errors alone. `severity` is what Google's logging reads."""
    import structlog  # noqa: PLC0415 - takes a third of a second, which only those who log should pay

    level = logging.INFO if everything else logging.WARNING
    structlog.configure(
        processors=_processors(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    handler = _Forwarded(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        structlog.reset_defaults()


def _processors() -> list[Any]:
    import structlog  # noqa: PLC0415 - see above

    return [
        structlog.processors.add_log_level,
        _severity,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=str),
    ]


def _severity(_logger: Any, _method: str, event: Any) -> Any:
    event["severity"] = str(event["level"]).upper()
    return event


class _Forwarded(logging.Handler):
    """Passes on what libraries log in their own way."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        import structlog  # noqa: PLC0415 - see above

        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


class _Logged:
    """A store that passes everything on and notes what was appended."""

    def __init__(self, store: Store, stream: TextIO) -> None:
        import structlog  # noqa: PLC0415 - see above

        self._store = store
        self._log = structlog.wrap_logger(structlog.PrintLogger(stream), processors=_processors())

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
