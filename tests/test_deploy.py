"""What is deployed is what the program needs, no more, and says the same everywhere it is said.

`terraform validate` runs against the schema of provider hashicorp/google 6.50.0 (`tests/terraform/`): names, types,
what is required, references and expressions are held; rules that only the provider itself knows are not.
"""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

import pytest

from handlers.definitions import load
from handlers.overrides import OVERRIDES
from handlers.pubsub.wanted import wanted
from handlers.settings import SETTINGS, read
from tests.conftest import ROOT
from tests.terraform.extract import SCHEMA, used
from tests.terraform.running import CONFIGURATION, Terraform, terraform
from tests.test_project import locked
from tests.test_runbook import typed

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
KNOWN = {setting.name for setting in SETTINGS} | {override.name for override in OVERRIDES}
SECRETS = {setting.name for setting in SETTINGS if setting.secret}

ROLES = {
    "roles/bigquery.dataEditor": "exports into its own dataset",
    "roles/bigquery.dataViewer": "measures the datasets it is given",
    "roles/bigquery.jobUser": "runs queries and load jobs",
    "roles/datastore.user": "reads and writes its own database",
    "roles/iam.serviceAccountTokenCreator": "lets Pub/Sub make the tokens of pushes",
    "roles/pubsub.publisher": "commands, and dead letters",
    "roles/pubsub.subscriber": "messages, and dead letters",
    "roles/secretmanager.secretAccessor": "its own secrets",
}
"""Every role that is granted, and what for."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The configuration as it is."""
    return terraform(tmp_path_factory.mktemp("terraform"))


def text() -> str:
    """The whole configuration."""
    return "\n".join(path.read_text() for path in sorted(CONFIGURATION.glob("*.tf")))


# --- Terraform -----------------------------------------------------------------------------------------------------


def test_terraform_finds_nothing_wrong_and_nothing_to_format(cloud: Terraform):
    assert cloud.validate() == []
    assert cloud.formatted()


@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [
        ("service.tf", "container_port = 8080", "container_prt = 8080", "Unsupported argument"),
        ("service.tf", "liveness_probe {", "liveliness_probe {", "Unsupported block type"),
        ("service.tf", 'name     = "tipoff"', "", "Missing required argument"),
        ("service.tf", "google_service_account.service.email", "google_service_account.servant.email", "undeclared"),
        ("service.tf", "max_instance_request_concurrency = 250", 'max_instance_request_concurrency = "many"', "number"),
        ("schedule.tf", ".uri}/v1/tick", ".url}/v1/tick", "Unsupported attribute"),
        ("firestore.tf", "daily_recurrence {}", "daily_recurrence {}\n  daily_recurrence {}", "Too many"),
        ("watch.tf", "var.notified", "var.notifed", "undeclared"),
        ("schedule.tf", '"google_cloud_scheduler_job"', '"google_cloud_scheduler_jobs"', "Invalid resource type"),
    ],
)
def test_validation_finds_what_is_wrong(tmp_path: Path, file: str, right: str, wrong: str, said: str):
    cloud = terraform(tmp_path)
    path = cloud.folder / file
    before = path.read_text()
    assert right in before
    path.write_text(before.replace(right, wrong, 1))
    found = cloud.validate()
    assert found
    assert any(said in finding for finding in found), found


def test_the_schema_is_that_of_everything_that_is_used():
    schema = json.loads(SCHEMA.read_text())
    assert [(kind, name) for kind, name in used(CONFIGURATION) if name not in schema[kind]] == []


def test_each_role_that_is_granted_has_its_reason_and_none_is_for_everybody():
    assert set(re.findall(r'"(roles/[^"]+)"', text())) == set(ROLES)
    assert re.findall(r"allUsers|allAuthenticatedUsers|roles/(?:owner|editor|viewer)\b", text()) == []


def test_what_is_granted_to_a_project_is_only_what_cannot_be_granted_below_it():
    granted = re.findall(r'resource "google_project_iam_member" "(\w+)" \{\n.*?role\s+= "([^"]+)"', text(), re.DOTALL)
    assert dict(granted) == {
        "service_runs_queries": "roles/bigquery.jobUser",
        "service_stores": "roles/datastore.user",
    }


def test_no_value_of_a_secret_is_in_the_configuration_or_passes_through_it(cloud: Terraform):
    assert "google_secret_manager_secret_version" not in text()
    assert set(cloud.evaluate("local.secrets")) == SECRETS
    with pytest.raises(ValueError, match="quiet night"):
        cloud.evaluate("var.secrets", secrets='["TIPOFF_OPERATOR_TOKENS"]')


