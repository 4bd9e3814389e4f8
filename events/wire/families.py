"""Which family a message belongs to, by what it says; the most frequent is asked first.

The order is the rule: a key that only one family carries is looked at before a key that several share.
"""

from __future__ import annotations

from typing import Any

from events.catalogue import Fact
from events.wire import observations, rows
from events.wire.completions import completion
from events.wire.documents import completion_document, heartbeat
from events.wire.inbound import Inbound
from events.wire.names import NAME_KEYS
from events.wire.observations import progress
from events.wire.rejected import Rejection

KEYS_SHOWN_MAX = 12
KEY_CHARS_MAX = 40
"""Keys of an unknown message that the reason quotes, and characters of each."""

_PROCESSOR_KEYS = frozenset(NAME_KEYS) - {"output_table"}
_SCRAPER_KEYS = frozenset({"scraper_name", "scraper", "gcs_path"})


def facts(inbound: Inbound) -> list[Fact]:
    """The facts in a message that is no CloudEvent. Raises Rejection."""
    body = inbound.body
    if "processor_name" in body and "phase" in body and "status" in body and _is_v2(body):
        return [completion(inbound, "v2")]
    by_collection = inbound.says.kind == "document"
    if by_collection or "_completed_count" in body or "_triggered" in body or "_first_completion_at" in body:
        return completion_document(inbound)
    if "last_heartbeat" in body:
        return [heartbeat(inbound)]
    if "original_date" in body:
        return rows.postponement(inbound)
    if "action" in body and ("workflow_name" in body or "workflow" in body):
        return [rows.workflow_decision(inbound)]
    if "player_lookup" in body:
        return [progress(inbound)]
    if "published" in body and "batch_id" in body:
        return [observations.reply(inbound)]
    row = rows.ledger_row(inbound)
    return [row] if row is not None else _unmarked(inbound)


def _is_v2(body: dict[str, Any]) -> bool:
    """False for log lines, heartbeats and retry queues, which have the name, phase and status of a completion, too."""
    return not ("event_type" in body or "last_heartbeat" in body or "next_retry_at" in body)


def _unmarked(inbound: Inbound) -> list[Fact]:
    """Messages that carry no key of their own: requests, objects, and completions before v2."""
    body = inbound.body
    if observations.is_request(inbound):
        return observations.request(inbound)
    keys = body.keys()
    if "bucket" in keys and "name" in keys:
        return [observations.object_written(inbound)]
    named = not keys.isdisjoint(_PROCESSOR_KEYS)
    if "status" in keys or "success" in keys or (named and ("phase" in keys or inbound.says.kind == "complete")):
        return [_ended(inbound, named=named)]
    if "gcs_path" in keys:
        return [observations.object_written(inbound)]
    raise _unknown(inbound)


def _ended(inbound: Inbound, *, named: bool) -> Fact:
    body = inbound.body
    if body.get("recovery") is True:
        return completion(inbound, "recovery", phase="scrape")
    if not body.keys().isdisjoint(_SCRAPER_KEYS):
        return completion(inbound, "v1", phase="scrape")
    if "output_table" in body and not named:
        if "phase" in body:
            return completion(inbound, "run_history")
        return observations.observation(inbound, "pipeline_event", phase=None, wire_format="run_history")
    return completion(inbound, "minimal")


def _unknown(inbound: Inbound) -> Rejection:
    shown = ", ".join(key[:KEY_CHARS_MAX] for key in list(inbound.body)[:KEYS_SHOWN_MAX])
    return Rejection(
        "unknown_shape",
        f"no family has the keys {{{shown}}}; a completion needs `processor_name`, `phase`, `status` and `game_date`, "
        "a heartbeat `last_heartbeat`, a request `triggered_by`, a workflow decision `workflow_name` and `action`, "
        "a postponement `original_date`, a scraped file `bucket` and `name`, or `gcs_path`",
    )
