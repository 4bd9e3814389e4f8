"""Who may push, tick and command: only whoever can prove who they are, and history says who it was."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from handlers import settings
from handlers.asked import Refused
from handlers.http.certificates import (
    KEPT_SECONDS,
    REFETCH_SECONDS,
    RETRY_SECONDS,
    STALE_SECONDS,
    Certificates,
    CertificatesUnavailable,
)
from handlers.http.exposure import is_loopback, refuse_exposure
from handlers.http.identity import Doors, doors
from tests.command_line import completion, evening, tipoff
from tests.http_service import JSON, Served, copied, numbered, problem, pushed, served
from tests.http_tokens import AUDIENCE, OPERATOR, PUSHER, Issuer, bearer, claims, issuer, key, token

SECRET = "correct-horse-battery"
DAY = "/v1/pipelines/nba/2026-01-16"
PEOPLE = "https://tipoff.example/people"

CONFIGURED = {
    "TIPOFF_PUSH_AUDIENCE": AUDIENCE,
    "TIPOFF_PUSH_ACCOUNTS": f"other@example.com, {PUSHER.upper()}",
    "TIPOFF_OPERATOR_AUDIENCE": PEOPLE,
    "TIPOFF_OPERATOR_ACCOUNTS": f"{OPERATOR},@league.example",
    "TIPOFF_OPERATOR_TOKENS": f"night-shift={SECRET}, night-shift=an-older-token-of-theirs",
}


def guarded(issuing: Issuer, **changes: str) -> Doors:
    """The doors of a service that is configured."""
    return doors(settings.read(CONFIGURED | {"TIPOFF_CERTIFICATES_URL": issuing.url} | changes))


@pytest.fixture(scope="module")
def evening_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a store in which an evening happened."""
    return evening(tmp_path_factory.mktemp("evening"))


@pytest.fixture(scope="module")
def issuing() -> Iterator[Issuer]:
    """An issuer with one key."""
    with issuer("one") as found:
        yield found


