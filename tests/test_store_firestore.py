"""The contract, held by the Firestore store on Google's emulator; and what only it promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from google.api_core import exceptions as google
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from events.firestore import FirestoreStore
from events.store import DuplicateEvent, StoreUnavailable, WrongExpectedVersion
from tests.contract_store import StoreContract
from tests.store_events import STREAM, commit, extend, ids

_PROJECTS = count(1)


@pytest.fixture
def client(firestore_host: str, monkeypatch: pytest.MonkeyPatch) -> firestore.Client:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
    anybody = AnonymousCredentials()
    return firestore.Client(project=f"tipoff-{next(_PROJECTS)}", credentials=anybody)


class TestFirestoreStore(StoreContract):
    @pytest.fixture
    def store(self, client: firestore.Client) -> Iterator[FirestoreStore]:
        with closing(FirestoreStore(client)) as store:
            yield store


@pytest.fixture
def store(client: firestore.Client) -> Iterator[FirestoreStore]:
    with closing(FirestoreStore(client)) as store:
        yield store


def test_a_warm_stream_costs_one_write_an_event_and_one_for_its_head_and_no_read(store: FirestoreStore):
    extend(store, STREAM, *ids(1))
    before = store.operations
    spent = (before.reads, before.writes)
    head = commit(STREAM, *ids(1)).head
    for number in range(2, 12):
        appended = commit(STREAM, *ids(number), onto=head)
        store.append([appended])
        head = appended.head
    assert (store.operations.reads - spent[0], store.operations.writes - spent[1]) == (0, 20)


def test_events_that_come_together_share_the_write_of_their_head(store: FirestoreStore):
    store.append([commit(STREAM, *ids(*range(50)))])
    assert (store.operations.reads, store.operations.writes) == (0, 51)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (google.PermissionDenied("403 Missing or insufficient permissions"), "roles/datastore.user"),
        (google.Unauthenticated("401 bad token"), "credentials"),
        (google.DeadlineExceeded("504 too late"), "decided again"),
        (google.ServiceUnavailable("503 connection reset"), "Retry"),
        (google.ResourceExhausted("429 quota"), "quota"),
        (google.InternalServerError("500"), "Retry"),
    ],
)
def test_what_keeps_firestore_from_answering_is_never_taken_for_contention(
    store: FirestoreStore, monkeypatch: pytest.MonkeyPatch, fault: Exception, says: str
):
    first = extend(store, STREAM, *ids(1))
    second = commit(STREAM, *ids(2), onto=first.head)

    with monkeypatch.context() as broken:
        broken.setattr(firestore.WriteBatch, "commit", failing(fault, times=99))
        with pytest.raises(StoreUnavailable) as refused:
            store.append([second])
    assert says in str(refused.value)
    assert type(fault).__name__ in refused.value.reason

    store.append([second])
    assert store.head(STREAM) == second.head


def test_an_aborted_commit_that_nobody_overtook_is_sent_again(store: FirestoreStore, monkeypatch: pytest.MonkeyPatch):
    first = extend(store, STREAM, *ids(1))
    monkeypatch.setattr(firestore.WriteBatch, "commit", failing(google.Aborted("409 contention"), times=2))
    second = commit(STREAM, *ids(2), onto=first.head)
    store.append([second])
    assert store.head(STREAM) == second.head


def test_a_commit_that_is_aborted_again_and_again_is_unavailable_and_not_somebody_elses(
    store: FirestoreStore, monkeypatch: pytest.MonkeyPatch
):
    first = extend(store, STREAM, *ids(1))
    monkeypatch.setattr(firestore.WriteBatch, "commit", failing(google.Aborted("409 contention"), times=99))
    with pytest.raises(StoreUnavailable):
        store.append([commit(STREAM, *ids(2), onto=first.head)])


def test_a_commit_that_was_applied_though_its_answer_was_lost_is_found_by_deciding_again(
    store: FirestoreStore, monkeypatch: pytest.MonkeyPatch
):
    first = extend(store, STREAM, *ids(1))
    second = commit(STREAM, *ids(2), onto=first.head)
    real = firestore.WriteBatch.commit

    def applied_and_lost(batch: firestore.WriteBatch, **options: Any) -> Any:
        real(batch, **options)
        raise google.DeadlineExceeded("504 the answer was lost")

    with monkeypatch.context() as broken:
        broken.setattr(firestore.WriteBatch, "commit", applied_and_lost)
        with pytest.raises(StoreUnavailable):
            store.append([second])

    with pytest.raises(WrongExpectedVersion):
        store.append([second])
    with pytest.raises(DuplicateEvent):
        store.append([commit(STREAM, *ids(2), onto=store.head(STREAM))])


def failing(fault: Exception, *, times: int) -> Callable[..., Any]:
    """A commit that fails `times` times before it is the real one."""
    left = [fault] * times
    real = firestore.WriteBatch.commit

    def commit_or_fail(batch: firestore.WriteBatch, **options: Any) -> Any:
        if left:
            raise left.pop()
        return real(batch, **options)

    return commit_or_fail


def test_two_instances_on_one_database_number_a_stream_without_gaps(firestore_host: str, client: firestore.Client):
    one, other = FirestoreStore(client), FirestoreStore(client)

    def write(store: FirestoreStore, name: str) -> int:
        refused = 0
        for number in range(10):
            while True:
                try:
                    extend(store, STREAM, *ids((name, number)))
                    break
                except WrongExpectedVersion:
                    refused += 1
        return refused

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (one, other), "ab"))
    assert [stored.version for stored in one.read(STREAM)] == list(range(1, 21))
