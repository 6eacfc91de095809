"""Acme's GitLab and clusters with Flux that apply its manifest repository: from a push to pods that run.

Pipelines run by themselves. Flux posts statuses as ``flux-bot``, with the Secret ``flux-statuses``, and knows webhooks
by that of ``flux-receiver``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.acme import Acme, include_deliver
from support.cluster import (
    FETCH_INTERVAL,
    INTERVAL,
    Cluster,
    secret,
    serve_clusters,
    sync_objects,
    wait_for,
    write_kubeconfig,
)
from support.gitlab import pipelines
from support.gitlab.gitside import git
from support.gitlab.state import DEVELOPER, Pipeline, Project, Protection, Variable
from support.playground import BUILD, Playground, playground

SECONDS = 300
"""How long anything may take. On an idle machine it takes a tenth of that, a failure half a minute."""
HOOK = "token-of-the-webhook"
_UNASKED = f"interval: {INTERVAL}, fetch_interval: 1h, timeout: 30s"
ENDED = ("success", "failed", "skipped", "canceled")


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """What runs: the GitLab, and the clusters by their names."""

    ground: Playground
    clusters: Mapping[str, Cluster]
    kubeconfig: Path

    @property
    def acme(self) -> Acme:
        """The GitLab and who is there."""
        return self.ground.acme

    def add_app(self, name: str, app_yaml: str, files: Mapping[str, str]) -> Project:
        """Add an app that is delivered by its own pipelines; ``files`` are its first ones, below deploy/."""
        gitlab, acme = self.acme.gitlab, self.acme
        project = gitlab.project(f"acme/{name}", {acme.dana: DEVELOPER, acme.max: DEVELOPER, acme.bot: DEVELOPER})
        project.protected_branches["main"] = Protection(push=DEVELOPER, merge=DEVELOPER)
        project.allowlist.add(acme.manifests.path)
        image = self.image(name)
        own = f"project: acme/{name}\nimages: {{{name}: {image}}}\nconfig: deploy\n{app_yaml}"
        self.push_manifests({f"apps/{name}/app.yaml": own}, message=f"Add {name} [skip ci]")
        ci = f"{include_deliver(acme.manifests.path, image)}\n{BUILD}"
        first = {f"deploy/{path}": text.replace("IMAGE", image) for path, text in files.items()}
        gitlab.push(project, {".gitlab-ci.yml": ci, **first}, user=acme.dana, message="Begin [skip ci]")
        return project

    def image(self, name: str) -> str:
        """Return an app's image, without a tag."""
        return f"{self.acme.registry.host}/acme/{name}"

    def push_manifests(self, files: Mapping[str, str | None], message: str = "Change") -> str:
        """Commit to the manifest repository as who keeps it; again when a pipeline was faster."""

        def pushed() -> str:
            with suppress(AssertionError):
                return self.acme.gitlab.push(self.acme.manifests, dict(files), user=self.acme.max, message=message)
            return ""

        return str(wait_for(pushed, SECONDS, message))

    def push(self, project: Project, files: Mapping[str, str | None], *, crashes: bool = False) -> str:
        """Commit to an app as its developer; with ``crashes`` its image never becomes ready. Returns the commit."""
        ci = self.acme.gitlab.show(project, ".gitlab-ci.yml").replace("crashes-", "")
        if crashes:
            ci = ci.replace("$CI_COMMIT_SHORT_SHA", "crashes-$CI_COMMIT_SHORT_SHA")
        return self.acme.gitlab.push(project, {".gitlab-ci.yml": f"{ci}\n", **files}, user=self.acme.dana)

    def run_schedule(self) -> Pipeline:
        """Run the manifest project's scheduled pipeline to its end."""
        made = pipelines.make(self.acme.gitlab, self.acme.manifests, "main", "schedule", self.acme.max)
        wait_for(lambda: made.status in ENDED, SECONDS, f"the schedule ends\n{made.log}")
        assert made.status == "success", made.log
        return made

    def wait_for_deployment(self, project: Project, environment: str, commit: str, *statuses: str) -> str:
        """Return the status of an app's newest deployment of a commit as soon as it is one of these."""

        def status() -> str:
            found = [one["status"] for one in project.deployments if (one["environment"], one["sha"]) == wanted]
            return found[-1] if found and found[-1] in statuses else ""

        wanted = (environment, commit)
        return str(wait_for(status, SECONDS, f"{project.path}: {wanted} is {statuses}"))

    def wait_for_flux(self, cluster: str, name: str, commit: str = "", reason: str = "ReconciliationSucceeded") -> Any:
        """Return a Kustomization's status as soon as Flux's newest result is this, for a commit or a later one."""

        what = f"{name} on {cluster}: {reason} at {commit}"
        return wait_for(lambda: self.result_at(cluster, name, commit, reason), SECONDS, what)

    def result_at(self, cluster: str, name: str, commit: str, reason: str = "ReconciliationSucceeded") -> Any:
        """Return a Kustomization's status, where Flux's newest result is this for a commit or a later one."""
        status = (self.clusters[cluster].get("kustomizations", name) or {}).get("status", {})
        newest = next(iter(status.get("history", ())), None)
        if newest is None or newest["lastReconciledStatus"] != reason:
            return None
        revision = newest["metadata"]["revision"].rpartition(":")[2]
        return status if not commit or self.is_in(commit, revision) else None

    def is_in(self, commit: str, later: str) -> bool:
        """Whether a commit of the manifest repository is another one, or an ancestor of it."""
        base = git(self.acme.manifests, "merge-base", commit, later)
        return base == commit

    def image_in(self, cluster: str, namespace: str, name: str) -> str:
        """Return the image that a Deployment in a cluster has; empty where there is none."""
        found = self.clusters[cluster].get("deployments", name, namespace)
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"]) if found else ""

    def head(self) -> str:
        """Return the manifest repository's newest commit."""
        return self.acme.gitlab.commit(self.acme.manifests)

    def call_flux(self, name: str) -> None:
        """Let GitLab's webhook call the Receiver of a cluster from now on, and once for what was pushed before."""
        webhooks = self.acme.manifests.webhooks
        webhooks[self.receiver(name)] = HOOK
        self.push_manifests({"README.md": f"Flux on {name} is called.\n"}, message="Call Flux [skip ci]")

    def receiver(self, name: str) -> str:
        """Return the address of the Receiver that Headgate wrote for a cluster, as soon as it is ready."""

        def path() -> str:
            found = self.clusters[name].get("receivers", "headgate") or {}
            return str(found.get("status", {}).get("webhookPath", ""))

        return f"{self.clusters[name].receiver}{wait_for(path, SECONDS, 'the Receiver is ready')}"

    def commits(self) -> list[str]:
        """Return the manifest repository's commits, the newest first."""
        return git(self.acme.manifests, "rev-list", "main").splitlines()

    def failures(self) -> str:
        """Return the logs of all pipelines that failed."""
        every = [one for project in self.acme.gitlab.projects for one in project.pipelines]
        return "\n".join(one.log for one in every if one.status == "failed")


