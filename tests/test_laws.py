"""The laws of state on real git, with everything that users have: parts, reviews, holds, faults, races, health.

What runs is not predicted here: after each step the laws are asked of what stands in the repository, and in the end
everything is let go on, and then the newest of all that was accepted runs.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ruamel.yaml import YAML

from headgate.commands import verbs
from headgate.commands.options import Resolve, RunOptions
from headgate.commands.run import run_intent
from headgate.configuration import Configuration, Owner
from headgate.errors import GitError, InvalidObjectError
from headgate.flux.verdict import Health, ReportState
from headgate.health.read import HealthSources, read_health
from headgate.intents.decide_held import ClosedRequest, Reject
from headgate.intents.on_failure import ACTOR
from headgate.intents.outcome import CHANGES_NOTHING
from headgate.landing import publish
from headgate.landing.land import read_state
from headgate.landing.records import with_records
from headgate.landing.workspace import Workspace, open_workspace
from headgate.model import Release
from headgate.paths import RECORDS_BRANCH
from headgate.releases.pending import Pending, Proposal
from headgate.releases.pending_files import is_record, read_pending
from headgate.releases.release import parts, read_released
from headgate.releases.source import app_source
from headgate.repository.git import Repository, tree_of_commit
from headgate.repository.remote import RefUpdate
from headgate.repository.remote import push as real_push
from headgate.repository.tree import Tree
from support.cli import Ran, headgate
from support.flux_reports import Flux
from support.manifests import ManifestRepository, git
from test_killed import write_git

SETTINGS = """
version: 1
gitlab: {url: "https://gitlab.example.com", project: platform/manifests}
environments:
  dev: {takes: {branch: main}, delivery: commit}
  staging: {takes: {promotion: dev, auto: true}, delivery: review}
  production: {takes: [{branch: main}, {tag: "v*"}, {promotion: dev}], delivery: review}
clusters:
  dev: {flux: {}, health: {kubernetes: dev}}
  production: {flux: {}, health: {kubernetes: production}}
"""
FOLLOWS_HEALTH = SETTINGS.replace("auto: true", "auto: healthy")
GOES_BACK = FOLLOWS_HEALTH.replace("delivery: commit}", "delivery: commit, on_failure: roll-back}").replace(
    "{promotion: dev}], delivery: review}", "{promotion: dev}], delivery: review, on_failure: roll-back}"
)
"""Refused with records apart."""
SHUT = '      - {days: sun, from: "03:00", to: "03:01", except: ["2020-01-01/2099-12-31"]}'
"""A window that is never open, for an environment in `SETTINGS`."""
APP = """
images:
  web: {repository: registry.example.com/acme/web, project: acme/web}
  api: {repository: registry.example.com/acme/api, project: acme/api}
template: web
config: {project: acme/CONFIG, path: deploy}
grant: [level]
"""
TEMPLATE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {color: COLOR, level: "{{ values.level }}"}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: registry.example.com/acme/web}
      - {name: api, image: registry.example.com/acme/api}
"""
MISTAKE = "mistake: [x\n"
FAULT = "{% if images.web.tag | int == TAG %}{{ values.nowhere }}{% endif %}\n"
ENVIRONMENTS = st.sampled_from(["dev", "production"])
PARTS_OF_THE_APP = ("web", "api", "config")
PARTS = st.sampled_from(PARTS_OF_THE_APP)
EVERYWHERE = ("dev", "staging", "production")
BRANCHES = tuple(f"headgate/{name}/{what}" for name in EVERYWHERE for what in ("shop", "_rehydrate"))
BRANCH = "headgate/production/shop"
FOLDER = "apps/shop/releases/{}"
KILLED = (
    "refresh",
    "rehydrate",
    "promote shop --from dev --to production --by Ada",
    "deliver-held shop --environment production --reason urgent --by Eve",
    *(f"thaw {name}" for name in ("dev", "production")),
    *(f"unpin shop --environment {name}" for name in ("dev", "production")),
    *(f"roll-back shop --environment {name} --reason slow --by Eve" for name in ("dev", "production")),
)
"""What may be killed at any of its calls of git, beside hand-offs."""
RACING = ("refresh", "rehydrate", "promote shop --from dev --to production --by Ada", "freeze dev --reason x --by Eve")
"""What loses a race at any of its calls of git, beside hand-offs."""
PERSONS_WORD = {"--now", "deliver-held", "roll-back", "remove"}
"""What may end a roll-back or removal of somebody else's that is under review."""
ENDS_WELL = (0, 17, 27, GitError.code)
"""What a command may end with here: done, a version that cannot be rendered, refused, somebody's commit in the way."""
CODES_OF_MISTAKES = InvalidObjectError.code
"""While there is a mistake in app.yaml, a command may end with any code below this one."""


