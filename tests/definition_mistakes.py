"""Mistakes that people make in a definition: each an edit of the shipped NBA file, with what has to be said about it.

They touch different places, so any subset of them makes a file of which the right errors are known.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.conftest import ROOT

NBA = (ROOT / "statemachine" / "definitions" / "nba.toml").read_text()


@dataclass(frozen=True)
class Mistake:
    """`old`, which the file holds once, becomes `new`. Each of `blamed` is (a text that is in the broken file once and
    starts on the line to blame, a part of the message)."""

    old: str
    new: str
    blamed: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return self.blamed[0][1]


def m(old: str, new: str, at: str, says: str, *more: tuple[str, str]) -> Mistake:
    return Mistake(old, new, ((at, says), *more))


def broken(*mistakes: Mistake) -> str:
    """The NBA file with these mistakes in it."""
    text = NBA
    for mistake in mistakes:
        assert text.count(mistake.old) == 1, f"the file holds this {text.count(mistake.old)} times: {mistake.old}"
        text = text.replace(mistake.old, mistake.new)
    return text


def line_of(text: str, at: str) -> int:
    """The line on which the only occurrence of `at` starts."""
    assert text.count(at) == 1, f"the file holds this {text.count(at)} times: {at}"
    return text.count("\n", 0, text.index(at)) + 1


MISREAD = [
    m("precompute_at_least = 3", "precompute_at_least = three", "precompute_at_least = three", "this is not TOML"),
    m("hand_off_minutes = 10", "hand_off_minutes = 10\nhand_off_minutes = 11", "hand_off_minutes = 11", "overwrite"),
]
"""Not TOML."""

MISSHAPEN = [
    m('mode = "warning"\non_error', 'mode = "Warning"\non_error', 'mode = "Warning"', 'one of "blocking"'),
    m("stall_minutes = 15", 'stall_minutes = "15"', 'stall_minutes = "15"', 'a whole number, not "15"'),
    m("retries = 2", "retries = 2.5", "retries = 2.5", "a whole number, not 2.5"),
    m("at_least_processors = 3", "atleast_processors = 3", "atleast", "did you mean `at_least_processors`?"),
    m('timezone = "', 'overrides = { A = "b" }\ntimezone = "', "overrides =", "unknown key `overrides`"),
    m(
        '[[cycles]]\nname = "same_day"\nreceived = "on"\nopens = "midnight"\nopens_minutes = -810 # 10:30 on the day\n'
        "park_hours = 24",
        '[[cycles]]\nname = "same_day"\nreceived = "on"\nopens = "midnight"\nopens_minutes = -810 # 10:30 on the day',
        '[[cycles]]\nname = "same_day"',
        "`park_hours` is missing",
    ),
]
"""TOML, and not what a definition looks like."""

_SPARE_GATE = '[[gates]]\nname = "spare"\nmode = "disabled"\nchecks = []\nrecheck_minutes = []\n\n'
_MINUTES = 'of = "players"\nwarn_below = 0.9\nblock_below = 0.8\ncycles = ["overnight"]'

NAMES = [
    m('name = "rerun_grading"', 'name = "Rerun-Grading"', 'name = "Rerun-Grading"', "is not a name"),
    m('name = "predictions"\nphase', 'name = "grading" # 2\nphase', 'name = "grading" # 2', "already taken"),
    m('"Phase 6", "6"]', '"Phase 6", "5"]', '"phase6_publish", "Phase 6", "5"]', "phase word `5` is already taken"),
    m('"nba-grading-complete"', '"nba-phase6-export-complete" # 2', '"nba-phase6-export-complete" # 2', "the topic"),
    m(
        '["AsyncUpcomingTeamGameContextProcessor"]',
        '["AsyncUpcomingPlayerGameContextProcessor"] # 2',
        '["AsyncUpcomingPlayerGameContextProcessor"] # 2',
        "already taken by upcoming_player_game_context",
    ),
    m('"post_game_window_3",', '"post_game_window_2", # 2', '"post_game_window_2", # 2', "the workflow"),
    m('name = "active_players"', 'name = "box_score_coverage" # 2', 'box_score_coverage" # 2', "already taken"),
]

REFERENCES = [
    m('name = "bdl_odds"\nphase = "scrape"', 'name = "bdl_odds"\nphase = "scrap"', '"scrap"', "no phase `scrap`"),
    m('["nbac_player_boxscore"]', '["nbac_player_boxes"]', '"nbac_player_boxes"', "mean `nbac_player_boxscore`?"),
    m(
        'table = "nba_analytics.team_offense_game_summary"',
        'depends_on = ["player_game_summary"]',
        'depends_on = ["player_game_summary"]',
        "team_offense_game_summary → player_game_summary → team_offense_game_summary",
    ),
    m('"nbac_gamebook_pdf"]\noptional', '"nbac_gambook"]\noptional', '"nbac_gambook"]', "`nbac_gambook`"),
    m('"bigdataball_pbp"]\nwaits', '"p2_bigdataball_pbp"]\nwaits', '"p2_bigdataball_pbp"]', "belongs to phase raw"),
    m(
        'critical = ["p2_odds_game_lines", ',
        'critical = ["p2_odds_player_props", ',
        'critical = ["p2_odds_player_props", ',
        "is critical and not expected",
    ),
    m('"p2_nbacom_schedule"]', '"p2_nbacom_boxscores"]', '"p2_odds_player_props", "p2_nbacom_boxscores"]', "at once"),
    m(
        'gate = "raw_to_analytics"\n\n[[cycles',
        'gate_mode = "warning"\n\n[[cycles',
        'gate_mode = "warning"\n\n[[cycles',
        "a mode without a gate",
        ('[[gates]]\nname = "raw_to_analytics"', "would never be evaluated"),
    ),
    m(
        'gate = "scrape_to_raw"',
        'gate = "scrape_to_rwa"',
        'gate = "scrape_to_rwa"',
        "mean `scrape_to_raw`?",
        ("[[gates]] # a scraper that meets", "would never be evaluated"),
    ),
    m(
        'name = "tomorrow"\nreceived = "before"',
        'name = "tomorrow"\nreceived = "after"',
        'received = "after"\nopens = "last_tip"',
        "received `after` is already taken",
    ),
    m(
        "# --- alerts ---",
        _SPARE_GATE + "# --- alerts ---",
        '[[gates]]\nname = "spare"',
        "would never be evaluated",
        ('[[gates]]\nname = "spare"', "has no checks"),
        ("recheck_minutes = []", "looked at again"),
    ),
    m("# --- processors: scrape", '[[phases]]\nname = "spare"\n# scrape', '[[phases]]\nname = "spare"', "no cycle has"),
    m('of = "gradable"', 'of = "gradeable"', '"gradeable"', "did you mean `gradable`?"),
    m(_MINUTES, _MINUTES.replace("overnight", "overnite"), '["overnite"]', "did you mean `overnight`?"),
    m(
        'of = "games_expected"\nwarn',
        'cycles = ["tomorrow"]\nof = "games_expected"\nwarn',
        '["tomorrow"]',
        "never comes",
    ),
    m(
        'measure = "predictions"\nblock_below = 10',
        'measure = "predictions"\nblock_below = 10\n[[gates.checks]]\nname = "agree"\nkind = "records_agree" # 2',
        'kind = "records_agree" # 2',
        "needs `table_rows.*`",
    ),
    m(
        'name = "rerun_analytics"\nmode = "automatic"',
        'name = "rerun_analytics"\nmode = "automatic"\ngate = "grading"',
        '[[heals]]\nname = "rerun_analytics"',
        "a heal answers either to",
        ('[[heals]]\nname = "rerun_analytics"', "go together"),
    ),
    m('check = "box_score_coverage"\nuntil', 'check = "box_score"\nuntil', 'check = "box_score"', "there is no check"),
    m('phase = "grading"\n\n[heals', 'phase = "gradin"\n\n[heals', 'phase = "gradin"', "there is no phase `gradin`"),
    m('\nreason = "{reason}"', '\nreason = "because {raison}"', "because {raison}", "no placeholder {raison}"),
    m(
        '"http:phase5/start"',
        '"http:phase5/start"\nper = "previous_processor"',
        'per = "previous_processor"\n\n[heals',
        "once or",
    ),
    m('"http:phase4/process-date"', '""', 'topic = ""', "a command needs a topic"),
    m('box_score_measure = "games_', 'box_score_measure = "g_', 'box_score_measure = "g_', "no gate that probes"),
    m('"grading"\nphase = "grading"\ndue', '"grading"\nphase = "grade"\ndue', 'phase = "grade"', "no phase `grade`"),
]

VALUES = [
    m("resend_max = 1", "resend_max = -1", "resend_max = -1", "-1 is below zero"),
    m("scraper_backoff_factor = 3.0", "scraper_backoff_factor = nan", "= nan", "nan is not a number"),
    m("America/New_York", "America/NewYork", "America/NewYork", "there is no time zone"),
    m('"prediction-ready" = "nba"', '"prediction-ready" = "nhl"', '"nhl"', "is not the sport of this definition"),
    m("since = 2026-01-28\n\n[h", 'since = "28.01.2026"\n\n[h', '"28.01.2026"', "is not a date"),
    m(
        "until = 2026-01-28 # never",
        "since = 2026-02-01\nuntil = 2026-01-28 # never",
        "until = 2026-01-28 # never",
        "no date",
    ),
    m('grading_due = { at = "15:00"', 'grading_due = { at = "24:00"', '"24:00"', "not a time of day"),
    m(
        'precompute_due = { at = "12:00", days = 1',
        'precompute_due = { at = "12:00", days = 10',
        "= 10 }",
        "no deadline",
    ),
    m("breaker_threshold = 10", "breaker_threshold = 0", "breaker_threshold = 0", "0 leaves no room"),
    m("in_an_hour = 3", "in_an_hour = 11", "heal_patterns = {", "10 in a day is less than 11 in an hour"),
    m(
        '{ severity = "critical", minutes',
        '{ severity = "warning", minutes',
        '{ severity = "warning", minutes = 60',
        "said twice",
    ),
    m("beat_hung_seconds = 1800", "beat_hung_seconds = 60", "beat_hung_seconds = 60", "nothing can be seen to move"),
    m("backoff_base_seconds = 2.0", "backoff_base_seconds = 200.0", "= 200.0", "more than backoff_max_seconds"),
    m(
        'reason = "all_required" },\n    { at_least = 1',
        'reason = "all_required" },\n    { at_least = 9',
        "{ at_least = 9",
        "9 of 4 expected processors",
    ),
    m(
        "{ share = 0.6, minutes = 10",
        "{ share = 1.0, minutes = 10",
        "{ share = 1.0, minutes = 10",
        "can never be the one",
    ),
    m(
        "at_least = 3\n\n[[gates.checks]] # two",
        "block_below = 3\n\n[[gates.checks]] # two",
        "[[gates.checks]] # R-006",
        "needs `at_least`",
        ("block_below = 3\n\n[[gates.checks]] # two", "does not read `block_below`"),
    ),
    m(
        'measure = "scrape_games"\nblock_above = 30',
        'measure = "scrape_games"',
        "[[gates.checks]] # orch",
        "no threshold",
    ),
    m("warn_below = 70\nblock", "warn_below = 60\nblock", "warn_below = 60", "blocks below 65 already"),
    m("warn_above = 5", "warn_above = 55", "warn_above = 55", "blocks above 50 already"),
    m('"completion_pct"\nblock_below = 80', '"completion_pct"\nblock_below = 800', "block_below = 800", "0 to 100"),
    m("hours = 12", "hours = 5", "hours = 5", "does not come after 6 h"),
    m(
        "beat_dead_seconds = 900",
        "beat_dead_seconds = 200",
        "beat_dead_seconds = 200",
        "more than `beat_stale_seconds`",
    ),
    m("coverage = 0.9\nhours = 24", "coverage = 0.9", '[[service_levels]]\nname = "box_score_coverage"', "is either"),
    m(
        'due = { at = "12:00" }\ntarget_share = 0.95',
        'due = { at = "12:00" }\ntarget_share = 95',
        "= 95",
        "is not a share",
    ),
]
"""TOML, in shape, and not what anybody can have meant."""

PROBES = [
    m(
        'measure = "players"\nsql',
        'measure = "playrs"\nsql',
        '"playrs"',
        "mean `players`?",
        ('    "players",', "no probe counts"),
    ),
    m(
        'measure = "games_expected"\nsql',
        'measure = "games_in_analytics"\nsql',
        'measure = "games_in_analytics"\nsql = "SELECT',
        "has another probe for some of the same game dates",
        ('measures = ["games_expected", "games_with', "no probe counts `games_expected`"),
        ('    "games_expected",', "no probe counts `games_expected`"),
    ),
    m(
        "since = 2026-01-28\n\n[[probes]]",
        "since = 2026-01-27\n\n[[probes]]",
        'measure = "games_with_box_score"\nsql = "SELECT COUNT(DISTINCT game_id) FROM nba_raw.nbac',
        "has another probe",
    ),
    m(
        "nba_raw.bdl_player_boxscores WHERE game_date",
        "{table} WHERE game_date",
        'sql = "SELECT COUNT(DISTINCT game_id) FROM {table} WHERE',
        "only the probe of `table_rows.*` is filled in",
    ),
    m(
        "COUNT(*) FROM {table} WHERE {date_column} = @game_date",
        "COUNT(*) FROM {table} WHERE game_date = @game_date",
        'sql = "SELECT COUNT(*) FROM {table}',
        "{date_column}",
    ),
    m('table = "nba_raw.br_rosters_current"', 'table = "nba-raw.br"', 'table = "nba-raw.br"', "is not a table"),
    m('date_column = "cache_date"', 'date_column = "cache date"', 'date_column = "cache date"', "name of a column"),
    m(
        'table = "nba_raw.nbac_schedule"',
        'table = "nba_old.odds_api_game_lines"',
        'table = "nba_old.odds_api_game_lines"',
        "counts nba_raw.odds_api_game_lines already",
    ),
    m(
        'measure = "graded"\nsql',
        'measure = "graded"\nbytes_max = 0\nsql',
        "bytes_max = 0",
        "0 leaves no room",
    ),
]
"""Probes that count nothing that is asked for, or not in a table."""

_VALID = '[[validators]]\nname = "'
_PROCESSOR = "[[processors]]\n"
_SPARE = """processor = "{processor}"
counts = "none"
remediation = "wait"
block_above = 0
sql = "SELECT COUNT(day) FROM {{table}} WHERE day = @game_date"
"""
_FEATURES = 'counts = "rows without exactly 33 features"'

VALIDATORS = [
    m(
        f'{_VALID}fatigue"\nprocessor = "player_composite_factors"',
        f'{_VALID}fatigue"\nprocessor = "player_composite_factor"',
        'processor = "player_composite_factor"',
        "mean `player_composite_factors`?",
    ),
    m(
        f'{_VALID}minutes"\nprocessor = "player_daily_cache"',
        f'{_VALID}minutes"\nprocessor = "phase6_export"',
        'processor = "phase6_export"',
        "has no `table` that could be looked at",
    ),
    m(
        f'{_VALID}percentages"\nprocessor = "player_shot_zone_analysis"',
        f'{_VALID}players"\nprocessor = "player_shot_zone_analysis" # 2',
        'name = "players"\nprocessor = "player_shot_zone_analysis" # 2',
        "`players` is already taken by validators[",
    ),
    m(f'{_VALID}factors"', f'{_VALID}Factors"', 'name = "Factors"', "is not a name"),
    m(
        f'{_VALID}points_allowed"',
        f'{_VALID}spare"\n{_SPARE.format(processor="prediction_coordinator")}'
        f'heal = "rerun_prediction"\ncycles = ["overnight"] # 2\n\n{_VALID}points_allowed"',
        'heal = "rerun_prediction"\ncycles',
        "did you mean `rerun_predictions`?",
        ('cycles = ["overnight"] # 2', "cycle overnight has no phase predictions"),
    ),
    m(
        f'{_VALID}defensive_rating"',
        f'{_PROCESSOR}name = "scrape_to_raw"\nphase = "raw"\ntable = "nba_raw.spare"\n\n'
        f'{_VALID}spare"\n{_SPARE.format(processor="scrape_to_raw")}\n{_VALID}defensive_rating"',
        'processor = "scrape_to_raw"',
        "is a gate, too",
    ),
    m(
        'was read wrong"\ncycles = ["overnight"]',
        'was read wrong"\ncycles = ["overnigth"]',
        '"overnigth"]',
        "`overnight`?",
    ),
    m(
        "COUNTIF(fatigue_score < 0 OR fatigue_score > 100) FROM {table} WHERE {date_column}",
        "COUNTIF(fatigue_score < 0) FROM nba_precompute.other WHERE {day}",
        'sql = "SELECT COUNTIF(fatigue_score < 0) FROM',
        "nothing to fill into {day}",
        ('sql = "SELECT COUNTIF(fatigue_score < 0) FROM', "so it needs {table}"),
    ),
    m(_FEATURES, 'counts = " "', 'counts = " "', "says nothing"),
    m(
        'block_above = 600\nremediation = "Look for rows',
        'remediation = "Look for rows',
        f'{_VALID}players"\nprocessor = "player_daily_cache"',
        "has no bound",
    ),
    m(
        'block_below = 300\nremediation = "Run the shot',
        'block_below = 300\nwarn_below = 200\nblock_above = 100\nremediation = "Run the shot',
        "warn_below = 200",
        "blocks below 300 already",
        ("[[validators]] # it grows with the season", "lets nothing pass"),
    ),
    m("since = 2025-11-25", 'since = "25 November"', '"25 November"', "is not a date"),
    m("again_minutes = 120", "again_minutes = 0", "again_minutes = 0", "0 leaves no room"),
]
"""Validators that look at nothing, or say nothing to whoever they wake."""

MEANINGLESS = [*NAMES, *REFERENCES, *PROBES, *VALIDATORS, *VALUES]
ALL = [*MISREAD, *MISSHAPEN, *MEANINGLESS]
