"""The definition: a pipeline described as data, and the questions that the core asks of it.

A definition is read from TOML at the edge (`handlers/definitions.py`), checked whole (`statemachine/soundness/`) and
identified by the hash of its canonical bytes, overrides included. Durations carry their unit in their name, thresholds
their side: `block_below = 0.8` blocks 0.7999 and lets 0.8 pass, `block_above = 50` lets 50 pass and blocks 50.01.
"""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import Any, Literal

import msgspec
from msgspec import field

from events.values import Mode, Severity
from statemachine.alert_rules import HealPatterns, Reminder
from statemachine.calendar import RECEIVED, Received
from statemachine.spec import OnError, Spec
from statemachine.state import work_key
from statemachine.validator import Validation, Validator

Anchor = Literal["first_tip", "last_tip", "midnight"]
"""`midnight` is the midnight that ends the game date, in the league's zone."""


class Processor(Spec, frozen=True, kw_only=True):
    """A registered unit of work. `aliases` are every other name it publishes under, `class_name` the one by which its
    service is asked to run it (an alias too); `since` and `until` bound the game dates on which it is expected (`until`
    exclusive); `table` is where its rows land, as `dataset.table`."""

    name: str
    phase: str
    class_name: str | None = None
    aliases: tuple[str, ...] = ()
    table: str | None = None
    date_column: str = "game_date"
    depends_on: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    @property
    def known_as(self) -> tuple[str, ...]:
        """Every name it publishes under, the canonical one first."""
        return (self.name, *((self.class_name,) if self.class_name else ()), *self.aliases)


def in_force(bounded: Processor | Heal | Probe | Validator, game_date: str) -> bool:
    """True from `since` on and before `until` (ISO dates compare as text); an absent bound bounds nothing."""
    since, until = bounded.since, bounded.until
    return (since is None or since <= game_date) and (until is None or game_date < until)


PLACEHOLDERS = frozenset(
    {"attempt", "completed", "completed_count", "correlation", "cycle", "event", "expected", "game_date", "missing"}
    | {"missing_count", "missing_tables", "next_date", "now", "reason", "sport", "target", "target_classes", "targets"}
)
"""What a command's payload may name in braces; see `CommandSpec`."""


class CommandSpec(Spec, frozen=True, kw_only=True):
    """A command to publish. A payload value may hold `PLACEHOLDERS` in braces; one that is nothing but a placeholder
    keeps its type. `{expected}`, `{completed}`, `{missing}`, `{missing_tables}`, `{targets}` and `{target_classes}` are
    lists, `{completed_count}`, `{missing_count}` and `{attempt}` numbers; `{completed}` and its kin speak of the phase
    before. With `per = "previous_processor"` one command goes out for each expected processor of the phase before, as
    `{target}`; with `per = "target"` one for each target of a heal."""

    topic: str
    payload: dict[str, Any] = field(default_factory=dict)
    per: Literal["once", "previous_processor", "target"] = "once"


class Phase(Spec, frozen=True, kw_only=True):
    """A phase. `names` are the words messages use for it; `complete_topic` is where its processors report;
    `stall_minutes` without progress raises `phase_stalled`; `commands` start it."""

    name: str
    names: tuple[str, ...] = ()
    complete_topic: str | None = None
    stall_minutes: int = 60
    commands: tuple[CommandSpec, ...] = ()


class Wait(Spec, frozen=True, kw_only=True):
    """A way to be ready: at least `at_least` processors, or `share` of the expected, and all criticals where
    `criticals`; once `minutes` have passed since the phase's `since` completion (`strict`: more than that)."""

    minutes: int = 0
    strict: bool = False
    since: Literal["first", "last"] = "first"
    at_least: int = 1
    share: float | None = None
    criticals: bool = True
    reason: str


