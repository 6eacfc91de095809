"""What happens to a proposal on real git when something else arrives: an equal version, a person's word, a push."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from headgate.errors import GitError
from headgate.intents.outcome import EQUAL_TO_PROPOSED
from support.cli import Ran
from support.manifests import DIGEST, git, head
from support.stage import IMAGE, Stage, make_proposed, replicas, write_app

SETTINGS = """
version: 1
environments:
  production: {takes: {branch: main}, delivery: review}
"""
BRANCH = "headgate/production/web"
RELEASES = "apps/web/releases/production"


@pytest.fixture
def stage(tmp_path: Path, clean_user: None) -> Stage:
    """Return an app whose one environment is reviewed, with one version that is landed and one that is proposed."""
    return make_proposed(tmp_path, SETTINGS)


def push_to_the_branch(stage: Stage) -> str:
    """Commit on the branch for review, as somebody does who corrects it there; return that commit."""
    tree = stage.commit(f"{BRANCH}^{{tree}}")
    theirs = git(stage.remote, "commit-tree", tree, "-p", BRANCH, "-m", "mine")
    git(stage.remote, "update-ref", f"refs/heads/{BRANCH}", theirs)
    return theirs


def newest(stage: Stage) -> str:
    """Return the commit of the app's config that is on record as the newest landed."""
    return str(yaml.safe_load(stage.show("main", f"{RELEASES}/release.yaml"))["newest"]["config"]["commit"])


def test_a_newer_version_with_equal_yaml_is_held_and_lands_with_the_merge(stage: Stage) -> None:
    branch, record = stage.commit(BRANCH), stage.show("main", f"{RELEASES}/proposed/proposal.yaml")
    proposed = stage.show("main", f"{RELEASES}/proposed/config/group.yaml")
    write_app(stage, {"README.md": "another word"})
    ran = stage.deliver()
    assert ran.code == 0, ran.err
    assert "held" in ran.out
    assert EQUAL_TO_PROPOSED in ran.out
    assert stage.commit(BRANCH) == branch, "approvals last"
    assert stage.show("main", f"{RELEASES}/proposed/proposal.yaml") == record
    assert stage.show("main", f"{RELEASES}/proposed/config/group.yaml") == proposed, "the merge meets no other record"
    held = yaml.safe_load(stage.show("main", f"{RELEASES}/held/config/group.yaml"))
    assert held["reasons"] == [EQUAL_TO_PROPOSED]
    assert EQUAL_TO_PROPOSED in stage.run("status").out
    main = stage.commit()
    assert stage.run("refresh").code == 0
    assert git(stage.remote, "rev-parse", "main", BRANCH).split() == [main, branch], "again, it changes nothing"

    stage.merge()
    assert stage.run("rehydrate").code == 0
    assert newest(stage) == head(stage.app)
    assert stage.paths(f"{RELEASES}/held") == stage.paths(f"{RELEASES}/proposed") == []
    assert "replicas: 3" in stage.show("main", "deploy/production/web/deployment.apps-web.yaml")
    assert git(stage.remote, "for-each-ref", f"refs/heads/{BRANCH}") == ""


@pytest.mark.long
def test_a_proposal_is_made_anew_where_the_default_branch_changes_below_it(stage: Stage) -> None:
    """Merged as it was, it would undo or mix what somebody did there meanwhile, without anybody reviewing that."""
    yaml_file = "deploy/production/web/deployment.apps-web.yaml"
    ways: list[Callable[[], Ran]] = [lambda: stage.run("refresh"), lambda: equal_version(stage)]
    for number, way in enumerate(ways):
        stage.change({yaml_file: f"{stage.show('main', yaml_file)}\n# by hand {number}\n"})
        assert way().code == 0
        assert stage.commit(f"{BRANCH}^") == stage.commit()
        assert "by hand" not in stage.show(BRANCH, yaml_file)


def equal_version(stage: Stage) -> Ran:
    """Hand a version off whose YAML is the same."""
    write_app(stage, {"README.md": "another word"})
    return stage.deliver()