@pytest.fixture(scope="module")
def service(issuing: Issuer, evening_store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A configured service, on a store in which an evening happened."""
    store = copied(evening_store, tmp_path_factory.mktemp("guarded"))
    with served(store, doors=guarded(issuing)) as found:
        yield found


def stored(service: Served) -> int:
    """How many events there are."""
    return sum(1 for _ in service.service.intake.ask(lambda recorder: list(recorder.store.read_all())).result(10))


# --- pushes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"iss": "accounts.google.com"},
        {"email": PUSHER.title()},
        {"email": "other@example.com"},
        {"exp": -5},
        {"iat": 5},
        {"kid": None},
    ],
    ids=str,
)
def test_a_push_of_a_configured_account_is_stored(service: Served, said: dict[str, Any]):
    before, sent = stored(service), pushed(completion(execution_id=str(said)), message_id=str(said))
    answer = service.http.post("/v1/pubsub/push", content=sent, headers=bearer(token(**said)) | JSON)
    assert answer.status_code == 204, answer.text
    assert stored(service) > before


def unsigned(header: object, body: dict[str, Any]) -> str:
    """A token that says it needs no signature."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, body)]
    return ".".join([*parts, ""])


def signed_with_the_certificate() -> str:
    """A token signed with HMAC, taking the public key for the secret."""
    public = (
        key("one")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    text = unsigned({"alg": "HS256", "kid": "one", "typ": "JWT"}, claims()).rstrip(".")
    signature = hmac.new(public, text.encode(), sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def tampered() -> str:
    """A token of another account, whose e-mail address was changed after signing."""
    head, _body, signature = token(email="other@project.example").split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


FORGED: dict[str, Callable[[], str | None]] = {
    "no token": lambda: None,
    "no JWT": lambda: "abc",
    "three dots": lambda: "...",
    "not base64": lambda: "a.b.c",
    "none": lambda: unsigned({"alg": "none", "kid": "one"}, claims()),
    "None": lambda: unsigned({"alg": "None", "kid": "one"}, claims()),
    "no algorithm": lambda: unsigned({"kid": "one"}, claims()),
    "a list for a header": lambda: unsigned([], claims()),
    "key id is an object": lambda: unsigned({"alg": "RS256", "kid": {}}, claims()),
    "HMAC with the public key": signed_with_the_certificate,
    "another key under this key's id": lambda: token(signed_by="two"),
    "a key nobody published": lambda: token(signed_by="two", kid="two"),
    "tampered": tampered,
    "expired": lambda: token(exp=-30),
    "from the future": lambda: token(iat=60),
    "no expiry": lambda: token(exp=...),
    "expiry is a word": lambda: token(exp="later"),
    "expiry is no number": lambda: token(exp=[]),
    "another audience": lambda: token(aud="https://elsewhere.example"),
    "no audience": lambda: token(aud=...),
    "the audience of people": lambda: token(aud=PEOPLE),
    "another issuer": lambda: token(iss="https://accounts.example"),
    "no issuer": lambda: token(iss=...),
    "address not verified": lambda: token(email_verified=False),
    "address verified, it says": lambda: token(email_verified="true"),
    "verification not told": lambda: token(email_verified=...),
    "no address": lambda: token(email=...),
    "the address is a list": lambda: token(email=[PUSHER]),
    "a secret of operators": lambda: SECRET,
}


@pytest.mark.parametrize("name", FORGED)
def test_a_token_that_proves_nothing_identifies_nobody_and_nothing_is_stored(service: Served, name: str):
    before, said = stored(service), FORGED[name]()
    headers = {} if said is None else bearer(said)
    answer = service.http.post("/v1/pubsub/push", content=numbered(1), headers=headers)
    problem(answer, "unidentified")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert stored(service) == before


@pytest.mark.parametrize("said", ["Basic YTpi", "Bearer", "{}", "Token {}"])
def test_a_token_is_a_bearer_token(service: Served, said: str):
    answer = service.http.post("/v1/pubsub/push", content=numbered(1), headers={"authorization": said.format(token())})
    problem(answer, "unidentified")


@pytest.mark.parametrize("email", ["stranger@example.com", OPERATOR, f"x{PUSHER}", f"{PUSHER}.evil.example"])
def test_an_account_that_is_not_on_the_list_may_not_push(service: Served, email: str):
    before = stored(service)
    answer = service.http.post("/v1/pubsub/push", content=numbered(1), headers=bearer(token(email=email)))
    assert email in problem(answer, "not_allowed")["detail"]
    assert answer.status_code == 403
    assert stored(service) == before


def test_who_asks_is_known_before_the_body_is_read(service: Served):
    problem(service.http.post("/v1/pubsub/push", content=b"x" * (20 << 20)), "unidentified")


# --- certificates -------------------------------------------------------------------------------------------------


def test_certificates_are_fetched_once_for_many_pushes():
    with issuer("one") as published, served(doors=guarded(published)) as service:
        for number in range(20):
            sent = service.http.post("/v1/pubsub/push", content=numbered(number), headers=bearer(token()))
            assert sent.status_code == 204
        assert published.asked == 1


def test_strangers_with_made_up_keys_do_not_make_us_fetch_certificates_again_and_again():
    with issuer("one") as published, served(doors=guarded(published)) as service:
        for number in range(20):
            forged = token(signed_by="two", kid=f"made-up-{number}")
            problem(service.http.post("/v1/pubsub/push", headers=bearer(forged)), "unidentified")
        assert published.asked == 1


def test_without_certificates_nobody_is_taken_for_a_stranger_nor_for_a_friend():
    with issuer() as published, served(doors=guarded(published)) as service:
        problem(
            service.http.post("/v1/pubsub/push", content=numbered(1), headers=bearer(token())),
            "certificates_unavailable",
        )
        assert stored(service) == 0
        assert service.http.get("/v1/health").status_code == 200


class Certainly:
    """Certificates at a clock that a test sets."""

    def __init__(self, published: Issuer) -> None:
        self.now = 0.0
        self.certificates = Certificates(published.url, clock=lambda: self.now)

    def after(self, seconds: float, key_id: str) -> bool:
        """Whether that key is known so much later."""
        self.now += seconds
        return key_id in self.certificates.keys(key_id)


def test_a_key_that_was_changed_is_known_soon_and_the_old_one_no_longer():
    with issuer("one") as published:
        known = Certainly(published)
        assert known.after(0, "one")
        published.keys[:] = ["two"]
        assert not known.after(REFETCH_SECONDS - 1, "two")
        assert known.after(1, "two")
        assert not known.after(0, "one")
        assert published.asked == 2


def test_certificates_are_fetched_again_when_they_are_old():
    with issuer("one") as published:
        known = Certainly(published)
        assert all(known.after(KEPT_SECONDS / 10, "one") for _ in range(10))
        assert published.asked == 1
        assert known.after(KEPT_SECONDS / 5, "one")
        assert published.asked == 2


def test_while_certificates_cannot_be_fetched_the_old_ones_count_for_a_day_and_no_longer():
    with issuer("one") as published:
        known = Certainly(published)
        assert known.after(0, "one")
        published.keys.clear()
        assert known.after(STALE_SECONDS, "one")
        with pytest.raises(CertificatesUnavailable):
            known.after(1, "one")
        published.keys[:] = ["one"]
        assert known.after(REFETCH_SECONDS, "one")


def test_certificates_that_were_never_there_are_looked_for_every_second():
    with issuer() as published:
        known = Certainly(published)
        for _ in range(3):
            with pytest.raises(CertificatesUnavailable):
                known.after(RETRY_SECONDS / 2, "one")
        assert published.asked == 2
        published.keys[:] = ["one"]
        assert known.after(RETRY_SECONDS, "one")


# --- operators ----------------------------------------------------------------------------------------------------


@contextmanager
def acting(evening_store: str, folder: Path, doors: Doors) -> Iterator[Served]:
    with served(copied(evening_store, folder), doors=doors) as service:
        yield service


@pytest.mark.parametrize(
    ("said", "actor"),
    [
        (lambda: SECRET, "night-shift"),
        (lambda: "an-older-token-of-theirs", "night-shift"),
        (lambda: token(aud=PEOPLE, email=OPERATOR.upper()), OPERATOR),
        (lambda: token(aud=PEOPLE, email="ben@league.example", hd="league.example"), "ben@league.example"),
    ],
)
def test_a_command_is_recorded_with_the_identity_of_who_asked(
    issuing: Issuer, evening_store: str, tmp_path: Path, said: Callable[[], str], actor: str
):
    with acting(evening_store, tmp_path, guarded(issuing)) as service:
        done = service.act("halt", token=said()).json()
        assert (done["events"][0]["type"], done["events"][0]["actor"]) == ("operator_acted", actor)
        assert service.act("resume", token=said(), actor=actor).status_code == 200


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (lambda: None, "unidentified"),
        (lambda: "wrong", "unidentified"),
        (lambda: SECRET[:-1], "unidentified"),
        (SECRET.upper, "unidentified"),
        (token, "unidentified"),
        (lambda: token(aud=PEOPLE, email=PUSHER), "not_allowed"),
        (lambda: token(aud=PEOPLE, email="eve@league.example"), "not_allowed"),
        (lambda: token(aud=PEOPLE, email="eve@league.example", hd="evil.example"), "not_allowed"),
        (lambda: token(aud=PEOPLE, email="eve@evil.example", hd=""), "not_allowed"),
    ],
)
def test_nobody_else_commands(service: Served, said: Callable[[], str | None], code: str):
    before = stored(service)
    problem(service.act("halt", token=said()), code)
    assert stored(service) == before


def test_nobody_acts_in_the_name_of_another(service: Served):
    before = stored(service)
    refusal = problem(service.act("halt", token=SECRET, actor="ana"), "not_allowed")
    assert "night-shift asks in the name of ana" in refusal["detail"]
    assert stored(service) == before


def test_pushers_and_operators_may_tick_and_nobody_else(service: Served):
    for said in (SECRET, token(), token(aud=PEOPLE, email=OPERATOR)):
        assert service.http.post("/v1/tick", headers=bearer(said)).status_code == 200
    problem(service.http.post("/v1/tick"), "unidentified")
    problem(service.http.post("/v1/tick", headers=bearer(token(email="stranger@example.com"))), "not_allowed")


def test_reading_needs_no_identity(service: Served):
    for path in ("/v1/health", DAY, f"{DAY}/events", "/healthz", "/readyz", "/metrics", "/schema"):
        assert service.http.get(path).status_code == 200


# --- where a service may be ---------------------------------------------------------------------------------------


def unguarded(environ: dict[str, str]) -> Doors:
    return doors(settings.read(environ))


PUSH = {name: value for name, value in CONFIGURED.items() if "PUSH" in name}
TOKENS = {name: value for name, value in CONFIGURED.items() if "TOKENS" in name}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "192.168.0.7", "tipoff.example", "127.evil.example"])
@pytest.mark.parametrize(
    ("environ", "lacking"),
    [
        ({}, ["TIPOFF_PUSH_AUDIENCE", "TIPOFF_OPERATOR_TOKENS"]),
        (PUSH, ["TIPOFF_OPERATOR_TOKENS"]),
        (TOKENS, ["TIPOFF_PUSH_ACCOUNTS"]),
    ],
)
def test_what_others_can_reach_without_an_identity_does_not_start(
    host: str, environ: dict[str, str], lacking: list[str]
):
    ran = tipoff("serve", "--host", host, "--store", "memory:", environ=environ)
    assert ran.code == 64
    assert all(name in ran.err for name in [*lacking, "--open-to-anyone"])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_this_machine_alone_a_service_may_start_without(host: str):
    assert is_loopback(host)
    refuse_exposure(host, Doors(), open_to_anyone=False)


