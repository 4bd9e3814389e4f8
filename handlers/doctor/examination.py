"""The examination: all checks side by side, each with a time limit, none able to hide another.

Whatever a check raises becomes its diagnosis. A check that does not come back in time is left behind on its thread,
which does not keep the process alive. Checks that need another one wait for it, and are skipped where it failed.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait

from handlers.doctor.diagnosis import Check, Diagnosis

LIMIT_SECONDS = 20.0
"""How long one check may take, the checks it needs included."""


Needed = Mapping[str, Future[list[Diagnosis]]]


def examine(checks: Sequence[Check], *, seconds: float = LIMIT_SECONDS) -> list[Diagnosis]:
    """What the checks find, in their order. A check has to stand behind the one it needs."""
    begun: dict[str, Future[list[Diagnosis]]] = {}
    for check in checks:
        begun[check.name] = _begin(check, {name: begun[name] for name in check.needs}, seconds)
    wait(begun.values(), timeout=seconds)
    return [diagnosis for check in checks for diagnosis in _ended(check, begun[check.name], seconds)]


def _begin(check: Check, needed: Needed, seconds: float) -> Future[list[Diagnosis]]:
    found: Future[list[Diagnosis]] = Future()
    work = threading.Thread(
        target=lambda: found.set_result(_look(check, needed, seconds)), name=f"doctor:{check.name}", daemon=True
    )
    work.start()
    return found


def _look(check: Check, needed: Needed, seconds: float) -> list[Diagnosis]:
    wait(needed.values(), timeout=seconds)
    for name, answer in needed.items():
        if not answer.done() or any(diagnosis.outcome == "fail" for diagnosis in answer.result()):
            return [Diagnosis(check=check.name, outcome="skipped", detail=f"needs `{name}`, which failed")]
    try:
        return list(check.look())
    except Exception as error:  # the edge of a check: what it raised is its diagnosis
        return [_raised(check, error)]


def _raised(check: Check, error: Exception) -> Diagnosis:
    """An error that knows its code says all there is to say; any other is a mistake of the check itself."""
    if hasattr(error, "code") and str(error):
        step = getattr(error, "next_step", "") or None
        return Diagnosis(check=check.name, outcome="fail", detail=str(error), next_step=step)
    if isinstance(error, ImportError):
        step = "Install it: pip install 'tipoff[cloud]'."
        return Diagnosis(check=check.name, outcome="fail", detail=f"{error.name} is not installed", next_step=step)
    return Diagnosis(
        check=check.name,
        outcome="fail",
        detail=f"the check broke: {type(error).__name__}: {error}",
        next_step="This is a mistake of Tipoff: please report it with this line.",
    )


def _ended(check: Check, found: Future[list[Diagnosis]], seconds: float) -> list[Diagnosis]:
    if found.done():
        return found.result()
    return [
        Diagnosis(
            check=check.name,
            outcome="fail",
            detail=f"no answer within {seconds:g} s",
            numbers={"limit_seconds": seconds},
            next_step="Look at the network between here and there; --timeout gives it longer.",
        )
    ]