def test_a_watch_of_each_kind_tells_somebody(cloud: Terraform):
    assert text().count('resource "google_monitoring_alert_policy"') == text().count("= local.people\n")
    with pytest.raises(ValueError, match="tells nobody"):
        cloud.evaluate("var.notified", notified="[]")


def test_nothing_that_was_recorded_expires():
    assert re.findall(r"ttl_config|default_table_expiration|expiration_ms", text()) == []
    assert 'delete_protection_state           = "DELETE_PROTECTION_ENABLED"' in text()


# --- what the service is told --------------------------------------------------------------------------------------


def test_every_name_that_is_set_is_known_to_the_program(cloud: Terraform):
    names = set(cloud.evaluate("keys(local.settings)"))
    staged = cloud.evaluate("local.stages").values()
    assert (names | {name for stage in staged for name in stage}) - KNOWN == set()


def test_the_settings_parse(cloud: Terraform):
    said = cloud.evaluate(
        "{ for name, value in local.settings : name => value if !contains("
        '["TIPOFF_PUSH_ACCOUNTS", "TIPOFF_STORE"], name) }'
    )
    settings = read({**said, "TIPOFF_PUSH_ACCOUNTS": "a@b.example,c@d.example", "TIPOFF_STORE": "firestore:p/tipoff"})
    assert settings.http_host == "0.0.0.0"
    assert settings.push_audience == settings.operator_audience == "tipoff-tipoff-test"
    assert settings.operator_accounts == ("ana@example.org",)


@pytest.mark.parametrize(
    ("stage", "starts", "gates", "heals"),
    [
        ("observe", False, {"disabled"}, {"off"}),
        ("gates_warn", False, {"warning"}, {"off"}),
        ("gates_block", True, {"blocking", "warning"}, {"off"}),
        ("heal_on_approval", True, {"blocking", "warning"}, {"approval"}),
        ("self_heal", True, {"blocking", "warning"}, {"automatic", "approval"}),
    ],
)
def test_a_stage_is_what_it_is_called(cloud: Terraform, stage: str, starts: bool, gates: set[str], heals: set[str]):
    nba = load("nba", cloud.evaluate("local.stages")[stage])
    assert any(phase.commands for phase in nba.phases) is starts
    assert {gate.mode for gate in nba.gates} == gates
    assert {heal.mode for heal in nba.heals} == heals


def test_a_stage_that_is_none_is_refused(cloud: Terraform):
    with pytest.raises(ValueError, match="The stages are"):
        cloud.evaluate("var.stage", stage="production")


def test_an_image_without_its_digest_is_refused(cloud: Terraform):
    with pytest.raises(ValueError, match="digest"):
        cloud.evaluate("var.image", image="example.org/tipoff:latest")


def test_topics_and_subscriptions_are_those_of_the_definition():
    nba = wanted([load("nba")])
    assert json.loads((CONFIGURATION / "topics.auto.tfvars.json").read_text()) == {
        "dead_letter_topics": [topic.name for topic in nba.topics if topic.purpose == "dead_letters"],
        "publish_topics": [topic.name for topic in nba.topics if topic.purpose == "commands"],
        "pull_subscriptions": [item.name for item in nba.subscriptions if item.dead_letter_topic is not None],
    }


# --- Firestore -----------------------------------------------------------------------------------------------------


def test_the_indexes_of_terraform_and_of_the_emulator_are_the_same(cloud: Terraform):
    said = json.loads((CONFIGURATION / "firestore.indexes.json").read_text())
    indexes = {
        item["collectionGroup"]: {
            "scope": item["queryScope"],
            "fields": [field["fieldPath"] for field in item["fields"]],
        }
        for item in said["indexes"]
    }
    assert indexes == cloud.evaluate("local.indexes")
    assert {field["order"] for item in said["indexes"] for field in item["fields"]} == {"ASCENDING"}
    without: dict[str, list[str]] = {}
    for item in said["fieldOverrides"]:
        assert item["indexes"] == []
        without.setdefault(item["collectionGroup"], []).append(item["fieldPath"])
    assert without == cloud.evaluate("local.unindexed")


