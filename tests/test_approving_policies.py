"""Policies that require one more approval before Headgate merges what does not keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headgate import tools
from support.gitlab.mergeside import approve, merge
from support.gitlab.state import MAINTAINER
from support.reviewing import Scene, make_scene, settings
from support.validator import use_validator
from test_approvals import shown, user
from test_policies import POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OUTCOME = "policies: {replicas: {outcome: warn, environments: {production: approve}}}\n"


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_user: None) -> Iterator[Scene]:
    """Return an app whose proposals are merged at once, unless the policy requires an approval."""
    use_validator(monkeypatch)
    with make_scene(tmp_path, "{auto_merge: true}") as made:
        made.gitlab.unchecked_reads = 0
        made.manifests.inherited |= {made.gitlab.user(name).id: MAINTAINER for name in ("mia", "max")}
        text = settings(made.gitlab.url, "{auto_merge: true}") + OUTCOME
        made.push(made.manifests, {"headgate.yaml": text, "policies/a.yaml": POLICY})
        yield made


@pytest.mark.long
def test_what_does_not_keep_it_waits_for_an_approval_and_all_else_is_merged_at_once(scene: Scene) -> None:
    assert scene.hand_off().code == 0
    assert scene.requests() == []
    ended = scene.new_version(replicas=4)
    one = scene.the_request()
    assert "!2 is not merged: it needs 1 approval" in ended.out
    assert "> Needs 1 approval. Given: 0." in one.description
    assert "at most 3 replicas" in one.description
    assert "!2 is not merged" in scene.schedule().out
    approve(one, next(user for user in scene.gitlab.users if user.name == "mia"))
    ended = scene.schedule()
    assert (one.state, one.merged_by) == ("merged", scene.bot), ended.out
    assert scene.new_version().code == 0
    assert scene.requests() == [], "what was approved once is not new"


@pytest.mark.long
def test_status_says_so_as_the_merge_does(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.hand_off()
    scene.new_version(replicas=4)
    line, app = shown(scene, monkeypatch, scene.token)
    assert "needs 1 approval" in line
    assert (app["proposed"]["approvals"]["needed"], app["proposed"]["approvals"]["missing"]) == (1, 1)
    request = scene.the_request()
    honest = request.description
    request.description = honest.replace(" needed=1", " needed=999")
    assert shown(scene, monkeypatch, scene.token)[1]["proposed"]["approvals"]["needed"] == 1
    request.description = honest.replace(" needed=1", "")
    assert shown(scene, monkeypatch, scene.token)[1]["proposed"]["approvals"] is None
    assert "!2 is not merged: it needs 1 approval" in scene.schedule().out
    assert shown(scene, monkeypatch, scene.token)[1]["proposed"]["approvals"]["needed"] == 1
    assert shown(scene, monkeypatch)[1]["proposed"]["approvals"] is None
    approve(request, user(scene, "mia"))
    line, app = shown(scene, monkeypatch, scene.token)
    assert ("approval" in line, app["proposed"]["approvals"]["missing"]) == (False, 0)


@pytest.mark.long
def test_a_merge_by_others_without_it_is_a_finding(scene: Scene) -> None:
    scene.hand_off()
    scene.new_version(replicas=4)
    merged = merge(scene.gitlab, scene.the_request(), scene.gitlab.user("max"))
    assert "!2 was merged by max with 0 of 1 approvals" in scene.pushed(merged).out


@pytest.mark.long
def test_where_nobody_can_tell_an_approval_is_needed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_validator", lambda: None)
    assert "!1 is not merged: it needs 1 approval" in scene.hand_off().out
    monkeypatch.undo()
    use_validator(monkeypatch)
    ended = scene.schedule()
    assert scene.requests() == [], ended.out


def test_without_the_policy_none_is_needed(scene: Scene) -> None:
    text = settings(scene.gitlab.url, "{auto_merge: true}")
    scene.push(scene.manifests, {"headgate.yaml": text})
    assert scene.new_version(replicas=4).code == 0
    assert scene.requests() == []
