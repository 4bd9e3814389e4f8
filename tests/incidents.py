"""The recorded incidents as tests replay them: what came in, what was told, and edits that make it another story.

A recording is replayed as `ingest --clock publish` does it, on a store in memory. `told` is what an operator gets to
know: each alert once per severity it reached, for a cause that comes back pages for no severity again (design 8.10).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from events.catalogue import AlertRaised, Event, Fact, Input, OperatorActed
from events.codec import derive_id
from events.memory import MemoryStore
from events.store import Pending, Store
from events.values import Severity
from handlers.dispatch import Answer, Sent, dispatch
from handlers.ingest import Ingestion, PublishClock
from handlers.lines import Line
from handlers.recorder import Recorder, Tally
from statemachine.state import DateState
from tests.conftest import ROOT
from tests.driving import moment, nba

FOLDER = ROOT / "examples" / "incidents"

Said = dict[str, Any]
"""A line of a recording, decoded."""

Edit = Callable[[list[Said]], list[Said]]


class Recording(Struct, frozen=True, kw_only=True):
    """A row of `recordings.csv`: an incident, its file, and how far time goes on behind its last message."""

    incident: str
    recording: str
    until: datetime
    found_at: datetime | None
    what: str


class Told(Struct, frozen=True, kw_only=True, order=True):
    """An alert at a severity; `at` is the minute in which it was raised."""

    stream: str
    at: str
    cause: str
    subject: str
    severity: Severity

    @property
    def what(self) -> tuple[str, str, str, str]:
        """The alert without its minute."""
        return self.stream, self.cause, self.subject, self.severity


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a table beside the recordings."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def recordings() -> dict[str, Recording]:
    """The incidents by the name of their recording."""
    found = [{key: text or None for key, text in row.items()} for row in rows("recordings")]
    return {item.recording: item for item in msgspec.convert(found, list[Recording], strict=False)}


def expected(recording: str) -> list[Told]:
    """What has to be told, as `expected.csv` has it; an empty `at` is a minute that depends on when a gate looks."""
    keys = ("stream", "at", "cause", "subject", "severity")
    found = [{key: row[key] for key in keys} for row in rows("expected") if row["recording"] == recording]
    return sorted(msgspec.convert(found, list[Told]))


def lines(recording: str) -> list[Said]:
    """The lines of a recording."""
    text = (FOLDER / f"{recording}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


class Replayed:
    """The store after a replay, and what can be asked of it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.streams = [stream for stream, _head in store.heads()]

    def events(self, stream: str) -> list[Event]:
        """The events of a stream."""
        return [stored.event() for stored in self.store.read(stream)]

    @property
    def everything(self) -> Iterator[Event]:
        """All events, stream by stream."""
        for stream in self.streams:
            yield from self.events(stream)

    @property
    def told(self) -> list[Told]:
        """Every alert at each severity it reached, when it first reached it."""
        return told(self.everything)

    @property
    def loud(self) -> list[Told]:
        """What was told above information."""
        return [item for item in self.told if item.severity != "info"]

    def state(self, game_date: str) -> DateState:
        """A date as it stands in the end."""
        state: DateState = Recorder(self.store, {"nba": nba()}).state(f"nba/{game_date}")
        return state


def told(events: Iterable[Event]) -> list[Told]:
    """The alerts among `events`, each once per severity."""
    found: dict[tuple[str, str, str, str], Told] = {}
    for event in events:
        data = event.data
        if isinstance(data, AlertRaised):
            at = f"{event.recorded_at:%Y-%m-%dT%H:%MZ}"
            said = Told(stream=event.stream, at=at, cause=data.cause, subject=data.subject, severity=data.severity)
            found.setdefault(said.what, said)
    return sorted(found.values())


Act = tuple[str, str, Input]
"""A stream, an instant, and a fact that is recorded on it then."""


def halt(game_date: str, at: str) -> Act:
    """A person halts a date."""
    return f"nba/{game_date}", at, OperatorActed(command="halt", reason="nobody needs it")


def replay(said: Sequence[Said], until: str | datetime, *acts: Act) -> Replayed:
    """Play the lines, and the acts between them, with the publish times as the clock, up to `until`."""
    store = MemoryStore()
    recorder = Recorder(store, {"nba": nba()})
    ingestion = Ingestion(recorder, lambda now: _send(recorder, now))
    clock = PublishClock(ingestion, store, each=lambda: None)
    coming = sorted(acts, key=lambda act: moment(act[1]))
    for line in sorted(said, key=published):
        while coming and moment(coming[0][1]) <= published(line):
            _act(recorder, clock, coming.pop(0))
        data = json.dumps(line).encode()
        clock.take(Line(data, len(data)))
    for act in coming:
        _act(recorder, clock, act)
    clock.finish(moment(until), fallback=moment(until))
    assert not ingestion.counts.late, "the lines of a recording are in order"
    return Replayed(store)


