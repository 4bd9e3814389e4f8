"""The tables of an NBA pipeline as somebody might find them: drawn rows, the SQL that makes them on any warehouse, and
what each measure is of them, counted by hand in Python."""

from __future__ import annotations

from datetime import date
from statistics import fmean
from typing import Any

from hypothesis import strategies as st

from handlers.definitions import load
from tests.validated_tables import different, validated

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
    "nba_analytics.team_defense_game_summary": {
        "game_date": "DATE",
        "game_id": "STRING",
        "defending_team_abbr": "STRING",
        "defensive_rating": "FLOAT64",
        "points_allowed": "INT64",
    },
    "nba_precompute.team_defense_zone_analysis": {
        "analysis_date": "DATE",
        "team_abbr": "STRING",
        "paint_pct_allowed_last_15": "FLOAT64",
        "mid_range_pct_allowed_last_15": "FLOAT64",
        "three_pt_pct_allowed_last_15": "FLOAT64",
    },
    "nba_precompute.player_shot_zone_analysis": {
        "analysis_date": "DATE",
        "player_lookup": "STRING",
        "paint_pct_last_10": "FLOAT64",
        "mid_range_pct_last_10": "FLOAT64",
        "three_pt_pct_last_10": "FLOAT64",
    },
    "nba_precompute.player_daily_cache": {
        "cache_date": "DATE",
        "player_lookup": "STRING",
        "minutes_avg_last_10": "FLOAT64",
        "is_production_ready": "BOOL",
    },
    "nba_precompute.player_composite_factors": {
        "game_date": "DATE",
        "player_lookup": "STRING",
        "fatigue_score": "FLOAT64",
        "shot_zone_mismatch_score": "FLOAT64",
        "pace_score": "FLOAT64",
        "usage_spike_score": "FLOAT64",
    },
    "nba_predictions.ml_feature_store_v2": {
        "game_date": "DATE",
        "player_lookup": "STRING",
        "required_default_count": "INT64",
        "feature_quality_score": "FLOAT64",
        "feature_count": "INT64",
    },
    "nba_predictions.player_prop_predictions": {
        "game_date": "DATE",
        "player_lookup": "STRING",
        "is_active": "BOOL",
        "line_value": "FLOAT64",
    },
    "nba_predictions.prediction_accuracy": {"game_date": "DATE", "player_lookup": "STRING"},
}

SHARES = tuple(name for table in COLUMNS.values() for name in table if "_pct_" in name)
FACTORS = ("shot_zone_mismatch_score", "pace_score", "usage_spike_score")

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "game_id": st.sampled_from([f"20260116_WAS_{home}" for home in ("SAC", "LAL", "IND", "ORL")]),
    "player_lookup": st.sampled_from([f"player{number}" for number in range(6)]),
    "game_status_text": st.sampled_from(["Final", "Final/OT", "Postponed", "POSTPONED", "Cancelled", "Scheduled"]),
    "player_status": st.sampled_from(["active", "inactive", "dnp"]),
    "points": st.integers(0, 60),
    "minutes_played": st.sampled_from([0.0, 0.5, 12.0, 38.25]),
    "usage_rate": st.sampled_from([0.0, 0.125, 0.5]),
    "days_rest": st.integers(0, 7),
    "required_default_count": st.integers(0, 3),
    "feature_quality_score": st.sampled_from([0.0, 62.5, 64.4375, 69.0625, 100.0]),
    "is_active": st.booleans(),
    "line_value": st.sampled_from([0.5, 24.5]),
    **dict.fromkeys(("defending_team_abbr", "team_abbr"), st.sampled_from(["WAS", "SAC", "LAL", "XXX"])),
    "defensive_rating": st.sampled_from([79.5, 80.0, 150.0, 150.5]),
    "points_allowed": st.sampled_from([49, 50, 200, 201]),
    **dict.fromkeys(SHARES, st.sampled_from([-0.5, 0.0, 1.0, 1.5])),
    "minutes_avg_last_10": st.sampled_from([-0.5, 0.0, 48.0, 48.5]),
    "is_production_ready": st.booleans(),
    "fatigue_score": st.sampled_from([-0.5, 0.0, 100.0, 100.5]),
    **dict.fromkeys(FACTORS, st.sampled_from([-10.5, -10.0, 10.0, 10.5])),
    "feature_count": st.sampled_from([32, 33, 34]),
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
        **{key: ["WAS", "SAC", "XXX", None, "SAC"] for key in ("defending_team_abbr", "team_abbr")},
        "defensive_rating": [80.0, 79.5, None, 150.0, 150.5],
        "points_allowed": [50, 49, 200, None, 201],
        **{key: [0.0, 1.0, None, 1.5, 0.5, -0.5, 0.25] for key in SHARES},
        "minutes_avg_last_10": [0.0, 48.5, None, 48.0],
        "is_production_ready": [True, False, None],
        "fatigue_score": [0.0, 100.5, None, 100.0],
        **{key: [-10.0, 10.0, None, 10.5, 0.0, 3.5, -10.5] for key in FACTORS},
        "feature_count": [33, 33, 32, None],
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


def _distinct(rows: list[Row], column: str) -> float:
    return float(different(rows, column))


def _of(rows: list[Row], day: date, column: str = "game_date") -> list[Row]:
    return [row for row in rows if row[column] == day]


def counted(found: Tables, measure: str, day: date) -> float | None:
    """What `measure` is on `day`, or None where there is nothing to count from."""
    if measure in VALIDATED:
        return validated(found, measure, day)
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
        "players": float(sum(row["player_lookup"] not in _idle(found, day) for row in summary)),
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


def _idle(found: Tables, day: date) -> set[str]:
    """Players whom the rosters of the date list, and none of them as active."""
    listed: dict[str | None, list[str | None]] = {}
    for row in _of(found["nba_raw.nbac_gamebook_player_stats"], day):
        listed.setdefault(row["player_lookup"], []).append(row["player_status"])
    return {
        player
        for player, said in listed.items()
        if player is not None and "active" not in said and any(status is not None for status in said)
    }


VALIDATED = tuple(validator.measure for validator in load("nba").validators)

MEASURES = (
    *("games_expected", "games_with_box_score", "games_without_active_players", "games_in_analytics", "players"),
    *("players_with_minutes", "null_rate_pct", "players_expected", "players_with_clean_features"),
    *("feature_quality_avg", "predictions", "gradable", "graded", "table_rows.player_game_summary"),
    *("table_rows.player_daily_cache", "table_rows.ml_feature_store_v2"),
    *VALIDATED,
)