@contextmanager
def rollout(folder: Path, settings: str, *names: str) -> Iterator[Rollout]:
    """Run it for as long as the block lasts, with clusters of these names.

    ``settings`` are headgate.yaml's, but for version and gitlab; ``{flux}`` in them is when Flux looks and gives up,
    ``{unasked}`` the same where it looks for commits only when it is called, ``{registry}`` the host of the registry.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (
        serve_clusters(folder / "clusters", *names) as clusters,
        playground(folder / "gitlab") as ground,
    ):
        kubeconfig = write_kubeconfig(folder / "kubeconfig", clusters)
        by_name = {cluster.name: cluster for cluster in clusters}
        made = Rollout(ground=ground, clusters=by_name, kubeconfig=kubeconfig)
        _set_up(made, settings)
        yield made


def _set_up(made: Rollout, settings: str) -> None:
    """Do what people do: set headgate.yaml, give jobs a kubeconfig, bootstrap Flux, give it an account for statuses."""
    acme = made.acme
    gitlab, manifests = acme.gitlab, acme.manifests
    manifests.variables["KUBECONFIG"] = Variable(str(made.kubeconfig), masked=False)
    url = f"{gitlab.url}/{manifests.path}.git"
    settings = settings.replace("{registry}", acme.registry.host).replace("{unasked}", _UNASKED)
    flux = f"interval: {INTERVAL}, fetch_interval: {FETCH_INTERVAL}, timeout: 30s"
    own = f"version: 1\ngitlab: {{url: '{gitlab.url}', project: {manifests.path}}}\n{settings.replace('{flux}', flux)}"
    syncs = {
        f"clusters/{name}/flux-system/gotk-sync.yaml": yaml.safe_dump_all(sync_objects(name, url))
        for name in made.clusters
    }
    made.push_manifests({"headgate.yaml": own, **syncs}, message="Flux [skip ci]")
    reader, bot = gitlab.user("flux"), gitlab.user("flux-bot")
    manifests.members |= {reader.id: DEVELOPER, bot.id: DEVELOPER}
    token = gitlab.token(reader, "read_repository")
    for cluster in made.clusters.values():
        cluster.apply(secret("flux-statuses", token=gitlab.token(bot, "api")), secret("flux-receiver", token=HOOK))
        cluster.follow(url, reader.name, token)
