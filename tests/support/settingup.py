"""Installations on one double, set as an example says, examined by ``headgate doctor``, and then handed off to.

Making an installation takes seconds, so it is made once for each set-up; `put_back` takes back what an example does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from unittest import mock

from support.acme import Acme, jobs_path, make_acme
from support.cli import headgate
from support.gitlab import serve_gitlab
from support.gitlab.gitside import git, refs, write_commit
from support.gitlab.pipelines import make as make_pipeline
from support.gitlab.state import DEVELOPER, MAINTAINER, NO_ONE, REPORTER, Pipeline, Project, Protection, User, Variable
from support.inprocess import in_process
from support.registry import Registry, push_image

Token = Literal["none", "good", "expired", "weak", "stranger"]
"""``weak`` has a scope that is too small, ``stranger`` is of somebody who is no member."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One way in which an installation can be set. The defaults are what ``headgate init`` asks for."""

    setup: str
    version: str = "18.11.2"
    delivery: str = "commit"
    records_apart: bool = False
    tagged: bool = False
    proofs: str = ""
    push: int | None = None
    merge: int | None = None
    is_protected: bool = True
    door_push: int = NO_ONE
    door_merge: int = DEVELOPER
    is_door_protected: bool = True
    variables_role: str = "no_one_allowed"
    jobs_push: bool | None = None
    bot: Token = "good"
    bot_level: int = MAINTAINER
    bot_level_in_app: int = DEVELOPER
    is_bot_shown_to_all: bool = False
    door_bot: Token = "good"
    branch_token: Token | Literal["bot"] = "none"
    read_token: Token = "none"
    is_listed: bool = True
    dana_in_manifests: int | None = None
    dana_in_door: int = DEVELOPER
    visibility: str = "private"
    is_ref_protected: bool = True
    trigger: Literal["good", "none", "shown", "wrong", "stranger"] = "good"
    may_wait: bool = True


