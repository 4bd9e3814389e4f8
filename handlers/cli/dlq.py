"""`dlq`: messages that did not get in. Dead letters wait in the broker; what was not understood is in the store."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from events.catalogue import MessageRejected
from events.store import StoreError
from handlers.cli.act import Actor, Reason, reasoned, user
from handlers.cli.arguments import In
from handlers.cli.problems import Exit, Refused
from handlers.cli.session import Session
from handlers.cli.tables import facts, table, when
from handlers.cli.topics import broker_of
from handlers.dead_letters import drop as dropping
from handlers.dead_letters import reads_as
from handlers.dead_letters import replay as replaying
from handlers.ingest import routing_of
from handlers.recorder import Recorder

if TYPE_CHECKING:
    from handlers.pubsub.letters import Letter, Letters

LIMIT = 100

app = App(name="dlq", help="Messages that did not get in: dead letters, and what was stored as rejected.")

Ids = Annotated[str, Parameter(help="Ids of dead letters, as `dlq list` shows them.")]
Id = Annotated[str, Parameter(help="The id of an entry, as `dlq list` shows it.")]
Limit = Annotated[int, Parameter(help="How many dead letters to look at.")]
Everything = Annotated[bool, Parameter(name="--all", help="Every dead letter, up to --limit.", negative="")]


class Entry(Struct, frozen=True, kw_only=True):
    """A message that did not get in. `kept` says where it is: a dead letter in the `broker`, or a rejected message in
    the `store`. `reason` is what it would be stored as now, or why it was rejected; `attempts` is null where nobody
    counted, `subscription` where it came by none."""

    kept: Literal["broker", "store"]
    id: str
    topic: str
    subscription: str | None
    attempts: int | None
    published_at: datetime
    failed_at: datetime
    size: int
    reason: str


class Shown(Struct, frozen=True, kw_only=True):
    """An entry with the original message; `data` is base64, cut where the store has cut it."""

    entry: Entry
    message_id: str
    attributes: dict[str, str]
    data: bytes


class Replayed(Struct, frozen=True, kw_only=True):
    """What became of a dead letter. `failed` and `missing` ones are where they were; `reason` says why."""

    id: str
    outcome: Literal["recorded", "duplicate", "rejected", "nothing", "failed", "missing"]
    reason: str | None = None


@app.command(name="list")
def list_(*, limit: Limit = LIMIT, session: In) -> int:
    """Dead letters with their attempts and what is wrong with them, and messages that were stored as rejected."""
    entries = [shown.entry for shown in _shown(session, limit)]
    session.answer(entries, lambda console: _print(console, entries))
    return Exit.WARNING if entries else Exit.HEALTHY


@app.command
def show(entry: Id, /, *, limit: Limit = LIMIT, session: In) -> int:
    """One of them whole: where it came from, its attributes and the original bytes."""
    found = next((shown for shown in _shown(session, limit) if shown.entry.id == entry), None)
    if found is None:
        raise _nothing(entry)
    session.answer(found, lambda console: _print_one(console, found))
    return Exit.HEALTHY


@app.command
def replay(*ids: Ids, everything: Everything = False, limit: Limit = LIMIT, session: In) -> int:
    """Deliver dead letters again, through the door of all messages. Commands that follow wait in the outbox for the
    service; a letter leaves the broker when what it says is stored."""
    if bool(ids) == everything:
        raise Refused("it is not said which letters are meant", next_step="Name their ids, or all of them with --all.")
    done: list[Replayed] = []
    with session.recording(create=False) as recorder, _letters(session) as letters:
        for letter in letters.take(limit):
            if everything or letter.letter_id in ids:
                done.append(outcome := _replayed(session, recorder, letter))
                if outcome.outcome != "failed":
                    letters.settle(letter)
    absent = sorted(set(ids) - {item.id for item in done})
    done += [Replayed(id=item, outcome="missing", reason=f"not among {limit} letters") for item in absent]
    session.answer(done, lambda console: _print_replayed(console, done))
    return Exit.HEALTHY if all(item.outcome in ("recorded", "duplicate", "nothing") for item in done) else Exit.WARNING


@app.command
def drop(entry: Id, /, *, reason: Reason, actor: Actor = None, limit: Limit = LIMIT, session: In) -> int:
    """Give a dead letter up. Who did so and why is recorded, with its bytes, before it leaves the broker."""
    why, who = reasoned(reason), actor or user()
    routing = routing_of(session.definitions.values())
    with session.recording(create=False) as recorder, _letters(session) as letters:
        letter = next((item for item in letters.take(limit) if item.letter_id == entry), None)
        if letter is None:
            raise _nothing(entry)
        dropping(recorder, routing, letter.delivery, actor=who, reason=why, now=session.clock())
        letters.settle(letter)
    done = Replayed(id=entry, outcome="nothing", reason=f"dropped by {who}: {why}")
    session.answer(done, lambda console: console.print(Text(f"{entry}: {done.reason}")))
    return Exit.HEALTHY


def _replayed(session: Session, recorder: Recorder, letter: Letter) -> Replayed:
    routing = routing_of(recorder.definitions.values())
    try:
        outcome = replaying(recorder, routing, letter.delivery, session.clock())
    except StoreError:
        raise
    except Exception as error:  # one letter that breaks the recording keeps nobody else from it, and stays where it is
        return Replayed(id=letter.letter_id, outcome="failed", reason=f"{type(error).__name__}: {error}")
    reason = reads_as(letter.delivery, routing, session.clock()) if outcome == "rejected" else None
    return Replayed(id=letter.letter_id, outcome=outcome, reason=reason)


@contextmanager
def _letters(session: Session) -> Iterator[Letters]:
    broker = broker_of(session)
    from handlers.pubsub.letters import letters  # noqa: PLC0415 - a second of start-up, for these verbs alone

    with closing(broker), letters(broker) as found:
        yield found


def _shown(session: Session, limit: int) -> list[Shown]:
    """Dead letters, where there is a broker, and the rejected messages of the store, the latest last."""
    found: list[Shown] = []
    if session.settings.pubsub_project:
        with _letters(session) as letters:
            found += [_dead(session, letter) for letter in letters.take(limit)]
    with session.asking() as recorded:
        for state in recorded.controls():
            for event in recorded.events(state.stream):
                if isinstance(event.data, MessageRejected):
                    found.append(_rejected(event.id, event.data, event.occurred_at, event.recorded_at))
    return found


def _dead(session: Session, letter: Letter) -> Shown:
    routing = routing_of(session.definitions.values())
    entry = Entry(
        kept="broker",
        id=letter.letter_id,
        topic=letter.topic,
        subscription=letter.subscription or None,
        attempts=letter.attempts,
        published_at=letter.published_at,
        failed_at=letter.died_at,
        size=len(letter.data),
        reason=f"would be {reads_as(letter.delivery, routing, session.clock())}",
    )
    return Shown(entry=entry, message_id=letter.message_id, attributes=letter.attributes, data=letter.data)


def _rejected(event_id: str, data: MessageRejected, published_at: datetime, recorded_at: datetime) -> Shown:
    entry = Entry(
        kept="store",
        id=event_id,
        topic=data.topic,
        subscription=None,
        attempts=None,
        published_at=published_at,
        failed_at=recorded_at,
        size=data.size,
        reason=f"{data.code}: {data.reason}",
    )
    return Shown(entry=entry, message_id=data.message_id, attributes=data.attributes, data=b64decode(data.data))


def _nothing(entry: str) -> Refused:
    step = "`dlq list` has those that are; another may be looking at it (try again in ten minutes), or --limit is low."
    return Refused(f"there is no {entry!r}", next_step=step)


def _print(console: Console, entries: list[Entry]) -> None:
    rows = [
        (item.kept, item.id, item.topic, item.attempts, when(item.published_at), item.size, Text(item.reason))
        for item in entries
    ]
    columns = ("kept in", "id", "topic", "#attempts", "published", "#bytes", "reason")
    console.print(table(*columns, rows=rows) if rows else "Every message got in.")


def _print_one(console: Console, shown: Shown) -> None:
    entry = shown.entry
    pairs = [(name, getattr(entry, name)) for name in ("kept", "id", "topic", "subscription", "attempts")]
    console.print(
        facts(
            *pairs,
            ("message", shown.message_id),
            ("published", entry.published_at),
            ("failed", entry.failed_at),
            ("bytes", entry.size),
            *shown.attributes.items(),
            ("reason", Text(entry.reason)),
        )
    )
    console.print(Text(shown.data.decode(errors="backslashreplace")))


def _print_replayed(console: Console, done: list[Replayed]) -> None:
    rows = [(item.id, item.outcome, Text(item.reason or "")) for item in done]
    console.print(table("letter", "outcome", "why", rows=rows) if rows else "There is no dead letter.")
