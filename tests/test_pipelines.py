"""The child pipelines of this project's own pipeline, run on the double of GitLab with this checkout's components."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.acme import jobs_path
from support.components import ROOT
from support.gitlab import Double, serve_gitlab
from support.gitlab.mergeside import open_request
from support.gitlab.pipelines import on_merge_request
from support.gitlab.state import DEVELOPER, MAINTAINER, Pipeline, Project, Protection, User, Variable
from support.registry import Registry, push_image

pytestmark = pytest.mark.long
HERE = ROOT / "tests" / "pipelines"


@dataclass
class Stage:
    """This project and the manifest project for tests, set up as docs/releasing.md says."""

    gitlab: Double
    registry: Registry
    max: User
    headgate: Project
    manifests: Project

    def run(self, child: str, *, tag: str = "", is_built: bool = True) -> Pipeline:
        """Push this checkout with a child pipeline's file as its whole configuration, and let that run."""
        commit = self.gitlab.push(self.headgate, checkout(child), user=self.max, tag=tag)
        self.headgate.variables.pop("IMAGE_DIGEST", None)
        if is_built:  # the job `digest` passes the digest on, and the parent pipeline hands it to the child
            digest = push_image(self.registry, self.headgate.path, commit, labels={})
            self.headgate.variables["IMAGE_DIGEST"] = Variable(digest, masked=False)
        if tag:  # the branch's own pipeline is not what is looked at
            self.headgate.pipelines = [one for one in self.headgate.pipelines if one.is_tag]
        self.gitlab.settle()
        return self.headgate.pipelines[-1]


def checkout(child: str) -> dict[str, str | None]:
    folders = (HERE, ROOT / "templates")
    files = {str(one.relative_to(ROOT)): one.read_text() for at in folders for one in at.rglob("*") if one.is_file()}
    return {**files, ".gitlab-ci.yml": (HERE / child).read_text()}


@pytest.fixture
def stage(tmp_path: Path, registry: Registry) -> Iterator[Stage]:
    with serve_gitlab(tmp_path / "gitlab", jobs_path(tmp_path)) as gitlab:
        gitlab.registry = registry.host
        maxi, bot = gitlab.user("max"), gitlab.user("bot")
        everybody = {maxi: MAINTAINER, bot: MAINTAINER}
        headgate = gitlab.project("headgate/headgate", everybody)
        manifests = gitlab.project("headgate/test-manifests", everybody)
        token = gitlab.token(bot, "api", "write_repository")
        headgate.protected_branches["main"] = Protection(push=MAINTAINER, merge=DEVELOPER)
        headgate.protected_tags["*"] = MAINTAINER
        headgate.allowlist.add(manifests.path)
        headgate.variables["HEADGATE_TEST_MANIFESTS"] = Variable(manifests.path, masked=False)
        headgate.variables["HEADGATE_TEST_TOKEN"] = Variable(token, protected=True, masked=True)
        manifests.protected_branches["main"] = Protection(push=MAINTAINER, merge=MAINTAINER)
        manifests.job_token_push = True
        manifests.variables["HEADGATE_TOKEN"] = Variable(token, protected=True, masked=True)
        manifests.allowlist.add(headgate.path)
        yield Stage(gitlab, registry, maxi, headgate, manifests)


def log(pipeline: Pipeline) -> str:
    return "\n".join(f"{one.name} {one.status} {one.failure_reason}: {one.log}" for one in pipeline.jobs)


