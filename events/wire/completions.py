"""A run ended, or began, in whichever format its publisher spoke (orchestration 2.3, 2.4).

One reader for all formats: v2, v1, recovery, legacy raw and analytics, hand-published, document entries and native ones
differ only in the words they use. So the same run said in two formats is one fact. Contradictions inside a message are
kept and flagged, never repaired; `error_type` is never read, upstream fills it with the name of a type.
"""

from __future__ import annotations

from typing import Any

from events.catalogue import CompletionRecorded, Fact, RunStarted
from events.codec import derive_id
from events.values import Status
from events.wire.counts import count, number, take_count, take_seconds
from events.wire.dates import DATE_KEYS, SaidDate, calendar_date, metadata_of
from events.wire.inbound import Inbound
from events.wire.instants import END_KEYS, START_KEYS, instant, note
from events.wire.names import normalised, take_name, take_run
from events.wire.rejected import Rejection, shown
from events.wire.words import is_running, phase_of, status_of

ALL_PCT = 100

_RARE_KEYS = frozenset({"row_basis", "error_message", "games", *START_KEYS, *DATE_KEYS})
"""Keys that a common message does not have, or no longer: asked for together. Those of instants and dates may
contradict what it said."""

_COMPLETION_NUMBERS = (
    ("expected_predictions", ("expected_predictions", "expected_players"), "expected"),
    ("completed_predictions", ("completed_predictions", "completed_players"), "completed"),
    ("total_predictions", ("total_predictions",), "total_predictions"),
    ("completion_pct", ("completion_pct", "completion_percentage"), "completion_pct"),
)
"""Name inside Tipoff, names outside (in the message or its metadata), name in `metadata.summary`."""


def completion(
    inbound: Inbound,
    wire_format: str,
    phase: str | None = None,
    said_date: SaidDate | None = None,
) -> Fact:
    """The fact in a message that says how a run ended (or that it began). `phase` and `said_date` are what the
    surroundings say, where the body need not. Raises Rejection."""
    body, flags = inbound.body, inbound.flags
    said_date = said_date or inbound.take_date()
    published_name = take_name(body)
    phase = take_phase(inbound, phase)
    status = _take_status(body)
    if status is None:
        return started(inbound, wire_format, phase, published_name, said_date)
    run = take_run(body)
    occurred_at = inbound.take_instant(END_KEYS)
    game_date, basis = said_date
    stream = f"{inbound.sport}/{game_date}"
    fact_id = run and derive_id("completion", stream, phase, normalised(published_name), run, status)
    record_count, count_key = take_count(body, flags)
    records_failed = count("records_failed", body.pop("records_failed", None), flags)
    rare = not _RARE_KEYS.isdisjoint(body)
    said_basis, error_message, games = _take_rare(body) if rare else (None, None, None)
    row_basis = said_basis or _row_basis(body, phase, count_key)
    if phase == "predictions":
        _take_completion_numbers(body, flags)
        _compare_counts(flags, record_count if row_basis == "players" else None, body.get("completed_predictions"))
    elif phase == "precompute":
        _compare_counts(flags, record_count, metadata_of(body).get("rows_processed"))
    if rare:
        _compare_rare(body, flags, game_date, occurred_at)
    _compare_outcome(body, flags, status, record_count, error_message)
    data = CompletionRecorded(
        phase=phase,
        published_name=published_name,
        status=status,
        run=run,
        record_count=record_count,
        row_basis=row_basis,
        records_failed=records_failed,
        games=games,
        duration_seconds=take_seconds(body, flags),
        output_table=take_text(body, "output_table"),
        error_message=error_message,
        flags=tuple(flags),
        wire_format=wire_format,
        date_basis=basis,
        extra=body,
    )
    return inbound.fact(stream, data, occurred_at, run, fact_id)


def started(inbound: Inbound, wire_format: str, phase: str, published_name: str, said_date: SaidDate) -> Fact:
    """The fact that a run began."""
    body = inbound.body
    game_date, basis = said_date
    run = take_run(body)
    occurred_at = inbound.take_instant(START_KEYS)
    stream = f"{inbound.sport}/{game_date}"
    fact_id = run and derive_id("started", stream, phase, normalised(published_name), run)
    data = RunStarted(
        phase=phase,
        published_name=published_name,
        run=run,
        wire_format=wire_format,
        date_basis=basis,
        flags=tuple(inbound.flags),
        extra=body,
    )
    return inbound.fact(stream, data, occurred_at, run, fact_id)


