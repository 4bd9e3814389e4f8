"""The example week: its facts are those of the field, and the program says of them what the field's record says."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from events.catalogue import CommandRequested, MeasuresObserved, MessageRejected
from events.memory import MemoryStore
from events.store import Store
from handlers import definitions
from handlers.demo import DISAGREES, Demo, demonstrate, run_demo
from handlers.demo_facts import EXAMPLE, Beat, Week, load_week
from handlers.demo_messages import PRECOMPUTE_TABLES
from handlers.demo_play import UNTIL, answer, files_in, play
from handlers.demo_results import (
    PRECOMPUTE,
    RAW,
    Day,
    agreement,
    all_of,
    by_hand,
    check,
    completions_at_gate,
    days_of,
    evaluation,
    graded,
    promise,
    raised_at,
)
from handlers.dispatch import FileChannel, dispatch
from handlers.ingest import Ingestion, PublishClock
from handlers.lines import lines_of
from handlers.portability import export_store
from handlers.recorder import Recorder
from handlers.stores import open_store
from handlers.verification import verify
from statemachine.state import expected_games

ROOT = Path(__file__).resolve().parents[1]

INCIDENT, STORM = "I1", "I4"


@pytest.fixture(scope="module")
def week() -> Week:
    return load_week()


@pytest.fixture(scope="module")
def demo(tmp_path_factory, week) -> Demo:
    return demonstrate(tmp_path_factory.mktemp("demo"), week)


@contextmanager
def stored(demo: Demo) -> Iterator[Store]:
    with open_store(demo.report.files.store_name, create=False, read_only=True) as store:
        yield store


def exported(store: Store) -> bytes:
    out = io.BytesIO()
    export_store(store, out.write)
    return out.getvalue()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def day_of(demo: Demo, game_date: str) -> Day:
    return next(day for day in demo.report.days if day.game_date == game_date)


# --- the facts are those of the field -----------------------------------------------------------------------------


def test_games_tip_offs_and_box_scores_are_the_recorded_ones(shared_data, week):
    said = [
        (g.game_date, g.game_id, g.away, g.home, g.start_utc, g.box_score == "present", g.players_who_played)
        for g in week.games
    ]

    recorded = [
        (
            row["game_date_et"],
            row["alt_game_id"],
            row["away"],
            row["home"],
            datetime.fromisoformat(row["start_utc"]),
            row["bdl_boxscore_present"] == "1",
            int(row["players_who_played"]),
        )
        for row in rows_of(shared_data / "box_score_presence_2026-01-13_19.csv")
    ]
    assert said == recorded
    assert len(said) == 53


def test_counts_called_recorded_are_the_recorded_ones(shared_data, week):
    recorded = Counter({(c.game_date, c.name): c.value for c in week.counts if c.basis == "recorded" and not c.since})
    report = {row["game_date"]: row for row in rows_of(shared_data / "per_date_counts_2025-26.csv")}
    timeline = [row for row in rows_of(shared_data / "incident_timeline.csv") if row["incident"] == INCIDENT]
    tables = {
        (row["game_date"], PRECOMPUTE_TABLES[row["processor"]]): float(row["actual"])
        for row in timeline
        if row["kind"] == "table_rows"
    }
    gradings = {row["game_date"]: row for row in timeline if row["processor"] == "grading" and row["kind"] == "count"}

    assert {place: recorded[place] for place in tables} == tables
    for game_date in week.dates:
        counts = {name: value for (day, name), value in recorded.items() if day == game_date}
        assert counts["predictions"] == float(gradings[game_date]["expected"])
        assert counts["graded"] == float(gradings[game_date]["actual"])
        assert counts["table_rows.upcoming_player_game_context"] == float(report[game_date]["up_upcoming_context"])


def test_completion_documents_hold_as_many_processors_as_the_recorded_ones(shared_data, week):
    timeline = rows_of(shared_data / "incident_timeline.csv")
    recorded = {row["game_date"]: int(row["actual"]) for row in timeline if row["kind"] == "completion_count"}

    said = {
        document.game_date: (len(document.processors.split()), "player_daily_cache" in document.processors)
        for document in week.documents
        if document.basis == "recorded"
    }

    assert said == {day: (recorded[day], False) for day in week.dates if day in recorded}


def test_what_people_did_is_told_with_its_recorded_instants(shared_data, week):
    timeline = rows_of(shared_data / "incident_timeline.csv")
    recorded = {(row["incident"], row["ts_utc"]) for row in timeline if row["ts_precision"] in ("minute", "second")}

    said = {(STORM if "storm" in deed.what else INCIDENT, f"{deed.at:%Y-%m-%dT%H:%M:%SZ}") for deed in week.by_hand}

    assert said <= recorded
    (hour,) = (row for row in timeline if row["incident"] == STORM and row["ts_utc"] == "2026-01-16T09:00:00Z")
    assert [(storm.runs, storm.hour.hour) for storm in week.storms] == [(int(hour["actual"]), 9)]


def test_every_file_of_the_example_is_explained_beside_it():
    said = (EXAMPLE / "README.md").read_text(encoding="utf-8")

    assert [path.name for path in sorted(EXAMPLE.glob("*.csv")) if f"`{path.name}`" not in said] == []


# --- the demo says what the record says ---------------------------------------------------------------------------


def test_each_cell_of_the_recorded_oracle_is_what_the_store_says(shared_data, demo):
    for row in rows_of(shared_data / "oracle_2026-01-13_19.csv"):
        said = in_oracle_words(demo, day_of(demo, row["game_date"]))
        # What nobody recorded (an empty cell) cannot be agreed with.
        assert {key: said[key] for key in said if row[key]} == {key: row[key] for key in said if row[key]}


def in_oracle_words(demo: Demo, day: Day) -> dict[str, str]:
    """A date as the oracle writes it; of the precompute gate's remark only what the gate did."""
    definition, levels = demo.report.definition, demo.report.levels
    covered, raw, breaker = (
        check(day, RAW, "box_score_coverage"),
        evaluation(day, *RAW),
        check(day, PRECOMPUTE, "breaker"),
    )
    tips = [game.start_utc for game in expected_games(day.state) if game.start_utc is not None]
    assert covered is not None
    assert covered.measured is not None
    assert breaker is not None
    assert breaker.measured is not None
    assert raw is not None
    completed, total = completions_at_gate(day, definition)
    grading = promise(levels, day.game_date, "grading")
    done = graded(day)
    share = 0.0 if done is None else 100 * done[1] / done[2]
    alerts = {
        severity: raised_at(day, "box_scores_incomplete", severity) for severity in ("info", "warning", "critical")
    }
    tables = int(breaker.measured)
    blocked = {3: "BLOCK (PDC critical missing)", 1: "BLOCK (1/5, PDC missing)"}
    return {
        "games": str(len(tips)),
        "box": str(round(covered.measured * len(tips))),
        "coverage": f"{covered.measured:.3f}",
        "phase2_gate_80": "BLOCK" if raw[1].outcome == "block" else "pass",
        "phase2_gate_warn_lt_100": "pass" if covered.verdict == "pass" else "warn",
        "box_alerts": "; ".join(f"{severity.upper()} {short(at)}" for severity, at in alerts.items() if at is not None),
        "last_tip_utc": short(max(tips)),
        "phase4_tables": f"{tables}/{total}",
        "phase4_completion_record": f"{completed}/{total}",
        "phase4_gate": blocked[tables] if breaker.verdict == "block" else "pass by tables",
        "grading_sla_due_utc": short(grading.due_at),
        "grading": f"{share:.1f}% at {'never' if done is None else short(done[0])} -> {grading.outcome.upper()}",
    }


