"""`heal`: what to repair, what it would take, and asking for it. The plan before the deed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, Parameter
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from events.codec import encode
from handlers import healing
from handlers.cli.act import Actor, Reason, reasoned, user
from handlers.cli.arguments import Commands, Date, In, Now, Sport, game_date, now_of
from handlers.cli.problems import Exit, Refused
from handlers.cli.span import Point, Then, instants, present_and_point
from handlers.cli.tables import facts, table, when
from handlers.healing import Applied
from projections.heal_history import HealHistory
from projections.heal_plan import NEVER, HealPlan, Obstacle, Repair
from statemachine.alerts import RANK

app = App(name="heal", help="Repairs: the plan, asking for it, and what became of it.")

DateOrAll = Annotated[str | None, Parameter(help="Game date; without it, every date with something to repair.")]
Components = Annotated[
    tuple[str, ...], Parameter(help="Components of the plan; without any, all that nothing speaks against.")
]


class Answer(Struct, frozen=True, kw_only=True):
    """What was asked for on a date."""

    sport: str
    game_date: str
    applied: tuple[Applied, ...]


@app.command
def plan(date: DateOrAll = None, /, *, sport: Sport = None, now: Now = None, at: Point = None, session: In) -> int:
    """What is missing or failed, and the exact repair for each. Nothing is asked for."""
    ruling = session.sport(sport)
    with session.asking() as recorded:
        if date is None:
            present, then = instants(session, now, at)
            found = healing.plans(recorded, present, sport=None if sport is None else ruling, at=then)
        else:
            present, point = present_and_point(session, now, at)
            found = [healing.plan(recorded, ruling, game_date(session, ruling, date), present, at=point)]
    session.answer(found, lambda console: _print_plans(console, found))
    return _worst(found)


@app.command
def apply(
    date: Date,
    components: Components = (),
    /,
    *,
    reason: Reason,
    actor: Actor = None,
    sport: Sport = None,
    now: Now = None,
    commands: Commands = None,
    session: In,
) -> int:
    """Ask for repairs of a date's plan, as a person, in the order of the plan."""
    why, who, at = reasoned(reason), actor or user(), now_of(session, now)
    ruling = session.sport(sport)
    with session.recording(create=False) as recorder, session.sending(recorder, commands) as send:
        found = healing.plan(session.recorded(recorder.store), ruling, game_date(session, ruling, date), at)
        chosen = _chosen(found, components)
        applied = healing.apply(recorder, found, chosen, actor=who, reason=why, now=at)
        send(at)
    answer = Answer(sport=found.sport, game_date=found.game_date, applied=tuple(applied))
    session.answer(answer, lambda console: _print_applied(console, answer))
    return Exit.HEALTHY if all(item.command_id is not None for item in applied) else Exit.WARNING


@app.command
def history(*, now: Now = None, at: Then = None, session: In) -> int:
    """Every repair that was asked for: by whom, why, and whether it worked; and what they say together."""
    present, then = instants(session, now, at)
    with session.asking() as recorded:
        found = healing.history(recorded, present, at=then)
    session.answer(found, lambda console: _print_history(console, found))
    worst = max((RANK[pattern.severity] for pattern in found.patterns), default=0)
    return (Exit.HEALTHY, Exit.WARNING, Exit.CRITICAL)[worst]


def _chosen(found: HealPlan, components: Sequence[str]) -> list[Repair]:
    known = {repair.component: repair for repair in found.repairs}
    unknown = [name for name in components if name not in known]
    if unknown:
        listed = ", ".join(known) or "nothing"
        raise Refused(f"{', '.join(unknown)}: not in the plan of {found.game_date}", next_step=f"It holds {listed}.")
    chosen = [known[name] for name in known if name in components] if components else []
    chosen = chosen or [repair for repair in found.repairs if repair.ready]
    if not chosen:
        waiting = "; ".join(f"{repair.component}: {_why(repair.obstacles)}" for repair in found.repairs)
        step = "Name a component to ask for it against advice." if waiting else "There is nothing to repair."
        raise Refused(f"nothing of {found.game_date} is ready: {waiting or 'the plan is empty'}", next_step=step)
    return chosen


def _worst(found: Sequence[HealPlan]) -> int:
    """Critical where something can never be repaired again by itself; a warning where there is anything to repair."""
    whys = [obstacle.why for one in found for repair in one.repairs for obstacle in repair.obstacles]
    if any(why in NEVER for why in whys):
        return Exit.CRITICAL
    return Exit.WARNING if any(one.repairs or one.by_hand for one in found) else Exit.HEALTHY


def _why(obstacles: Sequence[Obstacle]) -> str:
    return "; ".join(
        f"{o.why}: {o.detail}" + (f", until {when(o.until)}" if o.until is not None else "") for o in obstacles
    )


def _print_plans(console: Console, found: Sequence[HealPlan]) -> None:
    if not any(one.repairs or one.by_hand for one in found):
        console.print("There is nothing to repair.")
    for one in found:
        for repair in one.repairs:
            _print_repair(console, one, repair)
        for item in one.by_hand:
            console.print(Text(f"{one.sport} {one.game_date}  by hand: {item.phase}", style="bold"))
            console.print(facts(("why", item.cause), ("repair", "the definition has none for it")))


def _print_repair(console: Console, one: HealPlan, repair: Repair) -> None:
    cost = repair.cost
    used = f"{repair.attempts} of {repair.cap} attempts used"
    console.print(Text(f"{one.sport} {one.game_date}  {repair.place}. {repair.component}: {used}", style="bold"))
    console.print(
        facts(
            ("why", repair.cause),
            ("call", repair.call),
            ("payload", Text(encode(repair.command.payload).decode())),
            ("command id", repair.command.command_id),
            ("effect", repair.effect),
            ("cost", f"{_known(cost.minutes)} min, {_known(cost.rows)} rows; {cost.quota or 'nobody’s limit'}"),
            ("last attempt", repair.last_outcome or "-"),
            ("now", "ready" if repair.ready else _why(repair.obstacles)),
        )
    )


def _known(number: int | None) -> str:
    return "unknown" if number is None else f"about {number}"


def _print_applied(console: Console, answer: Answer) -> None:
    rows = [(item.component, item.command_id or "-", item.refused or "asked for") for item in answer.applied]
    console.print(table("component", "command id", "what", rows=rows, title=f"{answer.sport} {answer.game_date}"))


def _print_history(console: Console, found: HealHistory) -> None:
    for pattern in found.patterns:
        console.print(Text(f"{pattern.severity}: {pattern.detail}"))
    rows = [
        (
            when(entry.requested_at),
            entry.sport,
            entry.game_date,
            entry.component,
            entry.attempt,
            entry.by or "tipoff",
            entry.outcome or "not judged yet",
            when(entry.resolved_at),
            Text(entry.cause),
        )
        for entry in found.entries
    ]
    columns = ("requested", "sport", "date", "component", "#attempt", "by", "outcome", "judged", "why")
    console.print(table(*columns, rows=rows) if rows else "Nothing was ever repaired.")
