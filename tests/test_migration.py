"""A repository of version 1.0.0: what waits and what is proposed there is on record after the first run that lands."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.repository.git import NO_COMMIT
from support.cli import Ran, headgate
from support.manifests import ManifestRepository, git
from support.stage import IMAGE, Stage, make_stage, write_app

SETTINGS = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit}
  production: {takes: {branch: main}, delivery: review}
"""
APP = f"project: acme/web\nimages: {{web: {IMAGE}, api: {IMAGE}-api}}\n"
TEMPLATE = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: {IMAGE}}}, {{name: api, image: {IMAGE}-api}}]}}
"""
BRANCH = "headgate/production/web"
WORDS = "Deliver web to production\n\nHeadgate-App: web\nHeadgate-Environment: production\n"
FOLDER = "apps/web/releases"


@pytest.fixture
def stage(tmp_path: Path, manifests: ManifestRepository) -> Stage:
    """Return what version 1.0.0 left: dev frozen with api 2 waiting, web 2 proposed in production."""
    manifests.write({"headgate.yaml": SETTINGS, "templates/web/web.yaml": TEMPLATE})
    made = make_stage(tmp_path, manifests, f"{APP}template: web\n")
    for name in ("", "-api"):
        deliver(made, name, 1)
    checkout(made)
    git(made.manifests.path, "merge", "--quiet", "--no-ff", f"origin/{BRANCH}", "--message", "Merge")
    git(made.manifests.path, "push", "--quiet", "origin", "main", f":refs/heads/{BRANCH}")
    deliver(made, "", 2)
    headgate("freeze", "dev", "--reason", "holidays", "--by", "Eve", "--manifests", str(made.remote))
    deliver(made, "-api", 2)
    as_version_1(made)
    return made


def deliver(stage: Stage, name: str, number: int) -> Ran:
    """Hand an image off."""
    write_app(stage, {"version": f"{name}{number}"})
    ran = stage.deliver("--by", "Ada", image=f"{IMAGE}{name}:{number}@sha256:{number:064x}")
    assert ran.code == 0, ran.out + ran.err
    return ran


def checkout(stage: Stage) -> None:
    """Take the newest default branch."""
    git(stage.manifests.path, "fetch", "--quiet", "origin")
    git(stage.manifests.path, "checkout", "--quiet", "-B", "main", "origin/main")


def as_version_1(stage: Stage) -> None:
    """Put all into the form of version 1.0.0: a whole release in waiting/, and no record of what is proposed."""
    checkout(stage)
    work = stage.manifests.path
    release = (work / FOLDER / "dev/release.yaml").read_text()
    group = (work / FOLDER / "dev/held/api/group.yaml").read_text()
    api = group.split("images:\n")[1].split("reasons:")[0]
    waiting = release.split("images:\n")[0] + "images:\n" + api + release[release.index("  web:\n") :]
    (work / FOLDER / "dev/waiting").mkdir()
    (work / FOLDER / "dev/waiting/release.yaml").write_text(waiting)
    for folder in ("dev/held", "production/held", "production/proposed"):
        git(work, "rm", "-r", "-f", "--quiet", "--ignore-unmatch", f"{FOLDER}/{folder}")
    (work / "headgate.lock").unlink()  # plain YAML has no engine whose version is locked
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "As version 1.0.0 wrote it")
    git(work, "push", "--quiet", "origin", "main")
    proposed = (f"{FOLDER}/production/release.yaml", "deploy/production")
    git(work, "checkout", "--quiet", f"origin/{BRANCH}", "--", *proposed)
    git(work, "commit", "--quiet", "--message", WORDS)
    git(work, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{BRANCH}")
    git(work, "reset", "--quiet", "--hard", "origin/main")


def images(stage: Stage, environment: str, branch: str = "main") -> tuple[str, str]:
    """Return the tags of web and api in the final YAML."""
    text = stage.show(branch, f"deploy/{environment}/web/deployment.apps-web.yaml")
    tags = [line.split("@")[0].rpartition(":")[2] for line in text.splitlines() if "image:" in line]
    return tags[0], tags[1]


def run(stage: Stage, *args: str) -> Ran:
    """Run a command, which must end well."""
    ran = headgate(*args, "--manifests", stage.remote.as_uri())
    assert ran.code == 0, ran.out + ran.err
    return ran


def test_what_is_proposed_keeps_its_commit_and_comes_on_record(stage: Stage) -> None:
    before = git(stage.remote, "rev-parse", BRANCH)
    run(stage, "refresh")
    assert git(stage.remote, "rev-parse", BRANCH) == before, "approvals last"
    assert stage.show("main", f"{FOLDER}/production/proposed/web/group.yaml")
    assert "version: 2\n" in stage.show("main", "headgate.lock")
    assert "proposed: 2" in run(stage, "status").out


@pytest.mark.long
def test_a_hand_off_keeps_what_was_proposed(stage: Stage) -> None:
    deliver(stage, "-api", 3)
    assert images(stage, "production", BRANCH) == ("2", "3")
    assert git(stage.remote, "rev-parse", f"{BRANCH}^") == git(stage.remote, "rev-parse", "main")


@pytest.mark.long
def test_what_waited_is_held_and_goes_on(stage: Stage) -> None:
    run(stage, "refresh")
    assert "holidays" in run(stage, "status").out
    assert images(stage, "dev") == ("2", "1")
    run(stage, "thaw", "dev")
    assert images(stage, "dev") == ("2", "2")
    listed = git(stage.remote, "ls-tree", "-r", "--name-only", "main", f"{FOLDER}/dev").splitlines()
    assert listed == [f"{FOLDER}/dev/release.yaml"]


@pytest.mark.long
def test_a_branch_that_comes_after_the_first_run_is_nobodys(stage: Stage) -> None:
    old = git(stage.remote, "rev-parse", BRANCH)
    git(stage.remote, "update-ref", "-d", f"refs/heads/{BRANCH}")
    run(stage, "thaw", "dev")
    git(stage.remote, "update-ref", f"refs/heads/{BRANCH}", old, NO_COMMIT)
    run(stage, "refresh")
    assert f"{FOLDER}/production/proposed" not in git(stage.remote, "ls-tree", "-r", "--name-only", "main")
