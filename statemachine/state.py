"""The state of a game date: what the fold of its events remembers, bounded however long the history grows.

Only facts and recorded outcomes are kept; counts are computed when asked for (orchestration 3.6: a stored counter is
wrong sooner or later). Mappings are replaced, never changed in place. What must not be forgotten but would grow without
end (the ids of all past inputs) is the store's, which refuses a second event with the same id.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from msgspec import Struct, field
from msgspec.structs import force_setattr

from events.catalogue import GateEvaluated
from events.records import Differing
from events.values import NO_SUBJECT, CommandKind, Game, HealOutcome, Measure, Severity

RECENT_INPUTS_MAX = 16
"""How many input ids a stream remembers itself, so that a redelivery is answered without asking the store."""

UNMAPPED_MAX = 64
"""How many names without a processor a date remembers; one that comes back after that is reported once more."""

RECENT_RUNS_MAX = 64
"""How many runs of a processor are remembered by instant; above the storm limit of 50."""

SEEN_MAX = 16
"""How many (run, status) of a processor are remembered: so many may be said again under another name of it, or begin
before others have ended. What is said again under the same name has the same id, which the store knows forever."""

OFF_DATE = frozenset({"postponed", "moved", "cancelled"})
"""Game statuses that take a game out of the date's expectation."""


