"""Verification: a whole store held against its own rules, every finding named with its stream and version.

What is checked of each stream: versions without a gap, the hash chain, that every event can be read and names its own
place, that time never goes back, that folding from scratch gives the stored state to the byte (law c), that deciding
the recorded inputs again under the recorded definition gives the recorded events to the byte (law d), and that the next
deadline follows. Of the store: that its outbox holds what was asked for and not settled, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, TypeVar

from msgspec import Struct

from events.catalogue import (
    CommandFailed,
    CommandPublished,
    CommandRequested,
    DefinitionAdopted,
    DefinitionPublished,
    Event,
    Fact,
    is_input,
    type_of,
)
from events.codec import GENESIS, CorruptEvent, chain, encode
from events.sqlite import SqliteStore
from events.store import CorruptStore, Head, Store, Stored
from handlers.published import definition_in, published
from statemachine.definition import Definition
from statemachine.streams import decider_for, encode_state

Kind = Literal[
    "chain",
    "deadline",
    "definition",
    "determinism",
    "event",
    "fold",
    "head",
    "outbox",
    "store",
    "time",
    "undecidable",
    "version",
]

PENDING_MAX = 1_000_000_000

T = TypeVar("T")


class Finding(Struct, frozen=True, kw_only=True):
    """Something that does not hold. `stream` is None where it concerns the store as a whole, `version` where it
    concerns no single event. `undecidable` says that a check could not be made, not that it failed."""

    kind: Kind
    message: str
    stream: str | None = None
    version: int | None = None


class Verified(Struct, frozen=True, kw_only=True):
    """What was looked at and what was found. `decided` are inputs that were decided again."""

    streams: int
    events: int
    decided: int
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """True where nothing was found."""
        return not self.findings


def verify(store: Store, *, progress: Callable[[int], None] = lambda _done: None) -> Verified:
    """Check everything in `store`. Raises StoreUnavailable; damage is a finding."""
    definitions, findings = _definitions(store)
    findings += _whole(store)
    commands: dict[str, tuple[str, CommandRequested]] = {}
    events = decided = 0
    heads = list(store.heads())
    for stream, head in heads:
        checking = StreamCheck(stream, definitions, commands)
        for stored in _readable(store, stream, findings):
            checking.take(stored)
            events += 1
            progress(events)
        checking.finish(head)
        findings += checking.findings
        decided += checking.decided
    findings += _outbox(store, commands)
    return Verified(streams=len(heads), events=events, decided=decided, findings=tuple(findings))


def _definitions(store: Store) -> tuple[dict[str, Definition], list[Finding]]:
    try:
        return published(store), []
    except CorruptStore as error:
        message = f"the published definitions cannot be read: {error.reason}"
        return {}, [Finding(kind="store", message=message)]


def _whole(store: Store) -> list[Finding]:
    """What is wrong with the store as a file, and in the order of all its events."""
    found = []
    if isinstance(store, SqliteStore):
        try:
            store.check_file()
        except CorruptStore as error:
            found.append(Finding(kind="store", message=error.reason))
    try:
        known = set(store.streams())
        counts = dict.fromkeys(known, 0)
        for stored in store.read_all():
            counts[stored.stream] = counts.get(stored.stream, 0) + 1
    except CorruptStore as error:
        found.append(Finding(kind="store", message=error.reason))
    else:
        found += [
            Finding(kind="store", message="has events and no head", stream=stream)
            for stream in sorted(counts.keys() - known)
        ]
    return found


def _readable(store: Store, stream: str, findings: list[Finding]) -> Iterator[Stored]:
    """The events of a stream up to where the store finds damage itself, which is then a finding."""
    version = 0
    try:
        for stored in store.read(stream):
            yield stored
            version = stored.version
    except CorruptStore as error:
        findings.append(Finding(kind="chain", message=error.reason, stream=stream, version=version + 1))


def _outbox(store: Store, commands: dict[str, tuple[str, CommandRequested]]) -> Iterator[Finding]:
    try:
        pending = {item.command.command_id: (item.stream, item.command) for item in store.pending(PENDING_MAX)}
    except CorruptStore as error:
        yield Finding(kind="outbox", message=error.reason)
        return
    for command_id in sorted(commands.keys() - pending.keys()):
        stream, command = commands[command_id]
        message = f"the {command.kind} command {command_id} was asked for, never settled, and is not in the outbox"
        yield Finding(kind="outbox", message=message, stream=stream)
    for command_id in sorted(pending.keys() - commands.keys()):
        stream, command = pending[command_id]
        message = f"the {command.kind} command {command_id} is in the outbox though no event asks for it any more"
        yield Finding(kind="outbox", message=message, stream=stream)
    for command_id in sorted(pending.keys() & commands.keys()):
        if pending[command_id] != commands[command_id]:
            message = f"the command {command_id} in the outbox is not the one that was asked for"
            yield Finding(kind="outbox", message=message, stream=pending[command_id][0])


class StreamCheck:
    """The check of one stream. `commands` are those of all streams that are asked for and not settled, by id."""

    def __init__(
        self, stream: str, definitions: dict[str, Definition], commands: dict[str, tuple[str, CommandRequested]]
    ) -> None:
        self.findings: list[Finding] = []
        self.decided = 0
        self._stream = stream
        self._definitions = definitions
        self._commands = commands
        self._decider: Any = decider_for(stream)
        self._version = 0
        self._hash = GENESIS
        self._state: Any = self._decider.initial(stream)
        self._whole = True  # False from the first event on that cannot be read or folded
        self._group: list[tuple[Event, bytes]] = []
        self._before: Any = self._state
        self._unknown: set[str] = set()

    def take(self, stored: Stored) -> None:
        """Check the next event."""
        if stored.version != self._version + 1:
            self._find("version", f"follows version {self._version}", stored.version)
        self._version = stored.version
        expected = chain(self._hash, stored.body)
        if expected != stored.hash:
            self._find("chain", "its hash does not continue the chain: it, or one before it, was changed")
        self._hash = stored.hash
        try:
            event = stored.event()
        except CorruptEvent as error:
            self._find("event", f"cannot be read: {error.reason}")
            self._whole = False
            return
        self._place(event)
        if self._whole:
            self._fold(event, stored.body)

    def finish(self, head: Head) -> None:
        """Hold what the events come to against the head of the stream."""
        self._decide_again()
        if (head.version, head.hash) != (self._version, self._hash):
            self._find("head", f"the head is at version {head.version}, the events end at {self._version}", None)
        if not self._whole:
            return
        if head.state != encode_state(self._state):
            self._find("fold", "folding its events from scratch does not give the stored state", None)
            return
        definition = self._definitions.get(self._state.definition)
        if definition is None or self._decider.kind == "control":
            return
        due = self._decider.next_deadline(self._state, definition)
        if due != head.next_deadline:
            self._find("deadline", f"the next deadline is {due}, the head says {head.next_deadline}", None)

    # one event

    def _place(self, event: Event) -> None:
        if (event.stream, event.version) != (self._stream, self._version):
            self._find("event", f"says that it is version {event.version} of {event.stream}")
        before = self._state.recorded_at
        if self._whole and before is not None and event.recorded_at < before:
            self._find("time", f"was recorded at {event.recorded_at}, the one before it at {before}")
        data = event.data
        if isinstance(data, DefinitionPublished) and definition_in(data) is None:
            self._find("definition", f"the text it holds is not that of {data.definition}")

    def _fold(self, event: Event, body: bytes) -> None:
        if is_input(event):
            self._decide_again()
            self._before = self._state
        self._group.append((event, body))
        try:
            self._state = self._decider.evolve(self._state, event)
        except Exception as error:  # whatever a changed event makes of the fold, it is a finding
            self._find("fold", f"cannot be folded: {error!r}")
            self._whole = False
        self._settle(event.data)

    def _settle(self, data: object) -> None:
        if isinstance(data, CommandRequested):
            self._commands[data.command_id] = (self._stream, data)
        elif isinstance(data, CommandPublished) or (isinstance(data, CommandFailed) and data.permanent):
            self._commands.pop(data.command_id, None)

    # law d

    def _decide_again(self) -> None:
        """Decide the last input again and compare, byte for byte, with what followed it."""
        group, self._group = self._group, []
        if not group:
            return
        said = group[0][0]
        if not is_input(said):
            self._find("determinism", "is a decision and follows no input", said.version)
            return
        definition = self._definition_of(said)
        if definition is None:
            return
        self.decided += 1
        decided = self._decision(said, definition)
        for (event, body), again in zip(group, decided, strict=False):
            if encode(again) != body:
                message = f"is {type_of(event.data)}; deciding its input again gives {type_of(again.data)}, differently"
                self._find("determinism", message, event.version)
                return
        if len(decided) != len(group):
            message = f"was followed by {len(group) - 1} decisions; deciding it again gives {len(decided) - 1}"
            self._find("determinism", message, said.version)

    def _decision(self, said: Event, definition: Definition) -> list[Event]:
        fact = Fact(
            stream=said.stream,
            id=said.id,
            occurred_at=said.occurred_at,
            correlation=said.correlation,
            data=said.data,  # type: ignore[arg-type]  # is_input
            actor=said.actor,
        )
        try:
            decided: list[Event] = self._decider.decide(self._before, fact, said.recorded_at, definition)
        except Exception as error:  # an input that was recorded and cannot be decided is a finding, whatever it raises
            self._find("determinism", f"cannot be decided again: {error!r}", said.version)
            return []
        return decided

    def _definition_of(self, said: Event) -> Definition | None:
        """The definition an input was decided under; None, with a finding once, where the store does not hold it."""
        data = said.data
        named = data.definition if isinstance(data, DefinitionAdopted | DefinitionPublished) else ""
        version = named or self._before.definition
        found = self._definitions.get(version)
        if found is None and version not in self._unknown:
            self._unknown.add(version)
            what = f"the text of {version} is not in the store" if version else "no definition was adopted before it"
            self._find("undecidable", f"cannot re-decide from here on: {what}", said.version)
        return found

    def _find(self, kind: Kind, message: str, version: int | None = -1) -> None:
        at = self._version if version == -1 else version
        self.findings.append(Finding(kind=kind, message=message, stream=self._stream, version=at))


def by_kind(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings there are of each kind."""
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.kind] = counts.get(finding.kind, 0) + 1
    return counts
