"""Health: what counts of what Flux says, and what `headgate wait` makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headgate.commands import ci, wait
from headgate.feedback.jobreport import JobReport
from headgate.flux.verdict import FluxReport, Health, ReportState, combined, verdict
from headgate.gitlab.event import Form
from headgate.gitlab.run import Run
from headgate.health.kubernetes import KubernetesReports
from support.certificates import authority, server_context
from support.cli import Ran, headgate
from support.flux import NotificationController
from support.gitlab.saved import put_back
from support.gitlab.state import DEVELOPER
from support.reviewing import Ended, Scene, make_scene, settings
from support.web import Reply, serve

CLUSTERS = "clusters:\n  dev: {flux: {statuses: bot}, health: {statuses: flux-bot}}\n"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


# Verdicts


def report(commit: str, state: ReportState, minutes: int = 0, name: str = "a", reason: str = "") -> FluxReport:
    return FluxReport(commit=commit, name=name, state=state, time=NOW + timedelta(minutes=minutes), reason=reason)


def test_nothing_said_is_waited_for() -> None:
    assert verdict(["2", "1"], []).state == "waiting"
    assert verdict(["2", "1"], [report("0", "healthy")]).state == "waiting"


def test_a_success_on_a_later_commit_with_equal_yaml_counts() -> None:
    assert verdict(["3", "2", "1"], [report("2", "healthy")]).state == "healthy"


def test_the_newest_commit_decides_and_then_the_newest_time() -> None:
    late = [report("2", "failed", 1, reason="broken"), report("1", "healthy", 9)]
    found = verdict(["2", "1"], late)
    assert (found.state, found.reason, found.was_healthy) == ("failed", "broken", True)
    again = [report("2", "healthy", 5), report("2", "failed", 1)]
    assert verdict(["2", "1"], again).state == "healthy"


def test_since_is_when_it_became_so() -> None:
    found = [report("1", "failed", 0), report("1", "healthy", 2), report("2", "healthy", 4), report("3", "healthy", 6)]
    assert verdict(["3", "2", "1"], found).since == NOW + timedelta(minutes=2)


def test_a_failure_that_never_was_healthy_says_so() -> None:
    assert verdict(["1"], [report("1", "failed")]).was_healthy is False


def test_as_many_must_be_healthy_as_there_are_clusters() -> None:
    both = [report("1", "healthy", 1, "a"), report("1", "healthy", 3, "b")]
    assert verdict(["1"], both[:1], wanted=2).state == "waiting"
    assert verdict(["1"], both, wanted=2).since == NOW + timedelta(minutes=3)
    assert verdict(["1"], [both[0], report("1", "failed", 2, "b")], wanted=2).state == "failed"


def test_a_cluster_that_was_made_anew_reports_under_a_new_name() -> None:
    assert verdict(["2", "1"], [report("1", "failed", 0, "old"), report("2", "healthy", 1, "new")]).state == "healthy"


def test_looking_again_changes_no_verdict() -> None:
    states: tuple[ReportState, ...] = ("healthy", "failed")
    for state in states:
        found = [report("1", state, 1), report("2", "waiting", 5)]
        assert verdict(["2", "1"], found).state == state


def test_all_clusters_must_be_healthy() -> None:
    healthy, failed = verdict(["1"], [report("1", "healthy", 4)]), verdict(["1"], [report("1", "failed", 2)])
    assert combined([healthy, healthy]).state == "healthy"
    assert combined([healthy, failed]).state == "failed"
    assert combined([healthy, verdict(["1"], [])]).state == "waiting"
    assert combined([healthy, failed]).was_healthy is False
    assert combined([]).state == "unknown"


# Kustomizations in a cluster


FAILED: dict[str, object] = {"type": "Ready", "status": "False", "reason": "HealthCheckFailed"}
FAILED |= {
    "message": "health check failed after 30.08s: timeout waiting for: [Deployment/web/web status: 'InProgress']"
}
LOOKS_AGAIN: dict[str, object] = {
    "type": "Ready",
    "status": "Unknown",
    "reason": "Progressing",
    "message": "Reconciliation in progress",
}
READY: dict[str, object] = {
    "type": "Ready",
    "status": "True",
    "reason": "ReconciliationSucceeded",
    "message": "Applied revision: 2",
}


def in_cluster(tmp_path: Path, ready: dict[str, object], **status: object) -> Health:
    """Return the verdict of a Kustomization whose condition ``ready`` is of now, on the commits 2 and 1."""
    full = {"observedGeneration": 1, "lastTransitionTime": NOW.isoformat(), **ready}
    known = {"observedGeneration": 1, "conditions": [full], "lastAttemptedRevision": "main@sha1:2", **status}
    body = json.dumps({"metadata": {"generation": 1}, "status": known}).encode()
    with serve(lambda _: Reply(body=body), server_context(tmp_path, "localhost")) as site:
        access = {"server": f"https://localhost:{site.host.partition(':')[2]}"}
        access["certificate-authority"] = str(authority(tmp_path))
        file = tmp_path / "kubeconfig"
        contexts = [{"name": "eu", "context": {"cluster": "eu", "user": "ci"}}]
        users = [{"name": "ci", "user": {"token": "secret"}}]
        clusters = [{"name": "eu", "cluster": access}]
        file.write_text(json.dumps({"clusters": clusters, "users": users, "contexts": contexts}))
        return verdict(["2", "1"], KubernetesReports(file).reports("eu", "flux-system", "web.dev"))


def snapshot(commit: str, status: str, first: int, last: int) -> dict[str, object]:
    """Return an entry of a Kustomization's history: what came of a commit, from and to so many minutes ago."""
    times = {"firstReconciled": NOW - timedelta(minutes=first), "lastReconciled": NOW - timedelta(minutes=last)}
    revision = {"metadata": {"revision": f"main@sha1:{commit}"}}
    return {"lastReconciledStatus": status, **{key: time.isoformat() for key, time in times.items()}, **revision}


