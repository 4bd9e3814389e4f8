"""The messages of the example week, built from its facts in the shapes that publishers really use.

Several shapes on purpose: unified completions, older scraper messages, hand-published ones with a table's name, both
forms of the prediction coordinator's, documents, and native messages. Times and numbers come from the facts; ids are
made from them, so the same facts make the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from events.wire.names import normalised
from handlers.demo_facts import SPORT, Document, Moment, Storm, Week
from handlers.lines import Line

SOURCE = "//tipoff/examples/week-2026-01-13"

OPENED_AT = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
"""When the dates of the week are opened from the schedule: before the first evening run for them."""

ENTRY_SECONDS = 20
"""How far apart the entries of a completion document are; when each was written is not recorded."""

Body = dict[str, Any]


class Message(Struct, frozen=True, kw_only=True):
    """A message on its way to a topic, before the broker gave it an id."""

    at: datetime
    topic: str
    body: Body
    attributes: dict[str, str] = {}


class Run(Struct, frozen=True, kw_only=True):
    """What a message says about a run: `rows` is None where it counts nothing."""

    at: datetime
    game_date: str
    phase: str
    name: str
    rows: int | None
    week: Week

    @property
    def id(self) -> str:
        """The run's id: whose it is, and when."""
        return f"{normalised(self.name)}-{self.at:%m%d%H%M%S}"

    def number(self, name: str) -> int:
        """A number of the date that the message cannot do without. Raises KeyError."""
        value = self.week.count(self.game_date, name, self.at)
        if value is None:
            raise KeyError(f"{self.game_date}: {name}")
        return int(value)


def messages(week: Week) -> list[Message]:
    """Everything that was published, in the order of its publication."""
    found = [*_schedules(week), *_runs(week), *_documents(week), *_storms(week)]
    return sorted(found, key=lambda message: message.at)


def line(message: Message, message_id: str) -> Line:
    """The message as a line of a recording."""
    envelope = {
        "messageId": message_id,
        "publishTime": stamp(message.at),
        "attributes": message.attributes,
        "json": message.body,
    }
    data = msgspec.json.encode({"topic": message.topic, "message": envelope})
    return Line(data, len(data))


def stamp(at: datetime) -> str:
    """`at` as RFC 3339 in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def measured(game_date: str, boundary: str, measures: Body, at: datetime, ce_id: str) -> Message:
    """A native message: what was seen at a boundary."""
    body = {"sport": SPORT, "game_date": game_date, "boundary": boundary, "measures": measures}
    return _native("measures.observed", body, topic="tipoff-measures", at=at, ce_id=ce_id)


def _native(kind: str, body: Body, *, topic: str, at: datetime, ce_id: str) -> Message:
    attributes = {
        "ce-specversion": "1.0",
        "ce-type": f"tipoff.{kind}",
        "ce-source": SOURCE,
        "ce-id": ce_id,
        "ce-time": stamp(at),
        "ce-subject": f"{SPORT}/{body['game_date']}",
    }
    return Message(at=at, topic=topic, body=body, attributes=attributes)


def _schedules(week: Week) -> Iterator[Message]:
    for game_date in week.dates:
        games = [
            {"game_id": g.game_id, "away": g.away, "home": g.home, "start_utc": stamp(g.start_utc)}
            for g in week.games_of(game_date)
        ]
        body = {"sport": SPORT, "game_date": game_date, "games": games, "as_of": stamp(OPENED_AT)}
        ce_id = f"schedule-{game_date}"
        yield _native("schedule.published", body, topic="tipoff-schedule", at=OPENED_AT, ce_id=ce_id)


# --- what runs say ------------------------------------------------------------------------------------------------


def _runs(week: Week) -> Iterator[Message]:
    for moment in (*_rhythm(week), *week.moments):
        rows = week.count(moment.game_date, moment.count, moment.at) if moment.count else None
        run = Run(
            at=moment.at,
            game_date=moment.game_date,
            phase=moment.phase,
            name=moment.name,
            rows=None if rows is None else int(rows),
            week=week,
        )
        if moment.shape == "tables":
            yield _tables(run)
        else:
            topic, body = SHAPES[moment.shape](run)
            yield Message(at=run.at, topic=topic, body=body)


def _rhythm(week: Week) -> Iterator[Moment]:
    """What every date's runs say, as the moments of each date."""
    for game_date in week.dates:
        for beat in week.rhythm:
            if beat.skip == game_date:
                continue
            day = date.fromisoformat(game_date) + timedelta(days=beat.days)
            yield Moment(
                at=datetime.combine(day, time.fromisoformat(beat.at), UTC),
                game_date=game_date,
                phase=beat.phase,
                name=beat.name,
                shape=beat.shape,
                count=beat.count,
                basis=beat.basis,
                source=beat.source,
            )