class Step(Spec, frozen=True, kw_only=True):
    """A phase inside a cycle: whom it expects, who is critical, when it is ready, which gate closes it. `optional`
    processors are named when they are missing and never waited for. `gate_mode` overrides the gate's own mode."""

    phase: str
    expected: tuple[str, ...]
    critical: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    waits: tuple[Wait, ...]
    gate: str | None = None
    gate_mode: Mode | None = None


class Cycle(Spec, frozen=True, kw_only=True):
    """One pass of the chain. Messages received `before`, `on` or `after` the game date belong to it; it opens
    `opens_minutes` after `opens` and is given up (parked, for a person) `park_hours` later if still open."""

    name: str
    received: Received
    opens: Anchor
    opens_minutes: int
    park_hours: int
    steps: tuple[Step, ...]

    @cached_property
    def phases(self) -> tuple[str, ...]:
        """Names of the chain's phases, in order."""
        return tuple(step.phase for step in self.steps)

    @cached_property
    def step_of(self) -> dict[str, Step]:
        """Step by phase name."""
        return {step.phase: step for step in self.steps}

    def after(self, phase: str) -> Step | None:
        """The step behind `phase`, or None at the end of the chain."""
        place = self.phases.index(phase) + 1
        return self.steps[place] if place < len(self.steps) else None


class CheckSpec(Spec, frozen=True, kw_only=True):
    """One comparison of a gate. Kinds:

    - `ratio`: `measure` ÷ `of`; zero expected passes; above 1 is an anomaly and warns;
    - `value`: `measure` itself;
    - `critical_processors`: completions of every critical processor of the step;
    - `tables_of_completed`: rows in the table of each processor that completed (freshness);
    - `tables`: at least `at_least` of the step's tables have rows, and every critical one has (the breaker rule);
    - `records_agree`: completions and tables tell the same; a difference warns and is named.

    A processor check with only `warn_below` warns instead of blocking. A block pages as critical; with
    `critical_below`, only below that, and as a warning otherwise. `on_error` says what an unmeasurable check does; None
    takes the gate's policy. `cycles` limits the check to some cycles; empty means all."""

    name: str
    kind: Literal["ratio", "value", "critical_processors", "tables_of_completed", "tables", "records_agree"]
    measure: str | None = None
    of: str | None = None
    block_below: float | None = None
    warn_below: float | None = None
    critical_below: float | None = None
    block_above: float | None = None
    warn_above: float | None = None
    at_least: int | None = None
    on_error: OnError | None = None
    cycles: tuple[str, ...] = ()


class Gate(Spec, frozen=True, kw_only=True):
    """The guard of a phase boundary. With `probe` the core asks for `measures` and waits `measure_timeout_minutes`;
    measures younger than `measure_age_minutes` are taken as they are. A block is looked at again after each of
    `recheck_minutes`, then after the last of them again, until the cycle parks. `retries` re-commands the phase itself
    that often before the outcome stands (regrading)."""

    name: str
    mode: Mode
    on_error: OnError = "block"
    probe: bool = True
    measures: tuple[str, ...] = ()
    measure_timeout_minutes: int = 10
    measure_age_minutes: int = 30
    recheck_minutes: tuple[int, ...] = (30, 60, 120, 240)
    retries: int = 0
    checks: tuple[CheckSpec, ...]


class Probe(Spec, frozen=True, kw_only=True):
    """How a measure is counted: `sql` is one BigQuery query that gives one number for the game date `@game_date` (and
    the sport `@sport`); the edge runs it on BigQuery or, transpiled, on DuckDB. The probe of `table_rows.*` stands for
    every table of the registry: `{table}` and `{date_column}` are filled in. It may take `timeout_seconds` and read
    `bytes_max` bytes. `since` and `until` bound the game dates it is for, as those of a processor: a source that was
    switched off is no longer counted. A measure that no probe counts is told by others, or it is an error."""

    measure: str
    sql: str
    timeout_seconds: int = 60
    bytes_max: int = 10_000_000_000
    since: str | None = None
    until: str | None = None