@pytest.mark.parametrize(
    ("applied", "was_healthy"),
    [("1", True), ("2", True), ("0", False), ("", False)],
)
def test_what_flux_applied_before_it_failed_was_healthy(tmp_path: Path, applied: str, was_healthy: bool) -> None:
    found = in_cluster(tmp_path, FAILED, **({"lastAppliedRevision": f"main@sha1:{applied}"} if applied else {}))
    assert (found.state, found.was_healthy, found.since) == ("failed", was_healthy, NOW)
    what = "health check failed: timeout waiting for: [Deployment/web/web status: 'InProgress']"
    assert found.reason == f"HealthCheckFailed: {what} (Kustomization web.dev)"


def test_an_app_that_never_was_ready_has_failed(tmp_path: Path) -> None:
    assert in_cluster(tmp_path, FAILED, observedGeneration=-1).state == "failed"
    assert in_cluster(tmp_path, LOOKS_AGAIN, observedGeneration=-1).state == "waiting"
    assert in_cluster(tmp_path, {**FAILED, "observedGeneration": 2}, observedGeneration=1).state == "waiting"


def test_what_failed_stays_so_while_flux_looks_again(tmp_path: Path) -> None:
    history = [snapshot("2", "HealthCheckFailed", 20, 8), snapshot("0", "ReconciliationSucceeded", 90, 30)]
    found = in_cluster(tmp_path, LOOKS_AGAIN, history=history, lastAppliedRevision="main@sha1:0")
    assert (found.state, found.was_healthy, found.since) == ("failed", False, NOW - timedelta(minutes=20))
    assert found.reason == "HealthCheckFailed, and Flux tries again (Kustomization web.dev)"
    again = [snapshot("2", "HealthCheckFailed", 20, 8), snapshot("1", "ReconciliationSucceeded", 90, 30)]
    assert in_cluster(tmp_path, LOOKS_AGAIN, history=again, lastAppliedRevision="main@sha1:1").was_healthy


@pytest.mark.parametrize("again", [LOOKS_AGAIN, {**FAILED, "reason": "DependencyNotReady"}])
def test_what_is_healthy_stays_so_while_flux_looks_again(tmp_path: Path, again: dict[str, object]) -> None:
    history = [snapshot("1", "ReconciliationSucceeded", 50, 9)]
    found = in_cluster(tmp_path, again, history=history, lastAppliedRevision="main@sha1:1")
    assert (found.state, found.since) == ("healthy", NOW - timedelta(minutes=50))
    other = [snapshot("0", "ReconciliationSucceeded", 50, 9)]
    assert in_cluster(tmp_path, again, history=other, lastAppliedRevision="main@sha1:0").state == "waiting"
    assert in_cluster(tmp_path, again, lastAppliedRevision="main@sha1:1").state == "waiting"  # Flux 2.6


def test_since_is_not_when_flux_looked_last(tmp_path: Path) -> None:
    history = [snapshot("2", "ReconciliationSucceeded", 50, 1)]
    found = in_cluster(tmp_path, READY, history=history, lastAppliedRevision="main@sha1:2")
    assert (found.state, found.since) == ("healthy", NOW - timedelta(minutes=50))
    recovered = [*history, snapshot("2", "HealthCheckFailed", 40, 15)]
    found = in_cluster(tmp_path, READY, history=recovered, lastAppliedRevision="main@sha1:2")
    assert found.since == NOW - timedelta(minutes=15)
    built = {**FAILED, "reason": "BuildFailed"}  # of which the history says nothing
    assert in_cluster(tmp_path, built, history=history, lastAppliedRevision="main@sha1:0").since == NOW


