"""What follows health: reports to the apps' projects, promotions, and roll-backs of versions that failed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.cli import headgate
from support.flux import NotificationController
from support.gitlab.mergeside import merge
from support.manifests import ManifestRepository
from support.reviewing import Scene, make_scene

HEALTH = "{flux: {statuses: bot}, health: {statuses: flux-bot}}"


@dataclass
class Place:
    """A GitLab with the app ``web``, and Flux in the clusters of both environments."""

    scene: Scene
    flux: NotificationController

    def says(self, reason: str, severity: str = "info", name: str = "web.dev") -> None:
        """Let Flux say of what is on the default branch now, and the schedule hear of it."""
        self.flux.post(self.scene.main, name, reason, severity)
        self.scheduled()

    def is_healthy(self, name: str = "web.dev") -> None:
        self.says("ReconciliationSucceeded", name=name)

    def fails(self, name: str = "web.dev") -> None:
        self.says("HealthCheckFailed", "error", name)

    def scheduled(self) -> str:
        ended = self.scene.schedule()
        assert ended.code == 0, ended.out
        return ended.out

    def version(self, replicas: int) -> str:
        """Hand a version off, and return its commit."""
        ended = self.scene.new_version(replicas=replicas)
        assert ended.code == 0, ended.out
        return self.scene.head

    def replicas(self, environment: str = "dev") -> int:
        """Return how many replicas the final YAML has; 0 where there is none."""
        text = "".join(self.scene.files(folder=f"deploy/{environment}/web").values())
        return next((int(line.split()[1]) for line in text.splitlines() if "replicas:" in line), 0)

    def deployments(self) -> list[tuple[str, str, str]]:
        return [(one["environment"], one["sha"], one["status"]) for one in self.scene.app.deployments]


@contextmanager
def make_place(
    folder: Path, dev: str = "", production: str = "delivery: review, takes: {branch: main}"
) -> Iterator[Place]:
    with make_scene(folder) as scene:
        scene.push(
            scene.manifests,
            {
                "headgate.yaml": "version: 1\n"
                f"gitlab: {{url: '{scene.gitlab.url}', project: platform/manifests}}\n"
                "environments:\n"
                f"  dev: {{takes: {{branch: main}}, delivery: commit{dev}}}\n"
                f"  production: {{{production}}}\n"
                f"clusters: {{dev: {HEALTH}, production: {HEALTH}}}\n"
            },
        )
        yield Place(scene, scene.flux())


# Reports


@pytest.mark.long
def test_deployments_and_statuses_follow_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_place(tmp_path, production="delivery: commit") as place:
        first = place.version(3)
        assert place.deployments() == [("dev", first, "running")]
        assert place.scene.statuses(first)["headgate: dev"][0] == "running"
        place.says("DependencyNotReady")
        assert place.deployments() == [("dev", first, "running")]
        place.is_healthy()
        assert place.deployments() == [("dev", first, "success")]
        state, text = place.scene.statuses(first)["headgate: dev"]
        assert (state, text.endswith(", healthy")) == ("success", True)
        place.scene.written()
        place.scheduled()
        assert place.scene.written() == []
        second = place.version(4)
        place.fails()
        assert place.deployments()[1:] == [("dev", second, "failed")]
        state, text = place.scene.statuses(second)["headgate: dev"]
        assert (state, text.endswith("failed: health check failed (Kustomization web.dev)")) == ("failed", True)
        monkeypatch.setenv("HEADGATE_TOKEN", place.scene.token)
        address = place.scene.manifests.folder.as_uri()
        shown = headgate("status", "--manifests", address)
        assert "HEALTH" in shown.out
        assert "failed in the cluster: health check failed (Kustomization web.dev)" in shown.out
        (found,) = [
            one for one in json.loads(headgate("status", "--manifests", address, "--json").out)["apps"] if one["health"]
        ]
        assert found["health"]["health"] == "failed"
        assert datetime.fromisoformat(found["health"]["since"]) <= datetime.now(UTC)


# Promotion


@pytest.mark.long
def test_a_promotion_waits_for_health(tmp_path: Path) -> None:
    production = "delivery: commit, takes: {promotion: dev, auto: healthy}"
    with make_place(tmp_path, production=production) as place:
        place.version(3)
        place.scheduled()
        assert place.replicas("production") == 0
        place.fails()
        assert place.replicas("production") == 0
        place.is_healthy()
        assert place.replicas("production") == 3


@pytest.mark.long
def test_a_promotion_waits_until_it_was_healthy_for_a_time(tmp_path: Path) -> None:
    production = "delivery: commit, takes: {promotion: dev, auto: {healthy: true, after: 1h}}"
    with make_place(tmp_path, production=production) as place:
        place.version(3)
        place.is_healthy()
        assert place.replicas("production") == 0
        status = place.scene.manifests.statuses[-1]
        status["created_at"] = (datetime.now(UTC) - timedelta(minutes=59)).isoformat()
        place.scheduled()
        assert place.replicas("production") == 0
        status["created_at"] = (datetime.now(UTC) - timedelta(minutes=61)).isoformat()
        place.scheduled()
        assert place.replicas("production") == 3


# Roll-back


@pytest.mark.long
def test_a_version_that_fails_gives_way_once_and_a_newer_one_goes_on(tmp_path: Path) -> None:
    with make_place(tmp_path, dev=", on_failure: roll-back") as place:
        first = place.version(3)
        place.fails()
        assert place.replicas() == 3  # there is nothing to go back to
        place.is_healthy()
        bad = place.version(4)
        place.fails()
        assert place.replicas() == 3
        known = [("dev", first, "success"), ("dev", bad, "failed"), ("dev", first, "running")]
        assert place.deployments() == known
        assert place.scene.statuses(bad)["headgate: dev"][0] == "failed"
        assert "failed in dev, rolled back to" in place.scene.statuses(bad)["headgate: dev"][1]
        place.scene.written()
        place.scheduled()
        assert place.scene.written() == []
        assert place.deployments() == known
        assert "pin:" not in place.scene.show("main", "apps/web/releases/dev/release.yaml")
        place.fails()  # what it went back to fails too
        before = place.scene.main
        place.scheduled()
        assert (place.scene.main, place.replicas()) == (before, 3)
        assert place.scene.hand_off(bad, digest=f"{place.scene.versions:064x}").code == 0
        assert place.replicas() == 3
        place.version(5)
        assert place.replicas() == 5


@pytest.mark.long
def test_a_version_that_was_healthy_stays(tmp_path: Path) -> None:
    with make_place(tmp_path, dev=", on_failure: roll-back") as place:
        place.version(3)
        place.is_healthy()
        place.version(4)
        place.is_healthy()
        place.fails()
        assert place.replicas() == 4


@pytest.mark.long
def test_a_template_change_that_fails_never_rolls_back(tmp_path: Path) -> None:
    with make_place(tmp_path, dev=", on_failure: roll-back") as place:
        place.version(3)
        place.is_healthy()
        place.version(4)
        place.is_healthy()
        app = place.scene.show("main", "apps/web/app.yaml")
        place.scene.push(place.scene.manifests, {"apps/web/app.yaml": f"{app}\nnamespace: other\n"})
        assert place.scene.pushed().code == 0
        place.fails()
        assert place.replicas() == 4
        assert "namespace: other" in place.scene.show("main", "deploy/dev/web/deployment.apps-web.yaml")


@pytest.mark.long
def test_without_on_failure_everything_stays(tmp_path: Path) -> None:
    with make_place(tmp_path) as place:
        place.version(3)
        place.is_healthy()
        place.version(4)
        place.fails()
        assert place.replicas() == 4


@pytest.mark.long
def test_a_pinned_app_is_left_to_the_person(tmp_path: Path) -> None:
    with make_place(tmp_path, dev=", on_failure: roll-back") as place:
        place.version(3)
        place.is_healthy()
        place.version(4)
        pinned = headgate(
            *("pin", "web", "--environment", "dev", "--reason", "look", "--by", "Ann"),
            *("--manifests", place.scene.manifests.folder.as_uri()),
        )
        assert pinned.code == 0, pinned.out + pinned.err
        place.fails()
        assert place.replicas() == 4


@pytest.mark.long
def test_where_people_review_the_roll_back_is_proposed_once(tmp_path: Path) -> None:
    production = "delivery: review, takes: {branch: main}, on_failure: roll-back"
    with make_place(tmp_path, production=production) as place:
        for replicas in (3, 4):
            place.version(replicas)
            merge(place.scene.gitlab, place.scene.the_request(), place.scene.person)
            assert place.scene.pushed().code == 0
            place.is_healthy("web.production") if replicas == 3 else place.fails("web.production")
        assert place.replicas("production") == 4
        request = place.scene.the_request()
        assert "health check failed" in request.description
        request.state = "closed"
        place.scheduled()
        place.scheduled()
        assert place.scene.requests() == []
        assert place.replicas("production") == 4
        place.version(5)
        merge(place.scene.gitlab, place.scene.the_request(), place.scene.person)
        assert place.replicas("production") == 5


# Configuration


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "takes: {promotion: dev, auto: healthy}",
            "environments.production.takes[0].auto: no cluster reports the health of dev",
        ),
        ("takes: [{promotion: dev, auto: {healthy: true}}]", "no cluster reports the health of dev"),
        ("on_failure: roll-back", "environments.production.on_failure: no cluster reports the health of production"),
        ("takes: {promotion: dev, auto: {healthy: false}}", "healthy, or {healthy: true, after: 30m}"),
        ("takes: {promotion: dev, auto: {healthy: true, after: soon}}", "healthy, or {healthy: true, after: 30m}"),
    ],
)
def test_without_a_source_of_health_it_is_an_error(manifests: ManifestRepository, text: str, told: str) -> None:
    settings = f"version: 1\nenvironments:\n  dev: {{delivery: commit}}\n  production: {{delivery: commit, {text}}}\n"
    manifests.write({"headgate.yaml": settings})
    ran = manifests.hydrate()
    assert ran.code == 10
    assert told in ran.err


@pytest.mark.long
def test_an_app_s_own_promotion_needs_a_source_too(manifests: ManifestRepository) -> None:
    takes = "{production: {takes: {promotion: dev, auto: healthy}}, dev: {}}"
    manifests.app("shop", f"template: plain\nenvironments: {takes}\n").write({"templates/plain/a.yaml": ""})
    ran = manifests.hydrate()
    assert ran.code == 10
    assert "apps/shop/app.yaml" in ran.err
    assert "no cluster reports the health of dev" in ran.err


@pytest.mark.long
def test_records_on_a_branch_of_their_own_do_not_go_with_on_failure(manifests: ManifestRepository) -> None:
    environments = "environments: {dev: {delivery: commit, on_failure: roll-back}}\n"
    clusters = "clusters: {dev: {health: {statuses: flux-bot}}}\n"
    manifests.write({"headgate.yaml": f"version: 1\nrecords: branch\n{environments}{clusters}"})
    ran = manifests.hydrate()
    assert (ran.code, "leave out 'records: branch'" in ran.err) == (10, True)
