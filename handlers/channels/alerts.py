"""The way out for alerts: each is told to every place that is configured, once, and lost by none.

An alert is answered as sent when every place has it that ever will. A place that fails for now keeps it waiting, and is
the only one that is asked again; one that refuses it for good is named in the answer. Where all refuse, it is a dead
letter (`alerts failed`). What is suppressed is held until its window ends. Without any place, alerts wait, and say so.

A storm is one message: what came together is told together, and a cause that was told a moment ago is gathered for
`gather_seconds` before it is told again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec import Struct

from events.store import Pending
from handlers.channels.messages import About, Message, alert_message
from handlers.channels.targets import Target
from handlers.dispatch import Answer, Held, PermanentFailure, Sent, TransientFailure
from handlers.outbound.breakers import UNRECORDED, Asking
from handlers.outbound.waiting import Interrupted, Time
from handlers.recorder import Recorder
from projections.wording import instant
from statemachine.control import ControlState
from statemachine.streams import control_stream
from statemachine.suppression import Suppression, suppressed

GATHER_SECONDS = 30.0
"""Between two messages of one cause."""

PREFIX = "alert:"

UNCONFIGURED = "no channel is configured: set SLACK_WEBHOOK_URL or TIPOFF_ALERT_WEBHOOK_URL"

Cause = tuple[str, str, str]
"""Sport, cause and severity: what is told in one message."""


class Known(Struct, frozen=True, kw_only=True):
    """What is known of a command at the moment of telling."""

    about: About
    suppression: Suppression | None = None


Knowing = Callable[[Sequence[Pending], datetime], list[Known]]
"""Finds what is known of commands, in their order. Raises one of UNRECORDED."""


def takes(topic: str) -> bool:
    """True for the topics that leave by an `AlertChannel`."""
    return topic.startswith(PREFIX)


def from_store(asking: Asking) -> Knowing:
    """Looks it up on what the store has now: another instance may have resolved or suppressed it."""

    def known(batch: Sequence[Pending], now: datetime) -> list[Known]:
        found: list[Known] = asking(lambda recorder: _known(recorder, batch, now))
        return found

    return known


def _known(recorder: Recorder, batch: Sequence[Pending], now: datetime) -> list[Known]:
    afresh = Recorder(recorder.store, recorder.definitions)
    found = []
    for pending in batch:
        payload = pending.command.payload
        key, sport = str(payload["alert_key"]), str(payload["sport"])
        alert = getattr(afresh.state(pending.stream), "alerts", {}).get(key)
        control = afresh.state(control_stream(sport))
        windows = control.suppressions if isinstance(control, ControlState) else {}
        about = About(alert=alert, zone=recorder.definition_for(pending.stream).timezone)
        found.append(Known(about=about, suppression=suppressed(windows, key, now)))
    return found


class AlertChannel:
    """Tells alerts to `targets`."""

    def __init__(
        self,
        targets: Sequence[Target],
        knowing: Knowing,
        time: Time,
        *,
        runbook: str,
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        self.targets = tuple(targets)
        self._knowing = knowing
        self._time = time
        self._runbook = runbook
        self._gather = timedelta(seconds=gather_seconds)
        self._told: dict[Cause, datetime] = {}
        self._waits = ""
        self._outcomes: dict[tuple[str, int], dict[str, str | None]] = {}

    def send(self, batch: list[Pending]) -> list[Answer]:
        """Tell `batch`: one message for each sport, cause and severity in it."""
        if not self.targets:
            return [TransientFailure(UNCONFIGURED) for _ in batch]
        try:
            known = self._knowing(batch, self._time.now())
        except UNRECORDED as error:
            return [TransientFailure(f"what is to be told cannot be read: {error}") for _ in batch]
        answers: dict[int, Answer] = {}
        groups: dict[Cause, list[int]] = {}
        for place, (pending, found) in enumerate(zip(batch, known, strict=True)):
            unwanted = _unwanted(pending, found.about)
            if unwanted is not None:
                answers[place] = PermanentFailure(unwanted)
            elif found.suppression is not None:
                answers[place] = _held(found.suppression)
            else:
                payload = pending.command.payload
                groups.setdefault((payload["sport"], payload["cause"], payload["severity"]), []).append(place)
        for cause in sorted(groups, key=self._ready):
            self._gathered(cause)
            items = [(batch[place], known[place].about) for place in groups[cause]]
            answers |= dict(zip(groups[cause], self._tell(items), strict=True))
        return [answers[place] for place in range(len(batch))]

    def _ready(self, cause: Cause) -> datetime:
        """When the cause may be told: at once where it has not been told of late. `sorted` keeps the order of those."""
        now = self._time.now()
        return max(now, self._told.get(cause, now - self._gather) + self._gather)

    def _gathered(self, cause: Cause) -> None:
        """Wait until the cause may be told again; a service that stops does not wait."""
        seconds = (self._ready(cause) - self._time.now()).total_seconds()
        if seconds > 0:
            with suppress(Interrupted):
                self._time.wait(seconds)
        self._told[cause] = self._time.now()

    def _tell(self, items: list[tuple[Pending, About]]) -> list[Answer]:
        for target in self.targets:
            missing = [item for item in items if target.name not in self._outcomes.get(_key(item[0]), {})]
            if missing:
                self._post(target, missing)
        return [self._answer(pending) for pending, _about in items]

    def _post(self, target: Target, items: list[tuple[Pending, About]]) -> None:
        try:
            target.post(alert_message(items, runbook=self._runbook))
        except TransientFailure as failure:
            self._waits = f"{target.name}: {failure}"
            return
        except PermanentFailure as failure:
            outcome: str | None = str(failure)
        else:
            outcome = None
        for pending, _about in items:
            self._outcomes.setdefault(_key(pending), {})[target.name] = outcome

    def _answer(self, pending: Pending) -> Answer:
        """What became of a command at all places together."""
        outcomes = self._outcomes.get(_key(pending), {})
        if len(outcomes) < len(self.targets):
            return TransientFailure(self._waits)
        del self._outcomes[_key(pending)]
        refused = "; ".join(f"{name}: {why}" for name, why in outcomes.items() if why is not None)
        took = "+".join(name for name, why in outcomes.items() if why is None)
        if not took:
            return PermanentFailure(refused)
        return Sent(message_id=took + (f" (not {refused})" if refused else ""))

    def tell(self, message: Message) -> dict[str, str | None]:
        """Tell a message that is no alert: by the name of each place what went wrong, None where it was taken."""
        found: dict[str, str | None] = {}
        for target in self.targets:
            try:
                target.post(message)
            except (PermanentFailure, TransientFailure) as failure:
                found[target.name] = str(failure)
            else:
                found[target.name] = None
        return found

    def check(self) -> str | None:
        """What is wrong with the places; None where nothing is. To have none is wrong."""
        if not self.targets:
            return UNCONFIGURED
        return "; ".join(f"{t.name}: {wrong}" for t in self.targets if (wrong := t.check()) is not None) or None

    def close(self) -> None:
        """Close connections. Idempotent."""
        for target in self.targets:
            target.close()


def _key(pending: Pending) -> tuple[str, int]:
    return pending.command.command_id, pending.command.attempt


def _held(suppression: Suppression) -> Held:
    return Held(f"suppressed until {instant(suppression.until)} by {suppression.actor}: {suppression.reason}")


def _unwanted(pending: Pending, about: About) -> str | None:
    """Why a reminder is not to be told any more; None where it is, and for every page: what was raised is told."""
    alert = about.alert
    if not pending.command.payload.get("reminder") or alert is None:
        return None
    if alert.acknowledged_at is not None:
        return f"not told: {alert.acknowledged_by} has taken it on"
    return "not told: it is resolved" if alert.resolved_at is not None else None
