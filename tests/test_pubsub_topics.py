"""Topics: what the definitions want, what differs from it, and that applying a plan leaves nothing to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers import definitions
from handlers.pubsub.drift import DELETED_TOPIC, FIXED, Existing, Plan, after, plan
from handlers.pubsub.project import existing, take
from handlers.pubsub.wanted import (
    DEAD_LETTERS,
    PREFIX,
    Push,
    Subscription,
    is_topic,
    native_topic,
    sources,
    subscription_of,
    topic_of,
    wanted,
)
from tests.command_line import Ran, tipoff
from tests.pubsub import Project, project

DEFINITIONS = tuple(definitions.load(name, {}) for name in ("nba", "mlb"))
PUSH = Push(endpoint="https://tipoff.example/v1/pubsub/push", account="push@tipoff.example", audience="tipoff")
WANTED = wanted(DEFINITIONS)

pushes = st.none() | st.builds(Push, endpoint=st.sampled_from(["https://a.example/", "https://b.example/"]))
seconds = st.integers(10, 600)


@st.composite
def subscriptions(draw: st.DrawFn) -> Subscription:
    """One of the wanted, a stray or somebody else's, with any properties."""
    name = draw(st.sampled_from([item.name for item in WANTED.subscriptions] + ["tipoff-stray", "nba-phase2-raw-sub"]))
    topic = draw(st.sampled_from([topic_of(name), "another", DELETED_TOPIC]))
    return Subscription(
        name=name,
        topic=DEAD_LETTERS if name == DEAD_LETTERS else topic,
        push=draw(pushes),
        ack_seconds=draw(seconds),
        ordered=draw(st.booleans()),
        dead_letter_topic=draw(st.none() | st.just("elsewhere")),
        attempts_max=draw(st.none() | st.integers(5, 100)),
        backoff_min_seconds=draw(st.none() | seconds),
        backoff_max_seconds=draw(st.none() | seconds),
        expires_seconds=draw(st.none() | st.just(86_400)),
    )


@st.composite
def projects(draw: st.DrawFn) -> Existing:
    """Whatever may be in a project."""
    topics = draw(st.frozensets(st.sampled_from([topic.name for topic in WANTED.topics] + ["another"])))
    there = draw(st.lists(subscriptions(), unique_by=lambda item: item.name, max_size=6))
    heard = draw(st.frozensets(st.sampled_from(sorted(topics)))) if topics else frozenset()
    return Existing(topics=topics, heard=heard, subscriptions={item.name: item for item in there})


# --- what is wanted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda item: item.name)
def test_every_topic_of_a_definition_is_wanted_and_every_one_that_brings_messages_has_a_subscription(definition):
    goal = wanted([definition])
    commanded = {spec.topic for phase in definition.phases for spec in phase.commands}
    commanded |= {heal.command.topic for heal in definition.heals}
    reported = {phase.complete_topic for phase in definition.phases if phase.complete_topic} | set(definition.topics)
    names = {topic.name for topic in goal.topics}

    assert {name for name in commanded | reported if is_topic(name)} <= names
    assert native_topic(definition.sport) in names
    assert not [name for name in names if ":" in name]
    assert {item.topic for item in goal.subscriptions} == {name for name in reported if is_topic(name)} | {
        native_topic(definition.sport),
        DEAD_LETTERS,
    }
    assert {(item.subscription, item.topic) for item in sources([definition])} == {
        (item.name, item.topic) for item in goal.subscriptions if item.name != DEAD_LETTERS
    }


def test_what_is_refused_for_good_ends_where_somebody_can_look_at_it():
    dead = {item.dead_letter_topic for item in WANTED.subscriptions} - {None}
    assert dead == {DEAD_LETTERS}
    assert [item.dead_letter_topic for item in WANTED.subscriptions if item.topic == DEAD_LETTERS] == [None]


def test_no_subscription_of_ours_expires_in_the_off_season():
    assert {item.expires_seconds for item in WANTED.subscriptions} == {None}


@given(st.sampled_from([topic.name for topic in WANTED.topics]))
def test_a_subscription_names_its_topic(topic):
    assert topic_of(subscription_of(topic)) == topic
    assert topic_of(f"projects/p/subscriptions/{subscription_of(topic)}") == topic


# --- the difference, as values --------------------------------------------------------------------------------------


@given(projects(), pushes)
def test_an_applied_plan_leaves_nothing_to_do_and_deletes_nothing(there, push):
    goal = wanted(DEFINITIONS, push)
    first = plan(goal, there)
    then = after(there, first.steps)
    again = plan(goal, then)

    assert again.steps == ()
    assert there.topics <= then.topics
    assert there.subscriptions.keys() <= then.subscriptions.keys()
    for item in goal.subscriptions:
        differing = replace(then.subscriptions[item.name], topic=item.topic, ordered=item.ordered)
        assert differing == item