def short(at: datetime) -> str:
    return f"{at:%m-%d %H:%MZ}"


def test_the_example_agrees_with_itself_and_says_so(demo):
    assert [line for line in demo.report.agreed if not line.holds] == []
    assert demo.exit_code == 0
    assert len(demo.report.agreed) == 95


@pytest.mark.parametrize(("game_date", "completions"), [("2026-01-15", 3), ("2026-01-17", 2)])
def test_where_tables_and_completions_differ_the_gate_passes_and_names_the_difference(demo, game_date, completions):
    day = day_of(demo, game_date)

    breaker, agree = check(day, PRECOMPUTE, "breaker"), check(day, PRECOMPUTE, "records_agree")

    assert breaker is not None
    assert agree is not None
    assert (breaker.verdict, agree.verdict) == ("pass", "warn")
    assert agree.basis.startswith(f"tables 5/5, completions {completions}/5; rows without a completion: ")


@pytest.mark.parametrize("game_date", ["2026-01-16", "2026-01-18", "2026-01-19"])
def test_where_the_gate_holds_no_predictions_are_commanded_though_they_were_made(demo, game_date):
    day = day_of(demo, game_date)

    commanded = [c for _at, c in all_of(day, CommandRequested) if c.kind == "trigger" and c.phase == "predictions"]

    assert commanded == []
    shown = next(show for show in demo.days if show.game_date == game_date)
    assert "ran_ahead" in {
        cycle.phases["predictions"].status for cycle in (shown.cycles["tomorrow"], shown.cycles["same_day"])
    }


