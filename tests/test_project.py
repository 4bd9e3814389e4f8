"""The repository tidies itself: rules about the code that no other tool here holds.

Each rule is a small function from a syntax tree to findings. It is tried on code that breaks it, then on all
that we ship (after TigerBeetle's `tidy`). A finding names file and line, and all are shown at once.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

PURE = ("statemachine", "projections")
SHIPPED = ("events", *PURE, "handlers", "main.py")
FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400

BROAD_CATCHES: dict[str, str] = {
    "handlers/cli/app.py:run": "the edge of the command line: what nobody expected is said as an internal error",
    "handlers/cli/dlq.py:_replayed": "a dead letter that breaks the recording is said, and stays where it is",
    "handlers/dispatcher.py:_sweeps": "a sweep or a self-test that failed is logged, and made again",
    "handlers/dispatcher.py:_run": "a batch that could not be sent is logged, and sent again",
    "handlers/doctor/examination.py:_look": "what a check of the doctor raises is its diagnosis, and hides no other",
    "handlers/http/identity.py:verify": "a token that cannot be verified, in whatever way, identifies nobody",
    "handlers/intake.py:_answer": "whoever asked the recorder is told what went wrong",
    "handlers/intake.py:_run": "the recording thread never dies: what failed beside a commit is logged",
    "handlers/intake.py:_observed": "an observer that fails is logged, and stops no recording",
    "handlers/intake.py:_commit": "whoever sent something that cannot be recorded is told, and nobody else",
    "handlers/pubsub/pull.py:_keep": "a stream that could not be opened is logged, and opened again",
    "handlers/ticker.py:_run": "a tick that failed is logged, and made up for by the next",
    "handlers/verification.py:_decision": "an input that was recorded and cannot be decided again is a finding",
    "handlers/verification.py:_fold": "an event that cannot be folded is a finding",
}
"""Edges that may catch everything, because they record what they caught: "file:function" -> the reason."""

CLOCK_AND_CHANCE = re.compile(
    r"(time|random|secrets)\..*"
    r"|datetime\.datetime\.(now|utcnow|today)|datetime\.date\.today"
    r"|uuid\.(uuid1|uuid4|getnode)|os\.(urandom|environ|getenv)"
)
MACHINE_BUILTINS = {"hash", "id", "input", "open", "print"}  # differ between runs, or reach outside
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|root|home|Users)/\w")

Finding = tuple[int, str]
Rule = Callable[[ast.Module], Iterator[Finding]]


def names_in(tree: ast.Module) -> dict[str, str]:
    """What each imported name of a module stands for: `{"dt": "datetime.datetime"}`."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.split(".")[0]
                names[name] = alias.name if alias.asname else name
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def full_name(node: ast.expr, names: dict[str, str]) -> str:
    """`datetime.datetime.now` for `dt.now`, after `from datetime import datetime as dt`; else empty."""
    if isinstance(node, ast.Attribute):
        owner = full_name(node.value, names)
        return owner and f"{owner}.{node.attr}"
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""


def impurities(tree: ast.Module) -> Iterator[Finding]:
    """Clocks, chance, and whatever differs between machines, runs and hash seeds (design 3, 8.12)."""
    names = names_in(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and CLOCK_AND_CHANCE.fullmatch(full_name(node, names)):
            yield node.lineno, full_name(node, names)
        elif isinstance(node, ast.Call):
            called, bare = node.func, not (node.args or node.keywords)
            if isinstance(called, ast.Name) and called.id in MACHINE_BUILTINS:
                yield node.lineno, f"{called.id}()"
            elif isinstance(called, ast.Attribute) and called.attr == "astimezone" and bare:
                yield node.lineno, "astimezone() in the zone of the machine"


def is_broad(caught: ast.expr | None) -> bool:
    """Whether an `except` clause takes everything."""
    if isinstance(caught, ast.Tuple):
        return any(is_broad(part) for part in caught.elts)
    return caught is None or (isinstance(caught, ast.Name) and caught.id in ("Exception", "BaseException"))


def broad_catches(tree: ast.Module) -> Iterator[Finding]:
    """Errors of any kind that are swallowed. A clause that ends in a bare `raise` swallows nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and is_broad(node.type):
            last = node.body[-1]
            if not (isinstance(last, ast.Raise) and last.exc is None):
                yield node.lineno, function_around(tree, node.lineno)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            for _ in filter(is_broad, node.args):
                yield node.lineno, function_around(tree, node.lineno)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def function_around(tree: ast.Module, line: int) -> str:
    """The name of the innermost function that holds a line."""
    around = [node for node in functions(tree) if node.lineno <= line <= (node.end_lineno or 0)]
    return max(around, key=lambda node: node.lineno).name if around else "<module>"


def long_functions(tree: ast.Module) -> Iterator[Finding]:
    """Functions that do not fit on a page."""
    for node in functions(tree):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES_MAX:
            yield node.lineno, f"{node.name} has {length} lines"


def modules(*places: str) -> list[Path]:
    return [path for place in places for path in (sorted((ROOT / place).rglob("*.py")) or [ROOT / place])]


def findings(rule: Rule, paths: list[Path]) -> list[str]:
    """What a rule finds, as `file:line: what`."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {what}" for path in paths for line, what in rule(ast.parse(path.read_text()))
    ]


