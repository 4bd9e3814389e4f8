"""What the names of topics say is remembered, a bounded number of them; nothing that is said changes by it."""

from __future__ import annotations

from events.wire import Routing
from events.wire.routing import TOPICS_MAX
from events.wire.topics import TOPIC_CHARS_MAX
from tests.wire_messages import ANALYTICS_TOPIC, ROUTING


def test_a_topic_says_the_same_however_many_others_were_asked_for_before() -> None:
    documents = [f"firestore:processor_heartbeats/run-{number}" for number in range(TOPICS_MAX + 2)]
    topics = [ANALYTICS_TOPIC, *documents, ANALYTICS_TOPIC, "raw-" * TOPIC_CHARS_MAX, documents[0]]
    routing = Routing(ROUTING.zones, ROUTING.topics)
    for topic in topics:
        says, sport = routing.about[topic]
        assert (says, sport) == Routing(ROUTING.zones, ROUTING.topics).about[topic]
        assert len(routing.about) <= TOPICS_MAX
        assert len(says.short) <= TOPIC_CHARS_MAX