class Band(Spec, frozen=True, kw_only=True):
    """A severity that applies from `hours` on while coverage is below `below` (a ratio)."""

    hours: int
    below: float
    severity: Severity


class Due(Spec, frozen=True, kw_only=True):
    """A wall-clock deadline: `at` (HH:MM, league zone) on the game date plus `days`."""

    at: str
    days: int = 0


class AlertRules(Spec, frozen=True, kw_only=True):
    """When absence becomes an alert (interface: alert causes)."""

    box_score_bands: tuple[Band, ...] = ()
    box_score_measure: str = "games_with_box_score"
    precompute_due: Due | None = None
    precompute_at_least: int = 3
    predictions_due: Due | None = None
    grading_due: Due | None = None
    hand_off_minutes: int = 10
    resend_max: int = 1
    run_storm_runs: int = 50
    run_storm_minutes: int = 60
    beat_interval_seconds: int = 60
    beat_stale_seconds: int = 300
    beat_dead_seconds: int = 900
    beat_hung_seconds: int | None = None
    silent_warning_minutes: int = 60
    silent_critical_minutes: int = 120
    tick_record_minutes: int = 15
    tick_missed_minutes: int = 5
    heal_patterns: HealPatterns | None = None
    reminders: tuple[Reminder, ...] = ()


class Heal(Spec, frozen=True, kw_only=True):
    """A repair. It is wanted when `check` of `gate` did not pass, or for each missing processor of `phase`; it is asked
    for at most `cap` times, `cool_down_minutes` apart, never before the games are over where `after_games`, and it is
    judged `verify_minutes` later by the data; one for a check has it measured again `measure_minutes` before, where
    that is not 0. `approval` waits for a person. `since` and `until` bound the game dates it is for. What it costs is
    said roughly, to be weighed: how long its service works, how many rows it writes again, on whose limit it draws."""

    name: str
    mode: Literal["automatic", "approval", "off"]
    command: CommandSpec
    gate: str | None = None
    check: str | None = None
    phase: str | None = None
    after_games: bool = True
    cool_down_minutes: int = 240
    cap: int = 3
    verify_minutes: int = 60
    measure_minutes: int = 0
    since: str | None = None
    until: str | None = None
    cost_minutes: int | None = None
    cost_rows: int | None = None
    cost_quota: str | None = None


class ServiceLevel(Spec, frozen=True, kw_only=True):
    """A promise per date. `phase` done by `due`, or `measure` coverage of at least `share` within `hours` of midnight;
    `target_share` of dates should keep it."""

    name: str
    target_share: float
    phase: str | None = None
    due: Due | None = None
    at_least_processors: int | None = None
    coverage: float | None = None
    hours: int | None = None


class ClientRules(Spec, frozen=True, kw_only=True):
    """How outbound HTTP calls behave towards the services they reach. The defaults are those that operators know
    (robustness 1.1, 1.2); each has an environment name that overrides it (interface: settings)."""

    retries_max: int = 5
    backoff_base_seconds: float = 2.0
    backoff_max_seconds: float = 120.0
    breaker_threshold: int = 10
    breaker_open_seconds: float = 300.0
    breaker_enabled: bool = True
    retry_after_enabled: bool = True
    pool_backoff_factor: float = 0.5
    scraper_backoff_factor: float = 3.0


