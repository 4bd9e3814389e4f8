"""The store in Firestore: the cloud home (docs/decisions/0008-firestore-store.md).

One append is one atomic commit with preconditions: every event document is created under its event id, every head is
updated only if unchanged since it was last seen. No locks, no transactions, and no reads while a stream is warm: the
update time that a commit returns is the precondition of the next. Which reads and writes were spent is counted in
`operations`.

Layout: `streams/{stream with : for /}` is the head, `…/events/{event_id}` an event, `outbox/{command_id}` a command.
Safe to use from several threads and instances.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, TypeVar

import msgspec
from google.api_core import exceptions as google
from google.auth.exceptions import GoogleAuthError
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from msgspec import Struct

from events.catalogue import CommandRequested
from events.codec import encode
from events.commits import refuse_malformed
from events.store import Commit, DuplicateEvent, Head, Pending, Stored, StoreUnavailable, WrongExpectedVersion

CALL_SECONDS = 10.0
"""How long one call may take before the store counts as unreachable."""

CONTENTION_TRIES_MAX = 4
"""How often a commit that Firestore aborted, without anybody having moved the streams, is sent again."""

WARM_STREAMS_MAX = 4096
POSITIONS_PER_INSTANT = 4096
"""Global positions are commit instants (µs) times this, plus the place within the commit."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CONFLICTS = (google.AlreadyExists, google.FailedPrecondition, google.NotFound, google.Aborted)
"""What Firestore answers when a precondition of a commit does not hold, or when it could not tell."""

T = TypeVar("T")
_decode_command = msgspec.json.Decoder(CommandRequested).decode

NEXT_STEPS: dict[type[Exception], str] = {
    google.PermissionDenied: "Give the service account roles/datastore.user. Nobody else holds anything.",
    google.Unauthenticated: "Check the service account and its credentials.",
    google.ResourceExhausted: "A quota is used up: see Firestore usage in the console. Nothing was acknowledged.",
    google.DeadlineExceeded: "The call timed out, it may or may not have been applied; it is decided again safely.",
}


class Operations(Struct):
    """Documents read and written, as Firestore bills them."""

    reads: int = 0
    writes: int = 0
    deletes: int = 0


