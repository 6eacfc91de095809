"""Approvals bind what Headgate merges: how many, whose, and of which commit. With GitLab Free, which requires none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.commands import ci, verbs
from headgate.feedback.apps import Scope
from headgate.gitlab.api import GitLab
from support.cli import headgate
from support.gitlab.gitside import git, refs
from support.gitlab.mergeside import approve, merge, open_request, retarget
from support.gitlab.state import DEVELOPER, MAINTAINER, MergeRequest, User
from support.reviewing import BRANCH, DEPLOYMENT, Scene, make_scene, quiet, settings

REVIEW = "{auto_merge: true, approvals: 2}"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with make_scene(tmp_path, REVIEW) as made:
        made.gitlab.unchecked_reads = 0
        made.manifests.inherited |= {made.gitlab.user(name).id: MAINTAINER for name in ("mia", "max", "moe")}
        yield made
        assert made.gitlab.executed == []


def user(scene: Scene, name: str) -> User:
    return next(one for one in scene.gitlab.users if one.name == name)


def last(scene: Scene) -> MergeRequest:
    return scene.manifests.merge_requests[-1]


@pytest.mark.long
def test_it_is_merged_with_the_approvals_that_are_needed_and_not_before(scene: Scene) -> None:
    ended = scene.hand_off()
    one = scene.the_request()
    assert ended.code == 0, ended.out
    assert "!1 is not merged: it needs 2 approvals" in ended.out
    assert "> Needs 2 approvals. Given: 0." in one.description
    quiet(scene)
    approve(one, user(scene, "mia"))
    assert "!1 is not merged: it needs 1 more approval\n" in scene.schedule().out
    assert "Given: 1: `mia`." in one.description
    quiet(scene)
    approve(one, user(scene, "max"))
    ended = scene.schedule()
    assert (one.state, one.merged_by) == ("merged", scene.bot), ended.out
    quiet(scene)


@pytest.mark.long
def test_only_others_with_the_role_approve(scene: Scene) -> None:
    """Who requested it, who wrote it, a developer, a bot and Headgate's own user are distinguished, and none counts."""
    author, opener, robot = (scene.gitlab.user(name) for name in ("test", "olga", "robot"))
    robot.is_bot = True
    scene.manifests.members |= {one.id: MAINTAINER for one in (author, opener, robot)}
    commit = scene.push(scene.app, {"src": "1"}, branch="feature")
    open_request(scene.gitlab, scene.app, "feature", opener)
    ended = scene.hand_off(commit, actor="Moe")
    one = scene.the_request()
    for name in ("moe", "test", "olga", "alice", "robot", "headgate-bot", "mia"):
        approve(one, user(scene, name))
    ended = scene.schedule()
    assert one.state == "opened"
    for reason in (
        "moe's does not count (requested it)",
        "test's does not count (wrote what is approved)",
        "olga's does not count (wrote what is approved)",
        "alice's does not count (lacks the role maintainer)",
        "robot's does not count (is a bot)",
        "headgate-bot's does not count (is Headgate's own user)",
    ):
        assert reason in ended.out
    assert "!1 is not merged: it needs 1 more approval (" in ended.out
    assert "The approval of `robot` does not count: is a bot." in one.description
    approve(one, user(scene, "max"))
    scene.schedule()
    assert one.state == "merged"


@pytest.mark.long
@pytest.mark.parametrize("resets", [None, pytest.param(True, marks=pytest.mark.long)])
def test_an_approval_of_an_older_commit_does_not_count(scene: Scene, resets: bool | None) -> None:
    """GitLab Free keeps approvals when something is pushed, and with Premium a setting takes them away."""
    scene.manifests.resets_approvals = resets
    scene.hand_off()
    one = scene.the_request()
    approve(one, user(scene, "mia"))
    approve(one, user(scene, "max"))
    ended = scene.new_version(replicas=3)
    assert one.state == "opened", ended.out
    assert ("max's does not count (approved before the last commit or change of target:" in ended.out) == (
        resets is None
    )
    assert "Given: 0." in one.description
    assert len(one.approved_by) == (2 if resets is None else 0)
    one.approved_by.clear()  # they revoke them, and look again
    for name in ("mia", "max"):
        approve(one, user(scene, name))
    scene.schedule()
    assert one.state == "merged"


@pytest.mark.long
def test_an_approval_of_what_went_to_another_branch_does_not_count(scene: Scene) -> None:
    """What people see is what differs from the target, and every Developer may change that."""
    scene.hand_off()
    one = scene.the_request()
    scene.push(scene.manifests, {"README.md": "almost the same"}, branch="other")
    retarget(one, "other")
    for name in ("mia", "max"):
        approve(one, user(scene, name))
    retarget(one, "main")
    ended = scene.schedule()
    assert one.state == "opened", ended.out
    assert "approved before the last commit or change of target" in ended.out
    one.approved_by.clear()
    for name in ("mia", "max"):
        approve(one, user(scene, name))
    scene.schedule()
    assert one.state == "merged"


