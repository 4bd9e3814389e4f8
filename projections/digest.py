"""The daily digest: what is open, what nobody has taken on, what came and went, what was repaired, what could not be
told.

Information is told here and nowhere else (interface: alert causes). The same choices serve reminders and dead letters,
so that a digest, `alerts failed` and a reminder never disagree about what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from projections.episodes import Episode
from projections.heal_history import HealEntry, HealHistory, Pattern
from projections.wording import counted, instant
from statemachine.control import ControlState
from statemachine.suppression import Suppression

SHOWN_MAX = 20
"""Lines of a section in the text of a digest; the rest is counted. The document has all."""


class Digest(Struct, frozen=True, kw_only=True):
    """What there is to say at `at` about the time since `since`. `unacknowledged` are the open criticals that nobody
    has taken on, `open` all other open pages, `information` what was raised for the digest alone, `resolved` what
    ended, `dead_letters` what could not be told; `suppressions` are the windows of silence that hold, by sport."""

    at: datetime
    since: datetime
    unacknowledged: tuple[Episode, ...]
    open: tuple[Episode, ...]
    information: tuple[Episode, ...]
    resolved: tuple[Episode, ...]
    dead_letters: tuple[Episode, ...]
    suppressions: dict[str, tuple[Suppression, ...]]
    heals: tuple[HealEntry, ...]
    patterns: tuple[Pattern, ...]


def digest(
    found: Sequence[Episode],
    controls: Iterable[ControlState],
    heals: HealHistory,
    *,
    now: datetime,
    since: datetime,
) -> Digest:
    """The digest of `found`, all episodes, at `now`."""
    pages = [episode for episode in found if episode.resolved_at is None and episode.severity != "info"]
    critical = [episode for episode in pages if unacknowledged(episode)]
    windows = {state.stream.partition("/")[0]: in_force(state, now) for state in controls}
    return Digest(
        at=now,
        since=since,
        unacknowledged=tuple(critical),
        open=tuple(episode for episode in pages if not unacknowledged(episode)),
        information=tuple(e for e in found if e.severity == "info" and (e.resolved_at is None or e.raised_at > since)),
        resolved=tuple(e for e in found if e.resolved_at is not None and e.resolved_at > since),
        dead_letters=tuple(dead_letters(found)),
        suppressions={sport: held for sport, held in sorted(windows.items()) if held},
        heals=tuple(entry for entry in heals.entries if entry.requested_at > since),
        patterns=heals.patterns,
    )


def in_force(state: ControlState, now: datetime) -> tuple[Suppression, ...]:
    """The windows of silence of a sport that hold at `now`, the one that ends first first."""
    return tuple(sorted((s for s in state.suppressions.values() if now < s.until), key=lambda s: (s.until, s.target)))


def unacknowledged(episode: Episode) -> bool:
    """True for an open critical that nobody has taken on."""
    return episode.severity == "critical" and episode.resolved_at is None and episode.acknowledged_at is None


def dead_letters(found: Iterable[Episode]) -> list[Episode]:
    """Episodes whose page was refused for good and has not been sent again."""
    return [episode for episode in found if episode.undeliverable is not None]


def to_remind(found: Iterable[Episode], *, now: datetime, after: timedelta) -> list[Episode]:
    """Open criticals that nobody has taken on although they were told at least `after` ago."""
    return [
        episode
        for episode in found
        if unacknowledged(episode)
        and episode.delivered_at is not None
        and now - max(episode.delivered_at, episode.reminded_at or episode.delivered_at) >= after
    ]


# --- in words -----------------------------------------------------------------------------------------------------


def headline(of: Digest) -> str:
    """The digest in one line."""
    parts = (
        (len(of.unacknowledged), "critical without anybody", "criticals without anybody"),
        (len(of.open), "other open alert", "other open alerts"),
        (len(of.resolved), "resolved", "resolved"),
        (len(of.dead_letters), "dead letter", "dead letters"),
    )
    said = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in parts if count)
    return f"digest: {said or 'all is quiet'}"


def sections(of: Digest) -> list[tuple[str, list[str]]]:
    """The digest as headings with lines; a heading without lines is left out."""
    silences = [
        f"{sport} {s.target} until {instant(s.until)} by {s.actor}: {s.reason}"
        for sport, held in of.suppressions.items()
        for s in held
    ]
    found = [
        ("Nobody has taken on", [_line(episode) for episode in of.unacknowledged]),
        ("Could not be told (`tipoff alerts resend`)", [f"{_line(e)}: {e.undeliverable}" for e in of.dead_letters]),
        ("Open", [_line(episode) for episode in of.open]),
        ("For information", [_line(episode) for episode in of.information]),
        ("Resolved", [_line(episode) for episode in of.resolved]),
        ("Repairs", [pattern.detail for pattern in of.patterns] + [_repair(entry) for entry in of.heals]),
        ("Suppressed", silences),
    ]
    return [(heading, _counted(lines)) for heading, lines in found if lines]


def _line(episode: Episode) -> str:
    about = " ".join(part for part in (episode.game_date, episode.subject) if part != "-")
    by = f", {episode.acknowledged_by} is on it" if episode.acknowledged_by is not None else ""
    reminded = f", reminded of {counted(episode.reminders, 'time')}" if episode.reminders else ""
    since = f"since {instant(episode.raised_at)}{by}{reminded}"
    return f"{episode.severity} {episode.sport} {about} {episode.cause}: {episode.detail} ({since})".replace("  ", " ")


def _repair(entry: HealEntry) -> str:
    by = f" by {entry.by}" if entry.by is not None else ""
    return f"{entry.sport} {entry.game_date} {entry.component}{by}: {entry.outcome or 'not judged yet'}"


def _counted(lines: list[str]) -> list[str]:
    if len(lines) <= SHOWN_MAX:
        return lines
    return [*lines[:SHOWN_MAX], f"… and {counted(len(lines) - SHOWN_MAX, 'more line')}"]
