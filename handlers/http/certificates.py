"""The certificates that OIDC tokens are verified with: fetched when needed, kept as long as their publisher says.

Keys rotate, so a key that is not known is looked for once more, not oftener than every `REFETCH_SECONDS`. When the
publisher cannot be reached, what was fetched goes on to count for `STALE_SECONDS`; with nothing fetched, tokens cannot
be verified, which is an error of ours and never an identity.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf
from threading import Lock
from time import monotonic

import httpx
import msgspec
import structlog

FETCH_SECONDS = 5.0
REFETCH_SECONDS = 30.0
RETRY_SECONDS = 1.0
"""Between two tries to fetch the first certificates."""

STALE_SECONDS = 24 * 3600.0
KEPT_SECONDS = 3600.0
"""How long certificates are kept when their publisher does not say."""


class CertificatesUnavailable(Exception):
    """There is nothing to verify a token with. Says nothing about the token."""

    code = "certificates_unavailable"

    def __str__(self) -> str:
        return (
            "the certificates of the issuer cannot be fetched. Send it again; TIPOFF_CERTIFICATES_URL names the place."
        )


class Fetched(msgspec.Struct, frozen=True):
    """Certificates (PEM, by key id), when they were fetched and how long they are kept, in seconds."""

    keys: dict[str, str]
    at: float
    kept: float


class Certificates:
    """The certificates at `url`. Safe to use from several threads."""

    def __init__(self, url: str, *, clock: Callable[[], float] = monotonic) -> None:
        self._url = url
        self._clock = clock
        self._lock = Lock()
        self._fetched: Fetched | None = None
        self._tried = -inf
        self._log = structlog.get_logger("certificates")

    def keys(self, key_id: str | None) -> dict[str, str]:
        """The certificates by key id, with that of `key_id` if there is one. Raises CertificatesUnavailable."""
        if self._to_fetch(key_id):
            with self._lock:
                if self._to_fetch(key_id):
                    self._fetch()
        fetched = self._fetched
        if fetched is None or self._clock() - fetched.at > STALE_SECONDS:
            raise CertificatesUnavailable
        return fetched.keys

    def _to_fetch(self, key_id: str | None) -> bool:
        fetched, now = self._fetched, self._clock()
        if fetched is None:
            return now - self._tried >= RETRY_SECONDS
        unknown = key_id is not None and key_id not in fetched.keys
        return now - self._tried >= REFETCH_SECONDS and (unknown or now - fetched.at > fetched.kept)

    def _fetch(self) -> None:
        self._tried = self._clock()
        try:
            answer = httpx.get(self._url, timeout=FETCH_SECONDS).raise_for_status()
            keys = msgspec.json.decode(answer.content, type=dict[str, str])
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            self._log.warning("certificates_unavailable", url=self._url, error=str(error))
            return
        said = re.search(r"max-age=(\d+)", answer.headers.get("cache-control", ""))
        kept = min(float(said[1]), STALE_SECONDS) if said else KEPT_SECONDS
        self._fetched = Fetched(keys, self._tried, kept)
