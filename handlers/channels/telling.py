"""Telling outside a running service: alerts that are asked for again, digests, reminders. For `alerts` and a
scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import asdict

from events.catalogue import OperatorActed
from events.codec import derive_id
from events.store import Pending
from handlers.answers import alert_episodes, operator_fact
from handlers.channels.alerts import AlertChannel, takes
from handlers.channels.messages import Line, Message, plain_message
from handlers.dispatch import Answer, Sent, learned
from handlers.healing import history
from handlers.recorded import Recorded
from handlers.recorder import Recorder
from projections.digest import Digest, digest, headline, sections
from projections.episodes import Episode
from statemachine.operators import CommandNotAllowed
from statemachine.state import alert_key
from statemachine.streams import control_stream, date_stream

PENDING_MAX = 100_000
"""Commands of the outbox that are looked through."""


class Resent(Struct, frozen=True, kw_only=True):
    """An alert that was asked for again: `told` says that it was told on the spot; else it waits in the outbox, or was
    `refused`."""

    sport: str
    game_date: str
    alert: str
    told: bool = False
    refused: str | None = None


def stream_of(episode: Episode) -> str:
    """The stream that the episode lives on."""
    if episode.game_date == "-":
        return control_stream(episode.sport)
    return date_stream(episode.sport, episode.game_date)


def resend(recorder: Recorder, episodes: Sequence[Episode], *, actor: str, reason: str, now: datetime) -> list[Resent]:
    """Ask for the pages of `episodes` again, as `actor`: each under the id it had, as an event that says who and
    why."""
    found = []
    for episode in episodes:
        stream, key = stream_of(episode), alert_key(episode.cause, episode.subject)
        data = OperatorActed(command="resend", reason=reason, target=key)
        fact = operator_fact(stream, recorder.state(stream).version, data, actor, now)
        try:
            recorder.record([(fact, now)])
        except CommandNotAllowed as error:
            refused: str | None = error.reason
        else:
            refused = None
        found.append(Resent(sport=episode.sport, game_date=episode.game_date, alert=key, refused=refused))
    return found


def deliver(recorder: Recorder, channel: AlertChannel, now: datetime) -> list[tuple[Pending, Answer]]:
    """Tell every alert that waits in the outbox, and record what became of it."""
    batch = [pending for pending in recorder.store.pending(PENDING_MAX) if takes(pending.command.topic)]
    if not batch or not channel.targets:
        return []
    sent = list(zip(batch, channel.send(batch), strict=True))
    recorder.record([(fact, now) for pending, answer in sent for fact in learned(pending, answer, now)])
    return sent


def told(resent: list[Resent], sent: list[tuple[Pending, Answer]]) -> list[Resent]:
    """`resent`, with what was told on the spot marked."""
    keys = {(p.stream, p.command.payload["alert_key"]) for p, answer in sent if isinstance(answer, Sent)}
    return [
        Resent(**{**asdict(item), "told": (_stream(item), item.alert) in keys and item.refused is None})
        for item in resent
    ]


def _stream(item: Resent) -> str:
    return control_stream(item.sport) if item.game_date == "-" else date_stream(item.sport, item.game_date)


def digest_of(recorded: Recorded, *, now: datetime, hours: int, at: datetime | None = None) -> Digest:
    """The digest of the last `hours`. Raises TooMuchAsked."""
    now = at or now
    since = now - timedelta(hours=hours)
    return digest(alert_episodes(recorded, at), recorded.controls(at), history(recorded, now), now=now, since=since)


def digest_message(of: Digest) -> Message:
    """A digest as a message."""
    lines = [Line(heading, "\n".join(said)) for heading, said in sections(of)]
    return plain_message(
        headline(of),
        lines or [Line("", "Nothing is open, and nothing happened that anybody has to know.")],
        key=derive_id("digest", str(of.at)),
        at=of.at,
        kind="digest",
        commands=("tipoff health", "tipoff alerts", "tipoff heal plan"),
    )
