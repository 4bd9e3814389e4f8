"""How much one client, and all of them, may ask for. Every number has its reason here.

`Limits` is what the edge asks before it lets a request in; the rest are limits of routes and connections.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from handlers.http.problems import Refusal

PUSH_BYTES_MAX = 16 * 1024 * 1024
"""A Pub/Sub message has at most 10 MB, which is 13.4 MB in base64, and some attributes. Nothing that Pub/Sub can send
is refused here, for what is refused is lost in the end; what is too large to be read is stored as rejected."""

COMMAND_BYTES_MAX = 64 * 1024
"""An operator's command, with a reason of `REASON_CHARS_MAX` in any script."""

BYTES_IN_FLIGHT_MAX = 128 * 1024 * 1024
"""Bytes of all bodies that wait to be stored: a quarter of the memory of the smallest instance."""

REQUESTS_MAX = 512
"""Requests that are served at a time; a commit takes 256 of them at once."""

CONNECTIONS_MAX = 900
"""Open connections; a process has 1,024 files by default."""

REQUEST_SECONDS = 30.0
"""From the first byte of a body to the answer. A store that is written by another waits 5 s."""

HEADER_SECONDS = 10.0
"""From the first byte of a request (or the opening of a connection) to the end of its header."""

HEADER_BYTES_MAX = 16 * 1024
IDLE_SECONDS = 65
"""How long an idle connection is kept: longer than load balancers keep theirs, so that they close first."""

SEND_SECONDS = 30.0
"""How long a client may take to read an answer that no socket buffer holds."""

CLIENTS_MAX = 10_000
"""Clients whose rate is remembered; the one that asked longest ago is forgotten."""


class Limits:
    """What is under way, and the rate of every client: a bucket that holds a second's worth of requests, at least one,
    and refills steadily. Used on one thread."""

    def __init__(
        self,
        rate: float,
        *,
        requests_max: int = REQUESTS_MAX,
        bytes_max: int = BYTES_IN_FLIGHT_MAX,
        seconds: float = REQUEST_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.seconds = seconds
        self._rate = rate
        self._requests_max = requests_max
        self._bytes_max = bytes_max
        self._clock = clock
        self._requests = 0
        self._bytes = 0
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def enter(self, client: str) -> None:
        """Let a request in. Raises Refusal; otherwise `leave` has to follow."""
        if self._requests >= self._requests_max:
            raise Refusal("overloaded", f"{self._requests_max} requests are being served. Send it again.")
        full = max(1.0, self._rate)
        now = self._clock()
        left, at = self._buckets.pop(client, (full, now))
        left = min(full, left + max(0.0, now - at) * self._rate)
        self._buckets[client] = (left - 1 if left >= 1 else left, now)
        while len(self._buckets) > CLIENTS_MAX:
            self._buckets.popitem(last=False)
        if left < 1:
            raise Refusal("rate_limited", f"One client may send {self._rate:g} requests a second. Send it again later.")
        self._requests += 1

    def leave(self, taken: int) -> None:
        """A request is done, with `taken` bytes."""
        self._requests -= 1
        self._bytes -= taken

    def take(self, size: int) -> None:
        """Take bytes of a body. Raises Refusal; they count until `leave` all the same."""
        self._bytes += size
        if self._bytes > self._bytes_max:
            raise Refusal("overloaded", "The bodies of all requests take too much room now. Send it again.")
