"""Whether a service may be where it is: what can be reached from outside has to know who sends what."""

from __future__ import annotations

from ipaddress import ip_address

from handlers.asked import Refused
from handlers.http.identity import Doors

OPEN = "--open-to-anyone"


def is_loopback(host: str) -> bool:
    """True where only this machine can reach `host`. A name that is no address counts as outside, but for localhost."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_exposure(host: str, doors: Doors, *, open_to_anyone: bool) -> None:
    """Raises Refused for a service that others can reach and that knows neither pushers nor operators."""
    lacking = []
    if doors.push is None:
        lacking.append("anybody may push messages (set TIPOFF_PUSH_AUDIENCE and TIPOFF_PUSH_ACCOUNTS)")
    if doors.operator is None:
        lacking.append(
            "anybody may command (set TIPOFF_OPERATOR_TOKENS, or TIPOFF_OPERATOR_AUDIENCE and TIPOFF_OPERATOR_ACCOUNTS)"
        )
    if lacking and not open_to_anyone and not is_loopback(host):
        what = f"{host} can be reached from outside, and {', and '.join(lacking)}"
        raise Refused(what, next_step=f"Or listen on 127.0.0.1; {OPEN} starts it as it is.")
