"""What a scheduled pipeline looks at: once a day at everything, else at what is new since the one before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headgate.errors import ConfigError, ImageError
from support.gitlab.gitside import git, refs
from support.gitlab.mergeside import merge
from support.gitlab.saved import put_back
from support.gitlab.state import Pipeline
from support.reviewing import DEPLOYMENT, Scene, make_merged_scene, make_scene, settings


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with make_merged_scene(tmp_path_factory.mktemp("merged")) as made:
        yield made


@pytest.fixture
def scene(merged: Scene) -> Iterator[Scene]:
    """Return an app with one version that was reviewed and merged, which was done once for all tests."""
    with put_back(merged.gitlab):
        yield merged.alone()


def asked_of_the_app(scene: Scene) -> int:
    """Run a schedule and count its requests to the app's project."""
    scene.gitlab.requests.clear()
    ended = scene.schedule()
    assert ended.code == 0, ended.out
    return sum(f"/projects/{scene.app.id}/" in one.path for one in scene.gitlab.requests)


@pytest.mark.long
def test_the_first_run_of_a_day_looks_at_every_app_and_one_after_a_run_that_failed(scene: Scene) -> None:
    assert asked_of_the_app(scene) > 0
    assert asked_of_the_app(scene) == 0
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for one in scene.manifests.pipelines:
        one.created_at = yesterday.isoformat()
    assert asked_of_the_app(scene) > 0
    assert asked_of_the_app(scene) == 0
    for one in scene.manifests.pipelines:
        one.status = "failed"
    assert asked_of_the_app(scene) > 0


@pytest.mark.long
def test_what_was_merged_since_the_last_run_is_told(scene: Scene) -> None:
    asked_of_the_app(scene)
    assert scene.new_version().code == 0
    commit = refs(scene.app)["refs/heads/main"]
    assert scene.statuses(commit)["headgate: production"][0] == "pending"
    merge(scene.gitlab, scene.the_request(), scene.person)
    assert asked_of_the_app(scene) > 0
    assert scene.statuses(commit)["headgate: production"][0] == "success"
    assert asked_of_the_app(scene) == 0


def with_more_apps(scene: Scene, number: int) -> None:
    """Add apps of other projects that run where the app does, and merge what is reviewed."""
    files: dict[str, str | None] = {}
    kept = git(scene.manifests, "ls-tree", "-r", "--name-only", "main", "apps/web").splitlines()
    texts = {path: git(scene.manifests, "show", f"main:{path}") + "\n" for path in kept}
    for app in (f"app-{at}" for at in range(number)):
        for path, text in texts.items():
            files[path.replace("/web/", f"/{app}/")] = text.replace("project: acme/web", f"project: acme/{app}")
    scene.push(scene.manifests, files)
    assert scene.pushed().code == 0
    for request in [one for one in scene.manifests.merge_requests if one.state == "opened"]:
        merge(scene.gitlab, request, scene.person)
    assert scene.pushed().code == 0


def costs(scene: Scene) -> dict[str, int]:
    """Count what a schedule, a push and a hand-off ask of GitLab, git's requests among it."""
    found = {}
    for _ in range(2):  # the first of the day looks at everything
        scene.gitlab.requests.clear()
        scene.schedule()
    found["schedule"] = len(scene.gitlab.requests)
    scene.gitlab.requests.clear()
    scene.pushed(scene.push(scene.manifests, {"README.md": f"{len(found)}"}))
    found["push"] = len(scene.gitlab.requests)
    scene.push(scene.app, {"deploy/web.yaml": DEPLOYMENT.replace("replicas: 2", "replicas: 5")})
    scene.gitlab.requests.clear()
    assert scene.hand_off().code == 0
    found["hand-off"] = len(scene.gitlab.requests)
    return found


@pytest.mark.long
def test_no_run_costs_more_for_apps_that_did_not_change(tmp_path: Path) -> None:
    found = []
    for number in (0, 20):
        with make_scene(tmp_path / str(number)) as scene:
            third = "  staging: {takes: {branch: main}, delivery: commit}\n"
            scene.push(scene.manifests, {"headgate.yaml": settings(scene.gitlab.url) + third})
            assert scene.hand_off().code == 0
            merge(scene.gitlab, scene.the_request(), scene.person)
            assert scene.pushed().code == 0
            with_more_apps(scene, number)
            landed = [path for path in scene.paths("deploy") if path.endswith("/.headgate.json")]
            assert len(landed) == 3 * (number + 1)
            found.append(costs(scene))
    assert found[0] == found[1], found


