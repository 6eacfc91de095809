"""GitLab and the network failing in the middle of a run: tried again where that is right, told, and completed later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gitlab.gitside import git
from support.gitlab.state import OWNER, Protection
from support.registry import Registry
from support.reviewing import Ended, Scene, make_sender_scene


@pytest.fixture
def scene(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.chdir(tmp_path)
    with make_sender_scene(tmp_path, registry) as made:
        yield made


def proposed(scene: Scene, method: str = "", path: str = "", status: int = 0, **fault: Any) -> Ended:
    """Hand off what is reviewed: a push, a merge request, statuses. With a fault, when one is given."""
    sha = scene.change(branch="try/it", base="main")
    if method:
        scene.gitlab.fail(method, path, status, **fault)
    return scene.from_pipeline(ref="try/it", sha=sha)


def is_whole(scene: Scene) -> None:
    """Check that there is one merge request, and one status and no note twice, and that another run changes nothing."""
    assert len(scene.manifests.merge_requests) == 1
    assert all(fault.times <= 0 for fault in scene.gitlab.faults), "what was to fail was never asked for"
    ended = scene.run_ci(scene.job("schedule", scene.maintainer), {})
    assert (ended.code, ended.moved) == (0, []), ended.out
    (request,) = scene.gitlab.open_requests(scene.manifests)
    assert git(scene.manifests, "rev-parse", "headgate/try/shop") == request.sha
    told = [one for one in scene.app.statuses if one["sha"] == git(scene.app, "rev-parse", "try/it")]
    assert (told[-1]["name"], told[-1]["status"]) == ("headgate: try", "pending")
    # GitLab takes no pending status over a pending one, so a new address of one needs two of them
    addresses = [one["target_url"] for one in told if one["status"] == "pending"]
    assert len(addresses) == len(set(addresses))
    bodies = [note.body for note in request.notes]
    assert len(bodies) == len(set(bodies))


_API = r"^/api/v4/"


_WAYS = {
    "job": ("GET", f"{_API}job$"),
    "bridges": ("GET", "/bridges$"),
    "branches": ("GET", "/repository/branches$"),
    "merge requests": ("GET", "/merge_requests$"),
    "refs": ("GET", r"manifests\.git/info/refs"),
    "push": ("POST", r"manifests\.git/git-receive-pack"),
    "fetch": ("POST", r"shop\.git/git-upload-pack"),
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("way", "status"),
    [*((way, status) for way in _WAYS for status in (502, 0)), *(("bridges", status) for status in (429, 500, 503))],
)
def test_one_failure_is_outlasted(scene: Scene, way: str, status: int) -> None:
    ended = proposed(scene, *_WAYS[way], status)
    assert ended.code == 0, ended.out
    is_whole(scene)


@pytest.mark.long
@pytest.mark.parametrize("after", [False, True], ids=["before", "after it was done"])
@pytest.mark.parametrize("status", [500, 0])
@pytest.mark.parametrize("path", ["/merge_requests$", "/statuses/", r"manifests\.git/git-receive-pack"])
def test_what_was_written_and_not_answered_is_not_written_twice(
    scene: Scene, path: str, status: int, *, after: bool
) -> None:
    proposed(scene, "POST", path, status, after=after)
    is_whole(scene)


@pytest.mark.long
def test_gitlab_that_stays_away_is_told_and_the_next_run_completes(scene: Scene) -> None:
    ended = proposed(scene, "POST", "/merge_requests$", 502, times=99)
    assert ended.code == 28, ended.out
    assert "GitLab answered 502 to POST" in ended.out
    assert ended.moved == ["heads/headgate/try/shop", "heads/main"]
    scene.gitlab.faults.clear()
    completed = scene.run_ci(scene.job("schedule", scene.maintainer), {})
    assert completed.code == 0, completed.out
    is_whole(scene)


@pytest.mark.long
def test_expired_token_is_told_by_its_name(scene: Scene) -> None:
    for token in scene.gitlab.tokens:
        token.expired = token.user.name == "headgate-bot"
    ended = scene.from_pipeline()
    assert ended.moved == []
    assert ended.code == 22, ended.out
    assert f"{scene.gitlab.url}/acme/manifests.git refused HEADGATE_TOKEN" in ended.out
    assert "the token is wrong, expired or revoked" in ended.out
    for token in scene.gitlab.tokens:
        assert token.value not in ended.out
        token.expired = False
    assert scene.from_pipeline().moved == ["heads/main"]


def test_branch_protected_against_the_bot_is_told_in_gitlabs_words(scene: Scene) -> None:
    scene.manifests.protected_branches["main"].push = 50
    ended = scene.from_pipeline()
    assert (ended.code, ended.moved) == (22, [])
    assert "You are not allowed to push code to protected branches" in ended.out


@pytest.mark.long
def test_push_rule_is_told_in_gitlabs_words(scene: Scene) -> None:
    scene.manifests.push_rule = "Committer's email 'x' does not follow the pattern"
    ended = scene.from_pipeline()
    assert (ended.code, ended.moved) == (22, [])
    assert "does not follow the pattern" in ended.out
    scene.manifests.push_rule = ""
    assert scene.from_pipeline().moved == ["heads/main"]


@pytest.mark.long
def test_status_that_may_not_be_set_is_told_once_and_the_rest_goes_on(scene: Scene) -> None:
    del scene.app.members[next(one.id for one in scene.gitlab.users if one.name == "headgate-bot")]
    ended = scene.from_pipeline()
    assert ended.code == 0, ended.out
    assert ended.moved == ["heads/main"]
    assert scene.app.statuses == []
    lines = [line for line in ended.out.splitlines() if "404 Project Not Found" in line]
    assert 0 < len(lines) == len(set(lines))


@pytest.mark.parametrize("is_tag", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_status_of_a_protected_ref_that_the_bot_may_not_update_is_told_with_the_setting(
    scene: Scene, *, is_tag: bool
) -> None:
    if is_tag:
        git(scene.app, "tag", "v1.0.0", scene.head)
        scene.app.protected_tags["v*"] = OWNER
    else:
        scene.app.protected_branches["main"] = Protection(push=OWNER, merge=OWNER)
    ended = scene.from_pipeline(ref="v1.0.0", is_tag=True) if is_tag else scene.from_pipeline()
    assert (ended.code, ended.moved) == (0, ["heads/main"]), ended.out
    assert scene.app.statuses == []
    told = " ".join(ended.out.split())
    assert told.count("or create the tag (Protected tags)") == 1
    assert "403 Forbidden" in told