_PHASES = {
    "scrape": ("phase_1_scrapers", "nba-phase1-scrapers-complete"),
    "raw": ("phase_2_raw", "nba-phase2-raw-complete"),
    "analytics": ("phase_3_analytics", "nba-phase3-analytics-complete"),
    "precompute": ("phase_4_precompute", "nba-phase4-precompute-complete"),
    "predictions": ("phase_5_predictions", "nba-phase5-predictions-complete"),
}
"""What publishers call a phase, and the topic on which it reports."""


def _v2(run: Run) -> tuple[str, Body]:
    word, topic = _PHASES[run.phase]
    body = {
        "processor_name": run.name,
        "phase": word,
        "execution_id": run.id,
        "correlation_id": run.id,
        "game_date": run.game_date,
        "status": "success",
        "timestamp": stamp(run.at),
        "trigger_source": "scheduler",
    }
    return topic, body if run.rows is None else {**body, "record_count": run.rows, "records_failed": 0}


def _v1(run: Run) -> tuple[str, Body]:
    path = f"gs://nba-scraped-data/{run.name}/{run.game_date}/{run.at:%Y%m%d_%H%M%S}.json"
    body = {
        "scraper_name": run.name,
        "execution_id": run.id,
        "status": "success",
        "gcs_path": path,
        "workflow": "morning_recovery",
        "timestamp": stamp(run.at),
        "game_date": run.game_date,
    }
    return "nba-phase1-scrapers-complete", body if run.rows is None else {**body, "record_count": run.rows}


def _minimal(run: Run) -> tuple[str, Body]:
    day = "analysis_date" if run.phase == "analytics" else "game_date"
    return _PHASES[run.phase][1], {"source_table": run.name, day: run.game_date, "success": True}


def _predicted(run: Run, metadata: Body) -> tuple[str, Body]:
    topic, body = _v2(run)
    players = run.number("predicted_players")
    batch = f"batch_{run.game_date}_{int(run.at.timestamp())}"
    share = {"completion_pct": 100.0, **metadata}
    return topic, {**body, "execution_id": batch, "record_count": players, "metadata": {"batch_id": batch, **share}}


def _batch_summary(run: Run) -> tuple[str, Body]:
    players = run.number("predicted_players")
    counted = {"expected_predictions": players, "completed_predictions": players, "failed_predictions": 0}
    summary = {"expected": players, "completed": players, "failed": 0, "completion_pct": 100.0}
    return _predicted(run, {**counted, "stall_detected": False, "summary": summary})


def _batch(run: Run) -> tuple[str, Body]:
    players = run.number("predicted_players")
    counted = {"expected_players": players, "completed_players": players, "completed_predictions": players}
    return _predicted(run, {**counted, "total_predictions": run.rows})


def _export(run: Run) -> tuple[str, Body]:
    body = {
        "processor_name": run.name,
        "phase": "phase_6_publishing",
        "correlation_id": run.id,
        "timestamp": stamp(run.at),
        "status": "success",
        "export_type": "daily",
        "errors": [],
        "trigger_source": "orchestrator",
        "target_date": run.game_date,
        "export_types": ["tonight", "tonight-players", "predictions", "best-bets", "streaks"],
    }
    return "nba-phase6-export-complete", body