def test_the_image_of_a_commit_arrives_in_all_four_ways(stage: Stage) -> None:
    ran = stage.run("delivery.yml")
    assert ran.status == "success", (log(ran), [(one.errors, log(one)) for one in stage.manifests.pipelines])
    assert [one.name for one in ran.jobs] == ["prepare", "deliver", "check"]
    found = stage.gitlab.show(stage.manifests, "deploy/automatic/own/deployment.apps-own.yaml")
    assert f"{stage.registry.host}/headgate/headgate:{ran.sha}@sha256:" in found
    assert sorted(one.source for one in stage.gitlab.open_requests(stage.manifests)) == [
        "headgate/reviewed/own",
        "headgate/reviewed/shared",
    ]
    token = stage.headgate.variables["HEADGATE_TEST_TOKEN"].value
    assert all(
        token not in one.log for project in stage.gitlab.projects for run in project.pipelines for one in run.jobs
    )


def test_the_next_commit_and_a_tag_find_nothing_of_earlier_tests(stage: Stage) -> None:
    stage.run("delivery.yml")
    first = {one.iid for one in stage.gitlab.open_requests(stage.manifests)}
    ran = stage.run("delivery.yml", tag="1.0.0")
    assert ran.is_tag
    assert ran.status == "success", log(ran)
    assert not first & {one.iid for one in stage.gitlab.open_requests(stage.manifests)}


def test_another_digest_than_the_one_that_was_built_fails(stage: Stage) -> None:
    ran = stage.run("delivery.yml", is_built=False)
    assert (ran.status, ran.jobs[1].status) == ("failed", "failed")  # nothing to hand off
    stage.headgate.variables["IMAGE_DIGEST"] = Variable(f"sha256:{'0' * 64}", masked=False)
    push_image(stage.registry, stage.headgate.path, ran.sha, labels={})
    again = stage.gitlab.run_form(stage.headgate, stage.max, {})
    stage.gitlab.settle()
    assert [one.status for one in again.jobs] == ["success", "success", "failed"], log(again)
    assert "own in automatic: deploy/automatic/own/deployment.apps-own.yaml on main does not run" in again.jobs[2].log


def test_without_a_token_it_says_where_that_is_explained(stage: Stage) -> None:
    del stage.headgate.variables["HEADGATE_TEST_TOKEN"]
    ran = stage.run("delivery.yml")
    assert ran.status == "failed"
    assert "HEADGATE_TEST_TOKEN: is not set: see docs/releasing.md" in ran.jobs[0].log
    assert not stage.manifests.pipelines


def test_a_merge_request_is_previewed(stage: Stage) -> None:
    stage.run("delivery.yml")
    files = checkout("preview.yml") | {"tests/pipelines/config/granted/values.yaml": "replicas: 5\n"}
    text = (files[".gitlab-ci.yml"] or "").replace("stage: components", "stage: test")  # a stage of the whole pipeline
    files[".gitlab-ci.yml"] = text
    commit = stage.gitlab.push(stage.headgate, files, user=stage.max, branch="change")
    push_image(stage.registry, stage.headgate.path, commit, labels={})
    request = open_request(stage.gitlab, stage.headgate, "change", stage.max)
    ran = on_merge_request(stage.gitlab, request, stage.max)
    stage.gitlab.settle()
    assert ran.status == "success", (ran.errors, log(ran))
    assert re.search(r"spec\.replicas\s+- 3\s+\+ 5\s", log(ran)), log(ran)
    assert "replicas: 3" in stage.gitlab.show(stage.manifests, "deploy/automatic/shared/deployment.apps-shared.yaml")


def test_the_components_are_accepted_and_the_four_ways_work(stage: Stage) -> None:
    ran = stage.run("accepted.yml")
    assert ran.status == "success", (ran.errors, log(ran))
    assert [one.name for one in ran.jobs] == ["ways of working"]


def test_a_component_that_gitlab_refuses_is_found(stage: Stage) -> None:
    files = checkout("accepted.yml")
    files["templates/hydrate.yml"] = (files["templates/hydrate.yml"] or "").replace(
        "inputs.server ]]", "inputs.sever ]]"
    )
    stage.gitlab.push(stage.headgate, files, user=stage.max)
    assert stage.headgate.pipelines[-1].errors == ["unknown interpolation provided: `sever` in `inputs.sever`"]
