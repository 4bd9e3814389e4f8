"""What each validator of the NBA definition counts in the tables of `tests/pipeline_tables.py`, counted by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]

TEAMS = frozenset(
    {"ATL", "BKN", "BOS", "CHA", "CHI", "CLE", "DAL", "DEN", "DET", "GSW", "HOU", "IND", "LAC", "LAL", "MEM"}
    | {"MIA", "MIL", "MIN", "NOP", "NYK", "OKC", "ORL", "PHI", "PHX", "POR", "SAC", "SAS", "TOR", "UTA", "WAS"}
)

TABLE_OF = {
    "team_defense_game_summary": ("nba_analytics.team_defense_game_summary", "game_date"),
    "team_defense_zone_analysis": ("nba_precompute.team_defense_zone_analysis", "analysis_date"),
    "player_shot_zone_analysis": ("nba_precompute.player_shot_zone_analysis", "analysis_date"),
    "player_daily_cache": ("nba_precompute.player_daily_cache", "cache_date"),
    "player_composite_factors": ("nba_precompute.player_composite_factors", "game_date"),
    "ml_feature_store": ("nba_predictions.ml_feature_store_v2", "game_date"),
}

FINAL = ("final", "final/ot", "final/ot2", "final/ot3", "final/ot4")
OFF = ("postponed", "cancelled")


def different(rows: list[Row], column: str) -> int:
    """How many different values there are; a missing one is none."""
    return len({row[column] for row in rows if row[column] is not None})


def more_than_once(rows: list[Row], *columns: str) -> float:
    """How many values, or combinations of them, stand in more than one row; missing is a value here, as in GROUP BY."""
    return float(sum(count > 1 for count in Counter(tuple(row[name] for name in columns) for row in rows).values()))


def outside(rows: list[Row], low: float, high: float, *columns: str) -> float:
    """How many rows hold a value below `low` or above `high`; a missing one is neither."""
    return float(sum(any(row[name] is not None and not low <= row[name] <= high for name in columns) for row in rows))


def strangers(rows: list[Row], column: str) -> float:
    """How many rows name a team that is none of the thirty."""
    return float(sum(row[column] is not None and row[column] not in TEAMS for row in rows))


def games(found: Tables, day: date, wanted: Callable[[str], bool]) -> int:
    """How many games of the schedule have a status that is `wanted`."""
    schedule = [row for row in found["nba_raw.nbac_schedule"] if row["game_date"] == day]
    status = [
        row for row in schedule if row["game_status_text"] is not None and wanted(row["game_status_text"].lower())
    ]
    return different(status, "game_id")


def validated(found: Tables, measure: str, day: date) -> float | None:
    """What the validator behind `measure` counts on `day`; None where there is nothing to count from."""
    processor, _, name = measure.partition(".")
    table, date_column = TABLE_OF[processor]
    rows = [row for row in found[table] if row[date_column] == day]
    if name == "players_a_game":
        expected = games(found, day, lambda status: status not in OFF)
        return different(rows, "player_lookup") / expected if expected else None
    if name == "players":
        return float(different(rows, "player_lookup"))
    if name == "no_duplicates" and not processor.startswith("team_"):
        return more_than_once(rows, "player_lookup")
    return _COUNT[measure](found, rows, day)


def _two_teams(_found: Tables, rows: list[Row], _day: date) -> float:
    sides: dict[str | None, set[str]] = {}
    for row in rows:
        sides.setdefault(row["game_id"], set()).update(filter(None, [row["defending_team_abbr"]]))
    return float(sum(len(teams) != 2 for teams in sides.values()))


def _ready(_found: Tables, rows: list[Row], _day: date) -> float | None:
    return 100 * sum(row["is_production_ready"] is True for row in rows) / len(rows) if rows else None


def _final(found: Tables, rows: list[Row], day: date) -> float:
    return float(games(found, day, lambda status: status in FINAL) - different(rows, "game_id"))


_ALLOWED = ("paint_pct_allowed_last_15", "mid_range_pct_allowed_last_15", "three_pt_pct_allowed_last_15")
_SHOT = ("paint_pct_last_10", "mid_range_pct_last_10", "three_pt_pct_last_10")
_FACTORS = ("shot_zone_mismatch_score", "pace_score", "usage_spike_score")

_COUNT: dict[str, Callable[[Tables, list[Row], date], float | None]] = {
    "team_defense_game_summary.two_teams_a_game": _two_teams,
    "team_defense_game_summary.no_duplicates": lambda _f, rows, _d: more_than_once(
        rows, "game_id", "defending_team_abbr"
    ),
    "team_defense_game_summary.defensive_rating": lambda _f, rows, _d: outside(rows, 80, 150, "defensive_rating"),
    "team_defense_game_summary.points_allowed": lambda _f, rows, _d: outside(rows, 50, 200, "points_allowed"),
    "team_defense_game_summary.final_games_present": _final,
    "team_defense_game_summary.known_teams": lambda _f, rows, _d: strangers(rows, "defending_team_abbr"),
    "team_defense_zone_analysis.teams": lambda _f, rows, _d: float(different(rows, "team_abbr")),
    "team_defense_zone_analysis.no_duplicates": lambda _f, rows, _d: more_than_once(rows, "team_abbr"),
    "team_defense_zone_analysis.percentages": lambda _f, rows, _d: outside(rows, 0, 1, *_ALLOWED),
    "team_defense_zone_analysis.known_teams": lambda _f, rows, _d: strangers(rows, "team_abbr"),
    "player_shot_zone_analysis.percentages": lambda _f, rows, _d: outside(rows, 0, 1, *_SHOT),
    "player_daily_cache.minutes": lambda _f, rows, _d: outside(rows, 0, 48, "minutes_avg_last_10"),
    "player_daily_cache.production_ready_pct": _ready,
    "player_composite_factors.fatigue": lambda _f, rows, _d: outside(rows, 0, 100, "fatigue_score"),
    "player_composite_factors.factors": lambda _f, rows, _d: outside(rows, -10, 10, *_FACTORS),
    "ml_feature_store.features": lambda _f, rows, _d: outside(rows, 33, 33, "feature_count"),
}