SETTINGS = """\
version: 1
gitlab: {{url: '{url}', project: acme/manifests, registry: '{registry}'{proofs}}}
environments:
  dev: {{takes: {takes}, delivery: {delivery}, kubernetes: "1.34"}}
{records}"""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the doctor said of hand-offs, and all that it found."""

    hand_offs: str
    code: int
    findings: tuple[dict[str, str], ...]

    @property
    def stopping(self) -> list[str]:
        """What it says stops hand-offs, or could."""
        found = [finding for finding in self.findings if finding.get("stops")]
        return [f"{finding['check']}: {finding['project']}: {finding['told']}" for finding in found]


@dataclass(kw_only=True)
class Examined:
    """An installation of one set-up. ``token`` is what the doctor looks with."""

    acme: Acme
    folder: Path
    commit: str
    token: str

    def set(self, example: Example) -> None:
        """Set the installation as an example says."""
        acme = self.acme
        acme.gitlab.version = example.version
        self._files(example)
        self._members(example)
        self._protect(example)
        self._tokens(example)
        for project in filter(None, (acme.manifests, acme.intake)):
            project.variables_role = example.variables_role
            project.visibility = example.visibility
        is_direct = example.setup == "direct"
        acme.manifests.job_token_push = is_direct if example.jobs_push is None else example.jobs_push
        acme.shop.allowlist |= {acme.triggered.path} if example.is_listed else set()

    def _files(self, example: Example) -> None:
        acme = self.acme
        head = refs(acme.manifests)["refs/heads/main"]
        text = SETTINGS.format(
            url=acme.gitlab.url,
            registry=acme.registry.host,
            proofs=f", proofs: [{example.proofs}]" if example.proofs else "",
            takes="{tag: 'v*'}" if example.tagged else "{branch: main}",
            delivery=example.delivery,
            records="records: branch\n" if example.records_apart else "",
        )
        write_commit(acme.manifests.folder, "refs/heads/main", head, {"headgate.yaml": text}, "max", "Set")

    def _members(self, example: Example) -> None:
        acme, is_direct = self.acme, example.setup == "direct"
        own = DEVELOPER if is_direct else REPORTER
        levels = {acme.max: MAINTAINER, acme.bot: example.bot_level}
        levels[acme.dana] = own if example.dana_in_manifests is None else example.dana_in_manifests
        acme.manifests.members = _held(levels)
        acme.shop.members = _held({acme.max: MAINTAINER, acme.dana: DEVELOPER, acme.bot: example.bot_level_in_app})
        if acme.intake is not None:
            acme.intake.members = _held({acme.max: MAINTAINER, acme.dana: example.dana_in_door})

    def _protect(self, example: Example) -> None:
        acme = self.acme
        usual = DEVELOPER if example.setup == "direct" else MAINTAINER
        push, merge = (usual if level is None else level for level in (example.push, example.merge))
        acme.manifests.protected_branches = {"main": Protection(push, merge)} if example.is_protected else {}
        if example.records_apart:
            acme.manifests.protected_branches["headgate/_state"] = Protection(MAINTAINER, MAINTAINER)
        if acme.intake is not None:
            door = Protection(example.door_push, example.door_merge)
            acme.intake.protected_branches = {"main": door} if example.is_door_protected else {}
        is_open = not example.is_ref_protected
        acme.shop.protected_branches = {} if is_open and not example.tagged else {"main": Protection(30, 30)}
        acme.shop.protected_tags |= {} if is_open else {"v*": DEVELOPER}

    def _tokens(self, example: Example) -> None:
        acme = self.acme
        own = self._token(example.bot, acme.bot)
        self._give(acme.manifests, "HEADGATE_TOKEN", own, protected=not example.is_bot_shown_to_all)
        if acme.intake is not None:
            same = example.door_bot == example.bot
            theirs = own if same else self._token(example.door_bot, acme.bot)
            self._give(acme.intake, "HEADGATE_TOKEN", theirs, protected=not example.is_bot_shown_to_all)
        people = {user.name: user for user in acme.gitlab.users}
        helper, reader = people["helper"], people["reader"]
        acme.manifests.members |= {helper.id: DEVELOPER}
        acme.shop.members |= {reader.id: REPORTER} if example.read_token != "stranger" else {}
        whose = acme.bot if example.branch_token == "bot" else helper
        kind = "good" if example.branch_token == "bot" else example.branch_token
        self._give(acme.triggered, "HEADGATE_BRANCH_TOKEN", self._token(kind, whose), protected=False)
        self._give(acme.triggered, "HEADGATE_READ_TOKEN", self._token(example.read_token, reader), protected=False)
        if example.setup == "token":
            self._trigger(example)

    def _trigger(self, example: Example) -> None:
        acme = self.acme
        owner = next(user for user in acme.gitlab.users if user.name == "stranger")
        value = acme.gitlab.trigger_token(acme.manifests, owner if example.trigger == "stranger" else acme.bot)
        value = "glptt-of-another-project" if example.trigger == "wrong" else value
        given = "" if example.trigger == "none" else value
        self._give(acme.shop, "HEADGATE_TRIGGER_TOKEN", given, protected=example.trigger != "shown")
        acme.manifests.allowlist |= {"acme/shop"} if example.may_wait else set()

    def _token(self, kind: str, user: User) -> str:
        if kind == "none":
            return ""
        scopes = ("read_repository",) if kind == "weak" else ("api", "write_repository", "read_repository")
        stranger = next(person for person in self.acme.gitlab.users if person.name == "stranger")
        self.acme.gitlab.token(stranger if kind == "stranger" and user.name != "reader" else user, *scopes)
        made = self.acme.gitlab.tokens[-1]
        made.expired = kind == "expired"
        return made.value

    @staticmethod
    def _give(project: Project, key: str, value: str, *, protected: bool) -> None:
        if value:
            project.variables[key] = Variable(value, protected=protected)

    # --- what is looked at

    def doctor(self, example: Example) -> Said:
        """Run the doctor, by a checkout of the manifest repository."""
        checkout = self.folder / "checkout"
        shutil.rmtree(checkout, ignore_errors=True)
        source = str(self.acme.manifests.folder)
        subprocess.run(["git", "clone", "--quiet", "--branch=main", source, str(checkout)], check=True)
        args = ("--setup", example.setup, "--intake", "acme/intake", "--token-env", "DOCTOR_TOKEN", "--json")
        with mock.patch.dict(os.environ, {"DOCTOR_TOKEN": self.token}):
            ran = headgate("doctor", "--manifests", str(checkout), *args)
        answer = json.loads(ran.out)
        return Said(hand_offs=answer["hand_offs"], code=ran.code, findings=tuple(answer["findings"]))

    def hand_off(self, example: Example) -> Pipeline:
        """Run the app's pipeline as a push does, and all that it sets off; return it."""
        gitlab, shop = self.acme.gitlab, self.acme.shop
        ref = "v1.0.0" if example.tagged else "main"
        made = make_pipeline(gitlab, shop, ref, "push", self.acme.dana, is_tag=example.tagged, sha=self.commit)
        with in_process(gitlab):
            gitlab.settle()
        return made

    def arrived(self, example: Example) -> bool:
        """Whether the version is where it belongs: on the default branch, or in an open merge request."""
        gitlab, manifests = self.acme.gitlab, self.acme.manifests
        path = "deploy/dev/shop/deployment.apps-shop.yaml"
        where = "refs/heads/main"
        if example.delivery == "review":
            open_requests = gitlab.open_requests(manifests)
            where = f"refs/heads/{open_requests[0].source}" if open_requests else ""
        text = git(manifests, "show", f"{where}:{path}", check=False) if where else ""
        return f":{self.commit[:8]}@sha256:" in text


