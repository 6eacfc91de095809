"""Each forgery on each proof of the sender: it is refused, and changes nothing, whatever tells who sent it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gitlab.gitside import git
from support.gitlab.idtokens import id_token
from support.gitlab.state import MAINTAINER, REPORTER, Pipeline, Variable
from support.registry import Registry, push_image
from support.trusting import SETTINGS, Ended, Trust, make_trust

REFUSED, UNTRUSTED = 27, 31
PROOFS = ("trigger-jobs", "trigger-jobs by the read token", "id-token", "upstream")
pytestmark = pytest.mark.long
on_each_proof = pytest.mark.parametrize("proof", PROOFS)


@pytest.fixture
def trust(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, proof: str) -> Iterator[Trust]:
    """Return an installation where only one proof can be had."""
    monkeypatch.chdir(tmp_path)
    with make_trust(tmp_path, registry) as made:
        if "read token" in proof:
            reader = made.gitlab.user("reader")
            token = made.gitlab.token(reader, "read_api", "read_repository")
            made.manifests.variables["HEADGATE_READ_TOKEN"] = Variable(token)
            for project in (made.shop, made.other):
                project.members[reader.id] = REPORTER
                project.allowlist.clear()
        if proof == "upstream":
            text = SETTINGS.format(url=made.gitlab.url).replace(
                "acme/manifests}", "acme/manifests, proofs: [upstream]}"
            )
            made.gitlab.push(made.manifests, {"headgate.yaml": text}, user=made.max)
        yield made


def send(trust: Trust, proof: str, upstream: Pipeline, **claim: str) -> Ended:
    """Hand off with all that proves it on this way, and with a claim."""
    if proof != "id-token":
        return trust.triggered(upstream, text=trust.claim(upstream, **claim))
    text = trust.claim(upstream, token=token_of(trust, upstream), **claim)
    return trust.triggered(upstream, is_linked=False, source="trigger", text=text)


def token_of(trust: Trust, upstream: Pipeline) -> str:
    keys, url = trust.gitlab.keys, trust.gitlab.url
    return id_token(keys, url, upstream.jobs[1], "headgate:acme/manifests", is_protected=True)


# --- the forgeries: from what pipeline it comes, and what it claims


def another_project(trust: Trust) -> tuple[Pipeline, dict[str, str]]:
    return trust.upstream(trust.other), {"images": f"{trust.image}:{trust.head[:8]}"}


def in_the_name_of_the_app(trust: Trust) -> tuple[Pipeline, dict[str, str]]:
    trust.upstream()  # it is there, but did not send this
    claim = {"project": str(trust.shop.id), "commit": trust.head, "images": f"{trust.image}:{trust.head[:8]}"}
    return trust.upstream(trust.other), claim


def from_a_fork(trust: Trust) -> tuple[Pipeline, dict[str, str]]:
    fork = trust.gitlab.project("dana/shop", {trust.dana: MAINTAINER})
    git(fork, "fetch", "--quiet", str(trust.shop.folder), "+refs/heads/main:refs/heads/main")
    fork.allowlist.add("acme/manifests")
    claim = {"project": str(trust.shop.id), "images": f"{trust.image}:{trust.head[:8]}"}
    return trust.upstream(fork), claim


def another_commit(trust: Trust) -> tuple[Pipeline, dict[str, str]]:
    upstream = trust.upstream()
    newer = trust.change()
    return upstream, {"commit": newer, "images": f"{trust.image}:{newer[:8]}"}


def another_image(trust: Trust) -> tuple[Pipeline, dict[str, str]]:
    push_image(trust.registry, "acme/shop", "latest", labels={})
    return trust.upstream(), {"images": f"{trust.image}:latest"}


def from_a_branch_that_is_not_protected(trust: Trust) -> tuple[Pipeline, dict[str, str]]:
    del trust.shop.protected_branches["main"]
    return trust.upstream(), {}


def from_a_tag_named_like_the_branch(trust: Trust) -> tuple[Pipeline, dict[str, str]]:
    git(trust.shop, "tag", "main", trust.head)
    return trust.upstream(is_tag=True), {}


def from_a_tag_that_moved(trust: Trust) -> tuple[Pipeline, dict[str, str]]:
    git(trust.shop, "tag", "v1.0.0", trust.head)
    trust.shop.protected_tags["v*"] = MAINTAINER
    upstream = trust.upstream(ref="v1.0.0", is_tag=True)
    git(trust.shop, "tag", "--force", "v1.0.0", trust.change())
    return upstream, {}


def from_a_branch_that_was_rewritten(trust: Trust) -> tuple[Pipeline, dict[str, str]]:
    old = trust.change()
    upstream = trust.upstream(sha=old)
    git(trust.shop, "update-ref", "refs/heads/main", f"{old}^")
    return upstream, {}


def from_a_merge_request(trust: Trust) -> tuple[Pipeline, dict[str, str]]:
    return trust.upstream(source="merge_request_event", ref="refs/merge-requests/1/head"), {}


def from_a_child_of_a_merge_requests_pipeline(trust: Trust) -> tuple[Pipeline, dict[str, str]]:
    return trust.upstream(source="parent_pipeline", ref="refs/merge-requests/1/head"), {}


Forgery = Callable[[Trust], tuple[Pipeline, dict[str, str]]]
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
def test_a_forgery_is_refused(trust: Trust, proof: str, forge: Forgery) -> None:
    upstream, claim = forge(trust)
    ended = send(trust, proof, upstream, **claim)
    assert (ended.code in (REFUSED, UNTRUSTED), ended.moved) == (True, []), ended.out


@on_each_proof
@pytest.mark.parametrize("source", ["push", "parent_pipeline", "web", "schedule"])
def test_what_is_true_is_taken(trust: Trust, proof: str, source: str) -> None:
    ended = send(trust, proof, trust.upstream(source=source))
    assert (ended.code, ended.moved) == (0, ["heads/main"]), ended.out


@on_each_proof
def test_a_pipeline_that_runs_again_replaces_nothing_newer(trust: Trust, proof: str) -> None:
    older, newer = trust.upstream(), trust.change()
    assert send(trust, proof, trust.upstream(sha=newer)).moved == ["heads/main"]
    ended = send(trust, proof, older)
    assert (ended.code, ended.moved) == (0, []), ended.out
    assert "superseded" in ended.out


@on_each_proof
def test_a_pipeline_that_somebody_triggered_by_api_claims_in_vain(trust: Trust, proof: str) -> None:
    """It has no trigger job; what its variables say of one, and a token of a job that ended, are worth nothing."""
    upstream = trust.upstream()
    told = {"CI_UPSTREAM_PROJECT_ID": str(trust.shop.id), "CI_UPSTREAM_PIPELINE_ID": str(upstream.id)}
    token = token_of(trust, upstream)
    upstream.jobs[1].status = "success"
    claim = trust.claim(upstream, **({"token": token} if proof == "id-token" else {}))
    ended = trust.run(trust.job("trigger", trust.dana), {"HEADGATE_HANDOFF": claim, **told})
    assert (ended.code, ended.moved) == (UNTRUSTED, []), ended.out
