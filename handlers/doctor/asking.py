"""Asks Google, as whoever runs the doctor: which permissions are held, and what was counted. Over REST, for it is three
questions to three services."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import httpx

CALL_SECONDS = 10.0
SHOWN_MAX = 200
"""Characters of a refusal that are shown."""

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
RESOURCE_MANAGER = "https://cloudresourcemanager.googleapis.com/v1"
PUBSUB = "https://pubsub.googleapis.com/v1"
MONITORING = "https://monitoring.googleapis.com/v3"
LOG_IN = "Log in: `gcloud auth application-default login`, as the service with --impersonate-service-account=ACCOUNT."


class Refusal(Exception):
    """Google did not answer, or there is nobody to ask as. What was asked is unknown, and never taken for granted."""

    code = "google_refused"

    def __init__(self, reason: str, *, next_step: str) -> None:
        self.reason, self.next_step = reason, next_step
        super().__init__(reason, next_step)

    def __str__(self) -> str:
        return self.reason


class Asking:
    """Asks with a token. `token` gives one; the addresses are Google's unless a test has others."""

    def __init__(
        self,
        token: Callable[[], str] | None = None,
        *,
        resource_manager: str = RESOURCE_MANAGER,
        pubsub: str = PUBSUB,
        monitoring: str = MONITORING,
    ) -> None:
        self._make_token = token or application_default
        self.resource_manager, self.pubsub, self.monitoring = resource_manager, pubsub, monitoring

    def missing(self, resource: str, wanted: Sequence[str]) -> list[str]:
        """Which of the permissions the caller lacks on `resource`, an address without its verb. Raises Refusal."""
        answer = self._answer("POST", f"{resource}:testIamPermissions", json={"permissions": list(wanted)})
        held = set(answer.get("permissions", ()))
        return [permission for permission in wanted if permission not in held]

    def last_value(self, project: str, metric: str, of: str, since: datetime, until: datetime) -> float | None:
        """The last point of a metric, summed over its series; None where there is none. Raises Refusal."""
        answer = self._answer(
            "GET",
            f"{self.monitoring}/projects/{project}/timeSeries",
            params={
                "filter": f'metric.type = "{metric}" AND {of}',
                "interval.startTime": since.isoformat(),
                "interval.endTime": until.isoformat(),
            },
        )
        try:  # the newest point comes first
            last = [float(series["points"][0]["value"]["int64Value"]) for series in answer.get("timeSeries", ())]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise Refusal(f"{metric}: an answer of another shape", next_step="Ask again.") from error
        return sum(last) if last else None

    @cached_property
    def _token(self) -> str:
        return self._make_token()

    def _answer(self, method: str, address: str, **said: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            answer = httpx.request(method, address, headers=headers, timeout=CALL_SECONDS, **said)
            answer.raise_for_status()
            found = answer.json()
        except httpx.HTTPStatusError as error:
            refused = f"{address}: {error.response.status_code} {error.response.text[:SHOWN_MAX]}"
            raise Refusal(refused, next_step=LOG_IN) from error
        except (httpx.HTTPError, ValueError) as error:
            raise Refusal(f"{address}: {type(error).__name__}: {error}", next_step="Ask again.") from error
        if not isinstance(found, dict):
            raise Refusal(f"{address}: an answer of another shape", next_step="Ask again.")
        return found


def application_default() -> str:
    """A token of the credentials that this machine has. Raises Refusal."""
    try:
        import google.auth  # noqa: PLC0415 - the cloud extra
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from google.auth.transport.requests import Request  # noqa: PLC0415
    except ImportError as error:
        raise Refusal(f"{error.name} is not installed", next_step="pip install 'tipoff[cloud]'") from error
    try:
        credentials, _project = google.auth.default(scopes=[SCOPE])
        credentials.refresh(Request())
    except GoogleAuthError as error:
        raise Refusal(f"no credentials: {error}", next_step=LOG_IN) from error
    return str(credentials.token)