def test_tipoff_is_ahead_of_people_in_every_finding(demo):
    found = {(item.game_date, item.what): item.by for item in demo.report.earlier}

    assert found["2026-01-15", "8 of 9 box scores missing"] == timedelta(days=3, hours=11, minutes=45)
    assert found["2026-01-13", "not graded"] == timedelta(hours=73, minutes=33)
    assert min(found.values()) > timedelta(hours=1)
    assert {what for day, what in found if day == "2026-01-16"} == {
        "1 of 6 box scores missing",
        "critical precompute table empty",
        "not graded",
        "retry storm before the games",
    }


def test_repairs_are_asked_for_days_before_people_began_them(demo, week):
    for game_date, days in (("2026-01-16", 4), ("2026-01-18", 2), ("2026-01-19", 1)):
        begun = by_hand(week, "tables repaired", game_date)
        asked = day_of(demo, game_date).state.heals["rerun_precompute"].requested_at
        assert begun is not None
        assert asked is not None
        assert (begun - asked).days >= days - 1
        assert asked < datetime(2026, 1, 19, 22, 45, tzinfo=UTC)


def test_alerts_stay_where_they_are_when_reconstructed_times_move(demo, week, tmp_path):
    moved = demonstrate(tmp_path, replace(week, rhythm=tuple(later(beat) for beat in week.rhythm)))

    assert moved.exit_code == 0
    causes = ("box_scores_incomplete", "precompute_incomplete", "grading_late")
    for before, after in zip(demo.report.days, moved.report.days, strict=True):
        assert [raised_at(after, cause) for cause in causes] == [raised_at(before, cause) for cause in causes]


def later(beat: Beat) -> Beat:
    """The same beat 23 minutes later."""
    at = datetime.strptime(beat.at, "%H:%M:%S").replace(tzinfo=UTC) + timedelta(minutes=23)
    return replace(beat, at=f"{at:%H:%M:%S}")


def test_a_line_that_the_store_contradicts_fails_the_demo_and_is_shown(demo, week):
    wrong = tuple(
        replace(line, expected="0.999") if (line.game_date, line.line) == ("2026-01-15", "coverage") else line
        for line in week.expected
    )
    report = demo.report

    agreed = agreement(report.days, replace(week, expected=wrong), report.levels, report.definition)
    contradicted = replace(demo, report=replace(report, agreed=agreed))

    assert contradicted.exit_code == DISAGREES
    assert "✗ 0.111, recorded 0.999" in printed(contradicted, width=300)
    assert "94 of 95 agree" in printed(contradicted, width=300)


# --- it is the real program ---------------------------------------------------------------------------------------


def test_the_store_of_the_demo_verifies(demo):
    with stored(demo) as store:
        found = verify(store)

    assert found.findings == ()
    assert found.decided > 2000


def test_ingesting_the_recording_gives_the_same_store(demo, tmp_path):
    definition, files = demo.report.definition, demo.report.files
    again = MemoryStore()
    recorder = Recorder(again, {definition.sport: definition})
    channel = FileChannel(tmp_path / "commands.jsonl")
    ingestion = Ingestion(recorder, lambda now: dispatch(recorder, channel, now))
    clock = PublishClock(ingestion, again, each=lambda: None)

    with files.messages.open("rb") as recording:
        for batch in lines_of(recording):
            for line in batch:
                clock.take(line)
    clock.finish(UNTIL, fallback=UNTIL)

    channel.close()
    with stored(demo) as store:
        assert exported(again) == exported(store)
    assert (tmp_path / "commands.jsonl").read_bytes() == files.commands.read_bytes()


def test_every_message_is_understood_and_repeated_ones_are_known(demo):
    counts = demo.report.played.counts

    with stored(demo) as store:
        kinds = Counter(type(entry.event().data) for entry in store.read_all())
        assert store.pending() == []
    assert kinds[MessageRejected] == 0
    assert (counts.rejected, counts.probes, counts.late) == (0, 0, 0)
    assert counts.duplicate == 3  # the document of 16 January is delivered again when its trigger is written


def test_every_question_of_a_gate_is_answered_in_time(demo):
    gates = demo.report.definition.gate_of
    for day in demo.report.days:
        answers = [(at, data.boundary) for at, data in all_of(day, MeasuresObserved)]
        for asked_at, command in all_of(day, CommandRequested):
            boundary = command.payload.get("boundary")
            if command.kind == "measure" and boundary in gates:  # the week has no rows that validators could look at
                within = timedelta(minutes=gates[boundary].measure_timeout_minutes)
                assert any(name == boundary and asked_at < at < asked_at + within for at, name in answers)