def repository_files() -> list[Path]:
    """Every file that is, or is about to be, in the repository."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout: what belongs to the repository is asked of git")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


LONG = "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX
TRY = "def f():\n    try: pass\n    "


@pytest.mark.parametrize(
    ("rule", "code", "expected"),
    [
        (impurities, "from datetime import datetime as dt\ndt.now(zone)", 1),
        (impurities, "import datetime\ndatetime.date.today()", 1),
        (impurities, "from uuid import uuid4\nid_factory = uuid4", 1),
        (impurities, "import time as clock\nclock.monotonic()", 1),
        (impurities, "from random import choice\nchoice(x)", 1),
        (impurities, "hash(x), moment.astimezone()", 2),
        (impurities, "from datetime import time, datetime\ntime(7), datetime.fromisoformat(s), state.now", 0),
        (impurities, "from uuid import uuid5\nuuid5(a, b), moment.astimezone(zone)", 0),
        (broad_catches, TRY + "except: pass", 1),
        (broad_catches, TRY + "except (KeyError, Exception): log()", 1),
        (broad_catches, "with contextlib.suppress(Exception): f()", 1),
        (broad_catches, TRY + "except BaseException:\n        undo()\n        raise", 0),
        (broad_catches, TRY + "except KeyError: pass", 0),
        (long_functions, LONG, 1),
        (long_functions, LONG.removesuffix("    x = 1\n"), 0),
    ],
)
def test_a_rule_finds_what_breaks_it_and_nothing_else(rule: Rule, code: str, expected: int) -> None:
    assert len(list(rule(ast.parse(code)))) == expected


def test_the_pure_folders_know_no_clock_no_chance_and_no_machine() -> None:
    assert findings(impurities, modules(*PURE)) == []


def test_only_listed_edges_catch_everything() -> None:
    found = {re.sub(r":\d+: ", ":", finding) for finding in findings(broad_catches, modules(*SHIPPED))}
    assert found == set(BROAD_CATCHES)


def test_every_function_fits_on_a_page_and_every_module_in_one_sitting() -> None:
    paths = modules(*SHIPPED)
    lengths = {path.relative_to(ROOT).as_posix(): path.read_text().count("\n") for path in paths}

    assert findings(long_functions, paths) == []
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES_MAX} == {}


def test_no_file_names_a_path_of_one_machine() -> None:
    found = []
    for path in repository_files():
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in MACHINE_PATH.finditer(text)]

    assert found == []


def test_a_decision_has_a_number_of_its_own_and_says_context_decision_and_consequences() -> None:
    pages = sorted((ROOT / "docs" / "decisions").iterdir())
    headings = {page.name: re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE) for page in pages}

    assert [name for name in headings if not re.fullmatch(r"\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md", name)] == []
    assert [int(name[:4]) for name in headings] == list(range(1, len(pages) + 1))
    assert {n: h for n, h in headings.items() if h != ["Context", "Decision", "Consequences"]} == {}


def locked(name: str) -> dict[str, str]:
    """Versions by package of a lock file. Fails where a package is not pinned to hashes."""
    text = (ROOT / name).read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    pins = [re.match(r"([a-z0-9-]+)==([^ ]+)( ;[^#]*?)?( +--hash=sha256:[0-9a-f]{64})+ *$", line) for line in lines]

    assert [line for line, pin in zip(lines, pins, strict=True) if pin is None] == []
    return {pin[1]: pin[2] for pin in pins if pin}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-image.lock", "requirements-bench.lock"])
def test_a_lock_pins_hashes_and_names_no_place_to_fetch_from(name: str) -> None:
    assert locked(name)
    assert re.findall(r".*(?:://|file:|index-url|find-links|trusted-host).*", (ROOT / name).read_text()) == []


def test_the_locks_satisfy_what_the_project_asks_for_and_agree_with_each_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    product, peers = locked("requirements.lock"), locked("requirements-bench.lock")
    extras = project["optional-dependencies"]
    asked = {
        "requirements.lock": (product, project["dependencies"] + extras["cloud"] + extras["dev"]),
        "requirements-bench.lock": (peers, project["dependencies"] + extras["bench"]),
    }
    for name, (pins, lines) in asked.items():
        wanted = [Requirement(line) for line in lines]
        assert [str(r) for r in wanted if not r.specifier.contains(pins.get(r.name, "0"))] == [], name
    assert {name for name in product.keys() & peers.keys() if product[name] != peers[name]} == set()
    assert not {Requirement(line).name for line in extras["bench"]} & product.keys()


def test_folders_import_only_what_the_design_allows() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
