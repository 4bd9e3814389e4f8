"""Two whole dates that the tests of projections look at: one that is held, one on which all went well."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.driving import Driver, moment, nba

SCRAPERS = ("bdl_box_scores", "nbac_player_boxscore", "nbac_gamebook_pdf")
LOADERS = ("BdlBoxscoresProcessor", "NbacGamebookProcessor", "NbacPlayerBoxscoreProcessor", "OddsApiGameLinesProcessor")
RAW = ("p2_odds_game_lines", "p2_nbacom_gamebook_pdf", "p2_nbacom_boxscores", "p2_bdl_box_scores")
ANALYTICS = (
    "player_game_summary",
    "team_defense_game_summary",
    "team_offense_game_summary",
    "upcoming_player_game_context",
    "upcoming_team_game_context",
)
PRECOMPUTE = tuple(processor.name for processor in nba().processors if processor.phase == "precompute")


def blocked_date() -> Driver:
    """Seven games, five box scores: held before analytics on the morning after."""
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", *["2026-01-17T00:00Z"] * 6, "2026-01-17T03:00Z")
    driver.until("2026-01-17T06:00Z")
    driver.complete_all("scrape", SCRAPERS, "2026-01-17T10:50Z")
    driver.complete_all("raw", LOADERS, "2026-01-17T11:15Z")
    driver.measure("raw_to_analytics", "2026-01-17T11:16Z", games_with_box_score=5, games_without_active_players=0)
    return driver


def good_date() -> Driver:
    """Everything that was expected came in time, and every boundary was measured."""
    driver = Driver(nba())
    driver.schedule("2026-01-10T12:00Z", "2026-01-17T00:00Z", "2026-01-17T03:00Z")
    for opening in ("2026-01-15T22:30Z", "2026-01-16T15:30Z"):
        _forecast(driver, moment(opening))
    driver.until("2026-01-17T05:15Z")
    driver.complete_all("scrape", SCRAPERS, "2026-01-17T06:05Z")
    driver.complete_all("raw", LOADERS, "2026-01-17T06:10Z")
    driver.measure("raw_to_analytics", "2026-01-17T06:11Z", games_with_box_score=2, games_without_active_players=0)
    driver.complete_all("analytics", ANALYTICS, "2026-01-17T06:30Z")
    driver.measure("analytics_to_precompute", "2026-01-17T06:31Z", **_analytics_measures())
    driver.complete_all("precompute", PRECOMPUTE, "2026-01-17T06:40Z")
    driver.measure("precompute_to_predictions", "2026-01-17T06:41Z", **_precompute_measures())
    graded = {"graded_count": 19, "predictions_found": 20}
    driver.complete("grading", "phase5b_grading", "2026-01-17T06:50Z", extra=graded)
    driver.until("2026-01-17T06:55Z")
    driver.confirm("2026-01-17T06:55Z")
    return driver


def _forecast(driver: Driver, at: datetime) -> None:
    driver.until(at)
    driver.complete_all("analytics", ("upcoming_player_game_context", "upcoming_team_game_context"), at)
    driver.measure("analytics_to_precompute", at + timedelta(minutes=1), **_analytics_measures())
    driver.complete_all("precompute", PRECOMPUTE, at + timedelta(minutes=5))
    driver.measure("precompute_to_predictions", at + timedelta(minutes=6), **_precompute_measures())
    said = {"completion_pct": 100, "total_predictions": 200}
    driver.complete("predictions", "prediction_coordinator", at + timedelta(minutes=9), extra=said)
    driver.complete("publishing", "phase6_export", at + timedelta(minutes=12))


def _rows(phase: str) -> dict[str, float]:
    tables = [p.table for p in nba().processors if p.phase == phase and p.table is not None]
    return {f"table_rows.{table.rpartition('.')[2]}": 10.0 for table in tables}


def _analytics_measures() -> dict[str, float]:
    return {"games_in_analytics": 2, "players": 20, "players_with_minutes": 20, "null_rate_pct": 0} | _rows("analytics")


def _precompute_measures() -> dict[str, float]:
    return {"players_expected": 20, "players_with_clean_features": 20, "feature_quality_avg": 90} | _rows("precompute")