def test_the_gates_ask_for_nothing_that_the_week_does_not_know(demo):
    measures = [data.measures for day in demo.report.days for _at, data in all_of(day, MeasuresObserved)]

    assert {name for found in measures for name, measure in found.items() if measure.error is not None} == set()


def test_what_the_week_does_not_know_is_answered_with_an_error(week):
    names = ["games_with_box_score", "somebody_elses_number"]
    payload = {"game_date": "2026-01-15", "boundary": "raw_to_analytics", "measures": names}
    command = CommandRequested(command_id="c", kind="measure", topic="probe", payload=payload, ordering_key="o")

    said = answer(week, command, datetime(2026, 1, 16, 7, 0, tzinfo=UTC)).body["measures"]

    assert said == {names[0]: {"value": 1}, names[1]: {"error": "not in the week's records"}}


def test_another_place_gives_the_same_bytes_in_any_zone_hash_seed_and_environment(demo, tmp_path):
    with stored(demo) as store:
        here = sha256(exported(store)).hexdigest()

    digests = {
        elsewhere(tmp_path / "a", TZ="Pacific/Kiritimati", PYTHONHASHSEED="1", PHASE_VALIDATION_MODE="blocking"),
        elsewhere(tmp_path / "b", TZ="America/Los_Angeles", PYTHONHASHSEED="4294967295", LC_ALL="C"),
    }

    assert digests == {here}


ELSEWHERE = """
import sys
from hashlib import sha256
from pathlib import Path
from handlers.demo import demonstrate
from handlers.demo_facts import load_week
from handlers.portability import export_store
from handlers.stores import open_store
demo = demonstrate(Path(sys.argv[1]), load_week())
digest = sha256()
with open_store(demo.report.files.store_name, create=False, read_only=True) as store:
    export_store(store, digest.update)
print(digest.hexdigest())
"""


def elsewhere(folder: Path, **environment: str) -> str:
    """The digest of the export of a demo that another process runs under another environment."""
    command = [sys.executable, "-c", ELSEWHERE, str(folder)]
    ran = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100, check=True
    )
    return ran.stdout.strip()


def test_a_gate_whose_question_has_no_answer_is_in_error_and_holds(week, tmp_path):
    unknown = replace(week, counts=tuple(count for count in week.counts if count.name != "null_rate_pct"))
    files, store = files_in(tmp_path), MemoryStore()

    play(unknown, store, definitions.load("nba"), files)

    for day in days_of(store, unknown):
        found = evaluation(day, "analytics_to_precompute", "tomorrow")
        null_rate = check(day, ("analytics_to_precompute", "tomorrow"), "null_rate")
        assert found is not None
        assert null_rate is not None
        assert (found[1].outcome, null_rate.verdict, null_rate.measured) == ("error", "error", None)


# --- what is printed ----------------------------------------------------------------------------------------------


def printed(demo: Demo, width: int = 120) -> str:
    out = io.StringIO()
    demo.show(Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_the_report_fits_a_page_and_ends_with_what_to_try_next(demo):
    lines = printed(demo).splitlines()

    tried = [line.split("main.py ")[1].split(" --store")[0] for line in lines if "main.py" in line]
    assert tried[0] == "day explain 2026-01-15"
    assert "verify" in tried
    assert max(len(line) for line in lines if "main.py" not in line and "messages" not in line) <= 120


def test_json_is_one_document_with_what_day_show_gives_for_each_date(demo, capsys):
    folder = demo.report.files.store.parent

    code = run_demo(directory=folder, json=True)  # in the same place: a new run takes the place of the last one

    said = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [day["game_date"] for day in said] == [f"2026-01-{day}" for day in range(13, 20)]
    assert [day["hash"] for day in said] == [day.hash for day in demo.days]
    assert {"status", "expected_games", "cycles", "gates", "alerts", "heals", "next_deadline"} <= said[0].keys()
    assert said[0]["alerts"][0]["raised_at"].endswith("Z")
    assert sorted(path.name for path in folder.iterdir()) == [
        "messages.jsonl",
        "tipoff.db",
        "tipoff.db.commands.jsonl",
    ]


def test_the_story_shows_what_is_really_printed(demo):
    story = (ROOT / "docs" / "the-week.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0].strip("\n") for block in story.split("```text\n")[1:]]

    said = trimmed(printed(demo))

    assert len(blocks) >= 4
    assert [block for block in blocks if trimmed(block) not in said] == []


def trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines())
