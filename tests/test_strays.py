"""Objects that people write by hand in or next to the output folders, in merge requests: Flux applies them too."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator

import pytest

from headgate.commands import ci
from headgate.errors import UntrustedError
from headgate.gitlab.event import Tokens
from headgate.hydration.output import output_id
from support.gitlab.gitside import git, refs
from support.gitlab.mergeside import open_request
from support.gitlab.state import MergeRequest
from support.reviewing import APP, Ended, Scene, make_merged_scene
from support.trees import tree_of

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
    request = opened(scene, files)
    return [scene.merge_request(request), only_looked_at(scene, request)]


def opened(scene: Scene, files: dict[str, str | None]) -> MergeRequest:
    branch = f"mine-{next(NUMBERS)}"
    scene.push(scene.manifests, files, branch=branch)
    return open_request(scene.gitlab, scene.manifests, branch, scene.person)


def only_looked_at(scene: Scene, request: MergeRequest) -> Ended:
    job = scene.job("merge_request_event", request.author, refs(scene.manifests)[f"refs/heads/{request.source}"])
    job.pipeline.ref = f"refs/merge-requests/{request.iid}/head"
    return scene._as_job(job, Tokens(job=job.token), ci.merge_request)


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


# --- with a record that fits, or in a folder that the merge request itself gives up

OUTPUT = "deploy/production/web"
RELEASE = "apps/web/releases/production/release.yaml"


def with_record(scene: Scene, folder: str, files: dict[str, str]) -> dict[str, str | None]:
    """Return files of an output folder, with a record that names just these."""
    tree = tree_of({f"{folder}/{name}": text.encode() for name, text in files.items()})
    known = json.loads(scene.gitlab.show(scene.manifests, f"{OUTPUT}/.headgate.json"))
    record = json.dumps({**known, "files": sorted(files), "output": output_id(tree, folder, tuple(sorted(files)))})
    return {f"{folder}/{name}": text for name, text in {**files, ".headgate.json": record}.items()}


def with_a_pin(scene: Scene) -> dict[str, str | None]:
    pin = f"pin: {{by: max, reason: x, since: {'a' * 40}}}\n"
    release = f"{scene.gitlab.show(scene.manifests, RELEASE)}\n{pin}"
    own = scene.gitlab.show(scene.manifests, f"{OUTPUT}/deployment.apps-web.yaml") + "\n"
    return {**with_record(scene, OUTPUT, {"deployment.apps-web.yaml": own, "evil.yaml": OBJECT}), RELEASE: release}


def without_a_hand_off(scene: Scene) -> dict[str, str | None]:
    late = APP.replace("web", "late")
    return {**with_record(scene, "deploy/production/late", {"evil.yaml": OBJECT}), "apps/late/app.yaml": late}


def without_the_environment(_scene: Scene) -> dict[str, str | None]:
    app = f"{APP}environments: [dev]\n"
    return {"apps/web/app.yaml": app, f"{OUTPUT}/.headgate.json": None, f"{OUTPUT}/evil.yaml": OBJECT}


def without_the_app(_scene: Scene) -> dict[str, str | None]:
    gone = ("apps/web/app.yaml", f"{OUTPUT}/.headgate.json", "deploy/dev/web/.headgate.json")
    return {**dict.fromkeys(gone), f"{OUTPUT}/evil.yaml": OBJECT}


def with_the_output_elsewhere(scene: Scene) -> dict[str, str | None]:
    settings = scene.gitlab.show(scene.manifests, "headgate.yaml")
    elsewhere = settings.replace("delivery: review,", "delivery: review, output: {path: 'elsewhere/{app}'},")
    return {"headgate.yaml": elsewhere, "deploy/production/evil.yaml": OBJECT}


@pytest.mark.parametrize(
    "bring",
    [
        without_a_hand_off,
        pytest.param(with_a_pin, marks=pytest.mark.long),
        pytest.param(without_the_environment, marks=pytest.mark.long),
        pytest.param(without_the_app, marks=pytest.mark.long),
        pytest.param(with_the_output_elsewhere, marks=pytest.mark.long),
    ],
)
def test_what_would_pass_for_hydrated_is_red_or_goes(
    scene: Scene, bring: Callable[[Scene], dict[str, str | None]]
) -> None:
    """Where nothing is rendered to compare with, no record is believed; what Flux reads today is looked at."""
    request = opened(scene, bring(scene))
    looked = only_looked_at(scene, request)
    assert looked.code != 0, looked.out
    assert "edited by hand" in looked.out
    hydrated = scene.merge_request(request)
    listed = git(scene.manifests, "ls-tree", "-r", "--name-only", request.source)
    assert hydrated.code != 0 or "evil.yaml" not in listed, hydrated.out


@pytest.mark.long
def test_an_object_that_goes_where_nothing_is_rendered_is_red(scene: Scene) -> None:
    gone = dict.fromkeys((f"{OUTPUT}/evil.yaml", f"{OUTPUT}/deployment.apps-web.yaml"))
    files = {**with_a_pin(scene), **gone, **with_record(scene, OUTPUT, {})}
    looked = only_looked_at(scene, opened(scene, files))
    assert looked.code == 1, looked.out
    assert "deployment.apps-web.yaml is missing" in looked.out