class FirestoreStore:
    """A Store in the Firestore database of `client`."""

    def __init__(self, client: firestore.Client, *, call_seconds: float = CALL_SECONDS) -> None:
        self.client = client
        self.operations = Operations()
        self._name = f"firestore:{client.project}"
        self._seconds = call_seconds
        self._warm: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._lock = Lock()
        self._closed = False

    # reading

    def head(self, stream: str) -> Head | None:
        """See Store. Warms the stream: the next append needs no read."""
        snapshot = self._call(lambda: self._head_document(stream).get(retry=None, timeout=self._seconds))
        self.operations.reads += 1
        if not snapshot.exists:
            self._cool([stream])
            return None
        head = _head(snapshot.to_dict())
        self._keep_warm(stream, head.version, snapshot.update_time)
        return head

    def read(self, stream: str, *, after: int = 0) -> Iterator[Stored]:
        """See Store."""
        query = self._head_document(stream).collection("events").where(filter=FieldFilter("version", ">", after))
        for document in self._stream(query.order_by("version")):
            yield _stored(document.to_dict())

    def bodies(self, stream: str) -> Iterator[bytes]:
        """See Store."""
        return (stored.body for stored in self.read(stream))

    def read_all(self, *, after: int = 0) -> Iterator[Stored]:
        """See Store. Ordered by the instant the server committed."""
        since = _instant(after // POSITIONS_PER_INSTANT)
        query = self.client.collection_group("events").where(filter=FieldFilter("committed_at", ">=", since))
        for document in self._stream(query.order_by("committed_at").order_by("place")):
            stored = _stored(document.to_dict())
            if stored.position > after:
                yield stored

    def streams(self, prefix: str = "") -> list[str]:
        """See Store."""
        return [stream for stream, _head in self.heads(prefix)]

    def heads(self, prefix: str = "") -> Iterator[tuple[str, Head]]:
        """See Store."""
        query = self.client.collection("streams").order_by("stream")
        if prefix:
            query = query.where(filter=FieldFilter("stream", ">=", prefix))
            query = query.where(filter=FieldFilter("stream", "<", prefix + "\U0010ffff"))
        for document in self._stream(query):
            data = document.to_dict()
            yield data["stream"], _head(data)

    def due(self, now: datetime) -> list[str]:
        """See Store."""
        query = self.client.collection("streams").where(filter=FieldFilter("next_deadline", "<=", _micros(now)))
        found = [document.to_dict() for document in self._stream(query.order_by("next_deadline"))]
        return [data["stream"] for data in sorted(found, key=lambda data: (data["next_deadline"], data["stream"]))]

    def next_due(self) -> datetime | None:
        """See Store."""
        query = self.client.collection("streams").where(filter=FieldFilter("next_deadline", ">", 0))
        first = next(self._stream(query.order_by("next_deadline").limit(1)), None)
        return None if first is None else _instant(first.to_dict()["next_deadline"])

    def pending(self, limit: int = 1000) -> list[Pending]:
        """See Store."""
        query = self.client.collection("outbox").order_by("requested_at").order_by("place").limit(limit)
        found = (document.to_dict() for document in self._stream(query))
        return [Pending(data["stream"], _decode_command(data["body"])) for data in found]

    # writing

    def append(self, commits: Sequence[Commit]) -> None:
        """See Store. Raises ValueError for malformed commits."""
        refuse_malformed(commits)
        if not commits:
            return
        for commit in commits:
            self._refuse_unseen(commit)
        counts = Counter(event.id for commit in commits for event in commit.events)
        twice = frozenset(id for id, number in counts.items() if number > 1)
        if twice:
            raise DuplicateEvent(ids=twice | self._stored(commits))
        for attempt in range(1, CONTENTION_TRIES_MAX + 1):
            try:
                results = self._commit(commits)
            except CONFLICTS as error:
                self._cool([commit.stream for commit in commits])
                self._explain_refusal(commits)
                if attempt == CONTENTION_TRIES_MAX:
                    raise self._unavailable(error) from error
                for commit in commits:
                    self._refuse_unseen(commit)
                continue
            for commit in commits:
                self._keep_warm(commit.stream, commit.head.version, results[commit.stream])
            return

    def _commit(self, commits: Sequence[Commit]) -> dict[str, Any]:
        batch = self.client.batch()
        head_places: dict[str, int] = {}
        writes = 0
        place = 0
        for commit in commits:
            document = self._head_document(commit.stream)
            head_places[commit.stream] = writes
            self._write_head(batch, document, commit)
            writes += 1
            for event in commit.events:
                batch.create(
                    document.collection("events").document(event.id),
                    {
                        "stream": commit.stream,
                        "version": event.version,
                        "body": event.body,
                        "hash": event.hash,
                        "place": place,
                        "committed_at": firestore.SERVER_TIMESTAMP,
                    },
                )
                place += 1
                writes += 1
        writes += self._write_outbox(batch, commits)
        results = self._call(lambda: batch.commit(retry=None, timeout=self._seconds))
        self.operations.writes += writes
        return {stream: results[index].update_time for stream, index in head_places.items()}

    def _write_head(self, batch: Any, document: Any, commit: Commit) -> None:
        head = commit.head
        data = {
            "stream": commit.stream,
            "version": head.version,
            "hash": head.hash,
            "state": head.state,
            "next_deadline": None if head.next_deadline is None else _micros(head.next_deadline),
        }
        if commit.expected_version == 0:
            batch.create(document, data)
        else:
            option = self.client.write_option(last_update_time=self._warm[commit.stream][1])
            batch.update(document, data, option=option)

    def _write_outbox(self, batch: Any, commits: Sequence[Commit]) -> int:
        outbox = self.client.collection("outbox")
        requested = {command.command_id for commit in commits for command in commit.outbox}
        settled = [id for commit in commits for id in commit.settled if id not in requested]
        for command_id in settled:
            batch.delete(outbox.document(command_id))
        self.operations.deletes += len(settled)
        place = 0
        for commit in commits:
            for command in commit.outbox:
                data = {"stream": commit.stream, "body": encode(command), "place": place}
                batch.set(outbox.document(command.command_id), data | {"requested_at": firestore.SERVER_TIMESTAMP})
                place += 1
        return place

    def _refuse_unseen(self, commit: Commit) -> None:
        """A stream that is not warm at the expected version is read once, so that its head has a precondition."""
        warm = self._warm.get(commit.stream)
        if commit.expected_version == 0 or (warm is not None and warm[0] == commit.expected_version):
            return
        head = self.head(commit.stream)
        actual = 0 if head is None else head.version
        if actual != commit.expected_version:
            raise WrongExpectedVersion(stream=commit.stream, expected=commit.expected_version, actual=actual)

    def _explain_refusal(self, commits: Sequence[Commit]) -> None:
        """Raise for what really stands in the way: another writer's version, or events that are stored already."""
        for commit in commits:
            head = self.head(commit.stream)
            actual = 0 if head is None else head.version
            if actual != commit.expected_version:
                raise WrongExpectedVersion(stream=commit.stream, expected=commit.expected_version, actual=actual)
        if ids := self._stored(commits):
            raise DuplicateEvent(ids=ids)

    def _stored(self, commits: Sequence[Commit]) -> frozenset[str]:
        """Ids among those of `commits` that their streams hold already."""
        documents = [
            self._head_document(commit.stream).collection("events").document(event.id)
            for commit in commits
            for event in commit.events
        ]
        found = self._call(
            lambda: list(self.client.get_all(documents, field_paths=["version"], retry=None, timeout=self._seconds))
        )
        self.operations.reads += len(found)
        return frozenset(snapshot.id for snapshot in found if snapshot.exists)

    def _keep_warm(self, stream: str, version: int, update_time: Any) -> None:
        with self._lock:
            self._warm[stream] = version, update_time
            self._warm.move_to_end(stream)
            while len(self._warm) > WARM_STREAMS_MAX:
                self._warm.popitem(last=False)

    def _cool(self, streams: Sequence[str]) -> None:
        with self._lock:
            for stream in streams:
                self._warm.pop(stream, None)

    # calls

    def close(self) -> None:
        """See Store."""
        if not self._closed:
            self._closed = True
            self.client.close()

    def _head_document(self, stream: str) -> Any:
        return self.client.collection("streams").document(stream.replace("/", ":"))

    def _stream(self, query: Any) -> Iterator[Any]:
        answers = iter(self._call(lambda: query.stream(retry=None, timeout=self._seconds)))
        while (document := self._call(lambda: next(answers, None))) is not None:
            self.operations.reads += 1
            yield document

    def _call(self, ask: Callable[[], T]) -> T:
        """Ask Firestore. What stands in the way of a commit is passed on; everything else is the store's absence."""
        if self._closed:
            raise StoreUnavailable(store=self._name, reason="it is closed", next_step="Open it again.")
        try:
            return ask()
        except CONFLICTS:
            raise
        except (google.GoogleAPIError, GoogleAuthError) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        reason = f"{type(error).__name__}: {getattr(error, 'message', None) or error}"
        step = NEXT_STEPS.get(type(error), "Retry; nothing was acknowledged.")
        return StoreUnavailable(store=self._name, reason=reason, next_step=step)


def _head(data: dict[str, Any]) -> Head:
    deadline = data["next_deadline"]
    return Head(
        version=data["version"],
        hash=data["hash"],
        state=data["state"],
        next_deadline=_instant(deadline) if deadline else None,
    )


def _stored(data: dict[str, Any]) -> Stored:
    position = _micros(data["committed_at"]) * POSITIONS_PER_INSTANT + data["place"]
    return Stored(position, data["stream"], data["version"], data["body"], data["hash"])


def _micros(instant: datetime) -> int:
    delta = instant - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _instant(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)
