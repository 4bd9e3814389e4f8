"""Pub/Sub cannot be asked now, or not by us."""

from __future__ import annotations


class PubsubUnavailable(Exception):
    """The broker does not answer, or refuses. `what` was asked for; nothing was acknowledged or changed."""

    code = "pubsub_unavailable"

    def __init__(self, *, what: str, reason: str, next_step: str) -> None:
        self.what, self.reason, self.next_step = what, reason, next_step
        super().__init__(what, reason, next_step)

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}. {self.next_step}"
