"""docs/pubsub.md tells the truth: its examples run in order, against the emulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.pubsub.wanted import DEAD_LETTERS, Subscription, subscription_of
from handlers.settings import SETTINGS
from handlers.stores import open_store
from tests.command_line import completion
from tests.conftest import ROOT
from tests.pubsub import DELIVERIES_MIN, Project, project
from tests.test_cli_docs import BLOCK, Shell, examples, matches
from tests.waiting import until

PAGE = (ROOT / "docs/pubsub.md").read_text(encoding="utf-8")
TOPIC = "nba-phase2-raw-complete"


def a_dead_letter(here: Project) -> None:
    """One completion that nobody took."""
    ours = subscription_of(TOPIC)
    here.topic(TOPIC)
    here.subscribe(Subscription(name=ours, topic=TOPIC, dead_letter_topic=DEAD_LETTERS, attempts_max=DELIVERIES_MIN))
    here.publish(completion(), topic=TOPIC)
    for _ in range(DELIVERIES_MIN):
        [refused] = here.waiting(ours, seconds=5)
        request = {"subscription": here.broker.subscription(ours), "ack_ids": [refused.ack_id]}
        here.broker.subscriber.modify_ack_deadline(request=request | {"ack_deadline_seconds": 0})
    here.waiting(ours, seconds=0.2)  # the emulator moves a message on when it is asked for it once more


def test_every_example_does_what_the_page_shows(
    pubsub_host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite:tipoff.db", create=True), project(pubsub_host, monkeypatch) as here:
        shell = Shell(tmp_path)
        shell.environ = {"TIPOFF_PUBSUB_PROJECT": here.broker.project}
        for _kind, _name, text in BLOCK.findall(PAGE):
            for command, shown in examples(text):
                if command == "tipoff dlq list":
                    a_dead_letter(here)
                    until(lambda: "broker" in shell.run("tipoff dlq list"), every_seconds=0.5)
                said = shell.run(command).replace(here.broker.project, "tipoff-example")
                assert matches(shown, said), f"$ {command}\n{said}"


def test_every_setting_of_pubsub_is_explained() -> None:
    assert [name for setting in SETTINGS if "PUBSUB" in (name := setting.name) and name not in PAGE] == []
