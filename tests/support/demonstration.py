"""A GitLab and two clusters with Flux on one's own machine, and the way of a push through them.

    python -m support.demonstration          what ``make cluster`` runs, until it is interrupted
    python -m support.demonstration --walk   what ``headgate demo --cluster`` shows

All is on loopback and goes with the process.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.cluster import FETCH_INTERVAL, wait_for
from support.gitlab import pipelines
from support.gitlab.byitself import repeating
from support.gitlab.gitside import git
from support.gitlab.mergeside import merge
from support.gitlab.state import MergeRequest
from support.rollout import ENDED, SECONDS, Rollout, rollout

SETTINGS = """
environments:
  dev: {takes: {branch: main}, delivery: commit, on_failure: roll-back}
  production: {takes: {promotion: dev, auto: healthy}, delivery: review}
clusters:
  dev: {flux: {{flux}}, health: {kubernetes: dev}}
  production: {flux: {{flux}}, health: {kubernetes: production}}
"""
_EVERY = 5
"""Seconds between two scheduled pipelines. People let them run every few minutes."""
_PAUSE = 0.05


@dataclass
class Walk:
    """What happened, each with its seconds since the push."""

    begin: float = field(default_factory=time.monotonic)
    steps: list[tuple[float, str]] = field(default_factory=list)

    def wait(self, what: str, check: Callable[[], Any]) -> Any:
        """Wait for something, say that it happened and when, and return it."""
        found = wait_for(check, SECONDS, what, _PAUSE)
        self.steps.append((time.monotonic() - self.begin, what))
        say(f"{self.steps[-1][0]:6.1f} s  {what}")
        return found


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def scheduled(made: Rollout) -> AbstractContextManager[None]:
    """Run the manifest project's schedule again and again, for as long as the block lasts."""

    def work(stopped: threading.Event) -> None:
        ran = pipelines.make(made.acme.gitlab, made.acme.manifests, "main", "schedule", made.acme.max)
        while ran.status not in ENDED and not stopped.wait(_PAUSE):
            pass

    return repeating(work, "schedule", _EVERY)


def walk(made: Rollout) -> Walk:
    """Push a version of the app, and follow it to both clusters and back."""
    acme = made.acme
    say("\nDana pushes a version of acme/shop.")
    commit = acme.gitlab.push(acme.shop, {"deploy/values.yaml": "replicas: 3\n"}, user=acme.dana, message="Three")
    found = Walk()
    before = made.head()
    found.wait("its pipeline has built the image and hands it off", acme.hydrations)
    what = "the final YAML is a commit of acme/manifests"
    landed = found.wait(what, lambda: git(acme.manifests, "rev-list", f"{before}..main").splitlines())[-1]
    say(f"\n{git(acme.manifests, 'show', '--stat=100', '--format=          commit %h%n          %s%n', landed)}\n")
    follow(made, found, "dev", landed, commit)
    say(f"\n{made.clusters['dev'].kubectl('get', 'deployments,pods', '--namespace=shop')}")

    request: MergeRequest = found.wait(
        "since dev is healthy, production is proposed",
        lambda: next(iter(acme.gitlab.open_requests(acme.manifests)), None),
    )
    say(f"\n          {request.title}: {acme.gitlab.url}/acme/manifests/-/merge_requests/{request.iid}")
    say("\nMax reads the final YAML, and merges.\n")
    merged = Walk()
    follow(made, merged, "production", merge(acme.gitlab, request, acme.max), commit)
    return found


def follow(made: Rollout, found: Walk, environment: str, landed: str, commit: str) -> None:
    """Follow a commit of the manifest repository through an environment's cluster to GitLab's deployment."""
    cluster = made.clusters[environment]

    def fetched() -> bool:
        source = cluster.get("gitrepositories", "headgate") or {}
        revision = source.get("status", {}).get("artifact", {}).get("revision", "")
        return bool(revision) and made.is_in(landed, revision.rpartition(":")[2])

    def ready() -> bool:
        status = (cluster.get("deployments", "shop", "shop") or {}).get("status", {})
        return bool(status.get("replicas")) and status.get("readyReplicas") == status.get("updatedReplicas")

    def reported() -> bool:
        return any(
            (one["environment"], one["sha"], one["status"]) == (environment, commit, "success")
            for one in made.acme.shop.deployments
        )

    found.wait("Flux has fetched it", fetched)
    found.wait("Flux has applied it", lambda: commit[:8] in made.image_in(environment, "shop", "shop"))
    found.wait("its pods are ready", ready)
    found.wait("Flux says that it is healthy", lambda: made.result_at(environment, f"shop.{environment}", landed))
    found.wait("GitLab's deployment of it in acme/shop is a success", reported)


def main() -> None:
    """Run it until it is interrupted, or until the walk is at its end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    walks = "--walk" in sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="headgate-cluster-") as scratch:
        say("Starting a GitLab, and two Kubernetes clusters with Flux ...")
        with rollout(Path(scratch), SETTINGS, "dev", "production") as made, scheduled(made):
            say(
                _THERE.format(
                    url=made.acme.gitlab.url, kubeconfig=made.kubeconfig, interval=FETCH_INTERVAL, every=_EVERY
                )
            )
            if walks:
                walk(made)
                return
            say(_WORDS.format(url=made.acme.gitlab.url, shop=made.ground.address("acme/shop", "dana")))
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                say("stopping")


_THERE = """\
  GitLab       {url}: acme/shop has the code, acme/manifests the final YAML
  clusters     dev and production, with Flux; kubectl knows them as contexts:
               export KUBECONFIG={kubeconfig}
  Flux looks for commits every {interval}, Headgate's schedule runs every {every}s."""
_WORDS = """
  1. git clone {shop} shop && cd shop
  2. change deploy/values.yaml (replicas), commit, push
  3. .tools/kubectl --context dev get kustomizations,pods --all-namespaces --watch
  4. {url}/acme/manifests: when dev is healthy, production is proposed there; merge it
  5. write crashes- before $CI_COMMIT_SHORT_SHA, twice, in .gitlab-ci.yml, and push: that version never gets ready,
     is reported as failed, and rolled back

Ctrl-C ends it."""


if __name__ == "__main__":
    main()
