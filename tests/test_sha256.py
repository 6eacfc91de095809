"""A manifest repository that names its objects by SHA-256: everything that is done with one is done with it too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.repository import tree
from support.cli import headgate
from support.manifests import DEPLOYMENT, ManifestRepository, git
from support.stage import IMAGE, Stage, write_app

SETTINGS = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit, output: {mirror: {branch: "env/{environment}"}}, templates: promote}
  production: {takes: [{branch: main}, {promotion: dev}], delivery: review}
"""
BRANCH = "headgate/production/web"
DEV = "deploy/dev/web/deployment.apps-web.yaml"


@pytest.fixture(params=[pytest.param("address", marks=pytest.mark.long), "checkout", "address, records apart"])
def way(request: pytest.FixtureRequest) -> str:
    """Return how the repository is worked on."""
    return str(request.param)


@pytest.fixture
def stage(tmp_path: Path, clean_user: None, way: str) -> Iterator[Stage]:
    """Return an app in SHA-1, and a manifest repository in SHA-256 with a remote."""
    path = tmp_path / "manifests"
    path.mkdir()
    git(path, "init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    manifests = ManifestRepository(path)
    settings = SETTINGS + ("records: branch\n" if "apart" in way else "")
    app = f"project: acme/web\nimages: {{web: {IMAGE}}}\ntemplate: web\nconfig: deploy\ngrant: [color]\n"
    files: dict[str, str | bytes] = {
        "headgate.yaml": settings,
        "templates/web/web.yaml": DEPLOYMENT,
        "apps/web/app.yaml": app,
    }
    manifests.write(files).commit("Begin")
    remote = tmp_path / "manifests.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(path), str(remote))
    git(remote, "config", "uploadpack.allowFilter", "true")
    git(remote, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(path, "remote", "add", "origin", str(remote))
    git(path, "fetch", "--quiet", "origin")
    git(path, "branch", "--quiet", "--set-upstream-to=origin/main")
    source = tmp_path / "app"
    source.mkdir()
    git(source, "init", "--quiet", "--initial-branch=main")
    made = Stage(source, manifests, remote)
    write_app(made, {"deploy/values.yaml": "color: red\n"})
    yield made
    tree.name_objects_as("sha1")  # for the tests that come after


def at(stage: Stage, way: str) -> str:
    """Return how the repository is named."""
    return str(stage.manifests.path) if way == "checkout" else stage.remote.as_uri()


def run(stage: Stage, way: str, *args: str) -> str:
    """Run a command, which must end well."""
    ran = headgate(*args, "--manifests", at(stage, way))
    assert ran.code == 0, ran.out + ran.err
    return ran.out


def deliver(stage: Stage, way: str, number: int) -> None:
    """Hand a version off."""
    write_app(stage, {"deploy/values.yaml": f"color: c{number}\n"})
    ran = stage.deliver(to=at(stage, way), image=f"{IMAGE}:{number}@sha256:{number:064d}")
    assert ran.code == 0, ran.out + ran.err


@pytest.mark.long
def test_versions_are_delivered_proposed_merged_and_rolled_back(stage: Stage, way: str) -> None:
    for number in (2, 3):
        deliver(stage, way, number)
    assert len(git(stage.remote, "rev-parse", "main")) == 64
    assert ":3@" in stage.show("main", DEV)
    assert ":3@" in stage.show(BRANCH, DEV.replace("/dev/", "/production/"))
    assert ":3@" in git(stage.remote, "show", f"env/dev:{mirrored(stage)}")
    stage.merge()
    run(stage, way, "rehydrate")
    assert "proposed" not in run(stage, way, "status")
    run(stage, way, "roll-back", "web", "--environment", "dev", "--reason", "slow", "--by", "Eve")
    assert ":2@" in stage.show("main", DEV)
    run(stage, way, "verify")
    history = run(stage, way, "history", "web")
    assert all(f"web:{number}@" in history for number in (2, 3))
    before = git(stage.remote, "rev-parse", "main")
    run(stage, way, "rehydrate")
    assert git(stage.remote, "rev-parse", "main") == before, "what is current is recognised by its ids"


def mirrored(stage: Stage) -> str:
    """Return the Deployment's file on the branch that repeats dev."""
    (found,) = [path for path in stage.paths(".", "env/dev") if path.endswith("deployment.apps-web.yaml")]
    return found


@pytest.mark.long
def test_a_repeated_run_is_recognised(stage: Stage, way: str) -> None:
    write_app(stage, {"deploy/values.yaml": "color: c2\n"})
    for _ in range(2):
        ran = stage.deliver("--intent", "pipeline-1-2", to=at(stage, way), image=f"{IMAGE}:2@sha256:{2:064d}")
        assert ran.code == 0, ran.err
    assert "nothing to do: pipeline-1-2 was already done by" in ran.out


def test_the_names_of_one_repository_do_not_stay_for_the_next(stage: Stage, way: str) -> None:
    deliver(stage, way, 2)
    assert len(tree.blob_id(b"")) == 64
    tree.name_objects_as("sha1")
    assert tree.blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert tree.no_object() == "0" * 40