@pytest.mark.long
def test_what_cannot_be_read_is_not_merged_and_the_job_is_red(scene: Scene) -> None:
    scene.hand_off()
    one = scene.the_request()
    for name in ("mia", "max"):
        approve(one, user(scene, name))
    one.auto_merge, one.set_by = True, scene.bot  # from before approvals were asked for
    scene.app.members.pop(scene.bot.id)
    scene.app.allowlist.clear()
    ended = scene.schedule()
    assert (one.state, one.auto_merge, ended.code) == ("opened", False, 28)
    assert "cannot read who wrote" in ended.out
    assert "let the user of HEADGATE_TOKEN, or of HEADGATE_READ_TOKEN, read that project" in ended.out
    scene.app.members[scene.bot.id] = MAINTAINER
    scene.gitlab.fail("GET", "/approvals$", 403, times=3)
    ended = scene.schedule()
    assert (one.state, ended.code) == ("opened", 28), ended.out
    assert "GitLab answered 403" in ended.out
    assert "They cannot be counted: GitLab answered 403" in one.description
    assert scene.schedule().code == 0
    assert one.state == "merged"


@pytest.mark.long
def test_an_approval_that_is_revoked_right_before_the_merge_is_missing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Approvals are read once more after all that takes time, and nothing is left for GitLab to merge later."""
    scene.hand_off()
    one = scene.the_request()
    for name in ("mia", "max"):
        approve(one, user(scene, name))
    one.blocked = "ci_still_running"
    ended = scene.schedule()
    assert "!1 waits for its pipeline; a later run counts its approvals again and merges it" in ended.out
    assert not one.auto_merge
    one.blocked = ""
    asked: Callable[..., Any] = GitLab.get

    def get(gitlab: GitLab, path: str, query: Mapping[str, Any] | None = None) -> Any:
        if path.endswith("/merge_requests/1"):  # where the run looks whether GitLab would merge it
            one.approved_by.pop(user(scene, "max").id, None)
        return asked(gitlab, path, query)

    monkeypatch.setattr(GitLab, "get", get)
    assert "!1 is not merged: it needs 1 more approval" in scene.schedule().out
    assert one.state == "opened"


@pytest.mark.long
def test_who_changed_a_template_approves_nothing_of_it(tmp_path: Path) -> None:
    app = "project: acme/web\nimages: {web: registry.example.com/acme/web}\ntemplate: web\n"
    with make_scene(tmp_path, "{auto_merge: true, approvals: 1, approver_role: developer}", app) as scene:
        scene.gitlab.unchecked_reads = 0
        other = scene.gitlab.user("dora")
        scene.manifests.members[other.id] = DEVELOPER
        scene.push(scene.manifests, {"templates/web/web.yaml": DEPLOYMENT})
        assert scene.hand_off().code == 0
        merge(scene.gitlab, scene.the_request(), scene.person)
        changed = scene.push(
            scene.manifests,
            {"templates/web/web.yaml": DEPLOYMENT.replace("replicas: 2", "replicas: 3")},
            branch="change",
        )
        mine = open_request(scene.gitlab, scene.manifests, "change", scene.person)
        merged = merge(scene.gitlab, mine, other)
        assert changed in git(scene.manifests, "rev-list", "main")
        assert scene.pushed(merged).code == 0
        one = scene.the_request()
        assert one.source == "headgate/production/_rehydrate"
        approve(one, scene.person)
        assert "alice's does not count (wrote what is approved)" in scene.schedule().out
        approve(one, other)
        ended = scene.schedule()
        assert one.state == "merged", ended.out


@pytest.mark.long
def test_an_approval_counts_from_the_role_that_headgate_yaml_names(tmp_path: Path) -> None:
    with make_scene(tmp_path, "{auto_merge: true, approvals: 1, approver_role: developer}") as scene:
        scene.gitlab.unchecked_reads = 0
        scene.hand_off()
        approve(scene.the_request(), scene.person)
        scene.schedule()
        assert last(scene).state == "merged"
        scene.push(scene.manifests, {"headgate.yaml": settings(scene.gitlab.url, "{auto_merge: true}")})
        scene.new_version(replicas=3)
        assert (last(scene).state, last(scene).iid) == ("merged", 2)
        assert "approval" not in last(scene).description
        assert f"refs/heads/{BRANCH}" not in refs(scene.manifests)


def shown(scene: Scene, monkeypatch: pytest.MonkeyPatch, token: str = "") -> tuple[str, dict[str, Any]]:
    """Return what ``headgate status`` says, without its line breaks, and its JSON of the app in production."""
    monkeypatch.setenv("HEADGATE_TOKEN", token) if token else monkeypatch.delenv("HEADGATE_TOKEN", raising=False)
    where = ("status", "web", "--manifests", str(scene.manifests.folder))
    line = " ".join(headgate(*where).out.split())
    found = json.loads(headgate(*where, "--json").out)["apps"]
    return line, next(app for app in found if app["environment"] == "production")


def test_status_says_what_is_missing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.hand_off()
    approve(scene.the_request(), user(scene, "mia"))
    line, app = shown(scene, monkeypatch, scene.token)
    assert "proposed: 1.1.0, needs 1 more approval" in line
    counted = {"needed": 2, "given": ["mia"], "missing": 1, "ignored": [], "unknown": None}
    assert app["proposed"]["approvals"] == counted
    line, app = shown(scene, monkeypatch)
    assert "needs 2 approvals; the number it has is unknown: there is no HEADGATE_TOKEN" in line
    assert app["proposed"]["approvals"]["unknown"] == "there is no HEADGATE_TOKEN"


@pytest.mark.long
def test_status_counts_the_approvals_of_a_removal_as_a_merge_does(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who wrote what apps are rendered from may approve that one of them goes: nothing of his comes with it."""
    scene.manifests.inherited |= {scene.gitlab.user("test").id: MAINTAINER}
    scene.hand_off()
    merge(scene.gitlab, scene.the_request(), scene.person)
    scene.pushed()
    ended = scene.run(lambda run, report: ci.run_job(run, report, verbs.remove("web", ["production"], "max"), Scope()))
    assert ended.code == 0, ended.out
    for name in ("test", "max"):
        approve(scene.the_request(), user(scene, name))
    assert "!2 is not merged: it needs 1 more approval (max's does not count (requested it))" in scene.schedule().out
    approvals = shown(scene, monkeypatch, scene.token)[1]["proposed"]["approvals"]
    assert (approvals["given"], [ignored["by"] for ignored in approvals["ignored"]]) == (["test"], ["max"])


