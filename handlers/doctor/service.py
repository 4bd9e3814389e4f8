"""Does the service answer, and does it say that it is ready?"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import httpx

from handlers.doctor.diagnosis import Diagnosis
from handlers.doctor.installation import Installation

CALL_SECONDS = 10.0
SLOW_SECONDS = 2.0
SHOWN_MAX = 200
"""Characters of an answer that are shown."""

OK = 200
NOT_FOUND = 404
OURS = "application/"
"""How the content type of an answer of ours begins; a front end answers in HTML."""

REFUSED = (401, 403)
NEXT_STEPS = {
    "healthz": "No instance answers: look at the revision and its logs; roll back to the revision before.",
    "readyz": "It runs and cannot work: its answer and its logs say what is missing; mostly it is the store.",
}


def look_at_service(installation: Installation) -> Iterator[Diagnosis]:
    """Ask for /healthz (it runs) and /readyz (it can take messages)."""
    if installation.service is None:
        step = "Name its address with --service, such as https://tipoff-….run.app."
        yield Diagnosis(check="service", outcome="skipped", detail="no address was given", next_step=step)
        return
    with httpx.Client(base_url=installation.service, timeout=CALL_SECONDS) as client:
        for route, step in NEXT_STEPS.items():
            yield _asked(client, route, step)


def _asked(client: httpx.Client, route: str, step: str) -> Diagnosis:
    began = perf_counter()
    try:
        answer = client.get(f"/{route}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        detail = f"no answer: {type(error).__name__}: {error}"
        return Diagnosis(check="service", subject=route, outcome="fail", detail=detail, next_step=step)
    seconds = perf_counter() - began
    numbers = {"status": float(answer.status_code), "answer_ms": round(seconds * 1000, 1)}
    if answer.status_code == OK:
        return Diagnosis(
            check="service",
            subject=route,
            outcome="warn" if seconds > SLOW_SECONDS else "ok",
            detail=f"answers within {seconds * 1000:.0f} ms",
            numbers=numbers,
            next_step="It starts cold, or is busy: look at its instances." if seconds > SLOW_SECONDS else None,
        )
    if (
        route == "healthz"
        and answer.status_code == NOT_FOUND
        and not answer.headers.get("content-type", "").startswith(OURS)
    ):
        detail = "the front end of Cloud Run keeps this route for itself; /readyz says as much"
        return Diagnosis(check="service", subject=route, outcome="skipped", detail=detail, numbers=numbers)
    if answer.status_code in REFUSED:
        step = "Something before the service asks for an identity: this route is open. Look at its ingress and IAM."
    detail = f"answers {answer.status_code}: {answer.text[:SHOWN_MAX].strip() or 'nothing'}"
    return Diagnosis(check="service", subject=route, outcome="fail", detail=detail, numbers=numbers, next_step=step)
