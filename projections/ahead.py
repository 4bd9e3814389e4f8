"""Deadlines in words: what a deadline's name (`kind:argument:…`) says will happen when it comes."""

from __future__ import annotations

_WORDS: dict[str, tuple[int, str]] = {
    "open": (1, "{0} opens"),
    "ready": (4, "{1} ({0}) goes to its gate: {3}"),
    "park": (1, "{0} is given to a person if it is not done"),
    "stall": (2, "{1} ({0}) counts as stalled if nothing moves"),
    "handoff": (2, "{1} ({0}) is commanded again if nobody has reported"),
    "measure": (2, "the gate behind {1} ({0}) is judged on the measures that have come"),
    "recheck": (2, "{1} ({0}) is looked at again"),
    "probe": (1, "box scores are measured, for the band of {0} h"),
    "box_scores": (1, "box scores are judged, {0} h after the date ended"),
    "precompute_due": (0, "precompute is due"),
    "predictions_due": (0, "predictions are due"),
    "grading_due": (0, "grading is due"),
    "verify": (2, "the data is measured again, before heal {0}, attempt {1}, is judged by it"),
    "heal": (2, "heal {0}, attempt {1}, is judged by the data"),
    "heal_again": (2, "heal {0} may be asked for again after attempt {1}"),
    "stale": (1, "{0} counts as stale"),
    "dead": (1, "{0} counts as dead"),
    "silent": (1, "the controller's silence becomes {0}"),
    "tick": (0, "our own tick is recorded"),
}
"""By kind: how many arguments the words need, and the words."""


def deadline_words(name: str) -> str:
    """What happens when the deadline `name` comes; a name of another make is said as it is."""
    kind, *arguments = name.split(":")
    needed, words = _WORDS.get(kind, (0, ""))
    return words.format(*arguments) if words and len(arguments) >= needed else name