def published(line: Said) -> datetime:
    """When a line was published."""
    return moment(line["message"]["publishTime"])


def _act(recorder: Recorder, clock: PublishClock, act: Act) -> None:
    stream, text, data = act
    at = moment(text)
    clock.finish(at, fallback=at)
    fact = Fact(stream=stream, id=derive_id("act", stream, text), occurred_at=at, correlation="act", data=data)
    recorder.record([(fact, at)])


def _send(recorder: Recorder, now: datetime) -> Tally:
    return dispatch(recorder, _Accepting(), now)


class _Accepting:
    """A channel that takes everything."""

    def send(self, batch: list[Pending]) -> list[Answer]:
        """See Channel."""
        return [Sent(message_id=f"{p.command.command_id}-{p.command.attempt}") for p in batch]


# --- edits --------------------------------------------------------------------------------------------------------


def body(line: Said) -> Said:
    """What the message in a line says."""
    said: Said = line["message"]["json"]
    return said


def without(said: Sequence[Said], lost: Callable[[Said], bool]) -> list[Said]:
    """The lines whose bodies are not `lost`."""
    return [line for line in said if not lost(body(line))]


def completion(at: str, phase: str, name: str, game_date: str, *, rows: int, run: str, **fields: Any) -> Said:
    """A completion as a line, in the shape that publishers use."""
    words, topic = _PHASES[phase]
    said = {
        "processor_name": name,
        "phase": words,
        "execution_id": run,
        "game_date": game_date,
        "status": "success",
        "record_count": rows,
        "timestamp": at,
    } | fields
    return message(at, topic, said, run)


_PHASES = {
    "raw": ("phase_2_raw", "nba-phase2-raw-complete"),
    "analytics": ("phase_3_analytics", "nba-phase3-analytics-complete"),
}


def message(at: str, topic: str, said: Said, message_id: str) -> Said:
    """A message as a line."""
    return {"topic": topic, "message": {"messageId": f"{message_id}@{at}", "publishTime": at, "json": said}}


def measured(at: str, game_date: str, boundary: str, **values: float) -> Said:
    """Measures of a boundary as a line; a dot in a name is written as two underscores."""
    said = {
        "sport": "nba",
        "game_date": game_date,
        "boundary": boundary,
        "measures": {name.replace("__", "."): {"value": value} for name, value in values.items()},
    }
    attributes = {"ce-specversion": "1.0", "ce-type": "tipoff.measures.observed", "ce-source": "/t", "ce-id": at}
    line = message(at, "tipoff-measures", said, f"measured-{boundary}")
    line["message"]["attributes"] = attributes
    return line


def beat(at: str, name: str, game_date: str, run: str) -> Said:
    """A heartbeat document as a line."""
    said = {"processor_name": name, "run_id": run, "data_date": game_date, "last_heartbeat": at, "status": "running"}
    return message(at, f"firestore:processor_heartbeats/{name}", said | {"sport": "nba"}, f"beat-{run}")


def called_off(said: Sequence[Said]) -> list[Said]:
    """The same recording with no game left on any date."""
    found = json.loads(json.dumps(without(said, lambda it: "original_date" in it)))
    for line in found:
        for game in body(line).get("games", ()):
            game["status"] = "postponed"
    return list(found)


def empty_schedule(said: Sequence[Said]) -> list[Said]:
    """The same recording on days that never had a game."""
    found = json.loads(json.dumps(without(said, lambda it: "original_date" in it)))
    for line in found:
        if "games" in body(line):
            body(line)["games"] = []
    return list(found)


NEW_YORK = ZoneInfo("America/New_York")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|\+00:00)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?!T\d)")


def moved(text: str, days: int) -> str:
    """`text` with its dates and instants so many days later, at the same time on the wall in New York."""

    def instant(found: re.Match[str]) -> str:
        wall = moment(found[0]).astimezone(NEW_YORK).replace(tzinfo=None) + timedelta(days=days)
        return f"{wall.replace(tzinfo=NEW_YORK).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def date(found: re.Match[str]) -> str:
        return f"{datetime.fromisoformat(found[0]) + timedelta(days=days):%Y-%m-%d}"

    return _DATE.sub(date, _INSTANT.sub(instant, text))