@pytest.mark.long
def test_a_merge_by_others_with_fewer_is_a_finding_until_the_next_that_has_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.hand_off()
    one = scene.the_request()
    approve(one, user(scene, "mia"))
    one.description = one.description.replace(
        "headgate:begin", "headgate:begin counted=00000000000000000000000000000000"
    )
    merged = merge(scene.gitlab, one, user(scene, "max"))
    approve(one, user(scene, "moe"))  # too late
    ended = scene.pushed(merged)
    assert "!1 was merged by max with 1 of 2 approvals" in ended.out
    text = yaml.safe_load(scene.gitlab.show(scene.manifests, "environments/production/unapproved.yaml"))
    (found,) = text["merges"]
    assert (found["request"], found["app"], found["by"], found["approved_by"]) == ("!1", "web", "max", ["mia"])
    assert (found["needed"], found["commit"], found["merged_at"]) == (2, one.sha, one.merged_at)
    assert "moe's does not count" in one.notes[-1].body
    assert "!1 was merged by max" in (scene.folder / "headgate-report" / "report.md").read_text()
    line, app = shown(scene, monkeypatch)
    assert "!1 was merged by max with 1 of 2 approvals" in line
    assert app["unapproved"] == [found]
    quiet(scene)

    scene.new_version(replicas=3)
    for name in ("mia", "moe"):
        approve(scene.the_request(), user(scene, name))
    scene.schedule()
    assert last(scene).merged_by is scene.bot
    scene.schedule()
    line, app = shown(scene, monkeypatch)
    assert app["unapproved"] == []
    quiet(scene)


@pytest.mark.long
def test_an_app_adds_labels_and_reviewers_and_lowers_nothing(tmp_path: Path) -> None:
    review = "{labels: [production], reviewers: [mia], approvals: 1, auto_merge: true}"
    app = "project: acme/web\nimages: {web: registry.example.com/acme/web}\nconfig: deploy\n"
    with make_scene(tmp_path, review, f"{app}review: {{labels: [team-web, production], reviewers: [max]}}\n") as scene:
        people = [scene.gitlab.user(name).id for name in ("mia", "max")]
        scene.hand_off()
        one = scene.the_request()
        assert (one.labels, one.reviewers, one.state) == (["production", "team-web"], people, "opened")
        lowered = scene.pushed(scene.push(scene.manifests, {"apps/web/app.yaml": f"{app}review: {{approvals: 0}}\n"}))
        assert lowered.code != 0
        assert "apps/web/app.yaml" in lowered.out
        assert one.state == "opened"
