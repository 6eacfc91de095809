"""Each forgery on each proof of the sender: it is refused, and changes nothing, whatever tells who sent it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gitlab.gitside import git
from support.gitlab.idtokens import id_token
from support.gitlab.state import MAINTAINER, REPORTER, Pipeline, Variable
from support.registry import Registry, push_image
from support.reviewing import SETTINGS, Ended, Scene, make_sender_scene

REFUSED, UNTRUSTED = 27, 31
PROOFS = ("trigger-jobs", "trigger-jobs by the read token", "id-token", "upstream")
pytestmark = pytest.mark.long
on_each_proof = pytest.mark.parametrize("proof", PROOFS)


@pytest.fixture
def scene(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, proof: str) -> Iterator[Scene]:
    """Return an installation where only one proof can be had."""
    monkeypatch.chdir(tmp_path)
    with make_sender_scene(tmp_path, registry) as made:
        if "read token" in proof:
            reader = made.gitlab.user("reader")
            token = made.gitlab.token(reader, "read_api", "read_repository")
            made.manifests.variables["HEADGATE_READ_TOKEN"] = Variable(token)
            for project in (made.app, made.other):
                project.members[reader.id] = REPORTER
                project.allowlist.clear()
        if proof == "upstream":
            text = SETTINGS.format(url=made.gitlab.url).replace(
                "acme/manifests}", "acme/manifests, proofs: [upstream]}"
            )
            made.gitlab.push(made.manifests, {"headgate.yaml": text}, user=made.maintainer)
        yield made


def send(scene: Scene, proof: str, upstream: Pipeline, **claim: str) -> Ended:
    """Hand off with all that proves it on this way, and with a claim."""
    if proof != "id-token":
        return scene.triggered(upstream, text=scene.claim(upstream, **claim))
    text = scene.claim(upstream, token=token_of(scene, upstream), **claim)
    return scene.triggered(upstream, is_linked=False, source="trigger", text=text)


def token_of(scene: Scene, upstream: Pipeline) -> str:
    keys, url = scene.gitlab.keys, scene.gitlab.url
    return id_token(keys, url, upstream.jobs[1], "headgate:acme/manifests", is_protected=True)


# --- the forgeries: from what pipeline it comes, and what it claims


def another_project(scene: Scene) -> tuple[Pipeline, dict[str, str]]:
    return scene.upstream(scene.other), {"images": f"{scene.image}:{scene.head[:8]}"}


def in_the_name_of_the_app(scene: Scene) -> tuple[Pipeline, dict[str, str]]:
    scene.upstream()  # it is there, but did not send this
    claim = {"project": str(scene.app.id), "commit": scene.head, "images": f"{scene.image}:{scene.head[:8]}"}
    return scene.upstream(scene.other), claim


def from_a_fork(scene: Scene) -> tuple[Pipeline, dict[str, str]]:
    fork = scene.gitlab.project("dana/shop", {scene.person: MAINTAINER})
    git(fork, "fetch", "--quiet", str(scene.app.folder), "+refs/heads/main:refs/heads/main")
    fork.allowlist.add("acme/manifests")
    claim = {"project": str(scene.app.id), "images": f"{scene.image}:{scene.head[:8]}"}
    return scene.upstream(fork), claim


def another_commit(scene: Scene) -> tuple[Pipeline, dict[str, str]]:
    upstream = scene.upstream()
    newer = scene.change()
    return upstream, {"commit": newer, "images": f"{scene.image}:{newer[:8]}"}


def another_image(scene: Scene) -> tuple[Pipeline, dict[str, str]]:
    push_image(scene.registry, "acme/shop", "latest", labels={})
    return scene.upstream(), {"images": f"{scene.image}:latest"}


def from_a_branch_that_is_not_protected(scene: Scene) -> tuple[Pipeline, dict[str, str]]:
    del scene.app.protected_branches["main"]
    return scene.upstream(), {}


def from_a_tag_named_like_the_branch(scene: Scene) -> tuple[Pipeline, dict[str, str]]:
    git(scene.app, "tag", "main", scene.head)
    return scene.upstream(is_tag=True), {}


def from_a_tag_that_moved(scene: Scene) -> tuple[Pipeline, dict[str, str]]:
    git(scene.app, "tag", "v1.0.0", scene.head)
    scene.app.protected_tags["v*"] = MAINTAINER
    upstream = scene.upstream(ref="v1.0.0", is_tag=True)
    git(scene.app, "tag", "--force", "v1.0.0", scene.change())
    return upstream, {}


def from_a_branch_that_was_rewritten(scene: Scene) -> tuple[Pipeline, dict[str, str]]:
    old = scene.change()
    upstream = scene.upstream(sha=old)
    git(scene.app, "update-ref", "refs/heads/main", f"{old}^")
    return upstream, {}


def from_a_merge_request(scene: Scene) -> tuple[Pipeline, dict[str, str]]:
    return scene.upstream(source="merge_request_event", ref="refs/merge-requests/1/head"), {}


def from_a_child_of_a_merge_requests_pipeline(scene: Scene) -> tuple[Pipeline, dict[str, str]]:
    return scene.upstream(source="parent_pipeline", ref="refs/merge-requests/1/head"), {}


Forgery = Callable[[Scene], tuple[Pipeline, dict[str, str]]]
FORGERIES: tuple[Forgery, ...] = (
    *(another_project, in_the_name_of_the_app, from_a_fork, another_commit, another_image),
    *(from_a_branch_that_is_not_protected, from_a_tag_named_like_the_branch, from_a_tag_that_moved),
    *(from_a_branch_that_was_rewritten, from_a_merge_request, from_a_child_of_a_merge_requests_pipeline),
)


on_each_forgery = pytest.mark.parametrize(
    "forge",
    [pytest.param(one, id=one.__name__) for one in FORGERIES],
)


@on_each_proof
@on_each_forgery
def test_a_forgery_is_refused(scene: Scene, proof: str, forge: Forgery) -> None:
    upstream, claim = forge(scene)
    ended = send(scene, proof, upstream, **claim)
    assert (ended.code in (REFUSED, UNTRUSTED), ended.moved) == (True, []), ended.out


@on_each_proof
@pytest.mark.parametrize("source", ["push", "parent_pipeline", "web", "schedule"])
def test_what_is_true_is_taken(scene: Scene, proof: str, source: str) -> None:
    ended = send(scene, proof, scene.upstream(source=source))
    assert (ended.code, ended.moved) == (0, ["heads/main"]), ended.out


@on_each_proof
def test_a_pipeline_that_runs_again_replaces_nothing_newer(scene: Scene, proof: str) -> None:
    older, newer = scene.upstream(), scene.change()
    assert send(scene, proof, scene.upstream(sha=newer)).moved == ["heads/main"]
    ended = send(scene, proof, older)
    assert (ended.code, ended.moved) == (0, []), ended.out
    assert "superseded" in ended.out


@on_each_proof
def test_a_pipeline_that_somebody_triggered_by_api_claims_in_vain(scene: Scene, proof: str) -> None:
    """It has no trigger job; what its variables say of one, and a token of a job that ended, are worth nothing."""
    upstream = scene.upstream()
    told = {"CI_UPSTREAM_PROJECT_ID": str(scene.app.id), "CI_UPSTREAM_PIPELINE_ID": str(upstream.id)}
    token = token_of(scene, upstream)
    upstream.jobs[1].status = "success"
    claim = scene.claim(upstream, **({"token": token} if proof == "id-token" else {}))
    ended = scene.run_ci(scene.job("trigger", scene.person), {"HEADGATE_HANDOFF": claim, **told})
    assert (ended.code, ended.moved) == (UNTRUSTED, []), ended.out
