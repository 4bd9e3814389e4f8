"""Can alerts be delivered? Each channel tests itself in its own way, which posts nothing (`Target.check`).

A channel that nobody configured is said, for alerts that go nowhere look like a quiet night (design 8.11).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import perf_counter

from events.values import Severity
from handlers.channels.targets import Target, address_for
from handlers.channels.webhook import WebhookTarget
from handlers.doctor.diagnosis import Diagnosis
from handlers.doctor.installation import Installation
from handlers.outbound.breakers import NoBreakers
from handlers.outbound.client import OutboundClient
from handlers.outbound.waiting import WallTime
from statemachine.definition import ClientRules

SLACK: Mapping[str, Severity] = {
    "SLACK_WEBHOOK_URL": "info",
    "SLACK_WEBHOOK_URL_WARNING": "warning",
    "SLACK_WEBHOOK_URL_ERROR": "critical",
}
WEBHOOK = "TIPOFF_ALERT_WEBHOOK_URL"


def look_at_channels(installation: Installation) -> Iterator[Diagnosis]:
    """Ask every channel that is configured to test itself, and say what is told to nobody."""
    set_here = {name: installation.environ.get(name, "").strip() for name in (*SLACK, WEBHOOK)}
    if not any(set_here.values()):
        yield Diagnosis(
            check="channels",
            outcome="fail" if installation.in_the_cloud else "warn",
            detail="none is set: alerts are recorded, and told to nobody",
            next_step=f"Set SLACK_WEBHOOK_URL, or {WEBHOOK}.",
        )
        return
    client = OutboundClient(ClientRules(), NoBreakers(), WallTime())
    addresses = {severity: set_here[name] for name, severity in SLACK.items() if set_here[name]}
    for name, severity in SLACK.items():
        if set_here[name]:
            yield _tested(name, partial(_slack, {severity: set_here[name]}, client))
        elif addresses:
            taken = next(known for known, of in SLACK.items() if set_here[known] == address_for(severity, addresses))
            detail = f"not set: {severity} goes to {taken}"
            yield Diagnosis(check="channels", subject=name, outcome="skipped", detail=detail)
    if set_here[WEBHOOK]:
        yield _tested(WEBHOOK, partial(WebhookTarget, set_here[WEBHOOK], client))


def _slack(addresses: Mapping[Severity, str], client: OutboundClient) -> Target:
    from handlers.channels.slack import SlackTarget  # noqa: PLC0415 - its library comes with the cloud extra

    return SlackTarget(addresses, client)


def _tested(name: str, make: Callable[[], Target]) -> Diagnosis:
    """What a channel says of itself; never its address, which is a secret."""
    step = f"Set {name} to an address that works; what waits for it is kept, and sent then."
    try:
        target = make()
    except ValueError as error:
        detail = f"its address is none ({type(error).__name__})"
        return Diagnosis(check="channels", subject=name, outcome="fail", detail=detail, next_step=step)
    began = perf_counter()
    try:
        wrong = target.check()
    finally:
        target.close()
    numbers = {"answer_ms": round((perf_counter() - began) * 1000, 1)}
    if wrong is None:
        detail = "works; it was asked, and nothing was posted"
        return Diagnosis(check="channels", subject=name, outcome="ok", detail=detail, numbers=numbers)
    return Diagnosis(check="channels", subject=name, outcome="fail", detail=wrong, numbers=numbers, next_step=step)
