"""A repository of version 1.0.0: what waits and what is proposed there is on record after the first run that lands."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.repository.git import NO_COMMIT
from support.cli import Ran
from support.manifests import ManifestRepository, git
from support.stage import BRANCH, IMAGE, Stage, make_stage, write_app

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
WORDS = "Deliver web to production\n\nHeadgate-App: web\nHeadgate-Environment: production\n"
FOLDER = "apps/web/releases"


@pytest.fixture
def stage(tmp_path: Path, manifests: ManifestRepository) -> Stage:
    """Return what version 1.0.0 left: dev frozen with api 2 waiting, web 2 proposed in production."""
    manifests.write({"headgate.yaml": SETTINGS, "templates/web/web.yaml": TEMPLATE})
    made = make_stage(tmp_path, manifests, f"{APP}template: web\n")
    for name in ("", "-api"):
        deliver(made, name, 1)
    made.merge()
    deliver(made, "", 2)
    made.command("freeze", "dev", "--reason", "holidays")
    deliver(made, "-api", 2)
    as_version_1(made)
    return made


def deliver(stage: Stage, name: str, number: int) -> Ran:
    """Hand an image off."""
    write_app(stage, {"version": f"{name}{number}"})
    ran = stage.deliver("--by", "Ada", image=f"{IMAGE}{name}:{number}@sha256:{number:064x}")
    assert ran.code == 0, ran.out + ran.err
    return ran


def as_version_1(stage: Stage) -> None:
    """Put all into the form of version 1.0.0: a whole release in waiting/, and no record of what is proposed."""
    work = stage.checkout()
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


def test_what_is_proposed_keeps_its_commit_and_comes_on_record(stage: Stage) -> None:
    before = stage.commit(BRANCH)
    stage.command("refresh")
    assert stage.commit(BRANCH) == before, "approvals last"
    assert stage.show("main", f"{FOLDER}/production/proposed/web/group.yaml")
    assert "version: 2\n" in stage.show("main", "headgate.lock")
    assert "proposed: 2" in stage.command("status").out


@pytest.mark.long
def test_a_hand_off_keeps_what_was_proposed(stage: Stage) -> None:
    deliver(stage, "-api", 3)
    assert images(stage, "production", BRANCH) == ("2", "3")
    assert stage.commit(f"{BRANCH}^") == stage.commit()


@pytest.mark.long
def test_what_waited_is_held_and_goes_on(stage: Stage) -> None:
    stage.command("refresh")
    assert "holidays" in stage.command("status").out
    assert images(stage, "dev") == ("2", "1")
    stage.command("thaw", "dev")
    assert images(stage, "dev") == ("2", "2")
    assert stage.paths(f"{FOLDER}/dev") == [f"{FOLDER}/dev/release.yaml"]


@pytest.mark.long
def test_a_branch_that_comes_after_the_first_run_is_nobodys(stage: Stage) -> None:
    old = stage.commit(BRANCH)
    git(stage.remote, "update-ref", "-d", f"refs/heads/{BRANCH}")
    stage.command("thaw", "dev")
    git(stage.remote, "update-ref", f"refs/heads/{BRANCH}", old, NO_COMMIT)
    stage.command("refresh")
    assert not stage.paths(f"{FOLDER}/production/proposed")
