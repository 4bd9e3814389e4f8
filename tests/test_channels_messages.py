"""What a person is told: every message has what one needs at night, and fits where it is posted."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.catalogue import CommandRequested
from events.codec import encode
from events.store import Pending
from handlers.channels.messages import RUNBOOK, About, Message, alert_message, trial_message
from handlers.channels.slack import BLOCKS_MAX, HEADER_MAX, PARTS_MAX, TEXT_MAX, body_of, cut, escaped, packed
from projections.findings import NEXT_STEP
from tests.command_line import tipoff
from tests.conftest import ROOT
from tests.driving import ControlDriver, Driver, nba
from tests.outbound import NOON
from tests.scenes import HOUR, MEASURED, MINUTE, OPENED, raw_blocked

ZONE = "America/New_York"


def items(driver: Driver | ControlDriver) -> list[tuple[Pending, About]]:
    """Every page that was asked for, with the episode as it is."""
    commands = [event.data for event in driver.events if isinstance(event.data, CommandRequested)]
    return [
        (Pending(driver.stream, command), About(alert=driver.state.alerts[command.payload["alert_key"]], zone=ZONE))
        for command in commands
        if command.kind == "alert"
    ]


def blocked() -> list[tuple[Pending, About]]:
    return [item for item in items(raw_blocked()) if item[0].command.payload["cause"] == "gate_blocked"]


def texts(body: dict[str, Any]) -> str:
    """All that a reader of the blocks sees."""
    return "\n".join(block["text"]["text"] for block in body["blocks"])


def storm(count: int) -> list[tuple[Pending, About]]:
    """The same cause on so many dates."""
    [(pending, about)] = blocked()
    found = []
    for number in range(count):
        date = f"2026-01-{number % 28 + 1:02}"
        payload = {**pending.command.payload, "game_date": date, "detail": f"detail-{number}."}
        command = CommandRequested(
            command_id=f"id-{number}",
            kind="alert",
            topic="alert:warning",
            payload=payload,
            ordering_key=f"nba/{date}",
        )
        found.append((Pending(f"nba/{date}", command), about))
    return found


def test_a_message_has_cause_date_since_when_numbers_next_step_runbook_and_commands():
    body = body_of(alert_message(blocked(), runbook="https://example.com/runbook"))

    seen = texts(body)
    assert body["blocks"][0]["text"]["text"] == "warning: gate_blocked, nba 2026-01-16 (raw_to_analytics)"
    assert "2026-01-16 raw_to_analytics, since 2026-01-17 06:11 UTC (01:11 EST)" in seen
    assert "1 of 2" in seen
    assert "numbers: box_score_coverage 0.5" in seen
    assert escaped(NEXT_STEP["gate_blocked"]) in seen
    assert "<https://example.com/runbook#gate_blocked|runbook>" in seen
    assert "tipoff day explain 2026-01-16 --sport nba" in seen
    assert body["text"].startswith(":large_orange_circle: warning: gate_blocked, nba 2026-01-16")


def test_the_document_says_all_of_it_too():
    message = alert_message(blocked(), runbook=RUNBOOK)
    said = json.loads(encode(message.document))

    [episode] = said["episodes"]
    assert (said["type"], said["severity"], said["cause"], said["sport"]) == (
        "tipoff.alert",
        "warning",
        "gate_blocked",
        "nba",
    )
    assert episode["game_date"] == "2026-01-16"
    assert episode["raised_at"] == "2026-01-17T06:11:00Z"
    assert episode["numbers"] == {"box_score_coverage": 0.5}
    assert said["runbook"] == "docs/runbook.md#gate_blocked"
    assert said["commands"][0].startswith("tipoff day explain 2026-01-16")


@pytest.mark.parametrize("number", range(3))
def test_what_a_message_says_to_type_can_be_typed(number: int):
    [command] = [alert_message(blocked(), runbook=RUNBOOK).commands[number]]
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]
    name, *typed = words
    assert name == "tipoff"

    ran = tipoff(*typed, "--store", "sqlite:nowhere-at-all.db")
    assert ran.code == 69, "understood, and only the store is missing"


def test_an_alert_of_no_date_says_what_to_look_at():
    control = ControlDriver(nba())
    control.rejected("bad_date", OPENED, reason="give a date", topic="nba-phase2-raw-complete")
    message = alert_message(items(control), runbook=RUNBOOK)

    assert message.title == "warning: messages_rejected, nba (bad_date)"
    assert message.commands == ("tipoff health", "tipoff alerts")
    assert "nba-phase2-raw-complete: give a date" in message.parts[0]


def test_a_storm_of_one_cause_is_one_message_that_counts():
    message = alert_message(storm(28), runbook=RUNBOOK)

    assert message.title == "warning: gate_blocked, nba: 28 alerts on 28 dates, 2026-01-01 to 2026-01-28"
    assert len(message.document["episodes"]) == len(message.parts) == 28
    assert len(message.commands) == 9, "for three dates; the others are typed alike"


def reminders() -> list[tuple[Pending, About]]:
    """The two reminders of a gate that blocks."""
    day = raw_blocked()
    for hour in range(10):
        day.until(MEASURED + hour * HOUR)
        day.confirm(MEASURED + hour * HOUR)
    found = [item for item in items(day) if item[0].command.payload["cause"] == "gate_blocked"]
    return [item for item in found if item[0].command.payload.get("reminder")]


def test_a_reminder_says_that_it_is_one_which_it_is_and_since_when_the_episode_is_open():
    first, second = [alert_message([item], runbook=RUNBOOK) for item in reminders()]

    assert first.title == "reminder 1: warning: gate_blocked, nba 2026-01-16 (raw_to_analytics)"
    assert second.title.startswith("reminder 2: warning: gate_blocked")
    assert "reminder 2, open since 2026-01-17 06:11 UTC (01:11 EST) and taken on by nobody" in second.parts[0]
    assert [m.document["episodes"][0]["reminder"] for m in (first, second)] == [1, 2]
    assert first.key != second.key
    assert second.commands == alert_message(blocked(), runbook=RUNBOOK).commands


def test_reminders_that_come_together_are_one_message_and_one_that_holds_a_page_is_a_page():
    several = alert_message(reminders(), runbook=RUNBOOK)
    mixed = alert_message([*blocked(), *reminders()], runbook=RUNBOOK)

    assert several.title.startswith("reminders: warning: gate_blocked, nba: 2 alerts")
    assert mixed.title.startswith("warning: gate_blocked, nba: 3 alerts")


def test_what_is_told_again_says_so_and_what_was_resolved_or_taken_on_meanwhile_too():
    [(pending, about)] = blocked()
    assert about.alert is not None
    later = replace(about.alert, resolved_at=MEASURED + HOUR, acknowledged_at=MEASURED + MINUTE, acknowledged_by="ana")
    again = Pending(pending.stream, replace(pending.command, attempt=2))
    [part] = alert_message([(again, About(alert=later, zone=ZONE))], runbook=RUNBOOK).parts

    assert "told again, for the second time" in part
    assert "resolved meanwhile, 2026-01-17 07:11 UTC (02:11 EST)" in part
    assert "acknowledged by ana" in part


def test_the_same_message_has_the_same_key_and_another_try_another():
    one, same = alert_message(storm(3), runbook=RUNBOOK), alert_message(storm(3), runbook=RUNBOOK)
    other = alert_message(storm(4), runbook=RUNBOOK)

    assert one.key == same.key != other.key
    [(pending, _about)] = blocked()
    assert alert_message(blocked(), runbook=RUNBOOK).key == pending.command.command_id


def test_an_episode_that_nobody_knows_any_more_is_told_all_the_same():
    [(pending, _about)] = blocked()
    message = alert_message([(pending, About())], runbook=RUNBOOK)

    assert "1 of 2" in message.parts[0]
    assert message.document["episodes"][0]["raised_at"] is None


def test_the_runbook_that_messages_link_to_has_a_section_for_every_cause():
    headings = re.findall(r"^#+ (\w+)$", (ROOT / RUNBOOK).read_text(), re.MULTILINE)

    assert set(NEXT_STEP) <= set(headings)


def test_a_trial_says_that_nothing_is_wrong():
    assert "Nothing is wrong" in texts(body_of(trial_message(NOON)))


# --- Slack's limits ---------------------------------------------------------------------------------------------------

_text = st.text(st.sampled_from("ab <>&\n;é"), max_size=4000)


_messages = st.builds(
    Message,
    key=st.just("k"),
    severity=st.sampled_from(["info", "warning", "critical"]),
    title=_text,
    parts=st.lists(_text, max_size=60).map(tuple),
    next_step=_text,
    link=st.text(max_size=50) | st.text(max_size=50).map("https://{}".format),
    commands=st.lists(_text, max_size=9).map(tuple),
)


@given(_messages)
def test_no_message_is_longer_than_slack_takes(message: Message):
    body = body_of(message)

    assert len(body["blocks"]) <= BLOCKS_MAX
    assert len(body["blocks"][0]["text"]["text"]) <= HEADER_MAX
    assert all(len(block["text"]["text"]) <= TEXT_MAX for block in body["blocks"])
    assert len(body["text"]) <= TEXT_MAX + 50


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=80))
def test_what_does_not_fit_is_counted_and_nothing_else_is_missing(sizes: list[int]):
    parts = [f"<{number}>{'x' * size}" for number, size in enumerate(sizes)]

    shown = "\n".join(packed(parts, PARTS_MAX))

    found = re.findall(r"&lt;(\d+)&gt;", shown)
    more = re.search(r"… and (\d+) more$", shown)
    assert found == [str(number) for number in range(len(found))]
    assert len(found) + (int(more[1]) if more else 0) == len(parts)


@given(_text, st.integers(10, 200))
def test_a_cut_text_ends_in_no_half_of_an_escaped_character(text: str, longest: int):
    kept = cut(escaped(text), longest)

    assert len(kept) <= longest
    assert re.fullmatch(r"(?:&amp;|&lt;|&gt;|[^&<>])*", kept)