def take_phase(inbound: Inbound, fallback: str | None) -> str:
    """The phase: the body's own word, else `fallback`, else that of a `…-complete` topic. Notes
    `phase_topic_conflict`. Raises Rejection `unknown_phase`."""
    said = inbound.body.pop("phase", None)
    by_topic = inbound.says.ended_phase
    phase = phase_of(said) if said is not None else fallback or by_topic
    if phase is None:
        what = f"`phase` is {shown(said)}" if said is not None else "no phase"
        raise Rejection("unknown_phase", f"{what}: give `phase`, such as phase_3_analytics or analytics")
    if by_topic is not None and by_topic != phase:
        note(inbound.flags, "phase_topic_conflict")
    return phase


def _take_status(body: dict[str, Any]) -> Status | None:
    """The status, by word or by `success`; None where the run goes on. A word that is not Tipoff's own stays in
    `body`. Raises Rejection `bad_status`."""
    key, said = "status", body.get("status")
    if said is None:
        key, said = "success", body.get("success")
    status = status_of(said)
    if status is None and not is_running(said):
        what = f"`{key}` is {shown(said)}" if said is not None else "no status"
        raise Rejection("bad_status", f"{what}: give `status`: success, partial, no_data, failed or skipped")
    if status is not None and status == said:
        del body[key]
    return status


def _take_completion_numbers(body: dict[str, Any], flags: list[str]) -> None:
    """Adds the coordinator's numbers to `body` under one set of names; `metadata` keeps its own. Notes
    `no_completion_pct`: a missing key is malformed, not zero. Raises Rejection `bad_count`."""
    metadata = metadata_of(body)
    summary = metadata.get("summary")
    for name, keys, in_summary in _COMPLETION_NUMBERS:
        places = [(place, key) for place in (body, metadata) for key in keys]
        if type(summary) is dict:
            places.append((summary, in_summary))
        for place, key in places:
            if place.get(key) is not None:
                body[name] = number(key, place[key], flags)
                break
    computable = body.get("expected_predictions") is not None and body.get("completed_predictions") is not None
    if body.get("completion_pct") is None and not computable:
        note(flags, "no_completion_pct")


def _compare_rare(body: dict[str, Any], flags: list[str], game_date: str, occurred_at: Any) -> None:
    """Notes `completed_before_started` and `date_conflict`; takes nothing away."""
    for key in START_KEYS:
        began = instant(body.get(key), flags)
        if began is not None and began > occurred_at:
            note(flags, "completed_before_started")
    for key in DATE_KEYS:
        other = calendar_date(body.get(key))
        if other is not None and other != game_date:
            note(flags, "date_conflict")


def _compare_outcome(
    body: dict[str, Any],
    flags: list[str],
    status: Status,
    record_count: int | None,
    error_message: str | None,
) -> None:
    """Notes a status that the rest of the message does not bear out (orchestration 2.3; incidents 4)."""
    if status == "success":
        if record_count == 0:
            flags.append("success_with_zero_rows")
        if error_message:
            flags.append("success_with_error")
        percent = body.get("completion_pct")
        if (type(percent) is float or type(percent) is int) and percent < ALL_PCT:
            flags.append("success_with_low_pct")
    elif record_count and status in {"failed", "no_data"}:
        flags.append(f"{status}_with_rows")
    if "success" in body and body["success"] is _CONTRARY.get(status):
        flags.append("status_vs_success")


_CONTRARY: dict[Status, bool] = {"success": False, "failed": True}
"""The value of `success` that contradicts a status."""


def _compare_counts(flags: list[str], record_count: int | None, other: Any) -> None:
    """Notes `count_mismatch` where the message counts the same thing twice and differently."""
    if record_count is not None and type(other) is int and other != record_count:
        flags.append("count_mismatch")


def _row_basis(body: dict[str, Any], phase: str, count_key: str | None) -> str | None:
    """What was counted, where nothing says it. The coordinator's `record_count` counts players; an incremental run
    counts what it changed."""
    if count_key is None:
        return None
    if phase == "predictions" and count_key == "record_count":
        return "players"
    metadata = body.get("metadata")
    place = metadata if type(metadata) is dict and "is_incremental" in metadata else body
    return "delta" if place.get("is_incremental") is True else "rows"


def take_text(body: dict[str, Any], key: str) -> str | None:
    """Text under `key`; anything else stays in `body`."""
    said = body.get(key)
    if type(said) is not str:
        return None
    del body[key]
    return said


def _take_rare(body: dict[str, Any]) -> tuple[str | None, str | None, tuple[str, ...] | None]:
    """What was counted, if it is said, the error message and the games."""
    said_basis = take_text(body, "row_basis") if body.get("row_basis") else None
    return said_basis, take_text(body, "error_message"), _take_games(body)


def _take_games(body: dict[str, Any]) -> tuple[str, ...] | None:
    """Game ids under `games`; anything else stays in `body`."""
    said = body.get("games")
    if type(said) is not list or not all(type(game) is str for game in said):
        return None
    del body["games"]
    return tuple(said)