def test_records_apart_need_the_bot_and_make_no_merge_request_of_their_own(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene:
        text = git(scene.manifests, "show", "main:headgate.yaml")
        scene.push(scene.manifests, {"headgate.yaml": f"{text}\nrecords: branch\n"})
        refused = scene.hand_off(token="")
        assert refused.code == ConfigError.code
        assert "there is no HEADGATE_TOKEN" in refused.out
        assert scene.hand_off().code == 0
        assert [one.source for one in scene.requests()] == ["headgate/production/web"]
        assert "headgate/_state" in git(scene.manifests, "branch", "--list", "--format=%(refname:short)")
        merge(scene.gitlab, scene.the_request(), scene.person)
        assert scene.pushed().code == 0
        assert git(scene.manifests, "ls-tree", "-r", "--name-only", "headgate/_state") == ""
        assert "proposed" not in git(scene.manifests, "ls-tree", "-r", "--name-only", "main")


@pytest.mark.long
def test_an_old_commit_of_the_records_that_somebody_wrote_stops_the_run(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene:
        text = git(scene.manifests, "show", "main:headgate.yaml")
        scene.push(scene.manifests, {"headgate.yaml": f"{text}\nrecords: branch\n"})
        assert scene.hand_off().code == 0
        scene.push(scene.manifests, {"apps/web/releases/production/rejected.yaml": "version: 1\n"}, "headgate/_state")
        ended = scene.schedule()
        assert ended.code != 0
        assert "headgate/_state holds a commit that Headgate did not make" in " ".join(ended.out.split())


def describe(scene: Scene, facts: str) -> None:
    """Say in headgate.yaml what GitLab is told of production."""
    text = git(scene.manifests, "show", "main:headgate.yaml")
    at = text.index("  production:")
    changed = text[:at] + text[at:].replace("delivery: review", f"gitlab: {facts}, delivery: review", 1)
    changed = changed if changed != text else text[:at] + text[at:].replace(":", f":\n    gitlab: {facts}", 1)
    scene.push(scene.manifests, {"headgate.yaml": f"{changed}\n"})


def deploy(scene: Scene) -> dict[str, Any]:
    """Deliver a version to production, and return GitLab's environment."""
    assert scene.new_version().code == 0
    merge(scene.gitlab, scene.the_request(), scene.person)
    assert scene.pushed().code == 0
    return next(one for one in scene.app.environments if one["name"] == "production")


@pytest.mark.long
def test_an_environment_has_its_tier_and_what_its_dashboard_shows(scene: Scene) -> None:
    scene.app.agents.add(7)
    path = "kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations"
    describe(scene, f"{{tier: production, agent: 7, namespace: '{{app}}', flux: '{path}/{{app}}-{{environment}}'}}")
    found = deploy(scene)
    assert (found["tier"], found["cluster_agent_id"], found["kubernetes_namespace"]) == ("production", 7, "web")
    assert found["flux_resource_path"] == f"{path}/web-production"
    scene.gitlab.requests.clear()
    deploy(scene)
    assert not [one for one in scene.gitlab.requests if one.method == "PUT" and "/environments/" in one.path]


@pytest.mark.long
def test_an_agent_of_another_project_is_told_and_delivers_all_the_same(scene: Scene) -> None:
    describe(scene, "{tier: production, agent: 8}")
    assert deploy(scene).get("cluster_agent_id") is None
    assert "environments of project" in scene.runs[-1].out
    assert scene.app.deployments[-1]["environment"] == "production"


@pytest.mark.long
def test_a_status_stays_in_the_pipeline_that_handed_the_commit_off(scene: Scene) -> None:
    """The commit ran again meanwhile, in a newer pipeline, of which GitLab would take it without being told."""
    commit = scene.push(scene.app, {"src": "2"})
    own, again = (Pipeline(scene.app, "main", commit, "push", scene.bot, id=one) for one in (1002, 90002))
    scene.app.pipelines += [own, again]
    assert scene.hand_off().code == 0
    merge(scene.gitlab, scene.the_request(), scene.person)
    assert scene.pushed().code == 0
    told = [(one["pipeline_id"], one["status"]) for one in scene.app.statuses if one["sha"] == commit]
    told = [one for one in told if one[0] == 1002 or one[0] == 90002]
    assert told[-2:] == [(1002, "pending"), (1002, "success")]


@pytest.mark.long
def test_what_failed_is_told_by_later_runs_too(scene: Scene) -> None:
    assert scene.new_version({"deploy/web.yaml": DEPLOYMENT.replace("acme/web", "acme/other")}).code != 0
    commit = refs(scene.app)["refs/heads/main"]
    told = scene.statuses(commit)["headgate: production"]
    assert told[0] == "failed"
    scene.app.statuses.clear()  # as if GitLab had lost it
    assert scene.schedule().code == ImageError.code, "red, as long as it fails"
    assert scene.statuses(commit)["headgate: production"] == told
