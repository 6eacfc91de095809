"""What GitLab does with merge requests that Headgate must know of: the doctor names it, and the double does it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.cli import headgate
from support.gitlab.mergeside import approve
from support.gitlab.state import DEVELOPER, MAINTAINER, Protection, Variable
from support.registry import Registry
from support.reviewing import SETTINGS, Ended, Scene, make_sender_scene

TAKES = "dev: {takes: {branch: main}, delivery: commit,"
FOR_REQUESTS = 'workflow:\n  rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event"}, {if: $CI_COMMIT_BRANCH}]\n'
FOR_BRANCHES = "workflow:\n  rules: [{if: $CI_COMMIT_BRANCH}]\n"
JOB = "look: {script: ['true']}\n"


@dataclass
class Reviewed:
    """A GitLab whose environment dev is reviewed, and a place for a checkout."""

    scene: Scene
    folder: Path

    def configure(self, review: str = "auto_merge: true", ci: str = FOR_REQUESTS) -> None:
        """Say how merge requests are made, and when pipelines run."""
        text = SETTINGS.format(url=self.scene.gitlab.url)
        text = text.replace(TAKES, f"dev: {{takes: {{branch: main}}, delivery: review, review: {{{review}}},")
        text = text.replace("  try: ", "  # try: ")
        self.scene.gitlab.push(
            self.scene.manifests, {"headgate.yaml": text, ".gitlab-ci.yml": ci + JOB}, user=self.scene.maintainer
        )

    def findings(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
        """Return what the doctor says, by check, of checks that say a single thing."""
        checkout = self.folder / "checkout"
        subprocess.run(["git", "clone", "--quiet", "--branch=main", self.scene.manifests.folder, checkout], check=True)
        monkeypatch.setenv("DOCTOR", self.scene.gitlab.token(self.scene.maintainer, "read_api"))
        ran = headgate("doctor", "--manifests", str(checkout), "--setup", "token", "--token-env", "DOCTOR", "--json")
        return {finding["check"]: finding for finding in json.loads(ran.out)["findings"]}

    def hand_off(self) -> Ended:
        """Hand a new version off."""
        self.scene.change()
        return self.scene.from_pipeline()


@pytest.fixture
def reviewed(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reviewed]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("headgate.review.reconcile.SECONDS", 2.0)
    with make_sender_scene(tmp_path, registry) as scene:
        scene.gitlab.version = "19.3.0"
        scene.gitlab.unchecked_reads = 0
        scene.manifests.protected_branches["main"] = Protection(MAINTAINER, MAINTAINER)
        yield Reviewed(scene, tmp_path)


@pytest.mark.parametrize(
    ("option", "state"),
    [
        ("always", "wrong"),
        pytest.param("default_on", "ok", marks=pytest.mark.long),
        pytest.param("never", "ok", marks=pytest.mark.long),
    ],
)
def test_what_must_be_squashed_is_not_merged_by_itself(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch, option: str, state: str
) -> None:
    reviewed.configure()
    reviewed.scene.manifests.squash_option = option
    found = reviewed.findings(monkeypatch)["squash"]
    assert found["state"] == state
    assert ("Settings > Merge requests > 'Squash commits when merging'" in found["hint"]) == (state == "wrong")
    ended = reviewed.hand_off()
    (request,) = reviewed.scene.manifests.merge_requests
    assert (request.state == "merged") == (state == "ok"), ended.out
    words = " ".join(ended.out.split())
    for told in (
        "This project requires squashing commits",
        "Settings > Merge requests > 'Squash commits when merging'",
    ):
        assert (told in words) == (state == "wrong"), ended.out


@pytest.mark.long
@pytest.mark.parametrize(("ci", "state"), [(FOR_BRANCHES, "wrong"), (FOR_REQUESTS, "ok")])
def test_what_is_merged_by_trains_alone_needs_a_pipeline_of_its_own(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch, ci: str, state: str
) -> None:
    reviewed.configure(ci=ci)
    reviewed.scene.manifests.must_use_train = True
    found = reviewed.findings(monkeypatch)["merge trains"]
    assert found["state"] == state
    assert ("merge_request_event" in found["hint"]) == (state == "wrong")
    ended = reviewed.hand_off()
    (request,) = reviewed.scene.manifests.merge_requests
    assert request.auto_merge == (state == "ok"), ended.out
    assert ("merge train" in ended.out) == (state == "ok"), ended.out


@pytest.mark.parametrize("has_token", [pytest.param(True, marks=pytest.mark.long), False])
def test_what_a_job_pushes_has_no_pipeline_that_succeeds(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch, *, has_token: bool
) -> None:
    reviewed.configure("labels: []")
    manifests = reviewed.scene.manifests
    manifests.pipelines_must_succeed = True
    if not has_token:
        manifests.variables.clear()
        manifests.job_token_push = True
        manifests.members[reviewed.scene.person.id] = MAINTAINER
    found = reviewed.findings(monkeypatch)["pipelines of merge requests"]
    assert found["state"] == ("ok" if has_token else "wrong")
    assert ("'Pipelines must succeed': off" in found["hint"]) == (not has_token)
    ended = reviewed.hand_off()
    assert ended.code == 0, ended.out
    (request,) = manifests.merge_requests
    made = [pipeline for pipeline in manifests.pipelines if pipeline.sha == request.sha]
    assert bool(made) == has_token, ended.out


@pytest.mark.long
@pytest.mark.parametrize(
    ("skips", "ci", "state"),
    [
        (True, FOR_BRANCHES, "wrong"),
        pytest.param(True, FOR_REQUESTS, "ok", marks=pytest.mark.long),
        pytest.param(False, FOR_BRANCHES, "ok", marks=pytest.mark.long),
    ],
)
def test_pipelines_of_branches_that_are_skipped_leave_none(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch, *, skips: bool, ci: str, state: str
) -> None:
    reviewed.configure("labels: []", ci)
    manifests = reviewed.scene.manifests
    manifests.pipelines_must_succeed, manifests.skips_branch_pipelines = True, skips
    found = reviewed.findings(monkeypatch)["pipelines of merge requests"]
    assert found["state"] == state
    assert ("'Skip branch pipelines for merge requests': off" in found["hint"]) == (state == "wrong")
    for _ in range(2):  # the first push comes before its merge request
        ended = reviewed.hand_off()
        assert (ended.code, len(manifests.merge_requests)) == (0, 1), ended.out
    (request,) = manifests.merge_requests
    made = [pipeline for pipeline in manifests.pipelines if pipeline.sha == request.sha and not pipeline.errors]
    assert bool(made) == (state == "ok")


@pytest.mark.long
@pytest.mark.parametrize(
    ("review", "state"),
    [("labels: []", "wrong"), pytest.param("reviewers: [max]", "ok", marks=pytest.mark.long)],
)
def test_reviewers_that_gitlab_adds_are_named(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch, review: str, state: str
) -> None:
    reviewed.configure(review)
    manifests, dana, maxi = reviewed.scene.manifests, reviewed.scene.person, reviewed.scene.maintainer
    assert "automatic reviewers" not in reviewed.findings(monkeypatch)
    subprocess.run(["rm", "-r", reviewed.folder / "checkout"], check=True)
    manifests.reviewer_assignment, manifests.code_owners = "code_owners", [dana.id]
    found = reviewed.findings(monkeypatch)["automatic reviewers"]
    assert found["state"] == state
    assert ("'Automatically assign all code owners as reviewers': off" in found["hint"]) == (state == "wrong")
    assert reviewed.hand_off().code == 0
    (request,) = manifests.merge_requests
    assert request.reviewers == ([dana.id] if state == "wrong" else [maxi.id])


@pytest.mark.long
@pytest.mark.parametrize(
    ("resets", "review", "state", "words"),
    [
        pytest.param(True, "auto_merge: true", "ok", "removes its approvals", marks=pytest.mark.long),
        (False, "auto_merge: true", "wrong", "dev merges it automatically, unseen"),
        pytest.param(False, "labels: []", "ok", "whoever merges it must check", marks=pytest.mark.long),
        pytest.param(None, "auto_merge: true", None, "", marks=pytest.mark.long),
    ],
)
def test_approvals_are_of_what_was_seen(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch, resets: bool | None, review: str, state: str | None, words: str
) -> None:
    reviewed.configure(review)
    manifests, maxi = reviewed.scene.manifests, reviewed.scene.maintainer
    manifests.resets_approvals = resets
    found = reviewed.findings(monkeypatch).get("approvals", {})
    assert found.get("state") == state
    assert words in found.get("told", "")
    assert ("'When a commit is added': 'Remove all approvals'" in found.get("hint", "")) == (state == "wrong")
    reviewed.configure("labels: []")
    assert reviewed.hand_off().code == 0
    (request,) = manifests.merge_requests
    approve(request, maxi)
    assert reviewed.hand_off().code == 0
    assert list(request.approved_by) == ([] if resets else [maxi.id])


def test_where_nothing_is_reviewed_none_of_it_matters(reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch) -> None:
    reviewed.configure()
    text = reviewed.scene.gitlab.show(reviewed.scene.manifests, "headgate.yaml").replace(
        "review, review: {auto_merge: true}", "commit"
    )
    reviewed.scene.gitlab.push(reviewed.scene.manifests, {"headgate.yaml": text}, user=reviewed.scene.maintainer)
    manifests = reviewed.scene.manifests
    manifests.squash_option, manifests.pipelines_must_succeed, manifests.resets_approvals = "always", True, False
    manifests.reviewer_assignment = "code_owners"
    checks = {"squash", "approvals", "automatic reviewers", "pipelines of merge requests"}
    assert checks.isdisjoint(reviewed.findings(monkeypatch))


@pytest.mark.long
@pytest.mark.parametrize(
    ("review", "merges", "check", "state", "words"),
    [
        ("approvals: 1", MAINTAINER, "approvers", "ok", "people merge it (auto_merge: false)"),
        (
            "approvals: 1, auto_merge: true",
            MAINTAINER,
            "approvers",
            "ok",
            "1 besides the bot may approve for dev, which needs 1",
        ),
        (
            "approvals: 2, auto_merge: true",
            MAINTAINER,
            "approvers",
            "wrong",
            "besides the bot 1 have the role maintainer",
        ),
        ("approvals: 2, approver_role: developer", MAINTAINER, "approvers", "ok", "2 besides the bot may approve"),
        ("approvals: 1", MAINTAINER, "who may merge unapproved", "ok", "max can merge into main with fewer"),
        ("approvals: 1", DEVELOPER, "who may merge unapproved", "wrong", "dana, max can merge into main with fewer"),
        ("labels: []", DEVELOPER, "who may merge unapproved", None, ""),
    ],
)
def test_who_could_merge_without_approvals_is_named(
    reviewed: Reviewed,
    monkeypatch: pytest.MonkeyPatch,
    review: str,
    merges: int,
    check: str,
    state: str | None,
    words: str,
) -> None:
    reviewed.configure(review)
    manifests = reviewed.scene.manifests
    manifests.protected_branches["main"] = Protection(MAINTAINER, merges)
    manifests.members[reviewed.scene.person.id] = DEVELOPER
    found = reviewed.findings(monkeypatch).get(check, {})
    assert found.get("state") == state
    assert words in found.get("told", "")


def test_without_the_bots_token_nobody_counts_approvals(reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch) -> None:
    reviewed.configure("approvals: 1")
    reviewed.scene.manifests.variables.clear()
    found = reviewed.findings(monkeypatch)["approvers"]
    assert (found["state"], found["hint"]) == ("wrong", "give jobs HEADGATE_TOKEN")


@pytest.mark.long
@pytest.mark.parametrize(
    ("image", "state", "words"),
    [
        ("registry/shop:$CI_COMMIT_SHORT_SHA", None, ""),
        ("$PLACE/shop:1", None, ""),
        ("$SECRET/shop:1", "wrong", "$SECRET in images is masked, and GitLab makes no pipeline with it"),
        ("registry/shop:${OWN}", "wrong", "$OWN in images is a variable of the CI file"),
        ("registry/shop:$CI_JOB_ID", "wrong", "$CI_JOB_ID in images is known only in jobs"),
        ("registry/shop:$TAG", "cannot tell", "whether GitLab knows $TAG in images"),
    ],
)
def test_variables_in_images_are_looked_at_before_gitlab_refuses_them(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch, image: str, state: str | None, words: str
) -> None:
    reviewed.configure()
    shop = reviewed.scene.app
    shop.variables |= {"PLACE": Variable("registry", masked=False), "SECRET": Variable("registry-one")}
    place = "$CI_SERVER_FQDN/headgate/headgate/deliver@1"
    file = f"variables: {{OWN: x}}\ninclude:\n  - component: {place}\n    inputs: {{images: '{image}'}}\n"
    reviewed.scene.gitlab.push(shop, {".gitlab-ci.yml": file}, user=reviewed.scene.person)
    found = reviewed.findings(monkeypatch).get("images", {})
    assert found.get("state") == state
    assert words in found.get("told", "")
