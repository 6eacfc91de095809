"""What is under review can be merged, whatever changes below it: where git would see a conflict, it is made again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from support.manifests import ManifestRepository, git
from support.stage import Stage, make_proposed, make_stage, replicas, write_app

SETTINGS = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit}
  production: {takes: {branch: main}, delivery: review}
"""
BRANCH = "headgate/production/web"
IN_PRODUCTION = ("--environment", "production")
APP = "apps/web/app.yaml"


@pytest.fixture
def stage(tmp_path: Path, clean_user: None) -> Stage:
    """Return an app with one version that is landed, and one that is proposed in production."""
    return make_proposed(tmp_path, SETTINGS)


def arrives(stage: Stage, number: int) -> None:
    """A version with so many replicas comes."""
    write_app(stage, {"deploy/web.yaml": replicas(number)})
    ran = stage.deliver(to=stage.remote.as_uri())
    assert ran.code == 0, ran.out + ran.err


def move(stage: Stage, old: str, new: str) -> None:
    """Move a folder on the default branch, as a person does."""
    work = stage.checkout()
    (work / new).parent.mkdir(parents=True, exist_ok=True)
    git(work, "mv", old, new)
    stage.manifests.commit("Move")
    git(work, "push", "--quiet", "origin", "main")


def decides(stage: Stage, decision: str) -> None:
    """Let somebody propose to go back, or to remove the app; or leave the version that is proposed."""
    if decision == "roll-back":
        stage.merge()
        stage.command("roll-back", "web", *IN_PRODUCTION, "--reason", "slow")
    elif decision == "remove":
        stage.command("remove", "web", *IN_PRODUCTION)


@pytest.mark.parametrize("decision", ["release", pytest.param("roll-back", marks=pytest.mark.long), "remove"])
@pytest.mark.parametrize("run", ["refresh", pytest.param("rehydrate", marks=pytest.mark.long)])
def test_where_an_apps_folder_moves_its_proposal_moves_along(stage: Stage, decision: str, run: str) -> None:
    decides(stage, decision)
    move(stage, "apps/web", "apps/team/web")
    stage.command(run)
    assert not [path for path in git(stage.remote, "diff", "--name-only", "main", BRANCH).split() if "apps/web" in path]
    stage.merge()
    assert stage.paths("apps/web") == []
    environments = [] if decision == "remove" else ["production"]
    assert stage.paths("apps/team/web/releases/production/release.yaml") == [
        f"apps/team/web/releases/{name}/release.yaml" for name in environments
    ]


def test_where_output_moves_before_anything_landed_the_proposal_has_the_new_place(
    tmp_path: Path, manifests: ManifestRepository
) -> None:
    manifests.write({"headgate.yaml": SETTINGS})
    stage = make_stage(tmp_path, manifests)
    assert stage.deliver().code == 0
    moved = SETTINGS.replace("delivery: review", 'delivery: review, output: {path: "flux/{environment}/{app}"}')
    stage.change({"headgate.yaml": moved})
    stage.command("refresh")
    assert stage.paths("deploy/production", BRANCH) == []
    assert stage.paths("flux/production", BRANCH) != []


def test_a_removal_is_made_again_where_somebody_edits_the_line_that_it_edits(stage: Stage) -> None:
    decides(stage, "remove")
    app = stage.show("main", APP)
    stage.change({APP: f"{app.strip()}\nenvironments: {{production: {{}}, dev: {{namespace: shop}}}}\n"})
    stage.command("refresh")
    stage.merge()
    assert yaml.safe_load(stage.show("main", APP))["environments"] == {"dev": {"namespace": "shop"}}
    assert stage.paths("deploy/production") == []


def test_of_two_removals_of_an_app_each_can_be_merged(tmp_path: Path, manifests: ManifestRepository) -> None:
    manifests.write({"headgate.yaml": SETTINGS.replace("commit", "review")})
    stage = make_stage(tmp_path, manifests)
    assert stage.deliver().code == 0
    for name in ("dev", "production"):
        stage.merge(f"headgate/{name}/web")
    stage.command("remove", "web")
    for name in ("dev", "production"):
        stage.merge(f"headgate/{name}/web")
        stage.command("refresh")
    assert [*stage.paths("apps"), *stage.paths("deploy")] == []
    assert stage.branches() == []


def test_a_removal_takes_along_what_is_held_and_what_comes_after_it(stage: Stage) -> None:
    decides(stage, "remove")
    head = stage.commit(BRANCH)
    stage.command("refresh")
    assert stage.commit(BRANCH) == head, "it is Headgate's, and as it should be"
    arrives(stage, 4)
    stage.command("refresh")
    stage.merge()
    assert stage.paths("apps/web/releases/production") == []


@pytest.mark.parametrize("decision", ["roll-back", pytest.param("remove", marks=pytest.mark.long)])
def test_a_persons_proposal_stays_where_the_app_is_pinned(stage: Stage, decision: str) -> None:
    stage.merge()
    stage.command("pin", "web", *IN_PRODUCTION, "--reason", "audit")
    stage.command(decision, "web", *IN_PRODUCTION, *(("--reason", "slow") if decision == "roll-back" else ()))
    arrives(stage, 4)
    stage.command("pin", "web", *IN_PRODUCTION, "--reason", "another audit")
    stage.command("refresh")
    stage.merge()
    texts = "".join(stage.files().values())
    assert "replicas: 3" not in texts
    assert (texts == "") == (decision == "remove")


@pytest.mark.parametrize(
    "word",
    [
        ["deliver-held", "web", *IN_PRODUCTION, "--reason", "urgent", "--by", "Ada"],
        pytest.param(["roll-back", "web", *IN_PRODUCTION, "--reason", "slow"], marks=pytest.mark.long),
    ],
)
def test_a_persons_word_that_ends_anothers_proposal_says_so(stage: Stage, word: list[str]) -> None:
    stage.merge()
    assert stage.run("remove", "web", *IN_PRODUCTION, "--by", "Eve").code == 0
    arrives(stage, 4)
    assert "ends the removal by Eve that was under review" in stage.command(*word).out
    assert "ends the" not in stage.command("refresh").out
