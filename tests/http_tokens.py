"""An issuer of OIDC tokens with keys of its own, which publishes its certificates on a real server, as Google does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509.oid import NameOID
from msgspec import Struct

from tests.local_server import Server, serving

PUSHER = "push@project.iam.gserviceaccount.com"
OPERATOR = "ana@example.com"
AUDIENCE = "https://tipoff.example/v1/pubsub/push"
PATH = "/oauth2/v1/certs"


@cache
def key(name: str) -> RSAPrivateKey:
    """The private key of that name; making one takes a while."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def certificate(name: str) -> str:
    """A certificate of that key, self-signed as those of Google are, in PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federated-signon.system.gserviceaccount.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key(name).public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=7))
        .sign(key(name), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def claims(**changes: Any) -> dict[str, Any]:
    """What a token for a push says; a change to `...` removes a claim, `exp` and `iat` are seconds from now."""
    now = datetime.now(UTC).timestamp()
    said: dict[str, Any] = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "email": PUSHER,
        "email_verified": True,
        "sub": "1",
        "iat": 0,
        "exp": 3600,
    } | changes
    said |= {name: int(now + said[name]) for name in ("iat", "exp") if isinstance(said[name], int)}
    return {name: value for name, value in said.items() if value is not ...}


def token(*, signed_by: str = "one", kid: str | None = "one", **changes: Any) -> str:
    """A token of Google's kind."""
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(claims(**changes), key(signed_by), algorithm="RS256", headers=headers)


def bearer(said: str) -> dict[str, str]:
    """The header field that carries a token."""
    return {"authorization": f"Bearer {said}"}


class Issuer(Struct):
    """Where certificates are published, and which keys they are of. With none, the place is out of order."""

    server: Server
    keys: list[str]

    @property
    def url(self) -> str:
        return self.server.address + PATH

    @property
    def asked(self) -> int:
        """How often the certificates were fetched."""
        return len(self.server.asked)


@contextmanager
def issuer(*keys: str) -> Iterator[Issuer]:
    """An issuer that publishes the certificates of these keys."""

    def publish(_sent: bytes) -> tuple[int, str]:
        found = {name: certificate(name) for name in published.keys}
        return (200, json.dumps(found)) if found else (503, "out of order")

    with serving({PATH: publish}) as server:
        published = Issuer(server, list(keys))
        yield published
