"""Which sport a message belongs to: the message's own word, else its topic's, else that of the dataset it wrote to."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from events.wire.rejected import Rejection, shown
from events.wire.topics import TOPIC_CHARS_MAX, TopicSays, topic_says

_DATASET_KEYS = ("output_dataset", "output_table", "source_table", "analytics_table")

TOPICS_MAX = 1024
"""Topics of which is remembered what their names say; beyond them it begins anew."""


class Routing:
    """`zones` are the known sports with their leagues' time zones. `topics` names the sport of topics that do not begin
    with one; an entry is a topic, the part of it before `/`, or the part up to `:` (`firestore:`). `about` is asked by
    topic, any at all. One per process: what follows from it is remembered."""

    def __init__(self, zones: dict[str, ZoneInfo], topics: dict[str, str]) -> None:
        self.zones, self.topics = zones, topics
        self.about = _AboutTopics(self)


class _AboutTopics(dict[str, tuple[TopicSays, str | None]]):
    """What the name of a topic says, and the known sport that it names or is mapped to; None where it names none, or
    one that is not known. Of a name beyond `TOPIC_CHARS_MAX` the beginning is looked at."""

    def __init__(self, routing: Routing) -> None:
        self._routing = routing

    def __missing__(self, topic: str) -> tuple[TopicSays, str | None]:
        if len(topic) > TOPIC_CHARS_MAX:
            return self[topic[:TOPIC_CHARS_MAX]]
        if len(self) >= TOPICS_MAX:
            self.clear()
        says = topic_says(topic)
        self[topic] = found = says, _sport_of_topic(says, self._routing)
        return found


def _sport_of_topic(says: TopicSays, routing: Routing) -> str | None:
    zones = routing.zones
    first = says.first_word
    if first is not None and first in zones:
        return first
    for name in says.names:
        sport = routing.topics.get(name)
        if sport is not None:
            return sport if sport in zones else None
    return next((word for word in says.words if word in zones), None)


def take_sport(body: dict[str, Any], by_topic: str | None, routing: Routing, flags: list[str]) -> str:
    """The sport of a message; `sport` leaves `body`. Notes `sport_topic_conflict`. Raises Rejection `unknown_sport`."""
    said = body.get("sport")
    if said is None and by_topic is not None:
        return by_topic
    sport = _sport_of_dataset(body, routing) if said is None else _known(said, routing)
    if sport is None:
        known = f"give `sport`, one of: {', '.join(sorted(routing.zones))}"
        what = "neither the message nor its topic says one" if said is None else f"`sport` is {shown(said)}"
        raise Rejection("unknown_sport", f"{what}: {known}")
    if said is not None:
        del body["sport"]
        if by_topic is not None and by_topic != sport:
            flags.append("sport_topic_conflict")
    return sport


def _known(said: Any, routing: Routing) -> str | None:
    sport = said.lower() if type(said) is str else None
    return sport if sport in routing.zones else None


def _sport_of_dataset(body: dict[str, Any], routing: Routing) -> str | None:
    """Datasets are named by sport: `nba_raw`, `mlb_analytics`."""
    for key in _DATASET_KEYS:
        said = body.get(key)
        if type(said) is str and (key == "output_dataset" or "." in said):
            sport, underscore, _ = said.partition("_")
            if underscore and sport in routing.zones:
                return sport
    return None
