"""The file of a SQLite store: made whole or not at all, opened only if it is ours, its errors told apart.

What SQLite says in result codes becomes StoreUnavailable (cannot be read or written now) or CorruptStore (is not what
was written), each with what to do next.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from events.store import CorruptStore, StoreError, StoreUnavailable

APPLICATION_ID = 0x7469706F
"""Marks a SQLite file as a Tipoff store: "tipo" in ASCII."""

SCHEMA_VERSION = 4

SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
CREATE TABLE heads(
    number INTEGER PRIMARY KEY, stream TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, hash TEXT NOT NULL,
    next_deadline INTEGER, state BLOB NOT NULL
);
CREATE INDEX deadlines ON heads(next_deadline, stream) WHERE next_deadline IS NOT NULL;
CREATE TABLE events(
    position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, version INTEGER NOT NULL, packed BLOB NOT NULL,
    UNIQUE(stream, version)
);
CREATE TABLE fresh_ids(position INTEGER PRIMARY KEY, ids TEXT NOT NULL);
CREATE TABLE ids(id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE outbox(
    position INTEGER PRIMARY KEY, command_id TEXT NOT NULL UNIQUE, stream INTEGER NOT NULL, body BLOB NOT NULL
);
"""
"""`events.stream` and `outbox.stream` are `heads.number`; `next_deadline` is in microseconds since 1970 in UTC; a row
of `events` bears the position and the version of the last event in it (events/sqlite_rows.py); `fresh_ids` has the ids
of an append as a JSON array, at the position of its first event."""

CACHE_KIB = 65_536
CHECKPOINT_PAGES = 4_000
WAL_BYTES_KEPT = 64 * 1024 * 1024

_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: ("another process is writing to it", "Stop the other writer, or retry when it is done."),
    sqlite3.SQLITE_LOCKED: ("another connection has locked it", "Retry when it is done."),
    sqlite3.SQLITE_READONLY: (
        "it cannot be written",
        "Give this user write access to the file and its directory (reading needs it too), or copy the store.",
    ),
    sqlite3.SQLITE_FULL: ("the disk is full", "Free some space and retry; nothing was half-written."),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "Check that the directory is there and that this user may read and write the file and its directory.",
    ),
    sqlite3.SQLITE_PERM: ("access is denied", "Give this user access to the file and its directory."),
    sqlite3.SQLITE_IOERR: ("the disk failed", "Check the disk and its free space, then run `verify`."),
}
_CORRUPT = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CONSTRAINT,  # the appends check first, so only rows that should not be there can break one
    sqlite3.SQLITE_ERROR,  # the statements are fixed, so it is a table that is missing
)


def name_of(path: Path) -> str:
    """The store as the command line names it."""
    return f"sqlite:{path}"


SqliteError = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite and its binding raise; the latter where damage has reached a message of SQLite's."""


def explain(error: sqlite3.Error | UnicodeDecodeError, *, store: str) -> StoreError:
    """The error of ours that says what `error` means for the operator."""
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, UnicodeDecodeError) or code is None:
        return CorruptStore(store=store, reason=str(error))  # text that is not UTF-8
    primary = code & 0xFF
    if primary in _CORRUPT:
        return CorruptStore(store=store, reason=str(error))
    if primary in _UNAVAILABLE:
        reason, next_step = _UNAVAILABLE[primary]
        return StoreUnavailable(store=store, reason=f"{reason} ({error.sqlite_errorname})", next_step=next_step)
    return StoreUnavailable(store=store, reason=f"{error} ({error.sqlite_errorname})")


def connect(path: Path, *, create: bool, read_only: bool, busy_seconds: float) -> sqlite3.Connection:
    """A connection to the store in `path`, checked and set up. Raises StoreUnavailable, CorruptStore."""
    store = name_of(path)
    try:
        _find(path, create=create and not read_only)
        connection = _connection(path, mode="ro" if read_only else "rw", busy_seconds=busy_seconds)
        try:
            _refuse_foreign(connection, store=store)
            _set_up(connection, store=store, read_only=read_only)
        except BaseException:
            connection.close()
            raise
    except SqliteError as error:
        raise explain(error, store=store) from error
    except OSError as error:
        reason, next_step = f"{error.strerror} ({error.filename})", "Check the path and the rights of this user."
        raise StoreUnavailable(store=store, reason=reason, next_step=next_step) from error
    return connection


def _connection(path: Path, *, mode: str, busy_seconds: float) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False)


def _find(path: Path, *, create: bool) -> None:
    """Make sure that a whole file is there; a store that was cut to nothing must not pass for a new one."""
    if not path.parent.is_dir():
        next_step = f"Create it (mkdir -p {path.parent}) or name another path."
        raise StoreUnavailable(store=name_of(path), reason="its directory does not exist", next_step=next_step)
    if not path.exists():
        if not create:
            next_step = "Check the path; `ingest` and `season open` create a store."
            raise StoreUnavailable(store=name_of(path), reason="there is no such file", next_step=next_step)
        make(path)
    elif path.is_file() and path.stat().st_size == 0:
        reason = "the file is empty, and a store never is (if nothing was ever stored in it, delete it)"
        raise CorruptStore(store=name_of(path), reason=reason)


def make(path: Path) -> None:
    """Make an empty store in `path` unless there is one. It is built beside and moved there in one step, so that no
    crash and no second process ever meets half a store."""
    with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        unfinished = Path(folder) / path.name
        with closing(_connection(unfinished, mode="rwc", busy_seconds=0)) as connection:
            connection.executescript(f"PRAGMA synchronous = FULL; BEGIN; {SCHEMA} COMMIT; PRAGMA journal_mode = WAL;")
        with suppress(FileExistsError):  # another process was faster, and its store is as good
            path.hardlink_to(unfinished)


def _refuse_foreign(connection: sqlite3.Connection, *, store: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        next_step = "Name the path of a Tipoff store, or of a file that does not exist yet."
        raise StoreUnavailable(store=store, reason="it is a database of another application", next_step=next_step)
    if version > SCHEMA_VERSION:
        reason = f"a newer Tipoff wrote it (schema {version}, this one knows {SCHEMA_VERSION})"
        raise StoreUnavailable(store=store, reason=reason, next_step="Upgrade Tipoff; the file is untouched.")
    if version < 1:
        raise CorruptStore(store=store, reason=f"its schema is {version}, which no Tipoff ever wrote")
    if version < SCHEMA_VERSION:
        reason = f"an earlier Tipoff wrote it (schema {version}, this one knows {SCHEMA_VERSION})"
        next_step = "`export` it with that one and `import` the export into a new store; the file is untouched."
        raise StoreUnavailable(store=store, reason=reason, next_step=next_step)


def _set_up(connection: sqlite3.Connection, *, store: str, read_only: bool) -> None:
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    if read_only:
        return
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        next_step = "Put the store on a local disk: readers beside a writer need shared memory."
        raise StoreUnavailable(store=store, reason=f"its disk allows no WAL (mode {mode})", next_step=next_step)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = 1")  # macOS: through the drive's cache; nothing elsewhere
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")