@pytest.mark.long
def test_what_differs_again_takes_along_what_was_equal(stage: Stage) -> None:
    write_app(stage, {"README.md": "another word"})
    assert stage.deliver().code == 0
    write_app(stage, {"deploy/web.yaml": replicas(4)})
    assert stage.deliver().code == 0
    assert stage.paths(f"{RELEASES}/held") == []
    assert "replicas: 4" in stage.show(BRANCH, "deploy/production/web/deployment.apps-web.yaml")


@pytest.mark.long
@pytest.mark.parametrize(
    "command", [["remove", "web", "--environment", "production"], ["roll-back", "web", "--environment", "production"]]
)
def test_a_persons_word_leaves_somebodys_commit_alone(stage: Stage, command: list[str]) -> None:
    if command[0] == "roll-back":
        stage.merge()
        write_app(stage, {"deploy/web.yaml": replicas(4)})
        assert stage.deliver().code == 0
        command = [*command, "--reason", "it is slow"]
    theirs, main = push_to_the_branch(stage), stage.commit()
    ran = stage.run(*command, "--by", "Eve")
    assert ran.code == GitError.code
    assert f"{BRANCH} holds a commit that Headgate did not make" in " ".join(ran.err.split())
    assert git(stage.remote, "rev-parse", BRANCH, "main").split() == [theirs, main]


def test_a_removal_takes_the_place_of_what_is_proposed_on_a_branch_that_was_not_read_before(stage: Stage) -> None:
    assert stage.run("remove", "web", "--environment", "production", "--by", "Eve").code == 0
    assert stage.paths("deploy", BRANCH) == stage.paths("apps/web", BRANCH) == []
    assert stage.show("main", f"{RELEASES}/held/config/group.yaml"), f"what was proposed waits ({DIGEST}, {IMAGE})"


@pytest.mark.long
def test_branches_of_any_name_that_git_takes_stop_nothing(stage: Stage) -> None:
    for odd in ("notes\u2028x", "notes\u0085x", "notes\u2029x", "\u3000", "caf\u00e9"):
        for at in (odd, f"headgate/{odd}", f"headgate/production/{odd}"):
            git(stage.remote, "update-ref", f"refs/heads/{at}", "main")
    for command in (
        ["refresh"],
        ["rehydrate"],
        ["freeze", "production", "--reason", "audit", "--by", "Eve"],
        ["status"],
    ):
        ran = stage.run(*command)
        assert ran.code == 0, ran.err
    write_app(stage, {"deploy/web.yaml": replicas(5)})
    assert stage.deliver(to=stage.remote.as_uri()).code == 0
    assert "replicas: 5" in stage.show(BRANCH, "deploy/production/web/deployment.apps-web.yaml")


@pytest.mark.long
@pytest.mark.parametrize("change", ["its branch goes", "the default branch changes below it"])
def test_a_roll_back_under_review_is_proposed_again_by_a_run_that_nobody_asked_for(stage: Stage, change: str) -> None:
    """It pins the app, which keeps automatic runs from hydrating it; the proposal was decided, so that is no reason."""
    stage.merge()
    assert stage.run("roll-back", "web", "--environment", "production", "--reason", "slow", "--by", "Eve").code == 0
    landed = stage.show("main", f"{RELEASES}/release.yaml")
    yaml_file = "deploy/production/web/deployment.apps-web.yaml"
    if change == "its branch goes":
        git(stage.remote, "update-ref", "-d", f"refs/heads/{BRANCH}")
    else:
        stage.change({yaml_file: f"{stage.show('main', yaml_file)}# by hand\n"})
    assert stage.run("rehydrate").code == 0
    assert stage.show("main", f"{RELEASES}/release.yaml") == landed, "only a merge lands it"
    assert "replicas" not in stage.show(BRANCH, yaml_file)
    assert yaml.safe_load(stage.show(BRANCH, f"{RELEASES}/release.yaml"))["pin"]["by"] == "Eve"


@pytest.mark.long
def test_where_nobody_reviews_any_more_what_is_proposed_lands(stage: Stage) -> None:
    stage.change({"headgate.yaml": SETTINGS.replace("review", "commit")})
    assert stage.run("rehydrate").code == 0
    assert "replicas: 3" in stage.show("main", "deploy/production/web/deployment.apps-web.yaml")
    assert stage.paths(f"{RELEASES}/proposed") == []
    assert git(stage.remote, "for-each-ref", f"refs/heads/{BRANCH}") == ""