def test_a_service_that_knows_both_or_is_told_by_name_may_start_anywhere():
    refuse_exposure("0.0.0.0", unguarded(PUSH | TOKENS), open_to_anyone=False)
    refuse_exposure("0.0.0.0", Doors(), open_to_anyone=True)


@pytest.mark.parametrize("left_out", ["PUSH_AUDIENCE", "PUSH_ACCOUNTS", "OPERATOR_AUDIENCE", "OPERATOR_ACCOUNTS"])
def test_an_identity_that_is_configured_by_half_does_not_start(left_out: str):
    name = f"TIPOFF_{left_out}"
    with pytest.raises(Refused, match=name):
        unguarded({key: value for key, value in CONFIGURED.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIPOFF_OPERATOR_TOKENS", "ana=short"),
        ("TIPOFF_OPERATOR_TOKENS", "sixteen-characters-and-no-name"),
        ("TIPOFF_OPERATOR_TOKENS", f"={SECRET}"),
        ("TIPOFF_PUSH_ACCOUNTS", "nobody"),
        ("TIPOFF_OPERATOR_ACCOUNTS", "@"),
        ("TIPOFF_CERTIFICATES_URL", "ftp://elsewhere"),
        ("TIPOFF_HTTP_PORT", "70000"),
        ("TIPOFF_HTTP_RATE", "0"),
    ],
)
def test_a_setting_that_does_not_parse_stops_the_start_and_shows_no_secret(name: str, value: str):
    ran = tipoff("serve", "--store", "memory:", environ={name: value})
    assert ran.code == 64
    assert name in ran.err
    assert (value in ran.err) is (name != "TIPOFF_OPERATOR_TOKENS")


def test_tokens_of_operators_are_never_shown():
    ran = tipoff("settings", "--json", environ=CONFIGURED)
    assert SECRET not in ran.out + ran.err
    (shown,) = [item for item in ran.json if item["name"] == "TIPOFF_OPERATOR_TOKENS"]
    assert shown["value"] == "********"


def test_nothing_that_a_push_says_makes_it_an_identity(service: Served):
    answer = service.http.post(
        "/v1/pubsub/push", content=json.dumps(completion(token=token())).encode(), headers={"x-goog-iap": token()}
    )
    problem(answer, "unidentified")
