"""The tutorial on GitLab with Flux: its text is walked from an empty folder, and how long that takes is on record.

Commands are the page's own. What it tells people to do in GitLab is done to the double as a person would, by the place
that the page names; a step that is not known here fails the test. Buildah is a program that pushes a small image.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from headgate import __version__, tools
from support.acme import ROOT, jobs_path
from support.cluster import Cluster, serve_clusters, wait_for, write_kubeconfig
from support.gitlab import Double, pipelines, serve_gitlab
from support.gitlab.byitself import running
from support.gitlab.mergeside import merge
from support.gitlab.state import MAINTAINER, Group, Project, User
from support.registry import Registry
from support.rollout import ENDED, SECONDS

PAGE = ROOT / "docs/tutorial-gitlab.md"
PART = re.compile(
    r"^```(sh|output)\n(.*?)^```$|^[0-9]+\. \*\*In GitLab:\*\* (.*?)(?=\n\n|\n[0-9]+\. )", re.MULTILINE | re.DOTALL
)
NAMES = {"GITLAB", "GROUP", "REGISTRY"}
MINUTES, STEPS = 15, 5
BUILDAH = """\
import sys
sys.path.insert(0, {tests!r})
from support.registry import Registry, push_image
if sys.argv[1] == "push":
    repository, _, tag = sys.argv[2].partition("/")[2].rpartition(":")
    push_image(Registry({host!r}, lambda _: {{}}), repository, tag, labels={{}})
