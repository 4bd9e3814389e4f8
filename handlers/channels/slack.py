"""Slack, by incoming webhooks: one for each severity, or one for all.

Its limits are kept by leaving out and counting, never by a refused message: 150 characters of a header, 3000 of a text,
50 blocks. What Slack answers is judged like any other call: 4xx for good (a webhook that is gone), 429 with its
Retry-After and 5xx for now. A self-test posts an empty message, which a live webhook refuses and a dead one does not
know.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPException
from typing import Any

from slack_sdk.webhook import WebhookClient
from slack_sdk.webhook.webhook_response import WebhookResponse

from events.values import Severity
from handlers.channels.messages import Message
from handlers.channels.targets import TRIES, address_for, domain_of
from handlers.outbound.client import Call, NoReply, OutboundClient, Reply, words

HEADER_MAX = 150
TEXT_MAX = 3000
BLOCKS_MAX = 50
"""Slack's limits: characters of a header, characters of a text, blocks of a message."""

PARTS_MAX = 8
"""Text blocks of a message, which nobody reads more of."""

TIMEOUT_SECONDS = 10

REFUSALS_OF_NOTHING = ("no_text", "missing_text_or_fallback_or_attachments", "invalid_payload")
"""What a live webhook answers to an empty message."""

BAD_REQUEST = 400

MARKS: Mapping[Severity, str] = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":memo:"}


class SlackTarget:
    """Posts to Slack. `addresses` are the webhooks by severity, at least one."""

    name = "slack"

    def __init__(
        self, addresses: Mapping[Severity, str], client: OutboundClient, *, timeout_seconds: int = TIMEOUT_SECONDS
    ) -> None:
        silent = logging.Logger("slack", level=logging.CRITICAL + 1)  # it would log addresses, which are secrets
        self._addresses = dict(addresses)
        self._client = client
        self._webhooks = {
            address: WebhookClient(address, timeout=timeout_seconds, logger=silent, retry_handlers=[])
            for address in set(addresses.values())
        }

    def post(self, message: Message) -> None:
        """Post `message` to the webhook of its severity. Raises PermanentFailure, TransientFailure."""
        address = address_for(message.severity, self._addresses)
        body = body_of(message)
        send = self._webhooks[address].send_dict
        self._client.make(Call(domain=domain_of(address), send=lambda: _reply(send, body), retries=TRIES))

    def check(self) -> str | None:
        """What is wrong with the webhooks; None where nothing is."""
        return "; ".join(self._wrong()) or None

    def _wrong(self) -> Iterator[str]:
        for address, webhook in self._webhooks.items():
            severities = "/".join(sorted(name for name, known in self._addresses.items() if known == address))
            try:
                reply = _reply(webhook.send_dict, {"text": ""})
            except NoReply as error:
                yield f"{severities}: {error}"
            else:
                alive = reply.status == BAD_REQUEST and reply.text.strip() in REFUSALS_OF_NOTHING
                if not alive:
                    yield f"{severities}: {words(reply)}"

    def close(self) -> None:
        """Nothing is kept open."""


def _reply(send: Any, body: dict[str, Any]) -> Reply:
    try:
        response: WebhookResponse = send(body)
    except TimeoutError as error:
        raise NoReply("no answer in time") from error
    except (OSError, HTTPException) as error:
        raise NoReply(f"no connection ({type(error).__name__})") from error
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(
        status=response.status_code,
        text=response.body,
        retry_after=headers.get("retry-after"),
        date=headers.get("date"),
    )


# --- how it looks -------------------------------------------------------------------------------------------------


def body_of(message: Message) -> dict[str, Any]:
    """`message` as Slack's blocks, within Slack's limits; `text` is what a notification shows."""
    parts = list(packed(message.parts, PARTS_MAX))
    found: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(message.title, HEADER_MAX)}},
        *(section(part) for part in parts),
    ]
    if message.next_step or message.link:
        found.append(section(cut(f"{escaped(message.next_step)}\n{_link(message.link)}".strip(), TEXT_MAX)))
    if message.commands:
        typed = cut(escaped("\n".join(message.commands)), TEXT_MAX - 6)
        found.append(section(f"```{typed}```"))
    text = cut(escaped(f"{message.title}: {message.parts[0]}" if message.parts else message.title), TEXT_MAX)
    return {"text": f"{MARKS[message.severity]} {text}", "blocks": found[:BLOCKS_MAX]}


def _link(link: str) -> str:
    if link.startswith(("https://", "http://")):
        return f"<{link}|runbook>"
    return f"runbook: {escaped(link)}" if link else ""


def section(text: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def escaped(text: str) -> str:
    """`text` as Slack takes it for itself: the three characters that it reads as marks."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, longest: int) -> str:
    """`text`, at most so long; a cut one ends in `…` and never inside an escaped character."""
    if len(text) <= longest:
        return text
    kept = text[: longest - 1]
    mark = kept.rfind("&")
    return (kept[:mark] if mark >= 0 and ";" not in kept[mark:] else kept) + "…"


def packed(parts: Iterable[str], most: int) -> Iterator[str]:
    """The parts as texts of at most `TEXT_MAX` characters, at most `most` of them; the last one counts what was left
    out. A single part that is longer is cut."""
    lines = [cut(escaped(part), TEXT_MAX) for part in parts]
    rest = list(lines)
    for place in range(most):
        room = TEXT_MAX if place < most - 1 else TEXT_MAX - 100
        text = ""
        while rest and len(text) + len(rest[0]) + 2 <= room:
            text += ("\n\n" if text else "") + rest.pop(0)
        if not text and rest:
            text = cut(rest.pop(0), room)
        if not text:
            return
        if place == most - 1 and rest:
            text += f"\n\n… and {len(rest)} more"
        yield text