@pytest.mark.long
def test_where_nobody_reviews_any_more_a_freeze_holds_what_is_proposed(stage: Stage) -> None:
    assert stage.run("freeze", "production", "--reason", "audit", "--by", "Eve").code == 0
    stage.change({"headgate.yaml": SETTINGS.replace("review", "commit")})
    assert stage.run("rehydrate").code == 0
    assert stage.paths(f"{RELEASES}/proposed") != []
    assert stage.run("thaw", "production").code == 0
    assert "replicas: 3" in stage.show("main", "deploy/production/web/deployment.apps-web.yaml")


@pytest.mark.long
@pytest.mark.parametrize("first", ["a run that nobody asked for", "a hand-off"])
def test_where_nobody_reviews_any_more_a_roll_back_stays_a_persons_word(stage: Stage, first: str) -> None:
    stage.merge()
    assert stage.run("roll-back", "web", "--environment", "production", "--reason", "slow", "--by", "Eve").code == 0
    stage.change({"headgate.yaml": SETTINGS.replace("review", "commit")})
    if first == "a hand-off":
        write_app(stage, {"deploy/web.yaml": replicas(4)})
        assert "held: a roll-back by Eve is under review: slow" in stage.deliver().out
    assert stage.run("rehydrate").code == 0
    assert "replicas" not in stage.show("main", "deploy/production/web/deployment.apps-web.yaml")
    assert yaml.safe_load(stage.show("main", f"{RELEASES}/release.yaml"))["pin"]["by"] == "Eve"
    assert (stage.paths(f"{RELEASES}/held") != []) == (first == "a hand-off"), "that goes on with unpin"
    assert git(stage.remote, "for-each-ref", f"refs/heads/{BRANCH}") == ""


@pytest.mark.long
@pytest.mark.parametrize("gone", ["the app", "the environment of the app", "renamed"])
@pytest.mark.parametrize("whose", ["ours", "somebody's"])
def test_a_branch_of_an_app_that_a_person_took_away_is_in_nobodys_way(stage: Stage, gone: str, whose: str) -> None:
    if whose == "somebody's":
        push_to_the_branch(stage)
    head = stage.commit(BRANCH)
    app = stage.show("main", "apps/web/app.yaml")
    if gone == "the app":
        stage.change({"apps/web": None})
    elif gone == "renamed":
        work = stage.manifests.path
        git(work, "fetch", "--quiet", "origin")
        git(work, "checkout", "--quiet", "-B", "main", "origin/main")
        git(work, "mv", "apps/web", "apps/shop")
        stage.manifests.commit("Rename")
        git(work, "push", "--quiet", "origin", "main")
    else:
        stage.change({RELEASES: None, "headgate.yaml": SETTINGS + "  dev: {takes: {branch: main}, delivery: commit}\n"})
        stage.change({"apps/web/app.yaml": f"{app}\nenvironments: [dev]\n"})
    stage.run("refresh")
    assert stage.commit(BRANCH) == head
    stage.change({"apps/web/app.yaml": app, **({"apps/shop": None} if gone == "renamed" else {})})
    write_app(stage, {"deploy/web.yaml": replicas(6)})
    ran = stage.deliver()
    if whose == "ours":
        assert ran.code == 0
        assert "replicas: 6" in stage.show(BRANCH, "deploy/production/web/deployment.apps-web.yaml"), "it begins anew"
    else:
        assert f"the branch {BRANCH} holds a commit that Headgate did not make" in ran.out + ran.err
        assert stage.commit(BRANCH) == head


@pytest.mark.long
def test_what_is_held_says_what_holds_it_now(stage: Stage) -> None:
    stage.merge()
    assert stage.run("remove", "web", "--environment", "production", "--by", "Eve").code == 0
    write_app(stage, {"deploy/web.yaml": replicas(5)})
    assert stage.deliver().code == 0
    assert stage.run("roll-back", "web", "--environment", "production", "--reason", "slow", "--by", "Ada").code == 0
    group = yaml.safe_load(stage.show("main", f"{RELEASES}/held/config/group.yaml"))
    assert group["reasons"] == ["a roll-back by Ada came before it"], "and no longer the removal, whose place it took"