def _grading(run: Run) -> tuple[str, Body]:
    body = {
        "processor_name": run.name,
        "phase": "phase_5b_grading",
        "correlation_id": run.id,
        "timestamp": stamp(run.at),
        "target_date": run.game_date,
        "status": "success",
        "predictions_found": run.number("predictions"),
        "graded_count": run.rows,
        "auto_heal_attempted": False,
        "trigger_source": "manual",
    }
    return "nba-grading-complete", body


def _grading_trigger(run: Run) -> tuple[str, Body]:
    body = {"target_date": run.game_date, "run_aggregation": True, "trigger_source": "manual"}
    return "nba-grading-trigger", {**body, "triggered_at": stamp(run.at)}


def _timeout_trigger(run: Run) -> tuple[str, Body]:
    body = {
        "game_date": run.game_date,
        "correlation_id": f"timeout-check-{run.at:%Y%m%d-%H%M%S}",
        "trigger_source": "scheduled_timeout_check",
        "triggered_by": "phase4_timeout_check",
        "timestamp": stamp(run.at),
    }
    return "nba-predictions-trigger", body


SHAPES: dict[str, Callable[[Run], tuple[str, Body]]] = {
    "v2": _v2,
    "v1": _v1,
    "minimal": _minimal,
    "batch_summary": _batch_summary,
    "batch": _batch,
    "export": _export,
    "grading": _grading,
    "grading_trigger": _grading_trigger,
    "timeout_trigger": _timeout_trigger,
}
"""Topic and body of a message, by the name that the facts give its shape; `tables` is a native one."""


def _tables(run: Run) -> Message:
    rows = {name: {"value": run.number(name)} for name in PRECOMPUTE_TABLES.values()}
    return measured(run.game_date, "precompute_to_predictions", rows, run.at, f"tables-{run.id}-{run.game_date}")


PRECOMPUTE_TABLES = {
    "team_defense_zone_analysis": "table_rows.team_defense_zone_analysis",
    "player_shot_zone_analysis": "table_rows.player_shot_zone_analysis",
    "player_daily_cache": "table_rows.player_daily_cache",
    "player_composite_factors": "table_rows.player_composite_factors",
    "ml_feature_store": "table_rows.ml_feature_store_v2",
}
"""The count that stands for each precompute processor."""


def _documents(week: Week) -> Iterator[Message]:
    for document in week.documents:
        topic = f"firestore:phase4_completion/{document.game_date}"
        yield Message(at=document.at, topic=topic, body=_document(week, document))


def _document(week: Week, document: Document) -> Body:
    """The document as it stood. An entry keeps the instant of the first state that shows it, as the real one does."""
    first = min(d.at for d in week.documents if d.game_date == document.game_date and d.run == document.run)
    names = document.processors.split()
    body: Body = {}
    for place, name in enumerate(reversed(names)):
        at = first - timedelta(seconds=place * ENTRY_SECONDS)
        rows = week.count(document.game_date, PRECOMPUTE_TABLES[name], document.at)
        body[name] = {
            "completed_at": stamp(at),
            "correlation_id": f"{document.run}-{document.game_date}",
            "status": "success",
            "record_count": None if rows is None else int(rows),
            "execution_id": f"{name}-{document.run}-{document.game_date}",
        }
    body["_completed_count"] = len(names)
    if document.triggered_at is not None:
        body |= {"_triggered": True, "_triggered_at": stamp(document.triggered_at), "_trigger_reason": "timeout"}
    return body


def _storms(week: Week) -> Iterator[Message]:
    for storm in week.storms:
        for number in range(storm.runs):
            yield _storm_run(storm, number)


def _storm_run(storm: Storm, number: int) -> Message:
    """Run `number` of the storm, the runs spread evenly over their hour; those that did not fail never ended."""
    at = storm.hour + timedelta(seconds=3600 * number // storm.runs)
    word, topic = _PHASES[storm.phase]
    body = {
        "processor_name": storm.name,
        "phase": word,
        "execution_id": f"catch-up-{storm.hour:%m%d%H}-{number:04d}",
        "game_date": storm.game_date,
        "status": "failed" if number < storm.failed else "running",
        "timestamp": stamp(at),
        "trigger_source": "scheduler",
    }
    return Message(at=at, topic=topic, body=body)
