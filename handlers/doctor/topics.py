"""Are topics and subscriptions as the definitions want them, and do dead letters wait?

Dead letters are counted by Google's monitoring, never by pulling: a pull leases what it sees, so that the next look
counts too few (robustness 4.8). A count that cannot be had is unknown, which is not none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from handlers.doctor.asking import Asking
from handlers.doctor.diagnosis import Diagnosis
from handlers.doctor.installation import Installation
from handlers.pubsub.wanted import DEAD_LETTERS, Push, wanted

if TYPE_CHECKING:
    from handlers.pubsub.drift import Existing, Plan

PLAN = "`tipoff topics plan` says all of it, `tipoff topics apply` does what can be done."
COUNTED = "pubsub.googleapis.com/subscription/num_undelivered_messages"
COUNTED_MINUTES = 15
"""How old a count may be: monitoring is some minutes behind."""

GRAVE = ("detached", "unheard")
"""Findings by which something is lost."""


def look_at_topics(installation: Installation) -> Iterator[Diagnosis]:
    """What differs between the Pub/Sub that is there and the one that is wanted."""
    project = installation.pubsub_project
    if project is None:
        yield Diagnosis(check="topics", outcome="skipped", detail="this installation has no Pub/Sub")
        return
    from handlers.pubsub.broker import Broker  # noqa: PLC0415 - the cloud extra
    from handlers.pubsub.drift import plan  # noqa: PLC0415
    from handlers.pubsub.project import existing  # noqa: PLC0415

    definitions, broker = list(installation.definitions.values()), Broker(project)
    try:
        there = existing(broker, wanted(definitions))
    finally:
        broker.close()
    yield _judged(project, plan(wanted(definitions, _push(there)), there))


def _push(there: Existing) -> Push | None:
    """Where our subscriptions are pushed to, if all of them go to one place: that is how it was set up."""
    ours = {item.push for name, item in there.subscriptions.items() if item.push is not None and name != DEAD_LETTERS}
    return next(iter(ours)) if len(ours) == 1 else None


def _judged(project: str, found: Plan) -> Diagnosis:
    missing = [step.name for step in found.steps if step.action != "change_subscription"]
    changed = [step.name for step in found.steps if step.action == "change_subscription"]
    numbers = {"missing": len(missing), "changed": len(changed), "findings": len(found.findings)}
    if found.clean:
        detail = "topics and subscriptions are as the definitions want them"
        return Diagnosis(check="topics", subject=project, outcome="ok", detail=detail, numbers=_floats(numbers))
    lost = missing or any(finding.kind in GRAVE for finding in found.findings)
    first = missing[:1] or changed[:1] or [f"{finding.name}: {finding.detail}" for finding in found.findings[:1]]
    counts = ", ".join(f"{count} {name}" for name, count in numbers.items() if count)
    return Diagnosis(
        check="topics",
        subject=project,
        outcome="fail" if lost else "warn",
        detail=f"{counts}; first: {first[0]}",
        numbers=_floats(numbers),
        next_step=PLAN,
    )


def _floats(numbers: dict[str, int]) -> dict[str, float | None]:
    return {name: float(count) for name, count in numbers.items()}


def look_at_dead_letters(installation: Installation, asking: Asking | None = None) -> Iterator[Diagnosis]:
    """How many dead letters wait for somebody to look at them."""
    project = installation.pubsub_project
    if project is None or (installation.pubsub_emulated and asking is None):
        detail = "this installation has no Pub/Sub" if project is None else "the emulator counts nothing"
        yield Diagnosis(check="dead_letters", outcome="skipped", detail=detail)
        return
    asking = asking or Asking()
    now = installation.clock()
    counted = asking.last_value(
        project,
        COUNTED,
        f'resource.labels.subscription_id = "{DEAD_LETTERS}"',
        now - timedelta(minutes=COUNTED_MINUTES),
        now,
    )
    yield _counted(counted)


def _counted(count: float | None) -> Diagnosis:
    numbers = {"waiting": count}
    step = "`tipoff dlq list` shows them with their reasons; then replay or drop each."
    if count is None:
        detail = f"unknown: nothing was counted of {DEAD_LETTERS} in the last {COUNTED_MINUTES} min"
        step = "Is the subscription there (`tipoff topics plan`), and may this account read metrics?"
        return Diagnosis(check="dead_letters", outcome="warn", detail=detail, numbers=numbers, next_step=step)
    if count:
        return Diagnosis(
            check="dead_letters", outcome="warn", detail=f"{count:g} wait", numbers=numbers, next_step=step
        )
    return Diagnosis(check="dead_letters", outcome="ok", detail="none waits", numbers=numbers)