class Work(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What a processor has done in a cycle. `first_done_at` and `done_at` are the first and the latest completion that
    counts; once done, a later failure does not undo it, for the rows are there (orchestration 6.6 case 4). `seen` are
    the last (run, status) keys and `run_seconds` the instants (Unix seconds) of the last runs."""

    status: str = "started"
    at: datetime | None = None
    first_done_at: datetime | None = None
    done_at: datetime | None = None
    rows: int | None = None
    run: str | None = None
    games: int | None = None
    error: str | None = None
    failures: int = 0
    numbers: dict[str, float] = field(default_factory=dict)
    seen: tuple[str, ...] = ()
    run_seconds: tuple[int, ...] = ()


class CycleState(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Where the machine of a cycle stands. `state` is a name of the transition table; `phase` the phase it is about;
    `progress_at` the last sign of life of that phase; `commands` the triggers that asked for it, `commanded_at` when
    the last of them was confirmed; `counted_from` excludes older completions after a retry; `resumed_at` is when a
    person last took the cycle out of `parked`; `looks` how often the tables of the phase were asked for while it waited
    without an end, since it last moved, and `looked_at` when the last time."""

    state: str = "idle"
    phase: str | None = None
    since: datetime | None = None
    opened_at: datetime | None = None
    progress_at: datetime | None = None
    commanded_at: datetime | None = None
    commands: tuple[str, ...] = ()
    sends: int = 0
    rechecks: int = 0
    retries: int = 0
    counted_from: datetime | None = None
    resumed_at: datetime | None = None
    missing: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    looks: int = 0
    looked_at: datetime | None = None


class Seen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Measures of a boundary, by name the last one of each; `at` is when the latest arrived, `observed_at` when each
    did: a number does not grow young because another one came."""

    at: datetime
    measures: dict[str, Measure]
    observed_at: dict[str, datetime] = field(default_factory=dict)


class GateRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The last evaluation of a gate in a cycle."""

    at: datetime
    evaluation: GateEvaluated


class Alert(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """An episode. `rises` holds when each severity was first reached; a cause that comes back after it was resolved
    opens the same episode again and pages only for a severity it has not paged for (design 8.10); `opened_at` is when
    it last came back. `attempt` counts how often its page was asked for, `undeliverable` says why it can never be
    delivered: it is a dead letter then. `reminders` counts those since it opened or rose, `reminded_at` is when the
    last one left the house: it is None, too, while one is on its way."""

    cause: str
    subject: str
    severity: Severity
    raised_at: datetime
    detail: str
    rises: dict[Severity, datetime]
    numbers: dict[str, float | None] = field(default_factory=dict)
    delivered_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    attempt: int = 1
    undeliverable: str | None = None
    opened_at: datetime | None = None
    reminders: int = 0
    reminded_at: datetime | None = None

    def __post_init__(self) -> None:
        """A subject that names nothing is the very one that events have by default, also when it was read back: msgspec
        leaves out a default by identity, and equal events have to be the same bytes."""
        if self.subject == NO_SUBJECT:
            force_setattr(self, "subject", NO_SUBJECT)


class HealState(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The history of a component's repairs, as far as the next decision needs it."""

    attempt: int = 0
    requested_at: datetime | None = None
    outcome: HealOutcome | None = None
    command_id: str | None = None
    targets: tuple[str, ...] = ()
    permanent: bool = False
    suppressed: str | None = None


class Sent(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A command that is in the outbox: decided, and neither confirmed nor refused for good. `reminder` is the number of
    the reminder that it tells, 0 for everything else."""

    kind: CommandKind
    requested_at: datetime
    cycle: str | None = None
    phase: str | None = None
    subject: str | None = None
    reminder: int = 0


class Disagreement(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What a processor said in `cycle` and what its table holds differ, and have since `since`, when `measure` counted
    `rows`; `seen` is the event of those measures. `asked` counts how often it came due and was asked about, `asked_at`
    is the last time."""

    kind: Differing
    cycle: str
    phase: str
    measure: str
    rows: float
    since: datetime
    seen: str
    asked: int = 0
    asked_at: datetime | None = None


class DateState(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The folded state of one game date. Keys: `work` by `cycle/phase/processor`, `measures` by boundary, `gates` by
    `gate@cycle`, `alerts` by `cause:subject`, `heals` by component, `sent` by command id; `disagreements` by
    processor, where there are any; `validations` is when each processor's validators were last asked for."""

    stream: str
    version: int = 0
    definition: str = ""
    recorded_at: datetime | None = None
    status: str = "scheduled"
    halted: bool = False
    scheduled: bool = False
    schedule_as_of: datetime | None = None
    games: dict[str, Game] = field(default_factory=dict)
    waived: tuple[str, ...] = ()
    cycles: dict[str, CycleState] = field(default_factory=dict)
    work: dict[str, Work] = field(default_factory=dict)
    measures: dict[str, Seen] = field(default_factory=dict)
    gates: dict[str, GateRecord] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    heals: dict[str, HealState] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    disagreements: dict[str, Disagreement] = field(default_factory=dict)
    validations: dict[str, datetime] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()
    elapsed: tuple[str, ...] = ()
    correlation: str | None = None
    recent: tuple[str, ...] = ()

    @property
    def sport(self) -> str:
        """The sport, from the stream's name."""
        return self.stream.partition("/")[0]

    @property
    def game_date(self) -> str:
        """The game date, `YYYY-MM-DD`, from the stream's name."""
        return _game_date(self.stream)


@lru_cache(maxsize=4096)
def _game_date(stream: str) -> str:
    return stream.split("/", 2)[1]  # asked for several times by each decision, and there are few


class Expected(Struct, frozen=True):
    """The games that a date is to deliver: those that are scheduled here, not off the date and not waived. `tips` are
    the instants of those whose tip-off is known, the first one first."""

    of: dict[str, Game]
    waived: tuple[str, ...]
    games: tuple[Game, ...]
    tips: tuple[datetime, ...]


DATES_KEPT_MAX = 1024
"""Of how many dates it is kept what they are to deliver."""

_EXPECTED: dict[str, Expected] = {}


def expected(state: DateState) -> Expected:
    """What the date is to deliver. Every turn asks several times, so it is worked out once for each schedule."""
    known = _EXPECTED.get(state.stream)
    if known is None or known.of is not state.games or known.waived is not state.waived:
        if len(_EXPECTED) >= DATES_KEPT_MAX:
            _EXPECTED.clear()
        known = _EXPECTED[state.stream] = _worked_out(state.games, state.waived)
    return known


def _worked_out(of: dict[str, Game], waived: tuple[str, ...]) -> Expected:
    games = [game for game in of.values() if game.status not in OFF_DATE and game.game_id not in waived]
    tips = sorted([game.start_utc for game in games if game.start_utc is not None])
    return Expected(of=of, waived=waived, games=tuple(games), tips=tuple(tips))


def expected_games(state: DateState) -> list[Game]:
    """The games the date is to deliver, by tip-off, then id."""
    return sorted(expected(state).games, key=lambda game: (game.start_utc is None, game.start_utc, game.game_id))


def expected_count(state: DateState) -> int | None:
    """How many games are expected; None where no schedule is known (unknown is not zero)."""
    return len(expected(state).games) if state.scheduled else None


def has_no_games(state: DateState) -> bool:
    """True where a schedule is known and expects no game: `expected_count` is 0."""
    return state.scheduled and not expected(state).games


def is_quiet(state: DateState) -> bool:
    """True where nothing is commanded, waited for or raised: a person halted the date, or it has no games."""
    return state.halted or has_no_games(state)


def alert_key(cause: str, subject: str) -> str:
    """The key of an episode within its stream."""
    return f"{cause}:{subject}"


def open_alerts(state: DateState) -> list[Alert]:
    """Episodes that are not resolved."""
    return [alert for alert in state.alerts.values() if alert.resolved_at is None]


@lru_cache(maxsize=4096)
def work_key(cycle: str, phase: str, processor: str | None) -> str:
    """The key of what a processor did in a cycle; of an empty name, what all keys of the phase begin with."""
    return f"{cycle}/{phase}/{processor}"  # a definition has few, and each completion asks for one several times


def work_of(state: DateState, cycle: str, phase: str) -> dict[str, Work]:
    """What each processor of a phase has done in a cycle, by processor."""
    prefix = work_key(cycle, phase, "")
    return {key.removeprefix(prefix): work for key, work in state.work.items() if key.startswith(prefix)}
