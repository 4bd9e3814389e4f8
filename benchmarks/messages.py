"""The messages of a generated season, in the shapes that publishers use (docs/messages.md): who speaks, about what.

Nothing here knows when anything happens; `benchmarks/season.py` does. Chance comes from the caller's generator, so the
same seed makes the same bytes.
"""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

import msgspec
from msgspec import Struct, field

PHASES = {
    "scrape": ("phase_1_scrapers", "nba-phase1-scrapers-complete", "nba_raw"),
    "raw": ("phase_2_raw", "nba-phase2-raw-complete", "nba_raw"),
    "analytics": ("phase_3_analytics", "nba-phase3-analytics-complete", "nba_analytics"),
    "precompute": ("phase_4_precompute", "nba-phase4-precompute-complete", "nba_precompute"),
    "predictions": ("phase_5_predictions", "nba-phase5-predictions-complete", "nba_predictions"),
    "publishing": ("phase_6_publishing", "nba-phase6-export-complete", ""),
    "grading": ("phase_5b_grading", "nba-grading-complete", ""),
}
"""Phase: the word for it in messages, the topic of its completions, the dataset it writes to."""

PULSES = "firestore:processor_heartbeats"
SOURCE = "//tipoff/benchmarks"


class Said(Struct, kw_only=True):
    """A message before it has an id: `at` is when it is published. One with a `business_key` may be published again
    under another id, and is still the same fact."""

    at: datetime
    topic: str
    body: dict[str, Any]
    attributes: dict[str, str] = field(default_factory=dict)
    business_key: bool = False


def line(said: Said, *, message_id: str) -> bytes:
    """The message as a line of a recording, its body in base64 as a broker delivers it."""
    message = {
        "messageId": message_id,
        "publishTime": said.at,
        "attributes": said.attributes,
        "data": msgspec.json.encode(said.body),
    }
    return msgspec.json.encode({"topic": said.topic, "message": message})


def completion(
    rng: Random, at: datetime, game_date: str, *, phase: str, name: str, run: str, table: str, rows: int, status: str
) -> Said:
    """A run ended, in the unified format (orchestration 2.3) with the metadata of its phase."""
    word, topic, dataset = PHASES[phase]
    body = {
        "processor_name": name,
        "phase": word,
        "execution_id": run,
        "correlation_id": f"{game_date}-{rng.randrange(8)}",
        "game_date": game_date,
        "output_table": table,
        "output_dataset": dataset,
        "status": status,
        "record_count": rows,
        "records_failed": 0,
        "timestamp": at,
        "duration_seconds": round(rng.uniform(2, 90), 2),
        "parent_processor": "Orchestrator",
        "trigger_source": "pubsub",
        "trigger_message_id": str(rng.randrange(10**16, 10**17)),
        "metadata": _metadata(rng, phase, rows, run),
    }
    if status == "failed":
        body |= {"error_message": "Max decode/download retries reached: 8", "error_type": "type"}
    return Said(at=at, topic=topic, body=body, business_key=True)


def _metadata(rng: Random, phase: str, rows: int, run: str) -> dict[str, Any]:
    if phase == "scrape":
        return {
            "gcs_path": f"gs://nba-scraped-data/{run}.json",
            "workflow": "post_game_window_2",
            "scraper_type": "api",
        }
    if phase == "raw":
        return {"rows_updated": 0, "processing_strategy": "INSERT"}
    if phase == "analytics":
        return {
            "is_incremental": False,
            "entities_changed": [f"player{rng.randrange(500)}" for _ in range(4)],
            "entities_changed_count": 4,
            "entities_total": rows,
            "extract_time": round(rng.uniform(5, 20), 1),
            "transform_time": round(rng.uniform(5, 40), 1),
            "save_time": round(rng.uniform(3, 12), 1),
        }
    if phase == "precompute":
        return {"total_runtime": round(rng.uniform(20, 90), 1), "rows_processed": rows, "rows_skipped": 12}
    counted = {"completed_players": rows, "completed_predictions": rows, "total_predictions": rows * 7}
    return {"batch_id": run, "expected_players": rows, **counted, "completion_pct": 100.0}