class Definition(Spec, frozen=True, kw_only=True):
    """The versioned description of a pipeline."""

    name: str
    sport: str
    timezone: str
    game_minutes: int
    reconcile_minutes: int = 15
    topics: dict[str, str] = field(default_factory=dict)
    control_workflows: tuple[str, ...] = ()
    phases: tuple[Phase, ...]
    processors: tuple[Processor, ...]
    cycles: tuple[Cycle, ...]
    gates: tuple[Gate, ...]
    probes: tuple[Probe, ...] = ()
    validation: Validation = Validation()
    validators: tuple[Validator, ...] = ()
    alerts: AlertRules = AlertRules()
    heals: tuple[Heal, ...] = ()
    service_levels: tuple[ServiceLevel, ...] = ()
    client: ClientRules = ClientRules()
    overrides: dict[str, str] = field(default_factory=dict)

    @cached_property
    def content(self) -> bytes:
        """Canonical bytes: the same definition gives the same bytes on any machine."""
        return msgspec.json.encode(self, order="deterministic")

    @cached_property
    def version(self) -> str:
        """`name@` and the first 12 hex digits of the SHA-256 of the content."""
        return f"{self.name}@{sha256(self.content).hexdigest()[:12]}"

    @cached_property
    def cycle_of(self) -> dict[str, Cycle]:
        """Cycle by name."""
        return {cycle.name: cycle for cycle in self.cycles}

    @cached_property
    def gate_of(self) -> dict[str, Gate]:
        """Gate by name."""
        return {gate.name: gate for gate in self.gates}

    @cached_property
    def phase_of(self) -> dict[str, Phase]:
        """Phase by name."""
        return {phase.name: phase for phase in self.phases}

    @cached_property
    def processor_of(self) -> dict[str, Processor]:
        """Processor by canonical name (unique over phases)."""
        return {processor.name: processor for processor in self.processors}

    @cached_property
    def validators_of(self) -> dict[str, tuple[Validator, ...]]:
        """The set of validators of each processor that has any, by its name."""
        names = dict.fromkeys(validator.processor for validator in self.validators)
        return {name: tuple(each for each in self.validators if each.processor == name) for name in names}

    @cached_property
    def _names(self) -> dict[str, dict[str, str]]:
        """By phase, the canonical name behind each."""
        names: dict[str, dict[str, str]] = {}
        for processor in self.processors:
            names.setdefault(processor.phase, {}).update(dict.fromkeys(processor.known_as, processor.name))
        return names

    def resolve(self, phase: str, published: str, table: str | None = None) -> str | None:
        """The canonical name behind a published one, or None: only registered names count (design 8.5). The output
        table, with or without its dataset, is a second way to be known (orchestration 2.4)."""
        names = self._names.get(phase)
        if names is None:
            return None
        found = names.get(published)
        if found is None and table is not None:
            found = names.get(table) or names.get(table.rpartition(".")[2])
        return found

    @cached_property
    def work_keys(self) -> dict[str, tuple[str, ...]]:
        """Under which keys the state of a date keeps the work of each processor, one for each cycle."""
        return {
            processor.name: tuple(work_key(cycle.name, processor.phase, processor.name) for cycle in self.cycles)
            for processor in self.processors
        }

    @cached_property
    def cycles_for(self) -> dict[str, tuple[tuple[tuple[str, Received], ...], str]]:
        """By phase, the cycles that its messages may belong to: all but the first, the latest first, each with when its
        time begins, which is where that of the cycle before ends; and the first. So a message at a time whose cycle
        does not have the phase is of the next later one that has, else of the one before (raw loads on the day itself
        are the overnight cycle's; a prediction after the games is the same-day cycle's)."""
        found: dict[str, tuple[tuple[tuple[str, Received], ...], str]] = {}
        for phase in self.phases:
            able = {cycle.received: cycle.name for cycle in self.cycles if phase.name in cycle.phases}
            times = [received for received in RECEIVED if received in able]
            if times:
                later = [(able[time], RECEIVED[RECEIVED.index(before) + 1]) for before, time in pairwise(times)]
                found[phase.name] = tuple(reversed(later)), able[times[0]]
        return found


def decode_definition(content: bytes | str) -> Definition:
    """The definition in canonical bytes, as `definition_published` keeps them. Raises msgspec.ValidationError."""
    return msgspec.json.decode(content, type=Definition)
