"""The program as somebody uses it, inside this process or as one of its own, and messages to give it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec import Struct

from handlers.cli.app import run
from handlers.cli.session import Streams
from tests.conftest import ROOT

NOON = datetime(2026, 1, 20, 17, 0, tzinfo=UTC)
"""What the wall's clock says in these tests: noon in New York on 20 January 2026."""

TOPIC = "nba-phase2-raw-complete"


class Ran(Struct, frozen=True):
    """What a run of the program came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


def tipoff(
    *argv: str | Path,
    environ: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    clock: Callable[[], datetime] = lambda: NOON,
) -> Ran:
    """Run the command line in this process, with nothing in its environment but `environ`."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    streams = Streams(stdin=io.BytesIO(stdin), stdout=out, stderr=err)
    code = run([str(word) for word in argv], streams=streams, environ=environ or {}, clock=clock)
    out.flush()
    data = out.buffer
    assert isinstance(data, io.BytesIO)
    return Ran(code, data.getvalue().decode(), err.getvalue())


def program(*argv: str | Path, stdin: bytes = b"", cwd: Path = ROOT, **environ: str) -> Ran:
    """Run `python main.py` as a process of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, ROOT / "main.py", *map(str, argv)],
        input=stdin,
        cwd=cwd,
        env=kept | environ,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def completion(**changes: Any) -> dict[str, Any]:
    """A completion of a raw processor, as its publisher sends it today; a change to `...` removes the key."""
    body = {
        "processor_name": "BdlBoxscoresProcessor",
        "phase": "phase_2_raw",
        "execution_id": "run-1",
        "correlation_id": "scrape-1",
        "game_date": "2026-01-16",
        "status": "success",
        "record_count": 175,
        "timestamp": "2026-01-17T06:10:00+00:00",
    } | changes
    return {key: value for key, value in body.items() if value is not ...}


def line(
    body: object,
    at: str = "2026-01-17T06:10:00Z",
    *,
    message_id: str | None = None,
    topic: str = TOPIC,
    **attributes: str,
) -> bytes:
    """A delivery as a line of a recording; the id follows from what it says unless it is given."""
    said = json.dumps(body)
    message = {
        "messageId": message_id or sha256(f"{said} {at}".encode()).hexdigest()[:12],
        "publishTime": at,
        "attributes": attributes,
        "json": body,
    }
    return json.dumps({"topic": topic, "message": message}).encode()


def native(kind: str, body: dict[str, Any], at: str, **changes: Any) -> bytes:
    """A native message as a line of a recording."""
    data = {"sport": "nba", "game_date": "2026-01-16", **body}
    ce = {"ce-id": f"{kind}-{at}", "ce-type": f"tipoff.{kind}", "ce-source": "/test", "ce-specversion": "1.0"}
    return line(data, at, topic="tipoff", message_id=ce["ce-id"], **ce, **changes)


def schedule(at: str, *games: dict[str, Any], game_date: str = "2026-01-16", **fields: Any) -> bytes:
    """A native schedule message as a line of a recording."""
    return native("schedule.published", {"game_date": game_date, "games": list(games), **fields}, at)


def game(game_id: str, start_utc: str | None = "2026-01-17T00:00:00Z", **fields: Any) -> dict[str, Any]:
    """A game of a schedule message."""
    _date, away, home = game_id.split("_")
    return {"game_id": game_id, "away": away, "home": home, "start_utc": start_utc, **fields}


def written(path: Path, *lines: bytes) -> Path:
    """A file with these lines."""
    path.write_bytes(b"".join(one + b"\n" for one in lines))
    return path


SCRAPERS = ("bdl_box_scores", "nbac_player_boxscore", "nbac_gamebook_pdf")
RAW = ("BdlBoxscoresProcessor", "NbacGamebookProcessor", "NbacPlayerBoxscoreProcessor", "OddsApiGameLinesProcessor")


def evening_lines() -> list[bytes]:
    """A date with two games, of which one has a box score: blocked at its gate behind raw. One processor is unknown."""
    scraped = [
        line(
            completion(processor_name=name, phase="phase_1_scrapers", execution_id=f"scrape-{name}"),
            f"2026-01-17T06:05:0{number}Z",
            topic="nba-phase1-scrapers-complete",
        )
        for number, name in enumerate(SCRAPERS)
    ]
    loaded = [
        line(completion(processor_name=name, execution_id=f"load-{name}"), f"2026-01-17T06:10:0{number}Z")
        for number, name in enumerate((*RAW, "NobodyKnowsMe"))
    ]
    measures = {"games_with_box_score": {"value": 1}, "games_without_active_players": {"value": 0}}
    measured = native(
        "measures.observed", {"boundary": "raw_to_analytics", "measures": measures}, "2026-01-17T06:11:30Z"
    )
    games = game("20260116_WAS_SAC", "2026-01-17T03:00:00Z"), game("20260116_NOP_IND")
    return [schedule("2026-01-12T12:00:00Z", *games), *scraped, *loaded, measured]


def evening(path: Path, *, until: str = "2026-01-18T06:00:00Z") -> str:
    """A store in which `evening_lines` happened; its name."""
    name = f"sqlite:{path / 'tipoff.db'}"
    messages = written(path / "evening.jsonl", *evening_lines())
    ran = tipoff("ingest", messages, "--clock", "publish", "--until", until, "--store", name)
    assert ran.code == 0, ran
    return name
