"""The way out for commands whose topic is a call: `http:SERVICE/PATH` is a POST to that path of that service.

Where a service is reached stands in setting `TIPOFF_SERVICES`. The command's payload is the body, its id the
`Idempotency-Key`: the same command is the same key however often it is sent. A 2xx says that the service took it, not
that it worked; whether it did is what the data says (design 8.9).

Services have a thread each, so that one which is slow or away holds up no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx

from events.codec import encode
from events.store import Pending
from handlers.dispatch import Answer, PermanentFailure, Sent, TransientFailure
from handlers.outbound.client import SERVER_ERROR, Call, NoReply, OutboundClient, Reply

PREFIX = "http:"

SCRAPERS = frozenset({"phase1", "scrapers"})
"""Services that call somebody else's: they are given the longer back-off (robustness 1.3)."""

SERVICES_MAX = 16
"""Services that are called at the same time at most."""

CONNECT_SECONDS = 10.0
READ_SECONDS = 330.0
"""The slowest repair answers within 300 s (robustness 3.1)."""

CHECK_SECONDS = 5.0

Unwanted = Callable[[Pending], str | None]
"""Why a command is not to be sent any more; None where it is."""


def takes(topic: str) -> bool:
    """True for the topics that leave by an `HttpChannel`."""
    return topic.startswith(PREFIX)


def service_of(topic: str) -> tuple[str, str]:
    """Service and path of a topic: `http:phase4/process-date` is `phase4` and `process-date`."""
    service, _, path = topic.removeprefix(PREFIX).partition("/")
    return service, path


class HttpChannel:
    """Calls services for commands. `services` are their addresses by name, `needed` the names that the definitions use;
    `auth` signs requests where services ask for it."""

    def __init__(
        self,
        client: OutboundClient,
        services: Mapping[str, str],
        *,
        needed: frozenset[str] = frozenset(),
        unwanted: Unwanted = lambda _pending: None,
        auth: httpx.Auth | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._client = client
        self._services = dict(services)
        self._needed = needed
        self._unwanted = unwanted
        timeout = httpx.Timeout(CONNECT_SECONDS, read=read_seconds)
        self._http = httpx.Client(timeout=timeout, auth=auth, headers={"Content-Type": "application/json"})

    def send(self, batch: list[Pending]) -> list[Answer]:
        """Call for each command of `batch`; commands of one service in their order."""
        by_service: dict[str, list[int]] = {}
        for place, pending in enumerate(batch):
            by_service.setdefault(service_of(pending.command.topic)[0], []).append(place)
        answers: dict[int, Answer] = {}

        def of_service(places: list[int]) -> None:
            for place in places:
                answers[place] = self._send(batch[place])

        with ThreadPoolExecutor(min(len(by_service), SERVICES_MAX) or 1, "http") as pool:
            list(pool.map(of_service, by_service.values()))
        return [answers[place] for place in range(len(batch))]

    def _send(self, pending: Pending) -> Answer:
        command = pending.command
        service, path = service_of(command.topic)
        address = self._services.get(service)
        if address is None:
            return TransientFailure(f"no address is known of {service}: name it in TIPOFF_SERVICES")
        why = self._unwanted(pending)
        if why is not None:
            return PermanentFailure(f"not sent: {why}")
        url = httpx.URL(f"{address.rstrip('/')}/{path}")
        headers = {"Idempotency-Key": command.command_id}
        body = encode(command.payload)
        call = Call(
            domain=domain_of(url),
            send=lambda: post(self._http, url, body, headers),
            kind="scraper" if service in SCRAPERS else "pool",
        )
        try:
            reply = self._client.make(call)
        except (PermanentFailure, TransientFailure) as failure:
            return failure
        return Sent(message_id=f"http:{call.domain}:{reply.status}")

    def check(self) -> str | None:
        """What is wrong with this way out: services without an address, or that do not answer; None where nothing
        is."""
        wrong = [f"no address is known of {name}" for name in sorted(self._needed - self._services.keys())]
        return "; ".join([*wrong, *self._silent()]) or None

    def _silent(self) -> Iterator[str]:
        for name, address in sorted(self._services.items()):
            try:
                status = self._http.get(address, timeout=CHECK_SECONDS).status_code
            except httpx.HTTPError as error:
                yield f"{name}: {type(error).__name__}"
            else:
                if status >= SERVER_ERROR:
                    yield f"{name}: {status}"

    def close(self) -> None:
        """Close connections. Idempotent."""
        self._http.close()


def domain_of(url: httpx.URL) -> str:
    """Host and port, as far as the port is not that of the scheme: the name of a breaker."""
    return url.netloc.decode("ascii")


def post(http: httpx.Client, url: httpx.URL | str, body: bytes, headers: Mapping[str, str]) -> Reply:
    """One POST. Raises NoReply."""
    try:
        response = http.post(url, content=body, headers=dict(headers))
    except httpx.TimeoutException as error:
        raise NoReply(f"no answer in time ({type(error).__name__})") from error
    except httpx.HTTPError as error:
        raise NoReply(f"no connection ({type(error).__name__}: {error})") from error
    return Reply(
        status=response.status_code,
        text=response.text,
        retry_after=response.headers.get("Retry-After"),
        date=response.headers.get("Date"),
    )
