"""Commits for review that Headgate made once, pushed again by somebody who may push branches, and branches like them.

A proof says who made a commit, not that it is still wanted: only what the default branch has on record counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.commands import ci, verbs
from headgate.commands.options import Resolve
from headgate.errors import GitError
from headgate.feedback.apps import Scope
from headgate.intents.rollback import RollBackRequest
from support.gitlab.gitside import git, refs, write_commit
from support.gitlab.mergeside import merge
from support.reviewing import APP, BRANCH, Ended, Scene, make_scene

pytestmark = pytest.mark.long

YAML = "deploy/production/web/deployment.apps-web.yaml"
RELEASE = "apps/web/releases/production/release.yaml"


@pytest.fixture(params=["{auto_merge: true}", "{}"], ids=["merged at once", "reviewed"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """Return an app whose production is reviewed: what Headgate proposes is merged by itself, or by a person."""
    with make_scene(tmp_path, request.param) as made:
        yield made


def landed(scene: Scene, ended: Ended) -> str:
    """Let what a run proposed be merged, and return the commit that was."""
    assert ended.code == 0, ended.out
    proposed = scene.manifests.merge_requests[-1].sha
    for one in scene.requests():
        merge(scene.gitlab, one, scene.person)
    assert scene.pushed().code == 0
    return proposed


def push_again(scene: Scene, commit: str) -> None:
    """Push an old commit to the branch, as everybody may who can fetch it."""
    git(scene.manifests, "update-ref", f"refs/heads/{BRANCH}", commit)


def by_form(scene: Scene, resolve: Resolve) -> Ended:
    """Run an action of the form."""
    return scene.run(lambda run, report: ci.run_job(run, report, resolve, Scope()))


@pytest.mark.parametrize("is_pinned", [True, False])
def test_a_version_that_was_rolled_back_does_not_come_again(scene: Scene, *, is_pinned: bool) -> None:
    landed(scene, scene.hand_off())
    bad = landed(scene, scene.new_version(replicas=6))
    landed(
        scene,
        by_form(
            scene,
            verbs.go_back(
                RollBackRequest(app="web", environment="production", to="1", actor="maria", reason="it is slow")
            ),
        ),
    )
    if not is_pinned:
        assert by_form(scene, verbs.unpin("web", "production", "maria")).code == 0
    before = refs(scene.manifests)["refs/heads/main"]
    push_again(scene, bad)
    for _ in range(2):
        scene.schedule()
    assert "replicas: 2" in scene.gitlab.show(scene.manifests, YAML)
    assert scene.requests() == []
    assert git(scene.manifests, "diff", "--name-only", before, "main") == ""
    assert refs(scene.manifests).get(f"refs/heads/{BRANCH}") in (bad, None), "it is left alone"


def test_a_removal_that_was_undone_does_not_come_again(scene: Scene) -> None:
    landed(scene, scene.hand_off())
    removal = landed(scene, by_form(scene, verbs.remove("web", ["production"], "maria")))
    scene.pushed(scene.push(scene.manifests, {"apps/web/app.yaml": APP}))
    landed(scene, scene.new_version(replicas=3))
    push_again(scene, removal)
    scene.schedule()
    assert "replicas: 3" in scene.gitlab.show(scene.manifests, YAML)
    assert scene.requests() == []


def test_what_was_replaced_does_not_take_the_place_of_what_replaced_it(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene:
        assert scene.hand_off().code == 0
        one = scene.the_request()
        first = one.sha
        assert scene.new_version(replicas=6).code == 0
        push_again(scene, first)
        ended = scene.schedule()
        assert f"{BRANCH} holds a commit that Headgate did not make" in ended.out
        record = scene.gitlab.show(scene.manifests, "apps/web/releases/production/proposed/config/group.yaml")
        assert "tag: 1.2.0" in record.replace('"', ""), "what is wanted is still on record"
        git(scene.manifests, "update-ref", "-d", f"refs/heads/{BRANCH}")  # the way out that the message names
        assert scene.schedule().code == 0
        assert "replicas: 6" in git(scene.manifests, "show", f"{BRANCH}:{YAML}")


def test_branches_of_no_app_cost_a_run_nothing(tmp_path: Path) -> None:
    words = "Deliver web to production\n\nHeadgate-App: web\nHeadgate-Environment: production\n"

    def cost(scene: Scene) -> tuple[int, int]:
        scene.gitlab.requests.clear()
        ended = scene.schedule()
        assert ended.code == 0, ended.out
        return len(scene.gitlab.requests), len(ended.out.splitlines())

    with make_scene(tmp_path) as scene:
        assert scene.hand_off().code == 0
        for _ in range(2):  # the first of the day looks at everything
            cost(scene)
        alone = cost(scene)
        head = refs(scene.manifests)["refs/heads/main"]
        for name in (*(f"a{number}/b" for number in range(8)), *(f"production/b{number}" for number in range(8))):
            write_commit(scene.manifests.folder, f"refs/heads/headgate/{name}", head, {"x": "y"}, "alice", words)
        assert cost(scene) == alone


@pytest.mark.parametrize("name", ["headgate", "headgate/production", f"{BRANCH}/x", f"{BRANCH}/x/y"])
def test_a_branch_in_the_way_of_a_proposal_stops_nothing_else(tmp_path: Path, name: str) -> None:
    """Refs are paths: git makes no ``a/b`` where ``a`` is, and it takes or refuses a whole push."""
    with make_scene(tmp_path) as scene:
        git(scene.manifests, "update-ref", f"refs/heads/{name}", refs(scene.manifests)["refs/heads/main"])
        ended = scene.hand_off()
        assert ended.code == 0, ended.out
        assert f"the branch {name} is in the way of {BRANCH}: delete that branch" in ended.out
        assert scene.gitlab.show(scene.manifests, "deploy/dev/web/deployment.apps-web.yaml")
        assert scene.schedule().code == 0
        assert scene.requests() == []
        git(scene.manifests, "update-ref", "-d", f"refs/heads/{name}")
        assert scene.schedule().code == 0
        assert "replicas: 2" in git(scene.manifests, "show", f"{BRANCH}:{YAML}")


def test_a_branch_that_git_takes_for_another_one_is_named(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene:
        twin = "refs/heads/refs/heads/main"
        git(scene.manifests, "update-ref", twin, refs(scene.manifests)["refs/heads/main"])
        ended = scene.hand_off()
        assert ended.code == GitError.code
        assert "delete the branch or tag whose name is 'refs/heads/main' in full" in ended.out
        git(scene.manifests, "update-ref", "-d", twin)
        assert scene.hand_off().code == 0
