"""docs/projections.md and docs/metrics.md are complete, and the first runs."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, get_args, get_type_hints

import pytest
from msgspec import Struct

from projections.causes import Category
from projections.day import PhaseStatus
from projections.incidents import BEGAN
from projections.links import STAGES, LinkStatus
from projections.metrics import Metric, Target, levels, metric_targets
from projections.season_grid import Contract
from projections.service_levels import Outcome
from tests.command_line import tipoff
from tests.conftest import ROOT
from tests.driving import moment, nba
from tests.projection_dates import good_date
from tests.test_http_schema import ROUTES

TEXT = (ROOT / "docs" / "projections.md").read_text()
METRICS = (ROOT / "docs" / "metrics.md").read_text()


def first_cells(heading: str, text: str = TEXT) -> list[str]:
    """The first column of the table under the column heading."""
    rows = text.split(f"| {heading} |")[1].split("\n\n", maxsplit=1)[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_a_snippet_does_what_it_says(snippet: str):
    names: dict[str, Any] = {}
    exec(snippet, names)


@pytest.mark.parametrize(
    ("heading", "words"),
    [("status", PhaseStatus), ("contract", Contract), ("link status", LinkStatus), ("category", Category)],
)
def test_a_table_says_every_word_that_can_be_answered_and_no_other(heading: str, words: object):
    assert first_cells(heading) == list(get_args(words))


def test_every_outcome_of_a_promise_is_explained():
    for word in get_args(Outcome):
        assert f"`{word}`" in TEXT


def test_every_module_that_is_named_is_there():
    named = re.findall(r"`((?:projections|handlers)/\w+\.py)`", TEXT)

    assert named
    assert all((ROOT / name).is_file() for name in named)


def asked_ways() -> list[tuple[str, str, str]]:
    """The verb, the routes and the function of every question."""
    table = TEXT.split("| question | asked with |")[1].split("\n\n", maxsplit=1)[0]
    rows = [[cell.strip() for cell in row.split("|")[2:5]] for row in table.splitlines()[2:]]
    return [(verb.strip("`"), routes, function.strip("`")) for verb, routes, function in rows]


@pytest.mark.parametrize(("verb", "routes", "function"), asked_ways())
def test_every_question_is_answered_by_a_verb_a_route_and_a_function_with_a_documented_result(
    verb: str, routes: str, function: str
):
    described = {path for _method, path in ROUTES}
    of_date = "/v1/pipelines/{sport}/{game_date}"
    module, _, name = function.rpartition(".")
    result = get_type_hints(getattr(import_module(module), name))["return"]
    kinds = [kind for kind in (result, *get_args(result)) if isinstance(kind, type) and issubclass(kind, Struct)]

    assert verb == "--at" or tipoff(*verb.split(), "--help").code == 0
    for route in re.findall(r"`([^`]+)`", routes):
        assert route == "?at=" or route.replace("…", of_date) in described
    assert kinds, "the result has a type"
    assert all(kind.__doc__ for kind in kinds), "which says what it is"


def test_every_projection_that_answers_over_http_is_among_the_questions():
    asked = {verb for verb, _routes, _function in asked_ways()}
    routes = " ".join(routes for _verb, routes, _function in asked_ways()).replace(
        "…", "/v1/pipelines/{sport}/{game_date}"
    )

    assert {path for method, path in ROUTES if method == "get" and path.startswith("/v1/")} <= set(
        re.findall(r"`([^`]+)`", routes)
    )
    assert {"health", "heartbeats", "reconcile", "report", "levels", "rejected", "replay"} <= asked


def test_every_link_is_in_the_table_of_links():
    assert first_cells("link") == [f"{stage.source} → {stage.target}" for stage in STAGES]


def said_metrics() -> list[Metric]:
    driver = good_date()
    found = levels([(driver.events, driver.state, driver.definition)], now=moment("2026-02-01T00:00Z"))
    return list(found.periods[0].metrics)


def test_the_page_of_metrics_and_the_result_name_the_same_ones():
    assert first_cells("metric", METRICS) == [metric.name for metric in said_metrics()]


def test_the_page_of_metrics_has_the_targets_that_are_in_force():
    shown = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", METRICS.split("\n\n## ")[0], re.MULTILINE))

    assert shown == {name: words(target) for name, target in metric_targets(nba()).items()}


def words(target: Target) -> str:
    """A target as the page writes it."""
    side = "below" if target.below else "at least"
    if target.unit == "share":
        return f"{side} {target.value:.0%}".replace("%", " %")
    return f"{side} {target.value:g} {'min' if target.unit == 'minutes' else 'a day'}"


def test_every_cause_whose_beginning_is_defined_is_on_the_page():
    cells = first_cells("cause", METRICS)

    assert re.findall(r"\w+", " ".join(cells[:-1])) == list(BEGAN)
