"""May these credentials do what the service has to do?

Google answers which of a list of permissions the caller has. It answers for whoever asks: to examine the service's own
account, run the doctor as it (docs/runbook.md says how).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from handlers.doctor.asking import Asking
from handlers.doctor.diagnosis import Diagnosis
from handlers.doctor.installation import Installation
from handlers.pubsub.wanted import wanted

DATASTORE = tuple(f"datastore.entities.{verb}" for verb in ("create", "delete", "get", "list", "update"))
"""What the store does: it creates events, reads and updates heads, lists what is due, and empties the outbox."""

PUBLISH = ("pubsub.topics.publish",)
CONSUME = ("pubsub.subscriptions.consume",)


def look_at_permissions(installation: Installation, asking: Asking | None = None) -> Iterator[Diagnosis]:
    """Whether the caller may use the database, publish commands and pull messages."""
    project = installation.store_name.project
    if project is None or (not installation.in_the_cloud and asking is None):
        detail = "a file asks for none of Google's" if project is None else "an emulator lets everybody do everything"
        yield Diagnosis(check="permissions", outcome="skipped", detail=detail)
        return
    asking = asking or Asking()
    missing = asking.missing(f"{asking.resource_manager}/projects/{project}", DATASTORE)
    yield _judged("store", {project: missing}, len(DATASTORE), "Give the service account roles/datastore.user.")
    found = wanted(installation.definitions.values())
    at = f"{asking.pubsub}/projects/{project}"
    topics = [topic.name for topic in found.topics if topic.purpose == "commands"]
    publish = {name: asking.missing(f"{at}/topics/{name}", PUBLISH) for name in topics}
    yield _judged("topics", publish, len(publish), "Give the service account roles/pubsub.publisher on each.")
    pulled = [item.name for item in found.subscriptions if item.dead_letter_topic is not None]
    consume = {name: asking.missing(f"{at}/subscriptions/{name}", CONSUME) for name in pulled}
    yield _judged("subscriptions", consume, len(consume), "Give the service account roles/pubsub.subscriber on each.")


def _judged(subject: str, missing: Mapping[str, Sequence[str]], wanted: int, step: str) -> Diagnosis:
    """What missing permissions, by what they are missing on, mean."""
    lacking = [f"{permission} on {name}" for name, permissions in missing.items() for permission in permissions]
    return Diagnosis(
        check="permissions",
        subject=subject,
        outcome="fail" if lacking else "ok",
        detail=f"missing: {', '.join(lacking)}" if lacking else f"all {wanted} are granted",
        numbers={"wanted": float(wanted), "missing": float(len(lacking))},
        next_step=step if lacking else None,
    )