def _held(levels: dict[User, int]) -> dict[int, int]:
    return {user.id: level for user, level in levels.items() if level}


class Stages:
    """Examineds by their set-ups, each made when it is first asked for."""

    def __init__(self, folder: Path, registry: Registry, stack: ExitStack) -> None:
        self._folder, self._registry, self._stack = folder, registry, stack
        self._made: dict[str, Examined] = {}

    def __getitem__(self, setup: str) -> Examined:
        """Return the scene of a set-up."""
        if setup not in self._made:
            folder = self._folder / setup
            folder.mkdir()
            self._made[setup] = _make(folder, self._registry, self._stack, setup)
        return self._made[setup]


def _make(folder: Path, registry: Registry, stack: ExitStack, setup: str) -> Examined:
    gitlab = stack.enter_context(serve_gitlab(folder / "gitlab", jobs_path(folder)))
    gitlab.judge = lambda _request, _answer: []  # other tests make the same exchanges
    acme = make_acme(gitlab, registry, folder, setup=setup)
    for name in ("helper", "reader", "stranger"):
        gitlab.user(name)
    extra = "build: {stage: build, script: ['true']}\n"
    if setup == "token":
        extra = f"\n      transport: token\n{extra}"
    text = f"{gitlab.show(acme.shop, '.gitlab-ci.yml')}\n{extra}"
    commit = gitlab.push(acme.shop, {".gitlab-ci.yml": text}, user=acme.dana, message="Begin [skip ci]", tag="v1.0.0")
    push_image(registry, "acme/shop", commit[:8], labels={})
    acme.headgate.visibility = "public"
    for project in gitlab.projects:  # an example sets all of this
        for settings in (project.variables, project.protected_tags, project.trigger_tokens, project.allowlist):
            settings.clear()
        project.pipelines.clear()
    gitlab.tokens.clear()
    return Examined(acme=acme, folder=folder, commit=commit, token=gitlab.token(acme.max, "read_api"))


@contextmanager
def make_stages(folder: Path, registry: Registry) -> Iterator[Stages]:
    """Give the scenes, for as long as the block lasts."""
    with ExitStack() as stack:
        yield Stages(folder, registry, stack)
