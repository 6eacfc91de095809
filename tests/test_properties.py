"""Random sequences of intents against a model: what status, history and verify say is what the model says."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from support.cli import Ran, headgate
from support.manifests import ManifestRepository
from support.stage import make_promoted

ENVIRONMENTS = st.sampled_from(["dev", "production"])
REFUSED = 27


@dataclass
class Place:
    """What the model knows of one environment: numbers are versions, in the order of the app's history."""

    running: int = 0
    newest: int = 0
    waiting: int = 0
    pinned: bool = False
    frozen: bool = False
    ran: list[int] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether nothing reaches it by itself."""
        return self.pinned or self.frozen

    def take(self, number: int) -> None:
        """Run a version."""
        if number != self.running:
            self.ran.append(number)
        self.running = number
        self.newest = max(self.newest, number)
        self.waiting = 0

    def before(self) -> int:
        """Return the version that one step back leads to, or 0."""
        return next((number for number in reversed(self.ran) if number != self.running), 0)


class Intents(RuleBasedStateMachine):
    """Deliver, promote, roll back, pin, unpin, freeze, thaw, in any order."""

    def __init__(self) -> None:
        """Make the repositories."""
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="headgate-test-"))
        manifests = ManifestRepository.make(self.folder / "manifests")
        self.stage = make_promoted(self.folder, manifests, takes="[{promotion: dev}, {branch: main}]")
        self.commits: list[str] = []
        self.places = {"dev": Place(), "production": Place()}
        self.texts: dict[tuple[str, int], str] = {}

    def teardown(self) -> None:
        """Remove the repositories."""
        shutil.rmtree(self.folder)

    def run(self, *args: str, refused: bool = False) -> Ran:
        """Run a command; it must end as the model expects."""
        ran = headgate(*args, "--manifests", str(self.stage.remote))
        assert ran.code == (REFUSED if refused else 0), ran.out + ran.err
        return ran

    def data(self, *args: str) -> Any:
        """Run a command and return its JSON."""
        return json.loads(self.run(*args, "--json").out)

    @rule()
    def build(self) -> None:
        """Commit a new version of the app."""
        self.commits.append(self.stage.build(len(self.commits) + 1))

    @precondition(lambda self: self.commits)
    @rule(back=st.integers(0, 2), now=st.booleans())
    def deliver(self, back: int, now: bool) -> None:
        """Hand one of the last versions off."""
        number = max(1, len(self.commits) - back)
        ran = self.stage.hand_off(self.commits[number - 1], number, *(["--now"] if now else []))
        assert ran.code == 0, ran.out + ran.err
        for place in self.places.values():
            newest = max(place.newest, place.waiting)
            restores = now and number == newest and number != place.running
            if number <= newest and not restores:
                continue
            if place.held and not now:
                place.waiting = number
            else:
                place.take(number)
                place.pinned = False if now else place.pinned

    @rule()
    def promote(self) -> None:
        """Promote from dev to production."""
        source, target = self.places["dev"], self.places["production"]
        comparable = not target.running or target.running == source.running or target.running in source.ran
        older = source.running < target.running
        refused = not source.running or target.held or not comparable or older
        self.run("promote", "web", "--from", "dev", "--to", "production", refused=refused)
        if not refused and source.running != target.running:
            target.take(source.running)

    @rule(environment=ENVIRONMENTS)
    def roll_back(self, environment: str) -> None:
        """Go one step back."""
        place = self.places[environment]
        rolled_back = place.pinned and place.running != place.newest
        refused = not place.before() or rolled_back
        args = ("roll-back", "web", "--environment", environment, "--reason", "slow", "--by", "Ada")
        self.run(*args, refused=refused)
        if not refused:
            waiting = place.waiting
            place.take(place.before())
            place.waiting, place.pinned = waiting, True

    @rule(environment=ENVIRONMENTS)
    def pin(self, environment: str) -> None:
        """Keep an app where it is."""
        if self.places[environment].running:
            self.run("pin", "web", "--environment", environment, "--reason", "audit", "--by", "Eve")
            self.places[environment].pinned = True

    @rule(environment=ENVIRONMENTS)
    def unpin(self, environment: str) -> None:
        """Let it go on."""
        place = self.places[environment]
        self.run("unpin", "web", "--environment", environment)
        was = place.pinned
        place.pinned = False
        if was and place.waiting and not place.frozen:
            place.take(place.waiting)

    @rule(environment=ENVIRONMENTS)
    def freeze(self, environment: str) -> None:
        """Keep an environment as it is."""
        self.run("freeze", environment, "--reason", "Christmas", "--by", "Eve")
        self.places[environment].frozen = True

    @rule(environment=ENVIRONMENTS)
    def thaw(self, environment: str) -> None:
        """Let it go on."""
        place = self.places[environment]
        self.run("thaw", environment)
        was = place.frozen
        place.frozen = False
        if was and place.waiting and not place.pinned:
            place.take(place.waiting)

    @invariant()
    def status_agrees(self) -> None:
        """What `status` says is what the model knows."""
        for one in self.data("status")["apps"]:
            place = self.places[one["environment"]]
            release, waiting = one["release"] or {}, one["waiting"] or {}
            assert _tag(release) == place.running
            assert int(release.get("newest", {}).get("web", {}).get("tag", 0)) == place.newest
            assert _tag(waiting) == place.waiting
            assert bool(one["pin"]) == place.pinned
            assert bool(one["frozen"]) == place.frozen

    @invariant()
    def history_agrees(self) -> None:
        """What `history` says is what ran."""
        if any(place.ran for place in self.places.values()):
            for one in self.data("history", "web", "--limit", "100")["environments"]:
                versions = [step for step in one["steps"] if step["is_version"]]
                assert [_tag(step["release"]) for step in reversed(versions)] == self.places[one["environment"]].ran

    @invariant()
    def bytes_come_back(self) -> None:
        """The same version is the same final YAML again, after whatever promotions and roll-backs."""
        for name, place in self.places.items():
            if place.running:
                text = self.stage.show("main", f"deploy/{name}/web/deployment.apps-web.yaml")
                assert self.texts.setdefault((name, place.running), text) == text

    @invariant()
    def verify_agrees(self) -> None:
        """What is committed is what a fresh hydration gives."""
        self.run("verify")


def _tag(release: dict[str, Any]) -> int:
    return int(release.get("images", {}).get("web", {}).get("tag", 0))


def run_machine(examples: int, *, derandomize: bool) -> None:
    """Run sequences of twelve intents."""
    chosen = settings(max_examples=examples, stateful_step_count=12, derandomize=derandomize, database=None)
    run_state_machine_as_test(Intents, settings=chosen)


@pytest.mark.usefixtures("clean_user")
def test_random_intents_agree_with_a_model() -> None:
    run_machine(1, derandomize=True)


@pytest.mark.parametrize(
    "examples", [pytest.param(8, marks=pytest.mark.long), pytest.param(100, marks=pytest.mark.soak)]
)
@pytest.mark.usefixtures("clean_user")
def test_many_random_intents_agree_with_a_model(examples: int) -> None:
    run_machine(examples, derandomize=False)
