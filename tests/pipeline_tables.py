"""The tables of an NBA pipeline as somebody might find them: drawn rows, the SQL that makes them on any warehouse, and
what each measure is of them, counted by hand in Python."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from statistics import fmean
from typing import Any

from hypothesis import strategies as st

Row = dict[str, Any]
Tables = dict[str, list[Row]]

DATES = (date(2026, 1, 16), date(2026, 1, 27), date(2026, 1, 28))
"""Game dates on both sides of the day on which a source was switched off (28 January)."""

PLAYED = {"game_id": "STRING", "player_lookup": "STRING"}
COLUMNS: dict[str, dict[str, str]] = {
    "nba_raw.nbac_schedule": {"game_date": "DATE", "game_id": "STRING", "game_status_text": "STRING"},
    "nba_raw.bdl_player_boxscores": {"game_date": "DATE", **PLAYED},
    "nba_raw.nbac_player_boxscores": {"game_date": "DATE", **PLAYED},
    "nba_raw.nbac_gamebook_player_stats": {"game_date": "DATE", **PLAYED, "player_status": "STRING"},
    "nba_analytics.player_game_summary": {
        "game_date": "DATE",
        **PLAYED,
        "points": "INT64",
        "minutes_played": "FLOAT64",
        "usage_rate": "FLOAT64",
    },
    "nba_analytics.upcoming_player_game_context": {"game_date": "DATE", **PLAYED, "days_rest": "INT64"},
    "nba_precompute.player_daily_cache": {"cache_date": "DATE", "player_lookup": "STRING"},
    "nba_predictions.ml_feature_store_v2": {
        "game_date": "DATE",
        "player_lookup": "STRING",
        "required_default_count": "INT64",
        "feature_quality_score": "FLOAT64",
    },
    "nba_predictions.player_prop_predictions": {
        "game_date": "DATE",
        "player_lookup": "STRING",
        "is_active": "BOOL",
        "line_value": "FLOAT64",
    },
    "nba_predictions.prediction_accuracy": {"game_date": "DATE", "player_lookup": "STRING"},
}

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "game_id": st.sampled_from([f"20260116_WAS_{home}" for home in ("SAC", "LAL", "IND", "ORL")]),
    "player_lookup": st.sampled_from([f"player{number}" for number in range(6)]),
    "game_status_text": st.sampled_from(["Final", "Postponed", "POSTPONED", "Cancelled", "Scheduled"]),
    "player_status": st.sampled_from(["active", "inactive", "dnp"]),
    "points": st.integers(0, 60),
    "minutes_played": st.sampled_from([0.0, 0.5, 12.0, 38.25]),
    "usage_rate": st.sampled_from([0.0, 0.125, 0.5]),
    "days_rest": st.integers(0, 7),
    "required_default_count": st.integers(0, 3),
    "feature_quality_score": st.sampled_from([0.0, 62.5, 64.4375, 69.0625, 100.0]),
    "is_active": st.booleans(),
    "line_value": st.sampled_from([0.5, 24.5]),
}
"""What a column may hold. Fractions are those of a half and its halves, so that no engine rounds a sum."""


@st.composite
def tables(draw: Any) -> Tables:
    """Rows for every table; any of them may be empty, and any value but a date may be missing."""
    return {table: draw(st.lists(_row(columns), max_size=8)) for table, columns in COLUMNS.items()}


def _row(columns: dict[str, str]) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries(
        {
            name: st.sampled_from(DATES) if kind == "DATE" else st.one_of(VALUES[name], VALUES[name], st.none())
            for name, kind in columns.items()
        }
    )


def mixed() -> Tables:
    """Rows of every kind on every date, missing values among them: always the same."""
    kinds: dict[str, list[Any]] = {
        "game_id": ["20260116_WAS_SAC", "20260116_WAS_LAL", None, "20260116_WAS_IND"],
        "player_lookup": ["player1", "player2", "player1", None, "player3"],
        "game_status_text": ["Final", "POSTPONED", "Scheduled", None, "Cancelled"],
        "player_status": ["inactive", "active", None, "dnp", "inactive", "dnp"],
        "points": [0, 31, None],
        "minutes_played": [0.0, 38.25, None, 12.0],
        "usage_rate": [0.125, None],
        "days_rest": [1, None, 3],
        "required_default_count": [0, 2, None, 0],
        "feature_quality_score": [62.5, 69.0625, 64.4375, None],
        "is_active": [True, False, None, True],
        "line_value": [0.5, None, 24.5],
    }
    found: Tables = {}
    for shift, (table, columns) in enumerate(COLUMNS.items()):
        found[table] = [
            {
                name: DATES[at % 2 + at % 3 // 2] if kind == "DATE" else kinds[name][(at + shift) % len(kinds[name])]
                for name, kind in columns.items()
            }
            for at in range(13)
        ]
    return found


def statements(found: Tables) -> list[str]:
    """BigQuery statements that make the tables with these rows, whatever they held before."""
    made = []
    for table, rows in found.items():
        columns = COLUMNS[table]
        made.append(
            f"CREATE OR REPLACE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
        )
        values = [", ".join(_literal(row[name]) for name in columns) for row in rows]
        if values:
            made.append(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({'), ('.join(values)})")
    return made


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    return f"'{value}'" if isinstance(value, str) else str(value)


# --- the measures, counted by hand -----------------------------------------------------------------------------------

Count = Callable[[list[Row]], float | None]


def _of(rows: list[Row], day: date, column: str = "game_date") -> list[Row]:
    return [row for row in rows if row[column] == day]


def _distinct(rows: list[Row], column: str) -> float:
    return float(len({row[column] for row in rows if row[column] is not None}))


def counted(found: Tables, measure: str, day: date) -> float | None:
    """What `measure` is on `day`, or None where there is nothing to count from."""
    raw, analytics, predictions = "nba_raw.", "nba_analytics.", "nba_predictions."
    summary = _of(found[analytics + "player_game_summary"], day)
    context = _of(found[analytics + "upcoming_player_game_context"], day)
    features = _of(found[predictions + "ml_feature_store_v2"], day)
    active = [row for row in _of(found[predictions + "player_prop_predictions"], day) if row["is_active"]]
    source = "bdl_player_boxscores" if day < date(2026, 1, 28) else "nbac_player_boxscores"
    rosters: dict[str | None, list[Row]] = {}
    for row in _of(found[raw + "nbac_gamebook_player_stats"], day):
        rosters.setdefault(row["game_id"], []).append(row)
    on = [
        row
        for row in _of(found[raw + "nbac_schedule"], day)
        if row["game_status_text"] is not None and row["game_status_text"].lower() not in ("postponed", "cancelled")
    ]
    cells = [row[name] for name in ("points", "minutes_played", "usage_rate") for row in summary]
    cells += [row["days_rest"] for row in context]
    scores = [row["feature_quality_score"] for row in features if row["feature_quality_score"] is not None]
    return {
        "games_expected": _distinct(on, "game_id"),
        "games_with_box_score": _distinct(_of(found[raw + source], day), "game_id"),
        "games_without_active_players": float(
            sum(all(row["player_status"] != "active" for row in roster) for roster in rosters.values())
        ),
        "games_in_analytics": _distinct(summary, "game_id"),
        "players": float(len(summary)),
        "players_with_minutes": float(sum((row["minutes_played"] or 0) > 0 for row in summary)),
        "null_rate_pct": 100 * sum(cell is None for cell in cells) / len(cells) if cells else None,
        "players_expected": _distinct(context, "player_lookup"),
        "players_with_clean_features": _distinct(
            [row for row in features if row["required_default_count"] == 0], "player_lookup"
        ),
        "feature_quality_avg": fmean(scores) if scores else None,
        "predictions": float(len(active)),
        "gradable": float(sum(row["line_value"] is not None for row in active)),
        "graded": float(len(_of(found[predictions + "prediction_accuracy"], day))),
        "table_rows.player_game_summary": float(len(summary)),
        "table_rows.player_daily_cache": float(
            len(_of(found["nba_precompute.player_daily_cache"], day, column="cache_date"))
        ),
        "table_rows.ml_feature_store_v2": float(len(features)),
    }[measure]


MEASURES = (
    *("games_expected", "games_with_box_score", "games_without_active_players", "games_in_analytics", "players"),
    *("players_with_minutes", "null_rate_pct", "players_expected", "players_with_clean_features"),
    *("feature_quality_avg", "predictions", "gradable", "graded", "table_rows.player_game_summary"),
    *("table_rows.player_daily_cache", "table_rows.ml_feature_store_v2"),
)
