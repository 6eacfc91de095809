"""Records on a branch of their own: in a repository whose default branch nobody may push, only merge into."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.errors import GitError
from headgate.intents.outcome import CHANGES_NOTHING, EQUAL_TO_PROPOSED
from headgate.paths import RECORDS_BRANCH
from support.cli import Ran
from support.manifests import ManifestRepository, git, head
from support.stage import IMAGE, OTHER_DIGEST, Stage, make_stage, replicas, write_app

SETTINGS = """
version: 1
records: branch
environments:
  production: {takes: {branch: main}, delivery: review}
"""
BRANCH = "headgate/production/web"
RELEASES = "apps/web/releases/production"
HOOK = """#!/bin/sh
while read old new ref; do
  if [ "$ref" = refs/heads/main ] && [ ! -e allowed ]; then
    echo "You are not allowed to push code to protected branches on this project." >&2
    exit 1
  fi
done
"""


@pytest.fixture
def stage(tmp_path: Path, clean_user: None) -> Stage:
    """Return an app in a repository whose default branch refuses pushes, but for merges."""
    manifests = ManifestRepository.make(tmp_path / "manifests")
    manifests.write({"headgate.yaml": SETTINGS})
    made = make_stage(tmp_path, manifests)
    hook = made.remote / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK)
    hook.chmod(0o755)
    return made


def merge(stage: Stage) -> None:
    """Merge what is proposed, as GitLab does for a person; a push pipeline follows."""
    (stage.remote / "allowed").touch()
    stage.merge()
    (stage.remote / "allowed").unlink()
    assert stage.run("rehydrate").code == 0


def records(stage: Stage) -> list[str]:
    """Return the files of the branch for records."""
    return stage.paths(".", RECORDS_BRANCH)


def new_version(stage: Stage, number: int) -> Ran:
    """Hand a version off."""
    write_app(stage, {"deploy/web.yaml": replicas(number)})
    return stage.deliver()


@pytest.mark.long
def test_versions_are_proposed_superseded_merged_and_recorded_without_a_push_to_the_default_branch(
    stage: Stage,
) -> None:
    before = stage.commit()
    for number in (2, 3):
        assert new_version(stage, number).code == 0
    assert stage.commit() == before
    assert f"{RELEASES}/proposed/config/group.yaml" in records(stage)
    assert git(stage.remote, "diff", "--name-only", "main", BRANCH, "--", "*proposed*") == "", "no record is reviewed"
    assert "proposed: 1.0" in stage.run("status").out
    merge(stage)
    assert "replicas: 3" in stage.show("main", "deploy/production/web/deployment.apps-web.yaml")
    assert records(stage) == []
    assert "proposed" not in stage.run("status").out


@pytest.mark.long
def test_what_is_equal_and_what_changes_nothing_is_held_there(stage: Stage) -> None:
    assert new_version(stage, 2).code == 0
    write_app(stage, {"README.md": "a word"})
    assert EQUAL_TO_PROPOSED in stage.deliver().out
    merge(stage)
    assert [path for path in records(stage) if path.endswith("group.yaml")] == [f"{RELEASES}/held/config/group.yaml"]
    assert CHANGES_NOTHING in stage.run("status").out
    assert new_version(stage, 3).code == 0
    merge(stage)
    assert records(stage) == []


@pytest.mark.long
def test_a_removal_leaves_no_record(stage: Stage) -> None:
    assert new_version(stage, 2).code == 0
    merge(stage)
    assert stage.run("remove", "web", "--by", "Eve").code == 0
    assert new_version(stage, 3).code == 0
    assert f"{RELEASES}/held/config/group.yaml" in records(stage), "what arrives meanwhile is held"
    merge(stage)
    assert records(stage) == []
    assert stage.paths("apps") == stage.paths("deploy") == []


def test_two_hand_offs_of_which_one_loses_the_race_both_stay(stage: Stage) -> None:
    from test_laws import losing  # noqa: PLC0415

    write_app(stage, {"deploy/web.yaml": replicas(2)})
    first = head(stage.app)
    write_app(stage, {"deploy/web.yaml": replicas(3)})

    def older() -> None:
        assert stage.deliver("--commit", first, image=f"{IMAGE}:0.9@{OTHER_DIGEST}").code == 0

    losing(stage.deliver, older)
    assert "replicas: 3" in stage.show(BRANCH, "deploy/production/web/deployment.apps-web.yaml")
    assert len(stage.log(RECORDS_BRANCH)) == 2


@pytest.mark.long
def test_what_only_the_default_branch_can_hold_is_refused_with_the_way_out(stage: Stage) -> None:
    assert new_version(stage, 2).code == 0
    merge(stage)
    ran = stage.run("pin", "web", "--environment", "production", "--reason", "audit", "--by", "Eve")
    assert ran.code == GitError.code
    assert "let the bot push main" in " ".join(ran.err.split())


@pytest.mark.long
def test_without_records_apart_the_refusal_names_the_setting(stage: Stage) -> None:
    stage.manifests.write({"headgate.yaml": SETTINGS.replace("records: branch\n", "")}).commit("Default")
    (stage.remote / "allowed").touch()
    git(stage.manifests.path, "push", "--quiet", "origin", "HEAD:main")
    (stage.remote / "allowed").unlink()
    ran = new_version(stage, 2)
    assert ran.code == GitError.code
    assert "'records: branch' in headgate.yaml" in " ".join(ran.err.split())
