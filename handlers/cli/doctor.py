"""`doctor`: is the installation itself well? `health` is about the pipeline it watches."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from handlers.asked import Refused
from handlers.cli.arguments import In
from handlers.cli.problems import Exit
from handlers.cli.session import Session
from handlers.cli.tables import table
from handlers.doctor.diagnosis import Diagnosis, Report, gravest
from handlers.doctor.examination import LIMIT_SECONDS, examine
from handlers.doctor.installation import Installation
from handlers.settings import SETTINGS

Service = Annotated[str | None, Parameter(help="Address of the service, such as https://tipoff-….run.app.")]
Timeout = Annotated[float, Parameter(help="Seconds that one check may take.")]

COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red", "skipped": "dim"}
SCHEMES = ("http://", "https://")


def doctor(*, service: Service = None, timeout: Timeout = LIMIT_SECONDS, session: In) -> int:
    """Examine a running installation from outside; nothing is written. The exit code is that of the gravest finding."""
    if service is not None and not service.startswith(SCHEMES):
        raise Refused(f"--service {service!r} is no address", next_step="Give https://… or http://….")
    if not timeout > 0:
        raise Refused(f"--timeout {timeout:g} leaves no time", next_step="Give seconds above 0.")
    from handlers.doctor.checks import checks  # noqa: PLC0415 - its HTTP client takes as long as the other verbs do

    installation = _installation(session, service)
    diagnoses = examine(checks(installation), seconds=timeout)
    status = gravest(diagnoses)
    report = Report(status=status, at=session.clock(), store=installation.store, diagnoses=diagnoses)
    session.answer(report, lambda console: _print(console, report))
    return {"fail": Exit.CRITICAL, "warn": Exit.WARNING}.get(status, Exit.HEALTHY)


def _installation(session: Session, service: str | None) -> Installation:
    """What the options and the environment name. A setting that does not parse is a finding, so it is read raw."""
    raw = {setting.field: session.environ.get(setting.name) or setting.default for setting in SETTINGS}
    sources = tuple(name.strip() for name in raw["definitions"].split(",") if name.strip())
    return Installation(
        environ=session.environ,
        store=session.options.store or raw["store"],
        definitions=session.options.definitions or sources,
        service=service.rstrip("/") if service is not None else None,
        clock=session.clock,
    )


def _print(console: Console, report: Report) -> None:
    console.print(Text.assemble((report.status, COLOURS[report.status]), f": {report.store}"))
    rows = [_row(item) for item in report.diagnoses]
    console.print(table("outcome", "check", "subject", "found", "what to do", rows=rows))


def _row(item: Diagnosis) -> tuple[object, ...]:
    outcome = Text(item.outcome, style=COLOURS[item.outcome])
    return outcome, item.check, Text(item.subject), Text(item.detail), Text(item.next_step or "-")
