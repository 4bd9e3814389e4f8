"""The same job on `eventsourcing` 9.5 with its SQLite module, as its documentation advises.

One aggregate per game date, its id derived from its name; a command method that triggers events with `@event`; an
application whose commands get the aggregate, call it and save it. Its SQLite module writes in WAL mode with SQLite's
own default, `synchronous=FULL`. The body is handed over as text, which its JSON transcoder takes as it is.

Four ways are measured, all with its aggregate cache, which its documentation leaves off. `documented` saves each
message, as every example of its documentation does, with the cache as it is by default: what others have stored is
asked for before a command (fast-forwarding), so that several instances may write, and the aggregate is copied, so that
a command that fails cannot spoil the cache. `one instance` does not ask, which its documentation allows where nobody
else writes: after anybody has, each command fails for good. `uncopied` does not copy either, which it offers for
immutable aggregates only. `batched` goes further and saves all aggregates that a batch touched in one transaction.
"""

# mypy: ignore-errors
# The peers are not in the environment that mypy looks at.

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event

from benchmarks.gist import Gist, gist, names_of
from benchmarks.job import Outcome
from statemachine.definition import Definition

Way = Literal["documented", "one instance", "uncopied", "batched"]


class GameDate(Aggregate):
    """A game date: the keys of what was said, and who completed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.known: set[str] = set()
        self.completed: dict[str, set[str]] = {}

    @staticmethod
    def create_id(name: str) -> UUID:
        """The id that follows from the name."""
        return uuid5(NAMESPACE_URL, f"/game-dates/{name}")

    def hear(self, said: Gist) -> None:
        """Take a message, unless it was heard before."""
        if said.key in self.known:
            return
        if said.completes is not None:
            self._complete(said.key, *said.completes, said.body)
        else:
            self._note(said.key, said.body)

    @event("Completed")
    def _complete(self, key: str, phase: str, processor: str, body: str) -> None:
        self.known.add(key)
        self.completed.setdefault(phase, set()).add(processor)

    @event("Noted")
    def _note(self, key: str, body: str) -> None:
        self.known.add(key)


class GameDates(Application[UUID]):
    """The application: commands get an aggregate, call it, save it."""

    def hear(self, said: Gist) -> None:
        """Take one message, durably."""
        game_date = self.game_date(said.date)
        game_date.hear(said)
        self.save(game_date)

    def hear_all(self, messages: Sequence[Gist]) -> None:
        """Take many messages in one transaction."""
        touched: dict[str, GameDate] = {}
        for said in messages:
            game_date = touched.get(said.date)
            if game_date is None:
                game_date = touched[said.date] = self.game_date(said.date)
            game_date.hear(said)
        self.save(*touched.values())

    def game_date(self, date: str) -> GameDate:
        """The aggregate of `date`, a new one where there is none."""
        try:
            found: GameDate = self.repository.get(GameDate.create_id(date))
        except AggregateNotFoundError:
            return GameDate(date)
        return found


def application(folder: Path, *, way: Way | None = None) -> GameDates:
    """The application on a SQLite file in `folder`, without a cache where no `way` is given."""
    env = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / "eventsourcing.sqlite")}
    if way is not None:
        env["AGGREGATE_CACHE_MAXSIZE"] = "512"
        env["AGGREGATE_CACHE_FASTFORWARD"] = "y" if way == "documented" else "n"
        env["DEEPCOPY_FROM_AGGREGATE_CACHE"] = "y" if way in ("documented", "one instance") else "n"
    return GameDates(env=env)


class EventsourcingJob:
    """One of the four ways."""

    def __init__(self, definition: Definition, *, way: Way) -> None:
        self.name = f"eventsourcing, {way}"
        self._names = names_of(definition)
        self._way = way
        self._dates: set[str] = set()

    def open(self, folder: Path) -> None:
        """Make an empty store in `folder`."""
        self._application = application(folder, way=self._way)

    def take(self, lines: Sequence[bytes]) -> None:
        """Hear what `lines` say."""
        messages = [gist(line, self._names) for line in lines]
        if self._way == "batched":
            self._application.hear_all(messages)
        else:
            for said in messages:
                self._application.hear(said)
        self._dates.update(said.date for said in messages)

    def outcome(self) -> Outcome:
        """Folded anew from what is stored."""
        game_dates = [self._application.game_date(date) for date in self._dates]
        completed = {
            f"{item.name}/{phase}/{processor}"
            for item in game_dates
            for phase, processors in item.completed.items()
            for processor in processors
        }
        return Outcome(facts=sum(len(item.known) for item in game_dates), completed=frozenset(completed))

    def close(self) -> None:
        """Close the application."""
        self._application.close()
