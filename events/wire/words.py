"""Vocabularies of the outside, translated: phases and statuses (orchestration 0, 2.3, 2.4; incidents 4).

Upstream never agreed on a spelling, so the tables are made from parts: every number with every noun in every style.
A word that is in no table is `None` here; whether that rejects the message is for the caller to say.
"""

from __future__ import annotations

from typing import Any, Final

from events.values import Status

PHASES: Final = ("scrape", "raw", "analytics", "precompute", "predictions", "publishing", "grading")
"""Phases by their Tipoff names; the first six in the order in which one starts the next."""

WORD_CHARS_MAX = 40

_NUMBERS: Final = {
    "scrape": "1",
    "raw": "2",
    "analytics": "3",
    "precompute": "4",
    "predictions": "5",
    "grading": "5b",
    "publishing": "6",
}
_NOUNS: Final = {
    "scrape": ("scrape", "scraper", "scrapers", "scraping"),
    "raw": ("raw",),
    "analytics": ("analytics",),
    "precompute": ("precompute",),
    "predictions": ("predictions", "prediction"),
    "publishing": ("publishing", "publish", "export"),
    "grading": ("grading",),
}


def _spellings(phase: str) -> list[str]:
    number, nouns = _NUMBERS[phase], _NOUNS[phase]
    numbered = [f"phase{number}", f"phase_{number}"]
    return [number, *nouns, *numbered, *(f"{prefix}_{noun}" for prefix in numbered for noun in nouns)]


PHASE_WORDS: Final[dict[str, str]] = {word: phase for phase in PHASES for word in _spellings(phase)} | {
    # The orchestrators' log names a phase by the hand-over that ends it.
    f"phase{number}_to_phase{number + 1}": PHASES[number - 1]
    for number in range(1, 6)
}
PHASE_NUMBERS: Final[dict[int, str]] = {int(number): phase for phase, number in _NUMBERS.items() if number.isdigit()}

_STATUS_WORDS: Final[dict[Status, tuple[str, ...]]] = {
    "success": ("success", "succeeded", "successful", "complete", "completed", "ok", "done", "true"),
    "partial": ("partial", "partial_success", "auto_heal_pending"),
    "no_data": ("no_data", "empty"),
    "failed": (
        *("failed", "failure", "fail", "error", "timeout", "aborted", "false"),
        *("auto_heal_failed", "validation_failed", "analytics_not_ready"),
    ),
    "skipped": ("skipped", "skip", "skipped_offseason"),
}
STATUS_WORDS: Final[dict[str, Status]] = {word: to for to, words in _STATUS_WORDS.items() for word in words}

RUNNING_WORDS: Final = frozenset({"running", "started", "starting", "in_progress"})
"""Words for a run that has begun and not ended."""


def folded(word: str) -> str:
    """`word` without the differences that carry no meaning: case, outer blanks, and blanks or hyphens for `_`."""
    return word.strip().lower().replace(" ", "_").replace("-", "_")


def phase_of(said: Any) -> str | None:
    """The Tipoff name of a phase said in any of upstream's vocabularies, also a number; None where it is none."""
    if type(said) is str:
        known = PHASE_WORDS.get(said)
        if known is None and len(said) <= WORD_CHARS_MAX:
            known = PHASE_WORDS.get(folded(said))
        return known
    return PHASE_NUMBERS.get(said) if type(said) is int else None


def status_of(said: Any) -> Status | None:
    """The status that a word (or a bare true or false) stands for; None where it stands for none."""
    if type(said) is str:
        known = STATUS_WORDS.get(said)
        if known is None and len(said) <= WORD_CHARS_MAX:
            known = STATUS_WORDS.get(folded(said))
        return known
    if type(said) is bool:
        return "success" if said else "failed"
    return None


def is_running(said: Any) -> bool:
    """True where a status word says that the run goes on."""
    if type(said) is not str:
        return False
    return said in RUNNING_WORDS or (len(said) <= WORD_CHARS_MAX and folded(said) in RUNNING_WORDS)


def next_phase(phase: str | None) -> str | None:
    """The phase that a finished `phase` starts, as hand-over records mean it; None after publishing and grading."""
    chain = PHASES[:-1]
    place = chain.index(phase) + 1 if phase in chain else len(chain)
    return chain[place] if place < len(chain) else None
