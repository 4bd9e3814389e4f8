"""`topics`: whether a project's Pub/Sub is as the definitions want it, and making it so."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from cyclopts import App
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from handlers.cli.arguments import In
from handlers.cli.problems import Exit, Refused
from handlers.cli.session import Session
from handlers.cli.tables import table
from handlers.pubsub.drift import Change, Finding, Plan, Step
from handlers.pubsub.drift import plan as difference
from handlers.pubsub.wanted import Push, Wanted, wanted

if TYPE_CHECKING:
    from handlers.pubsub.broker import Broker

app = App(name="topics", help="Topics and subscriptions of Pub/Sub, as the definitions want them.")


class Answer(Struct, frozen=True, kw_only=True):
    """What differs: `steps` that `apply` takes (or took), `findings` that only a person can mend."""

    project: str
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]


@app.command
def plan(*, session: In) -> int:
    """What `apply` would do, and what differs that it cannot mend. Changes nothing."""
    goal = _wanted(session)
    with closing(broker_of(session)) as broker:
        found = _difference(broker, goal)
    _answer(session, broker, found.steps, found.findings)
    return Exit.HEALTHY if found.clean else Exit.WARNING


@app.command
def apply(*, session: In) -> int:
    """Make topics, subscriptions and their properties what they should be. Deletes nothing."""
    from handlers.pubsub.project import take  # noqa: PLC0415 - a second of start-up, for this verb alone

    goal = _wanted(session)
    with closing(broker_of(session)) as broker:
        found = _difference(broker, goal)
        for step in found.steps:
            take(broker, step)
        left = _difference(broker, goal) if found.steps else found
    _answer(session, broker, found.steps, left.findings)
    return Exit.HEALTHY if left.clean else Exit.WARNING


def broker_of(session: Session) -> Broker:
    """The broker of the settings. Raises Refused where they name none."""
    project = session.settings.pubsub_project
    if not project:
        step = "Set TIPOFF_PUBSUB_PROJECT to the id of the Google Cloud project."
        raise Refused("no Pub/Sub is configured", next_step=step)
    try:
        from handlers.pubsub.broker import Broker  # noqa: PLC0415 - a second of start-up, for these verbs alone
    except ImportError as error:
        step = "Install it: pip install 'tipoff[cloud]'."
        raise Refused(f"{error.name} is not installed", next_step=step) from error
    return Broker(project)


def push_of(session: Session) -> Push | None:
    """Where the settings let messages be pushed to; None where they are pulled."""
    settings = session.settings
    if not settings.pubsub_push_endpoint:
        return None
    account = next(iter(settings.push_accounts), "")
    audience = settings.push_audience if account else ""
    return Push(endpoint=settings.pubsub_push_endpoint, account=account, audience=audience)


def _wanted(session: Session) -> Wanted:
    return wanted(session.definitions.values(), push_of(session))


def _difference(broker: Broker, goal: Wanted) -> Plan:
    from handlers.pubsub.project import existing  # noqa: PLC0415 - see above

    return difference(goal, existing(broker, goal))


def _answer(session: Session, broker: Broker, steps: tuple[Step, ...], findings: tuple[Finding, ...]) -> None:
    answer = Answer(project=broker.project, steps=steps, findings=findings)
    session.answer(answer, lambda console: _print(console, answer))


def _print(console: Console, answer: Answer) -> None:
    if not answer.steps and not answer.findings:
        console.print(f"{answer.project}: everything is as the definitions want it.")
    if answer.steps:
        rows = [(step.action, step.name, Text(_changes(step.changes))) for step in answer.steps]
        console.print(table("step", "name", "is now → wanted", rows=rows, title=answer.project))
    if answer.findings:
        found = [(item.kind, item.name, Text(f"{item.detail}. {item.next_step}")) for item in answer.findings]
        console.print(table("finding", "name", "what it means, and what to do", rows=found, title=answer.project))


def _changes(changes: tuple[Change, ...]) -> str:
    return ", ".join(f"{change.field}: {_shown(change.is_now)} → {_shown(change.wanted)}" for change in changes)


def _shown(value: object) -> str:
    if isinstance(value, Push):
        return f"push to {value.endpoint}" + (f" as {value.account}" if value.account else "")
    return "none" if value is None else str(value)
