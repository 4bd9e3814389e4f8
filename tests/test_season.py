"""A season opened from its schedule: every date exists, nothing changes twice, and what moved is said on both dates."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.memory import MemoryStore
from events.sqlite import SqliteStore
from events.store import Store
from handlers.recorder import Recorder
from handlers.schedule_file import DAYS_MAX, ScheduleInvalid, read_schedule
from handlers.season import Plan, carry_out, plan
from handlers.verification import verify
from statemachine.state import DateState, expected_games
from statemachine.streams import DATE
from tests.command_line import tipoff
from tests.driving import nba

ZONE = "America/New_York"
OPENED = datetime(2025, 10, 1, 12, 0, tzinfo=UTC)
HEADER = ("game_date_et", "game_id", "away", "home", "start_utc", "status")

Row = dict[str, str]


def row(game_id: str, game_date: str, time: str = "19:00", **fields: str) -> Row:
    """A game that tips off at `time` in UTC-5 of its date."""
    hour, minute = map(int, time.split(":"))
    start = datetime.fromisoformat(game_date).replace(tzinfo=UTC) + timedelta(hours=hour + 5, minutes=minute)
    teams = {"away": game_id[:3], "home": game_id[3:6]}
    return {
        "game_date_et": game_date,
        "game_id": game_id,
        **teams,
        "start_utc": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "status": "scheduled",
        **fields,
    }


def as_csv(rows: Iterable[Row], header: Iterable[str] = HEADER) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(header), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def opened(store: Store, data: bytes, at: datetime = OPENED) -> Plan:
    """Open the schedule in `data`, known at `at`; what it changed."""
    schedule = read_schedule(data, source="schedule", sport="nba", zone=ZONE)
    planned, wanted = plan(store, schedule, sport="nba", as_of=at)
    carry_out(Recorder(store, {"nba": nba()}), wanted, now=at)
    return planned


def states(store: Store) -> dict[str, DateState]:
    found = [DATE.decode(head.state) for stream, head in store.heads("nba/") if not stream.endswith("/control")]
    return {state.game_date: state for state in found}


def changes(planned: Plan) -> list[tuple[str, str]]:
    return [(change.game_date, change.text) for change in planned.changes]


TWO_DAYS = [row("WASSAC", "2026-01-16"), row("NOPIND", "2026-01-16", "21:00"), row("UTADAL", "2026-01-18")]


# --- opening ------------------------------------------------------------------------------------------------------


def test_every_date_from_the_first_to_the_last_is_opened_and_off_days_have_no_games():
    store = MemoryStore()
    planned = opened(store, as_csv(TWO_DAYS))
    assert planned.opened == ("2026-01-16", "2026-01-17", "2026-01-18")
    assert {day: (state.status, len(state.games)) for day, state in states(store).items()} == {
        "2026-01-16": ("scheduled", 2),
        "2026-01-17": ("no_games", 0),
        "2026-01-18": ("scheduled", 1),
    }


def test_opening_the_same_schedule_again_appends_nothing():
    store = MemoryStore()
    opened(store, as_csv(TWO_DAYS))
    before = list(store.read_all())
    planned = opened(store, as_csv(TWO_DAYS), OPENED + timedelta(days=1))
    assert list(store.read_all()) == before
    assert (planned.opened, planned.changes, planned.unchanged) == ((), (), 3)


def test_the_real_season_opens_on_every_one_of_its_dates(shared_data: Path, tmp_path: Path):
    name, file = f"sqlite:{tmp_path / 'tipoff.db'}", shared_data / "nba_schedule_2025-26.csv"
    first = tipoff("season", "open", file, "--as-of", "2025-10-01T12:00:00Z", "--store", name, "--json")
    again = tipoff("season", "open", file, "--as-of", "2025-10-02T12:00:00Z", "--store", name, "--json")
    assert (first.code, len(first.json["opened"]), first.json["games"]) == (0, 236, 1322)
    assert (again.code, again.json["opened"], again.json["changes"], again.json["events"]) == (0, [], [], 0)
    with closing(SqliteStore.open(tmp_path / "tipoff.db")) as store:
        known = states(store)
        assert sum(state.status == "no_games" for state in known.values()) == 236 - 212
        assert sum(len(state.games) for state in known.values()) == 1322
        assert verify(store).clean


# --- a changed schedule -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            [{**TWO_DAYS[0], "status": "postponed"}, *TWO_DAYS[1:]],
            [("2026-01-16", "postponed WASSAC")],
        ),
        (
            [row("WASSAC", "2026-01-16", "20:30"), *TWO_DAYS[1:]],
            [("2026-01-16", "retimed WASSAC to 2026-01-17T01:30:00+00:00")],
        ),
        (
            [*TWO_DAYS, row("BOSDET", "2026-01-17")],
            [("2026-01-17", "added BOSDET")],
        ),
        (
            [row("WASSAC", "2026-01-17"), *TWO_DAYS[1:]],
            [("2026-01-16", "moved WASSAC to 2026-01-17"), ("2026-01-17", "added WASSAC")],
        ),
        (
            [TWO_DAYS[0], TWO_DAYS[2]],
            [("2026-01-16", "removed NOPIND")],
        ),
        (
            [row("UTADAL", "2026-01-18")],
            [],
        ),
    ],
    ids=["postponed", "retimed", "added", "moved", "removed", "a date it does not speak of"],
)
def test_only_what_changed_is_appended(changed: list[Row], expected: list[tuple[str, str]]):
    store = MemoryStore()
    opened(store, as_csv(TWO_DAYS))
    touched = {day for day, _change in expected}
    before = {day: state.version for day, state in states(store).items()}

    planned = opened(store, as_csv(changed), OPENED + timedelta(days=1))

    assert changes(planned) == expected
    assert {day for day, state in states(store).items() if state.version > before[day]} == touched
    assert opened(store, as_csv(changed), OPENED + timedelta(days=2)).changes == ()


def test_a_game_that_moves_out_of_a_date_outside_the_file_is_moved_there_too():
    store = MemoryStore()
    opened(store, as_csv(TWO_DAYS))
    planned = opened(store, as_csv([row("WASSAC", "2026-01-20")]), OPENED + timedelta(days=1))
    assert planned.opened == ("2026-01-20",)
    assert changes(planned) == [("2026-01-16", "moved WASSAC to 2026-01-20")]
    assert [game.game_id for game in expected_games(states(store)["2026-01-16"])] == ["NOPIND"]


def test_a_game_may_come_back_to_where_it_was():
    store = MemoryStore()
    for day, rows in enumerate((TWO_DAYS, [row("WASSAC", "2026-01-17"), *TWO_DAYS[1:]], TWO_DAYS)):
        opened(store, as_csv(rows), OPENED + timedelta(days=day))
    known = states(store)
    assert [game.game_id for game in expected_games(known["2026-01-16"])] == ["WASSAC", "NOPIND"]
    assert expected_games(known["2026-01-17"]) == []
    assert known["2026-01-17"].games["WASSAC"].moved_to == "2026-01-16"


def rows_of(file: Path) -> list[Row]:
    return list(csv.DictReader(io.StringIO(file.read_text())))


def test_what_really_changed_in_the_season_is_what_is_appended(shared_data: Path):
    final = rows_of(shared_data / "nba_schedule_2025-26.csv")
    changed = {item["game_id"]: item for item in rows_of(shared_data / "schedule_changes_2025-26.csv")}
    kinds = Counter(item["kind"] for item in changed.values())
    first = [
        item
        if (change := changed.get(item["game_id"])) is None
        else {
            **item,
            "game_date_et": change["first_published_date_et"],
            "start_utc": change["first_published_start_utc"],
        }
        for item in final
        if changed.get(item["game_id"], {}).get("kind") != "added_after_first_publication"
    ]
    store = MemoryStore()
    opened(store, as_csv(first))

    planned = opened(store, as_csv(final), OPENED + timedelta(days=200))

    found = Counter(change.kind for change in planned.changes)
    on_open_dates = [
        item
        for item in changed.values()
        if item["kind"] == "added_after_first_publication" and item["played_date_et"] not in planned.opened
    ]
    assert found["moved"] == kinds["moved"] == 11
    assert found["retimed"] == kinds["tip_time_changed"] == 68
    assert found["added"] == kinds["moved"] + len(on_open_dates)
    assert found.keys() <= {"moved", "retimed", "added"}


DAYS = [(date(2026, 1, 10) + timedelta(days=days)).isoformat() for days in range(6)]
SCHEDULES = st.lists(
    st.builds(
        row,
        st.integers(0, 7).map(lambda number: f"AA{number}BB{number}"),
        st.sampled_from(DAYS),
        st.sampled_from(["12:00", "19:00", "23:30"]),
        status=st.sampled_from(["scheduled", "scheduled", "postponed", "final"]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda item: item["game_id"],
)


@given(schedules=st.lists(SCHEDULES, min_size=1, max_size=4))
@settings(max_examples=50)
def test_after_any_schedules_the_last_one_is_what_is_expected_of_its_dates(schedules: list[list[Row]]):
    store, alone = MemoryStore(), MemoryStore()
    for number, rows in enumerate(schedules):
        opened(store, as_csv(rows), OPENED + timedelta(days=number))
    last = opened(alone, as_csv(schedules[-1]))

    for day in last.opened:
        assert _expected(store, day) == _expected(alone, day)
    playing = [game for state in states(store).values() for game in expected_games(state) if game.status != "final"]
    assert len({game.game_id for game in playing}) == len(playing), "a game is expected on two dates"
    assert verify(store).clean


def _expected(store: Store, day: str) -> list[tuple[str, datetime | None]]:
    return [(game.game_id, game.start_utc) for game in expected_games(states(store)[day])]


def test_an_older_schedule_is_noted_once_and_undoes_nothing(tmp_path: Path):
    name = f"sqlite:{tmp_path / 'tipoff.db'}"
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_bytes(as_csv([row("WASSAC", "2026-01-16")]))
    new.write_bytes(as_csv([row("NOPIND", "2026-01-16")]))
    tipoff("season", "open", new, "--as-of", "2026-01-10T00:00:00Z", "--store", name)

    ran = [
        tipoff("season", "open", old, "--as-of", "2026-01-09T00:00:00Z", "--store", name, "--json") for _ in range(2)
    ]

    assert [(item.code, item.json["disregarded"]) for item in ran] == [(1, ["2026-01-16"])] * 2
    assert [item.json["events"] > 0 for item in ran] == [True, False]
    with closing(SqliteStore.open(tmp_path / "tipoff.db")) as store:
        assert list(states(store)["2026-01-16"].games) == ["NOPIND"]


def test_a_dry_run_says_what_would_change_and_stores_nothing(tmp_path: Path):
    store, file = tmp_path / "tipoff.db", tmp_path / "schedule.csv"
    file.write_bytes(as_csv(TWO_DAYS))
    ran = tipoff("season", "open", file, "--dry-run", "--store", f"sqlite:{store}", "--json")
    assert (ran.code, len(ran.json["opened"]), ran.json["events"]) == (0, 3, 0)
    assert list(tmp_path.iterdir()) == [file]


# --- files --------------------------------------------------------------------------------------------------------


def test_json_of_games_and_native_messages_say_what_the_csv_says():
    expected = read_schedule(as_csv(TWO_DAYS), source="csv", sport="nba", zone=ZONE)
    games = [{**item, "game_date": item["game_date_et"]} for item in TWO_DAYS]
    message = [
        {"sport": "nba", "game_date": day, "games": [item for item in TWO_DAYS if item["game_date_et"] == day]}
        for day in ("2026-01-16", "2026-01-18")
    ]
    event = [{"specversion": "1.0", "type": "tipoff.schedule.published", "data": said} for said in message]
    for said in (games, message, event):
        found = read_schedule(json.dumps(said, indent=1).encode(), source="json", sport="nba", zone=ZONE)
        assert [item.game for item in found.listed] == [item.game for item in expected.listed]
        assert found.bounds == expected.bounds


def test_a_native_message_without_games_opens_a_date_without_games():
    store = MemoryStore()
    said = {"sport": "nba", "game_date": "2026-02-15", "games": [], "as_of": "2026-01-01T00:00:00Z"}
    opened(store, json.dumps(said).encode())
    assert states(store)["2026-02-15"].status == "no_games"


def test_faults_in_json_are_told_with_their_lines():
    data = b'[\n {"game_date": "2026-01-16", "games": [\n  {"game_id": "A"},\n  {"game_id": ""}\n ]},\n 7\n]'
    with pytest.raises(ScheduleInvalid) as refused:
        read_schedule(data, source="f", sport="nba", zone=ZONE)
    assert [fault.line for fault in refused.value.faults] == [4, 6]


@pytest.mark.parametrize(
    ("start", "fits"),
    [
        ("2026-01-16T05:00:00Z", True),  # midnight in New York, a placeholder
        ("2026-01-16T04:59:59Z", False),
        ("2026-01-17T10:59:59Z", True),  # 05:59 the next morning still belongs to the date
        ("2026-01-17T11:00:00Z", False),
        ("", True),
    ],
)
def test_a_tip_off_belongs_to_its_date_until_the_morning_after(start: str, fits: bool):
    data = as_csv([{**TWO_DAYS[0], "start_utc": start}])
    if fits:
        assert read_schedule(data, source="f", sport="nba", zone=ZONE).listed
    else:
        with pytest.raises(ScheduleInvalid, match="which is not on 2026-01-16"):
            read_schedule(data, source="f", sport="nba", zone=ZONE)


GOOD = as_csv(TWO_DAYS).decode().splitlines()


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        ([], 1, "is empty"),
        (GOOD[:1], 1, "names no game and no date"),
        (["game_id,away,home", "A,B,C"], 1, "lacks the column game_date_et, start_utc"),
        ([*GOOD, GOOD[1]], 5, "names WASSAC again (line 2)"),
        ([*GOOD, GOOD[1].replace("-16,", "-17,").replace("-17T", "-18T")], 5, "one of them must be `moved`"),
        ([*GOOD, "2026-01-16,X,A,B"], 5, "has 4 columns, the header has 6"),
        ([*GOOD, "2026-01-16,X,A,B,,over"], 5, "`status` is 'over': give one of scheduled"),
        ([*GOOD, "2026-01-16,X,A,B,2026-01-17T00:00:00,"], 5, "`start_utc` is '2026-01-17T00:00:00'"),
        ([*GOOD, "16 Jan 2026,X,A,B,,"], 5, "`game_date` is '16 Jan 2026': give YYYY-MM-DD"),
        ([*GOOD, "20260116,X,A,B,,"], 5, "`game_date` is '20260116'"),
        ([*GOOD, "2026-01-16,,A,B,,"], 5, "`game_id` is ''"),
        ([*GOOD, "2026-01-16,X,A,A,,"], 5, "A plays itself"),
        ([*GOOD, "2028-01-16,X,A,B,,"], 5, f"a season has at most {DAYS_MAX}"),
        ([*GOOD, '2026-01-16,"X,A,B,,'], 5, "is not CSV"),
    ],
)
def test_a_contradiction_is_told_with_its_line_and_nothing_is_stored(
    tmp_path: Path, lines: list[str], line: int, reason: str
):
    file, store = tmp_path / "schedule.csv", tmp_path / "tipoff.db"
    file.write_text("".join(f"{text}\n" for text in lines))
    ran = tipoff("season", "open", file, "--store", f"sqlite:{store}", "--json")
    assert ran.code == 65
    assert f"{file}:{line}: " in ran.err
    assert reason in ran.err
    assert ran.json["error"]["code"] == "schedule_invalid"
    assert ran.json["error"]["details"][0]["line"] == line
    assert not store.exists()


def test_all_contradictions_are_told_at_once():
    data = as_csv([{**TWO_DAYS[0], "status": "?"}, TWO_DAYS[1], {**TWO_DAYS[2], "start_utc": "soon"}, TWO_DAYS[1]])
    with pytest.raises(ScheduleInvalid) as refused:
        read_schedule(data, source="f", sport="nba", zone=ZONE)
    assert [fault.line for fault in refused.value.faults] == [2, 4, 5]
    assert "3 errors in f; nothing was stored" in str(refused.value)


def understood(data: bytes) -> bool:
    """Whether the bytes are a schedule, or their faults are named."""
    try:
        return bool(read_schedule(data, source="f", sport="nba", zone=ZONE).bounds)
    except ScheduleInvalid as error:
        return bool(error.faults)


@given(data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_bytes_bring_anything_but_a_schedule_or_its_faults(data: bytes):
    assert understood(data)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["2026-01-16", "2026-01-17T00:00:00Z", "", "nba"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["game_date", "game_id", "games", "away", "home", "start_utc", "status", "sport", "data", "type"]
            ),
            inner,
        )
    ),
)


@given(said=JSON)
def test_no_json_brings_anything_but_a_schedule_or_its_faults(said: Any):
    assert understood(json.dumps([said]).encode())


def test_a_schedule_of_another_sport_is_refused():
    with pytest.raises(ScheduleInvalid, match="of 'mlb', not of 'nba'"):
        read_schedule(b'{"sport": "mlb", "game_date": "2026-01-16", "games": []}', source="f", sport="nba", zone=ZONE)


def test_a_sport_without_a_definition_is_refused(tmp_path: Path):
    file = tmp_path / "schedule.csv"
    file.write_bytes(as_csv(TWO_DAYS))
    ran = tipoff("season", "open", file, "--sport", "nhl", "--store", "memory:")
    assert ran.code == 64
    assert "there is no definition of 'nhl'. Known: nba, mlb" in ran.err
