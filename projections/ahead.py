"""Deadlines in words: what a deadline's name (`kind:argument:…`) says will happen when it comes."""

from __future__ import annotations

_WORDS: dict[str, tuple[int, str]] = {
    "open": (1, "{0} opens"),
    "ready": (4, "{1} ({0}) goes to its gate: {3}"),
    "park": (1, "{0} is given to a person if it is not done"),
    "stall": (2, "{1} ({0}) counts as stalled if nothing moves"),
    "handoff": (2, "{1} ({0}) is commanded again if nobody has reported"),
    "measure": (2, "the gate behind {1} ({0}) is judged on the measures that have come"),
    "look": (2, "the tables of {1} ({0}) are asked for again, while it waits"),
    "reconcile": (2, "{0} ({1}): what it said and what its table holds are brought together"),
    "recheck": (2, "{1} ({0}) is looked at again"),
    "probe": (1, "box scores are measured, for the band of {0} h"),
    "box_scores": (1, "box scores are judged, {0} h after the date ended"),
    "precompute_due": (0, "precompute is due"),
    "predictions_due": (0, "predictions are due"),
    "grading_due": (0, "grading is due"),
    "verify": (2, "the data is measured again, before heal {0}, attempt {1}, is judged by it"),
    "heal": (2, "heal {0}, attempt {1}, is judged by the data"),
    "heal_again": (2, "heal {0} may be asked for again after attempt {1}"),
    "validate": (1, "the table of {0} is looked at, by its validators"),
    "stale": (1, "{0} counts as stale"),
    "dead": (1, "{0} counts as dead"),
    "hung": (1, "{0} counts as hung if its progress does not move"),
    "remind": (3, "reminder {1} of {2} goes out if nobody takes it on"),
    "heals_over": (1, "the repairs of {0} make no pattern any more"),
    "ticks": (0, "our own tick was to come by then"),
    "silent": (1, "the controller's silence becomes {0}"),
    "tick": (0, "our own tick is recorded"),
}
"""By kind: how many arguments the words need, and the words."""


def deadline_words(name: str) -> str:
    """What happens when the deadline `name` comes; a name of another make is said as it is."""
    kind, *arguments = name.split(":")
    needed, words = _WORDS.get(kind, (0, ""))
    return words.format(*arguments) if words and len(arguments) >= needed else name