def test_what_flux_waits_for_is_said_before_it_tried(tmp_path: Path) -> None:
    waits = {**FAILED, "reason": "DependencyNotReady", "message": "dependency 'flux-system/db.dev' is not ready"}
    found = in_cluster(tmp_path, waits, lastAttemptedRevision="main@sha1:0", lastAppliedRevision="main@sha1:0")
    what = "DependencyNotReady: dependency 'flux-system/db.dev' is not ready (Kustomization web.dev)"
    assert (found.state, found.reason) == ("waiting", what)


# Commit statuses


@dataclass
class Place:
    """The app ``web`` delivered to dev, where Flux posts statuses by ``flux-bot``."""

    scene: Scene
    flux: NotificationController

    def post(self, reason: str, severity: str = "info", commit: str = "", name: str = "web.dev") -> None:
        self.flux.post(commit or self.scene.main, name, reason, severity)

    def wait(self, *args: str) -> Ran:
        address = self.scene.manifests.folder.as_uri()
        return headgate("wait", "--manifests", address, "--timeout", "0s", *args)

    def push(self, files: dict[str, str | None]) -> None:
        self.scene.push(self.scene.manifests, files)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return the app, delivered once for all tests."""
    with make_scene(tmp_path_factory.mktemp("delivered")) as scene:
        scene.push(scene.manifests, {"headgate.yaml": f"{settings(scene.gitlab.url)}{CLUSTERS}"})
        assert scene.hand_off().code == 0
        yield scene


@pytest.fixture
def place(delivered: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with put_back(delivered.gitlab):
        scene = delivered.alone()
        monkeypatch.setenv("HEADGATE_TOKEN", scene.token)
        yield Place(scene, scene.flux())


def test_waiting_until_flux_says_that_it_is_healthy(place: Place) -> None:
    ran = place.wait()
    assert (ran.code, ran.out) == (37, "web in dev: waits for Flux\n")
    place.post("ReconciliationSucceeded")
    ran = place.wait("web", "--environment", "dev")
    assert ran.code == 0
    assert ran.out.startswith("web in dev: healthy since 20")


def test_failed_with_flux_s_reason_and_object(place: Place) -> None:
    place.post("HealthCheckFailed", "error")
    ran = place.wait()
    assert ran.code == 35
    assert "web in dev: failed in the cluster since" in ran.out
    assert "health check failed (Kustomization web.dev)" in ran.out


@pytest.mark.parametrize("reason", ["DependencyNotReady", "HealthCheckCanceled"])
def test_what_flux_posts_as_success_while_it_waits_is_none(place: Place, reason: str) -> None:
    place.post(reason)
    ran = place.wait()
    assert ran.code == 37
    assert "web in dev: waits for Flux: " in ran.out


def test_a_later_commit_that_leaves_the_folder_equal_counts(place: Place) -> None:
    place.push({"README.md": "more\n"})
    place.post("ReconciliationSucceeded")
    place.push({"README.md": "most\n"})
    assert place.wait().code == 0


@pytest.mark.long
def test_a_success_of_other_yaml_does_not_count(place: Place) -> None:
    place.post("ReconciliationSucceeded")
    assert place.scene.new_version(replicas=3).code == 0
    assert place.wait().code == 37


def test_only_the_configured_user_counts(place: Place) -> None:
    other = place.scene.gitlab.user("mallory")
    place.scene.manifests.members[other.id] = DEVELOPER
    token = place.scene.gitlab.token(other, "api")
    forged = NotificationController(place.scene.gitlab.url, "platform/manifests", token)
    forged.post(place.scene.main, "web.dev", "ReconciliationSucceeded")
    assert place.wait().code == 37


def test_another_kustomization_does_not_count(place: Place) -> None:
    for name in ("web", "web.devs", "web-dev", "old.web.dev", "web.dev.eu"):
        place.post("ReconciliationSucceeded", name=name)
    assert place.wait().code == 37


def test_a_failure_that_flux_mended_is_healthy(place: Place) -> None:
    place.post("HealthCheckFailed", "error")
    place.post("ReconciliationSucceeded")
    assert place.wait().code == 0


def test_without_a_token_health_is_unknown(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADGATE_TOKEN")
    ran = place.wait()
    assert ran.code == 36
    assert "no token of this run reads commit statuses" in ran.out


def test_a_gitlab_that_refuses_leaves_health_unknown(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_TOKEN", "glpat-wrong")
    ran = place.wait()
    assert ran.code == 36
    assert "GitLab answered 401" in ran.out
    assert "glpat-wrong" not in ran.out + ran.err


def test_an_environment_without_a_source_cannot_be_waited_for(place: Place) -> None:
    ran = place.wait("--environment", "production")
    assert ran.code == 10
    assert "no cluster reports health there" in ran.err + ran.out


def test_json_has_the_same(place: Place) -> None:
    place.post("BuildFailed", "error")
    ran = place.wait("--json")
    (one,) = json.loads(ran.out)["apps"]
    assert (one["app"], one["environment"], one["health"]) == ("web", "dev", "failed")
    assert one["reason"] == "build failed (Kustomization web.dev)"
    assert datetime.fromisoformat(one["since"]) <= datetime.now(UTC)
    assert one["deployed_by"] == place.scene.main


def form(place: Place, **chosen: str) -> Ended:
    """Run what somebody asked for in GitLab's form."""

    def action(run: Run, report: JobReport) -> int:
        return ci.form(replace(run, event=replace(run.event, form=Form(**chosen))), report)

    return place.scene.run(action, "web")