def test_no_field_that_a_query_asks_for_alone_is_without_an_index(cloud: Terraform):
    unindexed = cloud.evaluate("local.unindexed")
    assert "version" not in unindexed["events"]  # the events of a stream, in order
    assert {"stream", "next_deadline"} & set(unindexed["streams"]) == set()  # heads by name, and what is due
    source = (ROOT / "events" / "firestore.py").read_text()
    asked = set(re.findall(r'(?:FieldFilter|order_by)\("(\w+)"', source))
    assert asked == {"version", "stream", "next_deadline", "committed_at", "requested_at", "place"}


def test_every_field_that_is_stored_is_asked_for_or_exempt(cloud: Terraform):
    source = (ROOT / "events" / "firestore.py").read_text()
    stored = set(re.findall(r'^ +"(\w+)": ', source, re.MULTILINE)) | {"requested_at"}
    exempt = {name for fields in cloud.evaluate("local.unindexed").values() for name in fields}
    assert stored - exempt == {"next_deadline"}  # the only one that has its own everywhere


# --- the image -----------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, each on one line, in order."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def said(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def environment() -> Mapping[str, str]:
    return dict(pair.split("=", 1) for line in said("ENV") for pair in line.split())


def test_the_base_is_pinned_and_both_stages_have_the_same():
    [argument] = said("ARG")
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", argument)
    assert {line.split(" ")[0] for line in said("FROM")} == {"${PYTHON_IMAGE}"}


def test_it_does_not_run_as_root():
    users = [(place, rest) for place, (word, rest) in enumerate(instructions()) if word == "USER"]
    [(place, user)] = users
    assert all(int(number) > 0 for number in user.split(":"))
    assert place < [word for word, _rest in instructions()].index("ENTRYPOINT")
    assert "RUN" not in [word for word, _rest in instructions()[place:]]


def test_signals_reach_the_program_for_no_shell_stands_between():
    for word in ("ENTRYPOINT", "CMD"):
        [line] = said(word)
        assert isinstance(json.loads(line), list)
    assert json.loads(said("ENTRYPOINT")[0]) == ["tipoff"]
    assert json.loads(said("HEALTHCHECK")[0].partition("CMD ")[2])[0] == "python"


def test_everything_that_is_copied_exists_and_passes_the_ignore_file():
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    passed = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    copied = [path.removeprefix("./") for line in said("COPY") if "--from" not in line for path in line.split()[:-1]]
    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert [path for path in copied if not any(fnmatch(path, rule) for rule in passed)] == []
    assert sorted(passed) == sorted(copied)


def test_what_is_installed_is_pinned_by_hash_and_runs_nothing_of_development():
    installs = [line for line in said("RUN") if "pip install" in line]
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
    image, product = locked("requirements-image.lock"), locked("requirements.lock")
    assert {name: version for name, version in image.items() if product.get(name) != version} == {}
    assert {"pytest", "mypy", "ruff", "hypothesis", "schemathesis", "import-linter"} & image.keys() == set()
    assert {"litestar", "uvicorn", "google-cloud-firestore", "google-cloud-pubsub", "slack-sdk"} <= image.keys()


def test_the_image_listens_where_the_service_is_asked(cloud: Terraform):
    port = environment()["TIPOFF_HTTP_PORT"]
    assert said("EXPOSE") == [port]
    assert cloud.evaluate("local.settings.TIPOFF_HTTP_PORT") == port
    assert f"container_port = {port}" in text()
    assert f":{port}/healthz" in said("HEALTHCHECK")[0]
    assert {name for name in environment() if name.startswith("TIPOFF_")} <= KNOWN


def test_what_the_service_is_started_with_can_be_typed():
    [words] = re.findall(r"^ +args += (\[.*?\])", text(), re.MULTILINE)
    for arguments in (json.loads(words), json.loads(said("CMD")[0])):
        typed(shlex.join(["tipoff", *arguments]))


def test_the_image_holds_no_secret():
    assert set(environment()) & SECRETS == set()
    assert re.findall(r"(?i)password|secret|api.?key", DOCKERFILE.read_text()) == []


def test_the_snippet_that_names_what_is_granted_prints_what_is_here(capsys: pytest.CaptureFixture[str]):
    [code] = re.findall(
        r"^   ```python\n(.*?)^   ```", (ROOT / "deploy" / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    exec(compile(textwrap.dedent(code), "deploy/README.md", "exec"), {})
    assert capsys.readouterr().out == (CONFIGURATION / "topics.auto.tfvars.json").read_text()
