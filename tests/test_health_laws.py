"""The laws of what follows health, on real git: versions, Flux's verdicts and runs of the schedule in any order.

What Flux says is a fake; how it is read, weighed and followed is not.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from headgate.commands import verbs
from headgate.commands.options import Resolve, RunOptions
from headgate.commands.run import run_intent
from headgate.configuration import Configuration, Owner
from headgate.flux.verdict import Health, ReportState
from headgate.health.read import HealthSources, read_health
from headgate.landing.workspace import Workspace
from headgate.releases.source import app_source
from support.flux_reports import Flux
from support.manifests import ManifestRepository, git
from support.stage import IMAGE, make_stage, write_app

SETTINGS = """
version: 1
gitlab: {url: "https://gitlab.example.com", project: platform/manifests}
environments:
  dev: {takes: {branch: main}, delivery: commit, on_failure: roll-back}
  staging: {takes: {promotion: dev, auto: healthy}, delivery: commit}
clusters:
  dev: {flux: {}, health: {kubernetes: dev}}
"""


class Walk:
    """An app in dev, which goes back when a version fails, and in staging, which takes what is healthy in dev."""

    def __init__(self, folder: Path, seed: int) -> None:
        manifests = ManifestRepository.make(folder / "manifests")
        manifests.write({"headgate.yaml": SETTINGS})
        self.stage = make_stage(folder, manifests)
        self.flux = Flux(Path("none"))
        self.random = random.Random(seed)
        self.newest = 0
        self.healthy: set[int] = set()
        self.failed: set[int] = set()
        self.back: set[int] = set()
        """Versions that were taken back."""

    def walk(self, steps: int) -> None:
        """Let so many things happen, and ask the laws after each."""
        self.new_version()
        happens = (self.new_version, self.flux_says, self.scheduled, self.another_commit, self.the_cluster_is_silent)
        for happened in self.random.choices(happens, weights=(3, 6, 6, 1, 1), k=steps):
            happened()
            self.nothing_is_lost_or_comes_again()
            assert self.version("staging") in {0, *self.healthy}

    # What happens

    def new_version(self) -> None:
        """A version is handed off: whatever failed before, dev runs it."""
        self.newest += 1
        write_app(self.stage, {"version": str(self.newest)})
        image = f"{IMAGE}:{self.newest}@sha256:{self.newest:064x}"
        assert self.stage.deliver(image=image, to=self.stage.remote.as_uri()).code == 0
        assert self.version("dev") == self.newest

    def flux_says(self) -> None:
        """Flux says how it is with what is on the default branch now."""
        states: tuple[ReportState, ...] = ("healthy", "failed", "waiting")
        (state,) = self.random.choices(states, weights=(2, 3, 1))
        self.flux.say(self.head(), "web.dev", state)
        known = {"healthy": self.healthy, "failed": self.failed}.get(state)
        if known is not None:
            known.add(self.version("dev"))

    def the_cluster_is_silent(self) -> None:
        """It does not answer: what is unknown changes nothing."""
        before = self.head()
        self.flux.silent.append(True)
        self.schedule()
        self.flux.silent.clear()
        assert self.head() == before

    def another_commit(self) -> None:
        """Something else is committed, which leaves the app as it is."""
        work = self.stage.manifests.path
        git(work, "pull", "--quiet", "--ff-only")
        self.stage.manifests.write({"README.md": self.head()}).commit("Other")
        git(work, "push", "--quiet")

    def scheduled(self) -> None:
        """The schedule runs: dev goes back at most once for a version, to what ran before it, and staging follows."""
        before = self.version("dev")
        verdict = self.verdict()
        self.schedule()
        after = self.version("dev")
        is_due = verdict.state == "failed" and not verdict.was_healthy and before == self.newest > 1
        assert (after != before) == is_due
        if after != before:
            assert after < before
            self.back.add(before)
        if verdict.state == "healthy":
            assert self.version("staging") == before
        head = self.head()
        self.schedule()
        assert self.head() == head

    def nothing_is_lost_or_comes_again(self) -> None:
        """Dev runs the newest version that was not taken back for a failure of its own; none comes again by itself."""
        running = self.version("dev")
        assert running not in self.back
        assert self.back <= self.failed
        assert all(number in self.back for number in range(running + 1, self.newest + 1))

    # How it is done

    def schedule(self) -> None:
        with ExitStack() as stack:
            source = stack.enter_context(app_source(str(self.stage.app), ""))
            self.run(verbs.roll_back_failed(self.read))
            self.run(verbs.promote_due(lambda _project: source, self.read))
            self.run(verbs.refresh())

    def run(self, resolve: Resolve) -> None:
        assert run_intent(RunOptions(manifests=self.stage.remote.as_uri()), resolve) == 0

    def read(self, workspace: Workspace, configuration: Configuration, owners: Sequence[Owner]) -> dict[Owner, Health]:
        return read_health(workspace, configuration, owners, HealthSources(kubernetes=self.flux))

    def verdict(self) -> Health:
        found: list[Health] = []

        def look(workspace: Workspace, configuration: Configuration, owners: Sequence[Owner]) -> dict[Owner, Health]:
            known = self.read(workspace, configuration, owners)
            found.extend(known.values())
            return {}

        self.run(verbs.roll_back_failed(look))
        return found[0]

    def head(self) -> str:
        return git(self.stage.remote, "rev-parse", "main")

    def version(self, environment: str) -> int:
        path = f"apps/web/releases/{environment}/release.yaml"
        if not git(self.stage.remote, "ls-tree", "main", path):
            return 0
        return int(yaml.safe_load(self.stage.show("main", path))["images"]["web"]["tag"])


@pytest.mark.long
def test_laws_of_health_hold(tmp_path: Path) -> None:
    walk = Walk(tmp_path, seed=1)
    walk.walk(30)
    assert walk.back
    assert walk.version("staging") > 0


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 22))
def test_laws_of_health_hold_in_more_sequences(tmp_path: Path, seed: int) -> None:
    Walk(tmp_path, seed).walk(60)
