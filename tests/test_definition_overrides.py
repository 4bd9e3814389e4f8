"""Environment names that operators know override a definition, change its version, and never fall back silently."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.definitions import OVERRIDES, DefinitionErrors, load
from statemachine.definition import Definition, decode_definition

NAMES = [override.name for override in OVERRIDES]

OWN = ("PHASE_VALIDATION_MODE", "SELF_HEAL_MODE")
"""Without these, each gate and each heal has the mode that the definition gives it."""


def limits(definition: Definition, check: str) -> tuple[float | None, float | None]:
    """The warn and block thresholds of a check."""
    spec = next(item for gate in definition.gates for item in gate.checks if item.name == check)
    return spec.warn_below, spec.block_below


def modes(definition: Definition) -> set[str]:
    """The modes in which gates are evaluated, in whatever step."""
    steps = [step for cycle in definition.cycles for step in cycle.steps if step.gate]
    return {step.gate_mode or definition.gate_of[step.gate or ""].mode for step in steps}


def wrong(environ: dict[str, str], name: str = "nba") -> list[tuple[str, str]]:
    with pytest.raises(DefinitionErrors) as caught:
        load(name, environ)
    return [(error.path, error.message) for error in caught.value.errors]


def test_every_name_is_there_with_meaning_and_default() -> None:
    assert len(NAMES) == len(set(NAMES)) == 15
    assert all(override.meaning and override.takes and override.default for override in OVERRIDES)


@pytest.mark.parametrize("text", ["disabled", "warning", "blocking", " Blocking "])
def test_the_mode_holds_for_every_gate_of_every_step(text: str) -> None:
    assert modes(load("nba", {"PHASE_VALIDATION_MODE": text})) == {text.strip().lower()}


@pytest.mark.parametrize("text", ["false", "FALSE", "0", "no"])
def test_switched_off_is_off_whatever_the_mode(text: str) -> None:
    environ = {"PHASE_VALIDATION_ENABLED": text, "PHASE_VALIDATION_MODE": "blocking"}

    assert modes(load("nba", environ)) == {"disabled"}


@pytest.mark.parametrize("text", ["true", "1", "Yes"])
def test_switched_on_leaves_every_gate_its_own_mode(text: str) -> None:
    assert load("nba", {"PHASE_VALIDATION_ENABLED": text}).gates == load("nba").gates


def test_phases_that_somebody_else_starts_are_never_commanded() -> None:
    nba = load("nba", {"PHASE_COMMANDS_ENABLED": "false"})

    assert [phase.name for phase in nba.phases if phase.commands] == []
    assert [gate.name for gate in nba.gates if gate.retries] == []
    assert load("nba", {"PHASE_COMMANDS_ENABLED": "true"}).phases == load("nba").phases


@pytest.mark.parametrize("text", ["off", " Approval "])
def test_heals_can_be_held_back(text: str) -> None:
    heals = load("nba", {"SELF_HEAL_MODE": text}).heals

    assert {heal.mode for heal in heals} == {text.strip().lower()}
    assert [heal.name for heal in heals] == [heal.name for heal in load("nba").heals]


def test_a_heal_that_wants_an_approval_cannot_be_let_loose() -> None:
    assert wrong({"SELF_HEAL_MODE": "automatic"})[0][0] == "SELF_HEAL_MODE"


def test_thresholds_move_where_they_are_compared() -> None:
    definition = load(
        "nba", {"PHASE_VALIDATION_GAME_COUNT_THRESHOLD": "0.9", "PHASE_VALIDATION_QUALITY_THRESHOLD": "0.77"}
    )

    assert limits(definition, "box_score_coverage") == (1.0, 0.9)
    assert limits(definition, "feature_quality") == (77.0, 65.0)
    assert limits(definition, "game_coverage") == limits(load("nba"), "game_coverage")


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("RATE_LIMIT_MAX_RETRIES", "7", "retries_max", 7),
        ("RATE_LIMIT_BASE_BACKOFF", "1.5", "backoff_base_seconds", 1.5),
        ("RATE_LIMIT_MAX_BACKOFF", "60", "backoff_max_seconds", 60.0),
        ("RATE_LIMIT_CB_THRESHOLD", "3", "breaker_threshold", 3),
        ("RATE_LIMIT_CB_TIMEOUT", "30", "breaker_open_seconds", 30.0),
        ("RATE_LIMIT_CB_ENABLED", "false", "breaker_enabled", False),
        ("RATE_LIMIT_RETRY_AFTER_ENABLED", "0", "retry_after_enabled", False),
        ("HTTP_POOL_BACKOFF_FACTOR", "0.25", "pool_backoff_factor", 0.25),
        ("SCRAPER_BACKOFF_FACTOR", "1", "scraper_backoff_factor", 1.0),
    ],
)
def test_a_client_setting_is_taken(name: str, text: str, key: str, value: object) -> None:
    definition = load("nba", {name: text})

    assert getattr(definition.client, key) == value
    assert list(definition.overrides) == [name]


def test_documented_defaults_are_those_that_hold_without_the_variable() -> None:
    nba = load("nba")
    quality, _ = limits(nba, "feature_quality")
    _, coverage = limits(nba, "box_score_coverage")
    documented = {override.name: override.default for override in OVERRIDES}

    same = load("nba", {name: text for name, text in documented.items() if name not in OWN})

    assert same.client == nba.client
    assert (documented["PHASE_VALIDATION_QUALITY_THRESHOLD"], quality) == ("0.7", 70)
    assert (documented["PHASE_VALIDATION_GAME_COUNT_THRESHOLD"], coverage) == ("0.8", 0.8)
    assert same.gates == nba.gates


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PHASE_VALIDATION_ENABLED", ""),
        ("PHASE_VALIDATION_ENABLED", "on"),
        ("PHASE_VALIDATION_MODE", "block"),
        ("PHASE_VALIDATION_MODE", "off"),
        ("PHASE_VALIDATION_GAME_COUNT_THRESHOLD", "80"),
        ("PHASE_VALIDATION_GAME_COUNT_THRESHOLD", "-0.1"),
        ("PHASE_VALIDATION_QUALITY_THRESHOLD", "nan"),
        ("PHASE_VALIDATION_QUALITY_THRESHOLD", "0,7"),
        ("RATE_LIMIT_MAX_RETRIES", "5.0"),
        ("RATE_LIMIT_MAX_RETRIES", "0"),
        ("RATE_LIMIT_BASE_BACKOFF", "-2"),
        ("RATE_LIMIT_MAX_BACKOFF", "inf"),
        ("RATE_LIMIT_CB_THRESHOLD", "ten"),
        ("RATE_LIMIT_CB_TIMEOUT", "5m"),
        ("RATE_LIMIT_CB_ENABLED", "maybe"),
        ("RATE_LIMIT_RETRY_AFTER_ENABLED", "2"),
        ("PHASE_COMMANDS_ENABLED", "never"),
        ("SELF_HEAL_MODE", "on"),
        ("HTTP_POOL_BACKOFF_FACTOR", "0"),
        ("SCRAPER_BACKOFF_FACTOR", "three"),
    ],
)
def test_a_value_that_does_not_parse_is_an_error_that_names_the_variable(name: str, text: str) -> None:
    [(path, message)] = wrong({name: text})

    assert path == name
    assert f'not "{text}"' in message


@given(st.sets(st.sampled_from(NAMES), min_size=1))
def test_every_value_that_does_not_parse_is_said_at_once(names: set[str]) -> None:
    assert {path for path, _message in wrong(dict.fromkeys(names, "?"))} == names


def test_overrides_that_contradict_the_definition_or_each_other_are_refused_by_name() -> None:
    assert wrong({"PHASE_VALIDATION_QUALITY_THRESHOLD": "0.6"})[0][0] == "PHASE_VALIDATION_QUALITY_THRESHOLD"
    assert wrong({"RATE_LIMIT_BASE_BACKOFF": "200"})[0][0] == "RATE_LIMIT_BASE_BACKOFF"
    assert wrong({"RATE_LIMIT_BASE_BACKOFF": "200", "RATE_LIMIT_MAX_BACKOFF": "100"})[0][0] == (
        "RATE_LIMIT_BASE_BACKOFF, RATE_LIMIT_MAX_BACKOFF"
    )
    both = load("nba", {"RATE_LIMIT_BASE_BACKOFF": "200", "RATE_LIMIT_MAX_BACKOFF": "300"})
    assert both.client.backoff_base_seconds == 200


def test_errors_of_the_file_and_of_the_environment_are_said_together(tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("name = 1\n")

    with pytest.raises(DefinitionErrors) as caught:
        load(file, {"PHASE_VALIDATION_MODE": "loud"})

    assert caught.value.errors[0].line == 1
    assert caught.value.errors[-1].path == "PHASE_VALIDATION_MODE"


@settings(max_examples=25)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "PHASE_VALIDATION_MODE": st.sampled_from(["disabled", "warning", "blocking"]),
            "PHASE_VALIDATION_GAME_COUNT_THRESHOLD": st.floats(0, 1).map(repr),
            "RATE_LIMIT_MAX_RETRIES": st.integers(1, 99).map(str),
            "RATE_LIMIT_CB_ENABLED": st.sampled_from(["true", "false"]),
        },
    )
)
def test_overrides_are_recorded_and_are_part_of_the_version(environ: dict[str, str]) -> None:
    definition = load("nba", environ)

    assert definition.overrides.keys() == environ.keys()
    assert (definition.version == load("nba").version) == (not environ)
    assert decode_definition(definition.content) == definition
    assert load("nba", definition.overrides).version == definition.version


def test_a_spelling_of_the_same_value_is_the_same_version() -> None:
    spellings = [{"RATE_LIMIT_CB_ENABLED": text} for text in ("false", "FALSE", "0", " no ")]

    assert len({load("nba", environ).version for environ in spellings}) == 1


def test_other_variables_are_none_of_our_business() -> None:
    environ = {"RATE_LIMIT_DEFAULT_RPM": "60", "PATH": "/bin", "PHASE_VALIDATION": "x"}

    assert load("nba", environ).version == load("nba").version


def test_a_definition_without_what_an_override_is_about_is_left_as_it_is() -> None:
    environ = {"PHASE_VALIDATION_QUALITY_THRESHOLD": "0.9", "PHASE_VALIDATION_GAME_COUNT_THRESHOLD": "0.5"}

    assert load("mlb", environ).version == load("mlb").version
