"""The life of one game date: everything that a pipeline says about it, and when (orchestration 1.7 has the clock)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from benchmarks import messages
from benchmarks.messages import Said
from statemachine.definition import Definition

ZONE = ZoneInfo("America/New_York")

PREDICTED_PLAYERS = 450
FAILED_SHARE = 0.05
"""Share of runs that fail and are run again."""

RETIMED_SHARE = 0.4
"""Share of dates whose first tip-off is moved after it was published."""

BEATS_MAX = 400
"""More heartbeats than a date has; they are on a stream of their own."""

TEAMS = (
    *("ATL", "BKN", "BOS", "CHA", "CHI", "CLE", "DAL", "DEN", "DET", "GSW", "HOU", "IND", "LAC", "LAL", "MEM"),
    *("MIA", "MIL", "MIN", "NOP", "NYK", "OKC", "ORL", "PHI", "PHX", "POR", "SAC", "SAS", "TOR", "UTA", "WAS"),
)

ODDS = ("oddsa_events", "oddsa_game_lines", "oddsa_player_props", "bp_events", "bp_player_props")
BOX_SCORES = (
    *("bdl_box_scores", "nbac_player_boxscore", "nbac_team_boxscore"),
    *("nbac_gamebook_pdf", "nbac_play_by_play", "bigdataball_pbp"),
)
MORNING = (
    *("nbac_schedule", "nbac_scoreboard_v2", "espn_scoreboard_api", "nbac_player_movement", "nbac_referee"),
    *("nbac_roster", "bdl_injuries", "bdl_standings", "bdl_active_players", "bdl_odds", "br_roster"),
)
POST_GAME = ((0, "22:00"), (0, "23:30"), (1, "01:00"), (1, "02:00"), (1, "04:00"), (1, "06:00"))

RAW_OF = {
    "oddsa_game_lines": "OddsApiGameLinesProcessor",
    "oddsa_player_props": "OddsApiPropsProcessor",
    "bdl_box_scores": "BdlBoxscoresProcessor",
    "nbac_player_boxscore": "NbacPlayerBoxscoreProcessor",
    "nbac_gamebook_pdf": "NbacGamebookProcessor",
    "bigdataball_pbp": "BigDataBallPbpProcessor",
    "nbac_schedule": "NbacScheduleProcessor",
}
"""Scrapers whose files are loaded, and by which class."""

COORDINATOR = "PredictionCoordinator"
SUMMARIES = ("team_offense_game_summary", "team_defense_game_summary", "player_game_summary")
CONTEXTS = ("upcoming_player_game_context", "upcoming_team_game_context")


class Day:
    """A game date, with its own games and its share of chance."""

    def __init__(self, rng: Random, day: date, definition: Definition) -> None:
        self.rng, self.day, self.definition = rng, day, definition
        self.game_date = day.isoformat()
        self.games = rng.randint(3, 14)
        self.runs = 0

    def at(self, days: int, clock: str, *, minutes: float = 0) -> datetime:
        """The instant of a wall-clock time in the league's zone, `days` after the date, and some seconds of chance."""
        hour, minute = clock.split(":")
        wall = datetime.combine(self.day + timedelta(days=days), time(int(hour), int(minute)), ZONE)
        return wall.astimezone(UTC) + timedelta(minutes=minutes, milliseconds=self.rng.randrange(20_000))

    def run(self) -> str:
        """The id of the next run."""
        self.runs += 1
        return f"{self.rng.getrandbits(32):08x}-{self.runs}"

    def said(self) -> Iterator[Said]:
        """Everything, in no particular order."""
        yield messages.schedule(self.at(-2, "09:00"), self.game_date, self._games(shifted=0))
        if self.rng.random() < RETIMED_SHARE:
            yield messages.schedule(self.at(-1, "12:00"), self.game_date, self._games(shifted=30))
        yield from self._scrapers()
        yield from self._ahead(-1, "17:00")
        yield from self._ahead(0, "10:30")
        yield from self._predicted(0, "11:02")
        for clock in ("13:00", "16:00"):
            yield self._completed(self.at(0, clock), "predictions", COORDINATOR, rows=PREDICTED_PLAYERS)
        for clock in ("01:16", "06:30"):
            yield from self._summarised(1, clock)
        for clock in ("01:54", "11:00"):
            yield messages.graded(self.rng, self.at(1, clock), self.game_date, self.run(), gradable=141)

    def round(self, number: int) -> Iterator[Said]:
        """Predictions once more, days later, after the odds were scraped again."""
        for name in ODDS:
            yield from self._scraped(1 + number, "09:00", name)
        yield from self._predicted(1 + number, "11:02", batch=f"_{number}")
        at = self.at(1 + number, "11:10")
        yield self._completed(at, "predictions", COORDINATOR, rows=PREDICTED_PLAYERS)

    def _games(self, *, shifted: int) -> list[dict[str, object]]:
        teams = Random(self.day.toordinal()).sample(TEAMS, 2 * self.games)
        tips = [
            datetime.combine(self.day, time(19), ZONE) + timedelta(minutes=30 * (index % 8))
            for index in range(self.games)
        ]
        return [
            {
                "game_id": f"{self.day:%Y%m%d}_{away}_{home}",
                "away": away,
                "home": home,
                "start_utc": (tip + timedelta(minutes=shifted if index == 0 else 0)).astimezone(UTC),
                "status": "scheduled",
            }
            for index, (away, home, tip) in enumerate(zip(teams[::2], teams[1::2], tips, strict=True))
        ]

    def _scrapers(self) -> Iterator[Said]:
        for hour in range(6, 19, 2):
            for name in ODDS:
                yield from self._scraped(0, f"{hour:02}:05", name)
        for hour in range(9, 19):
            yield from self._scraped(0, f"{hour:02}:20", "nbac_injury_report")
        for name in MORNING:
            yield from self._scraped(0, "06:10", name)
        for quarter in range(20):
            yield from self._scraped(0, "19:05", "bdl_live_box_scores", minutes=15 * quarter)
        for window, (days, clock) in enumerate(POST_GAME):
            for name in BOX_SCORES:
                yield from self._scraped(days, clock, name, minutes=5, empty=window == 0)

    def _scraped(self, days: int, clock: str, name: str, *, minutes: float = 0, empty: bool = False) -> Iterator[Said]:
        """A scraper ran, again at once where it failed; its file was loaded where it has a loader."""
        at = self.at(days, clock, minutes=minutes)
        if self.rng.random() < FAILED_SHARE:
            yield self._completed(at, "scrape", name, rows=0, status="failed")
            at += timedelta(minutes=3)
        rows = 0 if empty else self.games * 24
        yield self._completed(at, "scrape", name, rows=rows, status="no_data" if empty else "success")
        if name in RAW_OF and not empty:
            yield self._completed(at + timedelta(minutes=1.5), "raw", RAW_OF[name], rows=rows)

    def _completed(self, at: datetime, phase: str, name: str, *, rows: int, status: str = "success") -> Said:
        return self._ended(at, phase, name, self.run(), rows=rows, status=status)

    def _ended(self, at: datetime, phase: str, name: str, run: str, *, rows: int, status: str = "success") -> Said:
        known = self.definition.resolve(phase, name)
        assert known is not None, f"{name} is in the registry"
        table = self.definition.processor_of[known].table or name.replace("_", "")
        return messages.completion(
            self.rng, at, self.game_date, phase=phase, name=name, run=run, table=table, rows=rows, status=status
        )

    def _worked(self, at: datetime, phase: str, name: str, *, rows: int) -> Iterator[Said]:
        """A processor ran with a beat a minute; where it failed, it ran again ten minutes later."""
        known = self.definition.processor_of[name].class_name or name
        for failed in (True, False) if self.rng.random() < FAILED_SHARE else (False,):
            run, minutes = self.run(), self.rng.randint(2, 8)
            yield messages.started(at, self.game_date, phase, known, run)
            for minute in range(1, minutes + 1):
                yield messages.beat(
                    at + timedelta(minutes=minute),
                    self.game_date,
                    name=known,
                    run=run,
                    began=at,
                    progress=100 * minute // minutes,
                    last=minute == minutes,
                )
            ended = at + timedelta(minutes=minutes, seconds=1)
            status = "failed" if failed else "success"
            yield self._ended(ended, phase, known, run, rows=0 if failed else rows, status=status)
            at += timedelta(minutes=10)

    def _ahead(self, days: int, clock: str) -> Iterator[Said]:
        """A cycle before the games: contexts, features, predictions, the export."""
        for name in CONTEXTS:
            yield from self._worked(self.at(days, clock, minutes=1), "analytics", name, rows=self.games * 26)
        values = {"null_rate_pct": 1.2, **self._rows(CONTEXTS)}
        yield self._measured(self.at(days, clock, minutes=14), "analytics_to_precompute", values)
        yield from self._features(days, clock, minutes=16)
        run = self.run()
        yield messages.started(self.at(days, clock, minutes=32), self.game_date, "predictions", COORDINATOR, run)
        ended = self.at(days, clock, minutes=40)
        yield self._ended(ended, "predictions", COORDINATOR, run, rows=PREDICTED_PLAYERS)
        yield messages.published(self.rng, ended + timedelta(minutes=3), self.game_date, run)

    def _features(self, days: int, clock: str, *, minutes: float) -> Iterator[Said]:
        names = self.definition.cycles[0].step_of["precompute"].expected
        for name in names:
            at = self.at(days, clock, minutes=minutes)
            yield from self._worked(at, "precompute", name, rows=self.games * 26)
        features = {"players_expected": 450.0, "players_with_clean_features": 420.0, "feature_quality_avg": 83.0}
        at = self.at(days, clock, minutes=minutes + 14)
        yield self._measured(at, "precompute_to_predictions", self._rows(names) | features)

    def _predicted(self, days: int, clock: str, *, batch: str = "") -> Iterator[Said]:
        """Each player's predictions, one message a player."""
        for player in range(PREDICTED_PLAYERS):
            at = self.at(days, clock, minutes=player / 75)
            run = f"batch_{self.game_date}{batch}"
            yield messages.prediction_ready(at, self.game_date, run, player, self.rng.randint(5, 8))

    def _summarised(self, days: int, clock: str) -> Iterator[Said]:
        """What follows the games: their coverage, the summaries, the features of the day after."""
        games = float(self.games)
        coverage = {"games_with_box_score": games, "games_without_active_players": 0.0}
        yield self._measured(self.at(days, clock, minutes=-3), "raw_to_analytics", coverage)
        for name in (*SUMMARIES, *CONTEXTS):
            yield from self._worked(self.at(days, clock), "analytics", name, rows=self.games * 24)
        players = {"players": games * 24, "players_with_minutes": games * 23, "null_rate_pct": 0.8}
        values = {"games_in_analytics": games, **players, **self._rows((*SUMMARIES, *CONTEXTS))}
        yield self._measured(self.at(days, clock, minutes=14), "analytics_to_precompute", values)
        yield from self._features(days, clock, minutes=16)

    def _rows(self, names: Iterable[str]) -> dict[str, float]:
        """Rows in the table of each processor, as measured."""
        tables = [self.definition.processor_of[name].table or name for name in names]
        return {f"table_rows.{table.rpartition('.')[2]}": self.games * 26.0 for table in tables}

    def _measured(self, at: datetime, boundary: str, values: dict[str, float]) -> Said:
        return messages.measures(at, self.game_date, boundary, values)
