"""The demo by way of Google's emulators says what the embedded one says, to the last check."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.wire import Delivery, from_line
from handlers.demo import AGREES, demonstrate
from handlers.demo_emulators import MESSAGE_ID, PUBLISHED_AT, TOPIC, recorded_line
from handlers.demo_facts import load_week
from handlers.emulators import PUBSUB as EMULATOR
from handlers.emulators import EmulatorMissing, command
from tests.command_line import tipoff
from tests.emulators import firestore_jar, pubsub_jar
from tests.wire_messages import NOON

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=10)


@given(texts, texts, st.dictionaries(st.sampled_from("abc"), texts), st.binary(max_size=30))
def test_what_a_message_carries_of_its_recording_is_what_was_recorded(topic, number, attributes, data):
    around = {TOPIC: topic, MESSAGE_ID: number, PUBLISHED_AT: NOON.isoformat()}
    arrived = Delivery(topic="t", message_id="1", published_at=NOON, attributes=attributes | around, data=data)
    said = from_line(recorded_line(arrived).data)
    assert said == Delivery(topic=topic, message_id=number, published_at=NOON, attributes=attributes, data=data), (
        b64encode(data)
    )


def test_where_no_emulator_is_installed_it_is_said_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLOUDSDK_ROOT_DIR", str(tmp_path))
    with pytest.raises(EmulatorMissing, match="gcloud components install"):
        command(EMULATOR)
    ran = tipoff("demo", "--emulators", "--directory", tmp_path / "demo")
    assert (ran.code, "gcloud components install" in ran.err) == (69, True)


@pytest.mark.timeout(600)  # 776 messages, each through two servers
def test_the_week_through_pubsub_and_firestore_is_the_week_as_it_is_embedded(tmp_path: Path):
    firestore_jar(), pubsub_jar()
    through = demonstrate(tmp_path / "through", load_week(), emulators=True)
    embedded = demonstrate(tmp_path / "embedded", load_week())

    assert through.exit_code == AGREES
    assert [line for line in through.report.agreed if not line.holds] == []
    assert through.report.played == embedded.report.played
    # Only the ids under which commands were confirmed differ, and with them the hashes.
    assert [replace(day, hash="") for day in through.days] == [replace(day, hash="") for day in embedded.days]
    assert tipoff("verify", "--store", through.report.files.store_name).code == 0
