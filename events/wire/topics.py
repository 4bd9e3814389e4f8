"""What the name of a topic says, where the message itself is silent: the sport, the family, the phase.

A topic is also the name of a document (`firestore:phase4_completion/2026-01-16`), a table (`bigquery:…`), an endpoint
(`http:/process-date`) or, from a push request, a subscription. Only a `…-complete` topic says the phase of the
completions on it: a subscription such as `nba-phase3-analytics-sub` names its reader's phase, not the sender's.
"""

from __future__ import annotations

import re
from itertools import pairwise

from msgspec import Struct

from events.wire.words import PHASE_WORDS

TOPIC_CHARS_MAX = 512

_WORD = re.compile(r"[A-Za-z0-9]+")
_HEAL_WORDS = frozenset({"fallback", "backfill", "scraper", "gaps", "heal", "process"})


class TopicSays(Struct, frozen=True, kw_only=True):
    """`names` are the entries of `Routing.topics` that speak for this topic, the exact one first; `short` is its name
    without a project. `kind` is `complete`, `trigger`, `heal`, `document` or empty. `ended_phase` is set only where the
    phase that the topic names is that of the completions on it. `document` is the name of one."""

    short: str
    names: tuple[str, ...]
    kind: str
    ended_phase: str | None
    document: str = ""

    @property
    def first_word(self) -> str | None:
        """The first of `words`."""
        found = _WORD.search(self.short)
        return found[0].lower() if found else None

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the name in lower case. Looked for only where they are asked for: every document of a heartbeat
        is a topic of its own, whose sport is known without them."""
        return _words(self.short)

    @property
    def phase(self) -> str | None:
        """The phase that the topic names: completed, started or repaired."""
        return _phase(self.words)


def topic_says(topic: str) -> TopicSays:
    """Everything that follows from the name of a topic."""
    short = topic.rpartition("/topics/")[2]
    folder, _, document = short.partition("/")
    scheme, _, collection = folder.partition(":")
    kind = _kind(short, scheme, collection)
    return TopicSays(
        short=short,
        names=(topic, short, folder, f"{scheme}:"),
        kind=kind,
        ended_phase=_phase(_words(short)) if kind in {"complete", "document"} else None,
        document=document if scheme == "firestore" else "",
    )


def _words(short: str) -> tuple[str, ...]:
    return tuple([word.lower() for word in _WORD.findall(short)])


def _kind(short: str, scheme: str, collection: str) -> str:
    if scheme == "firestore":
        return "document" if collection.endswith("_completion") else ""
    if scheme == "bigquery":
        return ""
    words = _words(short)
    if "complete" in words:
        return "complete"
    if scheme == "http" or "trigger" in words or "gaps" in words:
        return "trigger" if _HEAL_WORDS.isdisjoint(words) else "heal"
    return ""


def _phase(words: tuple[str, ...]) -> str | None:
    pairs = [f"{first}{second}" for first, second in pairwise(words) if first == "phase"]
    numbered = [*(word for word in words if word.startswith("phase")), *pairs]
    for word in (*numbered, *words):
        if word in PHASE_WORDS and not word.isdigit():
            return PHASE_WORDS[word]
    return "predictions" if words[:2] == ("http", "start") else None
