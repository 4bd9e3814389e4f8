"""`alerts`: the episodes, and what is told of them: again, for a while not, all at once, or as a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.text import Text

from events.catalogue import OperatorActed
from events.memory import MemoryStore
from handlers.answers import Acted, acted, alert_episodes, operator_fact
from handlers.asked import instant
from handlers.channels.alerts import UNCONFIGURED, AlertChannel
from handlers.channels.messages import trial_message
from handlers.channels.telling import Resent, deliver, digest_message, digest_of, resend, told
from handlers.channels.wiring import alert_channel
from handlers.cli.act import Actor, Reason, print_acted, reasoned, user
from handlers.cli.arguments import In, Now, Sport, now_of
from handlers.cli.problems import Exit
from handlers.cli.session import Session
from handlers.cli.span import Then, instants
from handlers.cli.tables import table, when
from handlers.outbound.breakers import of
from handlers.outbound.waiting import WallTime
from handlers.recorder import Recorder
from projections.digest import Digest, dead_letters, headline, in_force, sections, to_remind
from projections.episodes import Episode
from statemachine.alerts import RANK
from statemachine.streams import control_stream

app = App(name="alerts", help="Alert episodes, and what is told of them.")

All = Annotated[bool, Parameter(name="--all", help="Resolved episodes too.", negative="")]
OfDate = Annotated[str | None, Parameter(name="--date", help="Only those of this game date; - for those of none.")]
Cause = Annotated[str | None, Parameter(help="Only those of this cause.")]
Hours = Annotated[int, Parameter(help="How far back.")]
Send = Annotated[bool, Parameter(help="Post it to the channels, too.", negative="")]
Remind = Annotated[
    int | None, Parameter(name="--unacknowledged", help="Instead, open criticals that nobody took on in so many hours.")
]
Until = Annotated[str, Parameter(help="When the silence ends; an instant that has passed lifts it.")]
About = Annotated[str | None, Parameter(name="--target", help="A cause or CAUSE:SUBJECT; by default everything.")]


@app.default
def show(*, all_: All = False, at: Then = None, session: In) -> int:
    """Alert episodes, the gravest first; the exit code is that of the gravest open one."""
    now, then = instants(session, None, at)
    with session.asking() as recorded:
        found = alert_episodes(recorded, then)
        silences = [window for state in recorded.controls(then) for window in in_force(state, then or now)]
    open_ = [episode for episode in found if episode.resolved_at is None]
    shown = found if all_ else open_
    session.answer(shown, lambda console: _print(console, shown))
    for window in silences:
        session.note(f"suppressed: {window.target} until {when(window.until)} by {window.actor}: {window.reason}")
    worst = max((RANK[episode.severity] for episode in open_), default=-1)
    if worst >= RANK["critical"]:
        return Exit.CRITICAL
    return Exit.WARNING if worst >= RANK["warning"] else Exit.HEALTHY


app.command(show, name="list")


@app.command
def failed(*, at: Then = None, session: In) -> int:
    """Dead letters: alerts that their channels refused for good."""
    _now, then = instants(session, None, at)
    with session.asking() as recorded:
        found = dead_letters(alert_episodes(recorded, then))
    session.answer(found, lambda console: _print_failed(console, found))
    return Exit.CRITICAL if found else Exit.HEALTHY


@app.command(name="resend")
def resend_(
    *,
    reason: Reason,
    date: OfDate = None,
    cause: Cause = None,
    unacknowledged: Remind = None,
    actor: Actor = None,
    now: Now = None,
    session: In,
) -> int:
    """Tell dead letters again, or remind of criticals that nobody took on; under the ids they had."""
    why, who, at = reasoned(reason), actor or user(), now_of(session, now)
    with session.recording(create=False) as recorder:
        known = alert_episodes(session.recorded(recorder.store))
        after = None if unacknowledged is None else timedelta(hours=unacknowledged)
        chosen = dead_letters(known) if after is None else to_remind(known, now=at, after=after)
        chosen = [e for e in chosen if date in (None, e.game_date) and cause in (None, e.cause)]
        found = resend(recorder, chosen, actor=who, reason=why, now=at)
        with _channel(session, recorder) as channel:
            found = told(found, deliver(recorder, channel, at))
            waits = bool(found) and not channel.targets
    session.answer(found, lambda console: _print_resent(console, found))
    if waits:
        session.note(f"{UNCONFIGURED}; until then they wait in the outbox")
    return Exit.HEALTHY if all(item.told for item in found) else Exit.WARNING


@app.command
def digest(*, hours: Hours = 24, send: Send = False, now: Now = None, at: Then = None, session: In) -> int:
    """What is open, came, went and was repaired; --send posts it, for a scheduler to call once a day."""
    present, then = instants(session, now, at)
    with session.asking() as recorded:
        found = digest_of(recorded, now=present, hours=hours, at=then)
    session.answer(found, lambda console: _print_digest(console, found))
    if not send:
        return Exit.HEALTHY
    with session.recording(create=False) as recorder, _channel(session, recorder) as channel:
        wrong = _wrong(channel.tell(digest_message(found)))
    return _said(session, wrong)


@app.command
def test(*, session: In) -> int:
    """Post a test message to every channel, and say which took it."""
    with _channel(session, Recorder(MemoryStore(), session.definitions)) as channel:
        results = channel.tell(trial_message(session.clock()))
    session.answer(results, lambda console: _print_results(console, results))
    return _said(session, _wrong(results))


@app.command
def suppress(
    *,
    until: Until,
    reason: Reason,
    target: About = None,
    actor: Actor = None,
    sport: Sport = None,
    now: Now = None,
    session: In,
) -> int:
    """Tell no alerts of a sport until an instant; what is raised meanwhile is kept, and told then."""
    why, who, at = reasoned(reason), actor or user(), now_of(session, now)
    stream = control_stream(session.sport(sport))
    data = OperatorActed(command="suppress", reason=why, target=target, until=instant(until, "--until"))
    with session.recording(create=False) as recorder:
        version = recorder.state(stream).version
        fact = operator_fact(stream, version, data, who, at)
        recorder.record([(fact, at)])
        answer: Acted = acted(session.recorded(recorder.store), fact, after=version)
    session.answer(answer, lambda console: print_acted(console, answer))
    return Exit.HEALTHY


@contextmanager
def _channel(session: Session, recorder: Recorder) -> Iterator[AlertChannel]:
    channel = alert_channel(session.settings, session.definitions, of(recorder), WallTime())
    try:
        yield channel
    finally:
        channel.close()


def _wrong(results: dict[str, str | None]) -> list[str]:
    if not results:
        return [UNCONFIGURED]
    return [f"{name}: {why}" for name, why in results.items() if why is not None]


def _said(session: Session, wrong: list[str]) -> int:
    for line in wrong:
        session.note(line)
    return Exit.UNAVAILABLE if wrong else Exit.HEALTHY


def _print(console: Console, shown: list[Episode]) -> None:
    rows = [
        (
            episode.severity,
            episode.sport,
            episode.game_date,
            episode.cause,
            episode.subject,
            when(episode.raised_at),
            when(episode.delivered_at),
            when(episode.acknowledged_at),
            when(episode.resolved_at),
            Text(episode.detail),
        )
        for episode in shown
    ]
    columns = ("severity", "sport", "date", "cause", "subject", "raised", "delivered", "acknowledged", "resolved")
    console.print(table(*columns, "detail", rows=rows) if rows else "No alert is open.")


def _print_failed(console: Console, found: list[Episode]) -> None:
    rows = [
        (e.severity, e.sport, e.game_date, e.cause, e.subject, e.attempt, Text(e.undeliverable or ""), Text(e.detail))
        for e in found
    ]
    columns = ("severity", "sport", "date", "cause", "subject", "#attempt", "why not", "detail")
    console.print(table(*columns, rows=rows) if rows else "Every alert was told, or waits to be.")


def _print_resent(console: Console, found: list[Resent]) -> None:
    rows = [(r.sport, r.game_date, r.alert, r.refused or ("told" if r.told else "waits in the outbox")) for r in found]
    console.print(table("sport", "date", "alert", "what", rows=rows) if rows else "There is nothing to tell again.")


def _print_digest(console: Console, found: Digest) -> None:
    console.print(Text(headline(found), style="bold"))
    for heading, lines in sections(found):
        console.print(Text(f"{heading}:"))
        for line in lines:
            console.print(Text(f"  {line}"), soft_wrap=True)


def _print_results(console: Console, results: dict[str, str | None]) -> None:
    rows = [(name, wrong or "took it") for name, wrong in results.items()]
    console.print(table("channel", "test", rows=rows) if rows else "No channel is configured.")
