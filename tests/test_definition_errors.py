"""A definition says every error at once, each on its line, and none that only follows from another (issue: build 2)."""

from __future__ import annotations

import tomllib
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.definitions import DefinitionErrors, load, parse
from handlers.toml_source import read_toml
from statemachine.definition import Definition
from statemachine.soundness import RULES
from tests.definition_mistakes import ALL, MEANINGLESS, MISREAD, MISSHAPEN, NBA, Mistake, broken, line_of


def said_of(text: str) -> list[tuple[int | None, str]]:
    """Line and message of everything that is said about `text`, in the order in which it is said."""
    with pytest.raises(DefinitionErrors) as caught:
        parse(text)
    return [(error.line, error.message) for error in caught.value.errors]


def unaccounted(text: str, mistakes: list[Mistake]) -> tuple[list[str], list[tuple[int | None, str]]]:
    """What of the mistakes was not said, and what was said without a mistake."""
    said = said_of(text)
    unsaid = []
    for at, message in (blamed for mistake in mistakes for blamed in mistake.blamed):
        match = next((item for item in said if item[0] == line_of(text, at) and message in item[1]), None)
        if match is None:
            unsaid.append(f"line {line_of(text, at)}: {message}")
        else:
            said.remove(match)
    return unsaid, said


@cache
def meaningless() -> list[tuple[Mistake, Definition]]:
    """Each mistake about what a definition means, with the definition that has it."""
    texts = [(mistake, broken(mistake)) for mistake in MEANINGLESS]
    return [(mistake, msgspec.convert(read_toml(text).values, Definition)) for mistake, text in texts]


@pytest.mark.parametrize("mistake", ALL, ids=str)
def test_a_mistake_is_said_once_on_its_line_and_nothing_else_is(mistake: Mistake) -> None:
    assert unaccounted(broken(mistake), [mistake]) == ([], [])


@settings(max_examples=40)  # each reads a file of 900 lines
@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=12, unique=True))
def test_any_mistakes_together_are_all_said_and_nothing_else_is(mistakes: list[Mistake]) -> None:
    assert unaccounted(broken(*mistakes), mistakes) == ([], [])


def test_a_file_with_every_mistake_has_all_of_them_said_in_the_order_of_lines() -> None:
    text = broken(*ALL)
    lines = [line or 0 for line, _message in said_of(text)]

    assert unaccounted(text, ALL) == ([], [])
    assert lines == sorted(lines)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.strip("_"))
def test_every_rule_has_a_mistake_that_breaks_it(rule) -> None:
    assert [str(mistake) for mistake, definition in meaningless() if list(rule(definition))]
    assert not list(rule(parse(NBA)))


def test_the_message_names_the_file_the_line_the_place_and_what_to_read(tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(broken(MISSHAPEN[0], MEANINGLESS[0]))

    with pytest.raises(DefinitionErrors) as caught:
        load(file)

    first, second, last = str(caught.value).splitlines()
    line = line_of(file.read_text(), 'mode = "Warning"')
    assert first == f'{file}:{line}: gates[0].mode: has to be one of "blocking", "disabled", "warning", not "Warning"'
    assert second.startswith(f"{file}:")
    assert last.startswith("2 errors")
    assert "docs/definition.md" in last
    assert caught.value.code == "definition_invalid"


def test_a_name_that_is_neither_shipped_nor_a_file_is_answered_with_what_is() -> None:
    with pytest.raises(DefinitionErrors, match="shipped definition: mlb, nba"):
        load("nhl")


def test_bytes_that_are_not_utf_8_are_an_error_with_a_line(tmp_path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes(NBA.encode() + b"# M\xfcnchen\n")

    with pytest.raises(DefinitionErrors) as caught:
        load(file)

    assert [error.line for error in caught.value.errors] == [NBA.count("\n") + 1]


def test_an_empty_file_lacks_all_that_a_definition_needs() -> None:
    missing = [message.split("`")[1] for _line, message in said_of("")]

    assert missing == ["cycles", "game_minutes", "gates", "name", "phases", "processors", "sport", "timezone"]


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ("phases", "3"),
        ("processors", '"all"'),
        ("cycles", "{ tomorrow = 1 }"),
        ("gates", "[1, 2]"),
        ("alerts", "[]"),
        ("client", "true"),
    ],
)
def test_a_whole_part_of_the_wrong_kind_is_one_error_per_wrong_thing(table: str, wrong: str) -> None:
    lines = NBA.splitlines()
    headers = [at for at, line in enumerate(lines) if line.startswith("[")]
    own = [at for at in headers if lines[at].strip("[").startswith(table)]
    for at in own:
        end = next((h for h in headers if h > at), len(lines))
        lines[at:end] = [""] * (end - at)
    text = f"{table} = {wrong}\n" + "\n".join(lines)

    said = said_of(text)

    assert {line for line, _message in said} == {1}
    assert len(said) == (2 if wrong == "[1, 2]" else 1)


def test_a_broken_header_loses_its_section_and_no_other() -> None:
    text = NBA.replace('[[gates]]\nname = "grading"', '[[gates]\nname = "grading"').replace(
        "[[gates]] # below", "[[gates] # below"
    )
    text = text.replace("resend_max = 1", "resend_max = -1")

    said = said_of(text)

    assert [line for line, _message in said] == [line_of(text, "[[gates] # below"), line_of(text, "resend_max = -1")]


@settings(max_examples=40)  # each reads a file of 900 lines
@given(st.lists(st.sampled_from(MISREAD), min_size=1, max_size=2, unique=True), st.text(max_size=40))
def test_whatever_stands_in_a_file_the_answer_is_errors_and_never_a_crash(mistakes: list[Mistake], junk: str) -> None:
    text = broken(*mistakes)
    middle = len(text) // 2

    assert said_of(text[:middle] + junk + text[middle:])


MARKS = ["a", "b", "'c'", ".", "=", " ", "\n", "[", "]", "[[", "{", "}", ",", "1", '"x"', '"""', "#", "\r\n", "\0", "é"]


@given(
    st.lists(st.sampled_from([*MARKS, "x = 1\n", "[t]\n", "[[t]]\n", "2026-01-28", "nan"]), max_size=20).map("".join)
)
def test_a_text_has_faults_exactly_where_it_is_not_toml(text: str) -> None:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        values = None

    source = read_toml(text)

    assert bool(source.faults) == (values is None)
    assert all(1 <= line <= text.count("\n") + 1 for line, _message in source.faults)
    assert values is None or source.values.keys() == values.keys()


def test_a_value_nested_beyond_reason_is_an_error_on_its_line() -> None:
    text = NBA + "deep = " + "[" * 100_000

    assert [line for line, message in said_of(text) if "too deeply" in message] == [NBA.count("\n") + 1]
