"""The installation that is examined: where it is said to be, and how to reach each part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from functools import cached_property

from events.store import Store
from handlers.definitions import load
from handlers.stores import StoreName, open_store, store_name
from statemachine.calendar import league_date
from statemachine.definition import Definition
from statemachine.streams import control_stream, date_stream

FIRESTORE_EMULATOR = "FIRESTORE_EMULATOR_HOST"
PUBSUB_EMULATOR = "PUBSUB_EMULATOR_HOST"


class Installation:
    """One installation, as its environment describes it. `service` is the address of its HTTP service, None where
    nobody gave one."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        store: str,
        definitions: tuple[str, ...],
        service: str | None,
        clock: Callable[[], datetime],
    ) -> None:
        self.environ = environ
        self.store = store
        self.sources = definitions
        self.service = service
        self.clock = clock

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        """Its definitions by sport, those that can be loaded. Raises DefinitionErrors."""
        loaded = [load(source, self.environ) for source in self.sources]
        return {definition.sport: definition for definition in loaded}

    @property
    def store_name(self) -> StoreName:
        """Its store's name, understood. Raises StoreNameInvalid."""
        return store_name(self.store)

    @property
    def in_the_cloud(self) -> bool:
        """Whether it lives on Google Cloud itself, not beside an emulator."""
        return self.store_name.scheme == "firestore" and not self.environ.get(FIRESTORE_EMULATOR)

    @property
    def pubsub_emulated(self) -> bool:
        """Whether its Pub/Sub is an emulator."""
        return bool(self.environ.get(PUBSUB_EMULATOR))

    @property
    def pubsub_project(self) -> str | None:
        """The project whose Pub/Sub it uses; None beside a file, and beside an emulator of Firestore alone."""
        return self.store_name.project if self.in_the_cloud or self.pubsub_emulated else None

    @property
    def busy(self) -> list[str]:
        """The streams on which something happens now, of all sports. Raises DefinitionErrors."""
        return [stream for sport in self.definitions for stream in self.busy_in(sport)]

    def busy_in(self, sport: str) -> list[str]:
        """Those of one sport: control, and the dates around today. Raises DefinitionErrors."""
        zone, now = self.definitions[sport].timezone, self.clock()
        days = (league_date(now + timedelta(days=days), zone) for days in (-1, 0, 1))
        return [control_stream(sport), *(date_stream(sport, day) for day in days)]

    def open(self) -> closing[Store]:
        """Its store, for reading, of the caller's own. Raises StoreUnavailable, CorruptStore."""
        return open_store(self.store, create=False, read_only=True)
