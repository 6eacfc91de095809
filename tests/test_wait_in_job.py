"""The job that waits in a pipeline for what it landed, on Flux's statuses: up to the app's own pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from headgate.errors import ConfigError
from headgate.report.landed import LandedApps, landed_text, parse_landed
from support.acme import Acme, jobs_path, make_acme
from support.flux import NotificationController
from support.gitlab import serve_gitlab
from support.gitlab.mergeside import merge
from support.gitlab.runner import Task, in_shell
from support.gitlab.state import DEVELOPER, Job, Pipeline
from support.registry import Registry

HEALTH = "{flux: {statuses: bot}, health: {statuses: flux-bot}}"


@dataclass
class Waiting:
    """A GitLab whose pipelines wait. ``meanwhile`` happens when a job that waits starts, once."""

    acme: Acme
    flux: NotificationController
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def run(self, task: Task) -> tuple[str, int]:
        """Run a task as the runner does."""
        if task.script.endswith("headgate wait") and self.meanwhile:
            self.meanwhile.pop()()
        return in_shell(task)

    def says(self, reason: str, severity: str = "info", name: str = "shop.dev") -> Callable[[], object]:
        """Let Flux say this of what is on the default branch then."""
        return lambda: self.flux.post(self.acme.gitlab.commit(self.acme.manifests), name, reason, severity)

    def deliver(self, *meanwhile: Callable[[], object]) -> tuple[Job, Pipeline]:
        """Build a new version and let Flux say something; returns the job that waited, and the app's pipeline."""
        self.meanwhile = list(meanwhile)
        commit = self.acme.build()
        (own,) = (one for one in self.acme.shop.pipelines if one.sha == commit)
        return waiting_job(self.acme.hydrations()[-1]), own

    def settings(self, change: Callable[[str], str]) -> None:
        """Change headgate.yaml."""
        text = change(self.acme.gitlab.show(self.acme.manifests, "headgate.yaml"))
        self.acme.gitlab.push(self.acme.manifests, {"headgate.yaml": text}, user=self.acme.max, message="Set [skip ci]")


def waiting_job(pipeline: Pipeline) -> Job:
    assert [job.name for job in pipeline.jobs] == ["hydrate", "wait"], pipeline.log
    return pipeline.jobs[1]


@pytest.fixture
def place(tmp_path: Path, registry: Registry) -> Iterator[Waiting]:
    with serve_gitlab(tmp_path / "gitlab", jobs_path(tmp_path)) as gitlab:
        acme = make_acme(gitlab, registry, tmp_path)
        user = gitlab.user("flux-bot")
        acme.manifests.members[user.id] = DEVELOPER
        made = Waiting(acme, NotificationController(gitlab.url, acme.manifests.path, gitlab.token(user, "api")))
        gitlab.execute = made.run
        made.settings(lambda text: f"{text}\nclusters:\n  dev: {HEALTH}\n")
        ci = gitlab.show(acme.manifests, ".gitlab-ci.yml")
        with_wait = ci.replace("      handoff: $", "      wait: 1s\n      handoff: $")
        assert with_wait != ci
        gitlab.push(acme.manifests, {".gitlab-ci.yml": with_wait}, user=acme.max, message="Wait [skip ci]")
        yield made


@pytest.mark.long
def test_the_apps_pipeline_ends_as_flux_says(place: Waiting) -> None:
    job, own = place.deliver(place.says("ReconciliationSucceeded"))
    assert "shop in dev: healthy since 20" in job.log
    assert (job.status, own.status) == ("success", "success"), job.log

    job, own = place.deliver(place.says("HealthCheckFailed", "error"))
    assert "shop in dev: failed in the cluster since 20" in job.log
    assert "health check failed (Kustomization shop.dev)" in job.log
    assert (job.status, own.status) == ("failed", "failed")
    assert place.acme.hydrations()[-1].jobs[0].status == "success"  # it has landed


@pytest.mark.long
def test_what_flux_has_not_ended_and_what_was_replaced(place: Waiting) -> None:
    job, own = place.deliver()
    assert "shop in dev: waits for Flux\n" in job.log
    assert (job.status, own.status) == ("failed", "failed")

    gitlab, manifests, path = place.acme.gitlab, place.acme.manifests, "deploy/dev/shop/deployment.apps-shop.yaml"

    def replaced() -> None:
        text = place.acme.deployed().replace("replicas: 1", "replicas: 2")
        gitlab.push(manifests, {path: text}, user=place.acme.max, message="By hand [skip ci]")

    job, own = place.deliver(replaced)
    assert "shop in dev: superseded: newer YAML replaced it" in job.log
    assert (job.status, own.status) == ("success", "success")


@pytest.mark.long
def test_what_nothing_tells_is_unknown(place: Waiting) -> None:
    """GitLab does not let a job token read statuses, so a project without another token knows nothing."""
    place.acme.manifests.variables.pop("HEADGATE_TOKEN")
    job, own = place.deliver(place.says("ReconciliationSucceeded"))
    assert "shop in dev: health is unknown: no token of this run reads commit statuses" in job.log
    assert (job.status, own.status) == ("failed", "failed")
    assert place.acme.hydrations()[-1].jobs[0].status == "success"  # it has landed


@pytest.mark.long
def test_what_is_proposed_or_held_is_not_waited_for_and_what_is_merged_is(place: Waiting) -> None:
    acme, gitlab = place.acme, place.acme.gitlab
    place.settings(lambda text: f"{text}\n  production: {HEALTH}\n")
    place.deliver(place.says("ReconciliationSucceeded"))
    promoted = acme.form(acme.max, action="promote", app="shop", from_="dev", environment="production")
    gitlab.settle()
    job = waiting_job(promoted)
    assert "shop in production: proposed; not waited for\nnothing landed that could be waited for" in job.log
    assert job.status == "success"

    (request,) = gitlab.open_requests(acme.manifests)
    place.meanwhile = [place.says("HealthCheckFailed", "error", "shop.production")]
    merge(gitlab, request, acme.max)
    gitlab.settle()
    job = waiting_job(next(one for one in reversed(acme.manifests.pipelines) if one.source == "push"))
    assert "shop in production: failed in the cluster" in job.log
    assert "shop in dev" not in job.log
    assert job.status == "failed"

    acme.form(acme.max, action="freeze", environment="dev", reason="a demo")
    gitlab.settle()
    job, own = place.deliver()
    assert "shop in dev: held; not waited for" in job.log
    assert (job.status, own.status) == ("success", "success")


def test_the_file_says_what_landed_and_what_did_not() -> None:
    first = LandedApps(elsewhere={("shop", "dev"): "held", ("shop", "production"): "proposed"})
    landed = first.followed_by(LandedApps(folders={("shop", "dev"): "3f"}))
    read = parse_landed(landed_text(landed), "landed.json")
    assert read == LandedApps(folders={("shop", "dev"): "3f"}, elsewhere={("shop", "production"): "proposed"})


@pytest.mark.parametrize("text", ["", "[]", '{"apps": [{"app": "shop"}]}', '{"apps": 1}'])
def test_a_file_that_says_something_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="it is no report of what a job landed"):
        parse_landed(text, "landed.json")
