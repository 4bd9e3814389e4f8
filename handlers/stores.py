"""Stores by name: `sqlite:PATH`, `memory:`, `firestore:PROJECT[/DATABASE]`.

One place turns what stands behind `--store` or `TIPOFF_STORE` into an open store, so that every verb names stores alike
and refuses the same things with the same words.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from msgspec import Struct

from events.memory import MemoryStore
from events.sqlite import BUSY_SECONDS, SqliteStore
from events.store import Store, StoreUnavailable

SCHEMES = ("sqlite", "memory", "firestore")
FIRESTORE_DATABASE = "(default)"


class StoreNameInvalid(Exception):
    """The name is not one of a store that this build can open."""

    code = "store_name_invalid"

    def __init__(self, *, name: str, reason: str, next_step: str) -> None:
        self.name, self.reason, self.next_step = name, reason, next_step
        super().__init__(name, reason, next_step)

    def __str__(self) -> str:
        return f"store {self.name!r}: {self.reason}. {self.next_step}"


class StoreName(Struct, frozen=True):
    """A store's name, understood. `path` is that of a SQLite file, `project` and `database` those of Firestore."""

    scheme: str
    path: Path | None = None
    project: str | None = None
    database: str = FIRESTORE_DATABASE

    @property
    def commands(self) -> Path:
        """Where commands go when nobody says: beside the store's file."""
        name = "tipoff" if self.path is None else self.path.name
        return (self.path.parent if self.path is not None else Path()) / f"{name}.commands.jsonl"


def store_name(name: str) -> StoreName:
    """The store that `name` names. Raises StoreNameInvalid."""
    scheme, colon, rest = name.partition(":")
    if not colon or scheme not in SCHEMES:
        next_step = "Give sqlite:PATH, firestore:PROJECT[/DATABASE] or memory: (such as sqlite:tipoff.db)."
        raise StoreNameInvalid(name=name, reason="it begins with no known kind of store", next_step=next_step)
    if scheme == "firestore":
        return _firestore_name(name, rest)
    if scheme == "memory":
        if rest:
            raise StoreNameInvalid(name=name, reason="a store in memory has no path", next_step="Give memory: alone.")
        return StoreName(scheme)
    if not rest or "\0" in rest:
        raise StoreNameInvalid(name=name, reason="the path is missing", next_step="Give sqlite:PATH.")
    return StoreName(scheme, Path(rest).expanduser())


def _firestore_name(name: str, rest: str) -> StoreName:
    project, slash, database = rest.partition("/")
    if not project or (slash and not database) or "/" in database:
        next_step = "Give firestore:PROJECT or firestore:PROJECT/DATABASE."
        raise StoreNameInvalid(name=name, reason="project or database is missing", next_step=next_step)
    return StoreName("firestore", project=project, database=database or FIRESTORE_DATABASE)


def open_store(
    name: str, *, create: bool, read_only: bool = False, busy_seconds: float = BUSY_SECONDS
) -> closing[Store]:
    """The store called `name`, to be used in a `with` statement that closes it. A SQLite file that is missing is made
    where `create` is true; `busy_seconds` bounds the wait for another writer. Raises StoreNameInvalid,
    StoreUnavailable, CorruptStore."""
    parsed = store_name(name)
    if parsed.project is not None:
        return closing(_open_firestore(name, parsed.project, parsed.database))
    if parsed.path is None:
        return closing(MemoryStore())
    return closing(SqliteStore.open(parsed.path, create=create, read_only=read_only, busy_seconds=busy_seconds))


def _open_firestore(name: str, project: str, database: str) -> Store:
    try:
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - a second of start-up, for this store alone
        from google.cloud import firestore  # noqa: PLC0415

        from events.firestore import FirestoreStore  # noqa: PLC0415
    except ImportError as error:
        next_step = "Install it: pip install 'tipoff[cloud]'."
        raise StoreNameInvalid(name=name, reason=f"{error.name} is not installed", next_step=next_step) from error
    try:
        return FirestoreStore(firestore.Client(project=project, database=database))
    except GoogleAuthError as error:
        next_step = "Log in (gcloud auth application-default login), or set FIRESTORE_EMULATOR_HOST."
        raise StoreUnavailable(store=name, reason=str(error), next_step=next_step) from error