class Repositories(RuleBasedStateMachine):
    """An app of three parts: at once in dev, by review in production, and in staging what dev runs, by review.

    Its config is with the code of one image, with which it comes together, or in a project of its own.
    """

    def __init__(self) -> None:
        """Make the repositories."""
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="headgate-test-"))
        made = ManifestRepository.make(self.folder / "manifests")
        made.write({"headgate.yaml": SETTINGS, "templates/web/web.yaml.j2": TEMPLATE})
        made.commit("Begin")
        self.work = made.path
        self.remote = self.folder / "manifests.git"
        git(self.folder, "clone", "--quiet", "--bare", str(made.path), str(self.remote))
        git(self.remote, "config", "uploadpack.allowFilter", "true")
        git(self.remote, "config", "uploadpack.allowAnySHA1InWant", "true")
        self.projects = {"web": "web", "api": "api", "config": "web"}
        self.commits: dict[str, list[str]] = {}
        self.without_image: set[int] = set()
        self.hotfixes: dict[str, float] = {}
        self.known_hotfixes: dict[str, float] = {}
        self.accepted: dict[str, dict[str, float]] = {"dev": {}, "production": {}}
        self.rejected: dict[str, dict[str, float]] = {"dev": {}, "production": {}}
        self.newest: dict[str, dict[str, float]] = {"dev": {}, "production": {}}
        self.good = True
        self.apart = False
        self.settings = SETTINGS
        self.flux = Flux(Path("none"))
        self.taken_back: dict[str, dict[str, float]] = {"dev": {}, "production": {}}
        self.numbers = itertools.count(1)

    def start(self, settings: str, *, config: str, apart: bool, fails_in: str) -> None:
        """Let the first versions come. ``config`` is the project of the app's config."""
        self.settings, self.apart, self.projects["config"] = settings, apart, config
        self.app = APP.replace("CONFIG", config)
        self.configure(self.settings)
        self.edit({"apps/shop/app.yaml": self.app})
        for project in dict.fromkeys(self.projects.values()):
            (self.folder / project / "deploy").mkdir(parents=True)
            git(self.folder / project, "init", "--quiet", "--initial-branch=main")
            self.commits[project] = []
        for project in self.commits:
            self.hand_off(project, self.build(project))
        if fails_in:
            self.merge_branch(BRANCH, squash=False, keep=False)
            self.fails("web", fails_in)

    def configure(self, settings: str) -> None:
        """Write headgate.yaml."""
        self.edit({"headgate.yaml": f"{settings}\nrecords: branch\n" if self.apart else settings})

    def teardown(self) -> None:
        """Let everything go on, look, and remove the repositories."""
        try:
            self.everything_goes_on()
        finally:
            shutil.rmtree(self.folder)

    # What people and pipelines do

    def run(self, *args: str) -> Ran:
        """Run a command on the remote."""
        proposed = {} if PERSONS_WORD & {*args} else self.proposed_by_people()
        ran = headgate(*args, "--manifests", self.remote.as_uri())
        assert ran.code in ENDS_WELL if self.good else ran.code < CODES_OF_MISTAKES, ran.out + ran.err
        assert proposed.items() <= self.proposed_by_people().items(), "only people end what a person proposed"
        return ran

    def proposed_by_people(self) -> dict[str, str]:
        """Return why all else is held where a roll-back or removal is under review, and has not landed."""
        if not self.good:
            return {}
        proposals = {name: self.pending(name).proposal for name in self.runs_in() if self.is_reviewed(name)}
        return {
            name: proposal.by_person
            for name, proposal in proposals.items()
            if proposal is not None and proposal.by_person and not self.is_landed(name, proposal)
        }

    def is_reviewed(self, environment: str) -> bool:
        """Whether people review what goes to an environment."""
        return re.search(f"^  {environment}: .*delivery: review", self.settings, re.MULTILINE) is not None

    def is_landed(self, environment: str, proposal: Proposal) -> bool:
        """Whether what a person wanted runs already."""
        landed = read_released(self.tree(), FOLDER.format(environment))
        return proposal.decided is not None and landed is not None and proposal.decided.runs == landed.runs

    def build(self, project: str, values: str = "") -> int:
        """Commit a new version, and return its number."""
        number = len(self.commits[project]) + 1
        file = self.folder / project / "deploy/values.yaml"
        file.write_text(values or f'level: "{number}"\n')
        git(file.parent, "add", "--all")
        git(file.parent, "commit", "--quiet", "--message", str(number))
        self.commits[project].append(git(file.parent, "rev-parse", "HEAD"))
        return number

    def deliver(self, project: str, number: int, *more: str) -> list[str]:
        """Return the command line of a hand-off."""
        image = f"registry.example.com/acme/{project}:{number}@sha256:{number:064x}"
        alone = project not in ("web", "api") or (project == "web" and number in self.without_image)
        return [
            *("deliver", "--project", f"acme/{project}", "--commit", self.commits[project][number - 1]),
            *("--source", str(self.folder / project), "--by", "Ada", *more),
            *(() if alone else ("--image", image)),
        ]

    def hand_off(self, project: str, number: int, *more: str) -> Ran:
        """Hand a version off, and note where it is accepted."""
        ran = self.run(*self.deliver(project, number, *more))
        self.note_accepted(project, number, *more)
        return ran

    def note_accepted(self, project: str, number: int, *more: str) -> None:
        """Note where a version was accepted that was handed off."""
        if not self.good:
            return
        alone = project == "web" and number in self.without_image
        names = [name for name, its in self.projects.items() if its == project and not (alone and name == "web")]
        for environment in self.runs_in() & {"production", *(() if "--ref" in more else ("dev",))}:
            known = self.accepted[environment]
            for name in names:
                known[name] = max(known.get(name, 0), number)

    @rule(part=PARTS)
    def new_version(self, part: str) -> None:
        """A version is built and handed off."""
        self.hand_off(self.projects[part], self.build(self.projects[part]))

    @rule()
    def comment(self) -> None:
        """A version of the config alone comes, whose YAML is the one before."""
        project = self.projects["config"]
        before = (self.folder / project / "deploy/values.yaml").read_text()
        number = self.build(project, f"{before}# {next(self.numbers)}\n")
        if project == "web":
            self.without_image.add(number)
        self.hand_off(project, number)

    @rule(part=PARTS)
    def tag(self, part: str) -> None:
        """A version is built and tagged, and comes by its tag, which production takes."""
        project = self.projects[part]
        number = self.build(project)
        git(self.folder / project, "tag", f"v1.0.{number}")
        self.hand_off(project, number, "--ref", f"refs/tags/v1.0.{number}")

    @rule(part=PARTS, back=st.integers(0, 2))
    def late(self, part: str, back: int) -> None:
        """One of the last versions comes once more."""
        project = self.projects[part]
        self.hand_off(project, max(1, len(self.commits[project]) - back))

    @precondition(lambda self: self.good and not self.hotfixes and len(self.commits["api"]) > 1)
    @rule()
    def hotfix(self) -> None:
        """A commit comes that is neither older nor newer than the newest one, wherever that was accepted."""
        api = self.folder / "api"
        tree = git(api, "rev-parse", "HEAD^{tree}")
        commit = git(api, "commit-tree", tree, "-p", "HEAD^", "-m", f"hotfix {next(self.numbers)}")
        git(api, "update-ref", "refs/heads/hotfix", commit)
        number = len(self.commits["api"]) - 0.5
        self.hotfixes[commit] = self.known_hotfixes[commit] = number
        image = f"registry.example.com/acme/api:hotfix@sha256:{next(self.numbers):064x}"
        self.run(
            *("deliver", "--project", "acme/api", "--commit", commit, "--source", str(api), "--by", "Ada"),
            *("--image", image),
        )
        self.nothing_diverged_is_lost()

    @precondition(lambda self: self.good)
    @rule(environment=ENVIRONMENTS)
    def take_the_hotfix(self, environment: str) -> None:
        """A person decides for the hotfix; then it is merged, so that the branches are one again."""
        if self.pending(environment).diverged:
            self.ask("deliver-held", environment, "--reason", "urgent")
            assert not self.pending(environment).diverged
            self.merge_the_hotfix()

    @precondition(lambda self: self.good)
    @rule()
    def merge_the_hotfix(self) -> None:
        """The hotfix is merged, so the next version is newer than both."""
        if self.hotfixes:
            git(self.folder / "api", "merge", "--quiet", "--strategy", "ours", "--no-commit", "hotfix")
            self.hotfixes.clear()
            self.hand_off("api", self.build("api"))
            assert not any(self.pending(environment).diverged for environment in self.accepted)

    def nothing_diverged_is_lost(self) -> None:
        """What diverged and was not decided on is there, in some place."""
        for environment in self.accepted.keys() & self.runs_in():
            release, pending = self.release(environment), self.pending(environment)
            groups = (*pending.proposed, *pending.held, *pending.failed, *pending.diverged)
            there = {part.commit for group in groups for part in group.parts.values()}
            there |= {newest.commit for newest in release.newest.values()}
            assert self.hotfixes.keys() <= there, environment

    @rule(environment=ENVIRONMENTS, state=st.sampled_from(["healthy", "failed", "failed", "waiting"]))
    def flux_says(self, environment: str, state: ReportState) -> None:
        """Flux says how the app is in an environment, at what is on the default branch now."""
        self.flux.say(self.head("main"), f"shop.{environment}", state)

    @rule(part=PARTS, environment=ENVIRONMENTS)
    def fails(self, part: str, environment: str) -> None:
        """A version comes, lands where nothing keeps it away, and fails."""
        self.new_version(part)
        self.merge_branch(BRANCH, squash=False, keep=False)
        self.flux_says(environment, "failed")
        self.schedule()

    @rule(silent=st.booleans())
    def schedule(self, silent: bool = False) -> None:
        """The schedule comes: a version that failed goes back once, what is healthy goes on, proposals are renewed.

        Where the cluster does not answer, nothing is known, and nothing goes back.
        """
        self.flux.silent.extend([True] * silent)
        self.go_back()
        with ExitStack() as stack:
            sources = {
                f"acme/{project}": stack.enter_context(app_source(str(self.folder / project), ""))
                for project in self.commits
            }
            self.land(verbs.promote_due(sources.__getitem__, self.read_health))
        self.run("refresh")
        self.flux.silent.clear()

    def go_back(self) -> None:
        """Let versions that failed go back, at once or by a proposal, and look at whether that was right."""
        before = self.rollbacks()
        known = {environment: (self.release(environment), self.health(environment)) for environment in before}
        self.land(verbs.roll_back_failed(self.read_health))
        after = self.rollbacks()
        for environment, (release, health) in known.items():
            if before[environment] != after[environment]:
                assert "on_failure" in self.settings
                assert health is not None
                assert health.state == "failed"
                assert not health.was_healthy
                assert release.pin is None
                self.note_taken_back(environment, release)
        self.land(verbs.roll_back_failed(self.read_health))
        assert self.rollbacks() == after, "it goes back once"

    def rollbacks(self) -> dict[str, object]:
        """Return what runs in each environment, and which automatic roll-back is proposed there."""
        proposals = {environment: self.pending(environment).proposal for environment in self.runs_in() - {"staging"}}
        return {
            environment: (parts(self.release(environment)), proposal and proposal.record.actor == ACTOR)
            for environment, proposal in proposals.items()
        }

    def note_taken_back(self, environment: str, release: Release) -> None:
        """Note that what an environment runs may give way to what ran before."""
        known = self.taken_back[environment]
        for name, part in parts(release).items():
            known[name] = max(known.get(name, 0), self.number(part.project, part.commit))

    def read_health(
        self, workspace: Workspace, configuration: Configuration, owners: Sequence[Owner]
    ) -> dict[Owner, Health]:
        """Read what Flux says."""
        return read_health(workspace, configuration, owners, HealthSources(kubernetes=self.flux))

    def health(self, environment: str) -> Health | None:
        """Return how the app is in an environment."""
        with open_workspace(self.remote.as_uri()) as workspace:
            configuration = read_state(workspace).configuration
            return self.read_health(workspace, configuration, [("shop", environment)]).get(("shop", environment))

    def land(self, resolve: Resolve) -> None:
        """Land what a run makes of the repository."""
        assert run_intent(RunOptions(manifests=self.remote.as_uri()), resolve) in ENDS_WELL

    @rule(part=PARTS)
    def now(self, part: str) -> None:
        """A person delivers the newest version past every hold."""
        project = self.projects[part]
        self.hand_off(project, len(self.commits[project]), "--now")

    @rule(other=PARTS, going_back=st.booleans())
    def race(self, other: str, going_back: bool) -> None:
        """A run loses: right before its first push another one lands."""
        project = self.projects[other]
        number = self.build(project)
        losing(self.go_back if going_back else lambda: self.run("rehydrate"), lambda: self.hand_off(project, number))

    @rule(other=PARTS, command=st.sampled_from([*RACING, *PARTS_OF_THE_APP]), at=st.integers(1, 15))
    def race_anywhere(self, other: str, command: str, at: int) -> None:
        """Right before any call of git of a run, the push among them, a hand-off lands."""
        first, second = self.projects[other], self.projects.get(command, "")
        number = self.build(first)
        later = self.build(second) if second else 0
        there = self.folder / "landed"
        landing = shlex.join(
            [sys.executable, "-m", "headgate", *self.deliver(first, number), "--manifests", self.remote.as_uri()]
        )
        path = shlex.quote(os.environ["PATH"])
        write_git(self.folder / "git", at, f"PATH={path} {landing} >/dev/null 2>&1; echo $? >{there}")
        code = self.run_with_git(self.deliver(second, later) if second else command.split())
        assert code in ENDS_WELL if self.good else 0 <= code < CODES_OF_MISTAKES, command
        if there.exists():
            landed = int(there.read_text())
            assert landed in ENDS_WELL if self.good else 0 <= landed < CODES_OF_MISTAKES
            there.unlink()
            self.note_accepted(first, number)
        else:  # it has not so many calls
            self.hand_off(first, number)
        if second:
            self.note_accepted(second, later)

    def run_with_git(self, args: Sequence[str]) -> int:
        """Run a command as a process of its own, with the git that `write_git` wrote; return its exit code."""
        return subprocess.run(
            [sys.executable, "-m", "headgate", *args, "--manifests", self.remote.as_uri()],
            env={**os.environ, "PATH": f"{self.folder / 'git'}:{os.environ['PATH']}"},
            capture_output=True,
            check=False,
        ).returncode

    @rule(command=st.sampled_from([*KILLED, *PARTS_OF_THE_APP]), at=st.integers(1, 25), before=st.booleans())
    def killed(self, command: str, at: int, before: bool) -> None:
        """A run is killed at one of its calls of git; a hand-off comes again, as somebody runs the job again."""
        project = self.projects.get(command, "")
        number = self.build(project) if project else 0
        write_git(self.folder / "git", at, before=before)
        self.run_with_git(self.deliver(project, number) if project else command.split())
        if project:
            self.hand_off(project, number)

    @rule(command=st.sampled_from(["refresh", "rehydrate"]))
    def runs(self, command: str) -> None:
        """A run comes that nobody asked for: with nothing pending, what runs in dev stays."""
        there = self.good and "dev" in self.runs_in() and self.pending("dev").is_empty
        before = parts(self.release("dev"))
        ran = self.run(command)
        assert not there or parts(self.release("dev")) == before
        if self.good and ran.code == 0:
            self.what_is_proposed_can_be_merged()

    def what_is_proposed_can_be_merged(self) -> None:
        """Nobody sees a conflict on a branch of Headgate's that a run has just looked at."""
        for environment in self.runs_in():
            branch = f"headgate/{environment}/shop"
            if self.pending(environment).proposal and self.head(branch) and self.subject(branch) != "mine":
                git(self.remote, "merge-tree", "--write-tree", "main", branch)

    def subject(self, branch: str) -> str:
        """Return the subject of a branch's newest commit."""
        return git(self.remote, "log", "-1", "--format=%s", branch)

    @rule(to=st.sampled_from(["staging", "production"]))
    def promote(self, to: str) -> None:
        """What dev runs goes further."""
        if {"dev", to} <= self.runs_in():
            self.run("promote", "shop", "--from", "dev", "--to", to, "--by", "Ada")

    @rule(environment=ENVIRONMENTS)
    def freeze(self, environment: str) -> None:
        """An environment is frozen."""
        self.run("freeze", environment, "--reason", "Christmas", "--by", "Eve")

    @rule(environment=ENVIRONMENTS)
    def thaw(self, environment: str) -> None:
        """An environment is thawed."""
        self.run("thaw", environment)

    @rule(environment=ENVIRONMENTS)
    def window_shuts(self, environment: str) -> None:
        """The time comes at which an environment takes nothing by itself."""
        lines = self.settings.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith(f"  {environment}:"))
        lines[at] = lines[at].replace("{takes", f"{{windows: [{SHUT.strip(' -')}], takes")
        self.configure("\n".join(lines))

    @rule()
    def windows_open(self) -> None:
        """The time comes at which every environment takes what was held."""
        self.configure(self.settings)
        self.run("rehydrate")

    @rule(environment=ENVIRONMENTS, delivery=st.sampled_from(["commit", "review"]))
    def delivery_changes(self, environment: str, delivery: str) -> None:
        """What goes to an environment is reviewed from now on, or is not any more; the push's run comes."""
        others = self.settings.splitlines()
        at = next(i for i, line in enumerate(others) if line.startswith(f"  {environment}:"))
        others[at] = re.sub("delivery: [a-z]+", f"delivery: {delivery}", others[at])
        self.settings = "\n".join(others)
        self.windows_open()

    @rule(environment=ENVIRONMENTS)
    def pin(self, environment: str) -> None:
        """The app is pinned."""
        self.ask("pin", environment, "--reason", "audit")

    @rule(environment=ENVIRONMENTS)
    def unpin(self, environment: str) -> None:
        """The app is unpinned."""
        if environment in self.runs_in():
            self.run("unpin", "shop", "--environment", environment)

    @rule(environment=ENVIRONMENTS)
    def roll_back(self, environment: str) -> None:
        """A person goes one step back."""
        self.ask("roll-back", environment, "--reason", "slow")

    @precondition(lambda self: self.good)
    @rule(environment=st.sampled_from(EVERYWHERE))
    def remove(self, environment: str) -> None:
        """The app goes from an environment: at once, or by a proposal."""
        if self.stays_in() - {environment}:
            self.ask("remove", environment)

    def stays_in(self) -> set[str]:
        """Return the environments out of which nobody proposed to take the app: the last one takes all of it along."""
        proposals = {name: self.pending(name).proposal for name in self.runs_in()}
        return {name for name, one in proposals.items() if one is None or one.record.kind != "removal"}

    @precondition(lambda self: self.good and not self.apart)
    @rule(environment=st.sampled_from(EVERYWHERE), releases=st.booleans())
    def take_away_by_hand(self, environment: str, releases: bool) -> None:
        """A person takes the app's environment out of app.yaml, with or without its records; the push's run comes."""
        left = [name for name in EVERYWHERE if name in self.runs_in() - {environment}]
        if self.stays_in() - {environment} and environment in self.runs_in():
            gone = self.tree().paths(FOLDER.format(environment)) if releases else ()
            text = self.app.strip() + f"\nenvironments: [{', '.join(left)}]\n"
            self.edit({"apps/shop/app.yaml": text, **dict.fromkeys(gone)})
            self.run("rehydrate")
            self.run("refresh")
            self.merge_branch(f"headgate/{environment}/_rehydrate", squash=False, keep=False)

    @precondition(lambda self: self.good)
    @rule()
    def add_again(self) -> None:
        """The app is added again where it went."""
        self.edit({"apps/shop/app.yaml": self.app})
        self.run("rehydrate")

    def ask(self, what: str, environment: str, *more: str) -> None:
        """Let a person do something to the app in an environment, where it is there."""
        if environment in self.runs_in():
            self.run(what, "shop", "--environment", environment, "--by", "Eve", *more)

    @rule(branch=st.sampled_from(BRANCHES), squash=st.booleans(), keep=st.booleans())
    def merge(self, branch: str, squash: bool, keep: bool) -> None:
        """A person merges what is proposed, where that does not conflict; then a push pipeline may run."""
        self.merge_branch(branch, squash=squash, keep=keep)

    def merge_branch(self, branch: str, *, squash: bool, keep: bool) -> None:
        """Merge a branch, where there is one and that does not conflict."""
        if not self.head(branch):
            return
        self.checkout()
        git(self.work, "fetch", "--quiet", str(self.remote), branch)
        try:
            git(self.work, "merge", "--quiet", *(["--squash"] if squash else ["--no-ff"]), "FETCH_HEAD")
        except Exception:  # noqa: BLE001  a conflict: nobody merges
            git(self.work, "reset", "--quiet", "--hard", "main")
            return
        if squash:
            git(self.work, "commit", "--quiet", "--allow-empty", "--message", "Squashed")
        git(self.work, "push", "--quiet", str(self.remote), "HEAD:main")
        if not keep:
            git(self.remote, "update-ref", "-d", f"refs/heads/{branch}")

    @precondition(lambda self: self.good)
    @rule(environment=ENVIRONMENTS)
    def close(self, environment: str) -> None:
        """A person closes the merge request of what is proposed."""
        known = self.rejected[environment]
        for group in self.pending(environment).proposed:
            for name, part in group.parts.items():
                known[name] = max(known.get(name, 0), self.number(part.project, part.commit))
        options = RunOptions(manifests=self.remote.as_uri())
        assert (
            run_intent(
                options,
                lambda *_: Reject((ClosedRequest(app="shop", environment=environment, actor="eve", request="!1"),)),
            )
            == 0
        )

    @rule()
    def template(self) -> None:
        """The template changes."""
        self.edit({"templates/web/web.yaml.j2": TEMPLATE.replace("COLOR", f"c{next(self.numbers)}")})
        self.run("rehydrate")

    @precondition(lambda self: self.good)
    @rule()
    def break_template(self) -> None:
        """The template fails for the next version of web, which is handed off."""
        number = len(self.commits["web"]) + 1
        self.edit({"templates/web/fault.yaml.j2": FAULT.replace("TAG", str(number))})
        self.hand_off("web", self.build("web"))

    @rule()
    def mend_template(self) -> None:
        """The template is right again."""
        self.edit({"templates/web/fault.yaml.j2": None})

    @precondition(lambda self: self.good)
    @rule()
    def break_app(self) -> None:
        """Somebody pushes a mistake into app.yaml."""
        self.edit({"apps/shop/app.yaml": f"{self.show('apps/shop/app.yaml')}\n{MISTAKE}"})
        self.good = False
        self.run("rehydrate")

    @precondition(lambda self: not self.good)
    @rule()
    def mend_app(self) -> None:
        """The mistake is gone."""
        self.edit({"apps/shop/app.yaml": self.show("apps/shop/app.yaml").removesuffix(MISTAKE.strip()).strip() + "\n"})
        self.good = True

    @rule()
    def push_to_the_branch(self) -> None:
        """Somebody commits on the branch for review."""
        head = self.head(BRANCH)
        if head:
            tree = git(self.remote, "rev-parse", f"{head}^{{tree}}")
            theirs = git(self.remote, "commit-tree", tree, "-p", head, "-m", "mine")
            git(self.remote, "update-ref", f"refs/heads/{BRANCH}", theirs)

    @rule(branch=st.sampled_from(BRANCHES))
    def delete_the_branch(self, branch: str = BRANCH) -> None:
        """Somebody deletes a branch for review."""
        if self.head(branch):
            git(self.remote, "update-ref", "-d", f"refs/heads/{branch}")

    # What is there

    def head(self, branch: str) -> str:
        """Return the commit of a branch; empty where there is none."""
        return git(self.remote, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def checkout(self) -> None:
        """Take the newest default branch."""
        git(self.work, "fetch", "--quiet", str(self.remote), "main")
        git(self.work, "reset", "--quiet", "--hard")
        git(self.work, "checkout", "--quiet", "-B", "main", "FETCH_HEAD")

    def show(self, file: str) -> str:
        """Return a file on the default branch."""
        return git(self.remote, "show", f"main:{file}")

    def edit(self, files: Mapping[str, str | None]) -> None:
        """Change files on the default branch."""
        self.checkout()
        for name, text in files.items():
            if text is None:
                (self.work / name).unlink(missing_ok=True)
            else:
                (self.work / name).parent.mkdir(parents=True, exist_ok=True)
                (self.work / name).write_text(text)
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--allow-empty", "--message", "Edit")
        git(self.work, "push", "--quiet", str(self.remote), "HEAD:main")

    def tree(self) -> Tree:
        """Return the files of the default branch."""
        files, records = self.tree_at("main"), self.tree_at(RECORDS_BRANCH)
        assert not (self.apart and [path for path in files.paths() if is_record(path)])
        return with_records(files, records) if self.apart else files

    def tree_at(self, branch: str) -> Tree:
        """Return the files of a branch, of which there are none where it is not."""
        head = self.head(branch)
        return tree_of_commit(Repository(self.remote, bare=True), head) if head else Tree({})

    def runs_in(self) -> set[str]:
        """Return the environments in which the app is."""
        found = YAML(typ="safe").load(self.show("apps/shop/app.yaml").removesuffix(MISTAKE.strip()))
        return set(found.get("environments", EVERYWHERE))

    def release(self, environment: str) -> Release:
        """Return what is landed."""
        found = read_released(self.tree(), FOLDER.format(environment))
        return found.release if found else Release()

    def pending(self, environment: str) -> Pending:
        """Return what is pending."""
        tree, folder = self.tree(), FOLDER.format(environment)
        return read_pending(tree, folder, read_released(tree, folder))

    def number(self, project: str, commit: str) -> float:
        """Return which version of a project a commit is; a hotfix is between two of them."""
        if commit in self.known_hotfixes:
            return self.known_hotfixes[commit]
        return self.commits[project.removeprefix("acme/")].index(commit) + 1

    def left(self, environment: str) -> list[str]:
        """Return the files of the app in an environment."""
        return [*self.tree().paths(FOLDER.format(environment)), *self.tree().paths(f"deploy/{environment}/shop")]

    # The laws

    @invariant()
    def the_laws_hold(self) -> None:
        """Look at what is there."""
        self.what_went_left_nothing()
        self.nothing_is_lost_and_nothing_goes_back()
        self.groups_are_whole()
        self.what_is_on_record_runs()

    def what_went_left_nothing(self) -> None:
        """Where the app is no more, there is nothing of it; there it begins anew when it is added again."""
        for environment in set(EVERYWHERE) - self.runs_in():
            if self.left(environment):  # what arrived while the removal was under review goes with the next push
                self.run("rehydrate")
            assert not self.left(environment)
            if environment in self.accepted:
                self.accepted[environment], self.newest[environment] = {}, {}
                self.taken_back[environment], self.rejected[environment] = {}, {}

    def nothing_is_lost_and_nothing_goes_back(self) -> None:
        """Each newest version is landed or pending, and what was newest once is never forgotten."""
        for environment, accepted in self.accepted.items():
            release, pending = self.release(environment), self.pending(environment)
            newest = {name: self.number(self.projects[name], one.commit) for name, one in release.newest.items()}
            for name, number in self.newest[environment].items():
                assert newest.get(name, 0) >= number, (environment, name)
            self.newest[environment] = newest
            there = dict(newest)
            for group in (*pending.proposed, *pending.held, *pending.failed, *pending.diverged):
                for name, part in group.parts.items():
                    there[name] = max(there.get(name, 0), self.number(part.project, part.commit))
            for name, number in accepted.items():
                rejected = self.rejected[environment].get(name, 0)
                assert there.get(name, 0) >= number or rejected >= number, (environment, name, there, number)

    def groups_are_whole(self) -> None:
        """No config runs with an older image of web than came with it, unless a person went back."""
        for environment in EVERYWHERE:
            release = self.release(environment)
            found = parts(release)
            together = self.projects["config"] == "web" and {"config", "web"} <= found.keys()
            if together and release.pin is None:
                config, web = (self.number("web", found[name].commit) for name in ("config", "web"))
                assert web >= config or config in self.without_image, environment

    def what_is_on_record_runs(self) -> None:
        """A release lands with its YAML, in one commit. What a person went back from may stay away after the pin."""
        for environment in self.runs_in():
            release, file = self.release(environment), f"deploy/{environment}/shop/deployment.apps-web.yaml"
            if file in self.tree():
                text = self.show(file)
                for name, image in release.images.items():
                    assert f"{image.repository}:{image.tag}@{image.digest}" in text, (environment, name, image.tag)
            if release.pin is not None and environment in self.taken_back:
                known = self.taken_back[environment]
                for name, part in parts(release).items():
                    newest = self.number(self.projects[name], release.newest[name].commit)
                    if self.number(part.project, part.commit) < newest:
                        known[name] = max(known.get(name, 0), newest)

    def everything_goes_on(self) -> None:
        """Without holds and faults, what was accepted last runs everywhere."""
        if not self.good:
            self.mend_app()
        self.mend_template()
        self.merge_the_hotfix()
        self.delete_the_branch()
        self.windows_open()
        for environment in self.accepted:
            proposal = self.pending(environment).proposal
            if proposal is not None and proposal.by_person:
                self.close(environment)
            self.thaw(environment)
            self.unpin(environment)
        for _ in range(3):
            self.run("rehydrate")
            for branch in BRANCHES:
                self.merge_branch(branch, squash=False, keep=False)
        self.the_laws_hold()
        for environment in self.accepted.keys() & self.runs_in():
            self.the_newest_runs(environment)
        assert headgate("verify", "--manifests", self.remote.as_uri()).code == 0

    def the_newest_runs(self, environment: str) -> None:
        """What was accepted last runs; where a part never came, or was rejected at once, the others wait for it.

        Where nothing may be pushed to the default branch, what changes no YAML is recorded there by the next merge.
        """
        pending, newest, accepted = self.pending(environment), self.newest[environment], self.accepted[environment]
        if not self.projects.keys() <= newest.keys():
            held = [reason for group in pending.held for reason in group.record.reasons]
            assert all(reason.startswith("waits for") for reason in held), held
            assert not pending.proposed, pending
            assert not pending.failed, pending
            return
        later = [group for group in pending.held if self.apart and group.record.reasons == (CHANGES_NOTHING,)]
        others = tuple(group for group in pending.held if group not in later)
        assert replace(pending, held=others).is_empty, (environment, pending)
        recorded_later = {
            name: self.number(part.project, part.commit) for one in later for name, part in one.parts.items()
        }
        for name, part in parts(self.release(environment)).items():
            number = self.number(part.project, part.commit)
            back = self.taken_back[environment].get(name, 0)
            assert number == newest[name] or back >= newest[name], (environment, name, number, newest)
        for name, number in accepted.items():
            rejected = self.rejected[environment].get(name, 0)
            assert recorded_later.get(name, newest.get(name)) == number or rejected >= number, (environment, name)


class AnyRepositories(Repositories):
    """With any settings and any beginning."""

    @initialize(
        settings=st.sampled_from([SETTINGS, FOLLOWS_HEALTH, GOES_BACK, GOES_BACK]),
        config=st.sampled_from(["web", "web", "deploy"]),
        apart=st.booleans(),
        fails_in=st.sampled_from(["", "dev", "production"]),
    )
    def begin(self, settings: str, config: str, apart: bool, fails_in: str) -> None:
        """The first versions come, and one may fail. Where records are apart, the default branch never has one."""
        self.start(settings, config=config, apart=apart and settings != GOES_BACK, fails_in=fails_in)


class VersionsThatFail(Repositories):
    """Beginning with a version that failed, so that going back meets everything else."""

    @initialize(environment=ENVIRONMENTS, config=st.sampled_from(["web", "deploy"]))
    def begin(self, environment: str, config: str) -> None:
        """The first versions come, and one fails."""
        self.start(GOES_BACK, config=config, apart=False, fails_in=environment)
        assert self.taken_back[environment]


def losing(run: Callable[[], object], first: Callable[[], object]) -> None:
    """Run something, with something else landing right before its first push."""
    pushes: list[int] = []

    def push(repository: Repository, remote: str, moves: list[RefUpdate], options: tuple[str, ...] = ()) -> None:
        pushes.append(1)
        if len(pushes) == 1:
            first()
        real_push(repository, remote, moves, options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(publish, "push", push)
        run()


def run_machine(machine: type[Repositories], examples: int, steps: int, *, derandomize: bool) -> None:
    """Run sequences of so many steps."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=derandomize,
        database=None,
        phases=[Phase.generate],  # what fails is told as it was: to make it smaller takes longer than to read it
    )
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.long
@pytest.mark.usefixtures("clean_user")
@pytest.mark.parametrize(("machine", "examples"), [(AnyRepositories, 3), (VersionsThatFail, 2)])
def test_laws_hold_on_real_git(machine: type[Repositories], examples: int) -> None:
    run_machine(machine, examples, 12, derandomize=True)


@pytest.mark.soak
@pytest.mark.usefixtures("clean_user")
@pytest.mark.parametrize(
    ("machine", "examples", "steps"),
    [(AnyRepositories, 15, 15), (VersionsThatFail, 30, 20), (AnyRepositories, 300, 20)],
)
def test_laws_hold_on_real_git_in_more_sequences(machine: type[Repositories], examples: int, steps: int) -> None:
    run_machine(machine, examples, steps, derandomize=False)