def published(rng: Random, at: datetime, game_date: str, run: str) -> Said:
    """The export of phase 6 ended (orchestration 2.5)."""
    body = {
        "processor_name": "Phase6Export",
        "phase": PHASES["publishing"][0],
        "correlation_id": run,
        "timestamp": at,
        "status": "success",
        "export_type": "daily",
        "duration_seconds": round(rng.uniform(20, 60), 2),
        "paths": {"tonight": "gs://nba-props-platform-api/v1/tonight/all-players.json"},
        "errors": [],
        "trigger_source": "orchestrator",
        "target_date": game_date,
        "export_types": ["tonight", "tonight-players", "predictions", "best-bets", "streaks"],
    }
    return Said(at=at, topic=PHASES["publishing"][1], body=body)


def graded(rng: Random, at: datetime, game_date: str, run: str, *, gradable: int) -> Said:
    """Grading ended (orchestration 2.5)."""
    body = {
        "processor_name": "Phase5BGrading",
        "phase": PHASES["grading"][0],
        "correlation_id": run,
        "timestamp": at,
        "target_date": game_date,
        "status": "success",
        "duration_seconds": round(rng.uniform(90, 200), 2),
        "predictions_found": gradable,
        "graded_count": round(gradable * rng.uniform(0.92, 1)),
        "mae": round(rng.uniform(4, 6), 2),
        "validation_passed": True,
        "validation_issues": [],
        "trigger_source": "cloud-scheduler",
    }
    return Said(at=at, topic=PHASES["grading"][1], body=body)


def prediction_ready(at: datetime, game_date: str, run: str, player: int, made: int) -> Said:
    """One player's predictions were made."""
    body = {
        "player_lookup": f"player{player:03}",
        "game_date": game_date,
        "predictions_generated": made,
        "batch_id": run,
        "correlation_id": f"corr-{game_date}",
        "timestamp": at,
        "worker_instance": f"prediction-worker-{player % 10:05}",
    }
    return Said(at=at, topic="prediction-ready-prod", body=body)


def beat(at: datetime, game_date: str, *, name: str, run: str, began: datetime, progress: int, last: bool) -> Said:
    """A heartbeat document of a run (orchestration 3.5)."""
    body = {
        "processor_name": name,
        "run_id": run,
        "data_date": game_date,
        "last_heartbeat": at,
        "started_at": began,
        "status": "completed" if last else "running",
        "progress": progress,
        "total": 100,
        "status_message": "Done" if last else "Transforming players",
        "updated_at": at,
    }
    return Said(at=at, topic=f"{PULSES}/{name}_{game_date}_{run}", body=body)


def started(at: datetime, game_date: str, phase: str, name: str, run: str) -> Said:
    """A run began, as a native message."""
    said = native(at, game_date, "tipoff.processor.started", run, phase=phase, processor_name=name, execution_id=run)
    said.business_key = True
    return said


def schedule(at: datetime, game_date: str, games: list[dict[str, Any]]) -> Said:
    """The games of a date, as a native message."""
    return native(at, game_date, "tipoff.schedule.published", f"schedule-{at:%d%H%M}", games=games, as_of=at)


def measures(at: datetime, game_date: str, boundary: str, values: dict[str, float]) -> Said:
    """Numbers at a boundary, as a native message."""
    said = {name: {"value": value} for name, value in values.items()}
    id = f"{boundary}-{at:%d%H%M%S}"
    return native(at, game_date, "tipoff.measures.observed", id, boundary=boundary, measures=said)


def native(at: datetime, game_date: str, type: str, id: str, **data: Any) -> Said:
    """A CloudEvent in binary mode: its context in the attributes."""
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": f"{game_date}/{id}",
        "ce-type": type,
        "ce-source": SOURCE,
        "ce-time": at.isoformat().replace("+00:00", "Z"),
        "content-type": "application/json",
    }
    body = {"sport": "nba", "game_date": game_date, "timestamp": at, **data}
    return Said(at=at, topic="nba-tipoff", body=body, attributes=attributes)
