"""The recorder: the one door through which facts become events (design 2).

It folds, decides, seals and appends; what it was given is stored when `record` returns, and nothing was stored when it
raised. Facts of one call commit together. Heads of hot streams stay in memory; a write that finds a stream moved on, or
an event stored already, decides again on what is really there, a bounded number of times.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct

from events.catalogue import (
    AlertRaised,
    CommandFailed,
    CommandPublished,
    CommandRequested,
    DefinitionPublished,
    Event,
    Fact,
    MessageRejected,
    Ticked,
)
from events.codec import GENESIS, derive_id
from events.store import Commit, DuplicateEvent, Head, Pending, Store, WrongExpectedVersion, seal
from handlers.heads import state_in
from handlers.recent_ids import RecentIds
from statemachine.definition import Definition
from statemachine.folded import stamped
from statemachine.streams import adoption, control_stream, decider_for, encode_state

HOT_STREAMS_MAX = 512
"""How many streams keep their folded state in memory."""

ATTEMPTS_MAX = 5
"""How often a commit is decided again after somebody else appended first."""

Timed = tuple[Fact, datetime]
"""A fact and the instant it was received: the `now` of its decision."""


class Hot(Struct, frozen=True):
    """The state of a stream as last committed, with its version and hash."""

    state: Any
    version: int
    hash: str


@dataclass(slots=True)
class Tally:
    """What a call recorded. `duplicate` counts facts that changed nothing because they were known; `rejected` those
    stored as rejected messages; `events`, `commands` and `alerts` count events by what they are. `outbox` are the
    commands that were committed and are to be sent."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    events: int = 0
    commands: int = 0
    alerts: int = 0
    streams: set[str] = field(default_factory=set)
    outbox: list[Pending] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count `other` in."""
        self.accepted += other.accepted
        self.duplicate += other.duplicate
        self.rejected += other.rejected
        self.events += other.events
        self.commands += other.commands
        self.alerts += other.alerts
        self.streams |= other.streams
        self.outbox += other.outbox


class _Draft:
    """The uncommitted future of one stream during a call, with the rules it is decided by. Of its `events`, so many are
    `unasked`: they come of adopting a definition, and no fact of the call led to them. What every event changes is
    written into `state` once, by `commit`."""

    def __init__(self, stream: str, before: Hot, definition: Definition) -> None:
        self.stream = stream
        self.before = before
        self.state = before.state
        self.definition = definition
        self.version = definition.version
        self.decider: Any = decider_for(stream)
        self.decide_and_fold = self.decider.decide_and_fold
        self.follow_ups: Any = self.decider.follow_ups
        self.events: list[Event] = []
        self.unasked = 0

    def decide(self, fact: Fact, now: datetime) -> list[Event]:
        """Add what follows from `fact`."""
        events: list[Event]
        last = self.events[-1] if self.events else None
        events, self.state = self.decide_and_fold(self.state, fact, now, self.definition, last)
        self.events += events
        return events

    def adopt(self, fact: Fact, now: datetime) -> None:
        """Add what follows from `fact`, which is of our own making: part of adopting a definition."""
        self.unasked += len(self.decide(fact, now))

    def commit(self) -> Commit:
        """What is to be appended."""
        sealed = seal(self.events, after=self.before.hash)
        self.state = stamped(self.state, self.events)
        outbox: dict[str, CommandRequested] = {}
        settled: list[str] = []
        for event in self.events:
            data = event.data
            if type(data) is CommandRequested:
                outbox[data.command_id] = data
            elif type(data) is CommandPublished or (type(data) is CommandFailed and data.permanent):
                settled.append(data.command_id)
                outbox.pop(data.command_id, None)
        head = Head(
            version=self.before.version + len(sealed),
            hash=sealed[-1].hash,
            state=encode_state(self.state),
            next_deadline=self.decider.next_deadline(self.state, self.definition),
        )
        return Commit(
            stream=self.stream,
            expected_version=self.before.version,
            events=sealed,
            head=head,
            outbox=list(outbox.values()),
            settled=settled,
        )


class Recorder:
    """Records facts in a store under the definitions of its sports. One per process and store; not thread-safe, for
    one writer is what makes group commit cheap."""

    def __init__(self, store: Store, definitions: Mapping[str, Definition]) -> None:
        self.store = store
        self.definitions = dict(definitions)
        self._hot: OrderedDict[str, Hot] = OrderedDict()
        self._recent_ids = RecentIds()

    def definition_for(self, stream: str) -> Definition:
        """The definition that rules `stream`; streams of an unknown sport are ruled by the first one."""
        sport = stream.partition("/")[0]
        return self.definitions.get(sport) or next(iter(self.definitions.values()))

    def record(self, facts: Sequence[Timed]) -> Tally:
        """Decide `facts` in order and append what follows, in one commit.

        Raises StoreUnavailable or CorruptStore (nothing was stored), WrongExpectedVersion after `ATTEMPTS_MAX` tries,
        and CommandNotAllowed for an operator's command that the state refuses.
        """
        known: frozenset[str] = frozenset()
        lost = 0
        while True:
            drafts, tally = self._decide(facts, known)
            try:
                tally.outbox = self._append(drafts)
            except DuplicateEvent as error:
                if error.ids <= known:
                    raise
                known |= error.ids
            except WrongExpectedVersion:
                for stream in drafts:
                    self._hot.pop(stream, None)
                lost += 1
                if lost == ATTEMPTS_MAX:
                    raise
            else:
                return tally

    def tick(self, now: datetime) -> Tally:
        """Let time pass on every stream that is due at `now`."""
        due, instant = self.store.due(now), now.isoformat()
        facts = [
            Fact(
                stream=stream,
                id=derive_id("tick", stream, instant),
                occurred_at=now,
                correlation="tick",
                data=Ticked(now=now),
                actor="clock",
            )
            for stream in due
        ]
        return self.record([(fact, now) for fact in facts]) if facts else Tally()

    def state(self, stream: str) -> Any:
        """The committed state of `stream` (its initial one where it has no events)."""
        return self._load(stream).state

    # inside

    def _decide(self, facts: Sequence[Timed], known: frozenset[str]) -> tuple[dict[str, _Draft], Tally]:
        """What `facts` lead to, without those whose ids are `known`; nothing of it is stored yet."""
        drafts: dict[str, _Draft] = {}
        tally = Tally()
        taken = self._recent_ids.among([fact.id for fact, _ in facts]) | known
        for fact, now in facts:
            if not self._take(drafts, fact, now, taken, tally):
                tally.duplicate += 1
            elif type(fact.data) is MessageRejected:
                tally.rejected += 1
        tally.accepted = len(facts) - tally.duplicate - tally.rejected
        for stream, draft in drafts.items():
            if told := len(draft.events) - draft.unasked:
                tally.events += told
                tally.streams.add(stream)
        return drafts, tally

    def _take(self, drafts: dict[str, _Draft], fact: Fact, now: datetime, taken: set[str], tally: Tally) -> bool:
        """Decide `fact`, and what follows from it elsewhere; False where it changed nothing because it was known."""
        if fact.id in taken:
            return False
        stream = fact.stream
        draft = drafts.get(stream)
        if draft is None:
            is_cold = stream not in self._hot
            draft = self._draft(drafts, stream)
            if is_cold:  # a state that was loaded remembers some inputs itself
                taken.update(draft.state.recent)
                return self._take(drafts, fact, now, taken, tally)
        if draft.state.definition != draft.version:
            self._adopt(drafts, draft, stream, now)
        before = draft.state
        events = draft.decide(fact, now)
        if not events:
            return False
        taken.add(fact.id)
        if len(events) > 1:
            for event in events:
                kind = type(event.data)
                tally.commands += kind is CommandRequested
                tally.alerts += kind is AlertRaised
        for follow_up in draft.follow_ups(before, events, draft.state):
            taken |= self._recent_ids.among([follow_up.id])
            self._take(drafts, follow_up, now, taken, tally)  # nobody sent it, so nobody hears whether it was new
        return True

    def _adopt(self, drafts: dict[str, _Draft], draft: _Draft, stream: str, now: datetime) -> None:
        definition = draft.definition
        control = control_stream(definition.sport)
        published = self._draft(drafts, control)
        if definition.version not in published.state.definitions:
            text = DefinitionPublished(
                definition=definition.version,
                content=definition.content.decode(),
                overrides=definition.overrides,
            )
            fact = Fact(
                stream=control,
                id=derive_id("definition-text", control, definition.version),
                occurred_at=now,
                correlation=definition.version,
                data=text,
                actor="tipoff",
            )
            published.adopt(fact, now)
        if draft.state.definition != definition.version:
            draft.adopt(adoption(stream, draft.before.version + len(draft.events), definition, now), now)

    def _draft(self, drafts: dict[str, _Draft], stream: str) -> _Draft:
        draft = drafts.get(stream)
        if draft is None:
            draft = drafts[stream] = _Draft(stream, self._load(stream), self.definition_for(stream))
        return draft

    def _load(self, stream: str) -> Hot:
        hot = self._hot.get(stream)
        if hot is not None:
            self._hot.move_to_end(stream)
            return hot
        head = self.store.head(stream)
        if head is None:
            return Hot(decider_for(stream).initial(stream), 0, GENESIS)
        hot = Hot(state_in(stream, head), head.version, head.hash)
        self._recent_ids.update(hot.state.recent)
        self._keep(stream, hot)
        return hot

    def _keep(self, stream: str, hot: Hot) -> None:
        self._hot[stream] = hot
        self._hot.move_to_end(stream)
        while len(self._hot) > HOT_STREAMS_MAX:
            self._hot.popitem(last=False)

    def _append(self, drafts: dict[str, _Draft]) -> list[Pending]:
        commits = [draft.commit() for draft in drafts.values() if draft.events]
        if not commits:
            return []
        self.store.append(commits)
        for commit in commits:
            self._keep(commit.stream, Hot(drafts[commit.stream].state, commit.head.version, commit.head.hash))
            self._recent_ids.update([event.id for event in commit.events])
        return [Pending(commit.stream, command) for commit in commits for command in commit.outbox]