@given(projects())
def test_what_apply_cannot_mend_is_found_before_and_after_it(there):
    first = plan(WANTED, there)
    again = plan(WANTED, after(there, first.steps))

    def beyond_us(found: Plan) -> set[tuple[str, str]]:
        return {(item.kind, item.name) for item in found.findings if item.kind != "unheard"}

    assert beyond_us(again) == beyond_us(first)
    fixed = {name for kind, name in beyond_us(first) if kind in ("fixed", "detached")}
    goal = {item.name: item for item in WANTED.subscriptions}
    assert fixed == {
        name
        for name, item in there.subscriptions.items()
        if name in goal and any(getattr(item, field) != getattr(goal[name], field) for field in FIXED)
    }
    strays = {name for name in there.subscriptions if name.startswith(PREFIX) and name not in goal}
    assert {name for kind, name in beyond_us(first) if kind == "stray"} == strays


@given(projects())
def test_a_command_that_nobody_would_hear_is_said(there):
    commands = {topic.name for topic in WANTED.topics if topic.purpose == "commands"}
    unheard = {item.name for item in plan(WANTED, there).findings if item.kind == "unheard"}
    assert unheard == commands - there.heard


# --- on the emulator ------------------------------------------------------------------------------------------------


@pytest.fixture
def here(pubsub_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with project(pubsub_host, monkeypatch) as fresh:
        yield fresh


def topics(here: Project, *words: str, **environ: str) -> Ran:
    return tipoff("topics", *words, environ={"TIPOFF_PUBSUB_PROJECT": here.broker.project, **environ})


def test_an_empty_project_becomes_what_is_wanted_and_stays_it(here: Project):
    planned = topics(here, "plan", "--json")
    applied = topics(here, "apply", "--json")
    again = topics(here, "apply", "--json")

    assert (planned.code, applied.code) == (1, 1)  # nobody hears the commands yet
    assert planned.json["steps"] == applied.json["steps"]
    assert len(applied.json["steps"]) == len(WANTED.topics) + len(WANTED.subscriptions)
    assert again.json["steps"] == []
    assert {item["kind"] for item in again.json["findings"]} == {"unheard"}
    assert plan(WANTED, existing(here.broker, WANTED)).steps == ()


def test_once_somebody_hears_every_command_there_is_nothing_left_to_say(here: Project):
    topics(here, "apply")
    for topic in WANTED.topics:
        if topic.purpose == "commands":
            here.subscribe(Subscription(name=f"work-{topic.name}", topic=topic.name))
    found = topics(here, "plan")
    assert found.code == 0
    assert "everything is as the definitions want it" in found.out


def test_what_somebody_changed_by_hand_is_said_and_put_right(here: Project):
    topics(here, "apply")
    name = subscription_of("nba-phase2-raw-complete")
    right = existing(here.broker, WANTED).subscriptions[name]
    wrong = replace(right, ack_seconds=17, dead_letter_topic="nba-tipoff", attempts_max=7, push=PUSH)
    take(here.broker, plan(only(wrong), Existing(topics=frozenset(), subscriptions={name: right})).steps[0])

    found = topics(here, "plan")
    assert found.code == 1
    for words in (name, "ack_seconds: 17 → 60", "attempts_max: 7 → 15", f"push to {PUSH.endpoint}", "→ none"):
        assert words in found.out
    topics(here, "apply")
    assert existing(here.broker, WANTED).subscriptions[name] == right


def only(subscription: Subscription):
    return replace(WANTED, topics=(), subscriptions=(subscription,))


def test_pull_becomes_push_and_pull_again_without_a_new_subscription(here: Project):
    pushed = {
        "TIPOFF_PUBSUB_PUSH_ENDPOINT": PUSH.endpoint,
        "TIPOFF_PUSH_ACCOUNTS": PUSH.account,
        "TIPOFF_PUSH_AUDIENCE": PUSH.audience,
    }
    topics(here, "apply")
    steps = topics(here, "apply", "--json", **pushed).json["steps"]
    assert {step["action"] for step in steps} == {"change_subscription"}
    there = existing(here.broker, WANTED).subscriptions
    assert {item.push for item in there.values() if item.name != DEAD_LETTERS} == {PUSH}
    topics(here, "apply")
    assert {item.push for item in existing(here.broker, WANTED).subscriptions.values()} == {None}


def test_a_subscription_whose_topic_was_deleted_is_said(here: Project):
    topics(here, "apply")
    here.broker.publisher.delete_topic(topic=here.broker.topic("nba-phase2-raw-complete"))
    found = topics(here, "apply", "--json")
    assert found.code == 1
    assert [step["name"] for step in found.json["steps"]] == ["nba-phase2-raw-complete"]
    detached = [item for item in found.json["findings"] if item["kind"] == "detached"]
    assert [item["name"] for item in detached] == [subscription_of("nba-phase2-raw-complete")]


def test_without_a_project_or_a_broker_the_next_step_is_said(monkeypatch: pytest.MonkeyPatch):
    nowhere = tipoff("topics", "plan")
    assert (nowhere.code, "TIPOFF_PUBSUB_PROJECT" in nowhere.err) == (64, True)