@pytest.mark.long
def test_the_form_says_first_how_the_app_is_doing(place: Place) -> None:
    place.post("HealthCheckFailed", "error")
    ran = form(place, action="pin", app="web", environment="dev", reason="audit")
    assert ran.code == 0, ran.out
    assert ran.out.startswith("web in dev: failed in the cluster since 20")
    ran = form(place, action="promote", app="web", source="dev", environment="production")
    assert ran.out.startswith("web in dev: failed in the cluster since 20")  # production has no source of health
    assert "in production: " not in ran.out.splitlines()[0]
    assert "in the cluster" not in form(place, action="freeze", environment="production", reason="audit").out


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let something happen while `headgate wait` sleeps for the first time."""

    def set_up(action: Callable[[], object]) -> None:
        left = [action]
        monkeypatch.setattr("headgate.commands.wait.time.sleep", lambda _: left.pop()() if left else None)

    return set_up


def waited(place: Place, timeout: float = 60) -> int:
    address = place.scene.manifests.folder.as_uri()
    return wait.run(wait.WaitOptions(manifests=address, timeout=timeout, pause=0.01))


def test_it_ends_as_soon_as_flux_is_done(place: Place, meanwhile: Callable[[Callable[[], object]], None]) -> None:
    meanwhile(lambda: place.post("ReconciliationSucceeded"))
    assert waited(place) == 0


@pytest.mark.long
def test_other_yaml_supersedes_what_is_waited_for(
    place: Place, meanwhile: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    meanwhile(lambda: place.scene.new_version(replicas=3))
    assert waited(place) == 0
    assert "web in dev: superseded: newer YAML replaced it" in capsys.readouterr().out


def test_what_is_unknown_is_looked_at_three_times(
    place: Place, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    monkeypatch.setenv("HEADGATE_TOKEN", "glpat-wrong")

    def mended() -> None:
        monkeypatch.setenv("HEADGATE_TOKEN", place.scene.token)
        place.post("ReconciliationSucceeded")

    meanwhile(mended)
    assert waited(place) == 0
    monkeypatch.setenv("HEADGATE_TOKEN", "glpat-wrong")
    assert waited(place, 3600) == 36


def test_several_clusters_all_count(place: Place) -> None:
    more = "  eu: {environments: [dev], flux: {}, health: {statuses: flux-bot}}\n"
    place.push({"headgate.yaml": settings(place.scene.gitlab.url) + CLUSTERS + more})
    place.post("ReconciliationSucceeded")
    assert place.wait().code == 37
    place.post("HealthCheckFailed", "error", name="web.dev.eu")
    assert place.wait().code == 35
    place.post("ReconciliationSucceeded", name="web.dev.eu")
    assert place.wait().code == 0


def test_kustomizations_of_your_own_of_one_name_count_by_who_posts(place: Place) -> None:
    own = "{environments: [dev], kustomization: '{environment}-{app}', health: {statuses: flux-bot}}"
    place.push({"headgate.yaml": settings(place.scene.gitlab.url) + f"clusters:\n  one: {own}\n  two: {own}\n"})
    place.post("ReconciliationSucceeded", name="dev-web")
    assert place.wait().code == 37
    other = NotificationController(place.flux.url, place.flux.project, place.flux.token, "9f8e7d6c-1-2-3-4")
    other.post(place.scene.main, "dev-web", "ReconciliationSucceeded")
    assert place.wait().code == 0


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(Exception, match="expected a time such as 90s, 15m or 1h"):
        headgate("wait", "--timeout", "soon")
