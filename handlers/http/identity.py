"""Who sends a request. Pushes and ticks come from service accounts, commands from people; both carry a bearer token.

A token is an OIDC token of Google (signature, audience, issuer, expiry, account) or, for operators, one of those in the
settings. What cannot be verified, in whatever way, identifies nobody (401); a known caller who is not on the list may
not (403). Without configuration nobody is asked who they are; `handlers/http/exposure.py` says where that is allowed.
"""

from __future__ import annotations

import hmac
from asyncio import to_thread
from collections.abc import Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from msgspec import Struct

from handlers.asked import Refused
from handlers.http.certificates import Certificates, CertificatesUnavailable
from handlers.settings import Settings

LEEWAY_SECONDS = 10
"""How much the clocks of issuer and service may differ."""

Verify = Callable[[str], str]
"""The name of who a token belongs to. Raises Unidentified, NotAllowed, CertificatesUnavailable; may take a while."""

ACTOR = "actor"
"""Where a request keeps the name of its verified sender."""


class Unidentified(Exception):
    """The token, or the lack of one, identifies nobody."""

    code = "unidentified"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"{self.reason}. Send a valid token as `Authorization: Bearer TOKEN`."


class NotAllowed(Exception):
    """It is known who asks, and they may not."""

    code = "not_allowed"

    def __init__(self, reason: str, next_step: str) -> None:
        self.reason, self.next_step = reason, next_step
        super().__init__(reason, next_step)

    def __str__(self) -> str:
        return f"{self.reason}. {self.next_step}"


class Doors(Struct, frozen=True, kw_only=True):
    """Who is asked for an identity where: None asks nobody."""

    push: Verify | None = None
    operator: Verify | None = None

    @property
    def tick(self) -> Verify | None:
        """Whoever may push or command may also tick."""
        known = [verify for verify in (self.push, self.operator) if verify is not None]
        return either(*known) if known else None


def doors(settings: Settings) -> Doors:
    """The doors that the settings describe. Raises Refused where they describe one by half."""
    push = _oidc(settings, "PUSH", settings.push_audience, settings.push_accounts)
    people = _oidc(settings, "OPERATOR", settings.operator_audience, settings.operator_accounts)
    tokens = token_of(settings.operator_tokens) if settings.operator_tokens else None
    operator = [verify for verify in (tokens, people) if verify is not None]
    return Doors(push=push, operator=either(*operator) if operator else None)


def _oidc(settings: Settings, whose: str, audience: str, accounts: tuple[str, ...]) -> Verify | None:
    if not audience and not accounts:
        return None
    if not audience or not accounts:
        lacking = "ACCOUNTS" if audience else "AUDIENCE"
        step = "Set both, or neither."
        raise Refused(f"TIPOFF_{whose}_{lacking} is not set, and its counterpart is", next_step=step)
    try:
        import google.oauth2.id_token  # noqa: F401, PLC0415 - only where tokens are verified with it
    except ImportError as error:
        step = "Install it: pip install 'tipoff[cloud]'."
        raise Refused(f"{error.name} is not installed, and tokens are verified with it", next_step=step) from error
    return oidc(audience, accounts, Certificates(settings.certificates_url))


# --- tokens -------------------------------------------------------------------------------------------------------


def either(*known: Verify) -> Verify:
    """Whoever one of `known` knows. One that knows and refuses counts for more than one that does not know."""

    def verify(token: str) -> str:
        refusal: Unidentified | NotAllowed = Unidentified("no token is known")
        for ask in known:
            try:
                return ask(token)
            except NotAllowed as error:
                refusal = error
            except Unidentified as error:
                refusal = refusal if isinstance(refusal, NotAllowed) else error
        raise refusal

    return verify


def token_of(tokens: tuple[tuple[str, str], ...]) -> Verify:
    """The name that a secret token stands for. Every token is compared, in the same time whatever is sent."""
    known = [(name, sha256(token.encode()).digest()) for name, token in tokens]

    def verify(token: str) -> str:
        sent = sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = [name for name, digest in known if hmac.compare_digest(digest, sent)]
        if not found:
            raise Unidentified("the token is not known")
        return found[0]

    return verify


class _Answer(Struct, frozen=True):
    """A response as Google's library reads it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


def oidc(audience: str, accounts: tuple[str, ...], certificates: Certificates) -> Verify:
    """The address of the account that an OIDC token of Google was issued to. Of `accounts`, `@DOMAIN` is everybody
    whose account that Google Workspace manages (claim `hd`: an address alone proves no membership)."""
    from google.auth import jwt  # noqa: PLC0415 - an extra; see `doors`
    from google.oauth2.id_token import verify_oauth2_token  # noqa: PLC0415

    def verify(token: str) -> str:
        try:
            keys = certificates.keys(jwt.decode_header(token).get("kid"))
            found = _Answer(HTTPStatus.OK, {}, msgspec.json.encode(keys))
            claims: Mapping[str, Any] = verify_oauth2_token(
                token, lambda *_args, **_kwargs: found, audience=audience, clock_skew_in_seconds=LEEWAY_SECONDS
            )
        except CertificatesUnavailable:
            raise
        except Exception as error:  # a token that cannot be verified, in whatever way, identifies nobody
            raise Unidentified("the token is not valid") from error
        return _account(claims, accounts)

    return verify


def _account(claims: Mapping[str, Any], accounts: tuple[str, ...]) -> str:
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        raise Unidentified("the token has no verified e-mail address")
    address = email.lower()
    if address not in accounts and f"@{claims.get('hd', '')}".lower() not in accounts:
        raise NotAllowed(f"{email} is not on the list", "Ask whoever runs the service to add the account.")
    return address


# --- at the door --------------------------------------------------------------------------------------------------


async def identify(connection: ASGIConnection[Any, Any, Any, Any], verify: Verify | None) -> None:
    """Note who sends a request, where somebody has to be known. Raises what `verify` raises."""
    if verify is None:
        return
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unidentified("there is no bearer token")
    connection.state[ACTOR] = await to_thread(verify, token.strip())


async def pushers(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Lets in who may push."""
    await identify(connection, connection.app.state.doors.push)


async def tickers(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Lets in who may tick."""
    await identify(connection, connection.app.state.doors.tick)


async def operators(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Lets in who may command."""
    await identify(connection, connection.app.state.doors.operator)