"""


@dataclass(kw_only=True)
class Walker:
    """A person with a terminal and a browser."""

    gitlab: Double
    folder: Path
    ada: User
    environment: Mapping[str, str]
    pasted: list[str] = field(default_factory=list)

    @property
    def manifests(self) -> Project:
        """The manifest project, which the page makes."""
        found = self.gitlab.find_project("acme/manifests")
        assert found is not None
        return found

    def run(self, text: str) -> str:
        """Type a block of the page into the terminal, where variables stay from block to block."""
        top = self.folder.parent
        script = f"set -eu\n. {top}/variables\n{text}\nexport -p > {top}/variables\n"
        lines = "".join(f"{line}\n" for line in self.pasted)
        with (top / "said").open("w+") as said, tempfile.TemporaryFile("w+") as given:
            given.write(lines)
            given.seek(0)
            command = ["bash", "-c", script]
            process = subprocess.Popen(
                command, stdin=given, stdout=said, stderr=said, cwd=self.folder, env=dict(self.environment)
            )
            try:
                wait_for(lambda: process.poll() is not None or self.failures(), 2 * SECONDS, text)
            finally:
                process.kill()
                process.wait()
            said.seek(0)
            printed = said.read()
        assert process.returncode == 0, f"{text}\n{printed}\n{self.failures()}"
        self.pasted = self.pasted if "read " not in text else []
        return printed

    def failures(self) -> str:
        """Return the logs of pipelines that failed, and why others could not be made."""
        every = [one for project in self.gitlab.projects for one in project.pipelines]
        return "\n".join(f"{one.project.path} {one.errors}\n{one.log}" for one in every if one.status == "failed")

    def make_token(self) -> None:
        self.pasted.append(self.gitlab.token(self.ada, "api"))

    def make_deploy_token(self) -> None:
        (group,) = self.gitlab.groups
        reader = self.gitlab.user("gitlab+deploy-token-1")
        group.readers.append(reader)
        self.pasted += [reader.name, self.gitlab.token(reader, "read_repository")]

    def promote(self) -> None:
        form = {"action": "promote", "app": "shop", "environment": "production", "from": "dev"}
        made = pipelines.make(self.gitlab, self.manifests, "main", "web", self.ada, inputs=form)
        wait_for(lambda: made.status in ENDED, SECONDS, "the form's pipeline ends")
        assert made.status == "success", made.log

    def merge(self) -> None:
        (request,) = self.gitlab.open_requests(self.manifests)
        assert request.source == "headgate/production/shop"
        merge(self.gitlab, request, self.ada)
        assert request.state == "merged"


ACTIONS: Mapping[str, Callable[[Walker], None]] = {
    "*your avatar > Edit profile > Personal access tokens*": Walker.make_token,
    "*the group > Settings > Repository > Deploy tokens*": Walker.make_deploy_token,
    "*manifests > Build > Pipelines > New pipeline*": Walker.promote,
    "*manifests > Merge requests*": Walker.merge,
}


def parts() -> list[tuple[str, str]]:
    """Return what the page says, in its order: blocks of commands and output, and steps in GitLab."""
    found = [(kind or "step", text or step) for kind, text, step in PART.findall(PAGE.read_text())]
    assert {kind for kind, _ in found} == {"sh", "output", "step"}
    return found


def step_place(text: str) -> str:
    """Return where in GitLab a step is done: what it begins with."""
    found = re.match(r"\*[^*]+\*", text)
    assert found, text
    return found[0]


def load() -> str:
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def test_each_step_in_gitlab_is_one_that_is_walked_and_they_are_few() -> None:
    steps = [text for kind, text in parts() if kind == "step"]
    assert [step_place(text) for text in steps] == list(ACTIONS)
    assert PAGE.read_text().count("**In GitLab:**") == len(steps) < STEPS


@pytest.fixture
def clusters(tmp_path: Path) -> Iterator[list[Cluster]]:
    with serve_clusters(tmp_path / "clusters", "dev", "production") as found:
        yield found


@pytest.fixture
def walker(tmp_path: Path, registry: Registry, clusters: list[Cluster], clean_user: None) -> Iterator[Walker]:
    path = jobs_path(tmp_path)
    buildah = tmp_path / "bin/buildah"
    buildah.write_text(f"#!{sys.executable}\n{BUILDAH.format(tests=str(ROOT / 'tests'), host=registry.host)}")
    buildah.chmod(0o755)
    typed = tmp_path / "typed"
    typed.write_text('#!/bin/sh\ncase "$1" in Username*) echo ada ;; *) echo "$SETUP_TOKEN" ;; esac\n')
    typed.chmod(0o755)
    (tmp_path / "bin/kubectl").symlink_to(tools.own_folder() / "kubectl")
    (tmp_path / "variables").touch()
    folder = tmp_path / "empty"
    folder.mkdir()
    with serve_gitlab(tmp_path / "gitlab", path) as gitlab, running(gitlab):
        gitlab.registry = registry.host
        ada = gitlab.user("ada")
        gitlab.groups.append(Group("acme", ada))
        components = gitlab.project("headgate/headgate", {ada: MAINTAINER}, visibility="public")
        texts: dict[str, str | None] = {
            f"templates/{one.name}": one.read_text() for one in ROOT.glob("templates/*.yml")
        }
        gitlab.push(components, texts, user=ada, message="Components [skip ci]", tag=__version__)
        components.releases.append(__version__)
        own = {"GITLAB": gitlab.url, "GROUP": "acme", "REGISTRY": registry.host, "GIT_ASKPASS": str(typed)}
        own |= {"KUBECONFIG": str(write_kubeconfig(tmp_path / "kubeconfig", clusters)), "COLUMNS": "80"}
        yield Walker(gitlab=gitlab, folder=folder, ada=ada, environment={**os.environ, "PATH": path, **own})


@pytest.mark.cluster
def test_the_walk_ends_in_production_within_minutes(
    walker: Walker, clusters: list[Cluster], capsys: pytest.CaptureFixture[str]
) -> None:
    begin, printed = time.monotonic(), ""
    (_, names), *rest = parts()
    assert set(re.findall(r"\b([A-Z]+)=", names)) == NAMES  # what differs from one GitLab to another, and nothing else
    assert list(walker.folder.iterdir()) == []
    measured, everything = [], ""
    for kind, text in rest:
        since = time.monotonic()
        if kind == "step":
            ACTIONS[step_place(text)](walker)
        elif kind == "sh":
            printed = walker.run(text)
            everything += printed
        else:
            assert not [line for line in text.splitlines() if line not in printed], printed
        measured.append(f"{time.monotonic() - since:7.1f} s  {' '.join(text.split())[:70]}")
    seconds = time.monotonic() - begin
    steps = sum(kind == "step" for kind, _ in rest)
    lines = everything.partition("\ninclude:\n")[2].partition("\n\n")[0].splitlines()
    assert len(lines) > 2
    written = (walker.folder / "shop/.gitlab-ci.yml").read_text()
    assert not [line for line in lines if line not in written], "the page's lines are those that init prints"
    for cluster in clusters:
        (deployed,) = cluster.get("deployments", namespace="shop")
        assert deployed["status"]["readyReplicas"] == 1
        assert "/acme/shop:" in deployed["spec"]["template"]["spec"]["containers"][0]["image"]
    with capsys.disabled():
        print("", *measured, sep="\n")  # noqa: T201
        print(f"{seconds:7.1f} s from an empty folder to production, with {steps} steps in GitLab; load {load()}")  # noqa: T201
    assert seconds < MINUTES * 60
    assert steps < STEPS
