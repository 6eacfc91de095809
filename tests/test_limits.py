"""What GitLab leaves out of a push of many branches: the push stays one, and any later run completes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.commands import ci
from headgate.gitlab.event import Tokens
from support.gitlab.gitside import refs
from support.reviewing import APP, Ended, Scene, make_scene

MANY, FEW = 12, 6
CI = "check: {script: [echo fine], rules: [{if: $CI_PIPELINE_SOURCE == 'merge_request_event'}]}\n"
APPS = [f"web{number}" for number in range(MANY)]
BRANCHES = sorted(f"headgate/production/{app}" for app in APPS)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Return a GitLab where one project owns twelve apps, so that each hand-off proposes something for each."""
    monkeypatch.chdir(tmp_path)
    with make_scene(tmp_path) as made:
        apps: dict[str, str | None] = {f"apps/{app}/app.yaml": APP for app in APPS}
        made.push(made.manifests, {**apps, "apps/web/app.yaml": None})
        made.manifests.job_token_push = True
        yield made


def proposed(scene: Scene) -> list[str]:
    """Return the branches for review that are there."""
    return sorted(ref.removeprefix("refs/heads/") for ref in refs(scene.manifests) if "/headgate/production/" in ref)


def opened(scene: Scene) -> list[str]:
    """Return the branches with an open merge request."""
    return sorted(one.source for one in scene.requests())


def pushes(scene: Scene) -> int:
    """Return how many pushes there were."""
    return sum(one.path.endswith("/git-receive-pack") for one in scene.gitlab.requests if one.method == "POST")


def by_tokens(scene: Scene, **tokens: str) -> Ended:
    """Run a schedule with a job token and some others."""
    job = scene.job("schedule")
    return scene._as_job(job, Tokens(job=job.token, **tokens), ci.schedule)


def test_a_job_token_delivers_all_at_once_and_says_what_gitlab_leaves_out(scene: Scene) -> None:
    ended = scene.hand_off(token="")
    assert proposed(scene) == BRANCHES
    assert pushes(scene) == 1
    assert opened(scene) == []
    assert ended.code != 0
    words = " ".join(ended.out.split())
    for one in (
        "12 branches need a merge request",
        "more than 10 branches",
        "HEADGATE_BRANCH_TOKEN",
        "HEADGATE_TOKEN",
    ):
        assert one in words, ended.out
    assert all(f"{branch} needs a merge request: http" in words for branch in BRANCHES)


@pytest.mark.long
def test_any_later_run_with_the_branch_token_opens_what_was_left_out(scene: Scene) -> None:
    scene.hand_off(token="")
    ended = by_tokens(scene, branch=scene.token)
    assert ended.code == 0, ended.out
    assert opened(scene) == BRANCHES
    assert all(f"commit={one.sha}" in one.description for one in scene.requests())  # described, as the bot would
    before = refs(scene.manifests)
    scene.written()
    assert by_tokens(scene, branch=scene.token).code == 0
    assert (scene.written(), refs(scene.manifests)) == ([], before)


@pytest.mark.long
def test_up_to_ten_are_opened_by_the_push_itself(scene: Scene) -> None:
    gone: dict[str, str | None] = {f"apps/{app}/app.yaml": None for app in APPS[:2]}
    scene.push(scene.manifests, gone)
    ended = scene.hand_off(token="")
    assert ended.code == 0, ended.out
    assert opened(scene) == proposed(scene)
    assert len(opened(scene)) == MANY - 2


@pytest.mark.long
def test_with_the_token_of_the_bot_none_is_left_out(scene: Scene) -> None:
    assert scene.hand_off().code == 0
    assert opened(scene) == BRANCHES
    assert pushes(scene) == 1


@pytest.mark.long
def test_pipelines_that_gitlab_left_out_are_begun_by_a_later_run(scene: Scene) -> None:
    """Where pipelines must succeed, a merge request without one could never be merged."""
    scene.manifests.pipelines_must_succeed = True
    few: dict[str, str | None] = {f"apps/{app}/app.yaml": None for app in APPS[FEW:]}
    scene.push(scene.manifests, {".gitlab-ci.yml": CI, **few})
    assert scene.hand_off().code == 0
    scene.new_version()
    assert pushes(scene) == 2
    with_pipeline = {
        one.iid for one in scene.requests() if any(run.sha == one.sha for run in scene.manifests.pipelines)
    }
    assert 0 < len(with_pipeline) < FEW
    ended = scene.schedule()
    assert ended.code == 0, ended.out
    assert "which GitLab had left out" in ended.out
    assert all(any(run.sha == one.sha for run in scene.manifests.pipelines) for one in scene.requests())
    scene.written()
    assert scene.schedule().code == 0
    assert scene.written() == []
