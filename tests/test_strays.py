"""Objects that people write by hand in or next to the output folders, in merge requests: Flux applies them too."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from headgate.commands import ci
from headgate.errors import UntrustedError
from headgate.gitlab.event import Tokens
from support.gitlab.gitside import refs
from support.gitlab.mergeside import open_request
from support.reviewing import Ended, Scene, make_merged_scene

OBJECT = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: evil}\n"
RED = [
    "deploy/production/web/evil.yaml",
    "deploy/production/web/deeper/evil.yml",
    "deploy/production/web/evil.json",
    "deploy/production/web/kustomization.yaml",
    "deploy/production/web/Kustomization",
    "deploy/production/evil.yaml",
    "deploy/production/kustomization.yml",
    "deploy/production/gone/evil.yaml",
    "deploy/production/.sourceignore",
    "deploy/production/web/.sourceignore",
    "deploy/dev/a/b/evil.yaml",
]
QUICK = [RED[0], RED[3]]
"""An object in an output folder, and Kustomize's own file."""
NUMBERS = itertools.count()
GREEN = ["deploy/production/README.md", "clusters/main/flux.yaml", "README.yaml"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return an app that runs in dev and production, for all tests: each has a branch of its own."""
    with make_merged_scene(tmp_path_factory.mktemp("scene")) as made:
        yield made


def both_ways(scene: Scene, files: dict[str, str | None]) -> list[Ended]:
    """Open a merge request and run its pipeline where it hydrates the branch, and where it only looks."""
    branch = f"mine-{next(NUMBERS)}"
    scene.push(scene.manifests, files, branch=branch)
    request = open_request(scene.gitlab, scene.manifests, branch, scene.person)
    hydrated = scene.merge_request(request)
    job = scene.job("merge_request_event", request.author, refs(scene.manifests)[f"refs/heads/{branch}"])
    job.pipeline.ref = f"refs/merge-requests/{request.iid}/head"
    return [hydrated, scene._as_job(job, Tokens(job=job.token), ci.merge_request)]


@pytest.mark.parametrize("path", [pytest.param(path, marks=() if path in QUICK else pytest.mark.long) for path in RED])
def test_what_nobody_hydrated_is_red(scene: Scene, path: str) -> None:
    for ended in both_ways(scene, {path: OBJECT}):
        assert ended.code == 1, ended.out
        assert path.rpartition("/")[2] in ended.out
        assert "was not written by Headgate" in ended.out


@pytest.mark.long
def test_what_flux_does_not_read_is_green(scene: Scene) -> None:
    for ended in both_ways(scene, dict.fromkeys(GREEN, OBJECT)):
        assert ended.code == 0, ended.out


def test_two_tokens_of_one_user_stop_the_run(scene: Scene) -> None:
    job = scene.job("push")
    ended = scene._as_job(job, Tokens(job=job.token, write=scene.token, branch=scene.token), ci.push)
    assert ended.code == UntrustedError.code
    assert "HEADGATE_TOKEN and HEADGATE_BRANCH_TOKEN belong to the same user" in ended.out


@pytest.mark.long
def test_what_is_there_already_is_nobodys_fault(scene: Scene) -> None:
    scene.push(scene.manifests, {"deploy/production/kustomization.yaml": "resources: [web]\n"})
    for ended in both_ways(scene, {"README.md": "A word"}):
        assert ended.code == 0, ended.out
